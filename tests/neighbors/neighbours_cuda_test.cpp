// Nearest neighbours on the GPU: agreement at zero bits, and lists at awkward sizes with guard
// bands.
#include <gtest/gtest.h>

#include "core/neighbors/neighbour_search.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agree.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

class NeighboursCuda : public ::testing::TestWithParam<const char*> {};
TEST_P(NeighboursCuda, Agrees) { test::expect_agreement(GetParam(), test::cuda_device()); }
INSTANTIATE_TEST_SUITE_P(Names, NeighboursCuda,
                         ::testing::Values("neighbours", "knn-classifier", "knn-regressor"));

// Lists in buffers with a guard band behind them; rows are a window on wider ones.
template <Real T>
std::pair<std::vector<std::int32_t>, std::vector<T>> lists_on(Engine& engine, Index points,
                                                              Index columns, Index rows, Index k,
                                                              Separation separation) {
  const Index stride = columns + 3;
  const Random random(6, Purpose::test);
  Matrix<T> all(points, columns);
  std::uint64_t at = 0;
  for (T& value : all.values()) value = static_cast<T>(random.below(9, at++));
  std::vector<T> x;
  for (Index e = 0; e < rows * stride; ++e) x.push_back(static_cast<T>(random.below(9, at++)));
  const auto packed = pack_points<T>(engine, all.view(), NeighbourMetric::euclidean);
  const auto queries = to_engine(engine, x);
  const auto size = static_cast<std::size_t>(rows * k);
  auto nearest = to_engine(engine, std::vector<std::int32_t>(size + 64, -77));
  auto apart = to_engine(engine, std::vector<T>(size + 64, T{-77}));
  make_steps<NeighbourSteps, T>(engine)->nearest(separation, {points, columns, packed.data()},
                                                 {rows, stride, queries.data(), -1}, k, nearest,
                                                 apart);
  auto numbers = nearest.to_host();
  auto values = apart.to_host();
  for (std::size_t i = size; i < numbers.size(); ++i) {
    EXPECT_EQ(numbers[i], -77);
    EXPECT_EQ(values[i], T{-77});
  }
  return {numbers, values};
}

TEST(NeighboursCudaSteps, ListsHaveTheBitsOfTheCpuAtAwkwardSizes) {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  const auto gpu = test::cuda_engine({});
  for (const Index points : {Index{1}, Index{33}, Index{129}, Index{700}}) {
    for (const Index columns : {Index{1}, Index{32}, Index{33}, Index{70}}) {
      for (const auto& [rows, k] : {std::pair<Index, Index>{1, 1}, {17, 5}, {40, 100}, {3, 1024}}) {
        for (const auto separation :
             {Separation::squared, Separation::absolute, Separation::complement}) {
          const auto expected = lists_on<float>(*cpu, points, columns, rows, k, separation);
          const auto got = lists_on<float>(*gpu, points, columns, rows, k, separation);
          EXPECT_EQ(got.first, expected.first) << points << " x " << columns << ", " << k;
          EXPECT_TRUE(test::same_bits(got.second, expected.second));
        }
      }
    }
  }
}

}  // namespace
}  // namespace tandem
