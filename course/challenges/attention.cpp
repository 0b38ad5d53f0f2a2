// Attention of one head, without the matrix of scores.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t count = problem.at("n") * problem.at("d");
  Floats q = drawn_floats(count, numbers, draw);
  // Scores beyond what exp() can take without the row's maximum.
  if (numbers == Numbers::whole) {
    for (float& value : q) value *= 12;
  }
  problem.input("q", std::move(q));
  problem.input("k", drawn_floats(count, numbers, draw));
  problem.input("v", drawn_floats(count, numbers, draw));
  problem.output("out", Floats(count));
  problem.size("n");
  problem.size("d");
  return problem;
}

std::vector<Expected> reference(const Case& problem) {
  const std::size_t n = problem.at("n");
  const std::size_t d = problem.at("d");
  const Floats& q = problem.floats("q");
  const Floats& k = problem.floats("k");
  const Floats& v = problem.floats("v");
  Reals out{std::vector<double>(n * d), std::vector<double>(n * d)};
  std::vector<double> score(n);
  for (std::size_t i = 0; i < n; ++i) {
    double largest = 0;  // error that a score may have
    for (std::size_t j = 0; j < n; ++j) {
      score[j] = 0;
      double magnitude = 0;
      for (std::size_t l = 0; l < d; ++l) {
        const double term = double{q[i * d + l]} * k[j * d + l] / std::sqrt(double(d));
        score[j] += term;
        magnitude += std::abs(term);
      }
      largest = std::max(largest, sum_bound(d, magnitude, 6));
    }
    const double most = *std::max_element(score.begin(), score.end());
    double sum = 0;
    for (double& value : score) sum += value = std::exp(value - most);
    for (std::size_t l = 0; l < d; ++l) {
      double value = 0;
      double magnitude = 0;
      for (std::size_t j = 0; j < n; ++j) {
        value += score[j] / sum * v[j * d + l];
        magnitude += score[j] / sum * std::abs(v[j * d + l]);
      }
      out.values[i * d + l] = value;
      // A score that is off by e changes its weight by that share, and so the sum of weights.
      out.bounds[i * d + l] = 4 * largest * magnitude + 2 * sum_bound(n, magnitude, 32);
    }
  }
  return {out};
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  const auto d = static_cast<double>(sizes.at("d"));
  return {16 * n * d, 4 * n * n * d};
}

}  // namespace

Challenge make_attention_challenge() {
  Challenge c;
  c.title = "Fused attention";
  c.level = 4;
  c.signature = "const float* q, const float* k, const float* v, float* out, int n, int d";
  c.awkward = {
      {{"n", 1}, {"d", 1}}, {{"n", 33}, {"d", 8}}, {{"n", 50}, {"d", 33}}, {{"n", 64}, {"d", 64}}};
  c.lowest = {{"n", 2}, {"d", 1}};
  c.highest = {{"n", 100}, {"d", 64}};
  c.scored = {{"n", 256}, {"d", 32}};
  c.make = make;
  c.reference = reference;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
