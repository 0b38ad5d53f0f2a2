#include "course/exchange.hpp"

#include <cstring>

namespace tandem::course {
namespace {

constexpr std::uint32_t request_magic = 0x51524354;  // "TCRQ"
constexpr std::uint32_t answer_magic = 0x4e414354;   // "TCAN"

class Writer {
 public:
  template <class Number>
  void number(Number value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(const std::string& value) {
    number<std::uint64_t>(value.size());
    bytes_ += value;
  }
  template <class List>
  void size(const List& list) {
    number(static_cast<std::uint32_t>(list.size()));
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <class Number>
  Number number() {
    Number value{};
    if (bytes_.size() < sizeof value) throw ExchangeError("it ends too early");
    std::memcpy(&value, bytes_.data(), sizeof value);
    bytes_.remove_prefix(sizeof value);
    return value;
  }
  std::string text() {
    const auto size = number<std::uint64_t>();
    if (size > bytes_.size()) throw ExchangeError("a text is longer than what is there");
    std::string value(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return value;
  }
  // Of a list whose members take at least `least` bytes each.
  std::size_t size(std::size_t least) {
    const auto count = number<std::uint32_t>();
    if (count > bytes_.size() / least) throw ExchangeError("a list is longer than what is there");
    return count;
  }
  void magic(std::uint32_t value) {
    if (number<std::uint32_t>() != value) throw ExchangeError("it begins with another word");
  }
  void end() const {
    if (!bytes_.empty()) throw ExchangeError("there is more than was expected");
  }

 private:
  std::string_view bytes_;
};

}  // namespace

std::string to_bytes(const Request& request) {
  Writer to;
  to.number(request_magic);
  to.text(request.ptx);
  to.number(request.guard);
  to.number(request.prefills);
  to.size(request.cases);
  for (const RequestCase& one : request.cases) {
    to.size(one.arguments);
    for (const RequestArgument& argument : one.arguments) {
      to.number(argument.passed);
      to.number(argument.bytes);
      to.text(argument.content);
    }
    to.size(one.launches);
    for (const RequestLaunch& launch : one.launches) {
      to.text(launch.kernel);
      for (const auto number : launch.grid) to.number(number);
      for (const auto number : launch.block) to.number(number);
      to.number(launch.shared);
    }
  }
  return to.take();
}

Request request_from(std::string_view bytes) {
  Reader from(bytes);
  from.magic(request_magic);
  Request request;
  request.ptx = from.text();
  request.guard = from.number<std::uint64_t>();
  request.prefills = from.number<std::uint32_t>();
  request.cases.resize(from.size(8));
  for (RequestCase& one : request.cases) {
    one.arguments.resize(from.size(20));
    for (RequestArgument& argument : one.arguments) {
      argument.passed = from.number<Passed>();
      if (argument.passed > Passed::value) throw ExchangeError("an argument of unknown kind");
      argument.bytes = from.number<std::uint64_t>();
      argument.content = from.text();
    }
    one.launches.resize(from.size(36));
    for (RequestLaunch& launch : one.launches) {
      launch.kernel = from.text();
      for (auto& number : launch.grid) number = from.number<std::uint32_t>();
      for (auto& number : launch.block) number = from.number<std::uint32_t>();
      launch.shared = from.number<std::uint32_t>();
    }
  }
  from.end();
  return request;
}

std::string to_bytes(const Answer& answer) {
  Writer to;
  to.number(answer_magic);
  to.text(answer.error);
  to.size(answer.cases);
  for (const AnswerCase& one : answer.cases) {
    to.text(one.error);
    to.text(one.stray);
    to.text(one.modified);
    to.size(one.outputs);
    for (const std::string& output : one.outputs) to.text(output);
  }
  return to.take();
}

Answer answer_from(std::string_view bytes) {
  Reader from(bytes);
  from.magic(answer_magic);
  Answer answer;
  answer.error = from.text();
  answer.cases.resize(from.size(28));
  for (AnswerCase& one : answer.cases) {
    one.error = from.text();
    one.stray = from.text();
    one.modified = from.text();
    one.outputs.resize(from.size(8));
    for (std::string& output : one.outputs) output = from.text();
  }
  from.end();
  return answer;
}

}  // namespace tandem::course
