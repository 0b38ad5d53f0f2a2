// Numbers of profiles as a person reads them.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

#include "softgpu/models.hpp"

namespace tandem::program {

// "1,234,567"
[[nodiscard]] inline std::string grouped(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}
[[nodiscard]] inline std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  (void)std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}
[[nodiscard]] inline double per(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}
// "12 %", "0.4 %"
[[nodiscard]] inline std::string percent(double share) {
  return fixed(100 * share, share > 0 && share < 0.01 ? 1 : 0) + " %";
}
// "2.31 µs"
[[nodiscard]] inline std::string short_time(double seconds) {
  if (seconds < 1e-3) return fixed(seconds * 1e6, 2) + " µs";
  return seconds < 1 ? fixed(seconds * 1e3, 2) + " ms" : fixed(seconds, 2) + " s";
}
// "/usr/include/x.h" as "x.h"
[[nodiscard]] inline std::string file_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}
// "NVIDIA A100-SXM4-80GB"
[[nodiscard]] inline std::string device_name(const softgpu::DeviceModel& device) {
  const std::string name(device.name);
  const std::size_t open = name.find('(');
  return open == std::string::npos ? name : name.substr(open + 1, name.rfind(')') - open - 1);
}

}  // namespace tandem::program
