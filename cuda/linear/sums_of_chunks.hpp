// Long sums over rows that are gone through in chunks of whole blocks.
#pragma once

#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {

// Takes the sums of the blocks of one chunk after the other, which may be all of them. One object
// serves one algorithm's steps; its device memory is kept between passes.
class SumsOfChunks {
 public:
  explicit SumsOfChunks(CudaEngine& engine) : engine_(engine), pieces_(engine) {}

  // sums[b·columns + c]: of the blocks first .. first + count − 1 of `all` blocks; they come in
  // ascending order. With the last ones, total[c] becomes the long sum over all blocks. Overwrites
  // `sums`. Enqueues.
  void add(double* sums, Index first, Index count, Index all, Index columns, double* total) {
    if (count == all) {
      add_block_sums(engine_, sums, count, columns, total);
      return;
    }
    if (first == 0) pieces_.begin(columns);
    pieces_.add(sums, count);
    if (first + count == all) pieces_.finish(total);
  }

 private:
  CudaEngine& engine_;
  PiecewiseSums pieces_;
};

}  // namespace tandem::cuda
