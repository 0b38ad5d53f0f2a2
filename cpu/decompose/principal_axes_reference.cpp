// Principal axes as a textbook has them: singular vectors of the centred rows, in double.
//
// Compiled by itself, so that the files after it keep their places among six.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/decompose/decomposition.hpp"
#include "core/decompose/symmetric_eigen.hpp"

namespace tandem {
namespace {

// The columns of a table of doubles, one after the other.
struct ColumnTable {
  ColumnTable(Index row_count, Index col_count)
      : rows(row_count), cols(col_count), values(static_cast<std::size_t>(rows * cols), 0.0) {}
  [[nodiscard]] double* operator[](Index j) { return values.data() + j * rows; }
  Index rows;
  Index cols;
  std::vector<double> values;
};

// The one-sided Jacobi method (Golub and Van Loan, §8.6.3): columns are rotated, two at a time,
// until all are orthogonal to each other up to rounding. Their lengths are the singular values
// then, and `right`, which begins as the identity and is rotated along, has the right singular
// vectors as its columns.
void orthogonalise(ColumnTable& a, ColumnTable& right) {
  constexpr int most_sweeps = 60;
  const double least = 4 * std::numeric_limits<double>::epsilon();
  const auto rotate = [](double* p, double* q, Index count, double c, double s) {
    for (Index i = 0; i < count; ++i) {
      const double left = p[i];
      p[i] = c * left - s * q[i];
      q[i] = s * left + c * q[i];
    }
  };
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    bool rotated = false;
    for (Index j = 0; j < a.cols; ++j) {
      for (Index k = j + 1; k < a.cols; ++k) {
        double of_j = 0;
        double of_k = 0;
        double both = 0;
        for (Index i = 0; i < a.rows; ++i) {
          of_j += a[j][i] * a[j][i];
          of_k += a[k][i] * a[k][i];
          both += a[j][i] * a[k][i];
        }
        if (!(std::abs(both) > least * std::sqrt(of_j) * std::sqrt(of_k))) continue;
        rotated = true;
        const double zeta = (of_k - of_j) / (2 * both);
        const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double c = 1 / std::hypot(1.0, t);
        rotate(a[j], a[k], a.rows, c, c * t);
        rotate(right[j], right[k], right.rows, c, c * t);
      }
    }
    if (!rotated) return;
  }
}

}  // namespace

template <Real T>
Decomposition reference_decomposition(const DatasetView<T>& data) {
  const CountingRows counting = counting_rows(data);
  const auto n = static_cast<Index>(counting.rows.size());
  const Index d = data.cols();
  const bool wide = d > n;
  Decomposition result;
  for (const double weight : counting.weights) result.weight += weight;
  // √w·(x − mean), by features, or, where there are more of them than rows, by rows.
  ColumnTable centred(wide ? d : n, wide ? n : d);
  double largest = 0;
  for (Index j = 0; j < d; ++j) {
    // From one of the rows on: values far from 0 lose no digits.
    const auto value = [&](Index i) {
      return static_cast<double>(data.features(counting.rows[static_cast<std::size_t>(i)], j));
    };
    const double origin = value(0);
    double sum = 0;
    for (Index i = 0; i < n; ++i) {
      sum += counting.weights[static_cast<std::size_t>(i)] * (value(i) - origin);
    }
    result.mean.push_back(origin + sum / result.weight);
    for (Index i = 0; i < n; ++i) {
      const double c = std::sqrt(counting.weights[static_cast<std::size_t>(i)]) *
                       ((value(i) - origin) - sum / result.weight);
      (wide ? centred[i][j] : centred[j][i]) = c;
      largest = std::max(largest, std::abs(c));
    }
  }
  // Squares of the values themselves may be beyond double.
  const double unit = largest > 0 ? largest : 1.0;
  for (double& value : centred.values) value /= unit;
  ColumnTable right(centred.cols, centred.cols);
  for (Index j = 0; j < centred.cols; ++j) right[j][j] = 1;
  orthogonalise(centred, right);

  const Index most = centred.cols;
  std::vector<double> lengths;
  for (Index j = 0; j < most; ++j) {
    double squares = 0;
    for (Index i = 0; i < centred.rows; ++i) squares += centred[j][i] * centred[j][i];
    lengths.push_back(std::sqrt(squares) * unit);
    result.all_squares += lengths.back() * lengths.back();
  }
  std::vector<Index> by_length(static_cast<std::size_t>(most));
  std::iota(by_length.begin(), by_length.end(), Index{0});
  std::stable_sort(by_length.begin(), by_length.end(), [&](Index a, Index b) {
    return lengths[static_cast<std::size_t>(a)] > lengths[static_cast<std::size_t>(b)];
  });
  result.axes = Matrix<double>(most, d);
  for (Index k = 0; k < most; ++k) {
    const Index from = by_length[static_cast<std::size_t>(k)];
    const double length = lengths[static_cast<std::size_t>(from)];
    result.squares.push_back(length * length);
    // By rows the axes are the columns themselves.
    const double* const axis = wide ? centred[from] : right[from];
    std::copy_n(axis, d, result.axes.row(k).begin());
  }
  if (wide) make_orthonormal(result.axes);
  return result;
}

template Decomposition reference_decomposition(const DatasetView<float>&);
template Decomposition reference_decomposition(const DatasetView<double>&);

}  // namespace tandem
