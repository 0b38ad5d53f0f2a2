// Texture fetches of a warp at once: one- and two-dimensional textures without mipmaps. What leads
// out of the image into its border, and what few programs use, softgpu/texture reads lane by lane;
// the bits are the same, as is said where they are not by construction.

// Bits of Op::aux, as decode_texture.cpp puts it together.
inline constexpr u32 texture_geometry = 15;
inline constexpr u32 texture_two_dimensions = 1;
inline constexpr u32 texture_whole = 1U << 4U;  // coordinates are integers

// The texels that one coordinate of each lane names.
struct LaneAxis {
  alignas(64) s32 first[warp_size];
  alignas(64) s32 second[warp_size];  // with a linear filter, where it weighs
  alignas(64) s32 weight[warp_size];  // so many 256ths
};

// x − ⌊x⌋ would need SSE4.1: for what fits into 31 bits.
__attribute__((always_inline)) inline s32 floor_to_int(double x) {
  const auto whole = static_cast<s32>(x);
  return whole - (static_cast<double>(whole) > x ? 1 : 0);
}

__attribute__((always_inline)) inline void place_in_image(s32* at, s32 size, Plane::Mode mode) {
  switch (mode) {
    case Plane::Mode::wrap:  // at least −1, at most `size`
      SOFTGPU_LANES at[l] = at[l] < 0 ? at[l] + size : at[l] >= size ? at[l] - size : at[l];
      break;
    case Plane::Mode::mirror:  // at least −1, at most 2 · size
      SOFTGPU_LANES {
        const s32 i = at[l] < 0 ? at[l] + 2 * size : at[l] >= 2 * size ? at[l] - 2 * size : at[l];
        at[l] = i < size ? i : 2 * size - 1 - i;
      }
      break;
    default: SOFTGPU_LANES at[l] = at[l] < 0 ? 0 : at[l] >= size ? size - 1 : at[l];
  }
}
__attribute__((always_inline)) inline bool any_outside(const s32* at, s32 size) {
  u32 outside = 0;
  for (int l = 0; l < warp_size; ++l)
    outside |= static_cast<u32>(at[l]) >= static_cast<u32>(size) ? 1U : 0U;
  return outside != 0;
}

// False where a lane leads to the border, or further out than the arithmetic here goes.
__attribute__((always_inline)) inline bool find_axis(const Plane& plane, int dimension,
                                                     const u32* coordinates, u32 m, bool whole,
                                                     LaneAxis& axis) {
  constexpr double furthest = 0x1p22;  // times 256 an integer of 32 bits
  const s32 size = plane.extent[dimension];
  const u32 some = coordinates[__builtin_ctz(m)];  // for lanes that take no part
  if (whole) {
    SOFTGPU_LANES axis.first[l] = static_cast<s32>(((m >> l) & 1U) != 0 ? coordinates[l] : some);
    return !any_outside(axis.first, size);
  }
  Plane::Mode mode = plane.mode[dimension];
  // Wrapping and mirroring exist for normalized coordinates only.
  if (!plane.normalized_at && (mode == Plane::Mode::wrap || mode == Plane::Mode::mirror))
    mode = Plane::Mode::clamp;
  if (size > (1 << 21)) return false;
  alignas(64) double x[warp_size];
  u32 far = 0;
  SOFTGPU_LANES {
    const double value =
        static_cast<double>(bits<float>(((m >> l) & 1U) != 0 ? coordinates[l] : some));
    x[l] = value == value ? value : 0.0;
  }
  for (int l = 0; l < warp_size; ++l) far |= x[l] > furthest || x[l] < -furthest ? 1U : 0U;
  if (far != 0) return false;
  if (plane.normalized_at) {
    const auto extent = static_cast<double>(size);
    if (mode == Plane::Mode::wrap) {
      SOFTGPU_LANES x[l] = x[l] - static_cast<double>(floor_to_int(x[l]));
    } else if (mode == Plane::Mode::mirror) {
      SOFTGPU_LANES x[l] = x[l] - 2 * static_cast<double>(floor_to_int(x[l] * 0.5));
    }
    SOFTGPU_LANES x[l] = x[l] * extent;
    for (int l = 0; l < warp_size; ++l) far |= x[l] > furthest || x[l] < -furthest ? 1U : 0U;
    if (far != 0) return false;
  }
  if (!plane.linear) {
    SOFTGPU_LANES axis.first[l] = floor_to_int(x[l]);
    if (mode == Plane::Mode::border) return !any_outside(axis.first, size);
    place_in_image(axis.first, size, mode);
    return true;
  }
  SOFTGPU_LANES {
    const s32 steps = floor_to_int((x[l] - 0.5) * 256 + 0.5);
    axis.first[l] = steps >> 8;
    axis.second[l] = (steps >> 8) + 1;
    axis.weight[l] = steps & 255;
  }
  if (mode == Plane::Mode::border)
    return !any_outside(axis.first, size) && !any_outside(axis.second, size);
  place_in_image(axis.first, size, mode);
  place_in_image(axis.second, size, mode);
  return true;
}

