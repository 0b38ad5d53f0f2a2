// Values to bins: a bisection in which the lanes of a vector are rows and each fetches its own
// threshold.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tree/binning.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>

#include "core/external_memory.hpp"
#include "core/parallel.hpp"
#include "core/tree/binning_steps.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_TREE_BINNING_CPP
#define TANDEM_CPU_TREE_BINNING_CPP
namespace tandem::cpu {

// Rows that are turned into columns at once.
inline constexpr Index binning_rows = 256;

template <class T, class Bin>
struct BinningBlock {
  const T* x;  // rows × features
  Index rows;  // at most binning_rows
  Index features;
  Index stride;
  const T* thresholds;
  const Index* first;  // features + 1: where the thresholds of each begin
  const std::uint16_t* missing;
  Bin* by_row;     // rows × stride
  Bin* by_column;  // features, all_rows apart; or null
  Index all_rows;
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

template <class T, class Bin>
void BinBlock(const BinningBlock<T, Bin>& block) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  using TI = hn::TFromD<decltype(di)>;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  HWY_ALIGN T column[binning_rows];
  HWY_ALIGN TI bins[binning_rows];
  const Index padded = (block.rows + lanes - 1) / lanes * lanes;
  std::fill_n(column, binning_rows, T{0});
  for (Index i = 0; i < block.rows; ++i) {
    std::fill(block.by_row + i * block.stride + block.features,
              block.by_row + (i + 1) * block.stride, Bin{0});
  }
  for (Index j = 0; j < block.features; ++j) {
    for (Index i = 0; i < block.rows; ++i) column[i] = block.x[i * block.features + j];
    const T* thresholds = block.thresholds + block.first[j];
    const auto padded_thresholds = static_cast<TI>(block.first[j + 1] - block.first[j]);
    const auto missing = hn::Set(di, static_cast<TI>(block.missing[j]));
    for (Index i = 0; i < padded; i += lanes) {
      const auto value = hn::Load(d, column + i);
      auto below = hn::Zero(di);
      for (TI step = padded_thresholds / 2; step > 0; step /= 2) {
        const auto threshold = hn::GatherIndex(d, thresholds + step - 1, below);
        const auto is_below = hn::RebindMask(di, hn::Lt(threshold, value));
        below = hn::Add(below, hn::IfThenElseZero(is_below, hn::Set(di, step)));
      }
      hn::Store(hn::IfThenElse(hn::RebindMask(di, hn::IsNaN(value)), missing, below), di, bins + i);
    }
    for (Index i = 0; i < block.rows; ++i) {
      block.by_row[i * block.stride + j] = static_cast<Bin>(bins[i]);
    }
    if (block.by_column != nullptr) {
      Bin* to = block.by_column + j * block.all_rows;
      for (Index i = 0; i < block.rows; ++i) to[i] = static_cast<Bin>(bins[i]);
    }
  }
}

void BinBlockFloat8(const BinningBlock<float, std::uint8_t>& block) { BinBlock(block); }
void BinBlockDouble8(const BinningBlock<double, std::uint8_t>& block) { BinBlock(block); }
void BinBlockFloat16(const BinningBlock<float, std::uint16_t>& block) { BinBlock(block); }
void BinBlockDouble16(const BinningBlock<double, std::uint16_t>& block) { BinBlock(block); }

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
HWY_EXPORT(BinBlockFloat8);
HWY_EXPORT(BinBlockDouble8);
HWY_EXPORT(BinBlockFloat16);
HWY_EXPORT(BinBlockDouble16);
namespace {
void bin_block(const BinningBlock<float, std::uint8_t>& block) {
  HWY_DYNAMIC_DISPATCH(BinBlockFloat8)(block);
}
void bin_block(const BinningBlock<double, std::uint8_t>& block) {
  HWY_DYNAMIC_DISPATCH(BinBlockDouble8)(block);
}
void bin_block(const BinningBlock<float, std::uint16_t>& block) {
  HWY_DYNAMIC_DISPATCH(BinBlockFloat16)(block);
}
void bin_block(const BinningBlock<double, std::uint16_t>& block) {
  HWY_DYNAMIC_DISPATCH(BinBlockDouble16)(block);
}
}  // namespace
}  // namespace cpu

namespace tree {
namespace {

template <Real T>
class CpuBinning final : public BinningSteps<T> {
 public:
  explicit CpuBinning(Engine& engine) : engine_(engine) {}

  void bin_rows(const CutsOnEngine<T>& cuts, const Buffer<T>& x, Index rows,
                Buffer<std::uint8_t>& by_row, Buffer<std::uint8_t>& by_column) override {
    if (cuts.bin_bytes == 1) {
      bin_into<std::uint8_t>(cuts, x, rows, by_row, by_column);
    } else {
      bin_into<std::uint16_t>(cuts, x, rows, by_row, by_column);
    }
  }

 private:
  template <class Bin>
  void bin_into(const CutsOnEngine<T>& cuts, const Buffer<T>& x, Index rows,
                Buffer<std::uint8_t>& by_row, Buffer<std::uint8_t>& by_column) {
    const Index stride = binned_stride(cuts.features);
    auto* to_rows = reinterpret_cast<Bin*>(by_row.data());
    auto* to_columns = by_column.empty() ? nullptr : reinterpret_cast<Bin*>(by_column.data());
    parallel_pieces(engine_.threads(), rows, cpu::binning_rows, [&](Piece piece) {
      visit_elements(x.data() + piece.begin * cuts.features, piece.size() * cuts.features);
      visit_elements(to_rows + piece.begin * stride, piece.size() * stride,
                     external::Access::write);
      cpu::bin_block(cpu::BinningBlock<T, Bin>{
          x.data() + piece.begin * cuts.features, piece.size(), cuts.features, stride,
          cuts.thresholds.data(), cuts.first.data(), cuts.missing.data(),
          to_rows + piece.begin * stride,
          to_columns == nullptr ? nullptr : to_columns + piece.begin, rows});
    });
  }

  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<BinningSteps<T>> BinningSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuBinning<T>>(engine);
}
template std::unique_ptr<BinningSteps<float>> BinningSteps<float>::make_cpu(Engine&);
template std::unique_ptr<BinningSteps<double>> BinningSteps<double>::make_cpu(Engine&);

}  // namespace tree
}  // namespace tandem
#endif
