#include "systems/statistics/rate.hpp"

#include "systems/statistics/distributions.hpp"

namespace tandem::statistics {

std::int64_t Rate::lowest() const {
  std::int64_t k = 0;
  while (k < runs &&
         binomial_at_most(static_cast<double>(k), static_cast<double>(runs), nominal) <= 0.005) {
    ++k;
  }
  return k;
}

std::int64_t Rate::highest() const {
  std::int64_t k = runs;
  while (k > 0 &&
         binomial_at_least(static_cast<double>(k), static_cast<double>(runs), nominal) <= 0.005) {
    --k;
  }
  return k;
}

bool Rate::kept() const {
  if (promise == Promise::at_least) {
    return static_cast<double>(count) >= nominal * static_cast<double>(runs);
  }
  return count <= highest() && (promise == Promise::at_most || count >= lowest());
}

}  // namespace tandem::statistics
