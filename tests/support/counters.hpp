// Counters of kernels, as the software GPU keeps them (docs/softgpu.md): for tests of cost
// functions, of coalescing and of bank conflicts. On a real GPU there is nothing to count.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "support/cuda.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/software_gpu.hpp"

namespace tandem::test {

// The counters of several kernels together.
struct Counters {
  double launches = 0;
  double bytes = 0;  // each byte once per launch, reads and writes
  double flops = 0;  // with divisions, square roots and the like as one each
  // 1 where all accesses are coalesced, and where no bank is asked for two words at once.
  double sectors_per_ideal = 1;
  double wavefronts_per_ideal = 1;
};

// The sum over the kernels whose readable name contains `part`.
[[nodiscard]] inline Counters sum_of(const nlohmann::ordered_json& all,
                                     std::string_view part = {}) {
  Counters sum;
  double sectors = 0;
  double ideal_sectors = 0;
  double wavefronts = 0;
  double ideal_wavefronts = 0;
  for (const auto& kernel : all.at("kernels")) {
    if (kernel.at("name").get<std::string>().find(part) == std::string::npos) continue;
    sum.launches += kernel.at("launches").get<double>();
    for (const char* bytes : {"read_bytes", "written_bytes"}) {
      sum.bytes += kernel.at("touched").at(bytes).get<double>();
    }
    for (const char* group : {"flops", "special"}) {
      for (const auto& count : kernel.at(group)) sum.flops += count.get<double>();
    }
    for (const char* access : {"load", "store"}) {
      const auto& global = kernel.at("global").at(access);
      sectors += global.at("sectors").get<double>();
      ideal_sectors += global.at("ideal_sectors").get<double>();
      const auto& shared = kernel.at("shared").at(access);
      wavefronts += shared.at("wavefronts").get<double>();
      ideal_wavefronts += shared.at("ideal_wavefronts").get<double>();
    }
  }
  if (ideal_sectors > 0) sum.sectors_per_ideal = sectors / ideal_sectors;
  if (ideal_wavefronts > 0) sum.wavefronts_per_ideal = wavefronts / ideal_wavefronts;
  return sum;
}

// Counts while it lives, where the device can; one at a time, after an engine was made.
class Counting {
 public:
  Counting() {
    if (software_gpu::is_loaded()) counting_.emplace();
  }
  [[nodiscard]] bool available() const { return counting_.has_value(); }
  // Requires: available().
  [[nodiscard]] Counters of(std::string_view part) const {
    return sum_of(nlohmann::ordered_json::parse(counting_->counters()), part);
  }

 private:
  std::optional<software_gpu::Counting> counting_;
};

// Counts the kernels that `work` makes the engine run; nothing where the device cannot count.
template <class Work>
[[nodiscard]] std::optional<Counters> counted(Engine& engine, Work&& work) {
  if (engine.device() != Device::softgpu) return std::nullopt;
  engine.wait();
  const software_gpu::Counting counting;
  work();
  engine.wait();
  return sum_of(nlohmann::ordered_json::parse(counting.counters()));
}

}  // namespace tandem::test
