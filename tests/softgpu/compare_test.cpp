// Comparison and selection: setp, set, selp, slct. Expected values from comparisons of 128-bit
// integers and of MPFR numbers.
#include "exact.hpp"

namespace softgpu::test {
namespace {

// Less, equal, greater, or unordered.
enum class Order { less, equal, greater, unordered };

struct Comparison {
  std::string name;
  bool less, equal, greater, unordered;
  [[nodiscard]] bool holds(Order order) const {
    return order == Order::less      ? less
           : order == Order::equal   ? equal
           : order == Order::greater ? greater
                                     : unordered;
  }
};
const std::vector<Comparison>& ordered() {
  static const std::vector<Comparison> all = {
      {"eq", false, true, false, false}, {"ne", true, false, true, false},
      {"lt", true, false, false, false}, {"le", true, true, false, false},
      {"gt", false, false, true, false}, {"ge", false, true, true, false}};
  return all;
}
const std::vector<Comparison>& of_reals() {
  static const std::vector<Comparison> all = [] {
    auto list = ordered();
    list.push_back({"equ", false, true, false, true});
    list.push_back({"neu", true, false, true, true});
    list.push_back({"ltu", true, false, false, true});
    list.push_back({"leu", true, true, false, true});
    list.push_back({"gtu", false, false, true, true});
    list.push_back({"geu", false, true, true, true});
    list.push_back({"num", true, true, true, false});
    list.push_back({"nan", false, false, false, true});
    return list;
  }();
  return all;
}
const std::vector<Comparison>& of_unsigned() {
  static const std::vector<Comparison> all = {{"lo", true, false, false, false},
                                              {"ls", true, true, false, false},
                                              {"hi", false, false, true, false},
                                              {"hs", false, true, true, false}};
  return all;
}

Order order_of_integers(u128 a, u128 b, int bits, bool is_signed) {
  if (is_signed) {
    const u128 top = u128{1} << (bits - 1);
    a ^= top;
    b ^= top;
  }
  return a < b ? Order::less : a > b ? Order::greater : Order::equal;
}
Order order_of_reals(const Format& format, u64 a, u64 b, bool flush) {
  if (format.is_nan(a) || format.is_nan(b)) return Order::unordered;
  if (flush) {
    a = format.flush(a);
    b = format.flush(b);
  }
  const int order = Real::of(format, a).compare(Real::of(format, b));
  return order < 0 ? Order::less : order > 0 ? Order::greater : Order::equal;
}

struct Combination {
  std::string name;
  bool combine(bool t, bool c) const {
    return name == ".and" ? t && c : name == ".or" ? t || c : name == ".xor" ? t != c : t;
  }
};
const std::vector<Combination>& combinations() {
  static const std::vector<Combination> all = {{""}, {".and"}, {".or"}, {".xor"}};
  return all;
}

using OrderOf = std::function<Order(const Tuple&)>;

// setp with p and p|q, set to an integer and to a float, with every combination.
void check_comparison(const Comparison& comparison, const std::string& flush,
                      const std::string& type, const std::vector<Tuple>& inputs,
                      const OrderOf& order_of, bool with_set) {
  std::vector<Order> orders;
  for (const Tuple& in : inputs) orders.push_back(order_of(in));
  for (const Combination& how : combinations()) {
    for (const bool negated : {false, true}) {
      if (how.name.empty() && negated) continue;
      const std::string c = how.name.empty() ? "" : negated ? ", !%c" : ", %c";
      const auto p = [&](const Tuple& in, bool complement) {
        const bool t = comparison.holds(orders[static_cast<std::size_t>(&in - inputs.data())]);
        return how.combine(t != complement, (in[2] != 0) != negated);
      };
      const std::string tail = comparison.name + how.name + flush;
      const std::vector<std::string> operands = {type, type, "pred"};
      check({"setp." + tail + "." + type + " %d|%e, %a, %b" + c + ";", {"pred", "pred"}, operands},
            inputs, [&](const Tuple& in) {
              return Results{p(in, false) ? 1U : 0U, p(in, true) ? 1U : 0U};
            });
      if (how.name.empty() || how.name == ".and") {
        check({"setp." + tail + "." + type + " %d, %a, %b" + c + ";", {"pred"}, operands}, inputs,
              [&](const Tuple& in) { return u128{p(in, false) ? 1U : 0U}; });
      }
      if (how.name == ".or") {
        check({"setp." + tail + "." + type + " _|%d, %a, %b" + c + ";", {"pred"}, operands}, inputs,
              [&](const Tuple& in) { return u128{p(in, true) ? 1U : 0U}; });
      }
      if (!with_set) continue;
      check({"set." + tail + ".u32." + type + " %d, %a, %b" + c + ";", {"u32"}, operands}, inputs,
            [&](const Tuple& in) { return u128{p(in, false) ? 0xffffffffU : 0U}; });
      check({"set." + tail + ".f32." + type + " %d, %a, %b" + c + ";", {"f32"}, operands}, inputs,
            [&](const Tuple& in) { return u128{p(in, false) ? 0x3f800000U : 0U}; });
    }
  }
}

// Pairs that are often equal.
std::vector<Tuple> pairs(const Source& source) {
  auto all = tuples({source, source, predicates()}, 400, 500);
  for (std::size_t i = 0; i < all.size(); i += 5) all[i][1] = all[i][0];
  return all;
}

TEST(Compare, Integers) {
  for (const int bits : {16, 32, 64}) {
    const auto inputs = pairs(integers(bits));
    for (const char kind : {'u', 's', 'b'}) {
      const std::string type = kind + std::to_string(bits);
      const OrderOf order = [&](const Tuple& in) {
        return order_of_integers(in[0], in[1], bits, kind == 's');
      };
      for (const Comparison& comparison : ordered()) {
        if (kind == 'b' && comparison.name != "eq" && comparison.name != "ne") continue;
        check_comparison(comparison, "", type, inputs, order, true);
      }
      if (kind != 'u') continue;
      for (const Comparison& comparison : of_unsigned())
        check_comparison(comparison, "", type, inputs, order, bits == 32);
    }
  }
}

TEST(Compare, Reals) {
  for (const Format& format : {f32, f64}) {
    const auto inputs = pairs(reals(format));
    for (const bool flush : {false, true}) {
      if (flush && format.bits == 64) continue;
      const OrderOf order = [&](const Tuple& in) {
        return order_of_reals(format, static_cast<u64>(in[0]), static_cast<u64>(in[1]), flush);
      };
      for (const Comparison& comparison : of_reals()) {
        check_comparison(comparison, flush ? ".ftz" : "", format.bits == 32 ? "f32" : "f64", inputs,
                         order, true);
      }
    }
  }
}

TEST(Compare, Halves) {
  for (const bool brain : {false, true}) {
    const Format& format = brain ? bf16 : f16;
    const std::string type = brain ? "bf16" : "f16";
    const auto inputs = pairs(reals(format));
    for (const bool flush : {false, true}) {
      if (flush && brain) continue;
      const OrderOf order = [&](const Tuple& in) {
        return order_of_reals(format, static_cast<u64>(in[0]), static_cast<u64>(in[1]), flush);
      };
      for (const Comparison& comparison : of_reals()) {
        check_comparison(comparison, flush ? ".ftz" : "", type, inputs, order, false);
        // set: to integers of 16 and 32 bits and to 1.0 in the format.
        const std::string tail = comparison.name + (flush ? ".ftz" : "");
        for (const auto& form : std::vector<std::pair<std::string, u64>>{{"u16", 0xffff},
                                                                         {"s16", 0xffff},
                                                                         {"u32", 0xffffffff},
                                                                         {"s32", 0xffffffff},
                                                                         {type, format.one()}}) {
          const std::string& result = form.first;
          const u64 yes = form.second;
          check(
              {"set." + tail + "." + result + "." + type + " %d, %a, %b;", {result}, {type, type}},
              inputs, [&](const Tuple& in) { return u128{comparison.holds(order(in)) ? yes : 0}; });
        }
        check({"set." + comparison.name + ".xor" + (flush ? ".ftz" : "") + "." + type + "." + type +
                   " %d, %a, %b, !%c;",
               {type},
               {type, type, "pred"}},
              inputs, [&](const Tuple& in) {
                return u128{comparison.holds(order(in)) != (in[2] == 0) ? format.one() : 0};
              });
      }
    }
  }
}

TEST(Compare, PairsOfHalves) {
  for (const bool brain : {false, true}) {
    const Format& format = brain ? bf16 : f16;
    const std::string type = brain ? "bf16x2" : "f16x2";
    auto inputs = tuples({reals(format), reals(format), predicates(), reals(format)}, 500, 900);
    // Two numbers in each register; some equal.
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const u128 high = inputs[(i * 7 + 3) % inputs.size()][1] & 0xffff;
      inputs[i][1] |= (i % 3 == 0 ? high : inputs[i][3]) << 16;
      inputs[i][0] |= high << 16;
    }
    const auto half = [](const Tuple& in, int which, int index) {
      return static_cast<u64>(in[static_cast<std::size_t>(which)] >> (16 * index)) & 0xffff;
    };
    for (const Comparison& comparison : of_reals()) {
      const auto t = [&](const Tuple& in, int index) {
        return comparison.holds(
            order_of_reals(format, half(in, 0, index), half(in, 1, index), false));
      };
      for (const Combination& how : combinations()) {
        const std::string c = how.name.empty() ? "" : ", %c";
        check({"setp." + comparison.name + how.name + "." + type + " %d|%e, %a, %b" + c + ";",
               {"pred", "pred"},
               {"b32", "b32", "pred"}},
              inputs, [&](const Tuple& in) {
                return Results{how.combine(t(in, 0), in[2] != 0) ? 1U : 0U,
                               how.combine(t(in, 1), in[2] != 0) ? 1U : 0U};
              });
      }
      check({"set." + comparison.name + "." + type + "." + type + " %d, %a, %b;",
             {"b32"},
             {"b32", "b32"}},
            inputs, [&](const Tuple& in) {
              return u128{t(in, 0) ? format.one() : 0} | (u128{t(in, 1) ? format.one() : 0} << 16);
            });
      check({"set." + comparison.name + ".u32." + type + " %d, %a, %b;", {"b32"}, {"b32", "b32"}},
            inputs, [&](const Tuple& in) {
              return u128{t(in, 0) ? 0xffffU : 0U} | (u128{t(in, 1) ? 0xffffU : 0U} << 16);
            });
    }
  }
}

TEST(Compare, Immediates) {
  const auto inputs = tuples({integers(32)}, 300);
  check({"setp.gt.s32 %d, %a, -2;", {"pred"}, {"s32"}}, inputs, [](const Tuple& in) {
    return u128{static_cast<s32>(static_cast<u32>(in[0])) > -2 ? 1U : 0U};
  });
  check({"setp.lt.u32 %d, %a, 0x80000000;", {"pred"}, {"u32"}}, inputs,
        [](const Tuple& in) { return u128{in[0] < 0x80000000U ? 1U : 0U}; });
  check({"setp.eq.s16 %d, %a, -1;", {"pred"}, {"s16"}}, tuples({integers(16)}, 300),
        [](const Tuple& in) { return u128{in[0] == 0xffff ? 1U : 0U}; });
  check({"setp.lt.s64 %d, %a, -1;", {"pred"}, {"s64"}}, tuples({integers(64)}, 300),
        [](const Tuple& in) {
          return u128{static_cast<s64>(static_cast<u64>(in[0])) < -1 ? 1U : 0U};
        });
  check({"setp.ge.f32 %d, %a, 0fBF800000;", {"pred"}, {"f32"}}, tuples({reals(f32)}, 300),
        [](const Tuple& in) {
          const Order order = order_of_reals(f32, static_cast<u64>(in[0]), 0xbf800000, false);
          return u128{order == Order::greater || order == Order::equal ? 1U : 0U};
        });
}

TEST(Compare, SelectByPredicate) {
  for (const std::string type : {"b16", "b32", "b64", "u16", "s32", "u64", "f32", "f64"}) {
    const int bits = bits_of(type);
    const auto inputs = tuples({integers(bits), integers(bits), predicates()}, 400, 800);
    check({"selp." + type + " %d, %a, %b, %c;", {type}, {type, type, "pred"}}, inputs,
          [](const Tuple& in) { return in[2] != 0 ? in[0] : in[1]; });
    check({"selp." + type + " %d, %a, %b, !%c;", {type}, {type, type, "pred"}}, inputs,
          [](const Tuple& in) { return in[2] == 0 ? in[0] : in[1]; });
  }
  check({"selp.b32 %d, -1, 7, %a;", {"b32"}, {"pred"}}, tuples({predicates()}, 100),
        [](const Tuple& in) { return in[0] != 0 ? u128{0xffffffff} : u128{7}; });
}

TEST(Compare, SelectBySign) {
  for (const std::string type :
       {"b16", "b32", "b64", "u16", "s32", "u64", "f32", "f64", "s16", "u32", "s64"}) {
    const int bits = bits_of(type);
    check({"slct." + type + ".s32 %d, %a, %b, %c;", {type}, {type, type, "s32"}},
          tuples({integers(bits), integers(bits), integers(32)}, 400, 800),
          [](const Tuple& in) { return (in[2] >> 31) == 0 ? in[0] : in[1]; });
    for (const bool flush : {false, true}) {
      check({std::string("slct.") + (flush ? "ftz." : "") + type + ".f32 %d, %a, %b, %c;",
             {type},
             {type, type, "f32"}},
            tuples({integers(bits), integers(bits), reals(f32)}, 400, 800), [&](const Tuple& in) {
              const Order order = order_of_reals(f32, static_cast<u64>(in[2]), 0, flush);
              return order == Order::greater || order == Order::equal ? in[0] : in[1];
            });
    }
  }
}

}  // namespace
}  // namespace softgpu::test
