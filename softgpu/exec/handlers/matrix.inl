// Matrix instructions: mma, wmma, ldmatrix, stmatrix, movmatrix, and conversions of 8-bit floats.
// Included once per instruction set after handlers.inl, whose rules hold here.
//
// Numerics. Products of f16, bf16, tf32 and 8-bit floats are exact in single precision. An element
// of D is one chain of fused multiply-adds in single precision that starts with C and takes k in
// ascending order; where D is f16 the chain's end is rounded once. The order and the width of the
// hardware's sums are not specified by the ISA: results of tensor cores may differ from these in
// the last bits. f64 is a chain of fmas with the instruction's rounding. Integers are exact:
// modulo 2^32, or with .satfinite clamped once at the end.

#include "softgpu/exec/float8.hpp"

namespace softgpu::SOFTGPU_ISA {
namespace {

// Instructions that are .aligned: all lanes that have not exited execute them together.
#define SOFTGPU_ALIGNED        \
  const u32 m = active(w, op); \
  if (m == 0) return op + 1;   \
  if ((w.alive & ~w.mask) != 0) return softgpu::synchronise_lanes(w, op, w.alive, false);

inline constexpr u32 tile_rows = 8;

__attribute__((always_inline)) inline MatrixForm matrix_form(const Op* op) {
  MatrixForm form;
  __builtin_memcpy(static_cast<void*>(&form), &op->imm, sizeof form);
  return form;
}

// --- tiles: one register of the warp, as 8 rows -------------------------------------------------

// Rows of `columns` floats, `stride` apart.
__attribute__((always_inline)) inline void unpack_tile(MatrixType type, const std::byte* reg,
                                                       float* to, u32 stride) {
  alignas(64) float flat[256];
  const u32 columns = tile_columns(type);
  const u32 count = columns * tile_rows;
  if (type == MatrixType::f16) {
#if defined(SOFTGPU_AVX2)
    for (u32 i = 0; i < 64; i += 8) {
      _mm256_store_ps(
          flat + i,
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(reg + 2 * i))));
    }
#else
    for (u32 i = 0; i < 64; ++i) {
      u16 h;
      __builtin_memcpy(&h, reg + 2 * i, 2);
      flat[i] = half_to_float(h);
    }
#endif
  } else if (type == MatrixType::bf16) {
    for (u32 i = 0; i < 64; ++i) {
      u16 h;
      __builtin_memcpy(&h, reg + 2 * i, 2);
      flat[i] = bfloat_to_float(h);
    }
  } else if (type == MatrixType::tf32) {
    // Bits below the 10 of a tf32's mantissa are not looked at.
    for (u32 i = 0; i < 32; ++i) {
      u32 x;
      __builtin_memcpy(&x, reg + 4 * i, 4);
      flat[i] = bits<float>(x & ~0x1fffU);
    }
  } else if (type == MatrixType::e4m3) {
    for (u32 i = 0; i < 128; ++i) flat[i] = e4m3_to_float(static_cast<u32>(reg[i]));
  } else {
    for (u32 i = 0; i < 128; ++i) flat[i] = e5m2_to_float(static_cast<u32>(reg[i]));
  }
  for (u32 i = 0, row = 0; i < count; i += columns, ++row) {
    for (u32 j = 0; j < columns; ++j) to[row * stride + j] = flat[i + j];
  }
}
__attribute__((always_inline)) inline void unpack_tile(MatrixType type, const std::byte* reg,
                                                       s32* to, u32 stride) {
  const u32 columns = tile_columns(type);
  for (u32 row = 0; row < tile_rows; ++row) {
    s32* line = to + row * stride;
    const std::byte* from = reg + 16 * row;
    switch (type) {
      case MatrixType::s8:
        for (u32 j = 0; j < 16; ++j) line[j] = static_cast<s8>(from[j]);
        break;
      case MatrixType::u8:
        for (u32 j = 0; j < 16; ++j) line[j] = static_cast<u8>(from[j]);
        break;
      case MatrixType::s4:
        for (u32 j = 0; j < columns; ++j) {
          const u32 nibble = (static_cast<u32>(from[j / 2]) >> (4 * (j & 1U))) & 15U;
          line[j] = static_cast<s32>(nibble ^ 8U) - 8;
        }
        break;
      default:
        for (u32 j = 0; j < columns; ++j)
          line[j] = static_cast<s32>((static_cast<u32>(from[j / 2]) >> (4 * (j & 1U))) & 15U);
        break;
    }
  }
}
__attribute__((always_inline)) inline void unpack_tile(MatrixType, const std::byte* reg, double* to,
                                                       u32 stride) {
  for (u32 row = 0; row < tile_rows; ++row) __builtin_memcpy(to + row * stride, reg + 32 * row, 32);
}

// A as rows of `depth` values.
template <class V>
__attribute__((always_inline)) inline void unpack_a(Warp& w, const MatrixForm& form,
                                                    const u32* slots, V* a, u32 depth) {
  const u32 columns = tile_columns(form.a);
  const u32 down = form.m / tile_rows;
  const u32 across = depth / columns;
  for (u32 t = 0; t < down * across; ++t) {
    const TilePlace at = place_of_tile(t, down, across);
    unpack_tile(form.a, w.frame + slots[t], a + at.row * tile_rows * depth + at.column * columns,
                depth);
  }
}
// Eight columns of B, row after row.
template <class V>
__attribute__((always_inline)) inline void unpack_b(Warp& w, const MatrixForm& form,
                                                    const u32* slots, V* b) {
  const u32 columns = tile_columns(form.b);
  const u32 across = form.k / columns;
  alignas(64) V tile[tile_rows * 32];
  for (u32 t = 0; t < across; ++t) {
    unpack_tile(form.b, w.frame + slots[t], tile, columns);
    V* to = b + t * columns * 8;
    for (u32 k = 0; k < columns; ++k) {
      for (u32 j = 0; j < 8; ++j) to[k * 8 + j] = tile[j * columns + k];
    }
  }
}

// 8 by 8 elements of an accumulator.
template <class V, class Lane>
__attribute__((always_inline)) inline void unpack_c(Warp& w, const u32* slots, V* c) {
  const auto* low = reinterpret_cast<const Lane*>(w.frame + slots[0]);
  const auto* high = reinterpret_cast<const Lane*>(w.frame + slots[1]);
  for (int l = 0; l < warp_size; ++l) {
    c[2 * l] = bits<V>(low[l]);
    c[2 * l + 1] = bits<V>(high[l]);
  }
}
template <class Lane>
__attribute__((always_inline)) inline void write_register(Warp& w, u32 slot, const Lane* value,
                                                          u32 m) {
  if (slot == 0) return;
  auto* d = lanes<Lane>(w, slot);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? value[l] : d[l];
}
template <class V, class Lane>
__attribute__((always_inline)) inline void write_d(Warp& w, const u32* slots, const V* d, u32 m) {
  alignas(64) Lane low[warp_size];
  alignas(64) Lane high[warp_size];
  for (int l = 0; l < warp_size; ++l) {
    low[l] = bits<Lane>(d[2 * l]);
    high[l] = bits<Lane>(d[2 * l + 1]);
  }
  write_register(w, slots[0], low, m);
  write_register(w, slots[1], high, m);
}

