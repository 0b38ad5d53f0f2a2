// Compiled by itself, so that the files after it keep their places among six.
#include "core/decompose/symmetric_eigen.hpp"

// Eigen shall neither start threads nor choose the shape of sums by their number.
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <span>
#include <string>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using EigenSquare = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic>;

// Products of blocks are cut by the size of the caches, which would make their bits those of a kind
// of processor; these are anybody's.
void fix_cache_sizes() {
  static std::once_flag once;
  std::call_once(once, [] { Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 4 << 20); });
}

double chained_dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) sum = std::fma(a[j], b[j], sum);
  return sum;
}

// Takes from `row` its part in the span of the first `count` of `rows`, twice, since once leaves as
// much as was lost by cancellation. Returns the length of what is left of a row of length 1.
double take_span(const Matrix<double>& rows, Index count, std::span<double> row) {
  for (int pass = 0; pass < 2; ++pass) {
    for (Index k = 0; k < count; ++k) {
      const std::span<const double> other = rows.row(k);
      const double part = chained_dot(row, other);
      for (std::size_t j = 0; j < row.size(); ++j) row[j] = std::fma(-part, other[j], row[j]);
    }
  }
  return std::sqrt(chained_dot(row, row));
}

// The unit vector of which most is left beside the first `count` rows.
Index most_left(const Matrix<double>& rows, Index count) {
  Index best = 0;
  double most = -1;
  for (Index j = 0; j < rows.cols(); ++j) {
    double left = 1;
    for (Index k = 0; k < count; ++k) left -= rows(k, j) * rows(k, j);
    if (left > most) {
      most = left;
      best = j;
    }
  }
  return best;
}

}  // namespace

SymmetricEigen symmetric_eigen(const Matrix<double>& matrix) {
  fix_cache_sizes();
  const Index n = matrix.rows();
  EigenSquare square(n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) square(j, i) = matrix(i, j);
  }
  const Eigen::SelfAdjointEigenSolver<EigenSquare> solver(square);
  if (solver.info() != Eigen::Success) {
    throw NumericalError("the eigenvalues of a matrix of " + std::to_string(n) +
                         " columns did not converge; scale the features");
  }
  SymmetricEigen result;
  result.values.resize(static_cast<std::size_t>(n));
  result.vectors = Matrix<double>(n, n);
  for (Index k = 0; k < n; ++k) {
    // Eigen has them ascending.
    const Index from = n - 1 - k;
    result.values[static_cast<std::size_t>(k)] = solver.eigenvalues()[from];
    for (Index j = 0; j < n; ++j) result.vectors(k, j) = solver.eigenvectors()(j, from);
  }
  return result;
}

void make_orthonormal(Matrix<double>& rows) {
  constexpr double least = 1e-8;
  for (Index k = 0; k < rows.rows(); ++k) {
    const std::span<double> row = rows.row(k);
    double largest = 0;
    for (const double value : row) largest = std::max(largest, std::abs(value));
    double left = 0;
    if (largest > 0) {
      for (double& value : row) value /= largest;
      const double length = std::sqrt(chained_dot(row, row));
      for (double& value : row) value /= length;
      left = take_span(rows, k, row);
    }
    if (!(left > least)) {
      const Index unit = most_left(rows, k);
      std::fill(row.begin(), row.end(), 0.0);
      row[static_cast<std::size_t>(unit)] = 1;
      left = take_span(rows, k, row);
    }
    for (double& value : row) value /= left;
  }
}

void fix_signs(Matrix<double>& rows) {
  for (Index k = 0; k < rows.rows(); ++k) {
    const std::span<double> row = rows.row(k);
    double largest = 0;
    for (const double value : row) largest = std::max(largest, std::abs(value));
    const double as_large = largest * (1 - 0x1p-20);
    const auto first = std::find_if(row.begin(), row.end(),
                                    [&](double value) { return std::abs(value) >= as_large; });
    if (first == row.end() || *first >= 0) continue;
    for (double& value : row) value = -value;
  }
}

}  // namespace tandem
