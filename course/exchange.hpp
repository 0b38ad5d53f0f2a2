// What the grader and the program that runs kernels tell each other: a request on its standard
// input, an answer on its standard output. Both are numbers and bytes in this machine's order. The
// answer comes from a process that ran a stranger's kernel, and is read with suspicion.
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::course {

class ExchangeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Passed : std::uint32_t { input, output, scratch, value };

struct RequestArgument {
  Passed passed = Passed::input;
  std::uint64_t bytes = 0;
  std::string content;  // of an input, and of a value (4 bytes)
};
struct RequestLaunch {
  std::string kernel;
  std::array<std::uint32_t, 3> grid{};
  std::array<std::uint32_t, 3> block{};
  std::uint32_t shared = 0;
};
struct RequestCase {
  std::vector<RequestArgument> arguments;
  std::vector<RequestLaunch> launches;
};
struct Request {
  std::string ptx;
  std::uint64_t guard = 0;     // bytes before and behind outputs and scratch that nobody may touch
  std::uint32_t prefills = 0;  // 1: outputs and scratch hold a pattern at first, else nothing
  std::vector<RequestCase> cases;
};

// How a case went. `error` is empty where the kernels ran.
struct AnswerCase {
  std::string error;
  std::string stray;     // what was written outside: "8 bytes behind `y`"
  std::string modified;  // an input that was changed
  std::vector<std::string> outputs;
};
struct Answer {
  std::string error;  // of the whole: the module does not load
  std::vector<AnswerCase> cases;
};

[[nodiscard]] std::string to_bytes(const Request& request);
[[nodiscard]] std::string to_bytes(const Answer& answer);
// Throw ExchangeError for what is none.
[[nodiscard]] Request request_from(std::string_view bytes);
[[nodiscard]] Answer answer_from(std::string_view bytes);

}  // namespace tandem::course