// --- products -----------------------------------------------------------------------------------

// acc (8 × 8) += a (8 rows of `depth`, `stride` apart) · b (depth rows of 8).
__attribute__((always_inline)) inline void multiply(const float* a, u32 stride, const float* b,
                                                    float* acc, u32 depth) {
#if defined(SOFTGPU_AVX2)
  __m256 sum[8];
  for (u32 i = 0; i < 8; ++i) sum[i] = _mm256_loadu_ps(acc + 8 * i);
  for (u32 k = 0; k < depth; ++k) {
    const __m256 row = _mm256_loadu_ps(b + 8 * k);
#pragma GCC unroll 8
    for (u32 i = 0; i < 8; ++i)
      sum[i] = _mm256_fmadd_ps(_mm256_set1_ps(a[i * stride + k]), row, sum[i]);
  }
  for (u32 i = 0; i < 8; ++i) _mm256_storeu_ps(acc + 8 * i, sum[i]);
#else
  for (u32 k = 0; k < depth; ++k) {
    for (u32 i = 0; i < 8; ++i) {
      for (u32 j = 0; j < 8; ++j)
        acc[8 * i + j] = __builtin_fmaf(a[i * stride + k], b[8 * k + j], acc[8 * i + j]);
    }
  }
#endif
}
__attribute__((always_inline)) inline void multiply(const s32* a, u32 stride, const s32* b,
                                                    s32* acc, u32 depth) {
  for (u32 k = 0; k < depth; ++k) {
    for (u32 i = 0; i < 8; ++i) {
      const s32 x = a[i * stride + k];
      for (u32 j = 0; j < 8; ++j) acc[8 * i + j] += x * b[8 * k + j];
    }
  }
}

// 2:4 sparsity (PTX ISA 9.0, section 9.7.14.6, "Matrix multiply-accumulate operation using
// mma.sp"): `packed` holds the chosen elements of A's rows; metadata says where they belong. The
// metadata of a row comes from a group of four lanes, of which the selector names those that count.
// Elements per unit: 4 with two kept for 16 bits and 8 bits; two with one kept for tf32; 4-bit
// types in pairs: 8 with two pairs kept.
template <class V>
__attribute__((always_inline)) inline void expand_sparse(Warp& w, const MatrixForm& form,
                                                         const u32* meta, const V* packed_a, V* a) {
  const u32 depth = form.k;
  const u32 kept = depth / 2;
  const u32 selector = form.flags >> MatrixForm::selector_shift;
  (void)w;
  for (u32 i = 0; i < form.m * depth; ++i) a[i] = 0;
  const u32 width = bits_of(form.a);
  for (u32 row = 0; row < form.m; ++row) {
    const u32 group = row & 7U;
    // One unit of four elements (two of tf32, eight of 4 bits) takes four bits of metadata.
    const u32 unit = width == 32 ? 2 : width == 4 ? 8 : 4;
    const u32 units = depth / unit;
    for (u32 u = 0; u < units; ++u) {
      // Four bits for each unit. 16 and 32 bits: a lane has 16 bits of row g (low) and of row g + 8
      // (high), lanes follow each other along the row. 8 and 4 bits: a lane has 32 bits of one row,
      // lanes of row g and row g + 8 take turns.
      const u32 lane = width >= 16 ? group * 4 + selector * (units / 4) + u / 4
                                   : group * 4 + selector * 2 + (u / 8) * 2 + (row < 8 ? 0U : 1U);
      const u32 at = width >= 16 ? (row < 8 ? 0U : 16U) + 4 * (u % 4) : 4 * (u % 8);
      const u32 nibble = (meta[lane & 31U] >> at) & 15U;
      V* to = a + row * depth + u * unit;
      const V* from = packed_a + row * kept + u * unit / 2;
      if (width == 32) {
        // One element of a pair is kept: 0b0100 keeps the first, 0b1110 the second.
        to[nibble == 0xeU ? 1 : 0] = from[0];
      } else if (width == 4) {
        const u32 first = nibble & 3U;
        const u32 second = nibble >> 2U;
        to[2 * first] = from[0];
        to[2 * first + 1] = from[1];
        to[2 * second] = from[2];
        to[2 * second + 1] = from[3];
      } else {
        to[nibble & 3U] = from[0];
        to[nibble >> 2U] = from[1];
      }
    }
  }
}

// Slots of the operands of one multiplication in Pieces::more.
struct MatrixOperands {
  const u32* a;
  const u32* b;
  const u32* c;
  const u32* meta;
};
__attribute__((always_inline)) inline MatrixOperands matrix_operands(const Op* op) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32* in = pieces.more;
  const u32 a = op->aux & 0xffU;
  const u32 b = (op->aux >> 8) & 0xffU;
  const u32 c = (op->aux >> 16) & 0xffU;
  return {in, in + a, in + a + b, in + a + b + c};
}

// --- the shapes that programs use most ----------------------------------------------------------
//
// The same results as the general handlers below, with the sizes known to the compiler.

#if defined(SOFTGPU_AVX2)

__attribute__((always_inline)) inline void transpose_rows(__m256* r) {
  __m256 t[8];
  __m256 u[8];
  for (u32 i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (u32 i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (u32 i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

__attribute__((always_inline)) inline __m128i load_16_bytes(const std::byte* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

// Eight values of a row of eight by eight: one tile of 16 bits, or two of tf32.
template <MatrixType T>
__attribute__((always_inline)) inline __m256 known_row(const std::byte* first,
                                                       const std::byte* second, u32 row) {
  const __m128i low = load_16_bytes(first + 16 * row);
  if constexpr (T == MatrixType::f16) {
    return _mm256_cvtph_ps(low);
  } else if constexpr (T == MatrixType::bf16) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(low), 16));
  } else {
    const __m256i both =
        _mm256_inserti128_si256(_mm256_castsi128_si256(low), load_16_bytes(second + 16 * row), 1);
    return _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(~0x1fff)));
  }
}

