// Each rule of tandem gpu explain: a kernel for which it holds, and one for which it does not.
#include "softgpu/profile/explain.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "softgpu/models.hpp"

namespace softgpu::profile {
namespace {

constexpr std::uint64_t blocks = 108 * 8 * 4;  // four rounds of an A100
constexpr std::uint64_t warps = blocks * 8;

std::uint64_t& at(Counters& c, InstructionClass kind) {
  return c.instructions[static_cast<std::size_t>(kind)];
}

// A kernel that nothing is to be said of: full warps that load and store coalesced and compute.
Kernel plain() {
  Kernel k;
  k.kernel = k.name = "k";
  k.grid = {static_cast<std::uint32_t>(blocks), 1, 1};
  k.block = {256, 1, 1};
  k.registers = 32;
  k.launches = 1;
  Counters& c = k.counters;
  at(c, InstructionClass::fp32) = warps * 1000;
  at(c, InstructionClass::memory) = warps * 20;
  for (std::size_t i = 0; i < instruction_classes; ++i) {
    c.thread_instructions[i] = c.instructions[i] * 32;
  }
  c.global_load = {warps * 10, warps * 320, warps * 1280, warps * 40, warps * 40, 0, 0};
  c.global_store = c.global_load;
  k.dram_read = warps * 1280;
  k.chain = blocks * 2000;
  k.longest_chain = 2000;
  k.chain_waits[static_cast<std::size_t>(Wait::issue)] = k.chain;
  return k;
}

// The kernel's line 7 has all that is counted, its line 3 nothing.
Explanation explained(Kernel k) {
  k.lines = {{"a.cu", 3, "", {}}, {"a.cu", 7, "the line", k.counters}};
  return explain(k, *find_device_model("a100"));
}

const Advice* advice_of(const Explanation& found, std::string_view rule) {
  const auto one = std::ranges::find(found.advice, rule, &Advice::rule);
  return one == found.advice.end() ? nullptr : &*one;
}

TEST(Explain, SaysNothingOfAKernelThatIsAsItShouldBe) {
  const Explanation found = explained(plain());
  EXPECT_TRUE(found.advice.empty()) << found.advice.front().rule;
  EXPECT_EQ(found.now.bound, "fp32");
}

struct Case {
  std::string_view rule;
  bool names_a_line;
  std::function<void(Kernel&)> spoil;
};

const Case cases[] = {
    // Each lane's float has a sector of its own, and memory has to bring all of them.
    {"uncoalesced", true,
     [](Kernel& k) {
       k.counters.global_load.sectors *= 8;
       k.dram_read *= 8;
     }},
    // A column of an unpadded tile of 32 x 32.
    {"bank-conflicts", true,
     [](Kernel& k) {
       k.counters.shared_load = {warps * 100, warps * 3200, warps * 12800, warps * 3200,
                                 warps * 100};
     }},
    // Half of the lanes take the one way and half the other.
    {"divergence", true,
     [](Kernel& k) {
       k.counters.branches = warps * 10;
       k.counters.divergent = warps * 10;
       for (auto& lanes : k.counters.thread_instructions) lanes /= 2;
     }},
    // 200 registers leave 8 warps of 64, and each waits for memory most of the time.
    {"low-occupancy", false,
     [](Kernel& k) {
       k.registers = 200;
       k.chain = blocks * 40000;
       k.longest_chain = 40000;
       k.chain_waits = {};
       k.chain_waits[static_cast<std::size_t>(Wait::dram)] = k.chain;
     }},
    // An array of the thread that is indexed by a variable.
    {"local-memory", true,
     [](Kernel& k) {
       k.counters.local_load = {
           warps * 600, warps * 19200, warps * 76800, warps * 2400, warps * 2400, warps * 2400, 0};
       at(k.counters, InstructionClass::memory) += warps * 600;
     }},
    // All threads add to one counter.
    {"one-word-atomics", true,
     [](Kernel& k) {
       k.counters.global_atomic = {warps, warps * 32, warps * 128, warps, warps, 0, warps};
       k.counters.atomic_conflicts = warps * 31;
       k.hottest_word = warps * 32;
     }},
    // Counts of a histogram, spread over many words, each lane's in a sector of its own.
    {"global-atomics", true,
     [](Kernel& k) {
       k.counters.global_atomic = {
           warps * 100, warps * 3200, warps * 12800, warps * 3200, warps * 400, 0, warps * 3200};
       at(k.counters, InstructionClass::atomic) = warps * 100;
       k.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::atomic)] =
           warps * 3200;
     }},
    // Every element of a matrix is loaded for each multiply-add.
    {"repeated-loads", true,
     [](Kernel& k) {
       k.counters.global_load = {warps * 2000,
                                 warps * 64000,
                                 warps * 256000,
                                 warps * 8000,
                                 warps * 8000,
                                 warps * 7900,
                                 0};
       at(k.counters, InstructionClass::memory) += warps * 2000;
       k.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::memory)] +=
           warps * 64000;
     }},
    // The same from shared memory.
    {"shared-traffic", true,
     [](Kernel& k) {
       k.counters.shared_load = {warps * 2000, warps * 64000, warps * 256000, warps * 2000,
                                 warps * 2000};
       at(k.counters, InstructionClass::memory) += warps * 2000;
       k.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::memory)] +=
           warps * 64000;
     }},
    // A tree with a barrier after each of its steps.
    {"barrier-waits", true,
     [](Kernel& k) {
       k.counters.barriers = warps * 100;
       at(k.counters, InstructionClass::barrier) = warps * 100;
       k.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::barrier)] =
           warps * 3200;
       k.chain = blocks * 40000;
       k.longest_chain = 40000;
       k.chain_waits = {};
       k.chain_waits[static_cast<std::size_t>(Wait::barrier)] = k.chain;
     }},
    // One block for 108 multiprocessors.
    {"too-little-work", false,
     [](Kernel& k) {
       k.grid = {1, 1, 1};
       k.chain /= blocks;
     }},
    // One thread of each block adds up what the others made.
    {"serial-tail", true,
     [](Kernel& k) {
       k.chain = blocks * 60000;
       k.longest_chain = 60000;
       k.alone = blocks * 50000;
       at(k.counters, InstructionClass::integer) = blocks * 10000;
       k.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::integer)] =
           blocks * 10000;
     }},
    // A constant without f: the kernel converts, computes in double and converts back.
    {"double-for-float", true,
     [](Kernel& k) {
       std::swap(at(k.counters, InstructionClass::fp64), at(k.counters, InstructionClass::fp32));
       std::swap(k.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::fp64)],
                 k.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::fp32)]);
       k.counters.flops[f64] = warps * 32000;
       k.counters.conversions_to_double = warps * 3200;
     }},
    // Four floats of a structure, loaded one by one.
    {"missing-vector-loads", true,
     [](Kernel& k) {
       k.counters.global_load = {warps * 4000,
                                 warps * 128000,
                                 warps * 512000,
                                 warps * 64000,
                                 warps * 64000,
                                 warps * 48000,
                                 0};
       k.counters.adjacent_loads = warps * 3000;
       at(k.counters, InstructionClass::memory) += warps * 4000;
       k.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::memory)] +=
           warps * 128000;
     }},
    // Every second barrier orders nothing.
    {"redundant-barrier", true,
     [](Kernel& k) {
       k.counters.barriers = warps * 200;
       k.counters.redundant_barriers = warps * 100;
       k.chain = blocks * 40000;
       k.longest_chain = 40000;
       k.chain_waits = {};
       k.chain_waits[static_cast<std::size_t>(Wait::barrier)] = k.chain;
     }},
};

