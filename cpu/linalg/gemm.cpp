// Matrix products on the CPU.
//
// exact: C is cut into columns of `column_block`, k into pieces of `depth`, rows into panels of at
// most `panel_rows`. For one block of columns and one piece of k, B's piece is packed once into
// strips two vectors wide (at most 1.5 MiB, for the L2 and L3 caches), and each panel of A is
// packed into 22 KiB of L1 by the thread that takes it, or read in place. A kernel keeps a panel ×
// strip of C in registers while it runs down k: per step it loads two vectors of B and broadcasts
// one element of A per row. Between pieces of k the tile rests in C, which rounds nothing, so every
// output stays one chain of fmas in ascending k, whatever the sizes of pieces, vectors and teams.
//
// Registers of a kernel: rows × 2 accumulators, 2 of B, 1 of A: 31 of 32 with AVX-512 (14 rows),
// 15 of 16 with AVX2 (6 rows). Flops 2mnk; bytes that must move: gemm_bytes().
//
// Sums over rows (row_products) are cut likewise, with one difference: a kernel begins a new chain
// every micro_batch rows and adds the chains up as a tree, whose nodes wait in the L1 cache; those
// of more than row_pass rows wait in memory of C's size. A node costs one load, addition and store
// per output for 32 fmas.
//
// fast: oneDNN's sgemm for float, 3 to 7 % faster than the kernel here where bench/linalg/
// gemm_bench.cpp was measured (Zen 4, one thread: 112 against 106 GFLOP/s at 2048³); the same as
// exact for double. A Tandem built without oneDNN (TANDEM_ONEDNN=OFF) multiplies as in exact mode.
#include "core/linalg/gemm_steps.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/linalg/gemm.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if defined(TANDEM_HAS_ONEDNN)
#include <dnnl.h>
#include <omp.h>
#endif

#include <algorithm>
#include <cstring>

#include "core/parallel.hpp"
#include "cpu/linalg/gemm_pack.hpp"
#include "cpu/simd-inl.hpp"
#include "tandem/core/error.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

#if HWY_TARGET <= HWY_AVX3
constexpr Index panel_rows = 14;
#elif HWY_TARGET <= HWY_AVX2
constexpr Index panel_rows = 6;
#else
constexpr Index panel_rows = 4;
#endif
static_assert(panel_rows <= GemmPack::panel_width);

// `rows` rows of a tile, `vectors` (1 or 2) vectors wide. A recursive structure and not an array,
// so that every accumulator is a variable of its own and GCC keeps it in a register.
template <class D, int rows, int vectors>
struct Tile {
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;
  V left;
  V right;
  Tile<D, rows - 1, vectors> below;

  HWY_INLINE void clear() {
    left = hn::Zero(D());
    if constexpr (vectors == 2) right = hn::Zero(D());
    below.clear();
  }
  // Asks for the cache lines of a tile that comes later.
  HWY_INLINE static void prefetch(const T* c, Index ldc) {
    __builtin_prefetch(c);
    if constexpr (vectors == 2) __builtin_prefetch(c + hn::Lanes(D()));
    Tile<D, rows - 1, vectors>::prefetch(c + ldc, ldc);
  }
  HWY_INLINE void load(const T* c, Index ldc) {
    left = hn::LoadU(D(), c);
    if constexpr (vectors == 2) right = hn::LoadU(D(), c + hn::Lanes(D()));
    below.load(c + ldc, ldc);
  }
  HWY_INLINE void store(T* c, Index ldc) const {
    hn::StoreU(left, D(), c);
    if constexpr (vectors == 2) hn::StoreU(right, D(), c + hn::Lanes(D()));
    below.store(c + ldc, ldc);
  }
  // Adds a tile that was stored earlier: what is to the left of this one in a tree.
  HWY_INLINE void add_left(const T* c, Index ldc) {
    left = hn::Add(hn::LoadU(D(), c), left);
    if constexpr (vectors == 2) right = hn::Add(hn::LoadU(D(), c + hn::Lanes(D())), right);
    below.add_left(c + ldc, ldc);
  }
  // Adds the outer product of a column of A, its elements `stride` apart, and a row of B.
  HWY_INLINE void add(const T* a, Index stride, V b_left, V b_right) {
    const V factor = hn::Set(D(), *a);
    left = Fma(D(), factor, b_left, left);
    if constexpr (vectors == 2) right = Fma(D(), factor, b_right, right);
    below.add(a + stride, stride, b_left, b_right);
  }
};
template <class D, int vectors>
struct Tile<D, 0, vectors> {
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;
  HWY_INLINE void clear() {}
  HWY_INLINE static void prefetch(const T*, Index) {}
  HWY_INLINE void load(const T*, Index) {}
  HWY_INLINE void store(T*, Index) const {}
  HWY_INLINE void add_left(const T*, Index) {}
  HWY_INLINE void add(const T*, Index, V, V) {}
};

