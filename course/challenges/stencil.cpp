// One step of a stencil of five points.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t count = problem.at("rows") * problem.at("columns");
  problem.input("a", drawn_floats(count, numbers, draw));
  problem.output("b", Floats(count));
  problem.size("rows");
  problem.size("columns");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const std::size_t rows = problem.at("rows");
  const std::size_t columns = problem.at("columns");
  const Floats& a = problem.floats("a");
  Reals b;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t at = i * columns + j;
      if (i == 0 || j == 0 || i + 1 == rows || j + 1 == columns) {
        b.values.push_back(a[at]);
        b.bounds.push_back(0);
        continue;
      }
      double sum = 0;
      double magnitude = 0;
      for (const float value : {a[at], a[at - 1], a[at + 1], a[at - columns], a[at + columns]}) {
        sum += value;
        magnitude += std::abs(value);
      }
      b.values.push_back(0.2 * sum);
      b.bounds.push_back(sum_bound(5, 0.2 * magnitude, 3));
    }
  }
  return {b};
}

Floor least(const Sizes& sizes) {
  const auto count = static_cast<double>(sizes.at("rows") * sizes.at("columns"));
  return {8 * count, 5 * count};
}

}  // namespace

Challenge make_stencil_challenge() {
  Challenge c;
  c.title = "Stencil of five points";
  c.level = 2;
  c.signature = "const float* a, float* b, int rows, int columns";
  c.awkward = {{{"rows", 1}, {"columns", 5}},
               {{"rows", 3}, {"columns", 3}},
               {{"rows", 33}, {"columns", 65}},
               {{"rows", 48}, {"columns", 40}}};
  c.lowest = {{"rows", 2}, {"columns", 2}};
  c.highest = {{"rows", 120}, {"columns", 120}};
  c.scored = {{"rows", 384}, {"columns", 384}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
