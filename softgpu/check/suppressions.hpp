// Findings that a person has looked at and does not want to see again.
//
// A file of lines `KIND KERNEL FILE`, where each word is a pattern as the shell has them (`*`, `?`,
// `[...]`), KERNEL is matched with the readable name of the kernel without its parameters, FILE
// with the name of the source at the first place, and `-` stands for a finding that has none. FILE,
// and KERNEL before it, may be left out. Lines that are empty or begin with `#` say nothing.
#pragma once

#include <string>

namespace softgpu::check {

// True where SOFTGPU_CHECK_SUPPRESS or SOFTGPU_CHECK_ONLY leave such a finding out. A file that
// cannot be read, or has a line of another form, ends the process with status 2.
[[nodiscard]] bool is_suppressed(const std::string& kind, const std::string& kernel,
                                 const std::string& file);
// Reads the file now, so that a mistake in it is heard before anything runs.
void read_suppressions();

}  // namespace softgpu::check
