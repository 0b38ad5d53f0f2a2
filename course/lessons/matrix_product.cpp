// The CPU's side of the lesson on matrix products.
#include <algorithm>

#include "course/lesson.hpp"
#include "course/twins.hpp"

namespace tandem::course {
namespace {

// As the definition has it: the inner loop runs down a column of b.
TANDEM_TWIN_SCALAR void naive(const float* a, const float* b, float* c, std::size_t m,
                              std::size_t n, std::size_t k) {
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      float sum = 0;
      for (std::size_t l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
      c[i * n + j] = sum;
    }
  }
}

// Four rows of c by 32 columns at a time, which stay in registers while l runs: each load of b is
// used four times, and 64 rows of k at a time stay in the cache.
TANDEM_TWIN_BODY void blocks(const float* a, const float* b, float* c, std::size_t n, std::size_t k,
                             std::size_t begin, std::size_t end) {
  constexpr std::size_t high = 4;
  constexpr std::size_t wide = 32;
  for (std::size_t left = 0; left < n; left += wide) {
    const std::size_t width = std::min(wide, n - left);
    for (std::size_t top = begin; top < end; top += high) {
      const std::size_t height = std::min(high, end - top);
      float sum[high][wide] = {};
      if (width == wide && height == high) {
        for (std::size_t l = 0; l < k; ++l) {
          const float* row = b + l * n + left;
          for (std::size_t i = 0; i < high; ++i) {
            const float factor = a[(top + i) * k + l];
            for (std::size_t j = 0; j < wide; ++j) sum[i][j] += factor * row[j];
          }
        }
      } else {
        for (std::size_t l = 0; l < k; ++l) {
          for (std::size_t i = 0; i < height; ++i) {
            for (std::size_t j = 0; j < width; ++j) {
              sum[i][j] += a[(top + i) * k + l] * b[l * n + left + j];
            }
          }
        }
      }
      for (std::size_t i = 0; i < height; ++i) {
        for (std::size_t j = 0; j < width; ++j) c[(top + i) * n + left + j] = sum[i][j];
      }
    }
  }
}
// Scalar registers are fewer: rows of b, each used for one row of c, in the order of memory.
TANDEM_TWIN_SCALAR void scalar(const float* a, const float* b, float* c, std::size_t m,
                               std::size_t n, std::size_t k) {
  std::fill(c, c + m * n, 0.0F);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t l = 0; l < k; ++l) {
      const float factor = a[i * k + l];
      for (std::size_t j = 0; j < n; ++j) c[i * n + j] += factor * b[l * n + j];
    }
  }
}
TANDEM_TWIN_VECTOR void vector(const float* a, const float* b, float* c, std::size_t n,
                               std::size_t k, std::size_t begin, std::size_t end) {
  blocks(a, b, c, n, k, begin, end);
}

void twin(Twin twin, const Case& problem, std::vector<Values>& outputs) {
  const std::size_t m = problem.at("m");
  const std::size_t n = problem.at("n");
  const std::size_t k = problem.at("k");
  const float* a = problem.floats("a").data();
  const float* b = problem.floats("b").data();
  float* c = std::get<Floats>(outputs[0]).data();
  switch (twin) {
    case Twin::naive: return naive(a, b, c, m, n, k);
    case Twin::one_thread: return scalar(a, b, c, m, n, k);
    case Twin::vectorised: return vector(a, b, c, n, k, 0, m);
    case Twin::all_cores:
      on_all_cores(m, 8,
                   [&](std::size_t begin, std::size_t end) { vector(a, b, c, n, k, begin, end); });
  }
}

}  // namespace

Lesson make_matrix_product_lesson() {
  Lesson lesson;
  lesson.title = "A matrix product: the same multiply-adds, and everything else";
  for (const std::int64_t side : {16, 32, 64, 128, 256}) {
    lesson.sizes.push_back({{"m", side}, {"n", side}, {"k", side}});
  }
  lesson.sizes.push_back({{"m", 768}, {"n", 768}, {"k", 32}});
  lesson.shown = 5;
  lesson.twin = twin;
  return lesson;
}

}  // namespace tandem::course
