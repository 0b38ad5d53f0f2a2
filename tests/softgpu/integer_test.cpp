// Integer arithmetic: PTX ISA, "Integer Arithmetic Instructions" and "Extended-Precision Integer
// Arithmetic Instructions". Expected values are computed in 128 bits and cut.
#include "kernel.hpp"

namespace softgpu::test {
namespace {

struct IntegerType {
  std::string name;
  int bits;
  bool is_signed;

  [[nodiscard]] s128 value(u128 x) const {
    const u128 cut = low_bits(x, bits);
    if (is_signed && ((cut >> (bits - 1)) & 1) != 0) {
      return static_cast<s128>(cut | ~low_bits(~u128{0}, bits));
    }
    return static_cast<s128>(cut);
  }
  [[nodiscard]] s128 lowest() const { return is_signed ? -(s128{1} << (bits - 1)) : s128{0}; }
  [[nodiscard]] s128 highest() const {
    return is_signed ? (s128{1} << (bits - 1)) - 1 : (s128{1} << bits) - 1;
  }
  [[nodiscard]] s128 clamp(s128 x) const { return std::clamp(x, lowest(), highest()); }
};

const std::vector<IntegerType>& all_types() {
  static const std::vector<IntegerType> types = {{"u16", 16, false}, {"s16", 16, true},
                                                 {"u32", 32, false}, {"s32", 32, true},
                                                 {"u64", 64, false}, {"s64", 64, true}};
  return types;
}
const IntegerType s32_type{"s32", 32, true};
const IntegerType u32_type{"u32", 32, false};

std::string wide_name(const IntegerType& type) {
  return (type.is_signed ? "s" : "u") + std::to_string(type.bits * 2);
}

u128 cut(s128 x) { return static_cast<u128>(x); }

// The product in full: 64 by 64 bits fit 128, with the signs that the type has.
s128 product(const IntegerType& type, const Tuple& in) {
  return static_cast<s128>(static_cast<u128>(type.value(in[0])) *
                           static_cast<u128>(type.value(in[1])));
}
// Bits n..2n-1 of it; the 128 bits of an unsigned product of 64 are all magnitude.
u128 high_half(const IntegerType& type, const Tuple& in) {
  return static_cast<u128>(product(type, in)) >> type.bits;
}

TEST(Integer, AddSubtractMinimumMaximum) {
  for (const IntegerType& t : all_types()) {
    const auto inputs = tuples({integers(t.bits), integers(t.bits)});
    const std::vector<std::string> two = {t.name, t.name};
    check({"add." + t.name + " %d, %a, %b;", {t.name}, two}, inputs,
          [&](const Tuple& in) { return cut(t.value(in[0]) + t.value(in[1])); });
    check({"sub." + t.name + " %d, %a, %b;", {t.name}, two}, inputs,
          [&](const Tuple& in) { return cut(t.value(in[0]) - t.value(in[1])); });
    check({"min." + t.name + " %d, %a, %b;", {t.name}, two}, inputs,
          [&](const Tuple& in) { return cut(std::min(t.value(in[0]), t.value(in[1]))); });
    check({"max." + t.name + " %d, %a, %b;", {t.name}, two}, inputs,
          [&](const Tuple& in) { return cut(std::max(t.value(in[0]), t.value(in[1]))); });
  }
}

TEST(Integer, Saturate) {
  const auto inputs = tuples({integers(32), integers(32)});
  const IntegerType& t = s32_type;
  check({"add.sat.s32 %d, %a, %b;", {"s32"}, {"s32", "s32"}}, inputs,
        [&](const Tuple& in) { return cut(t.clamp(t.value(in[0]) + t.value(in[1]))); });
  check({"sub.sat.s32 %d, %a, %b;", {"s32"}, {"s32", "s32"}}, inputs,
        [&](const Tuple& in) { return cut(t.clamp(t.value(in[0]) - t.value(in[1]))); });
  check({"mad.hi.sat.s32 %d, %a, %b, %c;", {"s32"}, {"s32", "s32", "s32"}},
        tuples({integers(32), integers(32), integers(32)}),
        [&](const Tuple& in) { return cut(t.clamp((product(t, in) >> 32) + t.value(in[2]))); });
  check({"mad24.hi.sat.s32 %d, %a, %b, %c;", {"s32"}, {"s32", "s32", "s32"}},
        tuples({integers(24), integers(24), integers(32)}), [&](const Tuple& in) {
          const IntegerType t24{"", 24, true};
          return cut(t.clamp((product(t24, in) >> 16) + t.value(in[2])));
        });
}

TEST(Integer, MultiplyAndMultiplyAdd) {
  for (const IntegerType& t : all_types()) {
    const auto inputs = tuples({integers(t.bits), integers(t.bits), integers(t.bits)});
    const std::vector<std::string> two = {t.name, t.name};
    const std::vector<std::string> three = {t.name, t.name, t.name};
    check({"mul.lo." + t.name + " %d, %a, %b;", {t.name}, two}, inputs,
          [&](const Tuple& in) { return cut(product(t, in)); });
    check({"mul.hi." + t.name + " %d, %a, %b;", {t.name}, two}, inputs,
          [&](const Tuple& in) { return high_half(t, in); });
    check({"mad.lo." + t.name + " %d, %a, %b, %c;", {t.name}, three}, inputs,
          [&](const Tuple& in) { return cut(product(t, in)) + in[2]; });
    check({"mad.hi." + t.name + " %d, %a, %b, %c;", {t.name}, three}, inputs,
          [&](const Tuple& in) { return high_half(t, in) + in[2]; });
    if (t.bits == 64) continue;
    const std::string wide = wide_name(t);
    check({"mul.wide." + t.name + " %d, %a, %b;", {wide}, two}, inputs,
          [&](const Tuple& in) { return cut(product(t, in)); });
    check({"mad.wide." + t.name + " %d, %a, %b, %c;", {wide}, {t.name, t.name, wide}},
          tuples({integers(t.bits), integers(t.bits), integers(t.bits * 2)}),
          [&](const Tuple& in) { return cut(product(t, in)) + in[2]; });
  }
}

TEST(Integer, MultiplyOf24Bits) {
  for (const bool is_signed : {false, true}) {
    const IntegerType t{is_signed ? "s32" : "u32", 24, is_signed};
    const auto inputs = tuples({integers(24), integers(24), integers(32)});
    for (const bool high : {false, true}) {
      const std::string suffix = std::string(high ? "hi." : "lo.") + t.name;
      const auto part = [&](const Tuple& in) { return cut(product(t, in)) >> (high ? 16 : 0); };
      check({"mul24." + suffix + " %d, %a, %b;", {t.name}, {t.name, t.name}}, inputs, part);
      check({"mad24." + suffix + " %d, %a, %b, %c;", {t.name}, {t.name, t.name, t.name}}, inputs,
            [&](const Tuple& in) { return part(in) + in[2]; });
    }
  }
}

TEST(Integer, DivideAndRemainder) {
  for (const IntegerType& t : all_types()) {
    auto inputs = tuples({integers(t.bits), integers(t.bits)});
    // The result of a division by zero is unspecified; it must not stop the kernel.
    const Judge any = [](const Tuple&, const Results&) { return std::string(); };
    check_with({"div." + t.name + " %d, %a, %b;", {t.name}, {t.name, t.name}}, inputs, any);
    check_with({"rem." + t.name + " %d, %a, %b;", {t.name}, {t.name, t.name}}, inputs, any);
    std::erase_if(inputs, [](const Tuple& in) { return in[1] == 0; });
    check({"div." + t.name + " %d, %a, %b;", {t.name}, {t.name, t.name}}, inputs,
          [&](const Tuple& in) { return cut(t.value(in[0]) / t.value(in[1])); });
    check({"rem." + t.name + " %d, %a, %b;", {t.name}, {t.name, t.name}}, inputs,
          [&](const Tuple& in) { return cut(t.value(in[0]) % t.value(in[1])); });
  }
}

TEST(Integer, AbsoluteNegateAndSumOfAbsoluteDifference) {
  for (const IntegerType& t : all_types()) {
    const auto inputs = tuples({integers(t.bits), integers(t.bits), integers(t.bits)});
    check({"sad." + t.name + " %d, %a, %b, %c;", {t.name}, {t.name, t.name, t.name}}, inputs,
          [&](const Tuple& in) {
            const s128 difference = t.value(in[0]) - t.value(in[1]);
            return cut(difference < 0 ? -difference : difference) + in[2];
          });
    if (!t.is_signed) continue;
    check({"abs." + t.name + " %d, %a;", {t.name}, {t.name}}, inputs, [&](const Tuple& in) {
      return cut(t.value(in[0]) < 0 ? -t.value(in[0]) : t.value(in[0]));
    });
    check({"neg." + t.name + " %d, %a;", {t.name}, {t.name}}, inputs,
          [&](const Tuple& in) { return cut(-t.value(in[0])); });
  }
}

TEST(Integer, Relu) {
  const auto inputs = tuples({integers(32), integers(32)});
  const auto relu = [](s128 x) { return cut(std::max<s128>(x, 0)); };
  const IntegerType& t = s32_type;
  check({"min.relu.s32 %d, %a, %b;", {"s32"}, {"s32", "s32"}}, inputs,
        [&](const Tuple& in) { return relu(std::min(t.value(in[0]), t.value(in[1]))); });
  check({"max.relu.s32 %d, %a, %b;", {"s32"}, {"s32", "s32"}}, inputs,
        [&](const Tuple& in) { return relu(std::max(t.value(in[0]), t.value(in[1]))); });
}

TEST(Integer, PairsOf16Bits) {
  const auto inputs = tuples({integers(32), integers(32)});
  for (const bool is_signed : {false, true}) {
    const IntegerType half{"", 16, is_signed};
    const auto both = [&](const Tuple& in, auto&& operation) {
      const u128 low = low_bits(cut(operation(half.value(in[0]), half.value(in[1]))), 16);
      const u128 high =
          low_bits(cut(operation(half.value(in[0] >> 16), half.value(in[1] >> 16))), 16);
      return low | (high << 16);
    };
    const std::string name = is_signed ? "s16x2" : "u16x2";
    const std::vector<std::string> two = {"b32", "b32"};
    check({"add." + name + " %d, %a, %b;", {"b32"}, two}, inputs,
          [&](const Tuple& in) { return both(in, [](s128 x, s128 y) { return x + y; }); });
    check({"min." + name + " %d, %a, %b;", {"b32"}, two}, inputs,
          [&](const Tuple& in) { return both(in, [](s128 x, s128 y) { return std::min(x, y); }); });
    check({"max." + name + " %d, %a, %b;", {"b32"}, two}, inputs,
          [&](const Tuple& in) { return both(in, [](s128 x, s128 y) { return std::max(x, y); }); });
    if (!is_signed) continue;
    check({"min.relu.s16x2 %d, %a, %b;", {"b32"}, two}, inputs, [&](const Tuple& in) {
      return both(in, [](s128 x, s128 y) { return std::max<s128>(std::min(x, y), 0); });
    });
    check({"max.relu.s16x2 %d, %a, %b;", {"b32"}, two}, inputs, [&](const Tuple& in) {
      return both(in, [](s128 x, s128 y) { return std::max<s128>(std::max(x, y), 0); });
    });
  }
}

TEST(Integer, DotProducts) {
  const auto inputs = tuples({integers(32), integers(32), integers(32)});
  for (const bool a_signed : {false, true}) {
    for (const bool b_signed : {false, true}) {
      const std::string types =
          std::string(a_signed ? ".s32" : ".u32") + (b_signed ? ".s32" : ".u32");
      const std::string result = a_signed || b_signed ? "s32" : "u32";
      const std::vector<std::string> three = {"b32", "b32", result};
      const auto field = [](u128 x, int bits, int index, bool is_signed) {
        return IntegerType{"", bits, is_signed}.value(x >> (bits * index));
      };
      check({"dp4a" + types + " %d, %a, %b, %c;", {result}, three}, inputs, [&](const Tuple& in) {
        s128 sum = static_cast<s128>(in[2]);
        for (int i = 0; i < 4; ++i)
          sum += field(in[0], 8, i, a_signed) * field(in[1], 8, i, b_signed);
        return cut(sum);
      });
      for (const bool high : {false, true}) {
        check({std::string("dp2a.") + (high ? "hi" : "lo") + types + " %d, %a, %b, %c;",
               {result},
               three},
              inputs, [&](const Tuple& in) {
                s128 sum = static_cast<s128>(in[2]);
                for (int i = 0; i < 2; ++i) {
                  sum +=
                      field(in[0], 16, i, a_signed) * field(in[1], 8, i + (high ? 2 : 0), b_signed);
                }
                return cut(sum);
              });
      }
    }
  }
}

// A chain over the carry: sum and carry-out, stored by a second instruction that adds it to zero.
TEST(Integer, Carry) {
  for (const int bits : {32, 64}) {
    const std::string u = "u" + std::to_string(bits);
    const std::string s = "s" + std::to_string(bits);
    const auto inputs = tuples({integers(bits), integers(bits), integers(bits), integers(bits)});
    const auto pair = [&](u128 low, u128 high) {
      return Results{low_bits(low, bits), low_bits(high, bits)};
    };
    // Double-width addition and subtraction: %d:%e = %b:%a ± %f:%c.
    for (const std::string& t : {u, s}) {
      check({"add.cc." + t + " %d, %a, %c; addc." + t + " %e, %b, %f;", {u, u}, {u, u, u, u}},
            inputs, [&](const Tuple& in) {
              const u128 low = in[0] + in[2];
              return pair(low, in[1] + in[3] + (low >> bits));
            });
      check({"sub.cc." + t + " %d, %a, %c; subc." + t + " %e, %b, %f;", {u, u}, {u, u, u, u}},
            inputs, [&](const Tuple& in) {
              return pair(in[0] - in[2], in[1] - in[3] - (in[0] < in[2] ? 1 : 0));
            });
      // The carry goes through a middle instruction that both takes and gives one.
      check({"add.cc." + t + " %d, %a, %b; addc.cc." + t + " %d, %a, %c; addc." + t + " %e, %f, 0;",
             {u, u},
             {u, u, u, u}},
            inputs, [&](const Tuple& in) {
              const u128 first = in[0] + in[1];
              const u128 second = in[0] + in[2] + (first >> bits);
              return pair(second, in[3] + (second >> bits));
            });
      check({"sub.cc." + t + " %d, %a, %b; subc.cc." + t + " %d, %a, %c; subc." + t + " %e, %f, 0;",
             {u, u},
             {u, u, u, u}},
            inputs, [&](const Tuple& in) {
              const u128 borrow = in[0] < in[1] ? 1 : 0;
              const u128 second = in[0] - in[2] - borrow;
              const u128 out = in[0] < in[2] + borrow ? 1 : 0;
              return pair(second, in[3] - out);
            });
    }
    for (const bool is_signed : {false, true}) {
      const std::string t = is_signed ? s : u;
      const IntegerType type{t, bits, is_signed};
      for (const bool high : {false, true}) {
        const std::string part = high ? "hi." : "lo.";
        const auto term = [&](const Tuple& in) {
          return low_bits(high ? high_half(type, in) : cut(product(type, in)), bits);
        };
        check({"mad." + part + "cc." + t + " %d, %a, %b, %c; addc." + u + " %e, %f, 0;",
               {u, u},
               {u, u, u, u}},
              inputs, [&](const Tuple& in) {
                const u128 sum = term(in) + in[2];
                return pair(sum, in[3] + (sum >> bits));
              });
        check({"add.cc." + u + " %d, %c, %f; madc." + part + "cc." + t + " %d, %a, %b, %c; addc." +
                   u + " %e, %f, 0;",
               {u, u},
               {u, u, u, u}},
              inputs, [&](const Tuple& in) {
                const u128 carry = (in[2] + in[3]) >> bits;
                const u128 sum = term(in) + in[2] + carry;
                return pair(sum, in[3] + (sum >> bits));
              });
        check({"add.cc." + u + " %e, %c, %f; madc." + part + t + " %d, %a, %b, %c;",
               {u, u},
               {u, u, u, u}},
              inputs, [&](const Tuple& in) {
                const u128 carry = (in[2] + in[3]) >> bits;
                return pair(term(in) + in[2] + carry, in[2] + in[3]);
              });
      }
    }
  }
}

// Operands that are written as numbers, and narrower or wider registers than the type.
TEST(Integer, ImmediatesAndRegistersOfOtherWidths) {
  const auto inputs = tuples({integers(32), integers(32)});
  check({"add.s32 %d, %a, -7;", {"s32"}, {"s32"}}, inputs,
        [](const Tuple& in) { return in[0] - 7; });
  check({"sub.s32 %d, 0x7fffffff, %a;", {"s32"}, {"s32"}}, inputs,
        [](const Tuple& in) { return u128{0x7fffffff} - in[0]; });
  check({"mul.lo.u32 %d, %a, 4294967295;", {"u32"}, {"u32"}}, inputs,
        [](const Tuple& in) { return u128{0} - in[0]; });
  check({"mad.lo.s32 %d, %a, 3, -1;", {"s32"}, {"s32"}}, inputs,
        [](const Tuple& in) { return in[0] * 3 - 1; });
  check({"add.s64 %d, %a, 0xffffffffffffff00;", {"s64"}, {"s64"}}, tuples({integers(64)}),
        [](const Tuple& in) { return in[0] - 256; });
  check({"mul.wide.s32 %d, %a, -4;", {"s64"}, {"s32"}}, inputs,
        [](const Tuple& in) { return cut(s32_type.value(in[0]) * -4); });
  check({"mul.wide.u16 %d, %a, 65535;", {"u32"}, {"u16"}}, tuples({integers(16)}),
        [](const Tuple& in) { return in[0] * 65535; });
  check({"min.s32 %d, %a, -5;", {"s32"}, {"s32"}}, inputs,
        [](const Tuple& in) { return cut(std::min<s128>(s32_type.value(in[0]), -5)); });
  check({"max.s16 %d, %a, -5;", {"s16"}, {"s16"}}, tuples({integers(16)}), [](const Tuple& in) {
    return cut(std::max<s128>(IntegerType{"", 16, true}.value(in[0]), -5));
  });
  check({"div.s32 %d, %a, -3;", {"s32"}, {"s32"}}, inputs,
        [](const Tuple& in) { return cut(s32_type.value(in[0]) / -3); });
  check({"shl.b32 %d, %a, 5;", {"b32"}, {"b32"}}, inputs,
        [](const Tuple& in) { return in[0] << 5; });
  check({"add.u32 %d, %a, %b;", {"u32"}, {"u32", "s32"}}, inputs,
        [](const Tuple& in) { return in[0] + in[1]; });
}

}  // namespace
}  // namespace softgpu::test
