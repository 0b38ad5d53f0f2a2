// A submission's source becomes PTX, and nothing else: its host code is not even compiled.
#pragma once

#include <filesystem>
#include <string>

namespace tandem::course {

struct Compiler {
  std::filesystem::path nvcc;  // of CUDA 13
  bool weakly = false;         // also where submissions cannot be confined
  bool (*stopped)() = nullptr;
};

struct Compiled {
  std::string ptx;       // empty where it does not compile
  std::string messages;  // of the compiler, with the file as `name`; or why it was refused
};

// Compiles confined (confine.hpp): the compiler sees its own folders, the system's headers and
// programs, and a folder with this source alone. A source that includes any other file is refused
// even where it could have been read. `name` stands in messages and in what the checker says of
// lines. Throws SystemError where the compiler cannot be run.
[[nodiscard]] Compiled compile_kernels(const Compiler& compiler, const std::string& source,
                                       const std::string& name);

}  // namespace tandem::course
