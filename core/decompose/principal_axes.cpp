// Compiled by itself, so that the files after it keep their places among six.
#include "tandem/decompose/principal_axes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/decompose/decomposition.hpp"
#include "core/decompose/symmetric_eigen.hpp"
#include "core/linalg/gemm_steps.hpp"
#include "core/linear/normal_equations.hpp"
#include "core/linear/normal_equations_steps.hpp"
#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

[[noreturn]] void squares_too_large(const std::string& source) {
  throw NumericalError(source +
                       ": the squares of the features exceed the range of double precision; scale "
                       "the features");
}

// The data with a target, which the steps of the normal equations have a column for; it is of
// zeros.
template <Real T>
DatasetView<T> with_zero_target(DatasetView<T> data, const std::vector<T>& zeros) {
  data.target = zeros;
  data.target_texts = {};
  data.target_text_of_row = {};
  return data;
}

// No more features than rows: the products of the features, S = Σ w (x − m)·(x − m)ᵀ, whose
// eigenvectors are the axes.
template <Real T>
Decomposition axes_by_features(Engine& engine, const DatasetView<T>& data) {
  const Index d = data.cols();
  const Index p = normal_equations_columns(d, true);
  require_memory(data.source + ": the products of " + std::to_string(d) + " columns",
                 saturating_sum(saturating_product(product_count(p), 3 * 8),
                                saturating_product(saturating_product(d, d), 5 * 8)),
                 "leave columns out");
  const std::vector<T> zeros(static_cast<std::size_t>(data.rows()));
  const ColumnProducts columns =
      column_products(engine, with_zero_target(data, zeros), true, [](Index) {});
  const auto product = [&](Index a, Index b) {
    return columns.products[static_cast<std::size_t>(product_place(a, b, p))];
  };
  Decomposition result;
  result.weight = columns.total_weight;
  result.mean.resize(static_cast<std::size_t>(d));
  for (Index j = 0; j < d; ++j) {
    const auto at = static_cast<std::size_t>(j);
    result.mean[at] = columns.centre[at] + product(j, d + 1) / result.weight;
  }
  Matrix<double> scatter(d, d);
  for (Index a = 0; a < d; ++a) {
    // Of a column that is constant all differences from the centre are 0.
    for (Index b = a; b < d; ++b) {
      const double centred =
          product(a, b) - product(a, d + 1) * (product(b, d + 1) / result.weight);
      scatter(a, b) = scatter(b, a) = a == b ? std::max(centred, 0.0) : centred;
    }
    result.all_squares += scatter(a, a);
  }
  StopScope::check();
  SymmetricEigen eigen = symmetric_eigen(scatter);
  StopScope::check();
  for (double& value : eigen.values) value = std::max(value, 0.0);
  result.squares = std::move(eigen.values);
  result.axes = std::move(eigen.vectors);
  return result;
}

// More features than rows: the products of the rows, G = C·Cᵀ where row i of C is √w_i·(x_i − m).
// An eigenvector u of G gives the axis Cᵀ·u. `wanted` axes are made.
template <Real T>
Decomposition axes_by_rows(Engine& engine, const DatasetView<T>& data, const CountingRows& counting,
                           Index wanted) {
  const Index d = data.cols();
  const auto n = static_cast<Index>(counting.rows.size());
  require_memory(
      data.source + ": the products of " + std::to_string(n) + " rows",
      saturating_product(saturating_sum(saturating_product(n, n), saturating_product(3 * n, d)), 8),
      "leave columns out");
  Decomposition result;
  for (const double weight : counting.weights) result.weight += weight;
  // From one of the rows on, so that the mean of equal values is that value and no rounding of it.
  const auto x = [&](Index i, Index j) {
    return static_cast<double>(data.features(counting.rows[static_cast<std::size_t>(i)], j));
  };
  DatasetView<double> transposed;
  transposed.source = data.source;
  Matrix<double> columns(d, n);  // Cᵀ
  for (Index j = 0; j < d; ++j) {
    double sum = 0;
    for (Index i = 1; i < n; ++i) {
      sum += counting.weights[static_cast<std::size_t>(i)] * (x(i, j) - x(0, j));
    }
    const double mean = x(0, j) + sum / result.weight;
    result.mean.push_back(mean);
    for (Index i = 0; i < n; ++i) {
      columns(j, i) = std::sqrt(counting.weights[static_cast<std::size_t>(i)]) * (x(i, j) - mean);
    }
  }
  double largest = 0;
  for (const double value : columns.values()) largest = std::max(largest, std::abs(value));
  if (!std::isfinite(largest * largest * static_cast<double>(d))) squares_too_large(data.source);
  transposed.features = std::as_const(columns).view();
  const std::vector<double> zeros(static_cast<std::size_t>(d));
  const Index p = normal_equations_columns(n, false);
  const ColumnProducts sums =
      column_products(engine, with_zero_target(transposed, zeros), false, [](Index) {});
  Matrix<double> products(n, n);
  for (Index a = 0; a < n; ++a) {
    for (Index b = a; b < n; ++b) {
      products(a, b) = products(b, a) =
          sums.products[static_cast<std::size_t>(product_place(a, b, p))];
    }
    result.all_squares += products(a, a);
  }
  StopScope::check();
  SymmetricEigen eigen = symmetric_eigen(products);
  StopScope::check();
  for (double& value : eigen.values) value = std::max(value, 0.0);
  result.squares = std::move(eigen.values);
  result.axes = Matrix<double>(wanted, d);
  const auto steps = make_steps<GemmSteps, double>(engine);
  const auto left = to_engine(engine, eigen.vectors.values());
  const auto right = to_engine(engine, columns.values());
  Buffer<double> axes(engine, wanted * d);
  steps->gemm(Transpose::no, Transpose::yes, wanted, d, n, left.data(), n, right.data(), n, false,
              axes.data(), d);
  axes.download(result.axes.values());
  make_orthonormal(result.axes);
  return result;
}

