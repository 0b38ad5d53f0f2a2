// The integers by which a row adds to the statistics of a regression's node.
#pragma once

#include <cmath>
#include <cstdint>

#include "tandem/core/numerics.hpp"

namespace tandem::tree {

// A row of weight w and target y adds w·(y − centre) and w·(y − centre)², as 64-bit integers in
// units of 1 / sum_scale and 1 / square_scale, which are powers of two. Written once for the host
// and for GPUs.
struct TargetCode {
  double centre = 0;
  double sum_scale = 1;
  double square_scale = 1;

  [[nodiscard]] TANDEM_HOST_DEVICE std::int64_t sum(double w, double y) const {
    return rounded(w * (y - centre) * sum_scale);
  }
  [[nodiscard]] TANDEM_HOST_DEVICE std::int64_t square(double w, double y) const {
    const double from_centre = y - centre;
    return rounded(w * from_centre * from_centre * square_scale);
  }

 private:
  // Scaling is exact, so that this is the only rounding: half to even.
  [[nodiscard]] static TANDEM_HOST_DEVICE std::int64_t rounded(double value) {
    return static_cast<std::int64_t>(std::nearbyint(value));
  }
};

}  // namespace tandem::tree
