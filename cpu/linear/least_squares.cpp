// Householder reflections of blocks of sum_block rows, each in cache as columns of doubles. The
// update of a column by one reflection and its product with the next one are one pass.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/linear/least_squares.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/external_memory.hpp"
#include "core/linear/least_squares_steps.hpp"
#include "core/linear/linear_loss.hpp"
#include "core/watched_loop.hpp"
#include "cpu/simd-inl.hpp"
#include "tandem/core/stop_scope.hpp"

#ifndef TANDEM_CPU_LINEAR_LEAST_SQUARES_CPP
#define TANDEM_CPU_LINEAR_LEAST_SQUARES_CPP
namespace tandem::cpu {

// Doubles from one column of a block to the next: a cache line more than a block has rows, so that
// the columns that are read together do not fall into the same cache sets.
inline constexpr Index column_stride = sum_block + 8;

// Of the first `count` reflections of a block by which `columns` columns are updated.
inline double update_work(Index rows, Index columns, Index count) {
  return static_cast<double>(rows) * static_cast<double>(count) *
         (static_cast<double>(columns) - 0.5 * static_cast<double>(count - 1));
}
inline double update_work(Index rows, Index columns) { return update_work(rows, columns, columns); }

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(D()));
constexpr Index parts = sum_lanes / lanes;
// Columns that are updated together: as many as leave their sums in registers.
constexpr int tile = parts <= 4 ? 2 : 1;

HWY_INLINE double SumLanes(const V* acc) {
  HWY_ALIGN double lane[sum_lanes];
  for (Index v = 0; v < parts; ++v) hn::StoreU(acc[v], D(), lane + v * lanes);
  return add_lanes(lane);
}

// products[c] ← Σ_i v_i·b_ic for `count` neighbouring columns.
template <int count>
HWY_INLINE void Products(const double* v, const double* b, Index rows, double* products) {
  const D d;
  V acc[count][parts];
  for (int c = 0; c < count; ++c) {
    for (Index k = 0; k < parts; ++k) acc[c][k] = hn::Zero(d);
  }
  for (Index i = 0; i < rows; i += sum_lanes) {
    for (Index k = 0; k < parts; ++k) {
      const V x = hn::Load(d, v + i + k * lanes);
      for (int c = 0; c < count; ++c) {
        acc[c][k] = Fma(d, x, hn::Load(d, b + c * column_stride + i + k * lanes), acc[c][k]);
      }
    }
  }
  for (int c = 0; c < count; ++c) products[c] = SumLanes(acc[c]);
}

// b_c ← b_c − f_c·v, then products[c] ← Σ_i next_i·b_ic; next may be b itself (count 1).
template <int count>
HWY_INLINE void Reflect(const double* v, const double* f, const double* next, double* b, Index rows,
                        double* products) {
  const D d;
  V acc[count][parts];
  V factor[count];
  for (int c = 0; c < count; ++c) {
    factor[c] = hn::Set(d, -f[c]);
    for (Index k = 0; k < parts; ++k) acc[c][k] = hn::Zero(d);
  }
  for (Index i = 0; i < rows; i += sum_lanes) {
    for (Index k = 0; k < parts; ++k) {
      const Index at = i + k * lanes;
      const V x = hn::Load(d, v + at);
      for (int c = 0; c < count; ++c) {
        const V updated = Fma(d, factor[c], x, hn::Load(d, b + c * column_stride + at));
        hn::Store(updated, d, b + c * column_stride + at);
        acc[c][k] = Fma(d, next == b ? updated : hn::Load(d, next + at), updated, acc[c][k]);
      }
    }
  }
  for (int c = 0; c < count; ++c) products[c] = SumLanes(acc[c]);
}

// Updates R, p × p row-major, by the rows of B: p columns, column_stride apart, of which `rows`, a
// multiple of sum_lanes, are used. Where B is triangular column k has only its first k + 1 rows.
// products and factors: p doubles each. `loop` is told of update_work(rows, p).
void UpdateFactor(double* r, Index p, double* b, Index rows, bool triangular, double* products,
                  double* factors, WatchedLoop& loop) {
  const auto used = [&](Index k) {
    return triangular ? std::min(rows, (k + sum_lanes) / sum_lanes * sum_lanes) : rows;
  };
  Products<1>(b, b, used(0), products);
  for (Index j = 1; j < p; ++j) Products<1>(b, b + j * column_stride, used(0), products + j);
  for (Index k = 0; k < p; ++k) {
    StopScope::check();
    constexpr Index told_of = 64;  // reflections at a time
    if (k % told_of == 0 && k > 0) loop.done(update_work(rows, p - k + told_of, told_of));
    const double* v = b + k * column_stride;
    double* row = r + k * p;
    const double squares = products[k];
    std::fill(factors + k, factors + p, 0.0);
    // Written so that a NaN goes on.
    if (!(squares < least_squares_negligible)) {
      const double norm = std::sqrt(std::fma(row[k], row[k], squares));
      const double head = row[k] + std::copysign(norm, row[k]);
      const double scale = 1 / (norm * std::abs(head));
      for (Index j = k + 1; j < p; ++j) {
        factors[j] = std::fma(head, row[j], products[j]) * scale;
        row[j] = std::fma(-factors[j], head, row[j]);
      }
      row[k] = -std::copysign(norm, row[k]);
    }
    if (k + 1 == p) {
      loop.done(update_work(rows, k % told_of + 1));
      break;
    }
    double* next = b + (k + 1) * column_stride;
    // The next reflection reaches one row further down a triangle; what this one left unchanged
    // there is multiplied by zeros of v.
    const Index reach = used(k + 1);
    Reflect<1>(v, factors + k + 1, next, next, reach, products + k + 1);
    Index j = k + 2;
    for (; j + tile <= p; j += tile) {
      Reflect<tile>(v, factors + j, next, b + j * column_stride, reach, products + j);
    }
    for (; j < p; ++j) Reflect<1>(v, factors + j, next, b + j * column_stride, reach, products + j);
  }
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(UpdateFactor);
}

