// Softmax of each row.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t count = problem.at("rows") * problem.at("columns");
  Floats x = drawn_floats(count, numbers, draw);
  // Beyond what exp() can take without the row's maximum.
  const float scale = numbers == Numbers::whole ? 40.0F : 3.0F;
  for (float& value : x) value *= scale;
  problem.input("x", std::move(x));
  problem.output("y", Floats(count));
  problem.size("rows");
  problem.size("columns");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const std::size_t rows = problem.at("rows");
  const std::size_t columns = problem.at("columns");
  const Floats& x = problem.floats("x");
  Reals y{std::vector<double>(x.size()), std::vector<double>(x.size())};
  for (std::size_t i = 0; i < rows; ++i) {
    const float* row = &x[i * columns];
    const double most = *std::max_element(row, row + columns);
    double sum = 0;
    for (std::size_t j = 0; j < columns; ++j) sum += std::exp(row[j] - most);
    for (std::size_t j = 0; j < columns; ++j) {
      const double value = std::exp(row[j] - most) / sum;
      y.values[i * columns + j] = value;
      // exp() of a number rounded to single precision is off by that number's own rounding.
      const double argument = std::abs(row[j] - most);
      y.bounds[i * columns + j] =
          sum_bound(columns, value, 16 + static_cast<int>(2 * argument)) + 1e-30;
    }
  }
  return {y};
}

Floor least(const Sizes& sizes) {
  const auto count = static_cast<double>(sizes.at("rows") * sizes.at("columns"));
  return {8 * count, 6 * count};
}

}  // namespace

Challenge make_softmax_challenge() {
  Challenge c;
  c.title = "Softmax of each row";
  c.level = 2;
  c.signature = "const float* x, float* y, int rows, int columns";
  c.awkward = {{{"rows", 1}, {"columns", 1}},
               {{"rows", 3}, {"columns", 33}},
               {{"rows", 5}, {"columns", 300}},
               {{"rows", 70}, {"columns", 7}}};
  c.lowest = {{"rows", 2}, {"columns", 2}};
  c.highest = {{"rows", 60}, {"columns", 400}};
  c.scored = {{"rows", 512}, {"columns", 256}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
