// Descriptions of matrix instructions, made by the decoder and read by the handlers.
//
// All fragments of mma and wmma except those of mma.m8n8k4 on halves are made of one piece: a tile
// of 8 rows of 16 bytes (32 for f64), which is one register of a warp, four lanes to a row (PTX ISA
// 9.0, sections 9.7.14.5 and 9.7.14.6, "Matrix fragments"). A is a grid of tiles, two rows of tiles
// first; B is stored by columns, so that its tiles hold 8 columns. Accumulators of 32 bits have
// twice that: two registers for 8 by 8 elements.
//
// The layout of wmma fragments is left open by the ISA; the one used here is that of mma of the
// same size, with the registers beyond it holding the tiles again.
#pragma once

#include <cstdint>
#include <cstring>

namespace softgpu {

enum class MatrixType : std::uint8_t {
  f16,
  bf16,
  tf32,
  f32,
  f64,
  e4m3,
  e5m2,
  s8,
  u8,
  s4,
  u4,
  b1,
  s32,
};

inline constexpr std::uint32_t bits_of(MatrixType type) {
  switch (type) {
    case MatrixType::f64: return 64;
    case MatrixType::tf32:
    case MatrixType::f32:
    case MatrixType::s32: return 32;
    case MatrixType::f16:
    case MatrixType::bf16: return 16;
    case MatrixType::s4:
    case MatrixType::u4: return 4;
    case MatrixType::b1: return 1;
    default: return 8;
  }
}
// Elements in a row of a tile.
inline constexpr std::uint32_t tile_columns(MatrixType type) {
  return type == MatrixType::f64 ? 4 : 128 / bits_of(type);
}

// Describes a multiplication: D (m × n) = A (m × k) · B (k × n) + C.
struct MatrixForm {
  std::uint8_t m = 0;
  std::uint8_t n = 0;
  std::uint16_t k = 0;
  MatrixType a = MatrixType::f16;
  MatrixType b = MatrixType::f16;
  std::uint8_t c_and_d = 0;  // types: c in the low four bits, d above
  std::uint8_t flags = 0;

  static constexpr std::uint8_t saturate = 1;     // .satfinite
  static constexpr std::uint8_t logical_and = 2;  // .and.popc; .xor.popc without
  static constexpr std::uint8_t sparse = 4;
  static constexpr std::uint8_t a_columns = 8;  // mma.m8n8k4: A is .col
  static constexpr std::uint8_t b_rows = 16;    // mma.m8n8k4: B is .row
  // Which threads' metadata counts: the sparsity selector.
  static constexpr std::uint8_t selector_shift = 6;

  [[nodiscard]] MatrixType c() const { return static_cast<MatrixType>(c_and_d & 15U); }
  [[nodiscard]] MatrixType d() const { return static_cast<MatrixType>(c_and_d >> 4U); }
};
static_assert(sizeof(MatrixForm) == sizeof(std::int64_t));

inline std::int64_t packed(const MatrixForm& form) {
  std::int64_t bits = 0;
  std::memcpy(&bits, static_cast<const void*>(&form), sizeof bits);
  return bits;
}

// The rest of wgmma.mma_async's description, packed into Op::aux; a MatrixForm has no room for it.
struct WarpGroupForm {
  static constexpr std::uint32_t a_in_registers = 1;
  static constexpr std::uint32_t negate_a = 2;
  static constexpr std::uint32_t negate_b = 4;
  static constexpr std::uint32_t transpose_a = 8;   // A lies by columns (MN-major)
  static constexpr std::uint32_t transpose_b = 16;  // B lies by rows
  static constexpr std::uint32_t n_shift = 8;       // columns of D, up to 256
};

// Where an element of a matrix in shared memory lies, by its descriptor (PTX ISA 9.0, section
// 9.7.15.5.1): bits 0-13 the address, 16-29 and 32-45 the leading and the stride dimension's byte
// offsets, all without their four low bits; 62-63 the swizzle. `along` counts rows of A or columns
// of B; `depth` counts bytes of k (or elements, where the matrix is transposed). Returns an offset
// into shared memory.
__attribute__((always_inline)) inline std::uint32_t place_by_descriptor(std::uint64_t descriptor,
                                                                        std::uint32_t along,
                                                                        std::uint32_t depth,
                                                                        std::uint32_t element,
                                                                        bool transposed) {
  const auto start = static_cast<std::uint32_t>(descriptor & 0x3fffU) << 4U;
  const auto leading = static_cast<std::uint32_t>(descriptor >> 16U & 0x3fffU) << 4U;
  const auto stride = static_cast<std::uint32_t>(descriptor >> 32U & 0x3fffU) << 4U;
  const auto mode = static_cast<std::uint32_t>(descriptor >> 62U);
  // Bytes of a row of eight: 16 without swizzle, else 128, 64 or 32.
  const std::uint32_t span = mode == 0 ? 16 : 256U >> mode;
  std::uint32_t place = start;
  if (!transposed) {
    place += along / 8 * stride + along % 8 * span;
    place += mode == 0 ? depth / 16 * leading + depth % 16 : depth;
  } else {
    const std::uint32_t bytes = along * element;
    place += depth % 8 * span + bytes % span;
    place += mode == 0 ? bytes / span * stride + depth / 8 * leading
                       : bytes / span * leading + depth / 8 * stride;
  }
  if (mode != 0) place ^= (place >> 7U & ((span >> 4U) - 1)) << 4U;
  return place;
}

// Describes wmma.load and wmma.store: a matrix of `rows` by `columns` elements in memory, tiled as
// above after transposition where `transposed` (B). Packed into Op::aux.
struct FragmentForm {
  MatrixType type = MatrixType::f16;
  std::uint32_t rows = 0;     // of tiles' rows: m of A and C, n of B
  std::uint32_t columns = 0;  // k of A and B, n of C
  bool by_columns = false;    // elements of a tile's row are `stride` apart in memory
  bool accumulator = false;
  bool right = false;  // B, whose tiles follow each other along a row of tiles

  [[nodiscard]] std::uint32_t packed() const {
    return static_cast<std::uint32_t>(type) | rows << 4U | columns << 10U |
           (by_columns ? 1U : 0U) << 20U | (accumulator ? 1U : 0U) << 21U |
           (right ? 1U : 0U) << 22U;
  }
  static FragmentForm unpacked(std::uint32_t bits) {
    FragmentForm form;
    form.type = static_cast<MatrixType>(bits & 15U);
    form.rows = (bits >> 4U) & 63U;
    form.columns = (bits >> 10U) & 1023U;
    form.by_columns = ((bits >> 20U) & 1U) != 0;
    form.accumulator = ((bits >> 21U) & 1U) != 0;
    form.right = ((bits >> 22U) & 1U) != 0;
    return form;
  }
};

// Where tile number `tile` of an operand lies, in tiles: two rows of tiles at a time.
struct TilePlace {
  std::uint32_t row;
  std::uint32_t column;
};
__attribute__((always_inline)) inline TilePlace place_of_tile(std::uint32_t tile,
                                                              std::uint32_t tile_rows,
                                                              std::uint32_t tile_cols) {
  if (tile_rows == 1) return {0, tile % tile_cols};
  const std::uint32_t pair = tile / (2 * tile_cols);
  const std::uint32_t within = tile % (2 * tile_cols);
  return {(2 * pair + (within & 1U)) % tile_rows, within >> 1U};
}

}  // namespace softgpu