// Squares below this may be roundings of the largest: by the chains and trees of the products and
// those of the eigenvalues.
double least_square(const Decomposition& found, Index rows) {
  const Index d = found.axes.cols();
  const Index chain = std::min(std::max(rows, d), sum_block) + sum_tree_height(sum_blocks(rows));
  return static_cast<double>(chain + d + 8) * std::numeric_limits<double>::epsilon() *
         found.squares.front();
}

}  // namespace

template <Real T>
CountingRows counting_rows(const DatasetView<T>& data) {
  CountingRows counting;
  for (Index i = 0; i < data.rows(); ++i) {
    const double weight =
        data.has_weights() ? static_cast<double>(data.weights[static_cast<std::size_t>(i)]) : 1.0;
    if (weight == 0) continue;
    counting.rows.push_back(i);
    counting.weights.push_back(weight);
  }
  return counting;
}

void PrincipalAxesOptions::visit(OptionVisitor& visitor) {
  visitor.integer({"components", "components", {"n_components"}}, components,
                  "how many; 0: the least of rows and features", 0,
                  std::numeric_limits<std::int32_t>::max());
  visitor.flag("whiten", whiten, "bring the coordinates to variance 1");
}

template <Real T>
PrincipalAxes principal_axes(Engine& engine, const DatasetView<T>& data,
                             const PrincipalAxesOptions& options) {
  check_options(options);
  require_dense(data, "principal component analysis");
  if (data.cols() == 0) {
    throw InputError(data.source + ": has no feature columns; expected at least one");
  }
  const std::vector<T> zeros(static_cast<std::size_t>(data.rows()));
  check_rows(with_zero_target(data, zeros));
  const CountingRows counting = counting_rows(data);
  const auto n = static_cast<Index>(counting.rows.size());
  if (n < 2) {
    throw InputError(data.source + ": has " + std::to_string(n) + (n == 1 ? " row" : " rows") +
                     " that count, of which no component varies; expected at least 2");
  }
  const Index most = std::min(n, data.cols());
  if (options.components > most) {
    throw InputError(data.source + ": has " + std::to_string(n) + " rows and " +
                     std::to_string(data.cols()) + " features, and so at most " +
                     std::to_string(most) + " principal components; " +
                     std::to_string(options.components) + " are asked for");
  }
  require_finite(data, false);
  const Decomposition found =
      engine.device() == Device::reference ? reference_decomposition(data)
      : data.cols() <= n                   ? axes_by_features(engine, data)
                                           : axes_by_rows(engine, data, counting,
                                        options.components == 0 ? most : options.components);
  // A row of weight w counts as w rows.
  const double divisor = found.weight - 1;
  if (!(divisor > 0)) {
    throw InputError(data.source + ": the weights add up to " + shortest(found.weight) +
                     ", which is no more than one row; a weight says how many equal rows a row "
                     "stands for");
  }
  if (!std::isfinite(found.all_squares)) squares_too_large(data.source);
  Index kept = options.components == 0 ? most : options.components;
  if (options.whiten) {
    const double least = least_square(found, n);
    Index vary = 0;
    while (vary < most && found.squares[static_cast<std::size_t>(vary)] > least) ++vary;
    if (kept > vary && (options.components > 0 || vary == 0)) {
      throw InputError(data.source + ": the rows differ in " + std::to_string(vary) +
                       " directions, up to rounding; the variance of component " +
                       std::to_string(vary + 1) + " cannot be brought to 1, ask for " +
                       (vary == 0 ? "no components" : "at most " + std::to_string(vary)));
    }
    kept = std::min(kept, vary);
  }

  PrincipalAxes axes;
  axes.mean = found.mean;
  axes.whitened = options.whiten;
  axes.components = Matrix<double>(kept, data.cols());
  std::copy_n(found.axes.values().begin(), axes.components.size(),
              axes.components.values().begin());
  fix_signs(axes.components);
  const auto last = found.squares.begin() + kept;
  for (auto square = found.squares.begin(); square != last; ++square) {
    axes.explained_variance.push_back(*square / divisor);
  }
  axes.total_variance = found.all_squares / divisor;
  const double left = std::accumulate(last, found.squares.begin() + most, 0.0);
  if (kept < most) axes.noise_variance = left / divisor / static_cast<double>(most - kept);
  axes.reconstruction_error = left / found.weight;
  return axes;
}

template CountingRows counting_rows(const DatasetView<float>&);
template CountingRows counting_rows(const DatasetView<double>&);
template PrincipalAxes principal_axes(Engine&, const DatasetView<float>&,
                                      const PrincipalAxesOptions&);
template PrincipalAxes principal_axes(Engine&, const DatasetView<double>&,
                                      const PrincipalAxesOptions&);

}  // namespace tandem
