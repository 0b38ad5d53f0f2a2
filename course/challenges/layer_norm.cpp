// Layer normalisation of each row.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

constexpr double epsilon = 1e-5;

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t columns = problem.at("columns");
  const std::size_t count = problem.at("rows") * columns;
  Floats x = drawn_floats(count, numbers, draw);
  // A mean far from zero: the sum of squares minus the square of the sum loses all digits there.
  if (numbers == Numbers::real) {
    for (float& value : x) value += 30.0F;
  }
  problem.input("x", std::move(x));
  problem.input("gain", drawn_floats(columns, Numbers::real, draw));
  problem.input("shift", drawn_floats(columns, Numbers::real, draw));
  problem.output("y", Floats(count));
  problem.size("rows");
  problem.size("columns");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const std::size_t rows = problem.at("rows");
  const std::size_t columns = problem.at("columns");
  const Floats& x = problem.floats("x");
  const Floats& gain = problem.floats("gain");
  const Floats& shift = problem.floats("shift");
  Reals y{std::vector<double>(x.size()), std::vector<double>(x.size())};
  const auto width = static_cast<double>(columns);
  for (std::size_t i = 0; i < rows; ++i) {
    const float* row = &x[i * columns];
    double mean = 0;
    double magnitude = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      mean += row[j] / width;
      magnitude = std::max<double>(magnitude, std::abs(row[j]));
    }
    double variance = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      variance += (row[j] - mean) * (row[j] - mean) / width;
    }
    const double scale = 1 / std::sqrt(variance + epsilon);
    // What the mean may be off by moves every element, and more so where rows hardly vary.
    const double of_mean = sum_bound(columns, magnitude, 4) * scale;
    for (std::size_t j = 0; j < columns; ++j) {
      const double normal = (row[j] - mean) * scale;
      y.values[i * columns + j] = normal * gain[j] + shift[j];
      y.bounds[i * columns + j] =
          of_mean * std::abs(gain[j]) * (1 + normal * normal) +
          sum_bound(columns, std::abs(normal * gain[j]) + std::abs(shift[j]), 8);
    }
  }
  return {y};
}

Floor least(const Sizes& sizes) {
  const auto count = static_cast<double>(sizes.at("rows") * sizes.at("columns"));
  return {8 * count + 8 * static_cast<double>(sizes.at("columns")), 7 * count};
}

}  // namespace

Challenge make_layer_norm_challenge() {
  Challenge c;
  c.title = "Layer normalisation";
  c.level = 2;
  c.signature =
      "const float* x, const float* gain, const float* shift, float* y, int rows, int columns";
  c.awkward = {{{"rows", 1}, {"columns", 2}},
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
