// The sum of all elements.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  problem.input("x", drawn_floats(problem.at("n"), numbers, draw));
  problem.output("sum", Floats(1));
  problem.scratch("scratch", Floats(4096));
  problem.size("n");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  double sum = 0;
  double magnitude = 0;
  const Floats& x = problem.floats("x");
  for (const float value : x) {
    sum += value;
    magnitude += std::abs(value);
  }
  // Whole numbers: every partial sum is exact.
  const double bound = problem.numbers == Numbers::whole ? 0 : sum_bound(x.size(), magnitude);
  return {Reals{{sum}, {bound}}};
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  return {4 * n, n};
}

}  // namespace

Challenge make_reduction_challenge() {
  Challenge c;
  c.title = "Sum a vector";
  c.level = 1;
  c.signature = "const float* x, float* sum, float* scratch, int n";
  c.awkward = {{{"n", 1}}, {{"n", 33}}, {{"n", 1000}}, {{"n", 4099}}};
  c.lowest = {{"n", 2}};
  c.highest = {{"n", 30000}};
  c.scored = {{"n", 1 << 18}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
