#include "core/recommend/row_sums.hpp"

#include <algorithm>

#include "core/recommend/selection.hpp"
#include "core/steps.hpp"

namespace tandem {

void RowQueries::add(std::span<const HistoryItem> sorted) {
  for (const HistoryItem& one : sorted) {
    rows.push_back(one.item);
    weights.push_back(one.weight);
  }
  offsets.push_back(static_cast<Index>(rows.size()));
  longest = std::max(longest, static_cast<Index>(sorted.size()));
}

RowSums::RowSums(Engine& engine, const SparseMatrix<double>& matrix,
                 std::span<const double> column_norms)
    : engine_(engine),
      columns_(matrix.cols),
      offsets_(to_engine(engine, matrix.offsets)),
      matrix_columns_(to_engine(engine, matrix.columns)),
      values_(to_engine(engine, matrix.values)),
      norms_(to_engine(engine, column_norms)),
      steps_(make_steps<RowSumsStepsOf, double>(engine)) {}

RowSums::Best RowSums::top(const RowQueries& queries, Index n, const RowLikeness& likeness,
                           const RowQueries* left_out, std::span<const std::uint8_t> allowed,
                           bool silent_at_zero) {
  const Buffer<Index> query_offsets = to_engine(engine_, queries.offsets);
  const Buffer<std::int32_t> query_rows = to_engine(engine_, queries.rows);
  const Buffer<double> query_weights = to_engine(engine_, queries.weights);
  const Buffer<double> query_norms = to_engine(engine_, likeness.query_norms);
  const Buffer<std::uint8_t> may = to_engine(engine_, allowed);
  Buffer<Index> out_offsets;
  Buffer<std::int32_t> out;
  RowSumsProblem problem;
  problem.queries = queries.size();
  problem.columns = columns_;
  problem.longest = queries.longest;
  problem.query_offsets = query_offsets.data();
  problem.query_rows = query_rows.data();
  problem.query_weights = query_weights.data();
  problem.offsets = offsets_.data();
  problem.matrix_columns = matrix_columns_.data();
  problem.values = values_.data();
  problem.score = likeness.score;
  problem.query_norms = query_norms.data();
  problem.column_norms = norms_.data();
  problem.shrinkage = likeness.shrinkage;
  if (left_out != nullptr) {
    out_offsets = to_engine(engine_, left_out->offsets);
    out = to_engine(engine_, left_out->rows);
    problem.out_offsets = out_offsets.data();
    problem.left_out = out.data();
  }
  problem.allowed = allowed.empty() ? nullptr : may.data();
  problem.silent_at_zero = silent_at_zero;
  Buffer<std::int32_t> columns(engine_, problem.queries * n);
  Buffer<double> scores(engine_, problem.queries * n);
  steps_->top(problem, n, columns, scores);
  return {columns.to_host(), scores.to_host()};
}

TopItems top_by_row_sums(
    RowSums& answers, Index items, const SparseView<double>& histories, Index n,
    const ItemFilter& filter, bool silent_at_zero,
    const std::function<RowQueries(const std::vector<std::vector<HistoryItem>>&)>& queries_of) {
  TopItems made;
  made.items = Matrix<std::int32_t>(histories.rows, n, -1);
  made.scores = Matrix<double>(histories.rows, n, 0);
  made.counts.assign(static_cast<std::size_t>(histories.rows), 0);
  const std::vector<std::uint8_t> allowed = answerable(items, {}, filter);
  // Users whose lists are made at once, for the memory.
  constexpr Index part = 4096;
  for (Index first = 0; first < histories.rows; first += part) {
    const Index here = std::min(part, histories.rows - first);
    std::vector<std::vector<HistoryItem>> sorted;
    RowQueries seen;
    for (Index u = first; u < first + here; ++u) {
      std::vector<HistoryItem> history;
      for (Index p = histories.offsets[static_cast<std::size_t>(u)];
           p < histories.offsets[static_cast<std::size_t>(u) + 1]; ++p) {
        const auto at = static_cast<std::size_t>(p);
        history.push_back(
            {histories.columns[at], histories.values.empty() ? 1.0 : histories.values[at]});
      }
      sorted.push_back(sorted_history(history));
      seen.add(sorted.back());
    }
    const RowSums::Best best =
        answers.top(queries_of(sorted), n, {}, filter.leave_out_history ? &seen : nullptr, allowed,
                    silent_at_zero);
    for (Index u = 0; u < here; ++u) {
      Index& count = made.counts[static_cast<std::size_t>(first + u)];
      while (count < n && best.columns[static_cast<std::size_t>(u * n + count)] >= 0) {
        const auto at = static_cast<std::size_t>(u * n + count);
        made.items(first + u, count) = best.columns[at];
        made.scores(first + u, count++) = best.scores[at];
      }
    }
  }
  return made;
}

}  // namespace tandem
