// Columns as the textbook has them: one thread, sums in ascending order.
#include <limits>

#include "core/preprocess/scaler_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceScaler final : public ScalerSteps<T> {
 public:
  void ranges(const T* x, Index rows, Index cols, Buffer<ColumnRange<T>>& ranges) override {
    for (Index j = 0; j < cols; ++j) {
      ColumnRange<T>& range = ranges.data()[j];
      range = {std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(), 0};
      for (Index i = 0; i < rows; ++i) {
        const T value = x[i * cols + j];
        if (value != value) ++range.missing;
        if (value < range.low) range.low = value;
        if (value > range.high) range.high = value;
      }
    }
  }

  void sums(const T* x, Index rows, Index cols, const double* centre,
            Buffer<double>& sums) override {
    for (Index j = 0; j < cols; ++j) {
      double sum = 0;
      for (Index i = 0; i < rows; ++i) {
        const auto value = static_cast<double>(x[i * cols + j]);
        if (value != value) continue;
        sum += centre == nullptr ? value : (value - centre[j]) * (value - centre[j]);
      }
      sums.data()[j] = sum;
    }
  }

  void scale(T* x, Index rows, Index cols, const double* shift, const double* divisor) override {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cols; ++j) {
        T& value = x[i * cols + j];
        value = static_cast<T>((static_cast<double>(value) - shift[j]) / divisor[j]);
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<ScalerSteps<T>> ScalerSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceScaler<T>>();
}

template std::unique_ptr<ScalerSteps<float>> ScalerSteps<float>::make_reference(Engine&);
template std::unique_ptr<ScalerSteps<double>> ScalerSteps<double>::make_reference(Engine&);

}  // namespace tandem
