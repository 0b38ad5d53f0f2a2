#include "softgpu/check/findings.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <string_view>
#include <tuple>
#include <vector>

#include <nlohmann/json.hpp>

#include "softgpu/check/sarif.hpp"
#include "softgpu/check/suppressions.hpp"
#include "softgpu/check_kinds.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/device/settings.hpp"

namespace softgpu::check {
namespace {

constexpr std::size_t most_kept = 1000;  // groups
constexpr std::size_t most_shown = 100;

struct Explanation {
  Kind kind;
  std::string_view name;  // in JSON
  const char* title;
  const char* why;   // it is wrong, even where the result was right
  const char* mend;  // what usually mends it
};
constexpr std::array explanations{
    Explanation{Kind::out_of_bounds, "out-of-bounds", "access out of bounds",
                "The bytes belong to nothing or to something else: a device may fault, or the "
                "program reads or destroys other data without a word.",
                "Compare the index with the number of elements before the access; a grid that is "
                "rounded up to whole blocks has more threads than elements."},
    Explanation{Kind::misaligned, "misaligned", "misaligned access",
                "An access of N bytes has to be at a multiple of N; a device faults.",
                "Give the pointer the alignment of the type that it is cast to, and offsets that "
                "are multiples of it."},
    Explanation{Kind::use_after_free, "use-after-free", "use of memory that was freed",
                "The memory may belong to another allocation by now, whose data are then read or "
                "destroyed.",
                "Free it after the last kernel or copy that uses it, in the order of the stream."},
    Explanation{Kind::invalid_free, "invalid-free", "invalid free",
                "Only the address that an allocation returned can be freed, and only once.",
                "Free each allocation at one place, and set the pointer to null there."},
    Explanation{Kind::leak, "leak", "memory that is never freed",
                "A program that does so in a loop runs out of memory.",
                "Free it when it is not needed any more, also on the ways that return early."},
    Explanation{Kind::uninitialised, "uninitialised", "use of uninitialised memory",
                "Its value is whatever was there before: zeros on one day and something else on "
                "another.",
                "Write the memory before (cudaMemset, a store by a thread, a copy), or do not read "
                "beyond what was written."},
    Explanation{Kind::race, "race", "data race",
                "Nothing orders these two accesses. That the result was right is chance: another "
                "device, compiler or load gives another order.",
                "Put what orders them between them: __syncthreads() for threads of a block, "
                "__syncwarp() for lanes of a warp, atomics with a fence or cuda::atomic_ref "
                "between blocks, the order of a stream or an event between kernels."},
    Explanation{Kind::same_value_race, "same-value-race", "unordered writes of one value",
                "All write the same value, so that any order gives it; the language calls it a "
                "race all the same.",
                "Let one thread write it, or use an atomic store."},
    Explanation{Kind::barrier_divergence, "barrier-divergence",
                "barrier that not all threads come to",
                "A barrier has to be reached by all threads of the block or by none; a device may "
                "hang, or go on with threads that have not arrived.",
                "Move the barrier out of the branch or the loop whose condition differs between "
                "threads."},
    Explanation{Kind::warp_mask, "warp-mask", "wrong member mask of a warp operation",
                "The mask has to name exactly the lanes that execute the operation together; what "
                "comes from another lane is undefined.",
                "Compute the mask before the branch (__ballot_sync), or let all lanes take part."},
    Explanation{Kind::deadlock, "deadlock", "deadlock", "Threads wait for what can never happen.",
                "See that all threads that a barrier or a lock waits for can get there."},
    Explanation{Kind::unchecked_error, "unchecked-error", "error that the program does not look at",
                "The call did nothing, and the program goes on as if it had.",
                "Check what every call returns, and cudaGetLastError() after every launch."},
    Explanation{Kind::launch_failure, "launch-failure", "launch that fails",
                "The kernel has not run.",
                "Keep the numbers of threads, blocks and bytes inside the device's limits."},
    Explanation{Kind::overlapping_copy, "overlapping-copy", "copy between ranges that overlap",
                "The order in which bytes are copied is not defined.",
                "Copy through a buffer, or by pieces that do not overlap."},
    Explanation{Kind::fault, "fault", "fault of a kernel",
                "The kernel ends here, and every later call returns the error.", ""},
};
const Explanation& explanation_of(Kind kind) {
  return explanations[static_cast<std::size_t>(kind)];
}

static_assert([] {
  for (std::size_t i = 0; i < explanations.size(); ++i) {
    if (static_cast<std::size_t>(explanations[i].kind) != i) return false;
    if (explanations[i].name != check_kinds[i]) return false;
  }
  return explanations.size() == check_kinds.size();
}());

struct Group {
  Finding finding;
  std::uint64_t times = 1;
};
// By file and line; where there is none, by the text of the place.
std::string name_of(const Site& site) { return site.line > 0 ? site.file : site.what + site.text; }
using GroupKey = std::tuple<Kind, std::string, std::string, int, std::string, int>;
using PlaceKey = std::tuple<Kind, std::uint32_t, std::uint32_t>;

struct Book {
  std::mutex mutex;
  std::vector<Group> groups;
  std::map<GroupKey, std::size_t> by_lines;
  std::map<PlaceKey, std::size_t> by_places;
  std::uint64_t dropped = 0;
  bool shown = false;
};
Book& book() {
  static auto* all = new Book;  // outlives every static of the program
  return *all;
}

thread_local PlaceKey asked{};  // is_known() said no to these

// Control characters of names and paths are shown, not obeyed.
std::string printable(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      result += c;
      continue;
    }
    std::array<char, 8> code{};
    (void)std::snprintf(code.data(), code.size(), "\\x%02x", byte);
    result += code.data();
  }
  return result;
}

