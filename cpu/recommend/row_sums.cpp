// Sums of rows on threads: a query is a thread's, with a dense row of sums.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.hpp"
#include "core/recommend/row_sums_steps.hpp"
#include "core/recommend/selection.hpp"

namespace tandem {
namespace {

struct RowSumsScratch {
  std::vector<double> sums;
  std::vector<std::vector<double>> roots;  // of the tree, where a query has more than a block
  std::vector<std::uint8_t> out;           // columns that are no answer
};

template <Real T>
class CpuRowSums final : public RowSumsStepsOf<T> {
 public:
  explicit CpuRowSums(Engine& engine) : engine_(engine) {}

  void top(const RowSumsProblem& problem, Index n, Buffer<std::int32_t>& columns,
           Buffer<double>& scores) override {
    parallel_for(engine_.threads(), problem.queries, [&](Index q) {
      thread_local RowSumsScratch scratch;
      answer(problem, q, n, scratch, columns.data() + q * n, scores.data() + q * n);
    });
  }

 private:
  static void add_block(const RowSumsProblem& problem, Index first, Index last, double* sums) {
    for (Index k = first; k < last; ++k) {
      const std::int32_t row = problem.query_rows[k];
      const double weight = problem.query_weights[k];
      for (Index p = problem.offsets[row]; p < problem.offsets[row + 1]; ++p) {
        double& sum = sums[problem.matrix_columns[p]];
        sum = std::fma(weight, problem.values[p], sum);
      }
    }
  }

  static void add_all(const RowSumsProblem& problem, Index q, RowSumsScratch& scratch) {
    const Index begin = problem.query_offsets[q];
    const Index end = problem.query_offsets[q + 1];
    std::vector<double>& sums = scratch.sums;
    sums.assign(static_cast<std::size_t>(problem.columns), 0.0);
    if (end - begin <= sum_block) return add_block(problem, begin, end, sums.data());
    Index blocks = 0;
    for (Index first = begin; first < end; first += sum_block, ++blocks) {
      std::fill(sums.begin(), sums.end(), 0.0);
      add_block(problem, first, std::min(end, first + sum_block), sums.data());
      std::size_t level = 0;
      for (; ((blocks >> level) & 1) != 0; ++level) {
        for (std::size_t c = 0; c < sums.size(); ++c) sums[c] = scratch.roots[level][c] + sums[c];
      }
      if (scratch.roots.size() <= level) scratch.roots.resize(level + 1);
      scratch.roots[level] = sums;
    }
    bool any = false;
    for (std::size_t level = 0; (blocks >> level) != 0; ++level) {
      if (((blocks >> level) & 1) == 0) continue;
      const std::vector<double>& root = scratch.roots[level];
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] = any ? root[c] + sums[c] : root[c];
      any = true;
    }
  }

  static void answer(const RowSumsProblem& problem, Index q, Index n, RowSumsScratch& scratch,
                     std::int32_t* columns, double* scores) {
    add_all(problem, q, scratch);
    std::vector<double>& sums = scratch.sums;
    if (problem.score != RowScore::sum) {
      for (std::size_t c = 0; c < sums.size(); ++c) {
        if (sums[c] == 0) continue;
        sums[c] = row_score(problem.score, sums[c], problem.query_norms[q], problem.column_norms[c],
                            problem.shrinkage);
      }
    }
    scratch.out.assign(sums.size(), 0);
    if (problem.out_offsets != nullptr) {
      for (Index k = problem.out_offsets[q]; k < problem.out_offsets[q + 1]; ++k) {
        scratch.out[static_cast<std::size_t>(problem.left_out[k])] = 1;
      }
    }
    const std::vector<ScoredItem> best = best_of(sums, n, [&](const ScoredItem& one) {
      return scratch.out[static_cast<std::size_t>(one.item)] == 0 &&
             (problem.allowed == nullptr || problem.allowed[one.item] != 0) &&
             !(problem.silent_at_zero && one.score == 0);
    });
    for (std::size_t k = 0; k < static_cast<std::size_t>(n); ++k) {
      columns[k] = k < best.size() ? best[k].item : -1;
      scores[k] = k < best.size() ? best[k].score : 0.0;
    }
  }

  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<RowSumsStepsOf<T>> RowSumsStepsOf<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuRowSums<T>>(engine);
}
template std::unique_ptr<RowSumsStepsOf<float>> RowSumsStepsOf<float>::make_cpu(Engine&);
template std::unique_ptr<RowSumsStepsOf<double>> RowSumsStepsOf<double>::make_cpu(Engine&);

}  // namespace tandem
