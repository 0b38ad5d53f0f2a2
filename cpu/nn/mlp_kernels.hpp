// The perceptron's kernels on the CPU, each for a range of rows or columns: what cpu/nn/mlp.cpp
// hands out to threads. Compiled once per instruction set, chosen when called.
#pragma once

#include <cstdint>

#include "core/nn/mlp_steps.hpp"

namespace tandem::cpu {

template <class T>
struct Activate {
  Activation activation;
  Index width;
  const T* scale;
  const T* shift;
  const MlpDropout* dropout;
  const T* z;
  T* a;
  T* slope;
};
// mlp_activation.cpp: rows begin .. end − 1.
template <Real T>
void activate_rows(const Activate<T>& p, Index begin, Index end);

// d ← d ∘ slope where slope is given, and, where db is, the sums of the columns, for the columns
// begin .. end − 1. mlp_activation.cpp.
void activation_gradient_columns(Index rows, Index width, const float* slope, float* d, float* db,
                                 Index begin, Index end);
void activation_gradient_columns(Index rows, Index width, const double* slope, double* d,
                                 double* db, Index begin, Index end);

template <class T>
struct Normalize {
  Index rows;
  Index width;
  double epsilon;
  double momentum;
  const T* normalized;  // backwards
  const T* scale;       // backwards
  T* z;                 // du and dz backwards
  T* inverse;           // written forwards, read backwards
  T* running_mean;
  T* running_variance;
  T* scale_gradient;
  T* shift_gradient;
};
// mlp_normalize.cpp: columns begin .. end − 1.
template <Real T>
void normalize_columns(const Normalize<T>& p, Index begin, Index end);
template <Real T>
void normalize_columns_backward(const Normalize<T>& p, Index begin, Index end);

template <class T>
struct Loss {
  MlpOutput output;
  MlpLoss loss;
  bool gradient;
  Index rows;
  Index width;
  const T* bias;
  MlpTargets<T> targets;
  const Index* order;
  T* z;
  double* row_losses;   // weight·loss of each row
  std::uint8_t* right;  // whether its most probable class is right
};
// mlp_loss.cpp: rows begin .. end − 1.
template <Real T>
void output_rows(const Loss<T>& p, Index begin, Index end);
template <Real T>
void loss_rows(const Loss<T>& p, Index begin, Index end);

// mlp_rows.cpp: out(r, ·) = x(order[r], ·) for the rows begin .. end − 1.
template <Real T>
void gather_rows(const T* x, Index cols, const Index* order, T* out, Index begin, Index end);
// to[p] for the places of the blocks begin .. end − 1 of an epoch (MlpSteps::order_rows).
void order_blocks(const RowOrder& order, const Index* from, Index* to, Index begin, Index end);

}  // namespace tandem::cpu
