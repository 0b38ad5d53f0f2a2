// The steps of answers that are weighted sums of rows of a sparse matrix: the items that item-kNN,
// EASE and SLIM answer, the nearest users of user-kNN and what they have.
//
// The sum of query q in column c is Σ_k w_k · m_rc over the query's rows r, ascending: a chain of
// fmas in double over 1024 of them, from +0, chains along the tree of a long sum (rows without the
// column add nothing). It is the score, or what a likeness is made of, where it is above 0 (else
// 0):
//
//   cosine   sum / (sqrt(norm_q) · sqrt(norm_c) + shrinkage)
//   jaccard  sum / (norm_q + norm_c − sum + shrinkage)
#pragma once

#include <memory>
#include <string_view>

#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// The longest list that the steps make.
inline constexpr Index most_row_sums = 1024;

enum class RowScore { sum, cosine, jaccard };

[[nodiscard]] TANDEM_HOST_DEVICE inline double row_score(RowScore kind, double sum, double norm_a,
                                                         double norm_b, double shrinkage) {
  if (kind == RowScore::sum) return sum;
  if (!(sum > 0)) return 0;
  return kind == RowScore::jaccard ? sum / (norm_a + norm_b - sum + shrinkage)
                                   : sum / (math::sqrt(norm_a) * math::sqrt(norm_b) + shrinkage);
}

struct RowSumsProblem {
  Index queries = 0;
  Index columns = 0;
  Index longest = 0;                     // rows of the longest query
  const Index* query_offsets = nullptr;  // queries + 1
  const std::int32_t* query_rows = nullptr;
  const double* query_weights = nullptr;
  const Index* offsets = nullptr;  // of the matrix
  const std::int32_t* matrix_columns = nullptr;
  const double* values = nullptr;
  RowScore score = RowScore::sum;
  const double* query_norms = nullptr;   // likeness only
  const double* column_norms = nullptr;  // likeness only
  double shrinkage = 0;
  // Columns that are no answer for a query, ascending: left_out[out_offsets[q] .. out_offsets[q +
  // 1] − 1]; null: none.
  const Index* out_offsets = nullptr;
  const std::int32_t* left_out = nullptr;
  const std::uint8_t* allowed = nullptr;  // one per column, or null: all
  bool silent_at_zero = false;            // a score of 0 is no answer
};

class RowSumsSteps {
 public:
  virtual ~RowSumsSteps() = default;

  // columns and scores: queries × n, the n best of each query, best first, ties to the lowest
  // column; −1 and 0 where there are fewer. A score that is NaN is no answer. 1 <= n <=
  // most_row_sums. Enqueues.
  virtual void top(const RowSumsProblem& problem, Index n, Buffer<std::int32_t>& columns,
                   Buffer<double>& scores) = 0;
};

// By precision only so that engines find it like others.
template <Real T>
class RowSumsStepsOf : public RowSumsSteps {
 public:
  static constexpr std::string_view name = "row_sums";
  [[nodiscard]] static std::unique_ptr<RowSumsStepsOf> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<RowSumsStepsOf> make_cpu(Engine& engine);
};

}  // namespace tandem
