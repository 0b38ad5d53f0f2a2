// Moves, loads, stores and addresses: PTX ISA, "Data Movement and Conversion Instructions".
#include "kernel.hpp"

namespace softgpu::test {
namespace {

// A slot of global memory for each tuple, its address in operand %b.
struct Slots {
  explicit Slots(std::vector<Tuple>& inputs, std::size_t bytes = 32)
      : buffer(inputs.size() * bytes) {
    for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i][1] = buffer.address() + i * bytes;
  }
  Buffer buffer;
};

u128 extend(u128 x, int bits, bool is_signed, int to) {
  u128 cut = low_bits(x, bits);
  if (is_signed && ((cut >> (bits - 1)) & 1) != 0) cut |= ~low_bits(~u128{0}, bits);
  return low_bits(cut, to);
}

// --- moves ---------------------------------------------------------------------------------------

TEST(Memory, Moves) {
  for (const std::string type :
       {"b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64", "b128"}) {
    check({"mov." + type + " %d, %a;", {type}, {type}}, tuples({integers(bits_of(type))}, 200),
          [](const Tuple& in) { return in[0]; });
  }
  check({"mov.u32 %d, 0xdeadbeef;", {"u32"}, {"u32"}}, tuples({integers(32)}, 50),
        [](const Tuple&) { return 0xdeadbeefU; });
  check({"mov.s32 %d, -5;", {"s32"}, {"s32"}}, tuples({integers(32)}, 50),
        [](const Tuple&) { return 0xfffffffbU; });
  check({"mov.s64 %d, -5;", {"s64"}, {"s64"}}, tuples({integers(64)}, 50),
        [](const Tuple&) { return ~u64{4}; });
  check({"mov.u16 %d, 65535;", {"u16"}, {"u16"}}, tuples({integers(16)}, 50),
        [](const Tuple&) { return 0xffffU; });
  check({"mov.f32 %d, 0f3F9E0652;", {"f32"}, {"f32"}}, tuples({integers(32)}, 50),
        [](const Tuple&) { return 0x3f9e0652U; });
  check({"mov.f32 %d, 0.1;", {"f32"}, {"f32"}}, tuples({integers(32)}, 50),
        [](const Tuple&) { return 0x3dcccccdU; });
  check({"mov.f64 %d, 0d3FB999999999999A;", {"f64"}, {"f64"}}, tuples({integers(64)}, 50),
        [](const Tuple&) { return 0x3fb999999999999aULL; });
  check({"mov.b64 %d, 0x123456789abcdef0;", {"b64"}, {"b64"}}, tuples({integers(64)}, 50),
        [](const Tuple&) { return 0x123456789abcdef0ULL; });
}

TEST(Memory, PackAndUnpack) {
  const auto four = [](int bits) {
    return tuples({integers(bits), integers(bits), integers(bits), integers(bits)}, 300, 600);
  };
  const auto one = [](int bits) { return tuples({integers(bits)}, 300); };
  check({"mov.b32 %d, {%a, %b};", {"b32"}, {"b16", "b16"}}, four(16),
        [](const Tuple& in) { return in[0] | (in[1] << 16); });
  check({"mov.b64 %d, {%a, %b};", {"b64"}, {"b32", "b32"}}, four(32),
        [](const Tuple& in) { return in[0] | (in[1] << 32); });
  check({"mov.b64 %d, {%a, %b, %c, %f};", {"b64"}, {"b16", "b16", "b16", "b16"}}, four(16),
        [](const Tuple& in) { return in[0] | (in[1] << 16) | (in[2] << 32) | (in[3] << 48); });
  check({"mov.b128 %d, {%a, %b};", {"b128"}, {"b64", "b64"}}, four(64),
        [](const Tuple& in) { return in[0] | (in[1] << 64); });
  check({"mov.b64 %d, {%a, %b};", {"b64"}, {"f32", "f32"}}, four(32),
        [](const Tuple& in) { return in[0] | (in[1] << 32); });
  check({"mov.b32 {%d, %e}, %a;", {"b16", "b16"}, {"b32"}}, one(32), [](const Tuple& in) {
    return Results{in[0] & 0xffff, in[0] >> 16};
  });
  check({"mov.b64 {%d, %e}, %a;", {"b32", "b32"}, {"b64"}}, one(64), [](const Tuple& in) {
    return Results{in[0] & 0xffffffff, in[0] >> 32};
  });
  check({"mov.b128 {%d, %e}, %a;", {"b64", "b64"}, {"b128"}}, one(128), [](const Tuple& in) {
    return Results{in[0] & ~u64{0}, in[0] >> 64};
  });
  check({"mov.b64 {%d, _}, %a;", {"b32"}, {"b64"}}, one(64),
        [](const Tuple& in) { return in[0] & 0xffffffff; });
  check({"mov.b64 {_, %d}, %a;", {"b32"}, {"b64"}}, one(64),
        [](const Tuple& in) { return in[0] >> 32; });
  const std::string halves = "  .reg .b16 %x, %y;\n";
  check({"mov.b64 {%d, %x, %y, %e}, %a;", {"b16", "b16"}, {"b64"}, halves}, one(64),
        [](const Tuple& in) {
          return Results{in[0] & 0xffff, in[0] >> 48};
        });
  check({"mov.b64 {%x, %d, %e, %y}, %a;", {"b16", "b16"}, {"b64"}, halves}, one(64),
        [](const Tuple& in) {
          return Results{(in[0] >> 16) & 0xffff, (in[0] >> 32) & 0xffff};
        });
  // Parts may be the registers that they come from or go to.
  check({"mov.b64 {%x, %y}, %a; mov.b64 %d, {%y, %x};", {"b64"}, {"b64"}, "  .reg .b32 %x, %y;\n"},
        one(64), [](const Tuple& in) { return (in[0] >> 32) | (in[0] << 32); });
  check({"mov.b64 %d, {%a, 7};", {"b64"}, {"b32"}}, one(32),
        [](const Tuple& in) { return in[0] | (u128{7} << 32); });
}

// --- widths and spaces ---------------------------------------------------------------------------

struct MemoryType {
  std::string name;
  int bits;
  bool is_signed;
};
const std::vector<MemoryType>& memory_types() {
  static const std::vector<MemoryType> all = {
      {"u8", 8, false},   {"s8", 8, true},    {"b8", 8, false},   {"u16", 16, false},
      {"s16", 16, true},  {"b16", 16, false}, {"u32", 32, false}, {"s32", 32, true},
      {"b32", 32, false}, {"f32", 32, false}, {"u64", 64, false}, {"s64", 64, true},
      {"b64", 64, false}, {"f64", 64, false}};
  return all;
}
// Registers that may receive a type: as wide or wider.
std::vector<std::string> registers_for(const MemoryType& type) {
  if (type.name == "f32") return {"f32"};
  if (type.name == "f64") return {"f64"};
  std::vector<std::string> all;
  for (const int bits : {16, 32, 64}) {
    if (bits >= type.bits) all.push_back("b" + std::to_string(bits));
  }
  return all;
}

// Eight bytes are put into memory whole, and one element of them is loaded.
TEST(Memory, LoadEveryWidthAndModifier) {
  auto inputs = tuples({integers(64), choices({0})}, 60, 40);
  Slots slots(inputs);
  const std::vector<std::string> global = {"",
                                           ".global",
                                           ".weak.global",
                                           ".global.ca",
                                           ".global.cg",
                                           ".global.cs",
                                           ".global.lu",
                                           ".global.cv",
                                           ".volatile.global",
                                           ".relaxed.cta.global",
                                           ".volatile",
                                           ".relaxed.gpu",
                                           ".acquire.sys",
                                           ".relaxed.sys.global",
                                           ".acquire.gpu.global",
                                           ".global.nc",
                                           ".global.L1::evict_last",
                                           ".global.L1::no_allocate.L2::128B",
                                           ".acquire.cluster"};
  for (const MemoryType& type : memory_types()) {
    for (const std::string& reg : registers_for(type)) {
      for (const std::string& how : global) {
        for (const int offset : {0, 64 - type.bits}) {
          if (offset != 0 && how != "" && how != ".volatile") continue;
          check({"st.global.b64 [%b], %a; ld" + how + "." + type.name + " %d, [%b+" +
                     std::to_string(offset / 8) + "];",
                 {reg},
                 {"b64", "b64"}},
                inputs, [&](const Tuple& in) {
                  return extend(in[0] >> offset, type.bits, type.is_signed, bits_of(reg));
                });
        }
      }
    }
  }
}

TEST(Memory, StoreEveryWidthAndModifier) {
  auto inputs = tuples({integers(64), choices({0}), integers(64)}, 60, 60);
  Slots slots(inputs);
  const std::vector<std::string> how_to = {"",
                                           ".global",
                                           ".weak",
                                           ".global.wb",
                                           ".global.cg",
                                           ".global.cs",
                                           ".global.wt",
                                           ".volatile",
                                           ".volatile.global",
                                           ".relaxed.gpu",
                                           ".release.sys.global",
                                           ".relaxed.cta.global",
                                           ".release.cluster",
                                           ".global.L1::evict_first"};
  for (const MemoryType& type : memory_types()) {
    for (const std::string& reg : registers_for(type)) {
      for (const std::string& how : how_to) {
        // Only the element changes among the eight bytes.
        const int offset = 64 - type.bits;
        check({"st.global.b64 [%b+8], %c; st" + how + "." + type.name + " [%b+" +
                   std::to_string(8 + offset / 8) + "], %a; ld.global.b64 %d, [%b+8];",
               {"b64"},
               {reg, "b64", "b64"}},
              inputs, [&](const Tuple& in) {
                const u128 mask = low_bits(~u128{0}, type.bits) << offset;
                return (in[2] & ~mask) | ((in[0] << offset) & mask);
              });
      }
    }
  }
}

TEST(Memory, SharedLocalAndGeneric) {
  const auto inputs = tuples({integers(64)}, 60, 40);
  struct Place {
    std::string declarations, address, store, load;
  };
  const std::string shared32 = "  .shared .align 16 .b8 area[1280];\n  .reg .b32 %p;\n";
  const std::string shared64 = "  .shared .align 16 .b8 area[1280];\n  .reg .b64 %p, %q;\n";
  const std::string local = "  .local .align 16 .b8 area[16];\n  .reg .b64 %p;\n";
  const std::string local32 = "  .local .align 16 .b8 area[16];\n  .reg .b32 %p;\n";
  const std::string index =
      "mov.u64 %p, area; cvt.u64.u32 %q, %t; shl.b64 %q, %q, 4; add.u64 %p, %p, %q; ";
  const std::vector<Place> places = {
      {shared32, "mov.u32 %p, area; mad.lo.u32 %p, %t, 16, %p; ", ".shared", ".shared"},
      {shared64, index, ".shared", ".shared"},
      {shared64, index, ".shared::cta", ".volatile.shared"},
      {shared64, index + "cvta.shared.u64 %p, %p; ", "", ""},
      {shared64, index + "cvta.shared.u64 %p, %p; cvta.to.shared.u64 %p, %p; ", ".shared",
       ".relaxed.cta.shared"},
      {shared64, index + "cvta.shared.u64 %p, %p; ", ".volatile", ".acquire.cta"},
      {local, "mov.u64 %p, area; ", ".local", ".local"},
      {local32, "mov.u32 %p, area; ", ".local", ".local"},
      {local, "mov.u64 %p, area; cvta.local.u64 %p, %p; ", "", ""},
      {local, "mov.u64 %p, area; cvta.local.u64 %p, %p; cvta.to.local.u64 %p, %p; ", ".local",
       ".volatile.local"},
  };
  for (const Place& place : places) {
    for (const MemoryType& type : memory_types()) {
      const std::string reg = registers_for(type).back();
      for (const int offset : {0, 64 - type.bits}) {
        check({place.address + "st" + place.store + ".b64 [%p+8], %a; ld" + place.load + "." +
                   type.name + " %d, [%p+" + std::to_string(8 + offset / 8) + "];",
               {reg},
               {"b64"},
               place.declarations},
              inputs, [&](const Tuple& in) {
                return extend(in[0] >> offset, type.bits, type.is_signed, bits_of(reg));
              });
      }
      if (type.bits == 64) continue;
      check({place.address + "st" + place.load + ".b64 [%p], %a; st" + place.store + "." +
                 type.name + " [%p+4], %a; ld" + place.load + ".b64 %d, [%p];",
             {"b64"},
             {"b64"},
             place.declarations},
            inputs, [&](const Tuple& in) {
              const u128 mask = low_bits(~u128{0}, type.bits) << 32;
              return (in[0] & ~mask) | ((in[0] << 32) & mask);
            });
    }
    if (place.load.find("acquire") != std::string::npos) break;
  }
}

TEST(Memory, Vectors) {
  auto inputs = tuples({integers(64), choices({0}), integers(64)}, 100, 100);
  Slots slots(inputs);
  const std::string scratch =
      "  .shared .align 16 .b8 area[1280];\n  .reg .b64 %p;\n  .reg .b32 %o;\n  .reg .TYPE %x, "
      "%y;\n";
  for (const std::string& space : {std::string(".global"), std::string(""), std::string(".shared"),
                                   std::string(".volatile.global"), std::string(".relaxed.gpu")}) {
    const bool shared = space == ".shared";
    const std::string address =
        shared ? "mov.u32 %o, area; mad.lo.u32 %o, %t, 16, %o; cvt.u64.u32 %p, %o; "
               : "mov.u64 %p, %b; ";
    const std::string put =
        address + "st" + (shared ? ".shared" : ".global") + ".v2.b64 [%p], {%a, %c}; ";
    for (const MemoryType& type : memory_types()) {
      for (const int count : {2, 4}) {
        if (type.bits * count > 128) continue;
        const std::string reg = registers_for(type)[0];
        const std::string declarations = detail::replace_all(scratch, "TYPE", reg);
        const auto element = [&](const Tuple& in, int i) {
          const u128 all = in[0] | (in[2] << 64);
          return extend(all >> (type.bits * i), type.bits, type.is_signed, bits_of(reg));
        };
        const std::string v = ".v" + std::to_string(count) + "." + type.name;
        const std::vector<std::string> operands = {"b64", "b64", "b64"};
        if (count == 2) {
          check({put + "ld" + space + v + " {%d, %e}, [%p];", {reg, reg}, operands, declarations},
                inputs, [&](const Tuple& in) {
                  return Results{element(in, 0), element(in, 1)};
                });
        } else {
          check({put + "ld" + space + v + " {%d, %x, %e, %y}, [%p];",
                 {reg, reg},
                 operands,
                 declarations},
                inputs, [&](const Tuple& in) {
                  return Results{element(in, 0), element(in, 2)};
                });
          check({put + "ld" + space + v + " {%x, %d, _, %e}, [%p];",
                 {reg, reg},
                 operands,
                 declarations},
                inputs, [&](const Tuple& in) {
                  return Results{element(in, 1), element(in, 3)};
                });
        }
        // Back again through a store, elements in reverse.
        const std::string list = count == 2 ? "{%x, %y}" : "{%x, %y, %z, %w}";
        const std::string reversed = count == 2 ? "{%y, %x}" : "{%w, %z, %y, %x}";
        check({put + "ld" + space + v + " " + list + ", [%p]; st" + space + v + " [%p], " +
                   reversed + "; ld" + (shared ? ".shared" : ".global") + ".v2.b64 {%d, %e}, [%p];",
               {"b64", "b64"},
               operands,
               declarations + "  .reg ." + reg + " %z, %w;\n"},
              inputs, [&](const Tuple& in) {
                u128 all = in[0] | (in[2] << 64);
                const u128 before = all;
                for (int i = 0; i < count; ++i) {
                  const u128 mask = low_bits(~u128{0}, type.bits) << (type.bits * i);
                  const u128 x = low_bits(before >> (type.bits * (count - 1 - i)), type.bits)
                                 << (type.bits * i);
                  all = (all & ~mask) | x;
                }
                return Results{all & ~u64{0}, all >> 64};
              });
      }
    }
  }
}

TEST(Memory, Loads128Bits) {
  auto inputs = tuples({integers(128), choices({0})}, 100, 100);
  Slots slots(inputs);
  check({"st.global.b128 [%b], %a; ld.global.b128 %d, [%b];", {"b128"}, {"b128", "b64"}}, inputs,
        [](const Tuple& in) { return in[0]; });
  check({"st.b128 [%b], %a; ld.global.v2.b64 {%d, %e}, [%b];", {"b64", "b64"}, {"b128", "b64"}},
        inputs, [](const Tuple& in) {
          return Results{in[0] & ~u64{0}, in[0] >> 64};
        });
}

// --- addresses -----------------------------------------------------------------------------------

TEST(Memory, Isspacep) {
  const std::string declarations =
      "  .shared .b32 here;\n  .local .b32 mine;\n  .reg .b64 %p, %q;\n  .reg .pred %r;\n";
  auto inputs = tuples({choices({0}), choices({0})}, 60, 1);
  Slots slots(inputs);
  struct Place {
    std::string address, space;
  };
  for (const Place& place : {Place{"mov.u64 %p, %b; ", "global"},
                             Place{"mov.u64 %p, here; cvta.shared.u64 %p, %p; ", "shared"},
                             Place{"mov.u64 %p, mine; cvta.local.u64 %p, %p; ", "local"}}) {
    for (const std::string asked : {"global", "shared", "local"}) {
      check({place.address + "isspacep." + asked + " %d, %p;",
             {"pred"},
             {"b64", "b64"},
             declarations},
            inputs, [&](const Tuple&) { return u128{asked == place.space ? 1U : 0U}; });
    }
  }
}

// Variables of the module with initial values, their addresses, and offsets from them.
TEST(Memory, VariablesOfTheModule) {
  const std::string text = std::string(module_head()) + R"(
.global .align 4 .b32 word = 0x12345678;
.global .align 8 .u64 table[4] = {1, 2, 0xfffffffffffffffe};
.global .align 4 .f32 real[2] = {0f3F800000, -2.5};
.global .align 1 .b8 text[6] = {104, 101, 108, 108, 111, 0};
.const .align 4 .s16 small[3] = {-1, 2, -3};
.global .align 8 .u64 pointer = table+8;
.global .align 8 .u64 pointers[2] = {generic(word), small};
.visible .entry read(.param .u64 out)
{
  .reg .b64 %o, %p, %v;
  .reg .b32 %r;
  .reg .f32 %x;
  ld.param.u64 %o, [out];
  ld.global.u32 %v, [word];
  st.global.u64 [%o], %v;
  ld.global.u64 %v, [table+16];
  st.global.u64 [%o+8], %v;
  mov.u64 %p, real;
  ld.global.f32 %x, [%p+4];
  st.global.f32 [%o+16], %x;
  ld.global.s8 %r, [text+1];
  st.global.u32 [%o+24], %r;
  ld.const.s16 %r, [small+4];
  st.global.u32 [%o+32], %r;
  ld.global.u64 %p, [pointer];
  ld.u64 %v, [%p+8];
  st.global.u64 [%o+40], %v;
  ld.global.u64 %p, [pointers];
  ld.u32 %r, [%p];
  st.global.u32 [%o+48], %r;
  mov.u64 %p, table;
  ld.global.u64 %v, [%p+24];
  st.global.u64 [%o+56], %v;
  mov.u64 %p, small;
  cvta.const.u64 %p, %p;
  ld.s16 %r, [%p];
  st.global.u32 [%o+64], %r;
  ret;
}
)";
  for_each_instruction_set([&](const char*) {
    Program program({text}, 0);
    Buffer out(72);
    const Fault fault = launch(program, "read", {}, {}, Parameters().add(out.address()));
    ASSERT_EQ(fault.code, 0) << fault.message;
    const u64* v = out.as<u64>();
    EXPECT_EQ(v[0], 0x12345678U);
    EXPECT_EQ(v[1], 0xfffffffffffffffeULL);
    EXPECT_EQ(out.as<float>()[4], -2.5F);
    EXPECT_EQ(out.as<u32>()[6], 101U);
    EXPECT_EQ(out.as<s32>()[8], -3);
    EXPECT_EQ(v[5], 0xfffffffffffffffeULL);
    EXPECT_EQ(out.as<u32>()[12], 0x12345678U);
    EXPECT_EQ(v[7], 0U);
    EXPECT_EQ(out.as<s32>()[16], -1);
  });
}