// Rows of an accumulator of 32 bits: its two registers have the even and the odd columns.
__attribute__((always_inline)) inline __m256 join_columns(const std::byte* even,
                                                          const std::byte* odd, u32 row) {
  const __m128 e = _mm_castsi128_ps(load_16_bytes(even + 16 * row));
  const __m128 o = _mm_castsi128_ps(load_16_bytes(odd + 16 * row));
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_unpacklo_ps(e, o)), _mm_unpackhi_ps(e, o),
                              1);
}
__attribute__((always_inline)) inline void split_columns(__m256 value, std::byte* even,
                                                         std::byte* odd, u32 row) {
  const __m128 low = _mm256_castps256_ps128(value);
  const __m128 high = _mm256_extractf128_ps(value, 1);
  _mm_storeu_ps(reinterpret_cast<float*>(even + 16 * row), _mm_shuffle_ps(low, high, 0x88));
  _mm_storeu_ps(reinterpret_cast<float*>(odd + 16 * row), _mm_shuffle_ps(low, high, 0xdd));
}

// Writes blocks of eight by eight, row after row, to registers of 32 bits each.
__attribute__((always_inline)) inline void write_blocks(Warp& w, const u32* out,
                                                        const float* results, u32 blocks,
                                                        bool halves, u32 m) {
  for (u32 block = 0; block < blocks; ++block) {
    alignas(64) std::byte even[128];
    alignas(64) std::byte odd[128];
    for (u32 i = 0; i < 8; ++i) {
      const __m256 row = _mm256_load_ps(results + 64 * block + 8 * i);
      if (halves) {
        _mm_store_si128(reinterpret_cast<__m128i*>(even + 16 * i),
                        _mm256_cvtps_ph(row, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
      } else {
        split_columns(row, even, odd, i);
      }
    }
    write_register(w, out[halves ? block : 2 * block], reinterpret_cast<const u32*>(even), m);
    if (!halves) write_register(w, out[2 * block + 1], reinterpret_cast<const u32*>(odd), m);
  }
}

template <MatrixType T, u32 M, u32 N, u32 K>
__attribute__((noinline)) const Op* mma_float_known(Warp& w, const Op* op, u32 m) {
  const MatrixForm form = matrix_form(op);
  const MatrixOperands in = matrix_operands(op);
  constexpr u32 down = M / 8;
  constexpr u32 across = N / 8;
  constexpr u32 groups = K / 8;                         // of eight values of k
  constexpr u32 tiles = T == MatrixType::tf32 ? 2 : 1;  // that make such a group
  alignas(64) float a[M * K];
  alignas(64) float b[K * 8];
  alignas(64) float results[M * N];
  for (u32 mb = 0; mb < down; ++mb) {
    for (u32 g = 0; g < groups; ++g) {
      // Two rows of tiles follow each other first.
      const u32 t = down * tiles * g + mb;
      for (u32 i = 0; i < 8; ++i) {
        _mm256_store_ps(
            a + (8 * mb + i) * K + 8 * g,
            known_row<T>(w.frame + in.a[t], w.frame + in.a[tiles == 2 ? t + down : t], i));
      }
    }
  }
  const bool half_c = form.c() == MatrixType::f16;
  for (u32 nb = 0; nb < across; ++nb) {
    for (u32 g = 0; g < groups; ++g) {
      const u32 t = (nb * groups + g) * tiles;
      __m256 rows[8];
      for (u32 i = 0; i < 8; ++i)
        rows[i] = known_row<T>(w.frame + in.b[t], w.frame + in.b[t + tiles - 1], i);
      transpose_rows(rows);
      for (u32 i = 0; i < 8; ++i) _mm256_store_ps(b + 64 * g + 8 * i, rows[i]);
    }
    for (u32 mb = 0; mb < down; ++mb) {
      const u32 block = nb * down + mb;
      __m256 sum[8];
      for (u32 i = 0; i < 8; ++i) {
        sum[i] = half_c ? _mm256_cvtph_ps(load_16_bytes(w.frame + in.c[block] + 16 * i))
                        : join_columns(w.frame + in.c[2 * block], w.frame + in.c[2 * block + 1], i);
      }
      const float* rows = a + mb * 8 * K;
      for (u32 k = 0; k < K; ++k) {
        const __m256 line = _mm256_load_ps(b + 8 * k);
#pragma GCC unroll 8
        for (u32 i = 0; i < 8; ++i)
          sum[i] = _mm256_fmadd_ps(_mm256_set1_ps(rows[i * K + k]), line, sum[i]);
      }
      const __m256 nan = _mm256_set1_ps(bits<float>(canonical_nan32));
      for (u32 i = 0; i < 8; ++i) {
        const __m256 is_nan = _mm256_cmp_ps(sum[i], sum[i], _CMP_UNORD_Q);
        _mm256_store_ps(results + 64 * block + 8 * i, _mm256_blendv_ps(sum[i], nan, is_nan));
      }
    }
  }
  write_blocks(w, static_cast<const Pieces*>(op->extra)->slots, results, down * across,
               form.d() == MatrixType::f16, m);
  return op + 1;
}

// 16 bytes as 16-bit integers: eight pairs.
__attribute__((always_inline)) inline __m256i widen_bytes(const std::byte* p, bool is_signed) {
  return is_signed ? _mm256_cvtepi8_epi16(load_16_bytes(p))
                   : _mm256_cvtepu8_epi16(load_16_bytes(p));
}

// Bytes: products of 16-bit integers, added in pairs to 32 bits, which cannot overflow.
template <u32 M, u32 N, u32 K>
__attribute__((noinline)) const Op* mma_bytes_known(Warp& w, const Op* op, u32 m) {
  const MatrixForm form = matrix_form(op);
  const MatrixOperands in = matrix_operands(op);
  constexpr u32 down = M / 8;
  constexpr u32 across = N / 8;
  constexpr u32 groups = K / 16;
  const bool signed_a = form.a == MatrixType::s8;
  const bool signed_b = form.b == MatrixType::s8;
  alignas(64) s32 a[M * K / 2];  // pairs
  alignas(64) s32 b[K / 2 * 8];
  alignas(64) float results[M * N];
  for (u32 mb = 0; mb < down; ++mb) {
    for (u32 g = 0; g < groups; ++g) {
      const std::byte* tile = w.frame + in.a[down * g + mb];
      for (u32 i = 0; i < 8; ++i) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(a + (8 * mb + i) * (K / 2) + 8 * g),
                           widen_bytes(tile + 16 * i, signed_a));
      }
    }
  }
  for (u32 nb = 0; nb < across; ++nb) {
    for (u32 g = 0; g < groups; ++g) {
      const std::byte* tile = w.frame + in.b[nb * groups + g];
      __m256 rows[8];
      for (u32 i = 0; i < 8; ++i)
        rows[i] = _mm256_castsi256_ps(widen_bytes(tile + 16 * i, signed_b));
      transpose_rows(rows);
      for (u32 i = 0; i < 8; ++i)
        _mm256_store_ps(reinterpret_cast<float*>(b) + 64 * g + 8 * i, rows[i]);
    }
    for (u32 mb = 0; mb < down; ++mb) {
      const u32 block = nb * down + mb;
      __m256i sum[8];
      for (u32 i = 0; i < 8; ++i) sum[i] = _mm256_setzero_si256();
      const s32* rows = a + mb * 8 * (K / 2);
      for (u32 k = 0; k < K / 2; ++k) {
        const __m256i line = _mm256_load_si256(reinterpret_cast<const __m256i*>(b + 8 * k));
#pragma GCC unroll 8
        for (u32 i = 0; i < 8; ++i)
          sum[i] = _mm256_add_epi32(
              sum[i], _mm256_madd_epi16(_mm256_set1_epi32(rows[i * (K / 2) + k]), line));
      }
      for (u32 i = 0; i < 8; ++i) {
        const __m256i c = _mm256_castps_si256(
            join_columns(w.frame + in.c[2 * block], w.frame + in.c[2 * block + 1], i));
        __m256i total = _mm256_add_epi32(sum[i], c);
        if ((form.flags & MatrixForm::saturate) != 0) {
          // Overflowed where both have a sign that the total has not: then the limit on C's side.
          const __m256i over =
              _mm256_andnot_si256(_mm256_xor_si256(sum[i], c), _mm256_xor_si256(total, c));
          const __m256i limit =
              _mm256_xor_si256(_mm256_srai_epi32(c, 31), _mm256_set1_epi32(0x7fffffff));
          total = _mm256_castps_si256(_mm256_blendv_ps(
              _mm256_castsi256_ps(total), _mm256_castsi256_ps(limit), _mm256_castsi256_ps(over)));
        }
        _mm256_store_si256(reinterpret_cast<__m256i*>(results + 64 * block + 8 * i), total);
      }
    }
  }
  write_blocks(w, static_cast<const Pieces*>(op->extra)->slots, results, down * across, false, m);
  return op + 1;
}