// The words of each lane's texel.
struct LaneTexels {
  alignas(64) u32 word[4][warp_size];
};
__attribute__((always_inline)) inline void find_texels(const Plane& plane, const s32* x,
                                                       const s32* y, u64* at) {
  const u64 data = reinterpret_cast<u64>(plane.data);
  const u64 row = plane.row_bytes;
  const u64 texel = plane.texel;
  if (y != nullptr) {
    SOFTGPU_LANES at[l] = data + static_cast<u64>(static_cast<u32>(y[l])) * row +
                          static_cast<u64>(static_cast<u32>(x[l])) * texel;
  } else {
    SOFTGPU_LANES at[l] = data + static_cast<u64>(static_cast<u32>(x[l])) * texel;
  }
}
__attribute__((always_inline)) inline void read_texels(const Plane& plane, const s32* x,
                                                       const s32* y, LaneTexels& t) {
  alignas(64) u64 at[warp_size];
  find_texels(plane, x, y, at);
  const auto from = [&](int l) { return reinterpret_cast<const std::byte*>(separately(at[l])); };
  switch (plane.texel) {
    case 1:
      for (int l = 0; l < warp_size; ++l) t.word[0][l] = load_lane<u8, u32>(from(l));
      break;
    case 2:
      for (int l = 0; l < warp_size; ++l) t.word[0][l] = load_lane<u16, u32>(from(l));
      break;
    case 4:
      for (int l = 0; l < warp_size; ++l) t.word[0][l] = load_lane<u32, u32>(from(l));
      break;
    case 8:
      for (int l = 0; l < warp_size; ++l) {
        const u64 both = load_lane<u64, u64>(from(l));
        t.word[0][l] = static_cast<u32>(both);
        t.word[1][l] = static_cast<u32>(both >> 32);
      }
      break;
    default: {
      u32* const words[4] = {t.word[0], t.word[1], t.word[2], t.word[3]};
      load_transposed<u32>(at, 4, words);
    }
  }
}
// Channel c, zero-extended. (Which word and which bits is the same for all lanes.)
struct ChannelPlace {
  u32 word, shift, mask;
};
__attribute__((always_inline)) inline ChannelPlace channel_place(const Plane& plane, u32 c) {
  const u32 bit = c * plane.bits;
  return {bit / 32, bit % 32, plane.bits == 32 ? ~0U : (1U << plane.bits) - 1};
}

__attribute__((always_inline)) inline void give_lanes(Warp& w, u32 slot, u32 m, const u32* r) {
  auto* d = lanes<u32>(w, slot);
  if (m == full_mask) {
    SOFTGPU_LANES d[l] = r[l];
  } else {
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? r[l] : d[l];
  }
}

// One texel as it is, or as a float. A quotient of small integers is far enough from the middle
// between two floats that the float nearest to it is also the float nearest to the double nearest
// to it, which sample() takes.
__attribute__((noinline)) void give_texels(Warp& w, const Op* op, u32 m, const Plane& plane,
                                           const LaneTexels& t) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  for (u32 c = 0; c < pieces.count; ++c) {
    if (pieces.slots[c] == 0) continue;
    alignas(64) u32 r[warp_size];
    if (c >= plane.channels) {
      const u32 missing = c < 3 ? 0U : plane.floats ? bits<u32>(1.0F) : 1U;
      SOFTGPU_LANES r[l] = missing;
    } else {
      const ChannelPlace place = channel_place(plane, c);
      const u32* word = t.word[place.word];
      const u32 up = 32 - plane.bits;
      if (plane.kind == Plane::Kind::is_signed) {
        SOFTGPU_LANES r[l] =
            static_cast<u32>(static_cast<s32>((word[l] >> place.shift) << up) >> up);
        if (plane.floats) {
          const float most = plane.bits == 8 ? 127.0F : 32767.0F;
          SOFTGPU_LANES {
            const float v = static_cast<float>(static_cast<s32>(r[l])) / most;
            r[l] = bits<u32>(v < -1.0F ? -1.0F : v);
          }
        }
      } else {
        SOFTGPU_LANES r[l] = (word[l] >> place.shift) & place.mask;
        if (plane.kind == Plane::Kind::real) {
          if (plane.bits == 16) {
            SOFTGPU_LANES r[l] = bits<u32>(half_to_float(r[l]));
          }
        } else if (plane.floats) {
          const float most = plane.bits == 8 ? 255.0F : 65535.0F;
          SOFTGPU_LANES r[l] = bits<u32>(static_cast<float>(static_cast<s32>(r[l])) / most);
        }
      }
    }
    give_lanes(w, pieces.slots[c], m, r);
  }
}

