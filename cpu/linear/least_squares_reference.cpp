// The factorisation row by row: Givens rotations, which share no arithmetic with the blocked
// reflections of the other engines.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/linear/least_squares_steps.hpp"

namespace tandem {
namespace {

// Rotates `row` into the triangle R, p × p (Golub and Van Loan, §5.1.8 and §6.5.3).
void rotate_in(std::vector<double>& row, Index p, double* r) {
  for (Index k = 0; k < p; ++k) {
    const double b = row[static_cast<std::size_t>(k)];
    if (b == 0) continue;
    const double a = r[k * p + k];
    // Denormal numbers have too few bits for a sine and a cosine.
    const double up = std::max(std::abs(a), std::abs(b)) < 0x1p-900 ? 0x1p600 : 1.0;
    const double length = std::hypot(up * a, up * b);
    const double cosine = up * a / length;
    const double sine = up * b / length;
    for (Index j = k; j < p; ++j) {
      const double upper = r[k * p + j];
      const double lower = row[static_cast<std::size_t>(j)];
      r[k * p + j] = cosine * upper + sine * lower;
      row[static_cast<std::size_t>(j)] = cosine * lower - sine * upper;
    }
  }
}

template <Real T>
class ReferenceLeastSquares final : public LeastSquaresSteps<T> {
 public:
  void factor(const RowsView<T>& rows, Index count, bool intercept, Index first_group,
              Buffer<double>& factors) override {
    const Index p = least_squares_columns(rows.features, intercept);
    const Index group = least_squares_group(p);
    std::vector<double> row(static_cast<std::size_t>(p));
    for (Index i = 0; i < count; ++i) {
      double* r = factors.data() + (first_group + i / group) * p * p;
      if (i % group == 0) std::fill_n(r, p * p, 0.0);
      const double scale =
          rows.weights == nullptr ? 1.0 : std::sqrt(static_cast<double>(rows.weights[i]));
      std::size_t at = 0;
      if (intercept) row[at++] = scale;
      for (Index j = 0; j < rows.features; ++j) {
        row[at++] = scale * static_cast<double>(rows.x[i * rows.stride + j]);
      }
      row[at] = scale * static_cast<double>(rows.target[i]);
      rotate_in(row, p, r);
    }
  }

  void merge(Index first, Index groups, Index p, Buffer<double>& factors) override {
    double* into = factors.data() + first * p * p;
    std::vector<double> row(static_cast<std::size_t>(p));
    for (Index g = 1; g < groups; ++g) {
      for (Index i = 0; i < p; ++i) {
        const double* from = into + (g * p + i) * p;
        row.assign(from, from + p);
        rotate_in(row, p, into);
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<LeastSquaresSteps<T>> LeastSquaresSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceLeastSquares<T>>();
}
template std::unique_ptr<LeastSquaresSteps<float>> LeastSquaresSteps<float>::make_reference(
    Engine&);
template std::unique_ptr<LeastSquaresSteps<double>> LeastSquaresSteps<double>::make_reference(
    Engine&);

}  // namespace tandem
