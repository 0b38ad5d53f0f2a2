// What a fit does on a GPU, counted on the software GPU, and how long an H100 or another GPU would
// take for it by the kernel lab's model (docs/kernel-lab.md): an estimate, never a measurement.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem::program {

// Exact: the same on every machine, for the same build of Tandem and the same model of a device.
struct CountedWork {
  std::uint64_t launches = 0;
  std::uint64_t warp_instructions = 0;
  std::uint64_t flops = 0;
  std::uint64_t sectors = 0;  // of 32 bytes of global memory, that requests touch
  std::uint64_t to_device_bytes = 0;
  std::uint64_t to_host_bytes = 0;

  [[nodiscard]] bool operator==(const CountedWork&) const = default;
};

struct DeviceWork {
  std::string name;  // of the case, of a sweep with its value
  Index rows = 0;
  std::string device;  // "h100"
  CountedWork counted;
  double seconds = 0;       // estimated, of the whole fit with its copies
  double copy_seconds = 0;  // estimated, of the copies between host and device alone
  std::string why_not;      // there are no figures: the fit has failed
};

[[nodiscard]] nlohmann::json to_json(const std::vector<DeviceWork>& all);
// Throws nlohmann::json::exception where it is not what to_json() makes.
[[nodiscard]] std::vector<DeviceWork> device_work_of(const nlohmann::json& json);

// Where a processor and a device take equally long, between sizes that both have figures for, if
// the estimate may be wrong by `factor` either way.
struct Crossover {
  // The size above which the device is the faster one if it is as fast as the estimate may mean,
  // and if it is as slow. 0: at the smallest size already; infinite: not even at the largest.
  double from = 0;
  double to = 0;
};
// sizes ascending; seconds of each.
[[nodiscard]] Crossover crossover_of(const std::vector<double>& sizes,
                                     const std::vector<double>& measured,
                                     const std::vector<double>& estimated, double factor);

}  // namespace tandem::program