template <class T>
using Kernel = void (*)(Index depth, const T* a, Index row_step, Index depth_step, const T* b,
                        Index ldb, bool accumulate, T* c, Index ldc);

// a: a panel, element (i, l) at i · row_step + l · depth_step. b: rows of `vectors` vectors, ldb
// apart. c: the tile, all of its vectors writable.
template <class T, int rows, int vectors>
void kernel(Index depth, const T* HWY_RESTRICT a, Index row_step, Index depth_step,
            const T* HWY_RESTRICT b, Index ldb, bool accumulate, T* HWY_RESTRICT c, Index ldc) {
  using D = hn::ScalableTag<T>;
  Tile<D, rows, vectors> tile;
  if (accumulate) {
    tile.load(c, ldc);
  } else {
    tile.clear();
  }
  Tile<D, rows, vectors>::prefetch(c + 2 * hn::Lanes(D()), ldc);
  for (Index l = 0; l < depth; ++l) {
    const auto left = hn::LoadU(D(), b);
    const auto right = vectors == 2 ? hn::LoadU(D(), b + hn::Lanes(D())) : left;
    tile.add(a, row_step, left, right);
    a += depth_step;
    b += ldb;
  }
  tile.store(c, ldc);
}

template <class T, int vectors, int rows = 1>
Kernel<T> kernel_of(Index wanted) {
  if constexpr (rows < panel_rows) {
    if (wanted > rows) return kernel_of<T, vectors, rows + 1>(wanted);
  }
  return kernel<T, rows, vectors>;
}

template <class T>
using RowKernel = void (*)(Index depth, const T* a, Index lda, const T* b, Index ldb, T* nodes,
                           T* c, Index ldc);

// The tile of Aᵀ·B over `depth` rows, at most row_pass: chains of micro_batch rows, and their tree.
// a and b: the first row's elements, rows lda and ldb apart. nodes: memory for the roots that wait,
// a tile for each level.
template <class T, int rows, int vectors>
void row_kernel(Index depth, const T* HWY_RESTRICT a, Index lda, const T* HWY_RESTRICT b, Index ldb,
                T* HWY_RESTRICT nodes, T* HWY_RESTRICT c, Index ldc) {
  using D = hn::ScalableTag<T>;
  const Index width = vectors * static_cast<Index>(hn::Lanes(D()));
  Tile<D, rows, vectors> tile;
  Tile<D, rows, vectors>::prefetch(c + 2 * hn::Lanes(D()), ldc);
  for (Index leaf = 0, begin = 0;; ++leaf, begin += micro_batch) {
    const bool last = begin + micro_batch >= depth;
    const Index steps = last ? depth - begin : micro_batch;
    tile.clear();
    for (Index l = 0; l < steps; ++l) {
      const auto left = hn::LoadU(D(), b);
      const auto right = vectors == 2 ? hn::LoadU(D(), b + hn::Lanes(D())) : left;
      tile.add(a, 1, left, right);
      a += lda;
      b += ldb;
    }
    // The roots to the left: those that become complete with this leaf, or, with the last, all.
    T* node = nodes;
    for (Index bits = leaf; last ? bits != 0 : (bits & 1) != 0; bits >>= 1) {
      if ((bits & 1) != 0) tile.add_left(node, width);
      node += rows * width;
    }
    if (last) break;
    tile.store(node, width);
  }
  tile.store(c, ldc);
}

