// What the grader reads of strangers: a submission's launch lines, and the answer of the process
// that ran its kernels. The first byte says which.
#include "course/exchange.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "course/submission.hpp"
#include "tandem/core/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::course;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] == 'a') {
      if (to_bytes(answer_from(text)) != text) std::abort();
    } else if (data[0] == 'r') {
      if (to_bytes(request_from(text)) != text) std::abort();
    } else {
      const Sizes sizes{{"n", 1000}, {"rows", 33}, {"columns", 65}};
      for (const Section& section : read_sections(text, "s.cu")) {
        for (const LaunchLine& line : section.launches) {
          try {
            (void)launch_of(line, sizes, "s.cu");
          } catch (const tandem::InputError&) {
          }
        }
      }
    }
  } catch (const ExchangeError&) {
  } catch (const tandem::InputError&) {
  }
  return 0;
}
