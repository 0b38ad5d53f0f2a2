// A sparse matrix times a vector.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

// Rows are of very different lengths; some are empty.
Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t rows = problem.at("rows");
  const auto columns = sizes.at("columns");
  Wholes begin{0};
  Wholes column;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::int64_t most = i % 37 == 5 ? columns : std::min<std::int64_t>(columns, 12);
    const std::int64_t length = draw.whole(0, most);
    for (std::int64_t j = 0; j < length; ++j) {
      // One column in each piece of the row: ascending, none twice.
      const std::int64_t first = j * columns / length;
      const std::int64_t next = (j + 1) * columns / length;
      column.push_back(static_cast<std::int32_t>(draw.whole(first, next - 1)));
    }
    begin.push_back(static_cast<std::int32_t>(column.size()));
  }
  const std::size_t count = column.size();
  problem.input("begin", std::move(begin));
  problem.input("column", std::move(column));
  problem.input("value", drawn_floats(count, numbers, draw));
  problem.input("x", drawn_floats(problem.at("columns"), numbers, draw));
  problem.output("y", Floats(rows));
  problem.size("rows");
  problem.size("columns");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const Wholes& begin = problem.wholes("begin");
  const Wholes& column = problem.wholes("column");
  const Floats& value = problem.floats("value");
  const Floats& x = problem.floats("x");
  Reals y;
  for (std::size_t i = 0; i + 1 < begin.size(); ++i) {
    double sum = 0;
    double magnitude = 0;
    const auto first = static_cast<std::size_t>(begin[i]);
    const auto last = static_cast<std::size_t>(begin[i + 1]);
    for (std::size_t e = first; e < last; ++e) {
      const double term = double{value[e]} * x[static_cast<std::size_t>(column[e])];
      sum += term;
      magnitude += std::abs(term);
    }
    y.values.push_back(sum);
    y.bounds.push_back(problem.numbers == Numbers::whole ? 0 : sum_bound(last - first, magnitude));
  }
  return {y};
}

Floor least(const Sizes& sizes) {
  const auto rows = static_cast<double>(sizes.at("rows"));
  const auto columns = static_cast<double>(sizes.at("columns"));
  // Six entries a row and half of the columns in each 37th, on average.
  const double entries = rows * (6 * 36 + columns / 2) / 37;
  return {8 * entries + 8 * rows + 4 * columns, 2 * entries};
}

}  // namespace

Challenge make_sparse_matrix_vector_challenge() {
  Challenge c;
  c.title = "Sparse matrix times vector";
  c.level = 3;
  c.signature =
      "const int* begin, const int* column, const float* value, const float* x, float* y, "
      "int rows, int columns";
  c.awkward = {{{"rows", 1}, {"columns", 1}},
               {{"rows", 100}, {"columns", 400}},
               {{"rows", 515}, {"columns", 33}}};
  c.lowest = {{"rows", 2}, {"columns", 2}};
  c.highest = {{"rows", 2000}, {"columns", 1000}};
  c.scored = {{"rows", 8192}, {"columns", 1024}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