// One of the above, or nullptr.
using KnownShape = const Op* (*)(Warp&, const Op*, u32);
__attribute__((always_inline)) inline KnownShape known_shape(const MatrixForm& form) {
  if ((form.flags & MatrixForm::sparse) != 0) return nullptr;
  const u32 shape = form.m * 10000U + form.n * 100U + form.k;
  const bool bytes = (form.a == MatrixType::s8 || form.a == MatrixType::u8) &&
                     (form.b == MatrixType::s8 || form.b == MatrixType::u8);
  if (bytes) {
    switch (shape) {
      case 160832: return mma_bytes_known<16, 8, 32>;
      case 160816: return mma_bytes_known<16, 8, 16>;
      case 161616: return mma_bytes_known<16, 16, 16>;
      default: return nullptr;
    }
  }
  if (form.a != form.b) return nullptr;
  if (form.a == MatrixType::f16) {
    switch (shape) {
      case 160816: return mma_float_known<MatrixType::f16, 16, 8, 16>;
      case 160808: return mma_float_known<MatrixType::f16, 16, 8, 8>;
      case 161616: return mma_float_known<MatrixType::f16, 16, 16, 16>;
      default: return nullptr;
    }
  }
  if (form.a == MatrixType::bf16) {
    switch (shape) {
      case 160816: return mma_float_known<MatrixType::bf16, 16, 8, 16>;
      case 161616: return mma_float_known<MatrixType::bf16, 16, 16, 16>;
      default: return nullptr;
    }
  }
  if (form.a == MatrixType::tf32) {
    switch (shape) {
      case 160808: return mma_float_known<MatrixType::tf32, 16, 8, 8>;
      case 161608: return mma_float_known<MatrixType::tf32, 16, 16, 8>;
      default: return nullptr;
    }
  }
  return nullptr;
}

#endif

// Bigger than any shape: A is at most 32 × 32 or 16 × 128.
inline constexpr u32 most_of_a = 16 * 128;
inline constexpr u32 most_of_b = 128 * 8;
inline constexpr u32 most_blocks = 4;

// aux: numbers of registers of A, B and C, a byte each.
const Op* mma_float(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  const MatrixForm form = matrix_form(op);
#if defined(SOFTGPU_AVX2)
  if (const KnownShape known = known_shape(form)) return known(w, op, m);
#endif
  const MatrixOperands in = matrix_operands(op);
  const u32* out = static_cast<const Pieces*>(op->extra)->slots;
  alignas(64) float a[most_of_a];
  alignas(64) float b[most_of_b];
  alignas(64) float acc[4 * most_blocks * 64];
  const u32 down = form.m / tile_rows;
  const u32 across = form.n / 8U;
  const u32 depth = form.k;
  if ((form.flags & MatrixForm::sparse) != 0) {
    alignas(64) float chosen[most_of_a / 2];
    unpack_a(w, form, in.a, chosen, depth / 2);
    expand_sparse(w, form, lanes<u32>(w, in.meta[0]), chosen, a);
  } else {
    unpack_a(w, form, in.a, a, depth);
  }
  const u32 b_tiles = depth / tile_columns(form.b);
  for (u32 nb = 0; nb < across; ++nb) {
    unpack_b(w, form, in.b + nb * b_tiles, b);
    for (u32 mb = 0; mb < down; ++mb) {
      const u32 block = nb * down + mb;
      float* sum = acc + 64 * block;
      if (form.c() == MatrixType::f16)
        unpack_tile(MatrixType::f16, w.frame + in.c[block], sum, 8);
      else
        unpack_c<float, u32>(w, in.c + 2 * block, sum);
      multiply(a + mb * tile_rows * depth, depth, b, sum, depth);
    }
  }
  for (u32 block = 0; block < down * across; ++block) {
    float* sum = acc + 64 * block;
    for (u32 i = 0; i < 64; ++i) sum[i] = canonical(sum[i]);
    if (form.d() == MatrixType::f16) {
      alignas(64) u32 halves[warp_size];
      for (int l = 0; l < warp_size; ++l)
        halves[l] = float_to_half(sum[2 * l]) | (float_to_half(sum[2 * l + 1]) << 16);
      write_register(w, out[block], halves, m);
    } else {
      write_d<float, u32>(w, out + 2 * block, sum, m);
    }
  }
  return op + 1;
}

const Op* mma_integer(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  const MatrixForm form = matrix_form(op);
#if defined(SOFTGPU_AVX2)
  if (const KnownShape known = known_shape(form)) return known(w, op, m);
#endif
  const MatrixOperands in = matrix_operands(op);
  const u32* out = static_cast<const Pieces*>(op->extra)->slots;
  alignas(64) s32 a[most_of_a];
  alignas(64) s32 b[most_of_b];
  alignas(64) s32 acc[4 * most_blocks * 64];
  const u32 down = form.m / tile_rows;
  const u32 across = form.n / 8U;
  const u32 depth = form.k;
  if ((form.flags & MatrixForm::sparse) != 0) {
    alignas(64) s32 chosen[most_of_a / 2];
    unpack_a(w, form, in.a, chosen, depth / 2);
    expand_sparse(w, form, lanes<u32>(w, in.meta[0]), chosen, a);
  } else {
    unpack_a(w, form, in.a, a, depth);
  }
  const u32 b_tiles = depth / tile_columns(form.b);
  for (u32 nb = 0; nb < across; ++nb) {
    unpack_b(w, form, in.b + nb * b_tiles, b);
    for (u32 mb = 0; mb < down; ++mb) {
      const u32 block = nb * down + mb;
      // At most 128 products below 2^16: the sum fits.
      s32* sum = acc + 64 * block;
      for (u32 i = 0; i < 64; ++i) sum[i] = 0;
      multiply(a + mb * tile_rows * depth, depth, b, sum, depth);
      alignas(64) s32 c[64];
      unpack_c<s32, u32>(w, in.c + 2 * block, c);
      if ((form.flags & MatrixForm::saturate) != 0) {
        for (u32 i = 0; i < 64; ++i) sum[i] = SaturateAdd::f(sum[i], c[i]);
      } else {
        for (u32 i = 0; i < 64; ++i)
          sum[i] = static_cast<s32>(static_cast<u32>(sum[i]) + static_cast<u32>(c[i]));
      }
    }
  }
  for (u32 block = 0; block < down * across; ++block)
    write_d<s32, u32>(w, out + 2 * block, acc + 64 * block, m);
  return op + 1;
}

// Bits: the population count of a row of A and a column of B combined.
const Op* mma_bits(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  const MatrixForm form = matrix_form(op);
  const MatrixOperands in = matrix_operands(op);
  const u32* out = static_cast<const Pieces*>(op->extra)->slots;
  const u32 down = form.m / tile_rows;
  const u32 across = form.k / 128U;
  alignas(64) u32 acc[2 * 64];
  for (u32 mb = 0; mb < down; ++mb) {
    u32* sum = acc + 64 * mb;
    unpack_c<u32, u32>(w, in.c + 2 * mb, sum);
    for (u32 t = 0; t < across; ++t) {
      const u32* a = lanes<u32>(w, in.a[down == 1 ? t : 2 * t + mb]);
      const u32* b = lanes<u32>(w, in.b[t]);
      for (u32 i = 0; i < 8; ++i) {
        for (u32 j = 0; j < 8; ++j) {
          for (u32 k = 0; k < 4; ++k) {
            const u32 x = a[4 * i + k];
            const u32 y = b[4 * j + k];
            sum[8 * i + j] += static_cast<u32>(
                __builtin_popcount((form.flags & MatrixForm::logical_and) != 0 ? x & y : x ^ y));
          }
        }
      }
    }
  }
  for (u32 mb = 0; mb < down; ++mb) write_d<u32, u32>(w, out + 2 * mb, acc + 64 * mb, m);
  return op + 1;
}

// c: control register bits of the rounding.
const Op* mma_double(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  const MatrixForm form = matrix_form(op);
  const MatrixOperands in = matrix_operands(op);
  const u32* out = static_cast<const Pieces*>(op->extra)->slots;
  alignas(64) double a[16 * 16];
  alignas(64) double b[16 * 8];
  alignas(64) double acc[2 * 64];
  const u32 down = form.m / tile_rows;
  const u32 depth = form.k;
  unpack_a(w, form, in.a, a, depth);
  unpack_b(w, form, in.b, b);
  for (u32 mb = 0; mb < down; ++mb) unpack_c<double, u64>(w, in.c + 2 * mb, acc + 64 * mb);
  {
    const ControlRegister control((op->aux >> 24) << 13);
    for (u32 i = 0; i < 64 * down; ++i) {
      double sum = opaque(acc[i]);
      for (u32 k = 0; k < depth; ++k)
        sum = opaque(__builtin_fma(opaque(a[(i / 8) * depth + k]), b[k * 8 + (i & 7U)], sum));
      acc[i] = sum;
    }
  }
  for (u32 mb = 0; mb < down; ++mb) write_d<double, u64>(w, out + 2 * mb, acc + 64 * mb, m);
  return op + 1;
}

// mma.m8n8k4 on halves: four multiplications, each by four lanes of the lower half of the warp and
// four of the upper (PTX ISA 9.0, section 9.7.14.5.1).
const Op* mma_quads(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  const MatrixForm form = matrix_form(op);
  const MatrixOperands in = matrix_operands(op);
  const u32* out = static_cast<const Pieces*>(op->extra)->slots;
  const bool a_columns = (form.flags & MatrixForm::a_columns) != 0;
  const bool b_rows = (form.flags & MatrixForm::b_rows) != 0;
  alignas(64) u32 result[8][warp_size] = {};
  const auto half_of = [&](const u32* slots, u32 lane, u32 i) {
    return half_to_float((lanes<u32>(w, slots[i / 2])[lane] >> (16 * (i & 1U))) & 0xffffU);
  };
  for (u32 quad = 0; quad < 4; ++quad) {
    float a[8][4] = {};
    float b[4][8] = {};
    float c[8][8] = {};
    for (u32 l = 0; l < 8; ++l) {
      const u32 lane = 4 * quad + (l & 3U) + (l >= 4 ? 16 : 0);
      const u32 upper = l >= 4 ? 4 : 0;
      for (u32 i = 0; i < 4; ++i) {
        const float x = half_of(in.a, lane, i);
        if (a_columns)
          a[i + upper][l & 3U] = x;
        else
          a[l][i] = x;
        const float y = half_of(in.b, lane, i);
        if (b_rows)
          b[l & 3U][i + upper] = y;
        else
          b[i][l] = y;
      }
      for (u32 i = 0; i < 8; ++i) {
        if (form.c() == MatrixType::f16) {
          c[l][i] = half_of(in.c, lane, i);
        } else {
          const u32 row = (lane & 1U) + (i & 2U) + upper;
          const u32 column = (i & 4U) + (lane & 2U) + (i & 1U);
          c[row][column] = bits<float>(lanes<u32>(w, in.c[i])[lane]);
        }
      }
    }
    for (u32 i = 0; i < 8; ++i) {
      for (u32 j = 0; j < 8; ++j) {
        float sum = c[i][j];
        for (u32 k = 0; k < 4; ++k) sum = __builtin_fmaf(a[i][k], b[k][j], sum);
        c[i][j] = canonical(sum);
      }
    }
    for (u32 l = 0; l < 8; ++l) {
      const u32 lane = 4 * quad + (l & 3U) + (l >= 4 ? 16 : 0);
      const u32 upper = l >= 4 ? 4 : 0;
      for (u32 i = 0; i < 8; ++i) {
        if (form.d() == MatrixType::f16) {
          result[i / 2][lane] |= float_to_half(c[l][i]) << (16 * (i & 1U));
        } else {
          const u32 row = (lane & 1U) + (i & 2U) + upper;
          const u32 column = (i & 4U) + (lane & 2U) + (i & 1U);
          result[i][lane] = bits<u32>(c[row][column]);
        }
      }
    }
  }
  const u32 registers = form.d() == MatrixType::f16 ? 4 : 8;
  for (u32 r = 0; r < registers; ++r) write_register(w, out[r], result[r], m);
  return op + 1;
}

