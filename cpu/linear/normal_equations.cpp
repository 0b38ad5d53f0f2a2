// Products of the columns of the rows, block by block. Rows are brought into a strip of doubles
// that stays in the first-level cache, in which SIMD lanes run over the columns; a tile of products
// is in registers while the rows of the strip go by.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/linear/normal_equations.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/external_memory.hpp"
#include "core/linear/linear_loss.hpp"
#include "core/linear/normal_equations_steps.hpp"
#include "core/parallel.hpp"
#include "core/sum_trees.hpp"
#include "cpu/linear/rows-inl.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_LINEAR_NORMAL_EQUATIONS_CPP
#define TANDEM_CPU_LINEAR_NORMAL_EQUATIONS_CPP
namespace tandem::cpu {

// The columns of a strip are padded with zeros to whole vectors of the widest set.
inline constexpr Index widest = 8;

// One thread's memory for the products of a block of p columns.
struct ProductScratch {
  Index columns;  // p
  Index padded;   // p rounded up to whole vectors
  // Doubles from one row of a strip, and of the products, to the next: an odd number of cache
  // lines, so that the rows of a tile do not fall into the same sets of a cache.
  Index pitch;
  Index strip_rows;
  const double* centre;
  double* t;         // strip_rows × pitch
  double* q;         // the same times the rows' weights; t itself where there are none
  double* products;  // padded × pitch
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(D()));
// A tile is tile_rows × up to 3 vectors of products: 24 of AVX-512's 32 registers, 12 of the
// others' 16. Its first row is the first lane of a vector.
constexpr int tile_rows = lanes == 8 ? 8 : 4;
constexpr int tile_vectors = 3;
static_assert(tile_rows % lanes == 0 || lanes == 8);

// t ← the values of one row less the centre.
template <class T>
HWY_INLINE void StageFeatures(const T* HWY_RESTRICT x, const double* HWY_RESTRICT centre, Index d,
                              double* HWY_RESTRICT t) {
  const D tag;
  Index j = 0;
  for (; j + lanes <= d; j += lanes) {
    hn::StoreU(hn::Sub(LoadDoubles(tag, x + j), hn::LoadU(tag, centre + j)), tag, t + j);
  }
  if (j == d) return;
  if (d >= lanes) {
    // The last vector overlaps the one before it.
    j = d - lanes;
    hn::StoreU(hn::Sub(LoadDoubles(tag, x + j), hn::LoadU(tag, centre + j)), tag, t + j);
    return;
  }
  for (; j < d; ++j) t[j] = static_cast<double>(x[j]) - centre[j];
}

// The rows begin .. begin + count − 1 as a strip.
template <class T>
HWY_INLINE void StageRows(const RowsView<T>& rows, Index begin, Index count,
                          const ProductScratch& scratch) {
  const D tag;
  const Index d = rows.features;
  const double middle = scratch.centre[d];
  for (Index r = 0; r < count; ++r) {
    double* t = scratch.t + r * scratch.pitch;
    StageFeatures(rows.x + (begin + r) * rows.stride, scratch.centre, d, t);
    t[d] = static_cast<double>(rows.target[begin + r]) - middle;
    if (d + 1 < scratch.columns) t[d + 1] = 1.0;
  }
  if (rows.weights == nullptr) return;
  for (Index r = 0; r < count; ++r) {
    const V weight = hn::Set(tag, static_cast<double>(rows.weights[begin + r]));
    const double* t = scratch.t + r * scratch.pitch;
    double* q = scratch.q + r * scratch.pitch;
    for (Index j = 0; j < scratch.padded; j += lanes) {
      hn::Store(hn::Mul(weight, hn::Load(tag, t + j)), tag, q + j);
    }
  }
}

// products[a][v] ← products[a][v] + Σ_r q_ra·t_rv, rows ascending, for tile_rows columns a and
// `vectors` vectors v of columns.
template <int vectors>
HWY_INLINE void AddTile(const double* HWY_RESTRICT q, const double* HWY_RESTRICT t, Index rows,
                        Index pitch, double* HWY_RESTRICT products) {
  const D tag;
  V sum[tile_rows][vectors];
#pragma GCC unroll 8
  for (int a = 0; a < tile_rows; ++a) {
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) sum[a][v] = hn::Load(tag, products + a * pitch + v * lanes);
  }
  for (Index r = 0; r < rows; ++r) {
    V x[vectors];
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) x[v] = hn::Load(tag, t + r * pitch + v * lanes);
#pragma GCC unroll 8
    for (int a = 0; a < tile_rows; ++a) {
      const V own = hn::Set(tag, q[r * pitch + a]);
#pragma GCC unroll 3
      for (int v = 0; v < vectors; ++v) sum[a][v] = Fma(tag, own, x[v], sum[a][v]);
    }
  }
#pragma GCC unroll 8
  for (int a = 0; a < tile_rows; ++a) {
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) hn::Store(sum[a][v], tag, products + a * pitch + v * lanes);
  }
}

// All products of a strip that the upper triangle needs.
void AddStrip(const ProductScratch& scratch, Index rows) {
  for (Index a = 0; a < scratch.columns; a += tile_rows) {
    const Index first = a / lanes * lanes;
    Index left = (scratch.padded - first) / lanes;
    Index groups = (left + tile_vectors - 1) / tile_vectors;
    const double* q = scratch.q + a;
    for (Index b = first; groups > 0; --groups) {
      // Alike in size: a tile of one vector would wait for its loads.
      const Index vectors = (left + groups - 1) / groups;
      double* products = scratch.products + a * scratch.pitch + b;
      const double* t = scratch.t + b;
      switch (vectors) {
        case 3: AddTile<3>(q, t, rows, scratch.pitch, products); break;
        case 2: AddTile<2>(q, t, rows, scratch.pitch, products); break;
        default: AddTile<1>(q, t, rows, scratch.pitch, products); break;
      }
      left -= vectors;
      b += vectors * lanes;
    }
  }
}

