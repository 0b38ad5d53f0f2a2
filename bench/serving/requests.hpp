// The requests that the load generator sends, one after the other.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::bench {

// GET requests, whose paths are sent in turn, or POST requests of one path. Their bodies are sent
// in turn; in each, {{n}} stands for the number of the request and {{now}} for its time, as in
// 2026-01-31T12:00:00.000Z.
class Requests {
 public:
  Requests(const std::string& host, const std::string& path, std::vector<std::string> bodies,
           std::uint64_t first_number = 0);
  Requests(const std::string& host, std::vector<std::string> paths, std::uint64_t first_number = 0);

  // The next, whole; valid until the call after it.
  [[nodiscard]] const std::string& next();

 private:
  enum class Filled { nothing, number, time };
  using Pieces = std::vector<std::pair<std::string, Filled>>;

  static Pieces pieces_of(const std::string& body);
  void append_now();

  std::vector<std::string> gets_;  // whole requests; empty: bodies are posted
  std::string head_;
  std::vector<Pieces> bodies_;
  bool fixed_ = false;  // there is one, and it is always the same
  std::uint64_t number_;
  std::string body_;
  std::string request_;
  std::time_t second_ = 0;
  std::string second_text_;
};

}  // namespace tandem::bench
