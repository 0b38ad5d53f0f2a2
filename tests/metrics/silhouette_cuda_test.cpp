// Silhouettes on the GPU: the bits of the CPU.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "core/metrics/silhouette_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "cuda/metrics/silhouette_cost.hpp"
#include "support/agreement.hpp"
#include "support/counters.hpp"
#include "support/cuda.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/metrics/clustering.hpp"

namespace tandem {
namespace {

template <class T>
class SilhouetteCuda : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SilhouetteCuda, Reals);

Engine& cpu() {
  static const auto engine = Engine::create({.device = Device::cpu, .threads = 2});
  return *engine;
}

// The step itself; more of the output than the rows is poison that must stay.
template <Real T>
std::vector<double> values_of(Engine& engine, const Matrix<T>& x,
                              const std::vector<std::int32_t>& cluster, Index clusters) {
  std::vector<Index> members(cluster.size());
  std::iota(members.begin(), members.end(), Index{0});
  std::stable_sort(members.begin(), members.end(), [&](Index a, Index b) {
    return cluster[static_cast<std::size_t>(a)] < cluster[static_cast<std::size_t>(b)];
  });
  std::vector<Index> first(static_cast<std::size_t>(clusters) + 1, 0);
  for (const std::int32_t c : cluster) ++first[static_cast<std::size_t>(c) + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  const auto rows = to_engine(engine, std::vector<T>(x.data(), x.data() + x.size()));
  const auto engine_members = to_engine(engine, members);
  const auto engine_first = to_engine(engine, first);
  const auto engine_cluster = to_engine(engine, cluster);
  Buffer<double> values(engine, x.rows());
  values.upload(std::vector<double>(cluster.size(), -77.0));
  make_steps<SilhouetteSteps, T>(engine)->values(rows, x.cols(), engine_members, engine_first,
                                                 engine_cluster, values);
  return values.to_host();
}

template <Real T>
Matrix<T> rows_of(Index rows, Index cols, std::uint64_t seed) {
  const Random random(seed, Purpose::test);
  Matrix<T> x(rows, cols);
  for (Index at = 0; at < x.size(); ++at) {
    x.data()[at] = static_cast<T>(4 * random.normal(static_cast<std::uint64_t>(at)));
  }
  return x;
}

// Clusters of very different sizes, the last one of one row.
std::vector<std::int32_t> clusters_of(Index rows, Index clusters) {
  const Random random(9, Purpose::test, 1);
  std::vector<std::int32_t> cluster;
  for (Index i = 0; i < rows; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    cluster.push_back(i < clusters
                          ? static_cast<std::int32_t>(i)
                          : static_cast<std::int32_t>(
                                u * u * static_cast<double>(std::max<Index>(clusters - 1, 1))));
  }
  std::rotate(cluster.begin(), cluster.begin() + rows / 3, cluster.end());
  return cluster;
}

TYPED_TEST(SilhouetteCuda, GivesTheBitsOfTheCpu) {
  using T = TypeParam;
  int which = 0;
  for (const int threads : {0, 32, 64, 1024}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    for (const Index rows : {3, 31, 32, 33, 63, 64, 65, 257, 1021, 1100}) {
      for (const Index cols : {1, 2, 5, 31, 32, 33, 100, 260}) {
        for (const Index clusters : {2, 3, 7, 40}) {
          if (clusters >= rows || ++which % (rows > 70 ? 17 : 5) != 0) continue;
          if (rows > 1000 && cols > 33) continue;
          if (clusters * cols > 4000) continue;  // a group of members for each cluster
          const auto x = rows_of<T>(rows, cols, 5);
          const auto cluster = clusters_of(rows, clusters);
          EXPECT_TRUE(test::same_bits(values_of(cpu(), x, cluster, clusters),
                                      values_of(*gpu, x, cluster, clusters)))
              << rows << " x " << cols << ", " << clusters << " clusters, " << threads;
        }
      }
    }
  }
}

// A cluster of more than one block of the long sum.
TYPED_TEST(SilhouetteCuda, SumsOverSeveralBlocks) {
  using T = TypeParam;
  const auto gpu = test::cuda_engine();
  const auto x = rows_of<T>(2200, 3, 8);
  const auto cluster = clusters_of(2200, 2);
  EXPECT_TRUE(test::same_bits(values_of(cpu(), x, cluster, 2), values_of(*gpu, x, cluster, 2)));
}

// Copies of rows, all in one place, and values too large for T.
TYPED_TEST(SilhouetteCuda, AdversarialRows) {
  using T = TypeParam;
  const auto gpu = test::cuda_engine();
  Matrix<T> x(100, 3);
  std::vector<std::int32_t> labels;
  for (Index i = 0; i < 100; ++i) {
    for (Index j = 0; j < 3; ++j) x(i, j) = static_cast<T>(i % 4 == 0 ? 0 : i % 3);
    labels.push_back(static_cast<std::int32_t>(i % 5 * 3));
  }
  EXPECT_TRUE(test::same_bits(silhouette_values<T>(cpu(), x.view(), labels),
                              silhouette_values<T>(*gpu, x.view(), labels)));
  const Matrix<T> equal(100, 3, T{-0.0});
  EXPECT_TRUE(test::same_bits(silhouette_values<T>(cpu(), equal.view(), labels),
                              silhouette_values<T>(*gpu, equal.view(), labels)));
  x(3, 1) = std::numeric_limits<T>::max();
  EXPECT_THROW((void)silhouette_values<T>(*gpu, x.view(), labels), NumericalError);
}

// Bytes and flops within 5 % of what the kernel says, accesses as they should be.
TYPED_TEST(SilhouetteCuda, DoesWhatItCosts) {
  using T = TypeParam;
  if (test::cuda_device() != Device::softgpu) GTEST_SKIP() << "only the software GPU counts";
  const auto gpu = test::cuda_engine();
  // Whole groups of members: what is done for those past a cluster's end is not in the cost. Rows
  // that stay in shared memory, and rows that do not fit and are written there again and again, by
  // features: each bank is met four times.
  for (const Index cols : {32, 256}) {
    const auto x = rows_of<T>(256, cols, 5);
    std::vector<std::int32_t> cluster;
    for (Index i = 0; i < 256; ++i) cluster.push_back(static_cast<std::int32_t>(i % 2));
    const test::Counting counting;
    (void)values_of(*gpu, x, cluster, 2);
    const test::Counters counts = counting.of("silhouette_kernel");
    const auto cost = cuda::silhouette_kernel_cost(256, cols, 2, sizeof(T));
    EXPECT_EQ(counts.launches, 1);
    EXPECT_NEAR(counts.flops, cost.flops, 0.05 * cost.flops);
    EXPECT_NEAR(counts.bytes, cost.bytes, 0.05 * cost.bytes);
    EXPECT_LT(counts.sectors_per_ideal, 1.01);
    EXPECT_LT(counts.wavefronts_per_ideal, cols == 32 ? 1.1 : 1.3);
  }
}

}  // namespace
}  // namespace tandem
