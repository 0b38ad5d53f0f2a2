#include "softgpu/check/chosen.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "softgpu/check/definedness.hpp"
#include "softgpu/check/lock.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/exec/schedule.hpp"

namespace softgpu::check {

bool names_kernel(const std::string& pattern, const std::string& kernel) {
  const std::string name = kernel.substr(0, kernel.find('('));
  if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) return true;
  // A template's name begins with what it returns and ends with its arguments:
  // "void ns::sum<float>" is also known as "ns::sum" and "sum".
  std::string plain = name.substr(0, name.find('<'));
  if (const auto blank = plain.rfind(' '); blank != std::string::npos) plain.erase(0, blank + 1);
  if (::fnmatch(pattern.c_str(), plain.c_str(), 0) == 0) return true;
  const auto colon = plain.rfind(':');
  return colon != std::string::npos &&
         ::fnmatch(pattern.c_str(), plain.c_str() + colon + 1, 0) == 0;
}

namespace {

std::atomic<std::uint64_t> launches_seen{0};
std::atomic<bool> any_chosen{false};

bool matches(const Launch& launch) {
  const Options& of = options();
  if (of.check_launch != 0 && launch.id != of.check_launch) return false;
  if (of.check_kernels.empty()) return true;
  const std::string kernel = readable_name(launch.code->name);
  return std::ranges::any_of(
      of.check_kernels, [&](const std::string& pattern) { return names_kernel(pattern, kernel); });
}

}  // namespace

bool is_chosen(const Launch& launch) {
  ++launches_seen;
  const bool chosen = matches(launch);
  if (chosen) any_chosen = true;
  return chosen;
}

namespace {

bool keeps(std::initializer_list<std::string_view> kinds) {
  const auto& only = options().check_only;
  return only.empty() || std::ranges::any_of(kinds, [&](std::string_view kind) {
           return std::ranges::find(only, kind) != only.end();
         });
}

}  // namespace

bool looks_for_races() {
  static const bool looks = keeps({"race", "same-value-race"});
  return looks;
}
bool looks_for_deadlocks() {
  static const bool looks = keeps({"deadlock"});
  return looks;
}

std::string none_chosen() {
  const Options& of = options();
  if (any_chosen.load() || (of.check_launch == 0 && of.check_kernels.empty())) return "";
  return "no kernel was checked: the program has launched " + std::to_string(launches_seen.load()) +
         ", and none of those that were asked for";
}

void ended_unchecked() {
  const std::lock_guard lock(checker_mutex());
  GlobalBits::instance().define_all();
}

}  // namespace softgpu::check
