// Costs of the decision tree's kernels: bytes of global memory that must move, each once per
// launch (a look-up by row that caches serve costs its array once), and operations in double
// precision, a division as one. `tiles` are those of all nodes of a launch. The work lists of nodes
// and tiles, some 50 bytes a tile whatever the number of features, are left out.
#pragma once

#include "core/cost.hpp"
#include "tandem/core/types.hpp"

namespace tandem::cuda {

// --- decision_tree_sort.cu -----------------------------------------------------------------------

// A value read, +0 added for the sake of −0, its key written.
[[nodiscard]] constexpr Cost take_keys_cost(double rows, double columns, double value_bytes) {
  return {2 * value_bytes * rows * columns, rows * columns};
}
// A row and a class read, a payload written.
[[nodiscard]] constexpr Cost make_payloads_cost(double rows, bool with_class) {
  return {(with_class ? 12 : 8) * rows, 0};
}

// --- decision_tree_search.cu ---------------------------------------------------------------------

// A payload read per row; the sums of each tile written. By row: 8 bytes of weight, 8 of w·y, where
// the tree has them (`by_row`), once.
[[nodiscard]] constexpr Cost tally_tiles_cost(double rows, double features, double tiles,
                                              double columns, double by_row = 0) {
  return {features * (4 * rows + 8 * columns * tiles) + by_row * rows, 0};
}
[[nodiscard]] constexpr Cost scan_tiles_cost(double features, double tiles, double columns,
                                             double nodes) {
  return {features * columns * (16 * tiles + 8 * nodes) + 8 * nodes, 0};
}
// A rank and a payload read per row; the sums before each tile read where there are several, the
// best cut of each written; a table of φ, `by_count`, read once. Gini is a quotient of
// integers: one division in nodes of a weight up to 2^18, else pairs of doubles are made of the two
// and their quotient is rounded; the squared error also squares a pair.
[[nodiscard]] constexpr Cost score_cuts_cost(double rows, double features, double tiles,
                                             double columns, double flops_of_cut, double cuts,
                                             double by_row = 0, double by_count = 0) {
  return {features * (8 * rows + (16 + 8 * columns) * tiles) + by_row * rows + by_count,
          flops_of_cut * cuts};
}
inline constexpr double light_gini_flops = 1;
inline constexpr double gini_flops = 24;
inline constexpr double squared_error_flops = 32;
// Payloads of the rows that go left, of the chosen feature; in regression of all rows, with their
// target, w·y and w·y².
[[nodiscard]] constexpr Cost left_statistics_cost(double left_rows, double tiles, double nodes) {
  return {4 * left_rows + 12 * tiles + 32 * nodes, 0};
}

// --- decision_tree_partition.cu ------------------------------------------------------------------

// A payload read, a byte written.
[[nodiscard]] constexpr Cost mark_left_cost(double rows) { return {5 * rows, 0}; }
// Rank and payload read and written; `features` are those whose order changes. The side of each
// row.
[[nodiscard]] constexpr Cost partition_short_cost(double rows, double features) {
  return {16 * rows * features + rows, 0};
}
// A payload read and a bit written per row, 9 bytes per tile; the side of each row.
[[nodiscard]] constexpr Cost count_left_cost(double rows, double features, double tiles) {
  return {features * (4.125 * rows + 9 * tiles) + rows, 0};
}
[[nodiscard]] constexpr Cost scan_left_cost(double features, double tiles, double nodes) {
  return {16 * features * tiles + 8 * nodes, 0};
}
// Rank, payload and bit read, rank and payload written.
[[nodiscard]] constexpr Cost scatter_cost(double rows, double features, double tiles) {
  return {features * (16.125 * rows + 9 * tiles), 0};
}
[[nodiscard]] constexpr Cost copy_back_cost(double rows, double features, double tiles) {
  return {features * (16 * rows + tiles), 0};
}

// --- decision_tree.cu ----------------------------------------------------------------------------

// A leaf written per row, the tree read, and of x the values that rows are asked for.
[[nodiscard]] constexpr Cost find_leaves_cost(double rows, double nodes, double values,
                                              double value_bytes) {
  return {8 * rows + (13 + value_bytes) * nodes + value_bytes * values, 0};
}

}  // namespace tandem::cuda
