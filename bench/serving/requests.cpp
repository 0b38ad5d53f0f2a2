#include "requests.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace tandem::bench {

Requests::Requests(const std::string& host, const std::string& path,
                   std::vector<std::string> bodies, std::uint64_t first_number)
    : head_("POST " + path + " HTTP/1.1\r\nHost: " + host +
            "\r\nContent-Type: application/json\r\nContent-Length: "),
      number_(first_number) {
  for (const std::string& body : bodies) bodies_.push_back(pieces_of(body));
  fixed_ = bodies_.size() == 1 && bodies_.front().size() == 1;
}

Requests::Requests(const std::string& host, std::vector<std::string> paths,
                   std::uint64_t first_number)
    : number_(first_number) {
  for (const std::string& path : paths) {
    gets_.push_back("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  }
}

const std::string& Requests::next() {
  if (!gets_.empty()) return gets_[number_++ % gets_.size()];
  if (fixed_ && !request_.empty()) return request_;
  body_.clear();
  for (const auto& [text, filled] : bodies_[number_ % bodies_.size()]) {
    body_ += text;
    if (filled == Filled::number) body_ += std::to_string(number_);
    if (filled == Filled::time) append_now();
  }
  ++number_;
  request_ = head_;
  request_ += std::to_string(body_.size());
  request_ += "\r\n\r\n";
  request_ += body_;
  return request_;
}

Requests::Pieces Requests::pieces_of(const std::string& body) {
  constexpr std::string_view number_mark = "{{n}}";
  constexpr std::string_view time_mark = "{{now}}";
  Pieces pieces;
  for (std::size_t at = 0;;) {
    const std::size_t number = body.find(number_mark, at);
    const std::size_t time = body.find(time_mark, at);
    const std::size_t next = std::min(number, time);
    if (next == std::string::npos) {
      pieces.emplace_back(body.substr(at), Filled::nothing);
      return pieces;
    }
    pieces.emplace_back(body.substr(at, next - at), next == number ? Filled::number : Filled::time);
    at = next + (next == number ? number_mark.size() : time_mark.size());
  }
}

void Requests::append_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (now.tv_sec != second_) {
    second_ = now.tv_sec;
    std::tm parts{};
    ::gmtime_r(&second_, &parts);
    std::array<char, 32> text{};
    second_text_.assign(text.data(),
                        std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts));
  }
  std::array<char, 8> rest{};
  std::snprintf(rest.data(), rest.size(), ".%03dZ", static_cast<int>(now.tv_nsec / 1'000'000));
  body_ += second_text_;
  body_ += rest.data();
}

}  // namespace tandem::bench
