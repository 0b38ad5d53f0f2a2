#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "softgpu/models.hpp"
#include "softgpu/profile/estimate.hpp"
#include "tandem/core/error.hpp"
#include "tandem/gpu/kernel_profile.hpp"
#include "tandem/gpu/numbers.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

using softgpu::DeviceModel;
using softgpu::profile::Counters;
using softgpu::profile::Kernel;
using softgpu::profile::Line;
using softgpu::profile::Profile;
using softgpu::profile::Requests;
using softgpu::profile::SharedRequests;

// Lines of source that a table shows; JSON and the page have all.
constexpr std::size_t most_lines = 12;

std::string triple(const std::array<std::uint32_t, 3>& at) {
  std::string text = std::to_string(at[0]);
  if (at[1] != 1 || at[2] != 1) text += "x" + std::to_string(at[1]);
  if (at[2] != 1) text += "x" + std::to_string(at[2]);
  return text;
}

std::string memory_table(const Counters& c) {
  std::vector<std::vector<std::string>> rows{
      {"memory", "requests", "sectors each", "ideal", "L1 hits", "L2 hits"}};
  const auto global = [&](const char* name, const Requests& r) {
    if (r.requests == 0) return;
    const bool load = std::string_view(name).ends_with("load");
    rows.push_back({name, grouped(r.requests), fixed(per(r.sectors, r.requests), 1),
                    fixed(per(r.ideal_sectors, r.requests), 1),
                    load ? percent(per(r.l1_hits, r.sectors)) : "",
                    percent(per(r.l2_hits, r.sectors - std::min(r.sectors, r.l1_hits)))});
  };
  global("global load", c.global_load);
  global("global store", c.global_store);
  global("global atomic", c.global_atomic);
  global("local load", c.local_load);
  global("local store", c.local_store);
  std::string text = rows.size() > 1 ? table(rows) : "";
  rows = {{"shared memory", "requests", "wavefronts each", "ideal"}};
  const auto shared = [&](const char* name, const SharedRequests& r) {
    if (r.requests == 0) return;
    rows.push_back({name, grouped(r.requests), fixed(per(r.wavefronts, r.requests), 1),
                    fixed(per(r.ideal_wavefronts, r.requests), 1)});
  };
  shared("load", c.shared_load);
  shared("store", c.shared_store);
  shared("atomic", c.shared_atomic);
  return text + (rows.size() > 1 ? table(rows) : "");
}

std::string lines_table(const Kernel& k) {
  std::vector<const Line*> lines;
  for (const Line& line : k.lines) {
    if (line.line > 0) lines.push_back(&line);
  }
  if (lines.empty()) {
    return "  no line numbers: build with -lineinfo (tandem gpu build does) to see lines\n";
  }
  std::ranges::stable_sort(lines, [](const Line* a, const Line* b) {
    return a->counters.wait_cycles() > b->counters.wait_cycles();
  });
  const std::size_t shown = std::min(lines.size(), most_lines);
  const std::uint64_t all = k.counters.wait_cycles();
  std::vector<std::vector<std::string>> rows{
      {"line", "of the time", "instructions", "lanes", "sectors", "wavefronts"}};
  for (std::size_t i = 0; i < shown; ++i) {
    const Counters& c = lines[i]->counters;
    const std::uint64_t sectors = c.global_load.sectors + c.global_store.sectors +
                                  c.global_atomic.sectors + c.local_load.sectors +
                                  c.local_store.sectors;
    const std::uint64_t wavefronts =
        c.shared_load.wavefronts + c.shared_store.wavefronts + c.shared_atomic.wavefronts;
    rows.push_back({file_name(lines[i]->file) + ":" + std::to_string(lines[i]->line),
                    percent(per(c.wait_cycles(), all)), grouped(c.warp_instructions()),
                    fixed(per(c.active_lanes(), c.warp_instructions()), 1),
                    sectors == 0 ? "" : grouped(sectors),
                    wavefronts == 0 ? "" : grouped(wavefronts)});
  }
  std::string text = table(rows);
  if (shown < lines.size()) {
    text +=
        "  " + std::to_string(lines.size() - shown) + " more lines: --json and --page have them\n";
  }
  return text;
}