// Columns of sum_block doubles and two rows of p, aligned to cache lines, kept from call to call.
double* factor_scratch(Index p) {
  thread_local std::vector<double> memory;
  const auto size = static_cast<std::size_t>(p * column_stride + 2 * p + 8);
  if (memory.size() < size) memory.resize(size);
  return reinterpret_cast<double*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 *
                                   64);
}

void update_factor(double* r, Index p, double* b, Index rows, bool triangular, WatchedLoop& loop) {
  double* products = b + p * column_stride;
  HWY_DYNAMIC_DISPATCH(UpdateFactor)(r, p, b, rows, triangular, products, products + p, loop);
}
}  // namespace cpu

namespace {

using cpu::column_stride;

// A NaN of R is the one NaN.
void tidy(double* r, Index p) {
  for (Index e = 0; e < p * p; ++e) r[e] = linear::with_one_nan(r[e]);
}

constexpr Index padded(Index rows) { return (rows + sum_lanes - 1) / sum_lanes * sum_lanes; }

template <Real T>
class CpuLeastSquares final : public LeastSquaresSteps<T> {
 public:
  explicit CpuLeastSquares(Engine& engine) : engine_(engine) {}

  void factor(const RowsView<T>& rows, Index count, bool intercept, Index first_group,
              Buffer<double>& factors) override {
    const Index p = least_squares_columns(rows.features, intercept);
    const Index group = least_squares_group(p);
    WatchedLoop loop(cpu::update_work(count, p));
    parallel_for(engine_.threads(), pieces(count, group), [&](Index g) {
      double* r = factors.data() + (first_group + g) * p * p;
      std::fill_n(r, p * p, 0.0);
      const Piece all = piece_of(count, group, g);
      double* b = cpu::factor_scratch(p);
      for (Index begin = all.begin; begin < all.end; begin += sum_block) {
        const Index used = std::min(sum_block, all.end - begin);
        visit_elements(rows.x + begin * rows.stride, used * rows.stride);
        load_block(rows, begin, used, intercept, p, b);
        cpu::update_factor(r, p, b, padded(used), false, loop);
      }
      tidy(r, p);
    });
  }

  void merge(Index first, Index groups, Index p, Buffer<double>& factors) override {
    for (Index distance = 1; distance < groups; distance *= 2) {
      const Index pairs = (groups - distance + 2 * distance - 1) / (2 * distance);
      // One thread where waking the others would take longer than the work.
      constexpr Index least_products = Index{1} << 22;
      const int threads = pairs * p * p * p < least_products ? 1 : engine_.threads();
      WatchedLoop loop(static_cast<double>(pairs) * cpu::update_work(p, p));
      parallel_for(threads, pairs, [&](Index pair) {
        double* into = factors.data() + (first + 2 * pair * distance) * p * p;
        const double* from = into + distance * p * p;
        double* b = cpu::factor_scratch(p);
        // A factor of more rows than a block is merged block by block; only the first of them can
        // use that what is below the diagonal is zero.
        for (Index begin = 0; begin < p; begin += sum_block) {
          const Index used = std::min(sum_block, p - begin);
          for (Index j = 0; j < p; ++j) {
            double* column = b + j * column_stride;
            for (Index i = 0; i < used; ++i) column[i] = from[(begin + i) * p + j];
            std::fill(column + used, column + padded(used), 0.0);
          }
          cpu::update_factor(into, p, b, padded(used), begin == 0, loop);
        }
        tidy(into, p);
      });
    }
  }

 private:
  static void load_block(const RowsView<T>& rows, Index begin, Index count, bool intercept, Index p,
                         double* b) {
    double scale[sum_block];
    for (Index i = 0; i < count; ++i) {
      scale[i] =
          rows.weights == nullptr ? 1.0 : std::sqrt(static_cast<double>(rows.weights[begin + i]));
    }
    double* columns = b + (intercept ? column_stride : 0);
    constexpr Index strip = 8;  // doubles in a cache line
    for (Index first = 0; first < count; first += strip) {
      const Index last = std::min(first + strip, count);
      for (Index i = first; i < last; ++i) {
        const T* row = rows.x + (begin + i) * rows.stride;
        for (Index j = 0; j < rows.features; ++j) {
          columns[j * column_stride + i] = scale[i] * static_cast<double>(row[j]);
        }
      }
    }
    double* target = b + (p - 1) * column_stride;
    for (Index i = 0; i < count; ++i) {
      if (intercept) b[i] = scale[i];
      target[i] = scale[i] * static_cast<double>(rows.target[begin + i]);
    }
    for (Index j = 0; j < p; ++j) {
      std::fill(b + j * column_stride + count, b + j * column_stride + padded(count), 0.0);
    }
  }

  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<LeastSquaresSteps<T>> LeastSquaresSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuLeastSquares<T>>(engine);
}
template std::unique_ptr<LeastSquaresSteps<float>> LeastSquaresSteps<float>::make_cpu(Engine&);
template std::unique_ptr<LeastSquaresSteps<double>> LeastSquaresSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif
