// One pass of a radix sort: a stable partition by a digit of four bits.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t n = problem.at("n");
  // All bits count: what is not in the digit tells whether the order was kept.
  Wholes key(n);
  for (auto& one : key) one = static_cast<std::int32_t>(static_cast<std::uint32_t>(draw.bits()));
  problem.input("key", std::move(key));
  problem.output("sorted", Wholes(n));
  problem.scratch("scratch", Wholes(n + 4096));
  problem.size("n");
  problem.size("shift");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  Wholes sorted = problem.wholes("key");
  const auto shift = static_cast<unsigned>(problem.sizes.at("shift"));
  std::ranges::stable_sort(sorted, {}, [shift](std::int32_t key) {
    return (static_cast<std::uint32_t>(key) >> shift) & 15U;
  });
  return {sorted};
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  return {8 * n, 0};
}

}  // namespace

Challenge make_radix_step_challenge() {
  Challenge c;
  c.title = "One pass of a radix sort";
  c.level = 4;
  c.signature = "const unsigned* key, unsigned* sorted, unsigned* scratch, int n, int shift";
  c.awkward = {{{"n", 1}, {"shift", 0}},
               {{"n", 257}, {"shift", 28}},
               {{"n", 1000}, {"shift", 4}},
               {{"n", 2048}, {"shift", 12}}};
  c.lowest = {{"n", 2}, {"shift", 0}};
  c.highest = {{"n", 9000}, {"shift", 28}};
  c.scored = {{"n", 1 << 16}, {"shift", 8}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