// --- wgmma ---------------------------------------------------------------------------------------
//
// Each of the four warps of a group computes its own 16 rows of D (m64nNk…) when it issues the
// instruction; waits have nothing to wait for.

// The bytes of one row of A (`along` its number), or of one column of B: k elements, as they lie in
// a tile's row.
__attribute__((always_inline)) inline void gather_line(Warp& w, const Op* op, u64 descriptor,
                                                       u32 along, u32 bytes, u32 element,
                                                       bool transposed, std::byte* to) {
  const u64 limit = w.block->shared_bytes;
  const u32 step = transposed ? element : 16;
  for (u32 at = 0; at < bytes; at += step) {
    const u32 place =
        place_by_descriptor(descriptor, along, transposed ? at / element : at, element, transposed);
    if (place + u64{step} > limit) {
      softgpu::raise_fault_text(
          w, op, 0, 700,
          "wgmma: a matrix descriptor reaches beyond the shared memory of the block");
    }
    __builtin_memcpy(to + at, w.block->shared + place, step);
  }
}

// d: predicate that says whether D is added to (bit 0 negated); extra: D's registers, and in `more`
// A's descriptor or its four registers, then B's descriptor. imm: MatrixForm with n left out; aux:
// WarpGroupForm.
template <class V>
__attribute__((always_inline)) inline const Op* warp_group_multiply(Warp& w, const Op* op, u32 m) {
  const MatrixForm form = matrix_form(op);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32 columns = op->aux >> WarpGroupForm::n_shift;
  const u32 depth = form.k;
  const u32 across = depth / tile_columns(form.a);  // tiles of 16 bytes
  const u32 bytes = across * 16;
  const u32 element = bits_of(form.a) < 8 ? 1 : bits_of(form.a) / 8;
  const u32 adds = predicate(w, op->d & ~3U) ^ (0U - (op->d & 1U));
  const bool adds_to = (adds & m) != 0;
  const int first = __builtin_ctz(m);
  alignas(64) V a[16 * 32];
  alignas(64) V b[32 * 8];
  alignas(64) V tile[tile_rows * 32];
  alignas(64) std::byte lines[8][64];
  alignas(64) std::byte raw[128];
  // Rows of tiles: the bytes of eight lines, one piece of 16 after the other.
  const auto unpack_lines = [&](MatrixType type, V* to, u32 stride) {
    for (u32 t = 0; t < across; ++t) {
      for (u32 i = 0; i < 8; ++i) __builtin_memcpy(raw + 16 * i, lines[i] + 16 * t, 16);
      unpack_tile(type, raw, to + t * tile_columns(type), stride);
    }
  };
  u32 next = 0;
  if ((op->aux & WarpGroupForm::a_in_registers) != 0) {
    for (u32 t = 0; t < 2 * across; ++t) {
      unpack_tile(form.a, w.frame + pieces.more[t],
                  a + (t & 1U) * 8 * depth + (t >> 1) * tile_columns(form.a), depth);
    }
    next = 2 * across;
  } else {
    const u64 descriptor = lanes<u64>(w, pieces.more[0])[first];
    const u32 row0 = (static_cast<u32>(w.index) & 3U) * 16;
    for (u32 half = 0; half < 2; ++half) {
      for (u32 i = 0; i < 8; ++i)
        gather_line(w, op, descriptor, row0 + 8 * half + i, bytes, element,
                    (op->aux & WarpGroupForm::transpose_a) != 0, lines[i]);
      unpack_lines(form.a, a + half * 8 * depth, depth);
    }
    next = 1;
  }
  const bool negative =
      ((op->aux & WarpGroupForm::negate_a) != 0) != ((op->aux & WarpGroupForm::negate_b) != 0);
  if (negative) {
    for (u32 i = 0; i < 16 * depth; ++i) a[i] = static_cast<V>(-a[i]);
  }
  const u64 descriptor = lanes<u64>(w, pieces.more[next])[first];
  const bool halves = form.d() == MatrixType::f16;
  for (u32 nb = 0; nb < columns / 8; ++nb) {
    for (u32 i = 0; i < 8; ++i)
      gather_line(w, op, descriptor, 8 * nb + i, bytes, element,
                  (op->aux & WarpGroupForm::transpose_b) != 0, lines[i]);
    unpack_lines(form.b, tile, depth);
    for (u32 k = 0; k < depth; ++k) {
      for (u32 j = 0; j < 8; ++j) b[8 * k + j] = tile[j * depth + k];
    }
    for (u32 mb = 0; mb < 2; ++mb) {
      const u32 block = 2 * nb + mb;
      alignas(64) V sum[64] = {};
      if constexpr (std::is_floating_point_v<V>) {
        if (adds_to && halves)
          unpack_tile(MatrixType::f16, w.frame + pieces.slots[block], sum, 8);
        else if (adds_to)
          unpack_c<V, u32>(w, pieces.slots + 2 * block, sum);
        multiply(a + mb * 8 * depth, depth, b, sum, depth);
        for (u32 i = 0; i < 64; ++i) sum[i] = canonical(sum[i]);
        if (halves) {
          alignas(64) u32 packed_halves[warp_size];
          for (int l = 0; l < warp_size; ++l)
            packed_halves[l] = float_to_half(sum[2 * l]) | (float_to_half(sum[2 * l + 1]) << 16);
          write_register(w, pieces.slots[block], packed_halves, m);
        } else {
          write_d<V, u32>(w, pieces.slots + 2 * block, sum, m);
        }
      } else {
        multiply(a + mb * 8 * depth, depth, b, sum, depth);
        if (adds_to) {
          alignas(64) s32 c[64];
          unpack_c<s32, u32>(w, pieces.slots + 2 * block, c);
          for (u32 i = 0; i < 64; ++i) {
            sum[i] = (form.flags & MatrixForm::saturate) != 0
                         ? SaturateAdd::f(sum[i], c[i])
                         : static_cast<s32>(static_cast<u32>(sum[i]) + static_cast<u32>(c[i]));
          }
        }
        write_d<s32, u32>(w, pieces.slots + 2 * block, sum, m);
      }
    }
  }
  return op + 1;
}
const Op* warp_group_float(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  return warp_group_multiply<float>(w, op, m);
}
const Op* warp_group_integer(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  return warp_group_multiply<s32>(w, op, m);
}

