// The sum of two vectors, element by element.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t n = problem.at("n");
  problem.input("x", drawn_floats(n, numbers, draw));
  problem.input("y", drawn_floats(n, numbers, draw));
  problem.output("z", Floats(n));
  problem.size("n");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const Floats& x = problem.floats("x");
  const Floats& y = problem.floats("y");
  Reals z;
  for (std::size_t i = 0; i < x.size(); ++i) {
    z.values.push_back(double{x[i]} + y[i]);
    z.bounds.push_back(sum_bound(1, std::abs(z.values[i]), 0));
  }
  return {z};
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  return {12 * n, n};
}

}  // namespace

Challenge make_vector_add_challenge() {
  Challenge c;
  c.title = "Add two vectors";
  c.level = 1;
  c.signature = "const float* x, const float* y, float* z, int n";
  c.awkward = {{{"n", 1}}, {{"n", 255}}, {{"n", 1000}}, {{"n", 4099}}};
  c.lowest = {{"n", 2}};
  c.highest = {{"n", 20000}};
  c.scored = {{"n", 1 << 18}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
