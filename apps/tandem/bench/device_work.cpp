#include "tandem/bench/device_work.hpp"

#include <algorithm>

#include "softgpu/models.hpp"
#include "softgpu/profile/estimate.hpp"
#include "softgpu/profile/profile.hpp"
#include "tandem/bench/arm.hpp"
#include "tandem/bench/case_files.hpp"

namespace tandem::program {
namespace {

using softgpu::profile::Profile;
using softgpu::profile::Work;

CountedWork counted_of(const Profile& profile) {
  CountedWork sum;
  for (const auto& kernel : profile.kernels) {
    sum.launches += kernel.launches;
    sum.warp_instructions += kernel.counters.warp_instructions();
    sum.flops += kernel.counters.all_flops();
    for (const auto* requests : {&kernel.counters.global_load, &kernel.counters.global_store,
                                 &kernel.counters.global_atomic}) {
      sum.sectors += requests->sectors;
    }
  }
  for (const Work& work : profile.work) {
    if (work.kind != Work::Kind::copy) continue;
    if (work.name == "to device") sum.to_device_bytes += work.bytes;
    if (work.name == "to host") sum.to_host_bytes += work.bytes;
  }
  return sum;
}

void add_estimate(const Profile& profile, DeviceWork& result) {
  const auto* model = softgpu::find_device_model(result.device);
  for (const auto& one : softgpu::profile::schedule(profile, *model)) {
    result.seconds = std::max(result.seconds, one.end);
    const Work& work = profile.work[one.work];
    if (work.kind == Work::Kind::copy) result.copy_seconds += one.end - one.begin;
  }
}

}  // namespace

DeviceWork work_of(const BenchCase& one, const std::string& name, Index rows,
                   const std::string& device, double timeout) {
  DeviceWork result{name, rows, device, {}, 0, 0, {}};
  const ScratchFolder folder;
  Truth truth;
  const CaseFiles files = write_rows(one, rows, folder, truth);
  const std::string file = folder.file("profile.json");
  try {
    Arm arm(device, {own_program(), "bench", "arm"},
            {"SOFTGPU_PROFILE=" + file, "SOFTGPU_MODEL=" + device});
    static_cast<void>(arm.ask(files.named_in(own_request(one, "softgpu", 1)), timeout));
    static_cast<void>(arm.ask({{"op", "fit"}}, timeout));
    arm.end(timeout);
    const Profile profile = softgpu::profile::read_profile(file);
    if (profile.work_dropped > 0) {
      result.why_not = std::to_string(profile.work_dropped) +
                       " copies and launches are beyond what a profile keeps; take fewer rows";
      return result;
    }
    result.counted = counted_of(profile);
    add_estimate(profile, result);
  } catch (const ArmFailure& failure) {
    result.why_not = failure.why;
  } catch (const softgpu::profile::ProfileError& error) {
    result.why_not = error.what();
  }
  return result;
}

}  // namespace tandem::program
