#include "core/linear/least_squares.hpp"
#include "core/engine_backend.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/linear/closed_form_progress.hpp"
#include "core/linear/least_squares_part.hpp"
#include "core/linear/least_squares_steps.hpp"
#include "core/linear/normal_equations.hpp"
#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {
namespace {

// A dense column-major matrix of doubles on the host, small.
struct Columns {
  Columns(Index row_count, Index col_count)
      : rows(row_count),
        cols(col_count),
        values(static_cast<std::size_t>(row_count * col_count), 0.0) {}
  double* operator[](Index j) { return values.data() + j * rows; }
  Index rows;
  Index cols;
  std::vector<double> values;
};

double dot(const double* a, const double* b, Index begin, Index end) {
  double sum = 0;
  for (Index i = begin; i < end; ++i) sum = std::fma(a[i], b[i], sum);
  return sum;
}

// The reflection that turns v[begin..end) into (±length, 0, ...): v is kept as its direction,
// scaled so that H = I − factor·v·vᵀ; returns the new first element, 0 where v is zero.
struct Reflection {
  double head = 0;    // the new element
  double factor = 0;  // 0: the identity
};
Reflection reflection(double* v, Index begin, Index end) {
  double largest = 0;
  for (Index i = begin; i < end; ++i) largest = std::max(largest, std::abs(v[i]));
  if (largest == 0) return {};
  const double length = std::sqrt(dot(v, v, begin, end));
  if (length == 0) return {};
  const double head = v[begin] + std::copysign(length, v[begin]);
  const double new_head = -std::copysign(length, v[begin]);
  v[begin] = head;
  return {new_head, 1 / (length * std::abs(head))};
}
void reflect(const Reflection& h, const double* v, double* x, Index begin, Index end) {
  const double f = dot(v, x, begin, end) * h.factor;
  for (Index i = begin; i < end; ++i) x[i] = std::fma(-f, v[i], x[i]);
}

}  // namespace

