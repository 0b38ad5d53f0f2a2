// The CPU's side of the lesson on reductions.
#include <algorithm>
#include <mutex>

#include "course/lesson.hpp"
#include "course/twins.hpp"

namespace tandem::course {
namespace {

// One sum: each addition waits for the one before.
TANDEM_TWIN_SCALAR float naive(const float* x, std::size_t n) {
  float sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += x[i];
  return sum;
}

// Sums side by side, which need not wait for each other.
template <std::size_t lanes>
TANDEM_TWIN_BODY float side_by_side(const float* x, std::size_t n) {
  float part[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) part[l] += x[i + l];
  }
  float sum = 0;
  for (; i < n; ++i) sum += x[i];
  for (const float one : part) sum += one;
  return sum;
}
TANDEM_TWIN_SCALAR float scalar(const float* x, std::size_t n) { return side_by_side<8>(x, n); }
TANDEM_TWIN_VECTOR float vector(const float* x, std::size_t n) { return side_by_side<64>(x, n); }

void twin(Twin twin, const Case& problem, std::vector<Values>& outputs) {
  const std::size_t n = problem.at("n");
  const float* x = problem.floats("x").data();
  float& sum = std::get<Floats>(outputs[0])[0];
  switch (twin) {
    case Twin::naive: sum = naive(x, n); break;
    case Twin::one_thread: sum = scalar(x, n); break;
    case Twin::vectorised: sum = vector(x, n); break;
    case Twin::all_cores: {
      std::mutex mutex;
      float all = 0;
      on_all_cores(n, 1 << 14, [&](std::size_t begin, std::size_t end) {
        const float own = vector(x + begin, end - begin);
        const std::scoped_lock lock(mutex);
        all += own;
      });
      sum = all;
    }
  }
}

}  // namespace

Lesson make_reduction_lesson() {
  Lesson lesson;
  lesson.title = "A sum: from one word that all threads want to a tree in each warp";
  for (const std::int64_t n : {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20}) {
    lesson.sizes.push_back({{"n", n}});
  }
  lesson.shown = 5;
  lesson.twin = twin;
  return lesson;
}

}  // namespace tandem::course
