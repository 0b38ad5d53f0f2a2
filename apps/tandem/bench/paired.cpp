#include "tandem/bench/paired.hpp"

#include <algorithm>
#include <cmath>

namespace tandem::program {

double median_of(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

PairedRatio paired_ratio(const std::vector<double>& ours, const std::vector<double>& theirs) {
  const std::size_t n = std::min(ours.size(), theirs.size());
  std::vector<double> ratios;
  for (std::size_t i = 0; i < n; ++i) ratios.push_back(theirs[i] / ours[i]);
  std::sort(ratios.begin(), ratios.end());
  PairedRatio result;
  result.median = median_of(ratios);
  if (n == 0) return result;
  // The median lies below the (k + 1)-th smallest of n ratios with the probability that at most k
  // of n tosses of a coin are heads; both sides are left out alike.
  double tail = std::pow(0.5, static_cast<double>(n));  // k = 0
  double term = tail;
  std::size_t k = 0;
  while (2 * (k + 1) < n) {
    const double next = term * static_cast<double>(n - k) / static_cast<double>(k + 1);
    if (2 * (tail + next) > 0.05) break;
    term = next;
    tail += next;
    ++k;
  }
  result.low = ratios[k];
  result.high = ratios[n - 1 - k];
  result.confidence = std::max(0.0, 1 - 2 * tail);
  return result;
}

}  // namespace tandem::program