template <class T, int vectors, int rows = 1>
RowKernel<T> row_kernel_of(Index wanted) {
  if constexpr (rows < panel_rows) {
    if (wanted > rows) return row_kernel_of<T, vectors, rows + 1>(wanted);
  }
  return row_kernel<T, rows, vectors>;
}

// Packs rows begin .. begin + rows − 1 of op(A), columns first .. first + depth − 1. As stored, so
// that both cases copy contiguous runs: row by row where A is not transposed, depth by depth where
// it is.
template <class T>
void pack_panel(Transpose transpose_a, const T* a, Index lda, Index m, Index begin, Index rows,
                Index first, Index depth, T* HWY_RESTRICT panel) {
  if (transpose_a == Transpose::no) {
    for (Index i = 0; i < rows; ++i) {
      std::memcpy(panel + i * GemmPack::row_stride, a + (begin + i) * lda + first,
                  static_cast<size_t>(depth) * sizeof(T));
    }
    return;
  }
  // A whole panel_width where A's row has that many elements left, for a copy of fixed size.
  if (begin + GemmPack::panel_width <= m) {
    for (Index l = 0; l < depth; ++l) {
      std::memcpy(panel + l * GemmPack::panel_width, a + (first + l) * lda + begin,
                  static_cast<size_t>(GemmPack::panel_width) * sizeof(T));
    }
    return;
  }
  for (Index l = 0; l < depth; ++l) {
    for (Index i = 0; i < rows; ++i) {
      panel[l * GemmPack::panel_width + i] = a[(first + l) * lda + begin + i];
    }
  }
}

// A square of elements with sides of block_side: to[r · to_stride + s] = from[s · from_stride + r].
#if HWY_TARGET == HWY_SCALAR
template <class T>
constexpr Index block_side = 1;
template <class T>
HWY_INLINE void transpose_block(const T* from, Index, T* to, Index) {
  *to = *from;
}
#else
template <class T>
constexpr Index block_side = 16 / sizeof(T);
HWY_INLINE void transpose_block(const float* from, Index from_stride, float* to, Index to_stride) {
  const hn::Full128<float> d;
  const hn::Full128<std::uint64_t> d64;
  const auto r0 = hn::LoadU(d, from);
  const auto r1 = hn::LoadU(d, from + from_stride);
  const auto r2 = hn::LoadU(d, from + 2 * from_stride);
  const auto r3 = hn::LoadU(d, from + 3 * from_stride);
  const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, r0, r1));
  const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, r2, r3));
  const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, r0, r1));
  const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, r2, r3));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, low01, low23)), d, to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23)), d, to + to_stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(d64, high01, high23)), d, to + 2 * to_stride);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23)), d, to + 3 * to_stride);
}
HWY_INLINE void transpose_block(const double* from, Index from_stride, double* to,
                                Index to_stride) {
  const hn::Full128<double> d;
  const auto r0 = hn::LoadU(d, from);
  const auto r1 = hn::LoadU(d, from + from_stride);
  hn::StoreU(hn::InterleaveLower(d, r0, r1), d, to);
  hn::StoreU(hn::InterleaveUpper(d, r0, r1), d, to + to_stride);
}
#endif

// Packs columns begin .. begin + columns − 1 of op(B), rows first .. first + depth − 1, into a
// strip with rows of `width` elements; columns past the end become zeros.
template <class T>
void pack_strip(Transpose transpose_b, const T* b, Index ldb, Index begin, Index columns,
                Index width, Index first, Index depth, T* HWY_RESTRICT strip) {
  if (transpose_b == Transpose::no) {
    const T* from = b + first * ldb + begin;
    const hn::ScalableTag<T> d;
    const Index lanes = static_cast<Index>(hn::Lanes(d));
    for (Index l = 0; l < depth; ++l, from += ldb, strip += width) {
      if (columns == width) {
        for (Index j = 0; j < width; j += lanes) hn::StoreU(hn::LoadU(d, from + j), d, strip + j);
      } else {
        std::memcpy(strip, from, static_cast<size_t>(columns) * sizeof(T));
        std::fill(strip + columns, strip + width, T{0});
      }
    }
    return;
  }
  constexpr Index side = block_side<T>;
  const Index whole_columns = columns / side * side;
  const Index whole_depth = depth / side * side;
  const T* from = b + begin * ldb + first;
  for (Index l = 0; l < whole_depth; l += side) {
    for (Index j = 0; j < whole_columns; j += side) {
      transpose_block(from + j * ldb + l, ldb, strip + l * width + j, width);
    }
  }
  for (Index l = 0; l < depth; ++l) {
    for (Index j = l < whole_depth ? whole_columns : 0; j < width; ++j) {
      strip[l * width + j] = j < columns ? from[j * ldb + l] : T{0};
    }
  }
}

