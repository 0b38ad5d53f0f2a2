// Answers by weighted sums of the rows of a sparse matrix, for many users at once on an engine.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/recommend/row_sums_steps.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem {

// Weighted rows, one list for each query.
struct RowQueries {
  std::vector<Index> offsets{0};
  std::vector<std::int32_t> rows;  // ascending within a query
  std::vector<double> weights;
  Index longest = 0;

  void add(std::span<const HistoryItem> sorted);
  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(offsets.size()) - 1; }
};

// How a sum becomes a score, see core/recommend/row_sums_steps.hpp.
struct RowLikeness {
  RowScore score = RowScore::sum;
  std::span<const double> query_norms{};
  double shrinkage = 0;
};

// A matrix on an engine. It does not outlive the engine.
class RowSums {
 public:
  // column_norms: one per column, for a likeness; or empty.
  RowSums(Engine& engine, const SparseMatrix<double>& matrix,
          std::span<const double> column_norms = {});

  struct Best {
    std::vector<std::int32_t> columns;  // queries × n, −1 where there are fewer
    std::vector<double> scores;
  };
  // The n best columns of each query. left_out: columns that are no answer for a query, ascending;
  // null: none. allowed: one per column, or empty: all.
  [[nodiscard]] Best top(const RowQueries& queries, Index n, const RowLikeness& likeness,
                         const RowQueries* left_out, std::span<const std::uint8_t> allowed,
                         bool silent_at_zero);

 private:
  Engine& engine_;
  Index columns_;
  Buffer<Index> offsets_;
  Buffer<std::int32_t> matrix_columns_;
  Buffer<double> values_, norms_;
  std::unique_ptr<RowSumsSteps> steps_;
};

// What the users of `histories` are answered: for some users at a time, queries_of(histories) makes
// the weighted rows of `answers`, a query for each. silent_at_zero: as Recommender has it. Requires
// histories of weights that have been checked, and 1 <= n <= most_row_sums.
[[nodiscard]] TopItems top_by_row_sums(
    RowSums& answers, Index items, const SparseView<double>& histories, Index n,
    const ItemFilter& filter, bool silent_at_zero,
    const std::function<RowQueries(const std::vector<std::vector<HistoryItem>>&)>& queries_of);

}  // namespace tandem
