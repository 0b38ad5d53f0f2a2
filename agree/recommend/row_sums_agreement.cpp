// Agreement of answers by weighted sums of sparse rows.
#include <algorithm>
#include <cmath>

#include "agree/case.hpp"
#include "core/recommend/row_sums_steps.hpp"
#include "core/steps.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class TopCase final : public Case {
 public:
  explicit TopCase(const Key& key) {
    Draw draw(key.seed, 71);
    // Queries of as many rows as the key says: sums over several blocks where it says many.
    matrix_.rows = std::max<Index>(1, key.rows);
    matrix_.cols = draw.between(1, 60);
    score_ = draw.of({RowScore::sum, RowScore::sum, RowScore::cosine, RowScore::jaccard});
    const bool likeness = score_ != RowScore::sum;
    const bool usual = key.kind != DataKind::huge && key.kind != DataKind::tiny &&
                       key.kind != DataKind::denormal && key.kind != DataKind::mixed_scales;
    const std::vector<T> drawn =
        make_values<T>(usual ? key.kind : DataKind::random, matrix_.rows * 8 + 8, draw);
    std::size_t at = 0;
    const auto value = [&] {
      const auto one = static_cast<double>(drawn[at++ % drawn.size()]);
      if (score_ == RowScore::jaccard) return 1.0;
      return likeness ? std::abs(one) : one;
    };
    const Index every = draw.between(1, 12);
    for (Index r = 0; r < matrix_.rows; ++r) {
      for (Index c = draw.below(every + 1); c < matrix_.cols; c += draw.between(1, 2 * every)) {
        matrix_.columns.push_back(static_cast<std::int32_t>(c));
        matrix_.values.push_back(value());
      }
      matrix_.offsets.push_back(matrix_.size());
    }
    for (Index q = draw.between(1, 5); q >= 0; --q) {
      const Index step = q == 0 ? 1 : draw.between(1, 40);
      double norm = 0;
      for (Index r = draw.below(step); r < matrix_.rows; r += step) {
        query_rows_.push_back(static_cast<std::int32_t>(r));
        query_weights_.push_back(value());
        norm += query_weights_.back() * query_weights_.back();
      }
      query_norms_.push_back(norm);
      longest_ = std::max(longest_, static_cast<Index>(query_rows_.size()) - query_offsets_.back());
      query_offsets_.push_back(static_cast<Index>(query_rows_.size()));
      const Index skip = draw.between(1, 9);
      for (Index c = draw.below(skip + 1); c < matrix_.cols; c += skip) {
        left_out_.push_back(static_cast<std::int32_t>(c));
      }
      out_offsets_.push_back(static_cast<Index>(left_out_.size()));
    }
    column_norms_.assign(static_cast<std::size_t>(matrix_.cols), 0.0);
    for (std::size_t p = 0; p < matrix_.columns.size(); ++p) {
      column_norms_[static_cast<std::size_t>(matrix_.columns[p])] +=
          matrix_.values[p] * matrix_.values[p];
    }
    for (Index c = 0; c < matrix_.cols; ++c) allowed_.push_back(draw.below(6) != 0 ? 1 : 0);
    with_left_out_ = draw.flip();
    with_allowed_ = draw.flip();
    silent_ = draw.flip() || likeness;
    shrinkage_ = draw.of({0.0, 2.5});
    n_ = draw.of({1, 3, 40, 100});
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto offsets = to_engine(engine, matrix_.offsets);
    const auto columns = to_engine(engine, matrix_.columns);
    const auto values = to_engine(engine, matrix_.values);
    const auto query_offsets = to_engine(engine, query_offsets_);
    const auto query_rows = to_engine(engine, query_rows_);
    const auto query_weights = to_engine(engine, query_weights_);
    const auto query_norms = to_engine(engine, query_norms_);
    const auto column_norms = to_engine(engine, column_norms_);
    const auto out_offsets = to_engine(engine, out_offsets_);
    const auto left_out = to_engine(engine, left_out_);
    const auto allowed = to_engine(engine, allowed_);
    RowSumsProblem problem;
    problem.queries = queries();
    problem.columns = matrix_.cols;
    problem.longest = longest_;
    problem.query_offsets = query_offsets.data();
    problem.query_rows = query_rows.data();
    problem.query_weights = query_weights.data();
    problem.offsets = offsets.data();
    problem.matrix_columns = columns.data();
    problem.values = values.data();
    problem.score = score_;
    problem.query_norms = query_norms.data();
    problem.column_norms = column_norms.data();
    problem.shrinkage = shrinkage_;
    if (with_left_out_) {
      problem.out_offsets = out_offsets.data();
      problem.left_out = left_out.data();
    }
    if (with_allowed_) problem.allowed = allowed.data();
    problem.silent_at_zero = silent_;
    Buffer<std::int32_t> chosen(engine, queries() * n_);
    Buffer<double> scores(engine, queries() * n_);
    make_steps<RowSumsStepsOf, T>(engine)->top(problem, n_, chosen, scores);
    out.add("columns", chosen);
    out.add("scores", scores);
  }

  // A sum of n terms is off by γ(n + 1) of the magnitudes on either side, and a likeness by 6
  // roundings more. The k-th best of values that are each off by at most B is off by at most the
  // largest B; a column in a place may be another than the reference's where the two are no more
  // than 2B apart. Where a score may be 0 or not, how many answers there are is open.
  void judge(Judge& judge) const override {
    const auto& columns = judge.got.template get<std::int32_t>("columns");
    const auto& expected = judge.reference.template get<std::int32_t>("columns");
    const double infinity = std::numeric_limits<double>::infinity();
    std::vector<double> largest;
    std::vector<std::vector<double>> scores;
    for (Index q = 0; q < queries(); ++q) {
      std::vector<double> sums(static_cast<std::size_t>(matrix_.cols), 0.0);
      std::vector<double> magnitudes(sums.size(), 0.0);
      const Index begin = query_offsets_[static_cast<std::size_t>(q)];
      const Index end = query_offsets_[static_cast<std::size_t>(q) + 1];
      for (Index k = begin; k < end; ++k) {
        const Index row = query_rows_[static_cast<std::size_t>(k)];
        const auto of_row = matrix_.columns_of(row);
        for (std::size_t p = 0; p < of_row.size(); ++p) {
          const double term =
              query_weights_[static_cast<std::size_t>(k)] * matrix_.values_of(row)[p];
          sums[static_cast<std::size_t>(of_row[p])] += term;
          magnitudes[static_cast<std::size_t>(of_row[p])] += std::abs(term);
        }
      }
      double bound = 0;
      for (std::size_t c = 0; c < sums.size(); ++c) {
        double off = 2 * gamma_bound<double>(end - begin + 2) * magnitudes[c];
        if (score_ != RowScore::sum && sums[c] > 0) {
          const double a = query_norms_[static_cast<std::size_t>(q)];
          const double b = column_norms_[c];
          const double divisor =
              (score_ == RowScore::jaccard ? a + b - sums[c] : std::sqrt(a) * std::sqrt(b)) +
              shrinkage_;
          sums[c] /= divisor;
          off = 2 * off / divisor + gamma_bound<double>(16) * sums[c];
        }
        bound = std::max(bound, off);
      }
      largest.push_back(bound);
      scores.push_back(std::move(sums));
    }
    judge.within("scores", Tolerance::reduction,
                 [&](std::size_t at) { return largest[at / static_cast<std::size_t>(n_)]; });
    for (std::size_t at = 0; at < columns.size(); ++at) {
      if (columns[at] == expected[at]) continue;
      const auto q = at / static_cast<std::size_t>(n_);
      const auto of = [&](std::int32_t column) {
        return column < 0 ? 0.0 : scores[q][static_cast<std::size_t>(column)];
      };
      const bool count = columns[at] < 0 || expected[at] < 0;
      const double gap =
          count && !silent_ ? infinity : std::abs(of(columns[at]) - of(expected[at]));
      judge.choice("columns", static_cast<Index>(at), columns[at], expected[at], gap,
                   2 * largest[q]);
    }
  }

 private:
  [[nodiscard]] Index queries() const { return static_cast<Index>(query_offsets_.size()) - 1; }

  SparseMatrix<double> matrix_;
  std::vector<Index> query_offsets_{0}, out_offsets_{0};
  std::vector<std::int32_t> query_rows_, left_out_;
  std::vector<double> query_weights_, query_norms_, column_norms_;
  std::vector<std::uint8_t> allowed_;
  RowScore score_ = RowScore::sum;
  double shrinkage_ = 0;
  Index longest_ = 0, n_ = 1;
  bool with_left_out_ = false, with_allowed_ = false, silent_ = false;
};

}  // namespace

Agreement make_row_sums_agreement() {
  return {over_many_blocks(
      part<TopCase>("top", "the best columns of weighted sums of sparse rows", {"row_sums"},
                    "tie-aware: γ(n+2) of the magnitudes of either sum", 257))};
}

}  // namespace tandem::agree
