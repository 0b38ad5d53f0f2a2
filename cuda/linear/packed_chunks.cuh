// Going over packed rows, which may not fit into the device's memory, in chunks of whole blocks,
// and adding up what their blocks sum to.
#pragma once

#include <algorithm>

#include "core/linear/linear_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/pieces.hpp"
#include "cuda/linear/sums_of_chunks.hpp"

namespace tandem::cuda {

// Consecutive blocks of packed rows in device memory.
template <Real T>
struct Rows {
  const T* x;
  const T* target;
  const T* weights;  // null: 1 each
  Index rows;
  Index features;
};

__device__ inline Index rows_of_block(Index rows, Index block) {
  const Index left = rows - block * sum_block;
  return left < sum_block ? left : sum_block;
}
inline constexpr Index most_grid_x = (Index{1} << 31) - 1;
inline constexpr Index most_grid_y = 65535;

// A dimension of a grid.
[[nodiscard]] inline unsigned whole(Index blocks) { return static_cast<unsigned>(blocks); }

// Enlarges a buffer that is kept from call to call.
template <class U>
void reserve(CudaEngine& engine, Buffer<U>& buffer, Index size) {
  if (buffer.size() < size) buffer = Buffer<U>(engine, size);
}

// One object serves one algorithm's steps; its device memory is kept between passes.
template <Real T>
class PackedChunks {
 public:
  explicit PackedChunks(CudaEngine& engine) : engine_(engine), stream_(engine), chunks_(engine) {}

  [[nodiscard]] CudaEngine& engine() noexcept { return engine_; }

  // Calls use(rows, first block, blocks) for consecutive chunks of whole blocks in device memory,
  // of at most most_blocks and as many as fit the workspace at bytes_per_block. `kept` bytes of
  // that are there already.
  template <class Use>
  void for_each(const PackedRows<T>& all, Index bytes_per_block, Index most_blocks,
                std::size_t kept, Use&& use) {
    const Index d = all.features;
    // Less than what the rows that are streamed leave.
    const auto workspace = static_cast<Index>(
        std::min(std::size_t{64} << 20, (engine_.free_memory() + partial_.bytes() + kept) / 4));
    const Index at_once =
        std::max<Index>(1, std::min(most_blocks, workspace / std::max<Index>(1, bytes_per_block)));
    stream_.for_each_piece(all.x.data(), PackedRows<T>::blocks(all.rows), d * packed_stride,
                           [&](Index first, Index units, const T* x) {
                             for (Index begin = 0; begin < units; begin += at_once) {
                               const Index blocks = std::min(at_once, units - begin);
                               const Index row = (first + begin) * sum_block;
                               use(Rows<T>{x + begin * d * packed_stride, all.target.data() + row,
                                           all.weights.empty() ? nullptr : all.weights.data() + row,
                                           std::min(all.rows - row, blocks * sum_block), d},
                                   first + begin, blocks);
                             }
                           });
  }

  // The same where every chunk gives sums: use(rows, blocks, partial) leaves `columns` sums of each
  // block in partial. Returns the long sums over all rows, in device memory, until the next call.
  template <class Use>
  [[nodiscard]] const double* sums(const PackedRows<T>& all, Index columns, Index bytes_per_block,
                                   Index most_blocks, std::size_t kept, Use&& use) {
    reserve(engine_, sums_, columns);
    if (all.rows == 0) sums_.fill_zero();
    for_each(all, columns * 8 + bytes_per_block, most_blocks, kept,
             [&](const Rows<T>& in, Index first, Index blocks) {
               reserve(engine_, partial_, blocks * columns);
               use(in, blocks, partial_.data());
               chunks_.add(partial_.data(), first, blocks, PackedRows<T>::blocks(all.rows), columns,
                           sums_.data());
             });
    return sums_.data();
  }

 private:
  CudaEngine& engine_;
  PieceStream stream_;
  SumsOfChunks chunks_;
  Buffer<double> partial_;  // blocks × columns
  Buffer<double> sums_;     // columns
};

}  // namespace tandem::cuda
