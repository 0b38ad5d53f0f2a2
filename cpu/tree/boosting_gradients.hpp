// Gradients and losses of blocks of rows with SIMD: what the CPU's steps of boosting call.
#pragma once

#include <cstdint>

#include "core/tree/boosting_gain.hpp"
#include "core/tree/boosting_loss.hpp"

namespace tandem::cpu {

// Rows first .. first + rows − 1 of n.
template <class T>
struct GradientBlock {
  tree::LossRules<T> loss;
  const T* scores;   // of the first row, rows × outputs
  const T* target;   // of the first row
  const T* weights;  // of the first row, or null
  Index rows;        // at most sum_block
  T* gradients;      // of the first row; outputs are `all_rows` apart
  T* hessians;       // the same, or null where they are all 1
  Index all_rows;
  T* most;  // outputs × 2: max |g| and max h, NaN where there is one; raised
};
void compute_gradients(const GradientBlock<float>& block);
void compute_gradients(const GradientBlock<double>& block);

// Σ w·loss over one block of a long sum.
double block_loss(const GradientBlock<float>& block);
double block_loss(const GradientBlock<double>& block);

// words[i] of rows 0 .. rows − 1, and where wide extra[i]; adds to the sums.
template <class T>
struct PackBlock {
  tree::GradientPacking packing;
  const T* gradients;
  const T* hessians;  // or null
  Index rows;
  std::int64_t* words;
  std::int64_t* extra;
  std::int64_t g;
  std::int64_t h;
  std::int64_t magnitudes;
};
void pack(PackBlock<float>& block);
void pack(PackBlock<double>& block);

}  // namespace tandem::cpu
