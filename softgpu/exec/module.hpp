// A PTX module inside a program, for program.cpp and the decoder.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "softgpu/exec/program.hpp"

namespace softgpu {

struct Program::Module {
  std::unique_ptr<ptx::Module> ast;
  std::map<const ptx::Variable*, Symbol> symbols;
};

}  // namespace softgpu
