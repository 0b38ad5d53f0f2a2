// A matrix times a vector.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  problem.input("a", drawn_floats(problem.at("rows") * problem.at("columns"), numbers, draw));
  problem.input("x", drawn_floats(problem.at("columns"), numbers, draw));
  problem.output("y", Floats(problem.at("rows")));
  problem.size("rows");
  problem.size("columns");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const std::size_t columns = problem.at("columns");
  const Floats& a = problem.floats("a");
  const Floats& x = problem.floats("x");
  Reals y;
  for (std::size_t i = 0; i < problem.at("rows"); ++i) {
    double sum = 0;
    double magnitude = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      const double term = double{a[i * columns + j]} * x[j];
      sum += term;
      magnitude += std::abs(term);
    }
    y.values.push_back(sum);
    y.bounds.push_back(problem.numbers == Numbers::whole ? 0 : sum_bound(columns, magnitude));
  }
  return {y};
}

Floor least(const Sizes& sizes) {
  const auto rows = static_cast<double>(sizes.at("rows"));
  const auto columns = static_cast<double>(sizes.at("columns"));
  return {4 * (rows * columns + rows + columns), 2 * rows * columns};
}

}  // namespace

Challenge make_matrix_vector_challenge() {
  Challenge c;
  c.title = "Matrix times vector";
  c.level = 1;
  c.signature = "const float* a, const float* x, float* y, int rows, int columns";
  c.awkward = {{{"rows", 1}, {"columns", 1}},
               {{"rows", 33}, {"columns", 31}},
               {{"rows", 7}, {"columns", 300}},
               {{"rows", 130}, {"columns", 17}}};
  c.lowest = {{"rows", 2}, {"columns", 2}};
  c.highest = {{"rows", 200}, {"columns", 300}};
  c.scored = {{"rows", 512}, {"columns", 512}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
