// Bits: PTX ISA, "Logic and Shift Instructions" and the bit-field instructions among the integer
// ones. Expected values are computed bit by bit.
#include "kernel.hpp"

namespace softgpu::test {
namespace {

bool bit(u128 x, int i) { return ((x >> i) & 1) != 0; }
u128 if_set(bool condition, int i) { return condition ? u128{1} << i : u128{0}; }

TEST(Bits, Logic) {
  for (const int bits : {16, 32, 64}) {
    const std::string t = "b" + std::to_string(bits);
    const auto inputs = tuples({integers(bits), integers(bits)});
    const auto each = [&](auto&& operation) {
      return [&, operation](const Tuple& in) {
        u128 r = 0;
        for (int i = 0; i < bits; ++i) r |= if_set(operation(bit(in[0], i), bit(in[1], i)), i);
        return r;
      };
    };
    check({"and." + t + " %d, %a, %b;", {t}, {t, t}}, inputs,
          each([](bool x, bool y) { return x && y; }));
    check({"or." + t + " %d, %a, %b;", {t}, {t, t}}, inputs,
          each([](bool x, bool y) { return x || y; }));
    check({"xor." + t + " %d, %a, %b;", {t}, {t, t}}, inputs,
          each([](bool x, bool y) { return x != y; }));
    check({"not." + t + " %d, %a;", {t}, {t}}, inputs, each([](bool x, bool) { return !x; }));
    check({"cnot." + t + " %d, %a;", {t}, {t}}, inputs,
          [](const Tuple& in) { return u128{in[0] == 0 ? 1U : 0U}; });
  }
}

TEST(Bits, LogicOfPredicates) {
  const auto inputs = tuples({predicates(), predicates()}, 100);
  const std::vector<std::string> two = {"pred", "pred"};
  check({"and.pred %d, %a, %b;", {"pred"}, two}, inputs,
        [](const Tuple& in) { return in[0] & in[1]; });
  check({"or.pred %d, %a, %b;", {"pred"}, two}, inputs,
        [](const Tuple& in) { return in[0] | in[1]; });
  check({"xor.pred %d, %a, %b;", {"pred"}, two}, inputs,
        [](const Tuple& in) { return in[0] ^ in[1]; });
  check({"not.pred %d, %a;", {"pred"}, two}, inputs, [](const Tuple& in) { return in[0] ^ 1; });
  check({"mov.pred %d, %a;", {"pred"}, two}, inputs, [](const Tuple& in) { return in[0]; });
  check({"and.pred %d, %a, !%b;", {"pred"}, two}, inputs,
        [](const Tuple& in) { return in[0] & (in[1] ^ 1); });
}

TEST(Bits, Shifts) {
  for (const int bits : {16, 32, 64}) {
    const std::string n = std::to_string(bits);
    const auto inputs = tuples({integers(bits), amounts(static_cast<u32>(bits))});
    check({"shl.b" + n + " %d, %a, %b;", {"b" + n}, {"b" + n, "u32"}}, inputs,
          [&](const Tuple& in) {
            u128 r = 0;
            for (int i = 0; i < bits; ++i)
              r |= if_set(u128(i) >= in[1] && bit(in[0], i - int(in[1])), i);
            return r;
          });
    for (const bool is_signed : {false, true}) {
      const std::string t = (is_signed ? "s" : "u") + n;
      check({"shr." + t + " %d, %a, %b;", {t}, {t, "u32"}}, inputs, [&](const Tuple& in) {
        u128 r = 0;
        for (int i = 0; i < bits; ++i) {
          const u128 from = in[1] + static_cast<u128>(i);
          r |= if_set(from < u128(bits) ? bit(in[0], int(from)) : is_signed && bit(in[0], bits - 1),
                      i);
        }
        return r;
      });
    }
    check({"shr.b" + n + " %d, %a, %b;", {"b" + n}, {"b" + n, "u32"}}, inputs,
          [&](const Tuple& in) { return in[1] >= u128(bits) ? u128{0} : in[0] >> int(in[1]); });
  }
}

TEST(Bits, FunnelShift) {
  const auto inputs = tuples({integers(32), integers(32), amounts(32)});
  for (const bool left : {true, false}) {
    for (const bool clamp : {true, false}) {
      const std::string text = std::string("shf.") + (left ? "l" : "r") +
                               (clamp ? ".clamp" : ".wrap") + ".b32 %d, %a, %b, %c;";
      check({text, {"b32"}, {"b32", "b32", "u32"}}, inputs, [&](const Tuple& in) {
        const int n =
            clamp ? static_cast<int>(std::min<u128>(in[2], 32)) : static_cast<int>(in[2] % 32);
        const u128 both = (in[1] << 32) | in[0];
        return left ? (both << n) >> 32 : both >> n;
      });
    }
  }
}

TEST(Bits, ExtractField) {
  for (const int bits : {32, 64}) {
    const auto inputs = tuples(
        {integers(bits), amounts(static_cast<u32>(bits)), amounts(static_cast<u32>(bits))}, 3000);
    for (const bool is_signed : {false, true}) {
      const std::string t = (is_signed ? "s" : "u") + std::to_string(bits);
      check({"bfe." + t + " %d, %a, %b, %c;", {t}, {t, "u32", "u32"}}, inputs,
            [&](const Tuple& in) {
              const int position = static_cast<int>(in[1] & 0xff);
              const int length = static_cast<int>(in[2] & 0xff);
              const bool sign =
                  is_signed && length != 0 && bit(in[0], std::min(position + length - 1, bits - 1));
              u128 r = 0;
              for (int i = 0; i < bits; ++i) {
                r |= if_set(i < length && position + i < bits ? bit(in[0], position + i) : sign, i);
              }
              return r;
            });
    }
  }
}

TEST(Bits, InsertField) {
  for (const int bits : {32, 64}) {
    const std::string t = "b" + std::to_string(bits);
    check({"bfi." + t + " %d, %a, %b, %c, %f;", {t}, {t, t, "u32", "u32"}},
          tuples({integers(bits), integers(bits), amounts(static_cast<u32>(bits)),
                  amounts(static_cast<u32>(bits))},
                 3000),
          [&](const Tuple& in) {
            const int position = static_cast<int>(in[2] & 0xff);
            const int length = static_cast<int>(in[3] & 0xff);
            u128 r = in[1];
            for (int i = 0; i < length && position + i < bits; ++i) {
              r = (r & ~(u128{1} << (position + i))) | if_set(bit(in[0], i), position + i);
            }
            return r;
          });
  }
}

TEST(Bits, FindCountAndReverse) {
  for (const int bits : {32, 64}) {
    const std::string n = std::to_string(bits);
    Source source = integers(bits);
    for (int i = 0; i < bits; ++i) source.corners.push_back(u128{1} << i);
    const auto inputs = tuples({source});
    check({"popc.b" + n + " %d, %a;", {"u32"}, {"b" + n}}, inputs, [&](const Tuple& in) {
      u128 r = 0;
      for (int i = 0; i < bits; ++i) r += bit(in[0], i) ? 1 : 0;
      return r;
    });
    check({"clz.b" + n + " %d, %a;", {"u32"}, {"b" + n}}, inputs, [&](const Tuple& in) {
      u128 r = 0;
      while (r < u128(bits) && !bit(in[0], bits - 1 - int(r))) ++r;
      return r;
    });
    check({"brev.b" + n + " %d, %a;", {"b" + n}, {"b" + n}}, inputs, [&](const Tuple& in) {
      u128 r = 0;
      for (int i = 0; i < bits; ++i) r |= if_set(bit(in[0], i), bits - 1 - i);
      return r;
    });
    for (const bool is_signed : {false, true}) {
      for (const bool shift : {false, true}) {
        const std::string t = (is_signed ? "s" : "u") + n;
        check({std::string("bfind.") + (shift ? "shiftamt." : "") + t + " %d, %a;", {"u32"}, {t}},
              inputs, [&](const Tuple& in) {
                const bool sign = is_signed && bit(in[0], bits - 1);
                for (int i = bits - 1; i >= 0; --i) {
                  if (bit(in[0], i) != sign) return static_cast<u128>(shift ? bits - 1 - i : i);
                }
                return u128{0xffffffff};
              });
      }
    }
  }
}

TEST(Bits, FindNthSet) {
  Source offsets = choices({0, 1, 2, 3, 5, 31, 32, 33, 0xffffffff, 0xfffffffe, 0xfffffffd,
                            0xffffffe0, 0x7fffffff, 0x80000000});
  offsets.random = [](Random& random) { return low_bits(u128{random() % 9} - 4, 32); };
  Source bases = choices({0, 1, 15, 30, 31});
  bases.random = [](Random& random) { return u128{random() % 32}; };
  check({"fns.b32 %d, %a, %b, %c;", {"b32"}, {"b32", "b32", "s32"}},
        tuples({integers(32), bases, offsets}), [](const Tuple& in) {
          const s64 offset = static_cast<s32>(static_cast<u32>(in[2]));
          const int base = static_cast<int>(in[1]);
          if (offset == 0) return bit(in[0], base) ? in[1] : u128{0xffffffff};
          s64 left = offset < 0 ? -offset : offset;
          for (int at = base; at >= 0 && at<32; at += offset> 0 ? 1 : -1) {
            if (bit(in[0], at) && --left == 0) return static_cast<u128>(at);
          }
          return u128{0xffffffff};
        });
}

TEST(Bits, Permute) {
  const auto inputs = tuples({integers(32), integers(32), integers(32)}, 3000);
  // Which source byte each byte of the result is, for the two low bits of the control: PTX ISA,
  // prmt, the table of modes; the last byte of the result stands first.
  struct Mode {
    std::string name;
    int byte[4][4];
  };
  const std::vector<Mode> modes = {
      {".f4e", {{3, 2, 1, 0}, {4, 3, 2, 1}, {5, 4, 3, 2}, {6, 5, 4, 3}}},
      {".b4e", {{5, 6, 7, 0}, {6, 7, 0, 1}, {7, 0, 1, 2}, {0, 1, 2, 3}}},
      {".rc8", {{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}}},
      {".ecl", {{3, 2, 1, 0}, {3, 2, 1, 1}, {3, 2, 2, 2}, {3, 3, 3, 3}}},
      {".ecr", {{0, 0, 0, 0}, {1, 1, 1, 0}, {2, 2, 1, 0}, {3, 2, 1, 0}}},
      {".rc16", {{1, 0, 1, 0}, {3, 2, 3, 2}, {1, 0, 1, 0}, {3, 2, 3, 2}}},
  };
  const auto source_byte = [](const Tuple& in, int i) {
    return (((in[1] << 32) | in[0]) >> (8 * i)) & 0xff;
  };
  for (const Mode& mode : modes) {
    check({"prmt.b32" + mode.name + " %d, %a, %b, %c;", {"b32"}, {"b32", "b32", "b32"}}, inputs,
          [&](const Tuple& in) {
            u128 r = 0;
            for (int i = 0; i < 4; ++i) r = (r << 8) | source_byte(in, mode.byte[in[2] & 3][i]);
            return r;
          });
  }
  check({"prmt.b32 %d, %a, %b, %c;", {"b32"}, {"b32", "b32", "b32"}}, inputs, [&](const Tuple& in) {
    u128 r = 0;
    for (int i = 0; i < 4; ++i) {
      const int control = static_cast<int>((in[2] >> (4 * i)) & 0xf);
      u128 byte = source_byte(in, control & 7);
      if ((control & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
      r |= byte << (8 * i);
    }
    return r;
  });
}

TEST(Bits, LogicOfThree) {
  const auto inputs = tuples({integers(32), integers(32), integers(32)}, 300, 300);
  for (int table = 0; table < 256; ++table) {
    check(
        {"lop3.b32 %d, %a, %b, %c, " + std::to_string(table) + ";", {"b32"}, {"b32", "b32", "b32"}},
        inputs, [&](const Tuple& in) {
          u128 r = 0;
          for (int i = 0; i < 32; ++i) {
            const int index =
                (bit(in[0], i) ? 4 : 0) + (bit(in[1], i) ? 2 : 0) + (bit(in[2], i) ? 1 : 0);
            r |= if_set(bit(static_cast<u128>(table), index), i);
          }
          return r;
        });
  }
}

// lop3 with a predicate result, PTX ISA 8.2: p = (d != 0) BoolOp q.
TEST(Bits, LogicOfThreeWithPredicate) {
  const auto inputs = tuples({integers(32), integers(32), integers(32), predicates()});
  for (const bool is_and : {false, true}) {
    check({std::string("lop3.") + (is_and ? "and" : "or") + ".b32 %d|%e, %a, %b, %c, 0x80, %f;",
           {"b32", "pred"},
           {"b32", "b32", "b32", "pred"}},
          inputs, [&](const Tuple& in) {
            const u128 d = in[0] & in[1] & in[2];
            const bool p = is_and ? d != 0 && in[3] != 0 : d != 0 || in[3] != 0;
            return Results{d, p ? 1U : 0U};
          });
    check({std::string("lop3.") + (is_and ? "and" : "or") + ".b32 _|%d, %a, %b, %c, 0x80, %f;",
           {"pred"},
           {"b32", "b32", "b32", "pred"}},
          inputs, [&](const Tuple& in) {
            const u128 d = in[0] & in[1] & in[2];
            return u128{(is_and ? d != 0 && in[3] != 0 : d != 0 || in[3] != 0) ? 1U : 0U};
          });
  }
}

TEST(Bits, MaskAndExtend) {
  for (const bool clamp : {true, false}) {
    const std::string mode = clamp ? "clamp" : "wrap";
    check({"bmsk." + mode + ".b32 %d, %a, %b;", {"b32"}, {"b32", "b32"}},
          tuples({amounts(32), amounts(32)}), [&](const Tuple& in) {
            u128 position = in[0];
            u128 width = in[1];
            if (!clamp) {
              position &= 31;
              width &= 31;
            }
            u128 r = 0;
            for (int i = 0; i < 32; ++i)
              r |= if_set(u128(i) >= position && u128(i) < position + width, i);
            return r;
          });
    for (const bool is_signed : {false, true}) {
      const std::string t = is_signed ? "s32" : "u32";
      check({"szext." + mode + "." + t + " %d, %a, %b;", {t}, {t, "u32"}},
            tuples({integers(32), amounts(32)}), [&](const Tuple& in) {
              const u128 n = clamp ? std::min<u128>(in[1], 32) : in[1] & 31;
              u128 r = 0;
              for (int i = 0; i < 32; ++i) {
                const bool kept = u128(i) < n;
                r |=
                    if_set(kept ? bit(in[0], i) : is_signed && n != 0 && bit(in[0], int(n) - 1), i);
              }
              return r;
            });
    }
  }
}

}  // namespace
}  // namespace softgpu::test
