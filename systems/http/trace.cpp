#include "systems/http/trace.hpp"

#include <algorithm>
#include <atomic>
#include <random>
#include <span>

namespace tandem::http {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool parse_hex(std::string_view text, std::span<std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

void append_hex(std::string& text, std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
}

void fill_random(std::span<std::uint8_t> bytes) {
  thread_local std::mt19937_64 generator{[] {
    std::random_device device;
    std::seed_seq seeds{device(), device(), device(), device()};
    return std::mt19937_64(seeds);
  }()};
  do {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(generator());
  } while (all_zero(bytes));
}

}  // namespace

std::string TraceContext::trace_text() const {
  std::string text;
  append_hex(text, trace_id);
  return text;
}

std::string TraceContext::span_text() const {
  std::string text;
  append_hex(text, parent_id);
  return text;
}

std::string TraceContext::traceparent() const {
  std::string text = "00-";
  append_hex(text, trace_id);
  text += '-';
  append_hex(text, parent_id);
  text += '-';
  append_hex(text, std::span(&flags, 1));
  return text;
}

bool parse_traceparent(std::string_view text, TraceContext& context) {
  // version-trace-span-flags; a later version may append more after another dash.
  constexpr std::size_t length = 55;
  if (text.size() < length || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  std::uint8_t version = 0;
  if (!parse_hex(text.substr(0, 2), std::span(&version, 1)) || version == 0xFF) return false;
  if (version == 0 && text.size() != length) return false;
  if (text.size() > length && text[length] != '-') return false;
  TraceContext read;
  if (!parse_hex(text.substr(3, 32), read.trace_id) ||
      !parse_hex(text.substr(36, 16), read.parent_id) ||
      !parse_hex(text.substr(53, 2), std::span(&read.flags, 1))) {
    return false;
  }
  if (all_zero(read.trace_id) || all_zero(read.parent_id)) return false;
  read.given = true;
  context = read;
  return true;
}

TraceContext continue_trace(std::string_view traceparent) {
  TraceContext context;
  if (!traceparent.empty() && parse_traceparent(traceparent, context)) {
    fill_random(context.parent_id);
  }
  return context;
}

void make_ids(TraceContext& context) {
  if (context.given || !all_zero(context.trace_id)) return;
  fill_random(context.trace_id);
  fill_random(context.parent_id);
}

}  // namespace tandem::http
