// atom and red: PTX ISA, "Parallel Synchronization and Communication Instructions".
#include "exact.hpp"

namespace softgpu::test {
namespace {

s128 signed_value(u128 x, int bits) {
  const u128 cut = low_bits(x, bits);
  return ((cut >> (bits - 1)) & 1) != 0 ? static_cast<s128>(cut) - (s128{1} << bits)
                                        : static_cast<s128>(cut);
}

using Apply = std::function<u128(const Tuple&)>;  // old %a, operands %b (and %f)

// Where the word lies: a slot of global memory per thread (address in %c), shared or generic.
struct Place {
  std::string declarations, address, space;
  bool global = false;
};
const std::vector<Place>& places() {
  static const std::string area = "  .shared .align 16 .b8 area[1280];\n  .reg .b64 %p, %q;\n";
  static const std::string index =
      "mov.u64 %p, area; cvt.u64.u32 %q, %t; shl.b64 %q, %q, 4; add.u64 %p, %p, %q; ";
  static const std::vector<Place> all = {
      {"  .reg .b64 %p;\n", "mov.b64 %p, %c; ", ".global", true},
      {"  .reg .b64 %p;\n", "mov.b64 %p, %c; ", "", true},
      {area, index, ".shared", false},
      {area, index + "cvta.shared.u64 %p, %p; ", "", false},
  };
  return all;
}

// The instruction with and without a result, in every place; `tail` is the type. Semantics and
// scope are tried in turn: they do not change what one thread sees.
void check_atomic(const std::string& operation, const std::string& type, const std::string& reg,
                  const std::string& operands, std::vector<Tuple> inputs, const Apply& apply,
                  bool global_only = false, const Apply& apply_in_global = {}) {
  const std::string width = std::to_string(bits_of(reg));
  Buffer buffer(inputs.size() * 16);
  for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i][2] = buffer.address() + 16 * i;
  static const std::vector<std::string> orders = {
      "", ".relaxed.gpu", ".acquire.cta", ".release.sys", ".acq_rel.gpu", ".relaxed.cluster"};
  std::size_t turn = operation.size() + type.size();
  const std::vector<std::string> registers = {reg, reg, "b64", reg};
  for (const Place& place : places()) {
    if (global_only && place.space == ".shared") continue;
    const Apply& result = place.global && apply_in_global ? apply_in_global : apply;
    const std::string order = orders[turn++ % orders.size()];
    const std::string put = place.address + "st" + place.space + ".b" + width + " [%p], %a; ";
    const std::string get = " ld" + place.space + ".b" + width + " %e, [%p];";
    check({put + "atom" + order + place.space + operation + type + " %d, [%p], " + operands + ";" +
               get,
           {reg, reg},
           registers,
           place.declarations},
          inputs, [&](const Tuple& in) {
            return Results{in[0], result(in)};
          });
    if (operation.find("cas") != std::string::npos || operation.find("exch") != std::string::npos)
      continue;
    const std::string red_order = order.find("acq") == std::string::npos ? order : "";
    check({put + "red" + red_order + place.space + operation + type + " [%p], " + operands + ";" +
               get,
           {reg, reg},
           registers,
           place.declarations},
          inputs, [&](const Tuple& in) {
            return Results{preset(reg, 0), result(in)};
          });
  }
}

TEST(Atomic, Integers) {
  for (const int bits : {32, 64}) {
    const std::string n = std::to_string(bits);
    const std::string reg = "b" + n;
    auto inputs = tuples({integers(bits), integers(bits), choices({0}), integers(bits)}, 200, 300);
    for (std::size_t i = 0; i < inputs.size(); i += 3) inputs[i][1] = inputs[i][0];
    const auto run = [&](const std::string& operation, const std::string& type, const Apply& apply,
                         const std::string& operands = "%b") {
      check_atomic(operation, "." + type, reg, operands, inputs, apply);
    };
    run(".add", "u" + n, [](const Tuple& in) { return in[0] + in[1]; });
    run(".and", "b" + n, [](const Tuple& in) { return in[0] & in[1]; });
    run(".or", "b" + n, [](const Tuple& in) { return in[0] | in[1]; });
    run(".xor", "b" + n, [](const Tuple& in) { return in[0] ^ in[1]; });
    run(".exch", "b" + n, [](const Tuple& in) { return in[1]; });
    run(
        ".cas", "b" + n, [](const Tuple& in) { return in[0] == in[1] ? in[3] : in[0]; }, "%b, %f");
    run(".min", "u" + n, [](const Tuple& in) { return std::min(in[0], in[1]); });
    run(".max", "u" + n, [](const Tuple& in) { return std::max(in[0], in[1]); });
    run(".min", "s" + n, [bits](const Tuple& in) {
      return signed_value(in[0], bits) < signed_value(in[1], bits) ? in[0] : in[1];
    });
    run(".max", "s" + n, [bits](const Tuple& in) {
      return signed_value(in[0], bits) > signed_value(in[1], bits) ? in[0] : in[1];
    });
    if (bits == 64) continue;
    run(".add", "s32", [](const Tuple& in) { return in[0] + in[1]; });
    run(".inc", "u32", [](const Tuple& in) { return in[0] >= in[1] ? u128{0} : in[0] + 1; });
    run(".dec", "u32",
        [](const Tuple& in) { return in[0] == 0 || in[0] > in[1] ? in[1] : in[0] - 1; });
  }
}

TEST(Atomic, Cas16And128) {
  auto small = tuples({integers(16), integers(16), choices({0}), integers(16)}, 200, 300);
  for (std::size_t i = 0; i < small.size(); i += 3) small[i][1] = small[i][0];
  check_atomic(".cas", ".b16", "b16", "%b, %f", small,
               [](const Tuple& in) { return in[0] == in[1] ? in[3] : in[0]; });
  // 128 bits, PTX ISA 8.4.
  auto inputs = tuples({integers(128), integers(128), choices({0}), integers(128)}, 200, 300);
  for (std::size_t i = 0; i < inputs.size(); i += 3) inputs[i][1] = inputs[i][0];
  check_atomic(".cas", ".b128", "b128", "%b, %f", inputs,
               [](const Tuple& in) { return in[0] == in[1] ? in[3] : in[0]; });
  check_atomic(".exch", ".b128", "b128", "%b", inputs, [](const Tuple& in) { return in[1]; });
}

// In global memory single-precision sums flush subnormal numbers, given and resulting, to zeros of
// their sign (PTX ISA, "atom", "red"); in shared memory, and in double precision, nothing does.
TEST(Atomic, Reals) {
  for (const Format& format : {f32, f64}) {
    auto inputs = tuples({reals(format), reals(format), choices({0})}, 400, 500);
    // Neighbours whose difference is subnormal.
    Random random(5);
    for (std::size_t i = 0; i < inputs.size(); i += 9) {
      const u64 sign = u64{1} << (format.bits - 1);
      const u64 x = (u64{1 + random() % 3} << format.fraction()) + random() % 1000;
      inputs[i][0] = x;
      inputs[i][1] = (x + random() % 1000) | sign;
    }
    const auto flushed = [&](u64 x) {
      return format.is_subnormal(x) ? x & (u64{1} << (format.bits - 1)) : x;
    };
    const auto sum = [&](u64 x, u64 y) {
      return round_to(format, add(Real::of(format, x), Real::of(format, y)));
    };
    std::erase_if(inputs, [&](const Tuple& in) {
      // A NaN's payload is unspecified.
      return format.is_nan(sum(static_cast<u64>(in[0]), static_cast<u64>(in[1])));
    });
    while (inputs.size() % 32 != 13) inputs.pop_back();
    const Apply exact = [&](const Tuple& in) {
      return u128{sum(static_cast<u64>(in[0]), static_cast<u64>(in[1]))};
    };
    const Apply flushing = [&](const Tuple& in) {
      return u128{flushed(sum(flushed(static_cast<u64>(in[0])), flushed(static_cast<u64>(in[1]))))};
    };
    check_atomic(".add", format.bits == 32 ? ".f32" : ".f64", "b" + std::to_string(format.bits),
                 "%b", inputs, exact, false, format.bits == 32 ? flushing : exact);
  }
}

u64 half_operation(const Format& format, const std::string& operation, u64 a, u64 b) {
  if (operation == ".add") return round_to(format, add(Real::of(format, a), Real::of(format, b)));
  if (format.is_nan(a) && format.is_nan(b)) return format.canonical;
  if (format.is_nan(a)) return b;
  if (format.is_nan(b)) return a;
  const int order = Real::of(format, a).compare(Real::of(format, b));
  const bool max = operation == ".max";
  if (order == 0) return max ? a & b : a | b;
  return (order > 0) == max ? a : b;
}

TEST(Atomic, Halves) {
  for (const bool brain : {false, true}) {
    const Format& format = brain ? bf16 : f16;
    const std::string type = brain ? ".bf16" : ".f16";
    const auto one = tuples({reals(format), reals(format), choices({0})}, 300, 500);
    check_atomic(".add.noftz", type, "b16", "%b", one, [&](const Tuple& in) {
      return half_operation(format, ".add", static_cast<u64>(in[0]), static_cast<u64>(in[1]));
    });
    auto two = tuples({reals(format), reals(format), choices({0}), reals(format)}, 300, 500);
    for (std::size_t i = 0; i < two.size(); ++i) {
      two[i][0] |= (two[(i * 5 + 1) % two.size()][1] & 0xffff) << 16;
      two[i][1] |= two[i][3] << 16;
    }
    check_atomic(".add.noftz", type + "x2", "b32", "%b", two, [&](const Tuple& in) {
      const u64 low = half_operation(format, ".add", static_cast<u64>(in[0]) & 0xffff,
                                     static_cast<u64>(in[1]) & 0xffff);
      const u64 high = half_operation(format, ".add", static_cast<u64>(in[0] >> 16),
                                      static_cast<u64>(in[1] >> 16));
      return low | (high << 16);
    });
  }
}

// sm_90: vectors in global memory. Each element is atomic by itself.
TEST(Atomic, Vectors) {
  const auto run = [](const std::string& text_of_op, const std::string& reg, int count,
                      std::vector<Tuple> inputs, const std::function<u128(u128, u128)>& apply) {
    const int bits = bits_of(reg);
    Buffer buffer(inputs.size() * 16);
    for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i][2] = buffer.address() + 16 * i;
    std::string declarations = "  .reg ." + reg + " %x<8>, %y<8>;\n  .reg .b64 %lo, %hi;\n";
    std::string before, list, results;
    for (int i = 0; i < count; ++i) {
      before += "ld.global." + reg + " %x" + std::to_string(i) + ", [%c+" +
                std::to_string(i * bits / 8) + "]; ";
      list += std::string(i == 0 ? "{" : ", ") + "%x" + std::to_string(i);
      results += std::string(i == 0 ? "{" : ", ") + "%y" + std::to_string(i);
    }
    // Operands come from memory, then the memory gets %a's pattern: 128 bits each.
    const std::string head = "st.global.b128 [%c], %b; " + before + "st.global.b128 [%c], %a; ";
    const auto want = [&](const Tuple& in) {
      u128 all = low_bits(in[0], 128);
      for (int i = 0; i < count; ++i) {
        const u128 mask = low_bits(~u128{0}, bits) << (bits * i);
        all = (all & ~mask) | (low_bits(apply(low_bits(in[0] >> (bits * i), bits),
                                              low_bits(in[1] >> (bits * i), bits)),
                                        bits)
                               << (bits * i));
      }
      return all;
    };
    check({head + "red.global" + text_of_op + " [%c], " + list + "}; ld.global.b128 %d, [%c];",
           {"b128"},
           {"b128", "b128", "b64"},
           declarations},
          inputs, want);
    check({head + "atom.global" + text_of_op + " " + results + "}, [%c], " + list +
               "}; ld.global.b128 %d, [%c]; mov.b" + std::to_string(bits) + " %e, %y" +
               std::to_string(count - 1) + ";",
           {"b128", "b" + std::to_string(bits)},
           {"b128", "b128", "b64"},
           declarations},
          inputs, [&](const Tuple& in) {
            return Results{want(in), low_bits(in[0] >> (bits * (count - 1)), bits)};
          });
  };
  const auto packed = [](const Format& format, int count) {
    std::vector<Tuple> inputs(160);
    const Source source = reals(format);
    Random random(3);
    for (Tuple& in : inputs) {
      for (int k = 0; k < 2; ++k) {
        for (int i = 0; i < count; ++i) {
          u64 x = static_cast<u64>(source.random(random));
          while (format.is_nan(x) || format.is_subnormal(x) ||
                 (x & format.infinity()) < (u64{40} << format.fraction()))
            x = static_cast<u64>(source.random(random));
          in[static_cast<std::size_t>(k)] |= u128{x} << (format.bits * i);
        }
      }
    }
    while (inputs.size() % 32 != 13) inputs.pop_back();
    return inputs;
  };
  const auto sum = [](const Format& format) {
    return [format](u128 a, u128 b) {
      return u128{half_operation(format, ".add", static_cast<u64>(a), static_cast<u64>(b))};
    };
  };
  run(".v2.f32.add", "f32", 2, packed(f32, 4), sum(f32));
  run(".add.v4.f32", "f32", 4, packed(f32, 4), sum(f32));
  const std::vector<Tuple> h = [&] {
    auto list = tuples({reals(f16), reals(f16)}, 160, 1);
    Random random(4);
    const Source source = reals(f16);
    for (Tuple& in : list) {
      for (int i = 0; i < 8; ++i) {
        in[0] |= low_bits(source.random(random), 16) << (16 * i);
        in[1] |= low_bits(source.random(random), 16) << (16 * i);
      }
    }
    return list;
  }();
  for (const std::string operation : {".add", ".min", ".max"}) {
    for (const bool brain : {false, true}) {
      const Format& format = brain ? bf16 : f16;
      const std::string type = brain ? ".bf16" : ".f16";
      const auto one = [&](u128 a, u128 b) {
        return u128{half_operation(format, operation, static_cast<u64>(a), static_cast<u64>(b))};
      };
      const auto two = [&](u128 a, u128 b) {
        return low_bits(one(a & 0xffff, b & 0xffff), 16) |
               (low_bits(one((a >> 16) & 0xffff, (b >> 16) & 0xffff), 16) << 16);
      };
      for (const int count : {2, 4, 8})
        run(".v" + std::to_string(count) + type + operation + ".noftz", "b16", count, h, one);
      for (const int count : {2, 4})
        run(".v" + std::to_string(count) + type + "x2" + operation + ".noftz", "b32", count, h,
            two);
    }
  }
}

