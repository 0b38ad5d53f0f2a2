// The CPU's side of the lesson on nearest centres.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "course/lesson.hpp"
#include "course/twins.hpp"

namespace tandem::course {
namespace {

TANDEM_TWIN_BODY void by_centre(const float* points, const float* centres, std::int32_t* label,
                                std::size_t begin, std::size_t end, std::size_t d, std::size_t k) {
  for (std::size_t i = begin; i < end; ++i) {
    float least = std::numeric_limits<float>::infinity();
    for (std::size_t c = 0; c < k; ++c) {
      float distance = 0;
      for (std::size_t j = 0; j < d; ++j) {
        const float off = points[i * d + j] - centres[c * d + j];
        distance += off * off;
      }
      if (distance < least) {
        least = distance;
        label[i] = static_cast<std::int32_t>(c);
      }
    }
  }
}
TANDEM_TWIN_SCALAR void naive(const float* points, const float* centres, std::int32_t* label,
                              std::size_t n, std::size_t d, std::size_t k) {
  by_centre(points, centres, label, 0, n, d, k);
}

// Centres by coordinate, `side` of them side by side: their distances do not wait for each other.
template <std::size_t side>
TANDEM_TWIN_BODY void by_coordinate(const float* points, const float* turned, std::int32_t* label,
                                    std::size_t begin, std::size_t end, std::size_t d,
                                    std::size_t k) {
  for (std::size_t i = begin; i < end; ++i) {
    float least = std::numeric_limits<float>::infinity();
    std::int32_t best = 0;
    for (std::size_t first = 0; first < k; first += side) {
      float distance[side] = {};
      const float* group = turned + first * d;
      for (std::size_t j = 0; j < d; ++j) {
        const float x = points[i * d + j];
        for (std::size_t e = 0; e < side; ++e) {
          const float off = x - group[j * side + e];
          distance[e] += off * off;
        }
      }
      for (std::size_t e = 0; e < side; ++e) {
        if (distance[e] < least) {
          least = distance[e];
          best = static_cast<std::int32_t>(first + e);
        }
      }
    }
    label[i] = best;
  }
}
template <std::size_t side>
Floats turned(const float* centres, std::size_t d, std::size_t k) {
  Floats all((k + side - 1) / side * side * d, std::numeric_limits<float>::infinity());
  for (std::size_t c = 0; c < k; ++c) {
    for (std::size_t j = 0; j < d; ++j) {
      all[c / side * side * d + j * side + c % side] = centres[c * d + j];
    }
  }
  return all;
}
TANDEM_TWIN_SCALAR void scalar(const float* points, const float* centres, std::int32_t* label,
                               std::size_t n, std::size_t d, std::size_t k) {
  by_coordinate<4>(points, centres, label, 0, n, d, k);
}
TANDEM_TWIN_VECTOR void vector(const float* points, const float* centres, std::int32_t* label,
                               std::size_t begin, std::size_t end, std::size_t d, std::size_t k) {
  by_coordinate<32>(points, centres, label, begin, end, d, k);
}

void twin(Twin twin, const Case& problem, std::vector<Values>& outputs) {
  const std::size_t n = problem.at("n");
  const std::size_t d = problem.at("d");
  const std::size_t k = problem.at("k");
  const float* points = problem.floats("points").data();
  const float* centres = problem.floats("centres").data();
  std::int32_t* label = std::get<Wholes>(outputs[0]).data();
  switch (twin) {
    case Twin::naive: return naive(points, centres, label, n, d, k);
    case Twin::one_thread: return scalar(points, turned<4>(centres, d, k).data(), label, n, d, k);
    case Twin::vectorised:
      return vector(points, turned<32>(centres, d, k).data(), label, 0, n, d, k);
    case Twin::all_cores: {
      const Floats by_side = turned<32>(centres, d, k);
      on_all_cores(n, 256, [&](std::size_t begin, std::size_t end) {
        vector(points, by_side.data(), label, begin, end, d, k);
      });
    }
  }
}

}  // namespace

Lesson make_kmeans_assignment_lesson() {
  Lesson lesson;
  lesson.title = "The nearest centre of each point: what k-means does most of its time";
  for (const std::int64_t n : {64, 512, 4096, 16384, 65536}) {
    lesson.sizes.push_back({{"n", n}, {"d", 16}, {"k", 32}});
  }
  lesson.shown = 4;
  lesson.twin = twin;
  return lesson;
}

}  // namespace tandem::course
