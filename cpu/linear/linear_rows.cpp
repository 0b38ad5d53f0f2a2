// Packing, drawing, measuring and standardising rows, block by block.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/linear/linear_rows.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/linear/linear_loss.hpp"
#include "core/parallel.hpp"
#include "cpu/linear/linear_rows.hpp"
#include "cpu/linear/rows-inl.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// The long sums, over one block, of w, w·x and w·(x − centre)²: of w where x is null.
template <class T>
void MomentBlock(const T* x, const T* weights, Index rows, double centre, bool squares,
                 double* sum) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  constexpr Index parts = sum_lanes / lanes;
  V acc[parts];
  for (Index v = 0; v < parts; ++v) acc[v] = hn::Zero(d);
  const V middle = hn::Set(d, centre);
  const Index whole = rows / sum_lanes * sum_lanes;
  for (Index i = 0; i < whole; i += sum_lanes) {
    for (Index v = 0; v < parts; ++v) {
      const Index at = i + v * lanes;
      V term = hn::Sub(LoadDoubles(d, x + at), middle);
      if (squares) term = hn::Mul(term, term);
      if (weights != nullptr) term = hn::Mul(LoadDoubles(d, weights + at), term);
      acc[v] = hn::Add(acc[v], term);
    }
  }
  HWY_ALIGN double lane[sum_lanes];
  for (Index v = 0; v < parts; ++v) hn::StoreU(acc[v], d, lane + v * lanes);
  for (Index i = whole; i < rows; ++i) {
    double term = static_cast<double>(x[i]) - centre;
    if (squares) term = term * term;
    if (weights != nullptr) term = static_cast<double>(weights[i]) * term;
    lane[i - whole] += term;
  }
  *sum = add_lanes(lane);
}