// Many threads on one word: nothing is lost, in global and in shared memory, and old values are all
// different.
TEST(Atomic, Contention) {
  const std::string text = std::string(module_head()) + R"(
.visible .entry count(.param .u64 total, .param .u64 seen)
{
  .shared .align 8 .b32 here;
  .reg .b64 %p, %q, %a;
  .reg .b32 %r, %i, %o;
  .reg .pred %x;
  .reg .f64 %f;
  ld.param.u64 %p, [total];
  ld.param.u64 %q, [seen];
  mov.u32 %i, %tid.x;
  setp.ne.u32 %x, %i, 0;
  @!%x st.shared.u32 [here], 0;
  bar.sync 0;
  atom.global.add.u32 %r, [%p], 1;
  mad.wide.u32 %a, %r, 4, %q;
  st.global.u32 [%a], 1;
  red.shared.add.u32 [here], 3;
  mov.f64 %f, 0d3FF0000000000000;
  red.global.add.f64 [%p+8], %f;
  bar.sync 0;
  @%x ret;
  ld.shared.u32 %o, [here];
  red.global.add.u32 [%p+4], %o;
  // A counter that wraps at 99.
  atom.global.inc.u32 %o, [%p+16], 99;
  ret;
}
)";
  for_each_instruction_set([&](const char*) {
    Program program({text}, 0);
    constexpr u32 blocks = 130;
    constexpr u32 block = 144;
    Buffer total(32);
    Buffer seen(4 * blocks * block);
    Dim3 grid;
    grid.x = blocks;
    Dim3 threads;
    threads.x = block;
    const Fault fault = launch(program, "count", grid, threads,
                               Parameters().add(total.address()).add(seen.address()));
    ASSERT_EQ(fault.code, 0) << fault.message;
    EXPECT_EQ(total.as<u32>()[0], blocks * block);
    EXPECT_EQ(total.as<u32>()[1], 3 * blocks * block);
    EXPECT_EQ(total.as<double>()[1], blocks * block);
    EXPECT_EQ(total.as<u32>()[4], blocks % 100);
    for (u32 i = 0; i < blocks * block; ++i) ASSERT_EQ(seen.as<u32>()[i], 1U) << i;
  });
}

}  // namespace
}  // namespace softgpu::test
