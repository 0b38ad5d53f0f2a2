// C = A B.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t m = problem.at("m");
  const std::size_t n = problem.at("n");
  const std::size_t k = problem.at("k");
  problem.input("a", drawn_floats(m * k, numbers, draw));
  problem.input("b", drawn_floats(k * n, numbers, draw));
  problem.output("c", Floats(m * n));
  problem.size("m");
  problem.size("n");
  problem.size("k");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const std::size_t m = problem.at("m");
  const std::size_t n = problem.at("n");
  const std::size_t k = problem.at("k");
  const Floats& a = problem.floats("a");
  const Floats& b = problem.floats("b");
  Reals c{std::vector<double>(m * n), std::vector<double>(m * n)};
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t l = 0; l < k; ++l) {
      for (std::size_t j = 0; j < n; ++j) {
        const double term = double{a[i * k + l]} * b[l * n + j];
        c.values[i * n + j] += term;
        c.bounds[i * n + j] += std::abs(term);
      }
    }
  }
  for (double& bound : c.bounds) {
    bound = problem.numbers == Numbers::whole ? 0 : sum_bound(k, bound);
  }
  return {c};
}

Floor least(const Sizes& sizes) {
  const auto m = static_cast<double>(sizes.at("m"));
  const auto n = static_cast<double>(sizes.at("n"));
  const auto k = static_cast<double>(sizes.at("k"));
  return {4 * (m * k + k * n + m * n), 2 * m * n * k};
}

}  // namespace

Challenge make_matrix_product_challenge() {
  Challenge c;
  c.title = "Matrix product";
  c.level = 3;
  c.signature = "const float* a, const float* b, float* c, int m, int n, int k";
  c.awkward = {{{"m", 1}, {"n", 1}, {"k", 1}},
               {{"m", 17}, {"n", 33}, {"k", 5}},
               {{"m", 32}, {"n", 32}, {"k", 32}},
               {{"m", 65}, {"n", 30}, {"k", 47}}};
  c.lowest = {{"m", 2}, {"n", 2}, {"k", 2}};
  c.highest = {{"m", 90}, {"n", 90}, {"k", 90}};
  c.scored = {{"m", 192}, {"n", 192}, {"k", 192}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
