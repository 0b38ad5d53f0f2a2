// Sums of rows, one query after the other, all columns sorted.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/recommend/row_sums_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceRowSums final : public RowSumsStepsOf<T> {
 public:
  void top(const RowSumsProblem& problem, Index n, Buffer<std::int32_t>& columns,
           Buffer<double>& scores) override {
    for (Index q = 0; q < problem.queries; ++q) {
      std::vector<double> sums(static_cast<std::size_t>(problem.columns), 0.0);
      for (Index k = problem.query_offsets[q]; k < problem.query_offsets[q + 1]; ++k) {
        const std::int32_t row = problem.query_rows[k];
        for (Index p = problem.offsets[row]; p < problem.offsets[row + 1]; ++p) {
          sums[static_cast<std::size_t>(problem.matrix_columns[p])] +=
              problem.query_weights[k] * problem.values[p];
        }
      }
      std::vector<std::pair<double, std::int32_t>> all;
      for (Index c = 0; c < problem.columns; ++c) {
        if (problem.allowed != nullptr && problem.allowed[c] == 0) continue;
        if (problem.out_offsets != nullptr &&
            std::binary_search(problem.left_out + problem.out_offsets[q],
                               problem.left_out + problem.out_offsets[q + 1],
                               static_cast<std::int32_t>(c))) {
          continue;
        }
        double score = sums[static_cast<std::size_t>(c)];
        if (problem.score != RowScore::sum) {
          const double a = problem.query_norms[q];
          const double b = problem.column_norms[c];
          const double divisor =
              problem.score == RowScore::jaccard ? a + b - score : std::sqrt(a) * std::sqrt(b);
          score = score > 0 ? score / (divisor + problem.shrinkage) : 0;
        }
        if (std::isnan(score) || (problem.silent_at_zero && score == 0)) continue;
        all.emplace_back(score, static_cast<std::int32_t>(c));
      }
      std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return a.first > b.first || (a.first == b.first && a.second < b.second);
      });
      for (Index k = 0; k < n; ++k) {
        const bool there = k < static_cast<Index>(all.size());
        columns.data()[q * n + k] = there ? all[static_cast<std::size_t>(k)].second : -1;
        scores.data()[q * n + k] = there ? all[static_cast<std::size_t>(k)].first : 0.0;
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<RowSumsStepsOf<T>> RowSumsStepsOf<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceRowSums<T>>();
}
template std::unique_ptr<RowSumsStepsOf<float>> RowSumsStepsOf<float>::make_reference(Engine&);
template std::unique_ptr<RowSumsStepsOf<double>> RowSumsStepsOf<double>::make_reference(Engine&);

}  // namespace tandem
