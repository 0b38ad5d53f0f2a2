// How often each value occurs.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const auto bins = sizes.at("bins");
  Wholes x = drawn_wholes(problem.at("n"), 0, bins - 1, draw);
  // Real data are not even: half of them in one bin.
  if (numbers == Numbers::real) {
    for (std::size_t i = 0; i < x.size(); i += 2) x[i] = static_cast<std::int32_t>(bins / 2);
  }
  problem.input("x", std::move(x));
  problem.output("counts", Wholes(problem.at("bins")));
  problem.size("n");
  problem.size("bins");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  Wholes counts(problem.at("bins"));
  for (const std::int32_t value : problem.wholes("x")) ++counts[static_cast<std::size_t>(value)];
  return {counts};
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  return {4 * n + 4 * static_cast<double>(sizes.at("bins")), n};
}

}  // namespace

Challenge make_histogram_challenge() {
  Challenge c;
  c.title = "Histogram";
  c.level = 2;
  c.signature = "const int* x, int* counts, int n, int bins";
  c.awkward = {{{"n", 1}, {"bins", 1}}, {{"n", 1000}, {"bins", 256}}, {{"n", 4099}, {"bins", 7}}};
  c.lowest = {{"n", 2}, {"bins", 2}};
  c.highest = {{"n", 30000}, {"bins", 256}};
  c.scored = {{"n", 1 << 18}, {"bins", 256}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
