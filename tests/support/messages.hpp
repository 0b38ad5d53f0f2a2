// The message with which something is refused.
#pragma once

#include <string>

#include "tandem/core/error.hpp"

namespace tandem::test {

// The message of the error of this kind that `run` throws. Others pass through, and fail the test.
template <class Kind = InputError, class Run>
[[nodiscard]] std::string message_of(Run&& run) {
  try {
    run();
  } catch (const Kind& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace tandem::test
