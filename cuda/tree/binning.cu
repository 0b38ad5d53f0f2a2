// Values to bins on a GPU.
#include "core/steps.hpp"
#include "core/tree/binning_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/pieces.hpp"

namespace tandem::cuda {
namespace {

// A thread per element of by_row, padding included: reads and the row-wise write are coalesced, the
// column-wise write is of neighbours `rows` apart. Bytes: bin_rows_bytes(); thresholds come from
// the cache. CPU twin: BinBlock.
template <class T, class Bin>
__global__ void bin_rows_kernel(const T* __restrict__ x, Index rows, Index features, Index stride,
                                const T* __restrict__ thresholds, const Index* __restrict__ first,
                                const std::uint16_t* __restrict__ missing, Index first_row,
                                Index all_rows, Bin* __restrict__ by_row,
                                Bin* __restrict__ by_column) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= rows * stride) return;
  const Index i = e / stride;
  const Index j = e % stride;
  Bin bin = 0;
  if (j < features) {
    const T value = x[i * features + j];
    const auto padded = static_cast<std::int32_t>(first[j + 1] - first[j]);
    bin = static_cast<Bin>(
        value != value ? missing[j] : tree::thresholds_below(thresholds + first[j], padded, value));
    if (by_column != nullptr) by_column[j * all_rows + first_row + i] = bin;
  }
  by_row[first_row * stride + e] = bin;
}

template <Real T>
class CudaBinning final : public tree::BinningSteps<T> {
 public:
  explicit CudaBinning(Engine& engine) : engine_(cuda_engine(engine)), pieces_(engine_) {}

  void bin_rows(const tree::CutsOnEngine<T>& cuts, const Buffer<T>& x, Index rows,
                Buffer<std::uint8_t>& by_row, Buffer<std::uint8_t>& by_column) override {
    if (cuts.bin_bytes == 1) {
      bin_into<std::uint8_t>(cuts, x, rows, by_row, by_column);
    } else {
      bin_into<std::uint16_t>(cuts, x, rows, by_row, by_column);
    }
  }

 private:
  template <class Bin>
  void bin_into(const tree::CutsOnEngine<T>& cuts, const Buffer<T>& x, Index rows,
                Buffer<std::uint8_t>& by_row, Buffer<std::uint8_t>& by_column) {
    const Index stride = binned_stride(cuts.features);
    const unsigned threads = engine_.block_threads(256);
    pieces_.for_each_piece(
        x.data(), rows, cuts.features, [&](Index first, Index count, const T* piece) {
          engine_.launch(bin_rows_kernel<T, Bin>,
                         {.grid = dim3(static_cast<unsigned>(blocks_for(count * stride, threads))),
                          .block = dim3(threads)},
                         piece, count, cuts.features, stride, cuts.thresholds.data(),
                         cuts.first.data(), cuts.missing.data(), first, rows,
                         reinterpret_cast<Bin*>(by_row.data()),
                         by_column.empty() ? nullptr : reinterpret_cast<Bin*>(by_column.data()));
        });
  }

  CudaEngine& engine_;
  PieceStream pieces_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_binning_float32(tandem::Engine& engine) {
  return static_cast<tandem::tree::BinningSteps<float>*>(
      new tandem::cuda::CudaBinning<float>(engine));
}
void* tandem_cuda_binning_float64(tandem::Engine& engine) {
  return static_cast<tandem::tree::BinningSteps<double>*>(
      new tandem::cuda::CudaBinning<double>(engine));
}
}
