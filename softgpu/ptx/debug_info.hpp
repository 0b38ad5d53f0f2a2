// The arrays that a module's debugging information describes (nvcc -G): DWARF in the sections
// .debug_abbrev and .debug_info of the PTX text.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace softgpu::ptx {

// An array variable, or an array that is a member of a structure.
struct DebugArray {
  std::uint64_t begin = 0;  // into the memory of its symbol
  std::uint64_t bytes = 0;
  std::string name;  // "table", "state.counts"
};

// By the symbol in which they lie: a shared variable, or a function's local memory
// (`__local_depot0`). Empty where the text has no such information, or information of a form that
// is not known.
using DebugArrays = std::map<std::string, std::vector<DebugArray>, std::less<>>;
[[nodiscard]] DebugArrays debug_arrays(std::string_view ptx_text);

}  // namespace softgpu::ptx
