// How often something happens over simulated cases.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "systems/statistics/rate.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem::statistics {

// The random numbers of one simulated case, one after the other.
class Draws {
 public:
  Draws(std::uint64_t seed, std::int64_t run)
      : random_(seed, Purpose::sampling, static_cast<std::uint32_t>(run)) {}
  // In [0, 1).
  double uniform() { return random_.uniform<double>(uniforms_++); }
  // Of mean 0 and deviation 1.
  double normal() { return random_.normal(normals_++); }

 private:
  Random random_;
  std::uint64_t uniforms_ = 0;
  // Normal numbers are made of two uniform ones each: a range of indices of their own.
  std::uint64_t normals_ = std::uint64_t{1} << 40;
};

struct Scenario {
  const char* what;
  Promise promise;
  double nominal;
  // Whether it happened in this case.
  std::function<bool(Draws&)> run;
};

// The rates of the scenarios over `runs` cases each. The numbers drawn depend on the seed, the case
// and the scenario's place, which counts from first_stream; `stage` is what progress calls a case.
// Throws Interrupted where the control wants to stop.
[[nodiscard]] std::vector<Rate> simulate(std::span<const Scenario> scenarios,
                                         std::uint64_t first_stream, std::string_view stage,
                                         std::int64_t runs, std::uint64_t seed,
                                         RunControl& control);

}  // namespace tandem::statistics