// --- fragments in memory ------------------------------------------------------------------------

// Bytes behind a generic address, in whatever space.
__attribute__((always_inline)) inline std::byte* generic_bytes(Warp& w, const Op* op, int lane,
                                                               u64 address, u32 size, bool write) {
  if ((address & window_mask) == shared_window) {
    const u64 at = address & ~window_mask;
    if (at + size <= w.block->shared_bytes && (at & (size - 1)) == 0) return w.block->shared + at;
    return softgpu::checked_address(w, op, lane, address, size, write);
  }
  return lane_bytes(w, op, lane, address, size, write);
}

// The bytes of a whole matrix of `bytes` bytes where they may be used without further checks, or
// nullptr where each element has to be looked at.
__attribute__((always_inline)) inline std::byte* whole_matrix(Warp& w, const Op* op, int lane,
                                                              u64 address, u64 bytes, u32 align,
                                                              bool write) {
  if ((address & (align - 1)) != 0) return nullptr;
  if ((address & window_mask) == shared_window) {
    const u64 at = address & ~window_mask;
    return at + bytes <= w.block->shared_bytes ? w.block->shared + at : nullptr;
  }
  if (!cached(w, op, address, address + bytes)) {
    (void)lane_bytes(w, op, lane, address, align, write);
    if (!cached(w, op, address, address + bytes)) return nullptr;
  }
  return reinterpret_cast<std::byte*>(address);
}

// Eight rows of 16 bytes, or of 32 (accumulators of 32 bits, whose columns take turns in two
// registers), between memory and registers.
template <bool Store>
__attribute__((always_inline)) inline void move_tile(std::byte* memory, u64 row_bytes,
                                                     std::byte* reg) {
  for (u32 i = 0; i < 8; ++i) {
    if constexpr (Store)
      __builtin_memcpy(memory + i * row_bytes, reg + 16 * i, 16);
    else
      __builtin_memcpy(reg + 16 * i, memory + i * row_bytes, 16);
  }
}
template <bool Store>
__attribute__((always_inline)) inline void move_wide_tile(std::byte* memory, u64 row_bytes,
                                                          std::byte* even, std::byte* odd) {
  for (u32 i = 0; i < 8; ++i) {
    u32 row[8];
    if constexpr (!Store) __builtin_memcpy(row, memory + i * row_bytes, 32);
    for (u32 j = 0; j < 4; ++j) {
      std::byte* e = even + 16 * i + 4 * j;
      std::byte* o = odd + 16 * i + 4 * j;
      if constexpr (Store) {
        __builtin_memcpy(row + 2 * j, e, 4);
        __builtin_memcpy(row + 2 * j + 1, o, 4);
      } else {
        __builtin_memcpy(e, row + 2 * j, 4);
        __builtin_memcpy(o, row + 2 * j + 1, 4);
      }
    }
    if constexpr (Store) __builtin_memcpy(memory + i * row_bytes, row, 32);
  }
}

