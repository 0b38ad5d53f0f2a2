// Counts the bytes between host and device while a pipeline is trained and evaluated: each row
// crosses once, whatever the algorithm, and nothing of the size of the rows inside a loop.
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/cuda.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/data/engine_table.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem {
namespace {

constexpr Index features = 16;

struct Case {
  std::string algorithm;
  Dataset<float> (*generate)(const GenerateOptions&);
  std::vector<std::pair<std::string, OptionValue>> options;
  std::string rounds;      // the option that says how many iterations or epochs
  Index prediction_bytes;  // of a row, as they come to the host

  [[nodiscard]] Dataset<float> data(Index rows) const {
    GenerateOptions how;
    how.rows = rows;
    how.features = features;
    how.classes = 3;
    how.seed = 5;
    return generate(how);
  }
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.algorithm; }

// A run as `tandem train` makes it: fit, predictions and all metrics.
Transfers trained(const Case& one, Index rows, std::optional<std::int64_t> rounds = {},
                  Engine* on = nullptr) {
  const std::unique_ptr<Engine> made = on == nullptr ? test::cuda_engine() : nullptr;
  Engine& engine = on == nullptr ? *made : *on;
  auto algorithm = make_algorithm(one.algorithm);
  for (const auto& [name, value] : one.options) algorithm->set(name, value);
  if (rounds && !one.rounds.empty()) algorithm->set(one.rounds, *rounds);
  const PipelineOptions options(std::move(algorithm));
  Dataset<float> prepared;
  std::unique_ptr<EngineTable<float>> table;
  const auto model =
      fit_pipeline(engine, one.data(rows), options, {.prepared = &prepared, .table = &table});
  (void)model.evaluate_prepared(engine, prepared);
  table.reset();
  return engine.transfers();
}

std::int64_t row_bytes(Index rows) { return rows * features * std::int64_t{sizeof(float)}; }

class TransfersCuda : public ::testing::TestWithParam<Case> {};

// 1.05 times the rows and 1 MiB is allowed for 100,000 rows of 16 floats: 1.21 times.
TEST_P(TransfersCuda, RowsCrossOnceWithPredictionsAndMetrics) {
  constexpr Index rows = 20000;
  double allowed = 1.05 + static_cast<double>(1 << 20) / (100000.0 * features * sizeof(float));
  // QR factors the rows in double precision, and brings them to the device as such: twice the bytes
  // of floats, beside the floats that predictions are made from.
  if (GetParam().algorithm == "linear-regression" && !GetParam().options.empty()) allowed += 2;
  const Transfers transfers = trained(GetParam(), rows, 2);
  EXPECT_GE(transfers.to_device_bytes, row_bytes(rows));
  EXPECT_LE(static_cast<double>(transfers.to_device_bytes),
            allowed * static_cast<double>(row_bytes(rows)));
}

TEST_P(TransfersCuda, NothingCrossesToTheDeviceInsideALoop) {
  if (GetParam().rounds.empty()) GTEST_SKIP() << "has no rounds";
  const Transfers few = trained(GetParam(), 3000, 2);
  const Transfers many = trained(GetParam(), 3000, 12);
  EXPECT_EQ(few.to_device_bytes, many.to_device_bytes);
  EXPECT_EQ(few.to_device_copies, many.to_device_copies);
}

TEST_P(TransfersCuda, OnlyPredictionsComeBackByTheRow) {
  constexpr Index rows = 4000;
  const Transfers once = trained(GetParam(), rows, 2);
  const Transfers twice = trained(GetParam(), 2 * rows, 2);
  const auto predictions = GetParam().prediction_bytes * std::int64_t{rows};
  EXPECT_EQ(once.to_host_bytes - predictions, twice.to_host_bytes - 2 * predictions);
}

// The engine's own count against the CUDA runtime's, which also knows what kernels read and write
// of the host's memory.
TEST_P(TransfersCuda, TheRuntimeCountsTheSame) {
  const auto engine = test::cuda_engine();
  if (!software_gpu::is_loaded()) GTEST_SKIP() << "a real GPU does not count";
  const software_gpu::Counting counting;
  const Transfers transfers = trained(GetParam(), 2000, 2, engine.get());
  const auto counters = nlohmann::json::parse(counting.counters());
  const auto& copies = counters.at("copies");
  EXPECT_EQ(copies.at("to_device").at("bytes").get<std::int64_t>(), transfers.to_device_bytes);
  EXPECT_EQ(copies.at("to_host").at("bytes").get<std::int64_t>(), transfers.to_host_bytes);
  EXPECT_GT(transfers.to_host_bytes, 0);
  for (const auto& kernel : counters.at("kernels")) {
    EXPECT_EQ(kernel.at("touched").at("host_read_bytes").get<std::int64_t>(), 0)
        << kernel.at("name");
    EXPECT_EQ(kernel.at("touched").at("host_written_bytes").get<std::int64_t>(), 0)
        << kernel.at("name");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Algorithms, TransfersCuda,
    ::testing::Values(Case{"kmeans",
                           generate_blobs<float>,
                           {{"clusters", std::int64_t{3}}, {"tolerance", 0.0}},
                           "max_iterations",
                           sizeof(std::int32_t)},
                      Case{"logistic-regression",
                           generate_classification<float>,
                           {},
                           "max_iterations",
                           6 * sizeof(float)},
                      Case{"logistic-regression",
                           generate_classification<float>,
                           {{"solver", std::string("gradient")}, {"batch_size", std::int64_t{256}}},
                           "epochs",
                           6 * sizeof(float)},
                      Case{"linear-regression", generate_regression<float>, {}, "", sizeof(float)},
                      Case{"linear-regression",
                           generate_regression<float>,
                           {{"solver", std::string("qr")}},
                           "",
                           sizeof(float)},
                      Case{"decision-tree",
                           generate_classification<float>,
                           {{"max_depth", std::int64_t{2}}},
                           "",
                           sizeof(std::int64_t)},
                      Case{"decision-tree",
                           generate_regression<float>,
                           {{"max_depth", std::int64_t{2}}, {"task", std::string("regression")}},
                           "",
                           sizeof(std::int64_t)},
                      Case{"random-forest",
                           generate_classification<float>,
                           {{"trees", std::int64_t{3}}, {"max_depth", std::int64_t{2}}},
                           "",
                           3 * sizeof(float)},
                      Case{"random-forest",
                           generate_regression<float>,
                           {{"trees", std::int64_t{3}},
                            {"max_depth", std::int64_t{2}},
                            {"task", std::string("regression")},
                            {"splitter", std::string("histogram")}},
                           "",
                           sizeof(float)},
                      Case{"mlp",
                           generate_classification<float>,
                           {{"hidden", std::vector<std::int64_t>{4}},
                            {"batch_size", std::int64_t{512}}},
                           "epochs",
                           6 * sizeof(float)}));

}  // namespace
}  // namespace tandem
