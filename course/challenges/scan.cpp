// Running sums.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t n = problem.at("n");
  // Large ones wrap around, as unsigned sums do.
  const std::int64_t most = numbers == Numbers::whole ? 9 : 0x3fffffff;
  problem.input("x", drawn_wholes(n, -most, most, draw));
  problem.output("y", Wholes(n));
  problem.scratch("scratch", Wholes(n + 1024));
  problem.size("n");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  Wholes y;
  std::uint32_t sum = 0;
  for (const std::int32_t value : problem.wholes("x")) {
    sum += static_cast<std::uint32_t>(value);
    y.push_back(static_cast<std::int32_t>(sum));
  }
  return {y};
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  return {8 * n, n};
}

}  // namespace

Challenge make_scan_challenge() {
  Challenge c;
  c.title = "Running sums (inclusive scan)";
  c.level = 2;
  c.signature = "const int* x, int* y, int* scratch, int n";
  c.awkward = {{{"n", 1}}, {{"n", 33}}, {{"n", 1025}}, {{"n", 4099}}};
  c.lowest = {{"n", 2}};
  c.highest = {{"n", 30000}};
  c.scored = {{"n", 1 << 17}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
