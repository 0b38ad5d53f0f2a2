// The best split of each feature's histogram: what gradient boosting does at every node.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

// By features and bins: gradients and hessians added up. Numbers are multiples of 1/16, so that all
// sums are exact.
Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t features = problem.at("features");
  const std::size_t bins = problem.at("bins");
  Floats gradient(features * bins);
  Floats hessian(features * bins);
  std::int64_t total_gradient = 0;
  std::int64_t total_hessian = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    std::int64_t g = draw.whole(-64, 64);
    std::int64_t h = draw.whole(0, 64);
    // Every feature has the same rows, and so the same sums: the last bin makes up for it.
    if (i < bins) {
      total_gradient += g;
      total_hessian += h;
    }
    gradient[i] = static_cast<float>(g) / 16;
    hessian[i] = static_cast<float>(h) / 16;
  }
  for (std::size_t f = 1; f < features; ++f) {
    double g = 0;
    double h = 0;
    for (std::size_t b = 0; b + 1 < bins; ++b) {
      g += gradient[f * bins + b];
      h += hessian[f * bins + b];
    }
    gradient[f * bins + bins - 1] =
        static_cast<float>(static_cast<double>(total_gradient) / 16 - g);
    hessian[f * bins + bins - 1] =
        static_cast<float>(std::max(0.0, static_cast<double>(total_hessian) / 16 - h));
  }
  problem.input("gradient", std::move(gradient));
  problem.input("hessian", std::move(hessian));
  problem.output("gain", Floats(features));
  problem.output("bin", Wholes(features));
  problem.size("features");
  problem.size("bins");
  return problem;
}

std::optional<std::string> judge(const Case& problem, const std::vector<Values>& outputs) {
  const std::size_t features = problem.at("features");
  const std::size_t bins = problem.at("bins");
  const Floats& gradient = problem.floats("gradient");
  const Floats& hessian = problem.floats("hessian");
  const auto& gain = std::get<Floats>(outputs.at(0));
  const auto& bin = std::get<Wholes>(outputs.at(1));
  std::vector<double> gains(bins);
  for (std::size_t f = 0; f < features; ++f) {
    double g = 0;
    double h = 0;
    for (std::size_t b = 0; b < bins; ++b) {
      g += gradient[f * bins + b];
      h += hessian[f * bins + b];
    }
    double left_g = 0;
    double left_h = 0;
    double bound = 0;
    for (std::size_t b = 0; b < bins; ++b) {
      left_g += gradient[f * bins + b];
      left_h += hessian[f * bins + b];
      const double left = left_g * left_g / (left_h + 1);
      const double right = (g - left_g) * (g - left_g) / (h - left_h + 1);
      gains[b] = left + right - g * g / (h + 1);
      bound = std::max(bound, sum_bound(1, left + right + g * g / (h + 1), 15));
    }
    const auto best =
        static_cast<std::size_t>(std::max_element(gains.begin(), gains.end()) - gains.begin());
    const std::string number = "[" + std::to_string(f) + "]";
    if (bin[f] < 0 || static_cast<std::size_t>(bin[f]) >= bins) {
      return "bin" + number + " is " + std::to_string(bin[f]) + ", which is no bin";
    }
    const double chosen = gains[static_cast<std::size_t>(bin[f])];
    if (chosen < gains[best] - bound) {
      return "bin" + number + " is " + std::to_string(bin[f]) + ", whose gain is below that of " +
             std::to_string(best);
    }
    if (!(std::abs(gain[f] - chosen) <= bound)) {
      return "gain" + number + " is " + std::to_string(gain[f]) + " instead of " +
             std::to_string(chosen);
    }
  }
  return std::nullopt;
}

Floor least(const Sizes& sizes) {
  const auto features = static_cast<double>(sizes.at("features"));
  const auto count = features * static_cast<double>(sizes.at("bins"));
  return {8 * count + 8 * features, 10 * count};
}

}  // namespace

Challenge make_split_search_challenge() {
  Challenge c;
  c.title = "The best split of each feature";
  c.level = 4;
  c.signature =
      "const float* gradient, const float* hessian, float* gain, int* bin, int features, int bins";
  c.awkward = {{{"features", 1}, {"bins", 1}},
               {{"features", 9}, {"bins", 33}},
               {{"features", 130}, {"bins", 16}},
               {{"features", 5}, {"bins", 256}}};
  c.lowest = {{"features", 2}, {"bins", 2}};
  c.highest = {{"features", 100}, {"bins", 256}};
  c.scored = {{"features", 1024}, {"bins", 256}};
  c.make = make;
  c.judge = judge;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
