#include "softgpu/check/findings.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

#include "softgpu/check/chosen.hpp"
#include "softgpu/check/explanations.hpp"
#include "softgpu/check/finding_list.hpp"
#include "softgpu/check/sarif.hpp"
#include "softgpu/check/suppressions.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/device/settings.hpp"

namespace softgpu::check {
namespace {

constexpr std::size_t most_kept = 1000;  // groups
constexpr std::size_t most_shown = 100;

// By file and line; where there is none, by the text of the place.
std::string name_of(const Site& site) { return site.line > 0 ? site.file : site.what + site.text; }
using GroupKey = std::tuple<Kind, std::string, std::string, int, std::string, int>;
using PlaceKey = std::tuple<Kind, std::uint32_t, std::uint32_t>;

GroupKey key_of(const Finding& finding) {
  return {finding.kind,    finding.kernel,         name_of(finding.at),
          finding.at.line, name_of(finding.other), finding.other.line};
}

struct Book {
  std::mutex mutex;
  FindingList list;
  std::map<GroupKey, std::size_t> by_lines;
  std::map<PlaceKey, std::size_t> by_places;
  bool shown = false;
};
// With the findings of earlier runs, where there are any.
Book* new_book() {
  auto* all = new Book;
  const std::string& earlier = options().check_earlier;
  if (earlier.empty()) return all;
  try {
    all->list = read_findings(earlier);
  } catch (const std::runtime_error& error) {
    std::fprintf(stderr, "softgpu: SOFTGPU_CHECK_EARLIER: %s\n", error.what());
    std::fflush(nullptr);
    std::_Exit(2);
  }
  ++all->list.schedules;
  for (std::size_t i = 0; i < all->list.groups.size(); ++i) {
    all->by_lines[key_of(all->list.groups[i].finding)] = i;
  }
  return all;
}
Book& book() {
  static auto* all = new_book();  // outlives every static of the program
  return *all;
}

// It happened once more.
void count(FindingGroup& group) {
  ++group.times;
  if (!group.of_this_run) ++group.schedules;
  group.of_this_run = true;
}

thread_local PlaceKey asked{};  // is_known() said no to these

}  // namespace

bool is_known(Kind kind, std::uint32_t a, std::uint32_t b) {
  Book& all = book();
  const PlaceKey key{kind, a, b};
  const std::lock_guard lock(all.mutex);
  const auto found = all.by_places.find(key);
  if (found == all.by_places.end()) {
    asked = key;
    return false;
  }
  count(all.list.groups[found->second]);
  return true;
}

void report(Finding finding) {
  Book& all = book();
  const PlaceKey places = std::exchange(asked, {});
  finding.seed = schedule_seed();
  if (is_suppressed(std::string(explanation_of(finding.kind).name), finding.kernel,
                    finding.at.file))
    return;
  const GroupKey key = key_of(finding);
  const std::lock_guard lock(all.mutex);
  auto& groups = all.list.groups;
  const auto found = all.by_lines.find(key);
  std::size_t index = groups.size();
  if (found != all.by_lines.end()) {
    index = found->second;
    FindingGroup& group = groups[index];
    count(group);
    // An error and a notice at the same lines are an error.
    if (group.finding.notice && !finding.notice) {
      group.finding = std::move(finding);
      group.is_new = true;
    }
  } else if (groups.size() < most_kept) {
    groups.push_back({std::move(finding), 1, 1});
    all.by_lines[key] = index;
  } else {
    ++all.list.not_kept;
    return;
  }
  if (places != PlaceKey{}) all.by_places[places] = index;
}

bool has_fault() {
  Book& all = book();
  const std::lock_guard lock(all.mutex);
  return std::ranges::any_of(all.list.groups,
                             [](const FindingGroup& one) { return one.finding.ends_kernel; });
}

std::size_t error_count() {
  Book& all = book();
  const std::lock_guard lock(all.mutex);
  return static_cast<std::size_t>(std::ranges::count_if(
      all.list.groups,
      [](const FindingGroup& one) { return one.of_this_run && !one.finding.notice; }));
}

void show_findings() {
  Book& all = book();
  const std::lock_guard lock(all.mutex);
  if (std::exchange(all.shown, true)) return;
  std::size_t number = 0;
  for (const bool notice : {false, true}) {
    for (const FindingGroup& group : all.list.groups) {
      if (!group.is_new || group.finding.notice != notice || ++number > most_shown) continue;
      print(group, number);
    }
  }
  if (number > most_shown) {
    std::fprintf(stderr, "softgpu check: and %zu more, which the JSON has\n", number - most_shown);
  }
  if (options().check_earlier.empty()) {
    const std::string text = summary(all.list, [](const FindingGroup&) { return true; });
    std::fprintf(stderr, "softgpu check: %s\n", text.c_str());
  }
  if (const std::string text = none_chosen(); !text.empty()) {
    std::fprintf(stderr, "softgpu check: %s\n", text.c_str());
  }
  const nlohmann::ordered_json json = json_of(all.list);
  if (!options().check_json.empty()) (void)write_findings(options().check_json, json);
  if (!options().check_sarif.empty()) {
    (void)write_findings(options().check_sarif, sarif_of(json));
  }
}

void forget_findings() {
  // The parent's may be in use by a thread that this process does not have.
  Book& all = book();
  new (&all.mutex) std::mutex;
  all.list = {};
  all.by_lines.clear();
  all.by_places.clear();
  all.shown = false;
}

}  // namespace softgpu::check
