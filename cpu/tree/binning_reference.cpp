// Bins counted threshold by threshold.
#include <algorithm>

#include "core/tree/binning_steps.hpp"

namespace tandem::tree {
namespace {

template <Real T>
class ReferenceBinning final : public BinningSteps<T> {
 public:
  void bin_rows(const CutsOnEngine<T>& cuts, const Buffer<T>& x, Index rows,
                Buffer<std::uint8_t>& by_row, Buffer<std::uint8_t>& by_column) override {
    const Index stride = binned_stride(cuts.features);
    std::fill_n(by_row.data(), by_row.size(), std::uint8_t{0});
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cuts.features; ++j) {
        const T value = x.data()[i * cuts.features + j];
        int bin = 0;
        for (Index t = 0; t < padded_thresholds - 1; ++t) {
          if (cuts.thresholds.data()[j * padded_thresholds + t] < value) ++bin;
        }
        if (value != value) bin = cuts.missing.data()[j];
        by_row.data()[i * stride + j] = static_cast<std::uint8_t>(bin);
        if (!by_column.empty()) by_column.data()[j * rows + i] = static_cast<std::uint8_t>(bin);
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<BinningSteps<T>> BinningSteps<T>::make_reference(Engine&) {
  return std::make_unique<ReferenceBinning<T>>();
}
template std::unique_ptr<BinningSteps<float>> BinningSteps<float>::make_reference(Engine&);
template std::unique_ptr<BinningSteps<double>> BinningSteps<double>::make_reference(Engine&);

}  // namespace tandem::tree