// The products of the rows begin .. end − 1, a block, into scratch.products.
template <class T>
void BlockProducts(const RowsView<T>& rows, Index begin, Index end, const ProductScratch& scratch) {
  std::fill_n(scratch.products, scratch.padded * scratch.pitch, 0.0);
  for (Index first = begin; first < end; first += scratch.strip_rows) {
    const Index count = std::min(scratch.strip_rows, end - first);
    StageRows(rows, first, count, scratch);
    AddStrip(scratch, count);
  }
}

void BlockProductsFloat(const RowsView<float>& rows, Index begin, Index end,
                        const ProductScratch& scratch) {
  BlockProducts(rows, begin, end, scratch);
}
void BlockProductsDouble(const RowsView<double>& rows, Index begin, Index end,
                         const ProductScratch& scratch) {
  BlockProducts(rows, begin, end, scratch);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(BlockProductsFloat);
HWY_EXPORT(BlockProductsDouble);

template <class T>
void block_products(const RowsView<T>& rows, Index begin, Index end,
                    const ProductScratch& scratch) {
  if constexpr (sizeof(T) == 4) {
    HWY_DYNAMIC_DISPATCH(BlockProductsFloat)(rows, begin, end, scratch);
  } else {
    HWY_DYNAMIC_DISPATCH(BlockProductsDouble)(rows, begin, end, scratch);
  }
}

// The calling thread's scratch, kept from call to call; all that is padding in it is zero.
ProductScratch product_scratch(Index columns, const double* centre, bool weighted) {
  thread_local std::vector<double> memory;
  ProductScratch scratch{};
  scratch.columns = columns;
  scratch.padded = (columns + widest - 1) / widest * widest;
  scratch.pitch = scratch.padded / widest % 2 == 1 ? scratch.padded : scratch.padded + widest;
  // About 16 KiB, but enough rows that loading and storing the products does not count.
  scratch.strip_rows = std::clamp<Index>(2048 / scratch.pitch, 64, sum_block);
  scratch.centre = centre;
  const Index strip = scratch.strip_rows * scratch.pitch;
  const Index square = scratch.padded * scratch.pitch;
  memory.assign(static_cast<std::size_t>((weighted ? 2 : 1) * strip + square + widest), 0.0);
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  scratch.t = memory.data() + ((address + 63) / 64 * 64 - address) / sizeof(double);
  scratch.q = weighted ? scratch.t + strip : scratch.t;
  scratch.products = scratch.q + strip;
  return scratch;
}
}  // namespace
}  // namespace cpu

namespace {

template <Real T>
class CpuNormalEquations final : public NormalEquationsSteps<T> {
 public:
  explicit CpuNormalEquations(Engine& engine) : engine_(engine) {}

  void products(const RowsView<T>& rows, bool intercept, const Buffer<double>& centre,
                Buffer<double>& products) override {
    const Index p = normal_equations_columns(rows.features, intercept);
    const Index count = product_count(p);
    // A piece of work is a subtree of eight blocks, so that few sums leave the cache that they are
    // made in.
    constexpr Index piece_rows = 8 * sum_block;
    const Index all = pieces(rows.rows, piece_rows);
    constexpr Index most_nodes = Index{1} << 21;  // 16 MiB of them at a time
    const Index at_once = std::min(
        all, std::max<Index>(2 * static_cast<Index>(engine_.threads()), most_nodes / count));
    nodes_.resize(static_cast<std::size_t>(at_once * count));
    SumTrees total(count);
    for (Index first = 0; first < all; first += at_once) {
      const Index here = std::min(at_once, all - first);
      parallel_for(engine_.threads(), here, [&](Index i) {
        const Piece piece = piece_of(rows.rows, piece_rows, first + i);
        subtree(rows, piece, cpu::product_scratch(p, centre.data(), rows.weights != nullptr),
                nodes_.data() + i * count);
      });
      for (Index i = 0; i < here; ++i) total.add(nodes_.data() + i * count);
    }
    total.total(products.data());
    for (Index e = 0; e < count; ++e) {
      products.data()[e] = linear::with_one_nan(products.data()[e]);
    }
  }

 private:
  // The sums over the blocks of `piece`, by their tree.
  static void subtree(const RowsView<T>& rows, const Piece& piece,
                      const cpu::ProductScratch& scratch, double* sums) {
    const Index p = scratch.columns;
    visit_elements(rows.x + piece.begin * rows.stride, piece.size() * rows.stride);
    SumTrees tree(product_count(p));
    for (Index begin = piece.begin; begin < piece.end; begin += sum_block) {
      cpu::block_products(rows, begin, std::min(begin + sum_block, piece.end), scratch);
      for (Index a = 0; a < p; ++a) {
        const double* row = scratch.products + a * scratch.pitch;
        std::copy(row + a, row + p, sums + product_place(a, a, p));
      }
      tree.add(sums);
    }
    tree.total(sums);
  }

  Engine& engine_;
  std::vector<double> nodes_;  // pieces × products
};

}  // namespace

template <Real T>
std::unique_ptr<NormalEquationsSteps<T>> NormalEquationsSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuNormalEquations<T>>(engine);
}
template std::unique_ptr<NormalEquationsSteps<float>> NormalEquationsSteps<float>::make_cpu(
    Engine&);
template std::unique_ptr<NormalEquationsSteps<double>> NormalEquationsSteps<double>::make_cpu(
    Engine&);

}  // namespace tandem
#endif
