// cvt: PTX ISA, "Data Movement and Conversion Instructions: cvt".
#include "exact.hpp"

namespace softgpu::test {
namespace {

struct Type {
  std::string name;
  int bits;
  bool is_signed;
  const Format* format;  // of a floating-point type
  [[nodiscard]] std::string in_register() const {
    if (format != nullptr) return register_of(*format);
    return bits == 8 ? "b32" : "b" + std::to_string(bits);
  }
  [[nodiscard]] s128 value(u128 x) const {
    const u128 cut = low_bits(x, bits);
    if (is_signed && ((cut >> (bits - 1)) & 1) != 0)
      return static_cast<s128>(cut | ~low_bits(~u128{0}, bits));
    return static_cast<s128>(cut);
  }
  [[nodiscard]] s128 lowest() const { return is_signed ? -(s128{1} << (bits - 1)) : s128{0}; }
  [[nodiscard]] s128 highest() const {
    return is_signed ? (s128{1} << (bits - 1)) - 1 : (s128{1} << bits) - 1;
  }
  // The value as a register holds it: narrower integers are extended as their sign says.
  [[nodiscard]] u128 as_register(s128 x) const {
    return low_bits(static_cast<u128>(value(static_cast<u128>(x))), bits_of(in_register()));
  }
};
const std::vector<Type>& integer_types() {
  static const std::vector<Type> all = {{"u8", 8, false, nullptr},   {"s8", 8, true, nullptr},
                                        {"u16", 16, false, nullptr}, {"s16", 16, true, nullptr},
                                        {"u32", 32, false, nullptr}, {"s32", 32, true, nullptr},
                                        {"u64", 64, false, nullptr}, {"s64", 64, true, nullptr}};
  return all;
}
const std::vector<Type>& real_types() {
  static const std::vector<Type> all = {{"f16", 16, true, &f16},
                                        {"bf16", 16, true, &bf16},
                                        {"f32", 32, true, &f32},
                                        {"f64", 64, true, &f64}};
  return all;
}

struct RoundName {
  std::string name;
  Round round;
};
const std::vector<RoundName> to_float = {
    {".rn", Round::nearest}, {".rz", Round::zero}, {".rm", Round::down}, {".rp", Round::up}};
const std::vector<RoundName> to_whole = {
    {".rni", Round::nearest}, {".rzi", Round::zero}, {".rmi", Round::down}, {".rpi", Round::up}};

u64 saturate(const Format& format, u64 x) {
  if (format.is_nan(x) || (x & format.sign()) != 0) return 0;
  return std::min(x, format.one());
}

// Reals around the limits of the integer types and around halves.
Source reals_for_integers(const Format& format) {
  Source source = reals(format);
  for (const int power : {7, 8, 15, 16, 31, 32, 63, 64}) {
    for (const double around : {-1.5, -1.0, -0.5, 0.0, 0.5, 1.0}) {
      const Real x = add(Real::power_of_two(power), Real::number(around));
      for (const Round round : {Round::down, Round::up}) {
        const u64 bits = round_to(format, x, round);
        source.corners.push_back(bits);
        source.corners.push_back(bits ^ format.sign());
      }
    }
  }
  for (const double x : {0.25, 0.5, 0.75, 1.5, 2.5, 3.5, 100.5, 101.5, 254.5, 255.5, 0.49999997,
                         8388609.0, 4503599627370497.5}) {
    source.corners.push_back(round_to(format, Real::number(x)));
    source.corners.push_back(round_to(format, Real::number(-x)));
  }
  return source;
}
// Integers around ties of the narrower significands.
Source integers_for_reals(int bits) {
  Source source = integers(bits);
  for (int top = 8; top < bits; ++top) {
    for (const int precision : {8, 11, 24, 53}) {
      const int tie = top - precision;
      if (tie < 0) continue;
      for (const s64 d : {-1, 0, 1}) {
        source.corners.push_back(low_bits(
            (u128{1} << top) + (u128{1} << tie) + static_cast<u128>(static_cast<s128>(d)), bits));
        source.corners.push_back(low_bits(
            u128{0} - (u128{1} << top) - (u128{1} << tie) + static_cast<u128>(static_cast<s128>(d)),
            bits));
        source.corners.push_back(low_bits(
            (u128{1} << top) + 3 * (u128{1} << tie) + static_cast<u128>(static_cast<s128>(d)),
            bits));
      }
    }
  }
  return source;
}

TEST(Convert, IntegerToInteger) {
  for (const Type& from : integer_types()) {
    const auto inputs = tuples({integers(from.bits)}, 300);
    for (const Type& to : integer_types()) {
      check({"cvt." + to.name + "." + from.name + " %d, %a;",
             {to.in_register()},
             {from.in_register()}},
            inputs, [&](const Tuple& in) { return to.as_register(from.value(in[0])); });
      check({"cvt.sat." + to.name + "." + from.name + " %d, %a;",
             {to.in_register()},
             {from.in_register()}},
            inputs, [&](const Tuple& in) {
              return to.as_register(std::clamp(from.value(in[0]), to.lowest(), to.highest()));
            });
    }
  }
}

TEST(Convert, RealToInteger) {
  for (const Type& from : real_types()) {
    const Format& format = *from.format;
    const auto inputs = tuples({reals_for_integers(format)}, 800);
    for (const Type& to : integer_types()) {
      for (const RoundName& mode : to_whole) {
        for (const bool flush : {false, true}) {
          for (const bool sat : {false, true}) {
            if (flush && from.name != "f32") continue;
            check({"cvt" + mode.name + (flush ? ".ftz" : "") + (sat ? ".sat" : "") + "." + to.name +
                       "." + from.name + " %d, %a;",
                   {to.in_register()},
                   {from.in_register()}},
                  inputs, [&](const Tuple& in) -> u128 {
                    const u64 bits =
                        flush ? format.flush(static_cast<u64>(in[0])) : static_cast<u64>(in[0]);
                    if (format.is_nan(bits)) {
                      // PTX ISA: 0, but the highest bit alone from f64 or to 64 bits.
                      const bool highest = from.name == "f64" || to.bits == 64;
                      return highest ? to.as_register(static_cast<s128>(u128{1} << (to.bits - 1)))
                                     : u128{0};
                    }
                    const Real x = Real::of(format, bits).whole(mode.round);
                    if (x.is_infinite() || x.compare(Real::power_of_two(70)) > 0 ||
                        x.compare(multiply(Real::power_of_two(70), Real::number(-1))) < 0) {
                      return to.as_register(x.negative() ? to.lowest() : to.highest());
                    }
                    return to.as_register(std::clamp(x.to_integer(), to.lowest(), to.highest()));
                  });
          }
        }
      }
    }
  }
}

TEST(Convert, IntegerToReal) {
  for (const Type& from : integer_types()) {
    const auto inputs = tuples({integers_for_reals(from.bits)}, 600);
    for (const Type& to : real_types()) {
      const Format& format = *to.format;
      for (const RoundName& mode : to_float) {
        for (const bool sat : {false, true}) {
          if (sat && to.name == "bf16") continue;
          check_with({"cvt" + mode.name + (sat ? ".sat" : "") + "." + to.name + "." + from.name +
                          " %d, %a;",
                      {to.in_register()},
                      {from.in_register()}},
                     inputs, [&](const Tuple& in, const Results& got) {
                       const u64 want =
                           round_to(format, Real::integer(from.value(in[0])), mode.round);
                       return same_real(format, sat ? saturate(format, want) : want,
                                        static_cast<u64>(got[0]), sat);
                     });
        }
      }
    }
  }
}

// Numbers that fall between those of a narrower format: on ties, next to them, and beyond its ends.
Source reals_for(const Format& from, const Format& to) {
  Source source = reals(from);
  if (from.precision <= to.precision) return source;
  const Source narrow = reals(to);
  for (const u128 bits : narrow.corners) {
    const u64 x = static_cast<u64>(bits);
    if (to.is_nan(x) || (x & ~to.sign()) >= to.infinity()) continue;
    const Real low = Real::of(to, x);
    const Real high =
        (x & ~to.sign()) == to.largest()
            ? multiply(low, add(Real::number(1), Real::power_of_two(-to.precision + 1)))
            : Real::of(to, x + 1);
    const u64 tie = round_to(from, multiply(add(low, high), Real::number(0.5)));
    for (const u64 near : {tie - 1, tie, tie + 1}) source.corners.push_back(near);
    source.corners.push_back(round_to(from, low));
  }
  const auto random = source.random;
  source.random = [from, to, random](Random& generator) -> u128 {
    u64 x = static_cast<u64>(random(generator));
    const u64 lost = (u64{1} << (from.precision - to.precision)) - 1;
    const u64 how = generator();
    if ((how & 3U) == 0) x = (x & ~lost) | ((lost + 1) >> 1);
    if ((how & 3U) == 1) x &= ~lost;
    return x;
  };
  return source;
}

TEST(Convert, RealToReal) {
  for (const Type& from : real_types()) {
    for (const Type& to : real_types()) {
      const Format& source = *from.format;
      const Format& target = *to.format;
      const auto inputs = tuples({reals_for(source, target)}, 1500);
      // Widening is exact and takes no rounding; bf16 and f16 do not contain each other.
      const bool widens = source.precision <= target.precision && source.emax <= target.emax;
      std::vector<RoundName> modes = to_float;
      if (widens) modes = {{"", Round::nearest}};
      if (from.name == "bf16" || to.name == "bf16") {
        if (from.name == to.name) continue;
      }
      for (const RoundName& mode : modes) {
        for (const bool flush : {false, true}) {
          for (const bool sat : {false, true}) {
            if (flush && from.name != "f32" && to.name != "f32") continue;
            if (sat && to.name == "bf16") continue;
            if (from.name == to.name && from.name == "f16") continue;
            check_with({"cvt" + mode.name + (flush ? ".ftz" : "") + (sat ? ".sat" : "") + "." +
                            to.name + "." + from.name + " %d, %a;",
                        {to.in_register()},
                        {from.in_register()}},
                       inputs, [&](const Tuple& in, const Results& got) {
                         u64 x = static_cast<u64>(in[0]);
                         if (flush && from.name == "f32") x = source.flush(x);
                         u64 want = round_to(target, Real::of(source, x), mode.round);
                         if (flush && to.name == "f32") want = target.flush(want);
                         if (sat) want = saturate(target, want);
                         return same_real(target, want, static_cast<u64>(got[0]), sat);
                       });
          }
        }
      }
    }
  }
}

TEST(Convert, RealToWholeReal) {
  for (const Type& type : real_types()) {
    const Format& format = *type.format;
    const auto inputs = tuples({reals_for_integers(format)}, 800);
    for (const RoundName& mode : to_whole) {
      for (const bool flush : {false, true}) {
        if (flush && type.name != "f32") continue;
        check_with({"cvt" + mode.name + (flush ? ".ftz" : "") + "." + type.name + "." + type.name +
                        " %d, %a;",
                    {type.in_register()},
                    {type.in_register()}},
                   inputs, [&](const Tuple& in, const Results& got) {
                     u64 x = static_cast<u64>(in[0]);
                     if (flush) x = format.flush(x);
                     return same_real(format,
                                      round_to(format, Real::of(format, x).whole(mode.round)),
                                      static_cast<u64>(got[0]));
                   });
      }
    }
  }
}

u64 with_options(const Format& format, u64 x, bool relu, bool finite) {
  if (format.is_nan(x)) return format.canonical;
  if (relu && (x & format.sign()) != 0) return 0;
  if (finite && (x & ~format.sign()) == format.infinity())
    return (x & format.sign()) | format.largest();
  return x;
}

TEST(Convert, SingleToHalfWithReluAndPacks) {
  for (const bool brain : {false, true}) {
    const Format& format = brain ? bf16 : f16;
    const std::string type = brain ? "bf16" : "f16";
    const auto one = tuples({reals_for(f32, format)}, 1500);
    const auto two = tuples({reals_for(f32, format), reals_for(f32, format)}, 1500);
    for (const RoundName& mode : {to_float[0], to_float[1]}) {
      for (const bool relu : {false, true}) {
        for (const bool finite : {false, true}) {
          const std::string modifiers =
              mode.name + (relu ? ".relu" : "") + (finite ? ".satfinite" : "");
          const auto expected = [&](u128 x) {
            return with_options(format, round_to(format, Real::of(f32, x), mode.round), relu,
                                finite);
          };
          check_with({"cvt" + modifiers + "." + type + ".f32 %d, %a;", {"b16"}, {"f32"}}, one,
                     [&](const Tuple& in, const Results& got) {
                       return same_real(format, expected(in[0]), static_cast<u64>(got[0]), relu);
                     });
          check_with(
              {"cvt" + modifiers + "." + type + "x2.f32 %d, %a, %b;", {"b32"}, {"f32", "f32"}}, two,
              [&](const Tuple& in, const Results& got) {
                const std::string high =
                    same_real(format, expected(in[0]), static_cast<u64>(got[0] >> 16), relu);
                const std::string low =
                    same_real(format, expected(in[1]), static_cast<u64>(got[0] & 0xffff), relu);
                return high.empty() && low.empty()
                           ? ""
                           : "halves " + hex(expected(in[0])) + ", " + hex(expected(in[1]));
              });
        }
      }
    }
  }
}

TEST(Convert, Tf32) {
  const Format tf32{19, 11, 128, 0x3ffff};
  const auto inputs = tuples({reals_for(f32, tf32)}, 2000);
  struct Mode {
    std::string name;
    Round round;
    bool relu;
  };
  for (const Mode& mode :
       {Mode{".rna", Round::nearest_away, false}, Mode{".rn", Round::nearest, false},
        Mode{".rz", Round::zero, false}, Mode{".rn.relu", Round::nearest, true},
        Mode{".rz.relu", Round::zero, true}}) {
    check_with({"cvt" + mode.name + ".tf32.f32 %d, %a;", {"b32"}, {"f32"}}, inputs,
               [&](const Tuple& in, const Results& got) {
                 const u64 x = static_cast<u64>(in[0]);
                 if (f32.is_nan(x))
                   return std::string(f32.is_nan(static_cast<u64>(got[0])) ? "" : "NaN");
                 u64 want = round_to(tf32, Real::of(f32, x), mode.round) << 13;
                 if (mode.relu && (want >> 31) != 0) want = 0;
                 return same_real(f32, want, static_cast<u64>(got[0]), mode.relu);
               });
  }
}

}  // namespace
}  // namespace softgpu::test