// A linear filter over bytes. The weighted sum is an integer n below 2^24 over 255 · 2^16, and the
// float nearest to that quotient is also what sample() arrives at, whose sum of doubles is nearer
// to it than any middle between two floats: that is at least 1 / (255 · 2^(25 + e)) away from a
// quotient near 2^-e that is not dyadic, and a dyadic one is a float.
__attribute__((noinline)) void filter_bytes(Warp& w, const Op* op, u32 m, const Plane& plane,
                                            const LaneTexels (&t)[4], const LaneAxis& x,
                                            const LaneAxis& y, bool two) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  for (u32 c = 0; c < pieces.count && c < plane.channels; ++c) {
    if (pieces.slots[c] == 0) continue;
    alignas(64) u32 r[warp_size];
    const ChannelPlace place = channel_place(plane, c);
    const u32 shift = place.shift;
    if (two) {
      SOFTGPU_LANES {
        const s32 right = x.weight[l];
        const s32 below = y.weight[l];
        const s32 upper = static_cast<s32>((t[0].word[0][l] >> shift) & 255U) * (256 - right) +
                          static_cast<s32>((t[1].word[0][l] >> shift) & 255U) * right;
        const s32 lower = static_cast<s32>((t[2].word[0][l] >> shift) & 255U) * (256 - right) +
                          static_cast<s32>((t[3].word[0][l] >> shift) & 255U) * right;
        r[l] = bits<u32>(static_cast<float>(upper * (256 - below) + lower * below) / 16711680.0F);
      }
    } else {
      SOFTGPU_LANES {
        const s32 right = x.weight[l];
        const s32 upper = static_cast<s32>((t[0].word[0][l] >> shift) & 255U) * (256 - right) +
                          static_cast<s32>((t[1].word[0][l] >> shift) & 255U) * right;
        r[l] = bits<u32>(static_cast<float>(upper * 256) / 16711680.0F);
      }
    }
    give_lanes(w, pieces.slots[c], m, r);
  }
}

// The weights of the four texels, products of two numbers of 8 bits.
struct LaneWeights {
  alignas(64) double of[4][warp_size];
};
__attribute__((always_inline)) inline void find_weights(const LaneAxis& x, const LaneAxis& y,
                                                        bool two, LaneWeights& weights) {
  SOFTGPU_LANES {
    const double right = static_cast<double>(x.weight[l]) * 0x1p-8;
    const double below = two ? static_cast<double>(y.weight[l]) * 0x1p-8 : 0.0;
    weights.of[0][l] = (1 - right) * (1 - below);
    weights.of[1][l] = right * (1 - below);
    weights.of[2][l] = (1 - right) * below;
    weights.of[3][l] = right * below;
  }
}

// A linear filter over four single-precision channels: lane by lane, the channels as a vector, in
// double precision and sample()'s order.
using FourFloats = float __attribute__((vector_size(16)));
using FourDoubles = double __attribute__((vector_size(32)));
__attribute__((noinline)) void filter_four_reals(Warp& w, const Op* op, u32 m, const Plane& plane,
                                                 const LaneAxis& x, const LaneAxis& y, bool two) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  // A texel without weight is replaced by zeros: it must not spoil the sum with an infinity.
  alignas(16) static constexpr float nothing[4] = {};
  LaneWeights weights;
  find_weights(x, y, two, weights);
  alignas(64) u64 at[4][warp_size];
  find_texels(plane, x.first, two ? y.first : nullptr, at[0]);
  find_texels(plane, x.second, two ? y.first : nullptr, at[1]);
  if (two) {
    find_texels(plane, x.first, y.second, at[2]);
    find_texels(plane, x.second, y.second, at[3]);
  }
  const int corners = two ? 4 : 2;
  for (int corner = 0; corner < corners; ++corner) {
    SOFTGPU_LANES at[corner][l] =
        weights.of[corner][l] != 0 ? at[corner][l] : reinterpret_cast<u64>(nothing);
  }
  alignas(64) FourFloats sums[warp_size];
  alignas(64) u64 places[warp_size];
  for (int l = 0; l < warp_size; ++l) {
    FourDoubles sum = {0, 0, 0, 0};
    for (int corner = 0; corner < corners; ++corner) {
      FourFloats texel;
      __builtin_memcpy(&texel, reinterpret_cast<const void*>(at[corner][l]), sizeof texel);
      sum += weights.of[corner][l] * __builtin_convertvector(texel, FourDoubles);
    }
    sums[l] = __builtin_convertvector(sum, FourFloats);
    places[l] = reinterpret_cast<u64>(sums + l);
  }
  LaneTexels r;
  u32* const words[4] = {r.word[0], r.word[1], r.word[2], r.word[3]};
  load_transposed<u32>(places, 4, words);
  for (u32 c = 0; c < pieces.count && c < 4; ++c) {
    if (pieces.slots[c] != 0) give_lanes(w, pieces.slots[c], m, r.word[c]);
  }
}

