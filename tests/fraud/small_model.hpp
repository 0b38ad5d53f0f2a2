// A fraud model that is trained in a moment, for tests of what is around it.
#pragma once

#include <filesystem>
#include <limits>
#include <random>
#include <string>

#include "systems/fraud/features.hpp"
#include "systems/fraud/model.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem::fraud {

// Boosted trees on drawn rows in which large amounts of users with many transactions, from new
// devices, are fraud.
inline FraudModel small_model(std::uint64_t seed = 1) {
  constexpr Index rows = 3000;
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> part(0, 1);
  Dataset<float> data;
  data.source = "drawn";
  data.features = Matrix<float>(rows, static_cast<Index>(feature_count));
  for (const FeatureInfo& info : feature_table()) {
    Column column;
    column.name = info.name;
    data.columns.push_back(column);
  }
  const auto amount = static_cast<Index>(feature_index("amount"));
  const auto count = static_cast<Index>(feature_index("user_count_1h"));
  const auto device = static_cast<Index>(feature_index("device_new_for_user"));
  data.target.resize(rows);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < static_cast<Index>(feature_count); ++j) {
      data.features(i, j) =
          part(random) < 0.1F ? std::numeric_limits<float>::quiet_NaN() : 10 * part(random);
    }
    data.features(i, amount) = 300 * part(random);
    data.features(i, device) = part(random) < 0.3F ? 1.0F : 0.0F;
    const bool fraud = data.features(i, amount) > 150 &&
                       (data.features(i, count) > 5 || data.features(i, device) == 1);
    data.target[static_cast<std::size_t>(i)] = fraud ? 1.0F : 0.0F;
  }
  PipelineOptions options("gradient-boosting");
  options.set("task", "classification");
  options.set("rounds", 20);
  options.set("max_depth", 4);
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  FraudModel::Settings settings;
  settings.threshold = 0.5;
  return {fit_pipeline(*engine, std::move(data), options), settings};
}

}  // namespace tandem::fraud
