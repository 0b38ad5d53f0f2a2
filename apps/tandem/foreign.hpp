// The commands about models of other programs: commands/foreign.cpp.
#pragma once

#include "tandem/command.hpp"

namespace tandem::program {

CommandMaker make_import, make_export;

}  // namespace tandem::program