// The same over other real channels, for all lanes at once.
__attribute__((noinline)) void filter_reals(Warp& w, const Op* op, u32 m, const Plane& plane,
                                            const LaneTexels (&t)[4], const LaneAxis& x,
                                            const LaneAxis& y, bool two) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  LaneWeights weights;
  find_weights(x, y, two, weights);
  for (u32 c = 0; c < pieces.count && c < plane.channels; ++c) {
    if (pieces.slots[c] == 0) continue;
    const ChannelPlace place = channel_place(plane, c);
    alignas(64) double sum[warp_size] = {};
    for (int corner = 0; corner < (two ? 4 : 2); ++corner) {
      const u32* word = t[corner].word[place.word];
      const double* part = weights.of[corner];
      // A texel that has no weight must not spoil the sum with an infinity.
      if (plane.bits == 16) {
        SOFTGPU_LANES {
          const auto v = static_cast<double>(half_to_float((word[l] >> place.shift) & 0xffffU));
          sum[l] += part[l] != 0 ? part[l] * v : 0.0;
        }
      } else {
        SOFTGPU_LANES {
          const auto v = static_cast<double>(bits<float>(word[l]));
          sum[l] += part[l] != 0 ? part[l] * v : 0.0;
        }
      }
    }
    alignas(64) u32 r[warp_size];
    SOFTGPU_LANES r[l] = bits<u32>(static_cast<float>(sum[l]));
    give_lanes(w, pieces.slots[c], m, r);
  }
}

// False where lanes have to be looked at one by one.
__attribute__((noinline)) bool fetch_plane(Warp& w, const Op* op, u32 m) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const auto* handles = lanes<u64>(w, pieces.more[0]);
  const int some = __builtin_ctz(m);
  u64 differs = 0;
  for (int l = 0; l < warp_size; ++l)
    differs |= ((m >> l) & 1U) != 0 ? handles[l] ^ handles[some] : 0;
  if (differs != 0) return false;
  const Plane* plane = softgpu::find_plane(w, op, some, handles[some]);
  if (plane == nullptr) return false;
  const bool two = (op->aux & texture_geometry) == texture_two_dimensions;
  const bool whole = (op->aux & texture_whole) != 0;
  const bool linear = plane->linear && !whole;
  if (linear && plane->kind != Plane::Kind::real &&
      (plane->kind == Plane::Kind::is_signed || plane->bits != 8))
    return false;
  LaneAxis x;
  LaneAxis y;
  if (!find_axis(*plane, 0, lanes<u32>(w, pieces.more[1]), m, whole, x)) return false;
  if (two && !find_axis(*plane, 1, lanes<u32>(w, pieces.more[2]), m, whole, y)) return false;
  if (!linear) {
    LaneTexels t;
    read_texels(*plane, x.first, two ? y.first : nullptr, t);
    give_texels(w, op, m, *plane, t);
    return true;
  }
  if (plane->kind == Plane::Kind::real && plane->texel == 16) {
    filter_four_reals(w, op, m, *plane, x, y, two);
    return true;
  }
  LaneTexels t[4];
  read_texels(*plane, x.first, two ? y.first : nullptr, t[0]);
  read_texels(*plane, x.second, two ? y.first : nullptr, t[1]);
  if (two) {
    read_texels(*plane, x.first, y.second, t[2]);
    read_texels(*plane, x.second, y.second, t[3]);
  }
  // The channels that the format lacks are the same as without a filter.
  if (plane->channels < pieces.count) give_texels(w, op, m, *plane, t[0]);
  if (plane->kind == Plane::Kind::real)
    filter_reals(w, op, m, *plane, t, x, y, two);
  else
    filter_bytes(w, op, m, *plane, t, x, y, two);
  return true;
}

// tex. extra: destinations; sources as decode_texture.cpp has them; imm: what fetches lane by lane.
const Op* fetch_texture(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  if (!fetch_plane(w, op, m)) reinterpret_cast<void (*)(Warp&, const Op*, u32)>(op->imm)(w, op, m);
  SOFTGPU_NEXT;
}
