// What Boost.Beast takes for impossible, of bytes that somebody sends.
#pragma once

#include <stdexcept>

namespace tandem::http {

// Thrown in place of an assertion of Boost's that does not hold (BOOST_ENABLE_ASSERT_HANDLER, in
// every kind of build). Beast asserts (1.74, which Debian 12 has, does) that the line behind a last
// chunk of size 0 still ends as it did when it was looked at first, which bytes that come one by
// one can break; with assertions off it would go on with a null pointer.
class ParserAssertion final : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

}  // namespace tandem::http