Index solve_triangle(Index n, std::vector<double> triangle, std::vector<double> c,
                     const TriangleColumns& columns, const std::function<void(Index)>& after_pivot,
                     std::vector<double>& w, double& residual2) {
  const std::vector<double>& scale = columns.scale;
  // In the variables v_j = w_j·scale_j, and with columns of length 1 while pivots are chosen: the
  // rank must not depend on units.
  Columns a(n, n);
  std::vector<double> length(static_cast<std::size_t>(n), 0.0);
  for (Index j = 0; j < n; ++j) {
    const auto at = static_cast<std::size_t>(j);
    if (columns.zero[at]) continue;
    for (Index i = 0; i <= j; ++i) a[j][i] = triangle[static_cast<std::size_t>(i * n + j)];
    length[at] = std::sqrt(dot(a[j], a[j], 0, n));
    if (length[at] == 0) continue;
    for (Index i = 0; i <= j; ++i) a[j][i] /= length[at];
  }
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  // How far a column may be off, and with it what combinations of it leave.
  const auto uncertain = [&](Index j) {
    const auto at = static_cast<std::size_t>(j);
    return length[at] > 0 ? columns.uncertain[at] / length[at] : 0.0;
  };
  Index rank = 0;
  // Whether the remainder of a column is no more than roundings of it and of the pivots so far, in
  // the combination that comes nearest to it.
  const auto is_rounding = [&](Index j, double remainder) {
    constexpr double least = 1e-12;
    // More than this is no rounding of values that have digits to tell.
    constexpr double looked_at = 0.1;
    if (remainder <= least) return true;
    if (remainder > looked_at) return false;
    double explained = uncertain(j);
    std::vector<double> weight(static_cast<std::size_t>(rank));
    for (Index i = rank - 1; i >= 0; --i) {
      double sum = a[j][i];
      for (Index k = i + 1; k < rank; ++k) {
        sum = std::fma(-a[order[static_cast<std::size_t>(k)]][i],
                       weight[static_cast<std::size_t>(k)], sum);
      }
      const Index pivot = order[static_cast<std::size_t>(i)];
      weight[static_cast<std::size_t>(i)] = sum / a[pivot][i];
      explained += std::abs(weight[static_cast<std::size_t>(i)]) * uncertain(pivot);
    }
    return remainder <= explained;
  };
  std::vector<bool> depends(static_cast<std::size_t>(n), false);
  const Index most = std::min(n, columns.most);
  while (rank < most) {
    StopScope::check();
    // The longest remainder, recomputed so that no cancellation decides; ties to the lowest column.
    Index best = -1;
    double longest = 0;
    for (Index k = rank; k < n; ++k) {
      const Index j = order[static_cast<std::size_t>(k)];
      if (depends[static_cast<std::size_t>(j)]) continue;
      const double square = dot(a[j], a[j], rank, n);
      if (square > longest ||
          (best >= 0 && square == longest && j < order[static_cast<std::size_t>(best)])) {
        longest = square;
        best = k;
      }
    }
    if (best < 0) break;
    const Index chosen = order[static_cast<std::size_t>(best)];
    if (is_rounding(chosen, std::sqrt(longest))) {
      depends[static_cast<std::size_t>(chosen)] = true;
      continue;
    }
    std::swap(order[static_cast<std::size_t>(rank)], order[static_cast<std::size_t>(best)]);
    double* pivot = a[chosen];
    const Reflection h = reflection(pivot, rank, n);
    for (Index k = rank + 1; k < n; ++k) {
      reflect(h, pivot, a[order[static_cast<std::size_t>(k)]], rank, n);
    }
    reflect(h, pivot, c.data(), rank, n);
    pivot[rank] = h.head;
    std::fill(pivot + rank + 1, pivot + n, 0.0);
    after_pivot(++rank);
  }
  residual2 = dot(c.data(), c.data(), rank, n);
  // rank equations in n unknowns v: row i is a(i, order[k])·length / scale.
  Columns rows(n, std::max<Index>(rank, 1));  // column i: equation i, indexed by position k
  for (Index k = 0; k < n; ++k) {
    const Index j = order[static_cast<std::size_t>(k)];
    const auto at = static_cast<std::size_t>(j);
    const double back = length[at] / (scale[at] > 0 ? scale[at] : 1.0);
    for (Index i = 0; i < std::min(rank, k + 1); ++i) rows[i][k] = a[j][i] * back;
  }
  std::vector<double> v(static_cast<std::size_t>(n), 0.0);
  if (rank == n) {
    for (Index i = n - 1; i >= 0; --i) {
      double sum = c[static_cast<std::size_t>(i)];
      for (Index k = i + 1; k < n; ++k) {
        sum = std::fma(-rows[i][k], v[static_cast<std::size_t>(k)], sum);
      }
      v[static_cast<std::size_t>(i)] = sum / rows[i][i];
    }
  } else {
    // The shortest v with E·v = c, E rank × n of full rank: Eᵀ = Q·L with L lower... solved as
    // Lᵀ·u = c by forward substitution, v = Q·u.
    std::vector<Reflection> reflections(static_cast<std::size_t>(rank));
    std::vector<double> heads(static_cast<std::size_t>(rank));
    for (Index i = 0; i < rank; ++i) {
      StopScope::check();
      const Reflection h = reflection(rows[i], i, n);
      reflections[static_cast<std::size_t>(i)] = h;
      heads[static_cast<std::size_t>(i)] = h.head;
      for (Index k = i + 1; k < rank; ++k) reflect(h, rows[i], rows[k], i, n);
    }
    for (Index i = 0; i < rank; ++i) {
      double sum = c[static_cast<std::size_t>(i)];
      for (Index k = 0; k < i; ++k) {
        sum = std::fma(-rows[i][k], v[static_cast<std::size_t>(k)], sum);
      }
      v[static_cast<std::size_t>(i)] = sum / heads[static_cast<std::size_t>(i)];
    }
    for (Index i = rank - 1; i >= 0; --i) {
      reflect(reflections[static_cast<std::size_t>(i)], rows[i], v.data(), i, n);
    }
  }
  w.assign(static_cast<std::size_t>(n), 0.0);
  for (Index k = 0; k < n; ++k) {
    const auto at = static_cast<std::size_t>(order[static_cast<std::size_t>(k)]);
    if (length[at] > 0) {
      w[at] = v[static_cast<std::size_t>(k)] / (scale[at] > 0 ? scale[at] : 1.0);
    }
  }
  return rank;
}

