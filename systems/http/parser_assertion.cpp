#include "systems/http/parser_assertion.hpp"

#include <boost/assert.hpp>
#include <string>

namespace boost {

// Boost's headers declare both, and call them where an assertion does not hold.
void assertion_failed(const char* expression, const char* /*function*/, const char* file,
                      long line) {
  throw tandem::http::ParserAssertion(std::string(file) + ":" + std::to_string(line) + ": " +
                                      expression);
}
void assertion_failed_msg(const char* expression, const char* /*message*/, const char* function,
                          const char* file, long line) {
  assertion_failed(expression, function, file, line);
}

}  // namespace boost