// Runs f(p, begin, end) for the strips begin .. end − 1 of every panel p. Threads take panels, and
// halves of their strips so that one that is late is waited for half as long; where there are fewer
// panels than threads, smaller parts.
template <class F>
void for_panels(int threads, Index panels, Index strips, F&& f) {
  const Index wanted = threads == 1 ? 1 : std::max<Index>(2, pieces(threads, panels));
  const Index parts = std::min(strips, wanted);
  parallel_for(threads, panels * parts, [&](Index task) {
    const Index part = task % parts;
    f(task / parts, part * strips / parts, (part + 1) * strips / parts);
  });
}

// Packs strips on threads where that is worth it.
template <class F>
void for_strips(int threads, Index strips, Index elements, F&& f) {
  constexpr Index one_thread = 1 << 14;
  parallel_for(elements < one_thread ? 1 : threads, strips, f);
}

// Whether B, not transposed, is read in place: where it is read once, and where its rows are so
// short that a strip's lines are spread over the L1 cache.
template <class T>
bool reads_b_in_place(Index panels, Index ldb) {
  return panels == 1 || ldb * static_cast<Index>(sizeof(T)) <= 1024;
}

template <class T>
void multiply_any(int threads, Transpose transpose_a, Transpose transpose_b, Index m, Index n,
                  Index k, const T* a, Index lda, const T* b, Index ldb, bool accumulate, T* c,
                  Index ldc, GemmPack& pack) {
  const Index lanes = static_cast<Index>(hn::Lanes(hn::ScalableTag<T>()));
  const Index width = 2 * lanes;
  // Panels of nearly equal height: panel p has rows p · m / panels and up to the next one's.
  const Index panels = pieces(m, panel_rows);
  const bool direct_b = transpose_b == Transpose::no && reads_b_in_place<T>(panels, ldb);
  // A panel of A is read once per strip. Packing pays where that is often, and where rows a
  // multiple of 2 KiB apart would compete for the same lines of the L1 cache.
  const bool direct_a =
      n <= GemmPack::column_block / 2 && lda * static_cast<Index>(sizeof(T)) % 2048 != 0;
  // Pieces of k of nearly equal depth: a shallow one would cost as many loads and stores of C.
  const Index depths = pieces(k, GemmPack::depth);
  const Index most_depth = pieces(k, depths);
  // The depth packed at once: a piece of k, or all of k for the last strip of a B read in place.
  const Index packed_depth = direct_b ? k : most_depth;
  T* const strips = pack.strips<T>(
      packed_depth *
      (direct_b ? width : pieces(std::min(n, GemmPack::column_block), width) * width));

  for (Index column = 0; column < n; column += GemmPack::column_block) {
    const Index columns = std::min(GemmPack::column_block, n - column);
    const Index strip_count = pieces(columns, width);
    const auto multiply_panel = [&](Index p, Piece in_k, Index packed_from, Index begin_strip,
                                    Index end_strip) {
      const Index first = in_k.begin;
      const Index depth = in_k.size();
      const bool add = accumulate || first > 0;
      const Index begin = p * m / panels;
      const Index rows = (p + 1) * m / panels - begin;
      const bool by_rows = transpose_a == Transpose::no;
      const T* panel = by_rows ? a + begin * lda + first : a + first * lda + begin;
      Index row_step = by_rows ? lda : 1;
      Index depth_step = by_rows ? 1 : lda;
      if (!direct_a) {
        T* const packed = GemmPack::panel<T>();
        pack_panel(transpose_a, a, lda, m, begin, rows, first, depth, packed);
        panel = packed;
        row_step = by_rows ? GemmPack::row_stride : 1;
        depth_step = by_rows ? 1 : GemmPack::panel_width;
      }
      const Kernel<T> kernels[2] = {kernel_of<T, 1>(rows), kernel_of<T, 2>(rows)};
      for (Index s = begin_strip; s < end_strip; ++s) {
        const Piece part = piece_of(columns, width, s);
        T* const tile = c + begin * ldc + column + part.begin;
        const bool direct = direct_b && part.size() == width;
        const T* const rows_of_b =
            direct ? b + first * ldb + column + part.begin
                   : strips + (direct_b ? first - packed_from : s * depth) * width;
        const Index step = direct ? ldb : width;
        const Kernel<T> run = kernels[part.size() > lanes ? 1 : 0];
        if (part.size() == width || part.size() == lanes) {
          run(depth, panel, row_step, depth_step, rows_of_b, step, add, tile, ldc);
          continue;
        }
        // A tile that C does not hold whole.
        HWY_ALIGN T edge[panel_rows * 2 * hn::MaxLanes(hn::ScalableTag<T>())];
        const auto bytes = static_cast<size_t>(part.size()) * sizeof(T);
        if (add) {
          for (Index i = 0; i < rows; ++i) {
            for (Index j = 0; j < width; ++j) {
              edge[i * width + j] = j < part.size() ? tile[i * ldc + j] : T{0};
            }
          }
        }
        run(depth, panel, row_step, depth_step, rows_of_b, step, add, edge, width);
        for (Index i = 0; i < rows; ++i) std::memcpy(tile + i * ldc, edge + i * width, bytes);
      }
    };
    if (direct_b) {
      // Nothing is packed but the last strip, where it is no whole one: one loop for all of k.
      const Piece last = piece_of(columns, width, strip_count - 1);
      if (last.size() < width) {
        pack_strip(transpose_b, b, ldb, column + last.begin, last.size(), width, Index{0}, k,
                   strips);
      }
      for_panels(threads, panels, strip_count, [&](Index p, Index begin_strip, Index end_strip) {
        for (Index piece = 0; piece < depths; ++piece) {
          multiply_panel(p, piece_of(k, most_depth, piece), 0, begin_strip, end_strip);
        }
      });
      continue;
    }
    for (Index piece = 0; piece < depths; ++piece) {
      const Piece in_k = piece_of(k, most_depth, piece);
      for_strips(threads, strip_count, columns * in_k.size(), [&](Index s) {
        const Piece part = piece_of(columns, width, s);
        pack_strip(transpose_b, b, ldb, column + part.begin, part.size(), width, in_k.begin,
                   in_k.size(), strips + s * width * in_k.size());
      });
      for_panels(threads, panels, strip_count, [&](Index p, Index begin_strip, Index end_strip) {
        multiply_panel(p, in_k, in_k.begin, begin_strip, end_strip);
      });
    }
  }
}

