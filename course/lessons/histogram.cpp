// The CPU's side of the lesson on histograms.
#include <algorithm>
#include <cstdint>
#include <mutex>

#include "course/lesson.hpp"
#include "course/twins.hpp"

namespace tandem::course {
namespace {

TANDEM_TWIN_SCALAR void naive(const std::int32_t* x, std::int32_t* counts, std::size_t n,
                              std::size_t bins) {
  std::fill(counts, counts + bins, 0);
  for (std::size_t i = 0; i < n; ++i) ++counts[x[i]];
}

// Several histograms, because a count that was just stored has to be waited for: equal values
// follow each other often.
template <std::size_t copies>
TANDEM_TWIN_BODY void several(const std::int32_t* x, std::int32_t* counts, std::size_t n,
                              std::size_t bins) {
  std::int32_t own[copies][256] = {};
  std::size_t i = 0;
  for (; i + copies <= n; i += copies) {
    for (std::size_t c = 0; c < copies; ++c) ++own[c][x[i + c]];
  }
  for (; i < n; ++i) ++own[0][x[i]];
  for (std::size_t b = 0; b < bins; ++b) {
    counts[b] = 0;
    for (std::size_t c = 0; c < copies; ++c) counts[b] += own[c][b];
  }
}
TANDEM_TWIN_SCALAR void scalar(const std::int32_t* x, std::int32_t* counts, std::size_t n,
                               std::size_t bins) {
  several<4>(x, counts, n, bins);
}
// Counting itself has no vector form that is faster: what is gained is in loads and the final sums.
TANDEM_TWIN_VECTOR void vector(const std::int32_t* x, std::int32_t* counts, std::size_t n,
                               std::size_t bins) {
  several<8>(x, counts, n, bins);
}

void twin(Twin twin, const Case& problem, std::vector<Values>& outputs) {
  const std::size_t n = problem.at("n");
  const std::size_t bins = problem.at("bins");
  const std::int32_t* x = problem.wholes("x").data();
  std::int32_t* counts = std::get<Wholes>(outputs[0]).data();
  switch (twin) {
    case Twin::naive: return naive(x, counts, n, bins);
    case Twin::one_thread: return scalar(x, counts, n, bins);
    case Twin::vectorised: return vector(x, counts, n, bins);
    case Twin::all_cores: {
      std::mutex mutex;
      std::fill(counts, counts + bins, 0);
      on_all_cores(n, 1 << 14, [&](std::size_t begin, std::size_t end) {
        std::int32_t own[256];
        vector(x + begin, own, end - begin, bins);
        const std::scoped_lock lock(mutex);
        for (std::size_t b = 0; b < bins; ++b) counts[b] += own[b];
      });
    }
  }
}

}  // namespace

Lesson make_histogram_lesson() {
  Lesson lesson;
  lesson.title = "A histogram: atomics, and where they meet";
  for (const std::int64_t n : {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20}) {
    lesson.sizes.push_back({{"n", n}, {"bins", 256}});
  }
  lesson.shown = 5;
  lesson.numbers = Numbers::real;  // half of the values are one
  lesson.twin = twin;
  return lesson;
}

}  // namespace tandem::course