std::string waits_line(const Kernel& k) {
  std::vector<std::pair<std::uint64_t, std::string>> parts;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < k.chain_waits.size(); ++i) {
    all += k.chain_waits[i];
    if (k.chain_waits[i] != 0)
      parts.emplace_back(k.chain_waits[i], softgpu::profile::wait_names[i]);
  }
  std::ranges::stable_sort(parts, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (const auto& [cycles, name] : parts) {
    text += (text.empty() ? "" : ", ") + name + " " + percent(per(cycles, all));
  }
  return text;
}

std::string instructions_line(const Counters& c) {
  std::vector<std::pair<std::uint64_t, std::string>> parts;
  for (std::size_t i = 0; i < c.instructions.size(); ++i) {
    if (c.instructions[i] != 0) parts.emplace_back(c.instructions[i], softgpu::class_names[i]);
  }
  std::ranges::stable_sort(parts, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string text;
  for (const auto& [count, name] : parts) {
    text += (text.empty() ? "" : ", ") + name + " " + percent(per(count, c.warp_instructions()));
  }
  return text;
}

std::string kernel_text(const Kernel& k, const DeviceModel& device, bool estimates) {
  const Counters& c = k.counters;
  const softgpu::profile::Estimate estimate = softgpu::profile::estimate(k, device);
  const softgpu::Occupancy& occupancy = estimate.occupancy;
  const std::size_t width = terminal_width();
  const auto line = [&](std::string_view term, const std::string& text) {
    return definition(term, text, width, 18);
  };
  std::string text = k.name + "\n";
  text +=
      line("launches", counted(static_cast<std::int64_t>(k.launches), "launch", "launches") +
                           " of " + triple(k.grid) + " blocks of " + triple(k.block) + " threads");
  text += line("occupancy", percent(occupancy.share()) + " (" + std::to_string(occupancy.warps) +
                                " of " + std::to_string(occupancy.most_warps) +
                                " warps), limited by " + std::string(occupancy.limiter()) + "; " +
                                std::to_string(k.registers) + " registers (" +
                                (k.registers_of_ptxas ? "ptxas" : "estimated from PTX") + "), " +
                                std::to_string(k.static_shared + k.dynamic_shared) +
                                " bytes of shared memory; " + fixed(estimate.waves, 2) + " waves");
  text += line("instructions", grouped(c.warp_instructions()) + " by warps, " +
                                   fixed(per(c.active_lanes(), c.warp_instructions()), 1) +
                                   " of 32 lanes active: " + instructions_line(c));
  if (c.branches != 0) {
    text += line("branches", grouped(c.branches) + ", " +
                                 percent(1 - per(c.divergent, c.branches)) + " go one way");
  }
  if (c.all_flops() != 0) {
    const std::uint64_t bytes = k.dram_read + k.dram_write;
    text += line("arithmetic", grouped(c.all_flops()) + " flops" +
                                   (bytes == 0 ? std::string()
                                               : ", " + fixed(per(c.all_flops(), bytes), 2) +
                                                     " per byte of memory traffic (cache model)"));
  }
  if (c.barriers != 0) text += line("barriers", grouped(c.barriers) + " arrivals of warps");
  if (c.global_atomic.lanes + c.shared_atomic.lanes != 0) {
    text += line("atomics", grouped(c.global_atomic.lanes + c.shared_atomic.lanes) + " lanes, " +
                                grouped(c.atomic_conflicts) +
                                " share their word with another of the warp; most on one word of "
                                "global memory " +
                                grouped(k.hottest_word));
  }
  if (c.uncounted != 0) {
    text += line("not followed", grouped(c.uncounted) +
                                     " instructions (textures, tensor copies, wgmma) whose use of "
                                     "memory is not counted");
  }
  text += line("critical chain",
               grouped(static_cast<std::uint64_t>(per(k.chain, k.launches * k.blocks()))) +
                   " cycles a block (model): " + waits_line(k));
  text += memory_table(c) + lines_table(k);
  if (estimates) {
    std::vector<const softgpu::profile::EstimatePart*> parts;
    for (const auto& part : estimate.parts) parts.push_back(&part);
    std::ranges::stable_sort(parts,
                             [](const auto* a, const auto* b) { return a->seconds > b->seconds; });
    text += line("estimate", short_time(estimate.seconds) + " a launch on " + device_name(device) +
                                 ", bound by " + std::string(estimate.bound_meaning) +
                                 "; next: " + std::string(parts[1]->meaning) + " " +
                                 short_time(parts[1]->seconds));
  }
  return text;
}

}  // namespace