// Parameters of a kernel: every type, vectors, structures by bytes, and their generic address.
TEST(Memory, KernelParameters) {
  const std::string text = std::string(module_head()) + R"(
.visible .entry read(.param .u8 a, .param .s16 b, .param .f32 c, .param .f64 d, .param .align 8 .b8 e[24], .param .u64 out)
{
  .reg .b64 %o, %v;
  .reg .b32 %r, %s;
  ld.param.u64 %o, [out];
  ld.param.u8 %r, [a];
  st.global.u32 [%o], %r;
  ld.param.s16 %r, [b];
  st.global.u32 [%o+4], %r;
  ld.param.b32 %r, [c];
  st.global.u32 [%o+8], %r;
  ld.param.b64 %v, [d];
  st.global.u64 [%o+16], %v;
  ld.param.v2.b32 {%r, %s}, [e+8];
  st.global.u32 [%o+24], %r;
  st.global.u32 [%o+28], %s;
  ld.param.s8 %v, [e+19];
  st.global.u64 [%o+32], %v;
  mov.b64 %v, e;
  cvta.param.u64 %v, %v;
  ld.u32 %r, [%v+12];
  st.global.u32 [%o+40], %r;
  ret;
}
)";
  Parameters parameters;
  parameters.add(u8{200}).add(s16{-7}).add(1.5F).add(-0.25);
  for (u64 i = 0; i < 3; ++i) parameters.add(0x0807060504030281ULL + (i << 24));
  for_each_instruction_set([&](const char*) {
    Program program({text}, 0);
    Buffer out(64);
    Parameters all = parameters;
    const Fault fault = launch(program, "read", {}, {}, all.add(out.address()));
    ASSERT_EQ(fault.code, 0) << fault.message;
    EXPECT_EQ(out.as<u32>()[0], 200U);
    EXPECT_EQ(out.as<s32>()[1], -7);
    EXPECT_EQ(out.as<float>()[2], 1.5F);
    EXPECT_EQ(out.as<double>()[2], -0.25);
    EXPECT_EQ(out.as<u32>()[6], 0x05030281U);
    EXPECT_EQ(out.as<u32>()[7], 0x08070605U - 0x01000000U + 0x01000000U);
    EXPECT_EQ(out.as<u64>()[4], 0x06U);
    EXPECT_EQ(out.as<u32>()[10], 0x08070605U);
  });
}

