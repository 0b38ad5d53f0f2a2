// What the operations' descriptions say, against what their handlers do: which registers are
// written, which are read, and which bits of a result may depend on an operand's. Every operation
// that only works on registers is run on random values, on each instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "softgpu/check/definedness.hpp"
#include "softgpu/isa/family.hpp"
#include "softgpu/isa/operation.hpp"

#include "kernel.hpp"

namespace softgpu::test {
namespace {

std::vector<Operation> all_operations() {
  std::vector<Operation> all;
  for (std::size_t i = 0; i < operation_count; ++i) all.push_back(static_cast<Operation>(i));
  return all;
}

// Works on registers and on nothing else.
bool only_computes(const Description& one) {
  const Behaviour& does = one.behaviour;
  return one.transfer != Transfer::none && one.transfer != Transfer::define &&
         one.transfer != Transfer::all_lanes && one.transfer != Transfer::shuffle &&
         one.transfer != Transfer::product && does.flow == Flow::on &&
         does.meeting == Meeting::none && does.effect == Effect::none && !does.parts &&
         !one.operands.has_lists && !one.name.starts_with("jitter");
}

// What decoders put into aux and imm beside slots: some of the forms that there are.
struct OperationForm {
  u32 aux = 0;
  s64 imm = 0;
};
std::vector<OperationForm> forms_of(Operation operation) {
  const Operands& operands = describe(operation).operands;
  if (operands.find(Field::packed) != nullptr) return {{0, 0}, {1, 1}, {2, 2}, {3, 3}, {5, 4}};
  if (operands.find(Field::aux) != nullptr) return {{0, 0}};
  switch (operation) {
    case Operation::extract_32: return {{8, 16}, {16, 0}};
    case Operation::extract_64: return {{32, 32}, {16, 16}};
    case Operation::join_32: return {{8, 0}, {16, 0}};
    case Operation::cvt_pack: return {{8, 0}, {0x110, 0}};
    case Operation::lop3_b32: return {{0xe8, 0}, {0x96, 0}, {0x1b, 0}};
    case Operation::shf_b32: return {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
    case Operation::half_f16:
    case Operation::half_bf16: return {{0, 0}, {1, 0}, {3, 0}, {0x100, 0}, {0x103, 0}, {0x109, 0}};
    case Operation::addi_64: return {{0, 4096}, {0, -12}};
    case Operation::mov_32:
    case Operation::to_generic: return {{0, 0}};
    case Operation::set_f16:
    case Operation::set_bf16: return {{0, 0}, {1, 2}, {2, 0x102}};
    default: return {{0, 0}, {1, 0}};
  }
}

// One operation and a warp whose registers are its operands: the first word of the frame is the
// predicate that holds always, and each operand has room for the widest lanes.
class OperationBench {
 public:
  static constexpr u32 room = 512;
  static constexpr u32 first = 64;
  static constexpr u32 bytes = first + 9 * room;

  OperationBench(Operation operation, const OperationForm& form)
      : description_(describe(operation)) {
    Op op;
    op.run = find_handler(operation);
    op.aux = form.aux;
    op.imm = form.imm;
    const Operands& operands = description_.operands;
    for (const RegisterUse& one : operands) {
      const u32 at = first + static_cast<u32>(uses_.size()) * room;
      switch (one.field) {
        case Field::d: op.d = at; break;
        case Field::a: op.a = at; break;
        case Field::b: op.b = at; break;
        case Field::c: op.c = at; break;
        case Field::aux: op.aux = at; break;
        case Field::imm: op.imm = at; break;
        case Field::packed: op.aux |= at / 4 << operands.packed_at; break;
        default: break;
      }
      uses_.push_back({at, width_of(one), one.read, one.written});
    }
    if (operands.repeats) {
      if (operands.find(Field::b) == nullptr) op.b = op.a;
      if (operands.find(Field::c) == nullptr) op.c = op.a;
    }
    code_.operations = {operation};
    code_.ops = {op, Op{}};
    code_.ops[1].run = [](Warp&, const Op* last) { return last; };
    frame_.memory.reset(static_cast<std::byte*>(std::aligned_alloc(64, bytes)));
    frame_.capacity = bytes;
    frame_.code = &code_;
    block_.launch = &launch_;
    warp_.block = &block_;
    warp_.call = &frame_;
    warp_.frame = frame_.memory.get();
    warp_.mask = warp_.alive = warp_.initial = full_mask;
  }

  struct Use {
    u32 at;
    u8 lane_bytes;
    bool read;
    bool written;
    [[nodiscard]] u32 size() const { return lane_bytes == 0 ? 4U : lane_bytes * 32U; }
  };
  [[nodiscard]] const std::vector<Use>& uses() const { return uses_; }
  [[nodiscard]] const Description& description() const { return description_; }

  using Memory = std::array<std::byte, bytes>;
  [[nodiscard]] Memory read() const {
    Memory copy;
    std::memcpy(copy.data(), warp_.frame, bytes);
    return copy;
  }
  void write(const Memory& memory) {
    std::memcpy(warp_.frame, memory.data(), bytes);
    std::memcpy(warp_.frame, &full_mask, sizeof full_mask);
  }
  Memory run(const Memory& before) {
    write(before);
    (void)code_.ops[0].run(warp_, code_.ops.data());
    return read();
  }
  // The undefined bits of the frame after the operation, where those of `operand` are undefined.
  Memory propagate(const Memory& values, const Use& operand, const Memory& undefined) {
    write(values);
    FrameState state;
    state.bits.assign(bytes, 0);
    state.marked.assign(bytes / 4 + 1, 0);
    frame_.state = &state;
    std::memcpy(state.bits.data() + operand.at, undefined.data() + operand.at, operand.size());
    check::settle(state, operand.at, operand.lane_bytes, {});
    std::vector<OperandSlot> slots;
    for (const Use& one : uses_) {
      if (one.read) slots.push_back({one.at, one.lane_bytes, false});
      if (one.written) slots.push_back({one.at, one.lane_bytes, true});
    }
    check::propagate(warp_, code_.ops.data(), slots.data(), slots.data() + slots.size(), full_mask);
    frame_.state = nullptr;
    Memory result;
    std::memcpy(result.data(), state.bits.data(), bytes);
    return result;
  }

 private:
  // An operand of any width has lanes of 8 bytes here.
  static u8 width_of(const RegisterUse& one) {
    return one.lane_bytes == RegisterUse::any ? u8{8} : one.lane_bytes;
  }

  const Description& description_;
  std::vector<Use> uses_;
  Code code_;
  Frame frame_;
  Launch launch_;
  Block block_;
  Warp warp_;
};

// Splitmix64: of Steele, Lea and Flood. A test draws millions of words.
class RandomWords {
 public:
  explicit RandomWords(u64 seed) : state_(seed) {}
  u64 operator()() {
    u64 z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

 private:
  u64 state_;
};

// Bytes of many kinds: small numbers, all ones, and anything.
OperationBench::Memory random_registers(RandomWords& random) {
  OperationBench::Memory memory;
  for (u32 at = 0; at < OperationBench::bytes; at += 8) {
    u64 value = random();
    switch (value >> 40 & 7U) {
      case 0: value &= 0x1f0000001fU; break;
      case 1: value = (value & 1U) != 0 ? 0 : ~u64{0}; break;
      case 2: value &= 0xffff0000ffffU; break;
      case 3: value = 0x3f8000003f800000U ^ (value & 0x80000000800fffffU); break;
      default: break;
    }
    std::memcpy(memory.data() + at, &value, sizeof value);
  }
  return memory;
}

bool is_in_operand(const OperationBench& bench, u32 at, bool OperationBench::Use::*which) {
  if (at < 4) return true;  // the predicate that holds always
  return std::ranges::any_of(bench.uses(), [&](const OperationBench::Use& one) {
    return one.*which && at >= one.at && at < one.at + one.size();
  });
}

void for_each_form(const std::function<void(OperationBench&, RandomWords&)>& body) {
  RandomWords random(20251201);
  for (const Operation operation : all_operations()) {
    if (!only_computes(describe(operation))) continue;
    for (const OperationForm& form : forms_of(operation)) {
      OperationBench bench(operation, form);
      SCOPED_TRACE(std::string(describe(operation).name) + ", aux " + std::to_string(form.aux));
      body(bench, random);
    }
  }
}

TEST(Operations, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Operation operation : all_operations()) names.insert(describe(operation).name);
  EXPECT_EQ(names.size(), operation_count);
  EXPECT_EQ(describe(Operation::mul_wide_u32).name, "mul_wide_u32");
  constexpr Family pair("mul_wide", std::array<std::string_view, 2>{"u16", "s32"});
  EXPECT_EQ(pair.find("s32"), Operation::mul_wide_s32);
  EXPECT_EQ(pair.find("u32"), std::nullopt);
}

// Most operations are looked at below; this says that the choice of them is not empty.
TEST(Operations, ThatOnlyComputeAreMost) {
  const auto all = all_operations();
  const auto many = std::ranges::count_if(
      all, [](Operation operation) { return only_computes(describe(operation)); });
  EXPECT_GT(many, 500);
}

TEST(Operations, HaveOperandsAsTheyAreWritten) {
  const Operands& shuffle = describe(Operation::shfl).operands;
  ASSERT_EQ(shuffle.count, 6);
  EXPECT_EQ(shuffle.packed_at, 2);
  EXPECT_TRUE(shuffle.find(Field::packed)->written);
  EXPECT_FALSE(shuffle.find(Field::imm)->written);
  const Operands& carry = describe(Operation::madc_64).operands;
  EXPECT_TRUE(carry.find(Field::imm)->read && carry.find(Field::imm)->written);
  EXPECT_EQ(carry.find(Field::imm)->lane_bytes, 0);
  EXPECT_EQ(carry.find(Field::a)->lane_bytes, 8);
  const Operands& product = describe(Operation::mma_double).operands;
  EXPECT_TRUE(product.find(Field::list)->written);
  EXPECT_EQ(product.find(Field::more)->lane_bytes, 8);
  EXPECT_EQ(product.find(Field::d), nullptr);
  const Operands& store = describe(Operation::st_64_64).operands;
  EXPECT_TRUE(store.find(Field::d)->read);
  EXPECT_FALSE(store.find(Field::d)->written);
  EXPECT_TRUE(describe(Operation::not_b32).operands.repeats);
}

TEST(Operations, WriteWhatTheirDescriptionsSay) {
  for_each_instruction_set([&](const char* instruction_set) {
    SCOPED_TRACE(instruction_set);
    for_each_form([](OperationBench& bench, RandomWords& random) {
      const OperationBench::Memory before = random_registers(random);
      bench.write(before);
      const OperationBench::Memory start = bench.read();
      const OperationBench::Memory after = bench.run(before);
      for (u32 at = 0; at < OperationBench::bytes; ++at) {
        if (start[at] != after[at] && !is_in_operand(bench, at, &OperationBench::Use::written)) {
          ADD_FAILURE() << "byte " << at << " of the frame is written";
          return;
        }
      }
    });
  });
}

TEST(Operations, ReadWhatTheirDescriptionsSay) {
  for_each_instruction_set([&](const char* instruction_set) {
    SCOPED_TRACE(instruction_set);
    for_each_form([](OperationBench& bench, RandomWords& random) {
      for (int trial = 0; trial < 4; ++trial) {
        const OperationBench::Memory before = random_registers(random);
        OperationBench::Memory other = random_registers(random);
        for (u32 at = 0; at < OperationBench::bytes; ++at) {
          if (is_in_operand(bench, at, &OperationBench::Use::read)) other[at] = before[at];
        }
        const OperationBench::Memory one = bench.run(before);
        const OperationBench::Memory two = bench.run(other);
        for (u32 at = 4; at < OperationBench::bytes; ++at) {
          if (!is_in_operand(bench, at, &OperationBench::Use::written)) continue;
          if (one[at] != two[at]) {
            ADD_FAILURE() << "byte " << at << " of the result depends on what is no operand";
            return;
          }
        }
      }
    });
  });
}

// Where some bits of an operand are undefined, no bit of a result that counts as defined changes
// with them.
TEST(Operations, LetUndefinedBitsThroughAsTheirDescriptionsSay) {
  for_each_form([](OperationBench& bench, RandomWords& random) {
    for (const OperationBench::Use& operand : bench.uses()) {
      if (!operand.read) continue;
      for (int trial = 0; trial < 16; ++trial) {
        const OperationBench::Memory before = random_registers(random);
        OperationBench::Memory undefined{};
        for (u32 at = 0; at < operand.size(); at += 4) {
          // One bit or some, in each word.
          const u32 bits = random() % 3 != 0 ? 1U << random() % 32
                                             : static_cast<u32>(random() & random() & random());
          std::memcpy(undefined.data() + operand.at + at, &bits, sizeof bits);
        }
        const OperationBench::Memory said = bench.propagate(before, operand, undefined);
        const OperationBench::Memory result = bench.run(before);
        for (int change = 0; change < 4; ++change) {
          OperationBench::Memory changed = before;
          for (u32 at = operand.at; at < operand.at + operand.size(); ++at) {
            const auto flips =
                change == 0 ? std::byte{0xff} : std::byte{static_cast<unsigned char>(random())};
            changed[at] ^= undefined[at] & flips;
          }
          const OperationBench::Memory other = bench.run(changed);
          for (const OperationBench::Use& out : bench.uses()) {
            if (!out.written) continue;
            for (u32 at = out.at; at < out.at + out.size(); ++at) {
              if (((result[at] ^ other[at]) & ~said[at]) == std::byte{0}) continue;
              ADD_FAILURE() << "byte " << at - out.at << " of the result at " << out.at
                            << " counts as defined and depends on undefined bits of the operand at "
                            << operand.at;
              return;
            }
          }
        }
      }
    }
  });
}

}  // namespace
}  // namespace softgpu::test
