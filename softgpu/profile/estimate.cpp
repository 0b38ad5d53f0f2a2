#include "softgpu/profile/estimate.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

namespace softgpu::profile {
namespace {

constexpr double sector = 32;

double at(const Counters& c, InstructionClass kind) {
  return static_cast<double>(c.instructions[static_cast<std::size_t>(kind)]);
}

double number(std::uint64_t value) { return static_cast<double>(value); }

// Cycles of the unit that does loads and stores.
double load_store_cycles(const Kernel& kernel, const DeviceCosts& costs) {
  const Counters& c = kernel.counters;
  double cycles = 0;
  for (const Requests* r :
       {&c.global_load, &c.global_store, &c.global_atomic, &c.local_load, &c.local_store}) {
    cycles += std::max(number(r->requests), number(r->sectors) / costs.l1_sectors);
  }
  for (const SharedRequests* r : {&c.shared_load, &c.shared_store, &c.shared_atomic}) {
    cycles += number(r->wavefronts);
  }
  return cycles - std::min(cycles, number(kernel.merged_wavefronts));
}

// Sectors that are written in part count more than once.
double l2_bytes(const Counters& c, const DeviceCosts& costs) {
  const Requests& stores = c.global_store;
  // Where each lane has a sector of its own, as in a column of a matrix. Lanes that share sectors
  // mostly write what lies in one line, which is put together on the way.
  const double apart =
      std::clamp(2 * number(stores.sectors) - number(stores.lanes), 0.0, number(stores.sectors));
  const double in_part = std::max(apart - number(stores.ideal_sectors), 0.0);
  return sector *
         (number(c.global_load.sectors - std::min(c.global_load.sectors, c.global_load.l1_hits) +
                 stores.sectors + c.global_atomic.sectors) +
          in_part * (costs.partial_store - 1));
}

// What memory moves in a second where reads and writes alternate: most for one of them alone.
double dram_rate(const Kernel& kernel, const DeviceCosts& costs) {
  const double read = number(kernel.dram_read);
  const double written = number(kernel.dram_write);
  const double all = std::max(read + written, 1.0);
  const double mix = 4 * (read / all) * (written / all);
  return costs.dram_bytes_per_second * (1 - costs.dram_turns * mix);
}

// Of the units that share the work of a launch, each with the seconds that it would take alone.
// They overlap, but not wholly: the time is between the longest and the sum (the Euclidean norm).
double together(const std::vector<EstimatePart>& parts) {
  // What computes is one unit here, and so is what moves memory: their parts run side by side.
  std::array<double, 5> units{};
  for (const EstimatePart& part : parts) {
    const std::string_view name = part.name;
    const std::size_t unit = name == "l2" || name == "dram" ? 1
                             : name == "load_store"         ? 2
                             : name == "latency"            ? 3
                             : name == "atomics"            ? 4
                                                            : 0;
    units[unit] = std::max(units[unit], part.seconds);
  }
  const double longest = *std::ranges::max_element(units);
  if (longest <= 0) return 0;
  double sum = 0;
  for (const double seconds : units) sum += seconds / longest * (seconds / longest);
  return longest * std::sqrt(sum);
}

}  // namespace

Occupancy occupancy_of(const DeviceModel& device, const Kernel& kernel) {
  return softgpu::occupancy_of(device, static_cast<int>(kernel.threads()), kernel.registers,
                               std::size_t{kernel.static_shared} + kernel.dynamic_shared);
}

Estimate estimate(const Kernel& kernel, const DeviceModel& device, const Assume& assume) {
  const DeviceCosts& costs = costs_of(device.key);
  const Counters& c = kernel.counters;
  const double launches = number(std::max<std::uint64_t>(kernel.launches, 1));
  const double clock = device.clock_khz * 1e3;
  const double multiprocessors = device.multiprocessors;
  const double blocks = number(std::max<std::uint64_t>(kernel.blocks(), 1));

  Estimate result;
  result.occupancy = occupancy_of(device, kernel);
  double resident = std::max(result.occupancy.blocks, 1);
  if (assume.full_occupancy) {
    resident = std::max<double>(resident, result.occupancy.most_warps / kernel.warps_per_block());
  }
  result.waves = blocks / (multiprocessors * resident);
  const double mean = blocks / multiprocessors;
  result.balance = assume.enough_blocks ? 1 : std::ceil(mean) / mean;

  // Seconds of the busiest multiprocessor for cycles of all together.
  const auto busy = [&](double cycles) {
    return cycles / launches / multiprocessors * result.balance / clock;
  };
  using enum InstructionClass;
  double issued = 0;
  for (std::size_t i = 0; i < instruction_classes; ++i) {
    if (static_cast<InstructionClass>(i) != move) issued += number(c.instructions[i]);
  }
  const double mean_chain = number(kernel.chain) / launches / blocks;
  const double rounds = assume.enough_blocks ? result.waves : std::ceil(result.waves);
  const double start = costs.block_start;
  const double chain = result.waves <= 1 && !assume.enough_blocks
                           ? number(kernel.longest_chain) + start
                           : (mean_chain + start) * rounds;
  double tensor_flops = 0;
  if (c.instructions[static_cast<std::size_t>(tensor)] != 0) {
    tensor_flops = number(c.flops[f16] + c.flops[bf16] + 2 * c.flops[tf32] + c.flops[f8] / 2);
  }
  result.parts = {
      {"issue", "issuing instructions", busy(issued / costs.issue)},
      {"fp32", "single-precision arithmetic", busy(at(c, fp32) / costs.fp32)},
      {"fp64", "double-precision arithmetic", busy(at(c, fp64) / costs.fp64)},
      {"half", "16-bit arithmetic", busy(at(c, half) / costs.half)},
      {"integer", "integer arithmetic", busy(at(c, integer) / costs.integer)},
      {"conversion", "conversions between types", busy(at(c, conversion) / costs.conversion)},
      {"special", "special functions and divisions", busy(at(c, special) / costs.special_rate)},
      {"tensor", "matrix units", busy(tensor_flops / costs.tensor_flops)},
      {"load_store", "loads and stores of L1 and shared memory",
       busy(load_store_cycles(kernel, costs))},
      {"l2", "the L2 cache's bandwidth",
       l2_bytes(c, costs) / launches / costs.l2_bytes_per_cycle / clock},
      {"dram", "memory bandwidth",
       number(kernel.dram_read + kernel.dram_write) / launches / dram_rate(kernel, costs)},
      {"atomics", "atomics on one word", number(kernel.hottest_word) / clock},
      {"latency", "waiting for results, with too few warps to do else",
       chain * costs.loaded / clock},
  };
  const auto longest = std::ranges::max_element(
      result.parts, [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
  result.bound = longest->name;
  result.bound_meaning = longest->meaning;
  result.kernel_seconds = together(result.parts);
  result.seconds = result.kernel_seconds + costs.launch_seconds;
  return result;
}

std::vector<std::string> assumptions(const DeviceModel& device) {
  const DeviceCosts& costs = costs_of(device.key);
  const auto text = [](const char* format, auto... values) {
    std::array<char, 256> line{};
    (void)std::snprintf(line.data(), line.size(), format, values...);
    return std::string(line.data());
  };
  return {
      text("The clock stays at %.2f GHz.", device.clock_khz / 1e6),
      text("Memory moves %.0f GB/s, the L2 cache %.0f bytes per cycle; latencies are %d (L1), %d "
           "(L2) and %d (memory) cycles.",
           costs.dram_bytes_per_second / 1e9, costs.l2_bytes_per_cycle, costs.l1, costs.l2,
           costs.dram),
      text("Between two launches lie %.1f microseconds.", costs.launch_seconds * 1e6),
      "Parts overlap, but not wholly: the time is between the longest and their sum.",
      "PTX instructions stand for the machine's; the compiler makes about as many of them.",
  };
}

Roof roof_of(const Kernel& kernel, const DeviceModel& device) {
  const DeviceCosts& costs = costs_of(device.key);
  const Counters& c = kernel.counters;
  const double clock = device.clock_khz * 1e3;
  constexpr double fma_of_warp = 2 * lanes_per_warp;
  Roof roof;
  roof.bytes_per_second = costs.dram_bytes_per_second;
  const auto most = std::ranges::max_element(c.flops);
  const auto format = static_cast<Format>(most - c.flops.begin());
  roof.format = *most == 0 ? "f32" : format_names[format];
  const bool tensor = c.instructions[static_cast<std::size_t>(InstructionClass::tensor)] != 0;
  const double per_cycle = *most == 0 || format == f32 ? costs.fp32 * fma_of_warp
                           : format == f64             ? costs.fp64 * fma_of_warp
                           : tensor ? costs.tensor_flops / (format == tf32 ? 2 : 1)
                                    : costs.half * fma_of_warp;
  roof.flops_per_second = per_cycle * device.multiprocessors * clock;
  return roof;
}

std::vector<Scheduled> schedule(const Profile& profile, const DeviceModel& device) {
  const DeviceCosts& costs = costs_of(device.key);
  std::vector<double> of_kernel;
  for (const Kernel& kernel : profile.kernels) {
    of_kernel.push_back(estimate(kernel, device).seconds);
  }
  using Stream = std::pair<int, std::uint64_t>;
  std::map<Stream, double> stream_end;
  std::map<int, double> blocking_end;  // by device, of streams that wait for the legacy one
  std::map<int, double> legacy_end;
  std::map<int, double> device_end;
  std::map<std::string, double> engine_end;
  std::vector<double> end(profile.work.size(), 0);
  double host = 0;
  std::vector<Scheduled> result;
  for (std::size_t i = 0; i < profile.work.size(); ++i) {
    const Work& work = profile.work[i];
    const Stream stream{work.device, work.stream};
    const double after = work.after >= 0 ? end[static_cast<std::size_t>(work.after)] : 0;
    if (work.kind == Work::Kind::wait) {
      const double until = work.after >= 0    ? after
                           : work.stream == 0 ? device_end[work.device]
                           : work.legacy ? std::max(stream_end[stream], blocking_end[work.device])
                                         : stream_end[stream];
      host = std::max(host, until);
      continue;
    }
    double begin = std::max({host, after, stream_end[stream]});
    if (work.legacy) begin = std::max(begin, blocking_end[work.device]);
    if (work.blocking) begin = std::max(begin, legacy_end[work.device]);
    double seconds = 0;
    if (work.kind == Work::Kind::kernel && work.kernel >= 0) {
      seconds = of_kernel[static_cast<std::size_t>(work.kernel)];
    } else if (work.kind == Work::Kind::memset) {
      seconds = costs.launch_seconds + number(work.bytes) / costs.dram_bytes_per_second;
    } else if (work.kind == Work::Kind::copy) {
      const bool inside = work.name == "within device";
      seconds =
          costs.launch_seconds + number(work.bytes) / (inside ? costs.dram_bytes_per_second / 2
                                                              : costs.bus_bytes_per_second);
      double& engine = engine_end[work.name];
      begin = std::max(begin, engine);
      engine = begin + seconds;
    }
    end[i] = begin + seconds;
    stream_end[stream] = end[i];
    device_end[work.device] = std::max(device_end[work.device], end[i]);
    if (work.legacy) legacy_end[work.device] = end[i];
    if (work.blocking) blocking_end[work.device] = std::max(blocking_end[work.device], end[i]);
    if (work.kind != Work::Kind::other) result.push_back({i, begin, end[i]});
  }
  return result;
}

}  // namespace softgpu::profile
