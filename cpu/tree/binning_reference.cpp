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
    const auto write = [&](Buffer<std::uint8_t>& to, Index place, int bin) {
      for (int b = 0; b < cuts.bin_bytes; ++b) {
        to.data()[place * cuts.bin_bytes + b] = static_cast<std::uint8_t>(bin >> (8 * b));
      }
    };
    std::fill_n(by_row.data(), by_row.size(), std::uint8_t{0});
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cuts.features; ++j) {
        const T value = x.data()[i * cuts.features + j];
        int bin = 0;
        for (Index t = cuts.first.data()[j]; t < cuts.first.data()[j + 1]; ++t) {
          if (cuts.thresholds.data()[t] < value) ++bin;
        }
        if (value != value) bin = cuts.missing.data()[j];
        write(by_row, i * stride + j, bin);
        if (!by_column.empty()) write(by_column, j * rows + i, bin);
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
