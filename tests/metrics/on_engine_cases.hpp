// Metrics of predictions in an engine's memory against those of the same predictions on the host.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/random.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/metrics/on_engine.hpp"

namespace tandem::test {

inline void expect_same(double a, double b, const std::string& what) {
  EXPECT_EQ(bits_of(a), bits_of(b)) << what << ": " << a << " against " << b;
}

template <Real T>
void expect_regression_scores(Engine& engine, Index rows, bool weighted) {
  const Random random(3, Purpose::test);
  std::vector<T> truth;
  std::vector<T> predicted;
  std::vector<double> weights;
  for (Index i = 0; i < rows; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    truth.push_back(static_cast<T>(100 * random.normal(at)));
    predicted.push_back(truth.back() + static_cast<T>(random.normal(at + 1000000)));
    // The first rows count for nothing.
    if (weighted) weights.push_back(i < rows / 3 ? 0 : random.uniform(at));
  }
  if (weighted) weights.back() = 0.5;
  const auto on_host =
      regression_scores(std::span<const T>(truth), std::span<const T>(predicted), weights);
  const auto there = regression_scores_on(engine, to_engine(engine, truth),
                                          to_engine(engine, predicted), to_engine(engine, weights));
  const std::string what = std::to_string(rows) + " rows";
  expect_same(on_host.mse, there.mse, what + ", mse");
  expect_same(on_host.rmse, there.rmse, what + ", rmse");
  expect_same(on_host.mae, there.mae, what + ", mae");
  expect_same(on_host.r2, there.r2, what + ", r2");
  // A constant truth.
  const std::vector<T> constant(truth.size(), static_cast<T>(0.1));
  expect_same(
      regression_scores(std::span<const T>(constant), std::span<const T>(predicted)).r2,
      regression_scores_on(engine, to_engine(engine, constant), to_engine(engine, predicted)).r2,
      "constant");
}

template <Real T>
void expect_classification_scores(Engine& engine, Index rows, Index classes) {
  const Random random(4, Purpose::test);
  std::vector<std::int32_t> truth;
  std::vector<std::int32_t> predicted;
  std::vector<double> weights;
  Matrix<T> probabilities(rows, classes);
  for (Index i = 0; i < rows; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    truth.push_back(static_cast<std::int32_t>(random.below(classes + 1, at)) - 1);
    predicted.push_back(static_cast<std::int32_t>(random.below(classes, at + 500000)));
    weights.push_back(random.uniform(at) + 0.01);
    for (Index c = 0; c < classes; ++c) {
      probabilities(i, c) = random.uniform<T>(at * 1000 + static_cast<std::uint64_t>(c));
    }
  }
  const std::string what = std::to_string(rows) + " rows, " + std::to_string(classes) + " classes";
  const Buffer<std::int32_t> t = to_engine(engine, truth);
  const Buffer<std::int32_t> p = to_engine(engine, predicted);
  const Buffer<double> w = to_engine(engine, weights);
  const Buffer<T> q = to_engine(engine, probabilities.values());
  const MatrixView<const T> view = std::as_const(probabilities).view();
  const Confusion a = confusion_matrix(truth, predicted, classes);
  const Confusion b = confusion_matrix_on(engine, t, p, classes);
  EXPECT_EQ(a.counts.values(), b.counts.values()) << what;
  EXPECT_EQ(a.unknown, b.unknown) << what;
  expect_same(accuracy(truth, predicted), accuracy_on(engine, t, p), what);
  expect_same(accuracy(truth, predicted, weights), accuracy_on(engine, t, p, w), what);
  expect_same(log_loss<T>(truth, view), log_loss_on<T>(engine, t, q, classes), what);
  expect_same(log_loss<T>(truth, view, weights), log_loss_on<T>(engine, t, q, classes, w), what);
  expect_same(brier<T>(truth, view), brier_on<T>(engine, t, q, classes), what);
  expect_same(brier<T>(truth, view, weights), brier_on<T>(engine, t, q, classes, w), what);
}

template <class F>
void expect_input_error(F&& f, const std::string& text) {
  try {
    (void)f();
    ADD_FAILURE() << "no error: " << text;
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr(text));
  }
}

inline void expect_metric_errors(Engine& engine) {
  const auto floats = [&](std::vector<float> v) { return to_engine(engine, v); };
  const auto labels = [&](std::vector<std::int32_t> v) { return to_engine(engine, v); };
  const auto doubles = [&](std::vector<double> v) { return to_engine(engine, v); };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_input_error([&] { return regression_scores_on(engine, floats({}), floats({})); },
                     "there are no rows");
  expect_input_error(
      [&] {
        return regression_scores_on(engine, floats({1, 2}), floats({1}));
      },
      "1 predictions for 2 rows");
  expect_input_error(
      [&] {
        return regression_scores_on(engine, floats({1, 2, 3}), floats({1, 2, nan}));
      },
      "row 3: the prediction is not a finite number");
  expect_input_error(
      [&] {
        return regression_scores_on(engine, floats({1, 2}), floats({1, 2}), doubles({1, -1}));
      },
      "row 2: the weight is -1");
  expect_input_error(
      [&] {
        return regression_scores_on(engine, floats({1, 2}), floats({1, 2}), doubles({0, 0}));
      },
      "all weights are 0");
  expect_input_error(
      [&] {
        return confusion_matrix_on(engine, labels({0, 5}), labels({0, 1}), 3);
      },
      "row 2: the true class is 5, expected -1 to 2");
  expect_input_error(
      [&] {
        return log_loss_on<float>(engine, labels({0, 1}), floats({0.5F, 0.5F, 1.5F, 0}), 2);
      },
      "row 2, class 0: the probability is 1.5");
}

inline void expect_metrics_of_the_host(Engine& engine) {
  for (const Index rows : {1, 31, 32, 33, 1023, 1024, 1025, 5000}) {
    for (const bool weighted : {false, true}) {
      expect_regression_scores<float>(engine, rows, weighted);
      expect_regression_scores<double>(engine, rows, weighted);
    }
    for (const Index classes : {2, 3, 17}) {
      expect_classification_scores<float>(engine, rows, classes);
      expect_classification_scores<double>(engine, rows, classes);
    }
  }
}

}  // namespace tandem::test
