// Video instructions: PTX ISA, "Video Instructions". Expected values follow its pseudo code on
// 128-bit integers.
#include "kernel.hpp"

namespace softgpu::test {
namespace {

s128 extend(u128 x, int bits, bool is_signed) {
  const u128 cut = low_bits(x, bits);
  if (is_signed && ((cut >> (bits - 1)) & 1) != 0)
    return static_cast<s128>(cut) - (s128{1} << bits);
  return static_cast<s128>(cut);
}
s128 clamp_to(s128 x, int bits, bool is_signed) {
  return is_signed ? std::clamp(x, -(s128{1} << (bits - 1)), (s128{1} << (bits - 1)) - 1)
                   : std::clamp(x, s128{0}, (s128{1} << bits) - 1);
}
s128 compute(const std::string& name, s128 a, s128 b) {
  if (name == "vadd") return a + b;
  if (name == "vsub") return a - b;
  if (name == "vabsdiff") return a > b ? a - b : b - a;
  if (name == "vmin") return std::min(a, b);
  if (name == "vmax") return std::max(a, b);
  return (a + b + (a + b >= 0 ? 1 : 0)) >> 1;  // vavrg
}
// .b2, .h1 or nothing: first bit and width.
std::pair<int, int> part(const std::string& selector) {
  if (selector.empty()) return {0, 32};
  const int width = selector[1] == 'b' ? 8 : 16;
  return {width * (selector[2] - '0'), width};
}
s128 select(u128 x, const std::string& selector, bool is_signed) {
  const auto [first, width] = part(selector);
  return extend(x >> first, width, is_signed);
}
const std::vector<std::string>& selectors() {
  static const std::vector<std::string> all = {"", ".b0", ".b1", ".b2", ".b3", ".h0", ".h1"};
  return all;
}
std::string type(bool is_signed) { return is_signed ? ".s32" : ".u32"; }

// The last steps of a scalar form: saturation, then a second operation or a merge with c.
u128 finish(s128 r, bool sat, bool d_signed, const std::string& to, const std::string& second,
            u128 c) {
  const auto [first, width] = part(to);
  if (sat) r = clamp_to(r, width, d_signed);
  if (!second.empty()) {
    const s128 x = extend(static_cast<u128>(r), 32, d_signed);
    const s128 y = extend(c, 32, d_signed);
    return low_bits(static_cast<u128>(second == ".add"   ? x + y
                                      : second == ".min" ? std::min(x, y)
                                                         : std::max(x, y)),
                    32);
  }
  if (to.empty()) return low_bits(static_cast<u128>(r), 32);
  const u128 mask = ((u128{1} << width) - 1) << first;
  return (low_bits(c, 32) & ~mask) | ((static_cast<u128>(r) << first) & mask);
}

TEST(Video, Scalar) {
  const auto inputs = tuples({integers(32), integers(32), integers(32)}, 150, 250);
  Random random(1);
  for (const std::string name : {"vadd", "vsub", "vabsdiff", "vmin", "vmax"}) {
    for (int which = 0; which < 16; ++which) {
      const bool ds = (which & 1) != 0;
      const bool as = (which & 2) != 0;
      const bool bs = (which & 4) != 0;
      const bool sat = (which & 8) != 0;
      for (const std::string second : {"", ".add", ".min", ".max"}) {
        const std::string asel = selectors()[random() % 7];
        const std::string bsel = selectors()[random() % 7];
        const std::string head = name + type(ds) + type(as) + type(bs) + (sat ? ".sat" : "");
        const auto first = [&](const Tuple& in) {
          return compute(name, select(in[0], asel, as), select(in[1], bsel, bs));
        };
        check({head + second + " %d, %a" + asel + ", %b" + bsel + (second.empty() ? ";" : ", %c;"),
               {"b32"},
               {"b32", "b32", "b32"}},
              inputs,
              [&](const Tuple& in) { return finish(first(in), sat, ds, "", second, in[2]); });
        if (!second.empty()) continue;
        for (const std::string& to : selectors()) {
          if (to.empty()) continue;
          check({head + " %d" + to + ", %a" + asel + ", %b" + bsel + ", %c;",
                 {"b32"},
                 {"b32", "b32", "b32"}},
                inputs, [&](const Tuple& in) { return finish(first(in), sat, ds, to, "", in[2]); });
        }
      }
    }
  }
}

TEST(Video, ShiftCompareMultiply) {
  const auto inputs = tuples({integers(32), integers(32), integers(32)}, 200, 300);
  const auto shifts = tuples({integers(32), amounts(32), integers(32)}, 200, 600);
  for (const bool ds : {false, true}) {
    for (const bool as : {false, true}) {
      for (const bool sat : {false, true}) {
        for (const bool wrap : {false, true}) {
          for (const bool left : {false, true}) {
            const std::string head = std::string(left ? "vshl" : "vshr") + type(ds) + type(as) +
                                     ".u32" + (sat ? ".sat" : "") + (wrap ? ".wrap" : ".clamp");
            check({head + " %d, %a, %b;", {"b32"}, {"b32", "b32"}}, shifts, [&](const Tuple& in) {
              const int n = static_cast<int>(wrap ? in[1] & 31 : std::min<u128>(in[1], 32));
              const s128 a = extend(in[0], 32, as);
              return finish(left ? static_cast<s128>(static_cast<u128>(a) << n) : a >> n, sat, ds,
                            "", "", 0);
            });
          }
        }
      }
    }
  }
  for (const bool as : {false, true}) {
    for (const bool bs : {false, true}) {
      const auto compare = [&](const std::string& name, const Tuple& in) -> s128 {
        const s128 a = extend(in[0], 32, as);
        const s128 b = extend(in[1] >> 16, 16, bs);
        return (name == "eq"   ? a == b
                : name == "ne" ? a != b
                : name == "lt" ? a < b
                : name == "le" ? a <= b
                : name == "gt" ? a > b
                               : a >= b)
                   ? 1
                   : 0;
      };
      for (const std::string name : {"eq", "ne", "lt", "le", "gt", "ge"}) {
        const std::string head = "vset" + type(as) + type(bs) + "." + name;
        check({head + " %d, %a, %b.h1;", {"b32"}, {"b32", "b32"}}, inputs,
              [&](const Tuple& in) { return static_cast<u128>(compare(name, in)); });
        check({head + ".add %d, %a, %b.h1, %c;", {"b32"}, {"b32", "b32", "b32"}}, inputs,
              [&](const Tuple& in) { return static_cast<u128>(compare(name, in)) + in[2]; });
        check({head + " %d.b2, %a, %b.h1, %c;", {"b32"}, {"b32", "b32", "b32"}}, inputs,
              [&](const Tuple& in) {
                return finish(compare(name, in), false, false, ".b2", "", in[2]);
              });
      }
      for (const int scale : {0, 7, 15}) {
        for (const bool sat : {false, true}) {
          for (const std::string how : {"", "po", "product", "c"}) {
            const bool negate = how == "product";
            const bool negate_c = how == "c";
            const bool is_signed = as || bs || negate || negate_c;
            const std::string text = "vmad" + type(is_signed) + type(as) + type(bs) +
                                     (how == "po" ? ".po" : "") + (sat ? ".sat" : "") +
                                     (scale == 0   ? ""
                                      : scale == 7 ? ".shr7"
                                                   : ".shr15") +
                                     " %d, " + (negate ? "-" : "") + "%a.h0, %b, " +
                                     (negate_c ? "-" : "") + "%c;";
            check({text, {"b32"}, {"b32", "b32", "b32"}}, inputs, [&](const Tuple& in) {
              const s128 p = extend(in[0], 16, as) * extend(in[1], 32, bs);
              const s128 c = extend(in[2], 32, is_signed);
              s128 r = ((negate ? -p : p) + (negate_c ? -c : c) + (how == "po" ? 1 : 0)) >> scale;
              if (sat) r = clamp_to(r, 32, is_signed);
              return low_bits(static_cast<u128>(r), 32);
            });
          }
        }
      }
    }
  }
}

TEST(Video, Simd) {
  const auto inputs = tuples({integers(32), integers(32), integers(32)}, 200, 300);
  Random random(2);
  for (const int parts : {2, 4}) {
    const int width = 32 / parts;
    for (const std::string stem : {"vadd", "vsub", "vavrg", "vabsdiff", "vmin", "vmax", "vset"}) {
      for (int which = 0; which < 32; ++which) {
        const bool ds = (which & 1) != 0;
        const bool as = (which & 2) != 0;
        const bool bs = (which & 4) != 0;
        const bool sat = (which & 8) != 0;
        const bool accumulate = (which & 16) != 0;
        if ((sat && accumulate) || (stem == "vset" && (ds || sat))) continue;
        for (const bool chosen : {false, true}) {
          // Which elements are taken: lowest last in the text.
          std::vector<int> from_a, from_b;
          std::string asel, bsel;
          for (int i = 0; i < parts; ++i) {
            from_a.push_back(chosen ? static_cast<int>(random() % static_cast<u64>(2 * parts)) : i);
            from_b.push_back(chosen ? static_cast<int>(random() % static_cast<u64>(2 * parts))
                                    : i + parts);
          }
          u64 mask = chosen ? 1 + random() % ((u64{1} << parts) - 1) : (u64{1} << parts) - 1;
          std::string dsel;
          if (chosen) {
            const std::string letter = parts == 2 ? ".h" : ".b";
            asel = bsel = dsel = letter;
            for (int i = parts - 1; i >= 0; --i) {
              asel += std::to_string(from_a[static_cast<std::size_t>(i)]);
              bsel += std::to_string(from_b[static_cast<std::size_t>(i)]);
              if (((mask >> i) & 1) != 0) dsel += std::to_string(i);
            }
          }
          const std::string text = stem + std::to_string(parts) + (stem == "vset" ? "" : type(ds)) +
                                   type(as) + type(bs) + (stem == "vset" ? ".lt" : "") +
                                   (sat ? ".sat" : "") + (accumulate ? ".add" : "") + " %d" + dsel +
                                   ", %a" + asel + ", %b" + bsel + ", %c;";
          check({text, {"b32"}, {"b32", "b32", "b32"}}, inputs, [&](const Tuple& in) {
            const u128 both = (in[1] << 32) | in[0];
            u128 d = accumulate ? in[2] : 0;
            for (int i = 0; i < parts; ++i) {
              const auto k = static_cast<std::size_t>(i);
              const s128 a = extend(both >> (width * from_a[k]), width, as);
              const s128 b = extend(both >> (width * from_b[k]), width, bs);
              s128 t = stem == "vset" ? (a < b ? 1 : 0) : compute(stem, a, b);
              if (sat) t = clamp_to(t, width, ds);
              const bool wanted = ((mask >> i) & 1) != 0;
              if (accumulate)
                d += wanted ? static_cast<u128>(t) : 0;
              else
                d |= low_bits(wanted ? static_cast<u128>(t) : in[2] >> (width * i), width)
                     << (width * i);
            }
            return low_bits(d, 32);
          });
        }
      }
    }
  }
}

}  // namespace
}  // namespace softgpu::test
