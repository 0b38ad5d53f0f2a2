#include "tandem/tree/tree_scorer.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <new>

#include "core/random.hpp"

namespace {
// Memory that this thread has asked for.
thread_local long allocations = 0;
}  // namespace

// Not inline: the compiler would see memory of malloc() given to delete, and warn.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace tandem {
namespace {

template <Real T>
TreeEnsemble<T> grown(bool awkward) {
  const Random random(17, Purpose::test);
  std::uint64_t next = 0;
  TreeEnsemble<T> ensemble;
  ensemble.features = 9;
  ensemble.outputs = 2;
  ensemble.base = {1, -1};
  for (int t = 0; t < 37; ++t) {
    EnsembleTree<T> tree;
    tree.output = t % 2;
    for (int i = 0; i < 31; ++i) tree.add_leaf(static_cast<T>(random.normal(next++)), 1);
    for (int i = 0; i < 15; ++i) {
      const auto feature = static_cast<std::int32_t>(random.below(9, next++));
      if (awkward && i % 5 == 0) {
        tree.split_by_category(i, feature, std::vector<std::int32_t>{0, 2}, 2 * i + 1, 2 * i + 2,
                               i % 2 == 0);
      } else {
        tree.split(i, feature, static_cast<T>(random.normal(next++)), 2 * i + 1, 2 * i + 2,
                   i % 2 == 0);
      }
    }
    ensemble.trees.push_back(std::move(tree));
  }
  return ensemble;
}

TEST(TreeScorer, HasTheBitsOfRawScoresAndTakesNoMemory) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Random random(18, Purpose::test);
  for (const bool awkward : {false, true}) {
    const auto ensemble = grown<float>(awkward);
    const TreeScorer<float> scorer(ensemble);
    Matrix<float> x(50, 9);
    for (Index e = 0; e < x.size(); ++e) {
      x.values()[static_cast<std::size_t>(e)] =
          e % 7 == 0 ? std::numeric_limits<float>::quiet_NaN()
                     : static_cast<float>(random.normal(static_cast<std::uint64_t>(e)));
    }
    const auto expected = ensemble.raw_scores(*engine, x.view());
    Matrix<float> found(50, 2);
    (void)engine->threads();
    const long before = allocations;
    for (Index i = 0; i < x.rows(); ++i) {
      scorer.score(std::as_const(x).row(i), found.row(i));
    }
    EXPECT_EQ(allocations, before);
    EXPECT_EQ(found, expected);
  }
}

}  // namespace
}  // namespace tandem