namespace {

// Rows less the centre of each column, in double: a difference of two doubles that are within a
// factor of 2 is exact.
class CentredRows {
 public:
  template <Real T>
  CentredRows(const DatasetView<T>& data, const std::vector<double>& centre, Index begin,
              Index count)
      : x_(static_cast<std::size_t>(count * data.cols())),
        target_(static_cast<std::size_t>(count)),
        cols_(data.cols()) {
    const auto d = static_cast<std::size_t>(cols_);
    for (Index i = 0; i < count; ++i) {
      const auto row = data.features.row(begin + i);
      double* to = x_.data() + i * cols_;
      for (std::size_t j = 0; j < d; ++j) to[j] = static_cast<double>(row[j]) - centre[j];
      target_[static_cast<std::size_t>(i)] =
          static_cast<double>(data.target[static_cast<std::size_t>(begin + i)]) - centre[d];
    }
    if (!data.has_weights()) return;
    weights_.assign(data.weights.begin() + begin, data.weights.begin() + begin + count);
  }
  [[nodiscard]] MatrixView<const double> x() const {
    return {x_.data(), static_cast<Index>(target_.size()), cols_, cols_};
  }
  [[nodiscard]] std::span<const double> target() const { return target_; }
  [[nodiscard]] std::span<const double> weights() const { return weights_; }

 private:
  std::vector<double> x_;
  std::vector<double> target_;
  std::vector<double> weights_;
  Index cols_;
};

}  // namespace

