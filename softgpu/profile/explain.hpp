// What a tutor would say of a kernel: what bounds it, the one change that would matter most, by how
// much at most, and the line that it concerns. Rules are a table; each says when it holds, how the
// counters would be after the change, and which line of source is meant. "At most" is the estimate
// of before over the one of after.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "softgpu/models.hpp"
#include "softgpu/profile/estimate.hpp"
#include "softgpu/profile/profile.hpp"

namespace softgpu::profile {

struct Advice {
  std::string_view rule;  // "uncoalesced"
  std::string what;       // what is there, with its numbers
  std::string_view change;
  double at_most = 1;  // times as fast, by the estimate
  std::string file;    // empty where no line is meant or there are no line numbers
  int line = 0;
  std::string text;
};

struct Explanation {
  Estimate now;
  std::vector<Advice> advice;  // the most worthwhile first; empty where nothing stands out
};

[[nodiscard]] Explanation explain(const Kernel& kernel, const DeviceModel& device);

// The names of all rules, in the order of the table.
[[nodiscard]] std::vector<std::string_view> rule_names();

}  // namespace softgpu::profile
