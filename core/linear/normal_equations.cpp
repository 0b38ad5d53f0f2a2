#include "core/linear/normal_equations.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "core/linear/closed_form_progress.hpp"
#include "core/linear/normal_equations_steps.hpp"
#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/steps.hpp"
#include "core/sum_trees.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {
namespace {

// A symmetric or lower triangular matrix, n × n, row-major.
struct Square {
  explicit Square(Index size) : n(size), values(static_cast<std::size_t>(size * size), 0.0) {}
  double* operator[](Index i) { return values.data() + i * n; }
  const double* operator[](Index i) const { return values.data() + i * n; }
  Index n;
  std::vector<double> values;
};

using AfterRow = std::function<void(double)>;

double cube(Index i, Index n) {
  const double share = static_cast<double>(i) / static_cast<double>(n);
  return share * share * share;
}

// L with L·Lᵀ = H for a symmetric H of unit diagonal, column by column (Golub and Van Loan, §4.2).
// Pivot j is the square of what is left of column j, which has length 1, beside columns 0 .. j − 1.
// Stops at the first pivot that is not above `least` and returns its column; n where there is none.
Index factor(const Square& h, double least, Square& l, const AfterRow& after_row) {
  const Index n = h.n;
  for (Index i = 0; i < n; ++i) {
    StopScope::check();
    // Row i of L from the rows above it.
    double pivot = h[i][i];
    for (Index j = 0; j < i; ++j) {
      double sum = h[i][j];
      for (Index k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      l[i][j] = sum / l[j][j];
      pivot -= l[i][j] * l[i][j];
    }
    if (!(pivot > least)) return i;
    l[i][i] = std::sqrt(pivot);
    // Row i takes about i²/2 products.
    after_row(cube(i + 1, n) / 3);
  }
  return n;
}

// H⁻¹ = L⁻ᵀ·L⁻¹.
Square inverse_of(const Square& l, const AfterRow& after_row) {
  const Index n = l.n;
  Square t(n);  // row j: column j of L⁻¹
  for (Index j = 0; j < n; ++j) {
    StopScope::check();
    t[j][j] = 1 / l[j][j];
    for (Index i = j + 1; i < n; ++i) {
      double sum = 0;
      for (Index k = j; k < i; ++k) sum -= l[i][k] * t[j][k];
      t[j][i] = sum / l[i][i];
    }
    after_row((2 - cube(n - j - 1, n)) / 3);
  }
  Square inverse(n);
  for (Index i = 0; i < n; ++i) {
    StopScope::check();
    for (Index j = 0; j <= i; ++j) {
      double sum = 0;
      for (Index k = i; k < n; ++k) sum += t[i][k] * t[j][k];
      inverse[i][j] = inverse[j][i] = sum;
    }
    const double share = static_cast<double>(i + 1) / static_cast<double>(n);
    after_row((2 + share * share * (3 - 2 * share)) / 3);
  }
  return inverse;
}

// The weights of the columns before `column` in the combination that comes nearest to it.
std::vector<double> nearest_combination(const Square& l, Index column) {
  std::vector<double> x(static_cast<std::size_t>(column));
  for (Index i = column - 1; i >= 0; --i) {
    double sum = l[column][i];
    for (Index k = i + 1; k < column; ++k) sum -= l[k][i] * x[static_cast<std::size_t>(k)];
    x[static_cast<std::size_t>(i)] = sum / l[i][i];
  }
  return x;
}

// Which of the columns before `column` it depends on: those whose weights in that combination are a
// tenth of the largest or more.
std::vector<Index> combined_in(const Square& l, Index column) {
  const std::vector<double> x = nearest_combination(l, column);
  double largest = 0;
  for (const double weight : x) largest = std::max(largest, std::abs(weight));
  std::vector<Index> found;
  for (Index i = 0; i < column; ++i) {
    if (std::abs(x[static_cast<std::size_t>(i)]) >= largest / 10) found.push_back(i);
  }
  return found;
}

std::string short_text(double value) {
  std::array<char, 32> text{};
  (void)std::snprintf(text.data(), text.size(), "%.2g", value);
  return text.data();
}

}  // namespace

NormalEquationsSolution solve_products(const LeastSquaresProblem& problem,
                                       const ColumnProducts& columns,
                                       const std::function<std::string(Index)>& feature_name,
                                       const std::function<void(double)>& after_row) {
  const Index d = columns.features;
  const Index p = normal_equations_columns(d, problem.intercept);
  const double weight = columns.total_weight;
  const auto product = [&](Index a, Index b) {
    return columns
        .products[static_cast<std::size_t>(product_place(std::min(a, b), std::max(a, b), p))];
  };
  const auto centre = [&](Index j) { return columns.centre[static_cast<std::size_t>(j)]; };
  // Bounds the rounding of a product of two columns, relative to their lengths: by a block's chain,
  // the tree, and a value's differences from its centre times its weight.
  const double rounding = gamma_bound<double>(std::min(columns.rows, sum_block) +
                                              sum_tree_height(sum_blocks(columns.rows)) + 4);

  // Less the mean; column d is the target.
  std::vector<double> mean(static_cast<std::size_t>(d + 1), 0.0);  // beside the centre
  if (problem.intercept) {
    for (Index j = 0; j <= d; ++j) {
      mean[static_cast<std::size_t>(j)] = product(j, d + 1) / weight;
    }
  }
  const auto centred = [&](Index a, Index b) {
    if (!problem.intercept) return product(a, b);
    return product(a, b) - mean[static_cast<std::size_t>(a)] * product(b, d + 1);
  };

  NormalEquationsSolution result;
  LeastSquaresSolution& solution = result.solution;
  solution.weights.assign(static_cast<std::size_t>(d), 0.0);
  // The columns that are not constant, what their squares are, and the units of their penalty.
  std::vector<Index> live;
  std::vector<double> squares;
  std::vector<double> scale;
  std::vector<double> uncertain;  // the length of what a column's values may be off by
  for (Index j = 0; j < d; ++j) {
    if (columns.constant[static_cast<std::size_t>(j)]) continue;
    if (product(j, j) < 0x1p-960) {
      result.refusal = "the squares of column " + feature_name(j) +
                       " are too small for double precision; scale the features";
      return result;
    }
    const double own = centred(j, j);
    const double at = centre(j) + mean[static_cast<std::size_t>(j)];
    const double size = std::hypot(std::sqrt(std::max(own, 0.0)), std::sqrt(weight) * at);
    // After centring, a constant column holds only the rounding of its values, or of the products
    // of their differences from the centre.
    if (!(std::sqrt(std::max(own, 0.0)) > constant_below * size &&
          own > 3 * rounding * product(j, j))) {
      continue;
    }
    uncertain.push_back(columns.known_to * size);
    live.push_back(j);
    squares.push_back(own);
    scale.push_back(problem.standardise ? std::sqrt(own / weight) : 1.0);
  }
  const auto n = static_cast<Index>(live.size());
  solution.rank = n;
  const double target_squares = std::max(centred(d, d), 0.0);

  // In columns of length 1, the penalty's row included.
  std::vector<double> length(static_cast<std::size_t>(n));
  // How much longer than that a column was before its mean was taken from it: by so much its
  // roundings count more.
  std::vector<double> reach(static_cast<std::size_t>(n));
  for (Index a = 0; a < n; ++a) {
    const auto at = static_cast<std::size_t>(a);
    const double penalised = squares[at] + weight * problem.l2 * scale[at] * scale[at];
    length[at] = std::sqrt(penalised);
    reach[at] = std::sqrt(product(live[at], live[at])) / length[at];
  }
  const auto name = [&](Index a) { return feature_name(live[static_cast<std::size_t>(a)]); };
  Square h(n);
  std::vector<double> c(static_cast<std::size_t>(n));
  for (Index a = 0; a < n; ++a) {
    const auto at = static_cast<std::size_t>(a);
    for (Index b = 0; b < a; ++b) {
      h[a][b] = h[b][a] = centred(live[static_cast<std::size_t>(b)], live[at]) / length[at] /
                          length[static_cast<std::size_t>(b)];
    }
    h[a][a] = 1;
    c[at] = centred(live[at], d) / length[at];
  }

  // An element of H is off by that of its product, twice (its columns' means), and by the roundings
  // of the factorisation, whose rows have length 1 (Higham, theorem 10.3).
  const double in_factor = gamma_bound<double>(n + 8);
  const double most_reach = n == 0 ? 0 : *std::max_element(reach.begin(), reach.end());
  const double of_element = 3 * rounding * most_reach * most_reach + in_factor;
  Square l(n);
  Index stopped = factor(h, static_cast<double>(n) * of_element, l, after_row);
  // The remainder of a column may be no more than the errors of its values and of those that it is
  // compared with.
  for (Index a = 1; a < stopped; ++a) {
    if (l[a][a] > 0.1) continue;
    const auto in_length = [&](Index b) {
      return uncertain[static_cast<std::size_t>(b)] / length[static_cast<std::size_t>(b)];
    };
    const std::vector<double> x = nearest_combination(l, a);
    double explained = in_length(a);
    for (Index b = 0; b < a; ++b) {
      explained += std::abs(x[static_cast<std::size_t>(b)]) * in_length(b);
    }
    if (l[a][a] <= explained) stopped = a;
  }
  if (stopped < n) {
    result.refusal = "column " + name(stopped);
    if (columns.rows <= d) {
      result.refusal += " follows from others: there are " + std::to_string(columns.rows) +
                        " rows for " + std::to_string(d) + " features";
      return result;
    }
    std::string others;
    const auto in = combined_in(l, stopped);
    constexpr std::size_t most_named = 4;
    for (std::size_t i = 0; i < std::min(in.size(), most_named); ++i) {
      others += (i == 0 ? "" : ", ") + name(in[i]);
    }
    if (in.size() > most_named) others += ", ...";
    result.refusal += " is a linear combination of others (" + others + ") up to rounding";
    return result;
  }
  const Square inverse = inverse_of(l, after_row);
  std::vector<double> v(static_cast<std::size_t>(n));
  for (Index a = 0; a < n; ++a) {
    double sum = c[static_cast<std::size_t>(a)];
    for (Index k = 0; k < a; ++k) sum -= l[a][k] * v[static_cast<std::size_t>(k)];
    v[static_cast<std::size_t>(a)] = sum / l[a][a];
  }
  for (Index a = n - 1; a >= 0; --a) {
    double sum = v[static_cast<std::size_t>(a)];
    for (Index k = a + 1; k < n; ++k) sum -= l[k][a] * v[static_cast<std::size_t>(k)];
    v[static_cast<std::size_t>(a)] = sum / l[a][a];
  }

  // H·v = c with H off by E and c by e gives v off by H⁻¹·(e − E·v).
  const double target_length = std::sqrt(target_squares);
  const double target_reach = std::sqrt(product(d, d));
  double sum_of_reaches = target_reach;
  double sum_of_weights = 0;
  for (std::size_t a = 0; a < v.size(); ++a) {
    sum_of_reaches += reach[a] * std::abs(v[a]);
    sum_of_weights += std::abs(v[a]);
  }
  double error = 0;
  for (Index a = 0; a < n; ++a) {
    double sum = 0;
    for (Index k = 0; k < n; ++k) {
      sum += std::abs(inverse[a][k]) *
             (3 * rounding * reach[static_cast<std::size_t>(k)] * sum_of_reaches +
              in_factor * (sum_of_weights + std::abs(c[static_cast<std::size_t>(k)])));
    }
    error = std::max(error, sum);
  }
  result.error = error == 0 || target_length == 0 ? 0 : error / target_length;
  if (!(result.error <= normal_equations_tolerance)) {
    // Whose share of the error is largest: by what others leave of them, or by how far their values
    // lie from the centre.
    double most = 0;
    for (Index a = 0; a < n; ++a) most = std::max(most, inverse[a][a]);
    std::string names;
    for (Index a = 0; a < n; ++a) {
      if (inverse[a][a] >= most / 10) names += (names.empty() ? "" : ", ") + name(a);
    }
    result.refusal = "columns " + names + " are nearly linear combinations of others (" +
                     short_text(1 / std::sqrt(most)) +
                     " of their length is left beside those); by the normal equations the weights "
                     "would be off by up to " +
                     short_text(result.error);
    return result;
  }

  double intercept = problem.intercept ? centre(d) + mean[static_cast<std::size_t>(d)] : 0.0;
  double explained = 0;
  double penalty = 0;
  for (std::size_t a = 0; a < v.size(); ++a) {
    const Index j = live[a];
    const double w = v[a] / length[a];
    solution.weights[static_cast<std::size_t>(j)] = w;
    if (problem.intercept) intercept -= w * (centre(j) + mean[static_cast<std::size_t>(j)]);
    explained += v[a] * c[a];
    penalty += w * scale[a] * (w * scale[a]);
  }
  solution.intercept = intercept;
  // At the minimum, the squares of the residuals and the penalty's rows together.
  const double residual2 = std::max(0.0, target_squares - explained);
  solution.cost = 0.5 * residual2 / weight;
  solution.mean_square = std::max(0.0, residual2 / weight - problem.l2 * penalty);
  return result;
}

template <Real T>
std::vector<double> centre_of(const DatasetView<T>& data, bool intercept) {
  const Index n = data.rows();
  const Index d = data.cols();
  std::vector<double> centre(static_cast<std::size_t>(d + 1), 0.0);
  if (!intercept) return centre;
  const MatrixView<const T> x = data.features;
  const Index sampled = std::min(n, sum_block);
  // Rounded down without overflow.
  const auto row = [&](Index k) { return n / sampled * k + n % sampled * k / sampled; };
  const auto value = [&](Index i, Index j) {
    return static_cast<double>(j < d ? x(i, j) : data.target[static_cast<std::size_t>(i)]);
  };
  // Rows of weight 0 are as if they were not there.
  const auto counts = [&](Index i) {
    return !data.has_weights() || data.weights[static_cast<std::size_t>(i)] > T{0};
  };
  Index origin = 0;
  while (origin + 1 < n && !counts(origin)) ++origin;
  // From one of the rows on, so that a constant column's mean is its value and not a rounding of
  // it.
  double taken = 1;
  for (Index k = 1; k < sampled; ++k) {
    if (row(k) <= origin || !counts(row(k))) continue;
    ++taken;
    for (Index j = 0; j <= d; ++j) {
      centre[static_cast<std::size_t>(j)] += value(row(k), j) - value(origin, j);
    }
  }
  for (Index j = 0; j <= d; ++j) {
    double& at = centre[static_cast<std::size_t>(j)];
    at = value(origin, j) + at / taken;
  }
  return centre;
}

template <Real T>
ColumnProducts column_products(Engine& engine, const DatasetView<T>& data, bool intercept,
                               const std::function<void(Index)>& after_rows) {
  const Index n = data.rows();
  const Index d = data.cols();
  const Index p = normal_equations_columns(d, intercept);
  const auto steps = make_steps<NormalEquationsSteps, T>(engine);
  ColumnProducts columns;
  columns.rows = n;
  columns.features = d;
  columns.known_to = known_to<T>;
  columns.centre = centre_of(data, intercept);

  // Pieces of 2^k blocks, each a node of the tree over all rows; where the rows stand in the
  // engine's memory already, one piece.
  Index piece = sum_block;
  const Index most = std::max(sum_block, rows_at_once<T>(engine, n, d, sum_block));
  // Also there a piece takes no more than a second or two, so that somebody can be told how much
  // is done.
  constexpr Index most_products = Index{1} << 34;
  const Index told_of = most_products / std::max<Index>(1, p * p);
  while (2 * piece <= most || (works_in_host_memory(engine) && piece < n && 2 * piece <= told_of)) {
    piece *= 2;
  }
  RowSource<T> rows(engine, data, std::min(piece, n));
  const auto centre = to_engine(engine, columns.centre);
  Buffer<double> products(engine, product_count(p));
  columns.products.resize(static_cast<std::size_t>(product_count(p)));
  // Each piece is a node, a leaf of the tree's upper part.
  SumTrees tree(product_count(p));
  for (Index begin = 0; begin < n; begin += piece) {
    StopScope::check();
    steps->products(rows.rows(begin, std::min(piece, n - begin)), intercept, centre, products);
    products.download(columns.products);
    tree.add(columns.products.data());
    after_rows(std::min(begin + piece, n));
  }
  tree.total(columns.products.data());

  if (intercept) {
    columns.total_weight = columns.products.back();
  } else if (data.has_weights()) {
    columns.total_weight =
        long_sum(n, [&](Index i) { return data.weights[static_cast<std::size_t>(i)]; });
  } else {
    columns.total_weight = static_cast<double>(n);
  }
  const auto name = [&](Index j) { return data.feature_name(j); };
  for (Index a = 0; a < p; ++a) {
    for (Index b = a; b < p; ++b) {
      if (std::isfinite(columns.products[static_cast<std::size_t>(product_place(a, b, p))])) {
        continue;
      }
      require_finite(data, true);
      // A product of two columns is at most the larger of their squares.
      throw NumericalError(
          data.source + ": the squares of column " + (a < d ? name(a) : data.target_column().name) +
          (a == b ? "" : " or of " + (b < d ? name(b) : data.target_column().name)) +
          " exceed the range of double precision; scale the features");
    }
  }
  // Few columns, if any, are looked at again.
  columns.constant.assign(static_cast<std::size_t>(d), false);
  for (Index j = 0; j < d; ++j) {
    const auto at = static_cast<std::size_t>(j);
    if (columns.products[static_cast<std::size_t>(product_place(j, j, p))] > 0) continue;
    bool constant = true;
    for (Index i = 0; constant && i < n; ++i) {
      constant = static_cast<double>(data.features(i, j)) == columns.centre[at] ||
                 (data.has_weights() && data.weights[static_cast<std::size_t>(i)] == T{0});
    }
    columns.constant[at] = constant;
  }
  return columns;
}

template <Real T>
NormalEquationsSolution solve_normal_equations(Engine& engine, const LeastSquaresProblem& problem,
                                               const DatasetView<T>& data) {
  const Index n = data.rows();
  const Index d = data.cols();
  const Index p = normal_equations_columns(d, problem.intercept);
  // The products three times (of a piece, of all, and the tree's), the normal equations, their
  // factor and its inverse.
  require_memory(data.source + ": the products of " + std::to_string(p) + " columns",
                 saturating_sum(saturating_product(product_count(p), 3 * 8),
                                saturating_product(saturating_product(d, d), 4 * 8)),
                 "use " + option("solver") + " gradient, which keeps no product of columns");
  const double work_of_row =
      0.5 * static_cast<double>(p) * static_cast<double>(p) / static_cast<double>(engine.threads());
  const double work_of_rows = work_of_row * static_cast<double>(n);
  const double work_of_solution = 0.5 * ClosedFormProgress::serial * static_cast<double>(d) *
                                  static_cast<double>(d) * static_cast<double>(d);
  ClosedFormProgress progress(problem.control, work_of_rows + work_of_solution);
  const ColumnProducts columns = column_products(engine, data, problem.intercept, [&](Index done) {
    progress.report(work_of_row * static_cast<double>(done));
  });
  const auto name = [&](Index j) { return data.feature_name(j); };
  return solve_products(problem, columns, name, [&](double share) {
    progress.report(work_of_rows + share * work_of_solution);
  });
}

template std::vector<double> centre_of(const DatasetView<float>&, bool);
template std::vector<double> centre_of(const DatasetView<double>&, bool);
template ColumnProducts column_products(Engine&, const DatasetView<float>&, bool,
                                        const std::function<void(Index)>&);
template ColumnProducts column_products(Engine&, const DatasetView<double>&, bool,
                                        const std::function<void(Index)>&);
template NormalEquationsSolution solve_normal_equations(Engine&, const LeastSquaresProblem&,
                                                        const DatasetView<float>&);
template NormalEquationsSolution solve_normal_equations(Engine&, const LeastSquaresProblem&,
                                                        const DatasetView<double>&);

}  // namespace tandem