// C (m×n) = Aᵀ·B over `rows` >= 1 rows.
template <class T>
void row_products_any(int threads, Index m, Index n, Index rows, const T* a, Index lda, const T* b,
                      Index ldb, T* c, Index ldc, GemmPack& pack) {
  constexpr Index row_pass = GemmPack::row_pass;
  const Index lanes = static_cast<Index>(hn::Lanes(hn::ScalableTag<T>()));
  const Index width = 2 * lanes;
  const Index panels = pieces(m, panel_rows);
  const bool direct_b = reads_b_in_place<T>(panels, ldb);
  const bool direct_a =
      n <= GemmPack::column_block / 2 && lda * static_cast<Index>(sizeof(T)) % 2048 != 0;
  const Index passes = pieces(rows, row_pass);
  T* const strips = pack.strips<T>(std::min(rows, row_pass) *
                                   (pieces(std::min(n, GemmPack::column_block), width) * width));
  // The roots of complete subtrees of passes, each as large as C.
  T* const roots = pack.roots<T>(passes, m * n);

  for (Index pass = 0; pass < passes; ++pass) {
    const Piece taken = piece_of(rows, row_pass, pass);
    const bool last = pass + 1 == passes;
    for (Index column = 0; column < n; column += GemmPack::column_block) {
      const Index columns = std::min(GemmPack::column_block, n - column);
      const Index strip_count = pieces(columns, width);
      const auto strip_at = [&](Index s) { return strips + s * width * taken.size(); };
      const auto pack_one = [&](Index s) {
        const Piece part = piece_of(columns, width, s);
        if (direct_b && part.size() == width) return;
        pack_strip(Transpose::no, b, ldb, column + part.begin, part.size(), width, taken.begin,
                   taken.size(), strip_at(s));
      };
      const auto multiply_panel = [&](Index p, Index begin_strip, Index end_strip) {
        const Index begin = p * m / panels;
        const Index height = (p + 1) * m / panels - begin;
        const T* panel = a + taken.begin * lda + begin;
        Index step_a = lda;
        if (!direct_a) {
          T* const packed = GemmPack::panel<T>();
          pack_panel(Transpose::yes, a, lda, m, begin, height, taken.begin, taken.size(), packed);
          panel = packed;
          step_a = GemmPack::panel_width;
        }
        constexpr Index most = panel_rows * 2 * hn::MaxLanes(hn::ScalableTag<T>());
        HWY_ALIGN T nodes[GemmPack::row_pass_levels * most];
        HWY_ALIGN T edge[most];
        const RowKernel<T> kernels[2] = {row_kernel_of<T, 1>(height), row_kernel_of<T, 2>(height)};
        for (Index s = begin_strip; s < end_strip; ++s) {
          const Piece part = piece_of(columns, width, s);
          T* const tile = c + begin * ldc + column + part.begin;
          const bool direct = direct_b && part.size() == width;
          const T* const rows_of_b =
              direct ? b + taken.begin * ldb + column + part.begin : strip_at(s);
          const RowKernel<T> run = kernels[part.size() > lanes ? 1 : 0];
          if (passes == 1 && (part.size() == width || part.size() == lanes)) {
            run(taken.size(), panel, step_a, rows_of_b, direct ? ldb : width, nodes, tile, ldc);
            continue;
          }
          run(taken.size(), panel, step_a, rows_of_b, direct ? ldb : width, nodes, edge, width);
          // As the kernel does with its leaves.
          T* root = roots + begin * n + column + part.begin;
          for (Index bits = pass; last ? bits != 0 : (bits & 1) != 0; bits >>= 1) {
            for (Index i = 0; (bits & 1) != 0 && i < height; ++i) {
              for (Index j = 0; j < part.size(); ++j) {
                edge[i * width + j] = root[i * n + j] + edge[i * width + j];
              }
            }
            root += m * n;
          }
          for (Index i = 0; i < height; ++i) {
            std::memcpy(last ? tile + i * ldc : root + i * n, edge + i * width,
                        static_cast<size_t>(part.size()) * sizeof(T));
          }
        }
      };
      for_strips(threads, strip_count, direct_b ? 0 : columns * taken.size(), pack_one);
      for_panels(threads, panels, strip_count, multiply_panel);
    }
  }
}

