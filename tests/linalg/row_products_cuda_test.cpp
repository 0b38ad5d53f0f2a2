// Products that sum over rows on the GPU: the shape of the sum for every tile, and what it costs.
#include <nlohmann/json.hpp>

#include "cuda/linalg/gemm_tiles.hpp"
#include "linalg/row_products.hpp"
#include "support/cuda.hpp"
#include "tandem/core/software_gpu.hpp"

namespace tandem {
namespace {

template <class T>
void expect_trees_for_all_tiles() {
  for (const int threads : {64, 128}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    const auto engine = test::cuda_engine({.block_threads = threads});
    test::expect_trees<T>(*engine);
  }
}
TEST(RowProductsCuda, FloatAreTreesOfChains) { expect_trees_for_all_tiles<float>(); }
TEST(RowProductsCuda, DoubleAreTreesOfChains) { expect_trees_for_all_tiles<double>(); }

TEST(RowProductsCuda, TakeUnalignedMatrices) {
  const auto engine = test::cuda_engine({});
  const auto steps = make_steps<GemmSteps, float>(*engine);
  const test::RowProblem<float> p({19, 22, 100}, 0);
  const auto behind = [&](const std::vector<float>& values) {
    std::vector<float> moved(1, 0.0F);
    moved.insert(moved.end(), values.begin(), values.end());
    return to_engine(*engine, moved);
  };
  const Buffer<float> a = behind(p.a);
  const Buffer<float> b = behind(p.b);
  Buffer<float> c = to_engine(*engine, std::vector<float>(19 * 22 + 1, 7.0F));
  steps->row_products(19, 22, 100, a.data() + 1, 19, b.data() + 1, 22, c.data() + 1, 22);
  const std::vector<float> host = c.to_host();
  EXPECT_EQ(host[0], 7.0F);
  EXPECT_TRUE(test::same_bits(std::vector<float>(host.begin() + 1, host.end()), p.expected()));
}

// Bytes and flops are those of the cost functions, exactly; with aligned rows no access to global
// memory takes more sectors than its bytes do, and shared memory has no bank conflicts.
template <class T>
void expect_the_stated_cost() {
  for (const cuda::GemmTileSize size : {cuda::GemmTileSize::medium, cuda::GemmTileSize::small}) {
    const cuda::GemmTile tile = cuda::gemm_tile<T>(size);
    const auto engine = test::cuda_engine({.block_threads = tile.threads()});
    if (!software_gpu::is_loaded()) GTEST_SKIP() << "NVIDIA's runtime counts nothing";
    const auto steps = make_steps<GemmSteps, T>(*engine);
    for (const Index rows : {20, 32, 128, 129, 300, 1030}) {
      const Index m = 72;
      const Index n = 40;
      SCOPED_TRACE(std::to_string(tile.threads()) + " threads, " + std::to_string(rows) + " rows");
      const Buffer<T> a = to_engine(*engine, std::vector<T>(static_cast<std::size_t>(rows * m)));
      const Buffer<T> b = to_engine(*engine, std::vector<T>(static_cast<std::size_t>(rows * n)));
      Buffer<T> c = to_engine(*engine, std::vector<T>(static_cast<std::size_t>(m * n)));
      // The memory for roots is made before.
      steps->row_products(m, n, rows, a.data(), m, b.data(), n, c.data(), n);
      engine->wait();
      const software_gpu::Counting counting;
      steps->row_products(m, n, rows, a.data(), m, b.data(), n, c.data(), n);
      engine->wait();
      const nlohmann::ordered_json all = nlohmann::ordered_json::parse(counting.counters());
      ASSERT_EQ(all.at("kernels").size(), 1U);
      const auto& kernel = all.at("kernels").at(0);
      const auto& global = kernel.at("global");
      EXPECT_EQ(global.at("load").at("bytes").template get<double>() +
                    global.at("store").at("bytes").template get<double>(),
                cuda::row_product_kernel_bytes<T>(tile, m, n, rows));
      EXPECT_EQ(kernel.at("flops").at(sizeof(T) == 4 ? "f32" : "f64"),
                cuda::row_product_kernel_flops(tile, m, n, rows));
      for (const char* access : {"load", "store"}) {
        EXPECT_EQ(global.at(access).at("sectors"), global.at(access).at("ideal_sectors"));
        const auto& shared = kernel.at("shared").at(access);
        EXPECT_EQ(shared.at("wavefronts"), shared.at("ideal_wavefronts"));
      }
    }
  }
}
TEST(RowProductsCuda, FloatCostsWhatIsStated) { expect_the_stated_cost<float>(); }
TEST(RowProductsCuda, DoubleCostsWhatIsStated) { expect_the_stated_cost<double>(); }

}  // namespace
}  // namespace tandem