// --- faults --------------------------------------------------------------------------------------

struct FaultCase {
  std::string name, body;
  int code;
};

TEST(MemoryFaults, CodesAndMessages) {
  Buffer good(256);
  Buffer gone(4096);
  const u64 freed = gone.address();
  gone.release();
  // %p: 256 good bytes; %q: freed memory. CUDA's codes: 700 illegal address, 716 misaligned.
  const std::vector<FaultCase> cases = {
      {"past the end", "ld.global.u32 %r, [%p+256];", 700},
      {"across the end", "ld.global.v4.u32 {%r, %r1, %r2, %r3}, [%p+256];", 700},
      {"before the start", "st.global.u32 [%p+-4], %r;", 700},
      {"null", "mov.u64 %p, 0; st.u32 [%p], %r;", 700},
      {"wild", "mov.u64 %p, 0x7ffffffffff0; ld.u32 %r, [%p];", 700},
      {"not canonical", "mov.u64 %p, 0x8000000000000000; ld.u32 %r, [%p];", 700},
      {"freed", "ld.global.u32 %r, [%q];", 700},
      {"misaligned load", "ld.global.u32 %r, [%p+2];", 716},
      {"misaligned store of 64 bits", "st.global.u64 [%p+4], %q;", 716},
      {"misaligned vector", "ld.global.v2.u32 {%r, %r1}, [%p+4];", 716},
      {"misaligned shared", "ld.shared.u32 %r, [area+1];", 716},
      {"misaligned local", "ld.local.u64 %q, [mine+4];", 716},
      {"misaligned atomic", "atom.global.add.u32 %r, [%p+2], 1;", 716},
      {"shared out of range", "mov.u32 %r, 0x100000; ld.shared.u32 %r, [%r];", 700},
      {"shared just out of range", "mov.u32 %r, area; ld.shared.u32 %r, [%r+64];", 700},
      {"store to shared out of range", "mov.u32 %r, 0x100000; st.shared.u8 [%r], %r1;", 700},
      {"local out of range", "mov.u64 %q, 0x10000000; ld.local.u32 %r, [%q];", 700},
      {"atomic out of range", "atom.global.add.u32 %r, [%p+256], 1;", 700},
      {"atomic on null", "mov.u64 %p, 0; red.add.u32 [%p], 1;", 700},
      {"wraps around", "mov.u64 %q, 0xfffffffffffffff8; ld.u64 %q, [%q+16];", 700},
      {"last bytes of the address space", "mov.u64 %p, 0xfffffffffffffff8; ld.u64 %q, [%p];", 700},
  };
  for (const FaultCase& one : cases) {
    // One lane alone, and all of them.
    for (const bool all : {false, true}) {
      const std::string text =
          std::string(module_head()) + R"(
.visible .entry faulty(.param .u64 good, .param .u64 freed)
{
  .shared .align 16 .b8 area[64];
  .local .align 16 .b8 mine[16];
  .reg .b64 %p, %q;
  .reg .b32 %r, %r1, %r2, %r3;
  .reg .pred %x;
  ld.param.u64 %p, [good];
  ld.param.u64 %q, [freed];
  mov.u32 %r, %tid.x;
  setp.ne.u32 %x, %r, 5;
)" + (all ? "" : "  @%x ret;\n") +
          "  " + one.body + "\n  st.global.u32 [%p], %r;\n  st.global.u64 [%p+8], %q;\n  ret;\n}\n";
      for_each_instruction_set([&](const char*) {
        Program program({text}, 0);
        Dim3 threads;
        threads.x = 64;
        const Fault fault =
            launch(program, "faulty", {}, threads, Parameters().add(good.address()).add(freed));
        EXPECT_EQ(fault.code, one.code) << one.name << ": " << fault.message;
        EXPECT_NE(fault.message.find("faulty"), std::string::npos)
            << one.name << ": the message names the kernel: " << fault.message;
      });
    }
  }
}

// The bytes between two allocations belong to none of them.
TEST(MemoryFaults, OneByteBeyondEveryAllocation) {
  const std::string text = std::string(module_head()) + R"(
.visible .entry touch(.param .u64 at)
{
  .reg .b64 %p;
  .reg .b32 %r;
  ld.param.u64 %p, [at];
  ld.global.u8 %r, [%p];
  st.global.u8 [%p], %r;
  ret;
}
)";
  Program program({text}, 0);
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{3}, std::size_t{256}, std::size_t{1000}, std::size_t{4096}}) {
    Buffer buffer(bytes);
    EXPECT_EQ(launch(program, "touch", {}, {}, Parameters().add(buffer.address())).code, 0);
    EXPECT_EQ(launch(program, "touch", {}, {}, Parameters().add(buffer.address() + bytes - 1)).code,
              0);
    EXPECT_EQ(launch(program, "touch", {}, {}, Parameters().add(buffer.address() + bytes)).code,
              700)
        << bytes;
    EXPECT_EQ(launch(program, "touch", {}, {}, Parameters().add(buffer.address() - 1)).code, 700)
        << bytes;
  }
}

}  // namespace
}  // namespace softgpu::test
