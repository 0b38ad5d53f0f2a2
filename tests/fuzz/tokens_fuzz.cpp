// Files of tokens, the headers that hold one, and trace contexts.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "systems/http/tokens.hpp"
#include "systems/http/trace.hpp"
#include "tandem/core/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::http;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Tokens tokens = Tokens::parse(text, "tokens");
    if (tokens.open()) std::abort();
    (void)tokens.find(text);
  } catch (const tandem::InputError&) {
    // Most inputs are no file of tokens.
  }
  TraceContext context;
  // A context of the version that is known is written as it was read.
  if (parse_traceparent(text, context) && text.starts_with("00") && context.traceparent() != text) {
    std::abort();
  }
  return 0;
}
