#include "core/preprocess/scaler_steps.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "core/metrics/row_sums.hpp"

namespace tandem {
namespace {

template <Real T>
class CpuScaler final : public ScalerSteps<T> {
 public:
  explicit CpuScaler(Engine& engine) : engine_(engine) {}

  void ranges(const T* x, Index rows, Index cols, Buffer<ColumnRange<T>>& ranges) override {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const auto width = static_cast<std::size_t>(cols);
    const Index parts = pieces(rows, rows_per_part);
    std::vector<ColumnRange<T>> partial(static_cast<std::size_t>(parts) * width,
                                        {infinity, -infinity, 0});
    parallel_for(engine_.threads(), parts, [&](Index p) {
      ColumnRange<T>* range = partial.data() + p * cols;
      const Piece piece = piece_of(rows, rows_per_part, p);
      for (Index i = piece.begin; i < piece.end; ++i) {
        for (Index j = 0; j < cols; ++j) {
          const T value = x[i * cols + j];
          add_to_range(range[j], {value, value, value != value ? 1 : 0});
        }
      }
    });
    std::fill_n(ranges.data(), cols, ColumnRange<T>{infinity, -infinity, 0});
    for (Index p = 0; p < parts; ++p) {
      for (Index j = 0; j < cols; ++j) {
        add_to_range(ranges.data()[j], partial[static_cast<std::size_t>(p * cols + j)]);
      }
    }
  }

  void sums(const T* x, Index rows, Index cols, const double* centre,
            Buffer<double>& sums) override {
    const std::vector<double> host =
        column_sums(engine_.threads(), rows, cols, [&](Index i, Index j) {
          const auto value = static_cast<double>(x[i * cols + j]);
          if (value != value) return 0.0;
          const double deviation = centre == nullptr ? 0.0 : value - centre[j];
          return centre == nullptr ? value : deviation * deviation;
        });
    sums.upload(host);
  }

  void scale(T* x, Index rows, Index cols, const double* shift, const double* divisor) override {
    parallel_pieces(engine_.threads(), rows, rows_per_part, [&](Piece piece) {
      for (Index i = piece.begin; i < piece.end; ++i) {
        for (Index j = 0; j < cols; ++j) {
          T& value = x[i * cols + j];
          value = static_cast<T>((static_cast<double>(value) - shift[j]) / divisor[j]);
        }
      }
    });
  }

 private:
  static constexpr Index rows_per_part = 16 * sum_block;
  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<ScalerSteps<T>> ScalerSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuScaler<T>>(engine);
}
template std::unique_ptr<ScalerSteps<float>> ScalerSteps<float>::make_cpu(Engine&);
template std::unique_ptr<ScalerSteps<double>> ScalerSteps<double>::make_cpu(Engine&);

}  // namespace tandem