// wmma.load and wmma.store. a: address (the same in all lanes), b: stride in elements, or none;
// aux: FragmentForm; imm: offset; extra: the registers.
template <bool Store>
const Op* wmma_memory(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  const FragmentForm form = FragmentForm::unpacked(op->aux);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32* slots = pieces.slots;
  const auto registers = pieces.count;
  const int first = __builtin_ctz(m);
  const u64 base = lanes<u64>(w, op->a)[first] + static_cast<u64>(op->imm);
  const u32 rows = form.rows;
  const u32 columns = form.columns;
  const u64 stride = op->b != 0 ? lanes<u32>(w, op->b)[first] : (form.by_columns ? rows : columns);
  const u32 width = bits_of(form.type);
  // A register's lane holds `piece` consecutive elements of a row.
  const bool single = form.accumulator && form.type != MatrixType::f16;
  const u32 piece = single ? 1 : width == 64 ? 1 : 32 / width;
  const u32 tile_width = 4 * piece;
  const u32 down = rows / tile_rows;
  const u32 across = form.accumulator ? columns / 8 : columns / tile_width;
  const u32 tiles = down * across;

  // All lanes, and rows of tiles that lie in memory as they lie in registers.
  if (m == full_mask && !form.by_columns && width != 64) {
    const u64 total = ((rows - 1) * stride + columns) * width / 8;
    if (std::byte* p = whole_matrix(w, op, first, base, total, width < 8 ? 4 : width / 8, Store)) {
      const u64 row_bytes = stride * width / 8;
      bool done = true;
      for (u32 r = 0; r < registers; ++r) done = done && slots[r] != 0;
      for (u32 t = 0; done && t < tiles; ++t) {
        if (form.accumulator) {
          std::byte* place = p + (t % down) * 8 * row_bytes + (t / down) * width;
          if (single)
            move_wide_tile<Store>(place, row_bytes, w.frame + slots[2 * t],
                                  w.frame + slots[2 * t + 1]);
          else
            move_tile<Store>(place, row_bytes, w.frame + slots[t]);
        } else {
          const TilePlace at =
              form.right ? TilePlace{t / across, t % across} : place_of_tile(t, down, across);
          move_tile<Store>(p + at.row * 8 * row_bytes + at.column * 16, row_bytes,
                           w.frame + slots[t]);
        }
      }
      if constexpr (!Store) {
        // The registers beyond hold the tiles again.
        for (u32 r = tiles; done && !form.accumulator && r < registers; ++r)
          __builtin_memcpy(w.frame + slots[r], w.frame + slots[r % tiles], 128);
      }
      if (done) return op + 1;
    }
  }

  for (u32 r = 0; r < registers; ++r) {
    if (slots[r] == 0) continue;
    u32 row0 = 0;
    u32 column0 = 0;
    if (form.accumulator) {
      // Blocks of 8 by 8, down the columns first.
      const u32 block = (single ? r / 2 : r) % tiles;
      row0 = (block % down) * 8;
      column0 = (block / down) * 8;
    } else {
      const u32 tile = r % tiles;
      const TilePlace at =
          form.right ? TilePlace{tile / across, tile % across} : place_of_tile(tile, down, across);
      row0 = at.row * 8;
      column0 = at.column * tile_width;
    }
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const u32 l = static_cast<u32>(__builtin_ctz(rest));
      const u32 row = row0 + (l >> 2);
      const u32 column = single ? column0 + 2 * (l & 3U) + (r & 1U) : column0 + (l & 3U) * piece;
      if (width < 8 || !form.by_columns) {
        // Consecutive in memory: 4 or 8 bytes, in parts no larger than the alignment allows.
        const u64 at = base + (row * stride + column) * width / 8;
        const u32 bytes = piece * width / 8;
        const u32 part = (at & (bytes - 1)) == 0 ? bytes : width < 8 ? 1 : width / 8;
        u64 value = 0;
        if constexpr (Store)
          value = width == 64 ? lanes<u64>(w, slots[r])[l] : lanes<u32>(w, slots[r])[l];
        for (u32 done = 0; done < bytes; done += part) {
          std::byte* p = generic_bytes(w, op, static_cast<int>(l), at + done, part, Store);
          if constexpr (Store)
            __builtin_memcpy(p, reinterpret_cast<const std::byte*>(&value) + done, part);
          else
            __builtin_memcpy(reinterpret_cast<std::byte*>(&value) + done, p, part);
        }
        if constexpr (!Store) {
          if (width == 64)
            lanes<u64>(w, slots[r])[l] = value;
          else
            lanes<u32>(w, slots[r])[l] = static_cast<u32>(value);
        }
      } else {
        u64 value = 0;
        if constexpr (Store)
          value = width == 64 ? lanes<u64>(w, slots[r])[l] : lanes<u32>(w, slots[r])[l];
        const u32 bytes = width / 8;
        for (u32 e = 0; e < piece; ++e) {
          const u64 at = base + ((column + e) * stride + row) * bytes;
          std::byte* p = generic_bytes(w, op, static_cast<int>(l), at, bytes, Store);
          auto* element = reinterpret_cast<std::byte*>(&value) + e * bytes;
          if constexpr (Store)
            __builtin_memcpy(p, element, bytes);
          else
            __builtin_memcpy(element, p, bytes);
        }
        if constexpr (!Store) {
          if (width == 64)
            lanes<u64>(w, slots[r])[l] = value;
          else
            lanes<u32>(w, slots[r])[l] = static_cast<u32>(value);
        }
      }
    }
  }
  return op + 1;
}

// Eight rows of 16 bytes, one lane each, to or from a tile.
__attribute__((always_inline)) inline void transpose_tile(u32* tile) {
  u16 from[64];
  u16 to[64];
  __builtin_memcpy(from, tile, sizeof from);
  for (u32 i = 0; i < 8; ++i) {
    for (u32 j = 0; j < 8; ++j) to[8 * i + j] = from[8 * j + i];
  }
  __builtin_memcpy(tile, to, sizeof to);
}

// ldmatrix, stmatrix: a: generic addresses, one lane for each row; imm: offset; aux: transposed;
// extra: one, two or four registers.
template <bool Store>
const Op* matrix_rows(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32* slots = pieces.slots;
  const auto count = pieces.count;
  const auto* a = lanes<u64>(w, op->a);
  alignas(64) u32 tile[4][warp_size];
  for (u32 r = 0; r < count; ++r) {
    if constexpr (Store) {
      __builtin_memcpy(tile[r], lanes<u32>(w, slots[r]), sizeof tile[r]);
      if (op->aux != 0) transpose_tile(tile[r]);
    }
    for (u32 row = 0; row < 8; ++row) {
      const u32 lane = 8 * r + row;
      std::byte* p = generic_bytes(w, op, static_cast<int>(lane),
                                   a[lane] + static_cast<u64>(op->imm), 16, Store);
      if constexpr (Store)
        __builtin_memcpy(p, tile[r] + 4 * row, 16);
      else
        __builtin_memcpy(tile[r] + 4 * row, p, 16);
    }
    if constexpr (!Store) {
      if (op->aux != 0) transpose_tile(tile[r]);
    }
  }
  if constexpr (!Store) {
    for (u32 r = 0; r < count; ++r) write_register(w, slots[r], tile[r], m);
  }
  return op + 1;
}

const Op* move_matrix(Warp& w, const Op* op) {
  SOFTGPU_ALIGNED
  alignas(64) u32 tile[warp_size];
  __builtin_memcpy(tile, lanes<u32>(w, op->a), sizeof tile);
  transpose_tile(tile);
  write_register(w, op->d, tile, m);
  return op + 1;
}

// --- 8-bit floats -------------------------------------------------------------------------------

// Two floats to two 8-bit floats, a in the upper byte. aux bit 0: e5m2, bit 1: relu.
struct ConvertToSmallPair {
  __attribute__((always_inline)) static u32 one(float x, u32 aux) {
    if ((aux & 2U) != 0 && x <= 0) x = 0;
    return (aux & 1U) != 0 ? float_to_e5m2(x) : float_to_e4m3(x);
  }
  static u32 f(float a, float b, float, u32 aux) { return (one(a, aux) << 8) | one(b, aux); }
};
// The same from a register of two halves (aux bit 2: bfloat16s).
struct ConvertHalvesToSmallPair {
  static u32 f(u32 a, u32, u32, u32 aux) {
    const float high = (aux & 4U) != 0 ? bfloat_to_float(a >> 16) : half_to_float(a >> 16);
    const float low = (aux & 4U) != 0 ? bfloat_to_float(a & 0xffffU) : half_to_float(a & 0xffffU);
    return ConvertToSmallPair::f(high, low, 0, aux);
  }
};
// Two 8-bit floats to two halves: exact.
struct ConvertSmallPairToHalves {
  __attribute__((always_inline)) static u32 one(u32 x, u32 aux) {
    float y = (aux & 1U) != 0 ? e5m2_to_float(x) : e4m3_to_float(x);
    if ((aux & 2U) != 0 && y <= 0) y = 0;
    return float_to_half(y);
  }
  static u32 f(u32 a, u32, u32, u32 aux) {
    return (one((a >> 8) & 0xffU, aux) << 16) | one(a & 0xffU, aux);
  }
};

}  // namespace

}  // namespace softgpu::SOFTGPU_ISA