void row_products_float(int threads, Index m, Index n, Index rows, const float* a, Index lda,
                        const float* b, Index ldb, float* c, Index ldc, GemmPack& pack) {
  row_products_any(threads, m, n, rows, a, lda, b, ldb, c, ldc, pack);
}
void row_products_double(int threads, Index m, Index n, Index rows, const double* a, Index lda,
                         const double* b, Index ldb, double* c, Index ldc, GemmPack& pack) {
  row_products_any(threads, m, n, rows, a, lda, b, ldb, c, ldc, pack);
}
void multiply_float(int threads, Transpose transpose_a, Transpose transpose_b, Index m, Index n,
                    Index k, const float* a, Index lda, const float* b, Index ldb, bool accumulate,
                    float* c, Index ldc, GemmPack& pack) {
  multiply_any(threads, transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc,
               pack);
}
void multiply_double(int threads, Transpose transpose_a, Transpose transpose_b, Index m, Index n,
                     Index k, const double* a, Index lda, const double* b, Index ldb,
                     bool accumulate, double* c, Index ldc, GemmPack& pack) {
  multiply_any(threads, transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc,
               pack);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {

HWY_EXPORT(multiply_float);
HWY_EXPORT(multiply_double);
HWY_EXPORT(row_products_float);
HWY_EXPORT(row_products_double);

// Below this many multiplications, about 3 µs on one core, a team of threads costs more than it
// saves.
constexpr double one_thread_limit = 1 << 17;

// Writes C where there is nothing to multiply.
template <Real T>
bool finished_without_terms(Index m, Index n, Index k, bool accumulate, T* c, Index ldc) {
  if (m == 0 || n == 0) return true;
  if (k > 0) return false;
  for (Index i = 0; i < m && !accumulate; ++i) std::fill(c + i * ldc, c + i * ldc + n, T{0});
  return true;
}

template <Real T>
class GemmChains final : public GemmSteps<T> {
 public:
  explicit GemmChains(int threads) : threads_(threads) {}

  void gemm(Transpose transpose_a, Transpose transpose_b, Index m, Index n, Index k, const T* a,
            Index lda, const T* b, Index ldb, bool accumulate, T* c, Index ldc) override {
    if (finished_without_terms(m, n, k, accumulate, c, ldc)) return;
    const int threads = threads_for(m, n, k);
    if constexpr (sizeof(T) == 4) {
      HWY_DYNAMIC_DISPATCH(multiply_float)
      (threads, transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc, pack_);
    } else {
      HWY_DYNAMIC_DISPATCH(multiply_double)
      (threads, transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc, pack_);
    }
  }

  void row_products(Index m, Index n, Index rows, const T* a, Index lda, const T* b, Index ldb,
                    T* c, Index ldc) override {
    if (finished_without_terms(m, n, rows, false, c, ldc)) return;
    const int threads = threads_for(m, n, rows);
    if constexpr (sizeof(T) == 4) {
      HWY_DYNAMIC_DISPATCH(row_products_float)
      (threads, m, n, rows, a, lda, b, ldb, c, ldc, pack_);
    } else {
      HWY_DYNAMIC_DISPATCH(row_products_double)
      (threads, m, n, rows, a, lda, b, ldb, c, ldc, pack_);
    }
  }

 private:
  [[nodiscard]] int threads_for(Index m, Index n, Index k) const {
    return gemm_flops(m, n, k) / 2 < one_thread_limit ? 1 : threads_;
  }

  int threads_;
  GemmPack pack_;
};

#if defined(TANDEM_HAS_ONEDNN)
class GemmOneDnn final : public GemmSteps<float> {
 public:
  explicit GemmOneDnn(int threads) : threads_(threads) {}

  void gemm(Transpose transpose_a, Transpose transpose_b, Index m, Index n, Index k, const float* a,
            Index lda, const float* b, Index ldb, bool accumulate, float* c, Index ldc) override {
    if (finished_without_terms(m, n, k, accumulate, c, ldc)) return;
    // oneDNN runs on as many OpenMP threads as the calling thread would use.
    const int caller_threads = omp_get_max_threads();
    omp_set_num_threads(threads_);
    const dnnl_status_t status = dnnl_sgemm(transpose_a == Transpose::no ? 'N' : 'T',
                                            transpose_b == Transpose::no ? 'N' : 'T', m, n, k, 1, a,
                                            lda, b, ldb, accumulate ? 1 : 0, c, ldc);
    omp_set_num_threads(caller_threads);
    if (status != dnnl_success) {
      throw SystemError("oneDNN's matrix product failed with status " + std::to_string(status));
    }
  }

  void row_products(Index m, Index n, Index rows, const float* a, Index lda, const float* b,
                    Index ldb, float* c, Index ldc) override {
    gemm(Transpose::yes, Transpose::no, m, n, rows, a, lda, b, ldb, false, c, ldc);
  }

 private:
  int threads_;
};
#endif

}  // namespace
}  // namespace cpu

template <Real T>
std::unique_ptr<GemmSteps<T>> GemmSteps<T>::make_cpu(Engine& engine) {
#if defined(TANDEM_HAS_ONEDNN)
  if constexpr (std::is_same_v<T, float>) {
    if (engine.numerics() != Numerics::exact) {
      return std::make_unique<cpu::GemmOneDnn>(engine.threads());
    }
  }
#endif
  return std::make_unique<cpu::GemmChains<T>>(engine.threads());
}

template std::unique_ptr<GemmSteps<float>> GemmSteps<float>::make_cpu(Engine&);
template std::unique_ptr<GemmSteps<double>> GemmSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif  // HWY_ONCE
