// The promises of a Predictor, tested on every device.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model/model.hpp"

namespace tandem::test {

struct PredictorCase {
  std::string algorithm;
  Dataset<float> data;
  std::shared_ptr<const Model<float>> model;
};

// A model of each kind, with parameters of some KiB: 400 rows of 40 features.
[[nodiscard]] inline std::vector<PredictorCase> models_of_each_kind() {
  GenerateOptions how;
  how.rows = 400;
  how.features = 40;
  how.seed = 9;
  how.classes = 5;
  const auto engine = Engine::create();
  std::vector<PredictorCase> cases;
  const auto add = [&](const char* name, Dataset<float> data,
                       const std::vector<std::pair<std::string, OptionValue>>& options) {
    auto algorithm = make_algorithm(name);
    for (const auto& [option, value] : options) algorithm->set(option, value);
    std::shared_ptr<const Model<float>> model = algorithm->fit(*engine, data.view(), {});
    cases.push_back({name, std::move(data), std::move(model)});
  };
  add("kmeans", generate_blobs<float>(how),
      {{"clusters", std::int64_t{60}}, {"max_iterations", std::int64_t{2}}});
  add("logistic-regression", generate_classification<float>(how),
      {{"max_iterations", std::int64_t{3}}});
  add("linear-regression", generate_regression<float>(how), {});
  add("decision-tree", generate_regression<float>(how), {{"task", std::string("regression")}});
  add("mlp", generate_classification<float>(how), {{"epochs", std::int64_t{1}}});
  return cases;
}

inline void expect_same(const Predictions<float>& a, const Predictions<float>& b,
                        const std::string& what) {
  EXPECT_EQ(a.labels, b.labels) << what;
  EXPECT_EQ(a.values, b.values) << what;
  EXPECT_EQ(a.probabilities, b.probabilities) << what;
}

// Eight threads at once, each with rows of its own, and with rows in between that are refused: an
// error reaches the call that caused it and no other.
inline void expect_right_from_eight_threads(const PredictorCase& one, const Engine& engine,
                                            int calls) {
  const auto one_engine = engine.another();
  const Predictor<float> predictor(one.model, engine);
  std::vector<Predictions<float>> expected;
  const auto rows_of = [&](Index t) {
    return one.data.features.view().rows_from(t * 20, 30 + 20 * t);
  };
  for (Index t = 0; t < 8; ++t) expected.push_back(one.model->predict(*one_engine, rows_of(t)));
  std::vector<std::thread> threads;
  for (Index t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const Matrix<float> narrow(3, 2);
      for (int call = 0; call < calls; ++call) {
        if ((call + t) % 3 == 0) {
          EXPECT_THROW((void)predictor.predict(narrow.view()), InputError) << one.algorithm;
        }
        expect_same(predictor.predict(rows_of(t)), expected[static_cast<std::size_t>(t)],
                    one.algorithm);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace tandem::test
