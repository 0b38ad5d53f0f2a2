// Findings in groups, and how they are shown, written and read again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "softgpu/check/findings.hpp"

namespace softgpu::check {

// Findings that are one for a reader: of one kind, at the same lines.
struct FindingGroup {
  Finding finding;
  std::uint64_t times = 0;      // that it happened
  std::uint64_t schedules = 0;  // runs of the program in which it did
  bool is_new = true;           // no earlier run had it
  bool of_this_run = true;
};

struct FindingList {
  std::vector<FindingGroup> groups;
  std::uint64_t not_kept = 0;   // groups beyond the most that are kept
  std::uint64_t schedules = 1;  // runs of the program
};

// As docs/kernel-lab.md describes it.
[[nodiscard]] nlohmann::ordered_json json_of(const FindingList& list);
// The list that such JSON is of, whose groups are none of this run. Throws std::runtime_error with
// a message that names the file where it cannot be read, or is something else.
[[nodiscard]] FindingList read_findings(const std::string& path);
// The whole file, or none; says so on standard error where it cannot be written, and returns false.
bool write_findings(const std::string& path, const nlohmann::ordered_json& json);

// On standard error.
void print(const FindingGroup& group, std::size_t number);
// "2 findings, 1 notice" of those groups that `chosen` picks.
template <class Chosen>
[[nodiscard]] std::string summary(const FindingList& list, Chosen&& chosen) {
  std::size_t errors = 0;
  std::size_t notices = 0;
  for (const FindingGroup& group : list.groups) {
    if (chosen(group)) ++(group.finding.notice ? notices : errors);
  }
  return std::to_string(errors) + (errors == 1 ? " finding, " : " findings, ") +
         std::to_string(notices) + (notices == 1 ? " notice" : " notices");
}

}  // namespace softgpu::check
