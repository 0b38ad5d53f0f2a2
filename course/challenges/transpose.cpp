// A matrix with its rows as columns.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t count = problem.at("rows") * problem.at("columns");
  problem.input("a", drawn_floats(count, Numbers::real, draw));
  problem.output("b", Floats(count));
  problem.size("rows");
  problem.size("columns");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const std::size_t rows = problem.at("rows");
  const std::size_t columns = problem.at("columns");
  const Floats& a = problem.floats("a");
  Reals b{std::vector<double>(a.size()), std::vector<double>(a.size())};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) b.values[j * rows + i] = a[i * columns + j];
  }
  return {b};
}

Floor least(const Sizes& sizes) {
  return {8 * static_cast<double>(sizes.at("rows") * sizes.at("columns")), 0};
}

}  // namespace

Challenge make_transpose_challenge() {
  Challenge c;
  c.title = "Transpose a matrix";
  c.level = 2;
  c.signature = "const float* a, float* b, int rows, int columns";
  c.awkward = {{{"rows", 1}, {"columns", 1}},
               {{"rows", 1}, {"columns", 70}},
               {{"rows", 33}, {"columns", 31}},
               {{"rows", 64}, {"columns", 100}}};
  c.lowest = {{"rows", 2}, {"columns", 2}};
  c.highest = {{"rows", 150}, {"columns", 150}};
  c.scored = {{"rows", 512}, {"columns", 512}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
