#include "tandem/bench/paired.hpp"

#include <algorithm>
#include <cmath>

#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

// The 0.975 quantile of Student's t with `degrees` degrees of freedom, by Hill's expansion (CACM
// 396, 1970), exact for one and two.
double t_quantile(int degrees) {
  if (degrees == 1) return 12.706204736174694;
  if (degrees == 2) return 4.302652729749462;
  const double n = degrees;
  constexpr double p = 0.05;  // both tails
  constexpr double half_pi = 1.5707963267948966;
  const double a = 1 / (n - 0.5);
  const double b = 48 / (a * a);
  double c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
  const double d = ((94.5 / (b + c) - 3) / b + 1) * std::sqrt(a * half_pi) * n;
  double y = std::pow(d * p, 2 / n);
  if (y > 0.05 + a) {
    const double z = 1.959963984540054;  // the normal quantile
    y = z * z;
    if (degrees < 5) c += 0.3 * (n - 4.5) * (z + 0.6);
    c = (((0.05 * d * z - 5) * z - 7) * z - 2) * z + b + c;
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * z;
    y = std::expm1(a * y * y);
  } else {
    y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) *
            (n + 1) / (n + 2) +
        1 / y;
  }
  return std::sqrt(n * y);
}

}  // namespace

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

Growth growth_of(const std::vector<double>& sizes, const std::vector<double>& costs) {
  const std::size_t n = sizes.size();
  if (n < 3 || costs.size() != n) throw InputError("growth is that of three sizes or more");
  double mean_x = 0;
  double mean_y = 0;
  for (std::size_t i = 0; i < n; ++i) {
    mean_x += std::log(sizes[i]) / static_cast<double>(n);
    mean_y += std::log(costs[i]) / static_cast<double>(n);
  }
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i < n; ++i) {
    xx += (std::log(sizes[i]) - mean_x) * (std::log(sizes[i]) - mean_x);
    xy += (std::log(sizes[i]) - mean_x) * (std::log(costs[i]) - mean_y);
  }
  Growth growth;
  growth.exponent = xy / xx;
  double residuals = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double off =
        std::log(costs[i]) - mean_y - growth.exponent * (std::log(sizes[i]) - mean_x);
    residuals += off * off;
  }
  const int degrees = static_cast<int>(n) - 2;
  const double half = t_quantile(degrees) * std::sqrt(residuals / degrees / xx);
  growth.low = growth.exponent - half;
  growth.high = growth.exponent + half;
  return growth;
}

}  // namespace tandem::program
