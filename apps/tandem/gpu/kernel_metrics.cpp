#include <nlohmann/json.hpp>

#include "softgpu/models.hpp"
#include "softgpu/profile/estimate.hpp"
#include "tandem/core/error.hpp"
#include "tandem/gpu/kernel_profile.hpp"

namespace tandem::program {
namespace {

using softgpu::DeviceModel;
using softgpu::profile::Counters;
using softgpu::profile::Kernel;
using softgpu::profile::Profile;
using softgpu::profile::Requests;
using softgpu::profile::SharedRequests;
using Json = nlohmann::ordered_json;

double number(std::uint64_t value) { return static_cast<double>(value); }
double ratio(double a, double b) { return b == 0 ? 0 : a / b; }

void add_global(std::vector<Metric>& to, const Requests& r, const std::string& op,
                const std::string& space, const std::string& of) {
  const std::string pipe = "pipe_lsu_mem_" + space + "_op_" + op;
  to.push_back({"l1tex__t_requests_" + pipe + ".sum", number(r.requests), of + ": requests"});
  to.push_back(
      {"l1tex__t_sectors_" + pipe + ".sum", number(r.sectors), of + ": sectors of 32 bytes"});
  to.push_back({"l1tex__average_t_sectors_per_request_" + pipe + ".ratio",
                ratio(number(r.sectors), number(r.requests)), of + ": sectors per request"});
  to.push_back({space + "_" + op + "_ideal_sectors_per_request",
                ratio(number(r.ideal_sectors), number(r.requests)),
                of + ": sectors that would hold the bytes asked for, per request"});
}

void add_shared(std::vector<Metric>& to, const SharedRequests& r, const std::string& op,
                const std::string& of) {
  to.push_back({"l1tex__data_pipe_lsu_wavefronts_mem_shared_op_" + op + ".sum",
                number(r.wavefronts), of + ": wavefronts"});
  to.push_back({"l1tex__data_bank_conflicts_pipe_lsu_mem_shared_op_" + op + ".sum",
                number(r.wavefronts - std::min(r.wavefronts, r.ideal_wavefronts)),
                of + ": wavefronts beyond the least, for bank conflicts"});
}

}  // namespace

const DeviceModel& device_of(const Profile& profile) {
  const DeviceModel* const model = softgpu::find_device_model(profile.device);
  if (model == nullptr) {
    throw InputError("the profile is of a device '" + profile.device + "'; known are " +
                     softgpu::device_model_keys());
  }
  return *model;
}

std::vector<Metric> metrics_of(const Kernel& k, const DeviceModel& device) {
  const Counters& c = k.counters;
  const softgpu::Occupancy occupancy = softgpu::profile::occupancy_of(device, k);
  const double warp = number(c.warp_instructions());
  const double dram = number(k.dram_read + k.dram_write);
  std::vector<Metric> all{
      {"launch__grid_size", number(k.blocks()), "blocks of a launch"},
      {"launch__block_size", number(k.threads()), "threads of a block"},
      {"launch__registers_per_thread", static_cast<double>(k.registers),
       k.registers_of_ptxas ? "as ptxas says" : "estimated from the PTX"},
      {"launch__shared_mem_per_block_static", number(k.static_shared), "bytes"},
      {"launch__shared_mem_per_block_dynamic", number(k.dynamic_shared), "bytes"},
      {"launch__occupancy_limit_blocks", static_cast<double>(occupancy.by_blocks),
       "blocks of a multiprocessor, by their number"},
      {"launch__occupancy_limit_registers", static_cast<double>(occupancy.by_registers),
       "the same by registers"},
      {"launch__occupancy_limit_shared_mem", static_cast<double>(occupancy.by_shared),
       "the same by shared memory"},
      {"launch__occupancy_limit_warps", static_cast<double>(occupancy.by_warps),
       "the same by warps"},
      {"sm__maximum_warps_per_active_cycle_pct", 100 * occupancy.share(),
       "theoretical occupancy, percent"},
      {"launch__waves_per_multiprocessor",
       ratio(number(k.blocks()), static_cast<double>(device.multiprocessors) * occupancy.blocks),
       "rounds of blocks that the device holds at a time"},
      {"launches", number(k.launches), "launches that are added up here"},
      {"warp_instructions", warp, "PTX instructions, by warps"},
      {"thread_instructions", number(c.active_lanes()), "the same by active lanes"},
      {"active_lanes_per_instruction", ratio(number(c.active_lanes()), warp), "of 32"},
      {"branches", number(c.branches), "conditional branches, by warps"},
      {"branch_efficiency",
       c.branches == 0 ? 1 : 1 - ratio(number(c.divergent), number(c.branches)),
       "share of them whose lanes go one way"},
  };
  add_global(all, c.global_load, "ld", "global", "global loads");
  add_global(all, c.global_store, "st", "global", "global stores");
  add_global(all, c.local_load, "ld", "local", "local loads");
  add_global(all, c.local_store, "st", "local", "local stores");
  add_shared(all, c.shared_load, "ld", "shared loads");
  add_shared(all, c.shared_store, "st", "shared stores");
  const double l1_misses = number(c.global_load.sectors) - number(c.global_load.l1_hits);
  const std::vector<Metric> more{
      {"l1_hit_rate", ratio(number(c.global_load.l1_hits), number(c.global_load.sectors)),
       "of the sectors of global loads, by the cache model"},
      {"l2_hit_rate", ratio(number(c.global_load.l2_hits), l1_misses),
       "of the sectors that the L1 did not hold, by the cache model"},
      {"dram_read_bytes", number(k.dram_read), "by the cache model"},
      {"dram_write_bytes", number(k.dram_write), "by the cache model"},
      {"atomic_lanes", number(c.global_atomic.lanes + c.shared_atomic.lanes), "lanes of atomics"},
      {"atomic_conflicts", number(c.atomic_conflicts),
       "of these, lanes whose word another lane of the warp names too"},
      {"atomics_on_hottest_word", number(k.hottest_word), "of global memory, in one launch"},
      {"barriers", number(c.barriers), "arrivals of warps"},
      {"barrier_wait_share",
       ratio(number(c.waits[static_cast<std::size_t>(softgpu::profile::Wait::barrier)]),
             number(c.wait_cycles())),
       "of the cycles of all warps, waiting for others at barriers"},
      {"flops", number(c.all_flops()), "floating-point operations of all formats"},
      {"arithmetic_intensity", ratio(number(c.all_flops()), dram),
       "floating-point operations per byte of memory traffic, by the cache model"},
      {"chain_cycles", ratio(number(k.chain), number(k.launches) * number(k.blocks())),
       "of the longest warp of a block, had it the machine to itself: the mean over blocks"},
      {"longest_chain_cycles", number(k.longest_chain), "the same: the longest"},
  };
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Json profile_json(const Profile& profile, bool estimates) {
  const DeviceModel& device = device_of(profile);
  Json json = softgpu::profile::to_json(profile);
  json["software"] = true;
  for (std::size_t i = 0; i < profile.kernels.size(); ++i) {
    const Kernel& kernel = profile.kernels[i];
    Json& to = json["kernels"][i];
    Json metrics = Json::object();
    for (const Metric& metric : metrics_of(kernel, device)) metrics[metric.name] = metric.value;
    to["metrics"] = std::move(metrics);
    to["occupancy_limiter"] = softgpu::profile::occupancy_of(device, kernel).limiter();
    if (!estimates) continue;
    const softgpu::profile::Estimate estimate = softgpu::profile::estimate(kernel, device);
    Json parts = Json::object();
    for (const auto& part : estimate.parts) parts[std::string(part.name)] = part.seconds;
    to["estimate"] = {{"seconds", estimate.seconds},
                      {"kernel_seconds", estimate.kernel_seconds},
                      {"bound", estimate.bound},
                      {"parts", std::move(parts)},
                      {"waves", estimate.waves}};
  }
  if (estimates) {
    json["assumptions"] = softgpu::profile::assumptions(device);
    Json timeline = Json::array();
    for (const auto& one : softgpu::profile::schedule(profile, device)) {
      timeline.push_back({{"work", one.work}, {"begin", one.begin}, {"end", one.end}});
    }
    json["timeline"] = std::move(timeline);
  }
  return json;
}

}  // namespace tandem::program
