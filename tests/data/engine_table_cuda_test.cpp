// EngineTable on the CUDA engine: rows cross from the host once, results do not change.
#include <gtest/gtest.h>

#include "tandem/cluster/kmeans.hpp"
#include "tandem/data/engine_table.hpp"
#include "tandem/data/generate.hpp"
#include "tests/support/cuda.hpp"

namespace tandem {
namespace {

Dataset<float> blobs(Index rows) {
  GenerateOptions options;
  options.rows = rows;
  options.features = 16;
  options.seed = 7;
  return generate_blobs<float>(options);
}

TEST(EngineTableCuda, RowsCrossOnceWhateverIsDoneWithThem) {
  const Dataset<float> data = blobs(20000);
  const auto row_bytes = static_cast<std::int64_t>(data.features.values().size() * sizeof(float));
  const KMeansOptions options{.clusters = 5, .starts = 2, .max_iterations = 3};
  const auto alone = test::cuda_engine();
  const auto without = fit(*alone, data, options);
  const auto labels = without.predict(*alone, data.features.view()).labels;
  EXPECT_GE(alone->transfers().to_device_bytes, 2 * row_bytes);

  const auto engine = test::cuda_engine();
  const EngineTable<float> table(*engine, data);
  const auto model = fit(*engine, data, options);
  EXPECT_EQ(model.predict(*engine, data.features.view()).labels, labels);
  EXPECT_EQ(model.centres, without.centres);
  const Transfers transfers = engine->transfers();
  EXPECT_GE(transfers.to_device_bytes, row_bytes);
  EXPECT_LE(
      transfers.to_device_bytes,
      row_bytes + static_cast<std::int64_t>(data.target.size() * sizeof(float)) + row_bytes / 20);
}

TEST(EngineTableCuda, EndsWithItsObject) {
  const Dataset<float> data = blobs(4096);
  const auto row_bytes = static_cast<std::int64_t>(data.features.values().size() * sizeof(float));
  const auto engine = test::cuda_engine();
  {
    const EngineTable<float> outer(*engine, data);
    const EngineTable<float> inner(*engine, data);  // the same rows
    Buffer<float> copy(*engine, data.features.size());
    copy.upload(data.features.values());
    copy.upload(data.features.values());
    EXPECT_EQ(copy.to_host(), data.features.values());
    EXPECT_EQ(engine->transfers().to_device_bytes, row_bytes);
  }
  Buffer<float> copy(*engine, data.features.size());
  const auto before = engine->transfers().to_device_bytes;
  copy.upload(data.features.values());
  EXPECT_EQ(engine->transfers().to_device_bytes, before + row_bytes);
}

TEST(EngineTableCuda, GivesUpWhereThereIsNoRoom) {
  const Dataset<float> data = blobs(8192);
  const std::size_t bytes = data.features.values().size() * sizeof(float);
  // The table would take half.
  const auto engine = test::cuda_engine({.device_memory = 2 * bytes});
  const EngineTable<float> table(*engine, data);
  Buffer<float> part(*engine, 1024);
  part.upload(std::span(data.features.values()).first(1024));
  EXPECT_LT(engine->transfers().to_device_bytes, static_cast<std::int64_t>(bytes));
}

}  // namespace
}  // namespace tandem
