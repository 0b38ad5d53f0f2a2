// The k largest elements.
#include <algorithm>
#include <functional>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t n = problem.at("n");
  Floats x = drawn_floats(n, numbers, draw);
  // All negative: whoever begins with zeros is found out.
  for (float& value : x) value -= 5.0F;
  problem.input("x", std::move(x));
  problem.output("largest", Floats(problem.at("k")));
  problem.scratch("scratch", Floats(n + 4096));
  problem.size("n");
  problem.size("k");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  Floats x = problem.floats("x");
  std::ranges::sort(x, std::greater<>());
  Reals largest;
  for (std::size_t i = 0; i < problem.at("k"); ++i) largest.values.push_back(x[i]);
  largest.bounds.resize(largest.values.size());
  return {largest};
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  return {4 * n, n};
}

}  // namespace

Challenge make_top_k_challenge() {
  Challenge c;
  c.title = "The k largest elements";
  c.level = 3;
  c.signature = "const float* x, float* largest, float* scratch, int n, int k";
  c.awkward = {{{"n", 1}, {"k", 1}},
               {{"n", 40}, {"k", 32}},
               {{"n", 1000}, {"k", 7}},
               {{"n", 1025}, {"k", 8}}};
  c.lowest = {{"n", 32}, {"k", 1}};
  c.highest = {{"n", 6000}, {"k", 32}};
  c.scored = {{"n", 4096}, {"k", 8}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