void print_site(const Site& site) {
  std::string text = "    " + site.what;
  if (!site.text.empty()) text += " at " + site.text;
  if (!site.thread.empty()) text += ", by " + site.thread;
  std::fprintf(stderr, "%s\n", printable(text).c_str());
}

nlohmann::ordered_json to_json(const Site& site) {
  if (site.what.empty()) return nullptr;
  return {
      {"what", site.what},
      {"file", site.file.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(site.file)},
      {"line", site.line > 0 ? nlohmann::ordered_json(site.line) : nlohmann::ordered_json()},
      {"place", site.text},
      {"thread", site.thread}};
}

nlohmann::ordered_json json_of(const Book& all) {
  auto list = nlohmann::ordered_json::array();
  std::size_t errors = 0;
  for (const Group& group : all.groups) {
    const Finding& f = group.finding;
    const Explanation& e = explanation_of(f.kind);
    errors += f.notice ? 0 : 1;
    list.push_back({{"kind", e.name},
                    {"severity", f.notice ? "notice" : "error"},
                    {"message", f.message},
                    {"kernel", f.kernel},
                    {"memory", f.memory},
                    {"at", to_json(f.at)},
                    {"other", to_json(f.other)},
                    {"times", group.times},
                    {"seed", f.seed},
                    {"why", e.why},
                    {"mend", e.mend}});
  }
  return {{"errors", errors},
          {"notices", all.groups.size() - errors},
          {"not_kept", all.dropped},
          {"findings", std::move(list)}};
}

// Whole, or not at all.
void write(const std::string& path, const nlohmann::ordered_json& json) {
  const std::string part = path + ".part";
  std::ofstream out(part);
  // Names that are no UTF-8 are shown with replacements instead of being refused.
  out << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  out.close();
  if (!out || std::rename(part.c_str(), path.c_str()) != 0) {
    std::fprintf(stderr, "softgpu: the findings cannot be written to %s\n", path.c_str());
    (void)std::remove(part.c_str());
  }
}

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
  ++all.groups[found->second].times;
  return true;
}