std::string profile_text(const Profile& profile, bool estimates) {
  const DeviceModel& device = device_of(profile);
  std::string text;
  for (const Kernel& kernel : profile.kernels) {
    text += (text.empty() ? "" : "\n") + kernel_text(kernel, device, estimates);
  }
  if (profile.kernels.empty()) text += "No kernel was profiled.\n";
  if (estimates) {
    text += "\n" + wrapped("Times are estimates for " + device_name(device) +
                               " and nothing was measured. " +
                               joined(softgpu::profile::assumptions(device), " "),
                           terminal_width());
  }
  return text;
}

// --- differences ---------------------------------------------------------------------------------

namespace {

struct Pair {
  const Kernel* before;
  const Kernel* after;
};

// Kernels of the same name, without parameters; where there is one on each side, those.
std::vector<Pair> pairs_of(const Profile& before, const Profile& after) {
  std::vector<Pair> pairs;
  if (before.kernels.size() == 1 && after.kernels.size() == 1) {
    return {{&before.kernels[0], &after.kernels[0]}};
  }
  const auto base = [](const Kernel& k) { return k.name.substr(0, k.name.find('(')); };
  std::vector<bool> taken(after.kernels.size(), false);
  for (const Kernel& a : before.kernels) {
    for (std::size_t i = 0; i < after.kernels.size(); ++i) {
      if (taken[i] || base(after.kernels[i]) != base(a)) continue;
      taken[i] = true;
      pairs.push_back({&a, &after.kernels[i]});
      break;
    }
  }
  if (pairs.empty()) {
    throw InputError(
        "the two profiles have no kernel of one name; --kernel PATTERN with tandem gpu profile "
        "leaves one kernel in each, and those are compared whatever their names");
  }
  return pairs;
}

struct Change {
  std::string name;
  double before = 0;
  double after = 0;
};

std::vector<Change> changes_of(const Pair& pair, const DeviceModel& before,
                               const DeviceModel& after) {
  const std::vector<Metric> a = metrics_of(*pair.before, before);
  const std::vector<Metric> b = metrics_of(*pair.after, after);
  std::vector<Change> changes;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].value != b[i].value) changes.push_back({a[i].name, a[i].value, b[i].value});
  }
  changes.push_back({"estimated_seconds", softgpu::profile::estimate(*pair.before, before).seconds,
                     softgpu::profile::estimate(*pair.after, after).seconds});
  return changes;
}

}  // namespace

std::string difference_text(const Profile& before, const Profile& after) {
  std::string text;
  for (const Pair& pair : pairs_of(before, after)) {
    text += (text.empty() ? "" : "\n") + pair.before->name +
            (pair.before->name == pair.after->name ? "" : "  against  " + pair.after->name) + "\n";
    std::vector<std::vector<std::string>> rows{{"metric", "before", "after", "after/before"}};
    for (const Change& change : changes_of(pair, device_of(before), device_of(after))) {
      rows.push_back({change.name, readable(change.before), readable(change.after),
                      change.before == 0 ? "" : fixed(change.after / change.before, 3)});
    }
    text += table(rows);
  }
  return text +
         "\nestimated_seconds is an estimate by the model of docs/kernel-lab.md, not a "
         "measurement.\n";
}

nlohmann::ordered_json difference_json(const Profile& before, const Profile& after) {
  nlohmann::ordered_json kernels = nlohmann::ordered_json::array();
  for (const Pair& pair : pairs_of(before, after)) {
    nlohmann::ordered_json metrics = nlohmann::ordered_json::object();
    for (const Change& change : changes_of(pair, device_of(before), device_of(after))) {
      metrics[change.name] = {{"before", change.before}, {"after", change.after}};
    }
    kernels.push_back({{"before", pair.before->name},
                       {"after", pair.after->name},
                       {"metrics", std::move(metrics)}});
  }
  return {{"software", true}, {"differences", std::move(kernels)}};
}

}  // namespace tandem::program
