// The Davies-Bouldin and the Calinski-Harabasz index on the device: the CPU's bits.
#include <gtest/gtest.h>

#include "support/agreement.hpp"
#include "support/cuda.hpp"
#include "tandem/core/random.hpp"
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

}  // namespace
}  // namespace tandem