void report(Finding finding) {
  Book& all = book();
  const GroupKey key{finding.kind,    finding.kernel,         name_of(finding.at),
                     finding.at.line, name_of(finding.other), finding.other.line};
  const PlaceKey places = std::exchange(asked, {});
  finding.seed = schedule_seed();
  if (is_suppressed(std::string(explanation_of(finding.kind).name), finding.kernel,
                    finding.at.file))
    return;
  const std::lock_guard lock(all.mutex);
  const auto found = all.by_lines.find(key);
  std::size_t index = all.groups.size();
  if (found != all.by_lines.end()) {
    index = found->second;
    Group& group = all.groups[index];
    ++group.times;
    // An error and a notice at the same lines are an error.
    if (group.finding.notice && !finding.notice) group.finding = std::move(finding);
  } else if (all.groups.size() < most_kept) {
    all.groups.push_back({std::move(finding)});
    all.by_lines[key] = index;
  } else {
    ++all.dropped;
    return;
  }
  if (places != PlaceKey{}) all.by_places[places] = index;
}

bool has_fault() {
  Book& all = book();
  const std::lock_guard lock(all.mutex);
  for (const Group& group : all.groups) {
    if (group.finding.ends_kernel) return true;
  }
  return false;
}

std::size_t error_count() {
  Book& all = book();
  const std::lock_guard lock(all.mutex);
  std::size_t errors = 0;
  for (const Group& group : all.groups) errors += group.finding.notice ? 0 : 1;
  return errors;
}

void show_findings() {
  Book& all = book();
  const std::lock_guard lock(all.mutex);
  if (std::exchange(all.shown, true)) return;
  std::size_t errors = 0;
  for (const Group& group : all.groups) errors += group.finding.notice ? 0 : 1;
  const std::size_t notices = all.groups.size() - errors;
  std::size_t number = 0;
  for (const bool notice : {false, true}) {
    for (const Group& group : all.groups) {
      const Finding& f = group.finding;
      if (f.notice != notice || ++number > most_shown) continue;
      const Explanation& e = explanation_of(f.kind);
      const std::string kernel = f.kernel.empty() ? "" : " in " + f.kernel;
      std::fprintf(stderr, "softgpu check: %s %zu: %s%s\n", notice ? "notice" : "finding", number,
                   e.title, printable(kernel).c_str());
      std::fprintf(stderr, "    %s\n", printable(f.message).c_str());
      print_site(f.at);
      if (!f.other.what.empty()) print_site(f.other);
      if (!f.memory.empty()) std::fprintf(stderr, "    memory: %s\n", printable(f.memory).c_str());
      if (group.times > 1) {
        std::fprintf(stderr, "    %llu times\n", static_cast<unsigned long long>(group.times));
      }
      std::fprintf(stderr, "    %s\n", e.why);
      if (*e.mend != '\0') std::fprintf(stderr, "    %s\n", e.mend);
      if (f.seed != 0) {
        std::fprintf(stderr, "    found with --schedule-seed %llu\n",
                     static_cast<unsigned long long>(f.seed));
      }
    }
  }
  if (number > most_shown) {
    std::fprintf(stderr, "softgpu check: and %zu more, which the JSON has\n", number - most_shown);
  }
  std::fprintf(stderr, "softgpu check: %zu finding%s, %zu notice%s\n", errors,
               errors == 1 ? "" : "s", notices, notices == 1 ? "" : "s");
  const nlohmann::ordered_json json = json_of(all);
  if (!options().check_json.empty()) write(options().check_json, json);
  if (!options().check_sarif.empty()) write(options().check_sarif, sarif_of(json));
}

void forget_findings() {
  // The parent's may be in use by a thread that this process does not have.
  Book& all = book();
  new (&all.mutex) std::mutex;
  all.groups.clear();
  all.by_lines.clear();
  all.by_places.clear();
  all.shown = false;
}

}  // namespace softgpu::check