TEST(Explain, EachRuleHoldsWhereItShould) {
  std::set<std::string_view> seen;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.rule);
    seen.insert(c.rule);
    EXPECT_EQ(advice_of(explained(plain()), c.rule), nullptr);
    Kernel k = plain();
    c.spoil(k);
    const Explanation found = explained(k);
    const Advice* const advice = advice_of(found, c.rule);
    ASSERT_NE(advice, nullptr);
    EXPECT_EQ(found.advice.front().rule, c.rule) << "is not what would matter most";
    EXPECT_GT(advice->at_most, 1.0);
    EXPECT_EQ(advice->line, c.names_a_line ? 7 : 0);
    EXPECT_FALSE(advice->what.empty());
    EXPECT_FALSE(advice->change.empty());
  }
  const std::vector<std::string_view> names = rule_names();
  EXPECT_EQ(seen, std::set<std::string_view>(names.begin(), names.end()))
      << "every rule has a case";
}

// A launch whose memory traffic is eight times what it might be, and is all that bounds it: 1/8 of
// the time is left, and the time between launches.
TEST(Explain, TheGainIsTheOneOfTheModel) {
  Kernel k = plain();
  k.counters.instructions = {};
  k.counters.thread_instructions = {};
  k.chain = k.longest_chain = 0;
  k.chain_waits = {};
  k.counters.global_store = {};
  k.counters.global_load.sectors *= 8;
  k.dram_read = k.counters.global_load.sectors * 32;
  const Explanation found = explained(k);
  const Advice* const advice = advice_of(found, "uncoalesced");
  ASSERT_NE(advice, nullptr);
  const double before = found.now.kernel_seconds;
  EXPECT_NEAR(advice->at_most, (before + 2e-6) / (before / 8 + 2e-6), 0.01);
}

// ptxas' spills are named as such.
TEST(Explain, SpillsAreToldFromArrays) {
  Kernel k = plain();
  k.spill_bytes = 64;
  k.counters.local_load = {
      warps * 600, warps * 19200, warps * 76800, warps * 2400, warps * 2400, warps * 2400, 0};
  at(k.counters, InstructionClass::memory) += warps * 600;
  const Explanation found = explained(k);
  const Advice* const advice = advice_of(found, "local-memory");
  ASSERT_NE(advice, nullptr);
  EXPECT_NE(advice->what.find("64 bytes"), std::string::npos) << advice->what;
}

}  // namespace
}  // namespace softgpu::profile
