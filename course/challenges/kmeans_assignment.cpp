// The nearest centre of each point: what k-means does most of its time.
#include <algorithm>
#include <cmath>

#include "course/challenge.hpp"

namespace tandem::course {
namespace {

Case make(const Sizes& sizes, Numbers numbers, Draw& draw) {
  Case problem{sizes, numbers, {}};
  const std::size_t d = problem.at("d");
  problem.input("points", drawn_floats(problem.at("n") * d, numbers, draw));
  problem.input("centres", drawn_floats(problem.at("k") * d, numbers, draw));
  problem.output("label", Wholes(problem.at("n")));
  problem.size("n");
  problem.size("d");
  problem.size("k");
  return problem;
}

// Distances of whole numbers are exact: there the lowest number wins a tie. Of others, any centre
// that is as near within their rounding.
std::optional<std::string> judge(const Case& problem, const std::vector<Values>& outputs) {
  const std::size_t n = problem.at("n");
  const std::size_t d = problem.at("d");
  const std::size_t k = problem.at("k");
  const Floats& points = problem.floats("points");
  const Floats& centres = problem.floats("centres");
  const auto& label = std::get<Wholes>(outputs.at(0));
  std::vector<double> distance(k);
  for (std::size_t i = 0; i < n; ++i) {
    double magnitude = 0;
    for (std::size_t c = 0; c < k; ++c) {
      distance[c] = 0;
      double squares = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const double x = points[i * d + j];
        const double y = centres[c * d + j];
        distance[c] += (x - y) * (x - y);
        squares += x * x + y * y;  // of the expanded form, which may be used too
      }
      magnitude = std::max(magnitude, squares);
    }
    const auto best = static_cast<std::size_t>(std::min_element(distance.begin(), distance.end()) -
                                               distance.begin());
    const std::string name = "label[" + std::to_string(i) + "]";
    if (label[i] < 0 || static_cast<std::size_t>(label[i]) >= k) {
      return name + " is " + std::to_string(label[i]) + ", which is no centre's number";
    }
    const auto got = static_cast<std::size_t>(label[i]);
    const double bound = problem.numbers == Numbers::whole ? 0 : 4 * sum_bound(2 * d, magnitude, 4);
    if (distance[got] > distance[best] + bound ||
        (problem.numbers == Numbers::whole && got != best)) {
      return name + " is " + std::to_string(got) + " instead of " + std::to_string(best);
    }
  }
  return std::nullopt;
}

Floor least(const Sizes& sizes) {
  const auto n = static_cast<double>(sizes.at("n"));
  const auto d = static_cast<double>(sizes.at("d"));
  const auto k = static_cast<double>(sizes.at("k"));
  // One multiply-add each: |x - c|^2 = |x|^2 - 2 x c + |c|^2, of which the middle is needed.
  return {4 * (n * d + k * d + n), 2 * n * d * k};
}

}  // namespace

Challenge make_kmeans_assignment_challenge() {
  Challenge c;
  c.title = "Nearest centres (k-means assignment)";
  c.level = 3;
  c.signature = "const float* points, const float* centres, int* label, int n, int d, int k";
  c.awkward = {{{"n", 1}, {"d", 1}, {"k", 1}},
               {{"n", 300}, {"d", 3}, {"k", 5}},
               {{"n", 129}, {"d", 16}, {"k", 33}}};
  c.lowest = {{"n", 2}, {"d", 1}, {"k", 2}};
  c.highest = {{"n", 900}, {"d", 24}, {"k", 40}};
  c.scored = {{"n", 8192}, {"d", 16}, {"k", 32}};
  c.make = make;
  c.judge = judge;
  c.floor = least;
  return c;
}

}  // namespace tandem::course
