// The Davies-Bouldin and the Calinski-Harabasz index on the device: the CPU's bits.
#include <gtest/gtest.h>

#include "core/metrics/cluster_steps.hpp"
#include "core/random.hpp"
#include "support/agreement.hpp"
#include "support/counters.hpp"
#include "support/cuda.hpp"
#include "tandem/metrics/clustering.hpp"

namespace tandem {
namespace {

template <Real T>
struct Clustered {
  Clustered(Index rows, Index cols, Index clusters) : x(rows, cols) {
    const Random random(6, Purpose::test);
    for (Index i = 0; i < rows; ++i) {
      // Every label occurs, the sizes differ much.
      labels.push_back(static_cast<std::int32_t>(
          i < clusters ? i
          : random.below(2, static_cast<std::uint64_t>(i)) == 0
              ? 0
              : random.below(clusters, static_cast<std::uint64_t>(i) + 999999)));
      for (Index j = 0; j < cols; ++j) {
        x(i, j) = static_cast<T>(random.normal(static_cast<std::uint64_t>(i * cols + j)) +
                                 3.0 * labels.back());
      }
    }
  }
  Matrix<T> x;
  std::vector<std::int32_t> labels;
};

template <Real T>
void expect_the_cpus_bits() {
  for (const int threads : {64, 256}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    // So little memory that the rows stand on the host.
    const auto small =
        test::cuda_engine({.device_memory = std::size_t{1} << 18, .block_threads = threads});
    for (const Index rows : {3, 33, 1025, 5000}) {
      for (const Index cols : {1, 5, 32, 33, 70}) {
        for (const Index clusters : {2, 7, 40}) {
          if (clusters >= rows) continue;
          const Clustered<T> data(rows, cols, clusters);
          const MatrixView<const T> x = data.x.view();
          const double db = davies_bouldin(x, data.labels);
          const double ch = calinski_harabasz(x, data.labels);
          for (Engine* engine : {gpu.get(), small.get()}) {
            EXPECT_EQ(test::bits_of(davies_bouldin(*engine, x, data.labels)), test::bits_of(db))
                << rows << " × " << cols << ", " << clusters;
            EXPECT_EQ(test::bits_of(calinski_harabasz(*engine, x, data.labels)), test::bits_of(ch))
                << rows << " × " << cols << ", " << clusters;
          }
        }
      }
    }
  }
}

TEST(ClusterMetricCuda, GivesTheBitsOfTheCpuInFloat) { expect_the_cpus_bits<float>(); }
TEST(ClusterMetricCuda, GivesTheBitsOfTheCpuInDouble) { expect_the_cpus_bits<double>(); }

// Rows in the order of their clusters and rows anywhere; 33 features, so that the last tile of
// features is a single one.
TEST(ClusterMetricCuda, MovesAndComputesWhatItStates) {
  const auto engine = test::cuda_engine();
  const Clustered<float> data(5000, 33, 7);
  const MatrixView<const float> x = data.x.view();
  const test::Counting counting;
  if (!counting.available()) GTEST_SKIP() << "a real GPU does not count";
  (void)davies_bouldin(*engine, x, data.labels);
  const test::Counters counters = counting.of("centroid_distances_kernel");
  const Cost cost = cluster_distances_cost(x.rows, x.cols, sizeof(float));
  EXPECT_EQ(counters.launches, 1);
  EXPECT_NEAR(counters.bytes, cost.bytes, 0.05 * cost.bytes);
  EXPECT_NEAR(counters.flops, cost.flops, 0.05 * cost.flops);
  EXPECT_LT(counters.wavefronts_per_ideal, 1.02);
  const test::Counters sums = counting.of("member_sums_kernel");
  EXPECT_EQ(sums.launches, 1);
  EXPECT_LT(sums.wavefronts_per_ideal, 1.02);
}

}  // namespace
}  // namespace tandem
