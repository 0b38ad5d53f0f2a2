// The inverse as the textbook has it: rows of the factor, rows of its inverse.
#include <cmath>

#include "core/recommend/spd_inverse_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceSpdInverse final : public SpdInverseSteps<T> {
 public:
  bool factor_rows(Index n, Index first, Index rows, Buffer<double>& a,
                   Buffer<double>& negated) override {
    double* const at = a.data();
    for (Index j = first; j < first + rows; ++j) {
      for (Index k = j; k < n; ++k) {
        double sum = at[j * n + k];
        for (Index m = first; m < j; ++m) sum -= at[m * n + j] * at[m * n + k];
        if (k == j) {
          if (!(sum > 0) || !std::isfinite(sum)) return false;
          at[j * n + j] = std::sqrt(sum);
        } else {
          at[j * n + k] = sum / at[j * n + j];
        }
      }
    }
    negate_rows(n, first, rows, a, negated);
    return true;
  }

  void negate_rows(Index n, Index first, Index rows, const Buffer<double>& u,
                   Buffer<double>& negated) override {
    for (Index r = 0; r < rows; ++r) {
      for (Index k = first; k < n; ++k) negated.data()[r * n + k] = -u.data()[(first + r) * n + k];
    }
  }

  void mirror(Index n, Buffer<double>& a) override {
    for (Index j = 0; j < n; ++j) {
      for (Index k = 0; k < j; ++k) a.data()[j * n + k] = a.data()[k * n + j];
    }
  }

  void invert_rows(Index n, Index first, Index rows, const Buffer<double>& u,
                   Buffer<double>& v) override {
    double* const at = v.data();
    for (Index j = first + rows; j-- > first;) {
      for (Index k = j; k < n; ++k) {
        double sum = at[j * n + k] + (k == j ? 1.0 : 0.0);
        for (Index m = j + 1; m < first + rows; ++m) sum -= u.data()[j * n + m] * at[m * n + k];
        at[j * n + k] = sum / u.data()[j * n + j];
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<SpdInverseSteps<T>> SpdInverseSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceSpdInverse<T>>();
}
template std::unique_ptr<SpdInverseSteps<float>> SpdInverseSteps<float>::make_reference(Engine&);
template std::unique_ptr<SpdInverseSteps<double>> SpdInverseSteps<double>::make_reference(Engine&);

}  // namespace tandem
