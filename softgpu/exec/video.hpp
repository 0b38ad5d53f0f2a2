// A video instruction (PTX ISA, "Video Instructions") described by the bits of the immediate of its
// operation. Literal and constexpr, because each instruction set compiles it.
#pragma once

#include <cstdint>

namespace softgpu {

struct VideoForm {
  std::uint64_t bits = 0;

  enum Operation : std::uint32_t {
    add,
    subtract,
    absolute_difference,
    minimum,
    maximum,
    average,
    shift_left,
    shift_right,
    compare,
    multiply_add,
  };

  // Fields: first bit and width.
  struct Field {
    int first;
    int width;
  };
  static constexpr Field operation_field{0, 4};
  static constexpr Field d_signed_field{4, 1};
  static constexpr Field a_signed_field{5, 1};
  static constexpr Field b_signed_field{6, 1};
  static constexpr Field saturate_field{7, 1};
  static constexpr Field secondary_field{8, 2};    // 0 none, 1 add, 2 min, 3 max
  static constexpr Field d_selector_field{10, 3};  // 0 the whole, 1-4 .b0-.b3, 5-6 .h0-.h1
  static constexpr Field a_selector_field{13, 3};
  static constexpr Field b_selector_field{16, 3};
  static constexpr Field comparison_field{19, 3};  // eq, ne, lt, le, gt, ge
  static constexpr Field wrap_field{22, 1};
  static constexpr Field negate_product_field{23, 1};
  static constexpr Field negate_c_field{24, 1};
  static constexpr Field plus_one_field{25, 1};
  static constexpr Field scale_field{26, 4};     // shift to the right: 0, 7 or 15
  static constexpr Field parts_field{30, 2};     // log2 of the elements of a SIMD form
  static constexpr Field mask_field{32, 4};      // elements of d that are computed
  static constexpr Field a_parts_field{36, 12};  // three bits for each element: which of a, b
  static constexpr Field b_parts_field{48, 12};

  constexpr void set(Field field, std::uint64_t value) { bits |= value << field.first; }
  [[nodiscard]] __attribute__((always_inline)) constexpr std::uint32_t get(Field field) const {
    return static_cast<std::uint32_t>((bits >> field.first) &
                                      ((std::uint64_t{1} << field.width) - 1));
  }

#define SOFTGPU_VIDEO_FIELD(NAME)                                                     \
  [[nodiscard]] __attribute__((always_inline)) constexpr std::uint32_t NAME() const { \
    return get(NAME##_field);                                                         \
  }
#define SOFTGPU_VIDEO_FLAG(NAME)                                             \
  [[nodiscard]] __attribute__((always_inline)) constexpr bool NAME() const { \
    return get(NAME##_field) != 0;                                           \
  }
  SOFTGPU_VIDEO_FIELD(operation)
  SOFTGPU_VIDEO_FIELD(secondary)
  SOFTGPU_VIDEO_FIELD(d_selector)
  SOFTGPU_VIDEO_FIELD(a_selector)
  SOFTGPU_VIDEO_FIELD(b_selector)
  SOFTGPU_VIDEO_FIELD(comparison)
  SOFTGPU_VIDEO_FIELD(scale)
  SOFTGPU_VIDEO_FIELD(mask)
  SOFTGPU_VIDEO_FLAG(d_signed)
  SOFTGPU_VIDEO_FLAG(a_signed)
  SOFTGPU_VIDEO_FLAG(b_signed)
  SOFTGPU_VIDEO_FLAG(saturate)
  SOFTGPU_VIDEO_FLAG(wrap)
  SOFTGPU_VIDEO_FLAG(negate_product)
  SOFTGPU_VIDEO_FLAG(negate_c)
  SOFTGPU_VIDEO_FLAG(plus_one)
#undef SOFTGPU_VIDEO_FIELD
#undef SOFTGPU_VIDEO_FLAG
  [[nodiscard]] __attribute__((always_inline)) constexpr std::uint32_t parts() const {
    return 1U << get(parts_field);
  }
  [[nodiscard]] __attribute__((always_inline)) constexpr std::uint32_t a_part(
      std::uint32_t i) const {
    return (get(a_parts_field) >> (3 * i)) & 7U;
  }
  [[nodiscard]] __attribute__((always_inline)) constexpr std::uint32_t b_part(
      std::uint32_t i) const {
    return (get(b_parts_field) >> (3 * i)) & 7U;
  }
};

}  // namespace softgpu
