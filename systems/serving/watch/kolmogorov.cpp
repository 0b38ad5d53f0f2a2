#include "systems/serving/watch/kolmogorov.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tandem::watch {
namespace {

constexpr double nearest = 1.0 / 128;

double gaussian(double x, double variance) {
  return std::exp(-0.5 * x * x / variance) / std::sqrt(2 * std::numbers::pi * variance);
}

}  // namespace

std::vector<std::size_t> spread_places(const std::vector<double>& shares) {
  std::vector<std::size_t> places;
  double last = 0;
  for (std::size_t k = 0; k < shares.size(); ++k) {
    if (shares[k] <= nearest / 2 || shares[k] >= 1 - nearest / 2) continue;
    if (!places.empty() && shares[k] - last < nearest) continue;
    places.push_back(k);
    last = shares[k];
  }
  return places;
}

double kolmogorov_tail(double x, const std::vector<double>& t) {
  if (t.empty() || !(x > 0)) return 1;
  if (x > 7) return 0;  // 2 exp(−2x²) is below 1e-42
  // Simpson's rule needs an even number of steps, and steps shorter than the narrowest kernel.
  constexpr double step = 1.0 / 48;
  const auto half = static_cast<std::size_t>(std::ceil(std::max(x, 0.25) / step / 2)) * 2;
  const std::size_t count = 2 * half + 1;
  const double h = x / static_cast<double>(half);
  const auto place = [&](std::size_t i) {
    return (static_cast<double>(i) - static_cast<double>(half)) * h;
  };
  const auto weight = [&](std::size_t i) {
    return (i == 0 || i + 1 == count ? 1.0 : i % 2 == 1 ? 4.0 : 2.0) * h / 3;
  };
  std::vector<double> density(count);
  std::vector<double> next(count);
  for (std::size_t i = 0; i < count; ++i) density[i] = gaussian(place(i), t[0] * (1 - t[0]));
  for (std::size_t k = 1; k < t.size(); ++k) {
    // The bridge that is at y at t[k − 1] is at t[k] about y·shrink.
    const double shrink = (1 - t[k]) / (1 - t[k - 1]);
    const double variance = (t[k] - t[k - 1]) * shrink;
    const double reach = 8 * std::sqrt(variance);
    for (std::size_t j = 0; j < count; ++j) {
      double sum = 0;
      // Those within reach of y = place(j)/shrink.
      const double low = (place(j) - reach) / shrink / h + static_cast<double>(half);
      const double high = (place(j) + reach) / shrink / h + static_cast<double>(half);
      const auto first = static_cast<std::size_t>(std::max(0.0, std::ceil(low)));
      const double last = std::min(static_cast<double>(count - 1), std::floor(high));
      for (std::size_t i = first; static_cast<double>(i) <= last; ++i) {
        sum += weight(i) * density[i] * gaussian(place(j) - place(i) * shrink, variance);
      }
      next[j] = sum;
    }
    density.swap(next);
  }
  double stayed = 0;
  for (std::size_t i = 0; i < count; ++i) stayed += weight(i) * density[i];
  return std::clamp(1 - stayed, 0.0, 1.0);
}

}  // namespace tandem::watch
