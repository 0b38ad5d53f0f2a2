// HTTP requests as a socket may bring them: in pieces, one after the other. The first byte says how
// long the pieces are.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "systems/http/reader.hpp"
#include "systems/http/tokens.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::http;
  if (size == 0) return 0;
  static const Tokens tokens = Tokens::parse("predict 0123456789abcdef\n", "tokens");
  const std::size_t step = data[0] % 64 + 1;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  RequestReader reader({.head = 4 << 10, .body = 64 << 10});
  std::string waiting;
  std::size_t at = 0;
  while (!reader.refusal()) {
    const std::size_t taken = reader.feed(waiting);
    if (taken > waiting.size()) std::abort();
    waiting.erase(0, taken);
    if (reader.complete()) {
      Request request;
      if (!reader.take(request)) break;
      if (request.body.size() > std::size_t{64} << 10) std::abort();
      (void)tokens.find(request.header("authorization"));
      (void)request.query_value("explain");
      reader.reset();
      continue;
    }
    if (taken > 0) continue;
    if (at >= bytes.size()) break;
    waiting += bytes.substr(at, step);
    at += step;
  }
  return 0;
}