void MomentBlockFloat(const float* x, const float* weights, Index rows, double centre, bool squares,
                      double* sum) {
  MomentBlock(x, weights, rows, centre, squares, sum);
}
void MomentBlockDouble(const double* x, const double* weights, Index rows, double centre,
                       bool squares, double* sum) {
  MomentBlock(x, weights, rows, centre, squares, sum);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {
namespace {
HWY_EXPORT(MomentBlockFloat);
HWY_EXPORT(MomentBlockDouble);

template <class T>
double moment_block(const T* x, const T* weights, Index rows, double centre, bool squares) {
  double sum = 0;
  if constexpr (sizeof(T) == 4) {
    HWY_DYNAMIC_DISPATCH(MomentBlockFloat)(x, weights, rows, centre, squares, &sum);
  } else {
    HWY_DYNAMIC_DISPATCH(MomentBlockDouble)(x, weights, rows, centre, squares, &sum);
  }
  return sum;
}

// Rows source(0) .. source(count − 1) become block b; zeros follow.
template <Real T, class Source>
void fill_block(const RowsView<T>& from, Index count, PackedRows<T>& to, Index b, Source&& source) {
  const Index d = to.features;
  T* block = to.x.data() + b * d * packed_stride;
  // So many rows at a time that a cache line of each column is completed before it is left.
  constexpr Index strip = 64 / static_cast<Index>(sizeof(T));
  for (Index begin = 0; begin < count; begin += strip) {
    const Index end = std::min(begin + strip, count);
    for (Index i = begin; i < end; ++i) {
      const T* row = from.x + source(i) * from.stride;
      for (Index j = 0; j < d; ++j) block[j * packed_stride + i] = row[j];
    }
  }
  const bool has_target = from.target != nullptr;
  const bool has_weights = from.weights != nullptr && !to.weights.empty();
  for (Index i = 0; i < count; ++i) {
    if (has_target) to.target.data()[b * sum_block + i] = from.target[source(i)];
    if (has_weights) to.weights.data()[b * sum_block + i] = from.weights[source(i)];
  }
  if (count == sum_block) return;
  for (Index j = 0; j < d; ++j) {
    std::fill(block + j * packed_stride + count, block + j * packed_stride + sum_block, T{0});
  }
  const auto clear = [&](Buffer<T>& values) {
    if (!values.empty()) {
      std::fill(values.data() + b * sum_block + count, values.data() + (b + 1) * sum_block, T{0});
    }
  };
  clear(to.target);
  clear(to.weights);
}

}  // namespace

template <Real T>
void pack_rows(int threads, const RowsView<T>& from, Index count, Index at, PackedRows<T>& to) {
  const Index first_block = at / sum_block;
  parallel_for(threads, pieces(count, sum_block), [&](Index b) {
    const Piece piece = piece_of(count, sum_block, b);
    visit_elements(from.x + piece.begin * from.stride, piece.size() * from.stride);
    visit_block(to, first_block + b, external::Access::write);
    fill_block(from, piece.size(), to, first_block + b, [&](Index i) { return piece.begin + i; });
  });
}

template <Real T>
void gather_rows(int threads, const RowsView<T>& from, const RandomPermutation& order, Index first,
                 Index count, PackedRows<T>& batch) {
  batch.rows = count;
  parallel_for(threads_for(threads, batch, 1), pieces(count, sum_block), [&](Index b) {
    const Piece piece = piece_of(count, sum_block, b);
    Index source[sum_block];
    for (Index i = 0; i < piece.size(); ++i) source[i] = order(first + piece.begin + i);
    fill_block(from, piece.size(), batch, b, [&](Index i) { return source[i]; });
  });
}

template <Real T>
void moments_of_rows(int threads, const PackedRows<T>& rows, Buffer<double>& moments) {
  const Index d = rows.features;
  const Index blocks = PackedRows<T>::blocks(rows.rows);
  std::vector<double> weight_of_block(static_cast<std::size_t>(std::max<Index>(1, blocks)));
  if (rows.weights.empty()) {
    for (Index b = 0; b < blocks; ++b) {
      weight_of_block[static_cast<std::size_t>(b)] =
          static_cast<double>(piece_of(rows.rows, sum_block, b).size());
    }
  } else {
    parallel_for(threads, blocks, [&](Index b) {
      weight_of_block[static_cast<std::size_t>(b)] =
          moment_block<T>(rows.weights.data() + b * sum_block, nullptr,
                          piece_of(rows.rows, sum_block, b).size(), 0.0, false);
    });
  }
  add_block_sums(weight_of_block.data(), blocks);
  const double total = weight_of_block[0];
  std::vector<double> partial(static_cast<std::size_t>(std::max<Index>(1, blocks) * (d + 1)));
  std::vector<double> centre(static_cast<std::size_t>(d + 1), 0.0);
  for (const bool squares : {false, true}) {
    parallel_for(threads, blocks, [&](Index b) {
      const T* weights = rows.weights.empty() ? nullptr : rows.weights.data() + b * sum_block;
      visit_block(rows, b);
      for (Index j = 0; j <= d; ++j) {
        const T* x = j < d ? rows.x.data() + (b * d + j) * packed_stride
                           : rows.target.data() + b * sum_block;
        partial[static_cast<std::size_t>(b * (d + 1) + j)] =
            moment_block<T>(x, weights, piece_of(rows.rows, sum_block, b).size(),
                            centre[static_cast<std::size_t>(j)], squares);
      }
    });
    add_block_sums(partial.data(), blocks, d + 1);
    for (Index j = 0; j <= d; ++j) {
      const double sum = partial[static_cast<std::size_t>(j)];
      if (squares) {
        moments.data()[d + 1 + j] = linear::with_one_nan(std::sqrt(sum / total));
      } else {
        moments.data()[j] = linear::with_one_nan(sum / total);
        centre[static_cast<std::size_t>(j)] = sum / total;
      }
    }
  }
  moments.data()[2 * d + 2] = linear::with_one_nan(total);
}

template <Real T>
void standardise_rows(int threads, const Buffer<double>& centre, const Buffer<double>& factor,
                      PackedRows<T>& rows) {
  const Index d = rows.features;
  parallel_for(threads_for(threads, rows, 1), PackedRows<T>::blocks(rows.rows), [&](Index b) {
    const Index count = piece_of(rows.rows, sum_block, b).size();
    visit_block(rows, b, external::Access::write);
    for (Index j = 0; j <= d; ++j) {
      T* x =
          j < d ? rows.x.data() + (b * d + j) * packed_stride : rows.target.data() + b * sum_block;
      const double middle = centre.data()[j];
      const double scale = factor.data()[j];
      for (Index i = 0; i < count; ++i) {
        x[i] = linear::with_one_nan(static_cast<T>((static_cast<double>(x[i]) - middle) * scale));
      }
    }
  });
}

template void pack_rows(int, const RowsView<float>&, Index, Index, PackedRows<float>&);
template void pack_rows(int, const RowsView<double>&, Index, Index, PackedRows<double>&);
template void gather_rows(int, const RowsView<float>&, const RandomPermutation&, Index, Index,
                          PackedRows<float>&);
template void gather_rows(int, const RowsView<double>&, const RandomPermutation&, Index, Index,
                          PackedRows<double>&);
template void moments_of_rows(int, const PackedRows<float>&, Buffer<double>&);
template void moments_of_rows(int, const PackedRows<double>&, Buffer<double>&);
template void standardise_rows(int, const Buffer<double>&, const Buffer<double>&,
                               PackedRows<float>&);
template void standardise_rows(int, const Buffer<double>&, const Buffer<double>&,
                               PackedRows<double>&);

}  // namespace tandem::cpu
#endif
