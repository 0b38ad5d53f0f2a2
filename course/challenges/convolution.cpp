// A convolution of one dimension.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  problem.input("x", drawn_floats(problem.at("n"), numbers, draw));
  problem.input("w", drawn_floats(2 * problem.at("radius") + 1, numbers, draw));
  problem.output("y", Floats(problem.at("n")));
  problem.size("n");
  problem.size("radius");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const auto n = problem.sizes.at("n");
  const auto radius = problem.sizes.at("radius");
  const Floats& x = problem.floats("x");
  const Floats& w = problem.floats("w");
  Reals y;
  for (std::int64_t i = 0; i < n; ++i) {
    double sum = 0;
    double magnitude = 0;
    for (std::int64_t j = -radius; j <= radius; ++j) {
      if (i + j < 0 || i + j >= n) continue;
      const double term =
          double{x[static_cast<std::size_t>(i + j)]} * w[static_cast<std::size_t>(j + radius)];
      sum += term;
      magnitude += std::abs(term);
    }
    y.values.push_back(sum);
    y.bounds.push_back(problem.numbers == Numbers::whole ? 0 : sum_bound(w.size(), magnitude));
  }
  return {y};
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  return {8 * n, 2 * n * static_cast<double>(2 * sizes.at("radius") + 1)};
}

}  // namespace

Challenge make_convolution_challenge() {
  Challenge c;
  c.title = "Convolution of one dimension";
  c.level = 2;
  c.signature = "const float* x, const float* w, float* y, int n, int radius";
  c.awkward = {{{"n", 1}, {"radius", 3}},
               {{"n", 257}, {"radius", 1}},
               {{"n", 1000}, {"radius", 16}},
               {{"n", 70}, {"radius", 0}}};
  c.lowest = {{"n", 2}, {"radius", 1}};
  c.highest = {{"n", 9000}, {"radius", 16}};
  c.scored = {{"n", 1 << 17}, {"radius", 8}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
