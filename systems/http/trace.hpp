// W3C Trace Context, level 1 (www.w3.org/TR/trace-context-1): the identity of a request across
// services, which is passed on in the header `traceparent`.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::http {

struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> parent_id{};  // the span of whoever is asked next
  std::uint8_t flags = 0;                   // bit 0: sampled
  bool given = false;                       // the client named the trace

  [[nodiscard]] std::string trace_text() const;  // 32 hexadecimal digits
  [[nodiscard]] std::string span_text() const;   // 16
  // "00-<trace>-<span>-<flags>"
  [[nodiscard]] std::string traceparent() const;
};

// Reads `traceparent`; false where it is none that the specification allows (all zeros, capitals,
// version ff, a wrong length).
[[nodiscard]] bool parse_traceparent(std::string_view text, TraceContext& context);

// The context of a request whose header is `traceparent`: the client's trace with a span of our
// own. Where the header is missing or malformed, `given` is false and the identities are made only
// when somebody asks for them by make_ids().
[[nodiscard]] TraceContext continue_trace(std::string_view traceparent);
// Gives a trace without identities random ones.
void make_ids(TraceContext& context);

}  // namespace tandem::http
