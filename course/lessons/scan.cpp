// The CPU's side of the lesson on running sums.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "course/lesson.hpp"
#include "course/twins.hpp"

namespace tandem::course {
namespace {

TANDEM_TWIN_SCALAR void naive(const std::int32_t* x, std::int32_t* y, std::size_t n) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    sum += static_cast<std::uint32_t>(x[i]);
    y[i] = static_cast<std::int32_t>(sum);
  }
}

// Sixteen lanes, as a warp has 32.
using Lanes = std::uint32_t __attribute__((vector_size(64)));

// Pieces of 16 by doubling, as the lanes of a warp do, then the sum before them.
TANDEM_TWIN_BODY std::uint32_t pieces(const std::int32_t* x, std::int32_t* y, std::size_t n,
                                      std::uint32_t before) {
  constexpr std::size_t lanes = 16;
  const Lanes zero{};
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    Lanes own;
    std::memcpy(&own, x + i, sizeof own);
    own += __builtin_shufflevector(own, zero, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    own += __builtin_shufflevector(own, zero, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
    own += __builtin_shufflevector(own, zero, 16, 16, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    own +=
        __builtin_shufflevector(own, zero, 16, 16, 16, 16, 16, 16, 16, 16, 0, 1, 2, 3, 4, 5, 6, 7);
    own += before;
    std::memcpy(y + i, &own, sizeof own);
    before = own[lanes - 1];
  }
  for (; i < n; ++i) {
    before += static_cast<std::uint32_t>(x[i]);
    y[i] = static_cast<std::int32_t>(before);
  }
  return before;
}
TANDEM_TWIN_BODY std::uint32_t sum_of(const std::int32_t* x, std::size_t n) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<std::uint32_t>(x[i]);
  return sum;
}
// Four sums at a time: the chain of additions is a quarter as long.
TANDEM_TWIN_SCALAR void scalar(const std::int32_t* x, std::int32_t* y, std::size_t n) {
  std::uint32_t sum = 0;
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const auto a = static_cast<std::uint32_t>(x[i]);
    const std::uint32_t b = a + static_cast<std::uint32_t>(x[i + 1]);
    const std::uint32_t c = b + static_cast<std::uint32_t>(x[i + 2]);
    const std::uint32_t d = c + static_cast<std::uint32_t>(x[i + 3]);
    y[i] = static_cast<std::int32_t>(sum + a);
    y[i + 1] = static_cast<std::int32_t>(sum + b);
    y[i + 2] = static_cast<std::int32_t>(sum + c);
    y[i + 3] = static_cast<std::int32_t>(sum + d);
    sum += d;
  }
  for (; i < n; ++i) {
    sum += static_cast<std::uint32_t>(x[i]);
    y[i] = static_cast<std::int32_t>(sum);
  }
}
TANDEM_TWIN_VECTOR std::uint32_t vector(const std::int32_t* x, std::int32_t* y, std::size_t n,
                                        std::uint32_t before) {
  return pieces(x, y, n, before);
}
TANDEM_TWIN_VECTOR std::uint32_t vector_sum(const std::int32_t* x, std::size_t n) {
  return sum_of(x, n);
}

void twin(Twin twin, const Case& problem, std::vector<Values>& outputs) {
  const std::size_t n = problem.at("n");
  const std::int32_t* x = problem.wholes("x").data();
  std::int32_t* y = std::get<Wholes>(outputs[0]).data();
  switch (twin) {
    case Twin::naive: return naive(x, y, n);
    case Twin::one_thread: return scalar(x, y, n);
    case Twin::vectorised: (void)vector(x, y, n, 0); return;
    case Twin::all_cores: {
      // Sums of blocks, then each block: x is read twice, the second time from the cache.
      constexpr std::size_t block = 1 << 14;
      std::vector<std::uint32_t> sums((n + block - 1) / block);
      const auto of = [&](std::size_t b) { return std::min(block, n - b * block); };
      on_all_cores(sums.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t b = begin; b < end; ++b) sums[b] = vector_sum(x + b * block, of(b));
      });
      std::uint32_t before = 0;
      for (std::uint32_t& sum : sums) {
        const std::uint32_t own = sum;
        sum = before;
        before += own;
      }
      on_all_cores(sums.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t b = begin; b < end; ++b) {
          (void)vector(x + b * block, y + b * block, of(b), sums[b]);
        }
      });
    }
  }
}

}  // namespace

Lesson make_scan_lesson() {
  Lesson lesson;
  lesson.title = "Running sums: work that seems to be one after the other";
  for (const std::int64_t n : {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18}) {
    lesson.sizes.push_back({{"n", n}});
  }
  lesson.shown = 4;
  lesson.twin = twin;
  return lesson;
}

}  // namespace tandem::course