template <Real T>
LeastSquaresSolution solve_least_squares(Engine& engine, const LeastSquaresProblem& problem,
                                         const DatasetView<T>& data) {
  const Index n = data.rows();
  const Index d = data.cols();
  const Index first = problem.intercept ? 1 : 0;  // column of the first feature
  const Index p = least_squares_columns(d, problem.intercept);
  const Index group = least_squares_group(p);
  const Index groups = (n + group - 1) / group;
  // The factor of one group, its copy on the host with rows for the penalty, and the triangle's
  // working copies.
  require_memory(data.source + ": a factorisation of " + std::to_string(p) + " columns",
                 saturating_product(saturating_product(p, p), 6 * 8),
                 "use " + option("solver") + " gradient, which keeps no product of columns");
  const auto steps = make_steps<LeastSquaresSteps, double>(engine);
  const std::vector<double> centre = centre_of(data, problem.intercept);

  // About 16 MiB of factors and of rows at a time, but work for all threads.
  const Index most_groups =
      std::max(2 * static_cast<Index>(engine.threads()),
               std::min((Index{1} << 21) / (p * p), (Index{1} << 21) / (p * group) + 1));
  const Index piece = most_groups * group;
  Buffer<double> factors(engine, std::min(groups, most_groups) * p * p);
  LeastSquaresPart part(p);
  // Rows in vectorised loops; then reflections of the triangle, and the lengths of what they leave.
  const auto columns_squared = static_cast<double>(p) * static_cast<double>(p);
  const double work_of_row =
      columns_squared / static_cast<double>(std::min<Index>(engine.threads(), groups));
  const double work_of_rows = work_of_row * static_cast<double>(n);
  const double work_of_triangle =
      ClosedFormProgress::serial * columns_squared * static_cast<double>(p);
  ClosedFormProgress progress(problem.control, work_of_rows + work_of_triangle);
  for (Index begin = 0; begin < n; begin += piece) {
    StopScope::check();
    const Index count = std::min(piece, n - begin);
    const CentredRows centred(data, centre, begin, count);
    RowSource<double> rows(engine, centred.x(), centred.target(), centred.weights(), count);
    progress.begin(work_of_row * static_cast<double>(count));
    steps->factor(rows.rows(0, count), count, problem.intercept, 0, factors);
    part.add(engine, *steps, begin / group, (count + group - 1) / group, factors);
    progress.report(work_of_row * static_cast<double>(begin + count));
  }
  std::vector<double> r = part.finish(engine, *steps, groups);

  // Column j of the triangle below the row of the intercept is the centred feature.
  const auto at = [&](Index i, Index j) { return r[static_cast<std::size_t>(i * p + j)]; };
  double total_weight = static_cast<double>(n);
  Index counting = n;  // rows of weight more than 0
  if (data.has_weights()) {
    total_weight = long_sum(n, [&](Index i) { return data.weights[static_cast<std::size_t>(i)]; });
    counting = static_cast<Index>(std::count_if(data.weights.begin(), data.weights.end(),
                                                [](T weight) { return weight > T{0}; }));
  }
  TriangleColumns columns;
  columns.most = std::max<Index>(problem.l2 > 0 ? d : counting - first, 0);
  std::vector<double> deviation(static_cast<std::size_t>(d));
  std::vector<bool> constant(static_cast<std::size_t>(d));
  for (Index j = 0; j < d; ++j) {
    const Index column = first + j;
    double centred = 0;
    for (Index i = first; i <= column; ++i)
      centred = std::fma(at(i, column), at(i, column), centred);
    const double whole =
        problem.intercept ? std::fma(at(0, column), at(0, column), centred) : centred;
    if (!std::isfinite(whole)) {
      require_finite(data, true);
      throw NumericalError(data.source + ": the squares of column " + data.feature_name(j) +
                           " exceed the range of double precision; scale the features");
    }
    deviation[static_cast<std::size_t>(j)] = std::sqrt(centred / total_weight);
    // The column's own size: its mean is that of the centred values and the centre.
    const double mean =
        problem.intercept ? centre[static_cast<std::size_t>(j)] + at(0, column) / at(0, 0) : 0.0;
    const double size = std::hypot(std::sqrt(total_weight) * mean, std::sqrt(centred));
    columns.uncertain.push_back(known_to<T> * size);
    // The remainder of a constant column is the rounding of its values, or of the factorisation.
    constexpr double of_factorisation = 0x1p-46;
    constant[static_cast<std::size_t>(j)] =
        !(std::sqrt(centred) > constant_below * size &&
          centred > of_factorisation * of_factorisation * whole);
  }
  std::vector<double> scale(static_cast<std::size_t>(d), 1.0);
  if (problem.standardise) {
    for (std::size_t j = 0; j < scale.size(); ++j) {
      if (!constant[j]) scale[j] = deviation[j];
    }
  }
  if (problem.l2 > 0) {
    // √(W·l2)·s_j·w_j ≈ 0: one more row per feature.
    r.resize(static_cast<std::size_t>(2 * p * p), 0.0);
    for (Index j = 0; j < d; ++j) {
      if (constant[static_cast<std::size_t>(j)]) continue;
      r[static_cast<std::size_t>(p * p + (first + j) * (p + 1))] =
          std::sqrt(total_weight * problem.l2) * scale[static_cast<std::size_t>(j)];
    }
    Buffer<double> pair = to_engine(engine, r);
    steps->merge(0, 2, p, pair);
    r = pair.to_host();
  }

  std::vector<double> triangle(static_cast<std::size_t>(d * d), 0.0);
  std::vector<double> c(static_cast<std::size_t>(d));
  for (Index i = 0; i < d; ++i) {
    for (Index j = i; j < d; ++j) {
      triangle[static_cast<std::size_t>(i * d + j)] = at(first + i, first + j);
    }
    c[static_cast<std::size_t>(i)] = at(first + i, p - 1);
  }
  LeastSquaresSolution solution;
  double residual2 = 0;
  columns.scale = scale;
  columns.zero = constant;
  const auto after_pivot = [&](Index pivots) {
    // What is left of the triangle shrinks in both directions.
    const double left = static_cast<double>(d - pivots) / static_cast<double>(d);
    progress.report(work_of_rows + work_of_triangle * (1 - left * left * left));
  };
  solution.rank = solve_triangle(d, triangle, c, columns, after_pivot, solution.weights, residual2);
  residual2 = std::fma(at(p - 1, p - 1), at(p - 1, p - 1), residual2);
  if (problem.intercept) {
    double sum = at(0, p - 1);
    for (Index j = 0; j < d; ++j) {
      sum = std::fma(-at(0, first + j), solution.weights[static_cast<std::size_t>(j)], sum);
    }
    sum = centre.back() + sum / at(0, 0);
    for (std::size_t j = 0; j < static_cast<std::size_t>(d); ++j) {
      sum = std::fma(-centre[j], solution.weights[j], sum);
    }
    solution.intercept = sum;
  }
  bool finite = std::isfinite(solution.intercept) && std::isfinite(residual2);
  double penalty = 0;
  for (std::size_t j = 0; j < scale.size(); ++j) {
    finite = finite && std::isfinite(solution.weights[j]);
    const double v = solution.weights[j] * scale[j];
    penalty = std::fma(v, v, penalty);
  }
  if (!finite) {
    require_finite(data, true);
    throw NumericalError(data.source +
                         ": the solution exceeds the range of double precision; scale the data");
  }
  // With penalty rows the residual of the triangle contains W·l2·Σ v².
  solution.cost = 0.5 * residual2 / total_weight;
  solution.mean_square = std::max(0.0, residual2 / total_weight - problem.l2 * penalty);
  return solution;
}

template LeastSquaresSolution solve_least_squares(Engine&, const LeastSquaresProblem&,
                                                  const DatasetView<float>&);
template LeastSquaresSolution solve_least_squares(Engine&, const LeastSquaresProblem&,
                                                  const DatasetView<double>&);

}  // namespace tandem
