// The naive Bayes classifiers against values worked out by hand and against their definitions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/bayes/bayes_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "cpu/simd.hpp"
#include "support/agree.hpp"
#include "support/agreement.hpp"
#include "support/messages.hpp"
#include "support/simd.hpp"
#include "tandem/bayes/bernoulli_nb.hpp"
#include "tandem/bayes/categorical_nb.hpp"
#include "tandem/bayes/complement_nb.hpp"
#include "tandem/bayes/gaussian_nb.hpp"
#include "tandem/bayes/multinomial_nb.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/algorithm.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> all_names{"gaussian-nb", "multinomial-nb", "complement-nb",
                                         "bernoulli-nb", "categorical-nb"};

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

template <Real T>
Dataset<T> table(Index columns, std::vector<T> values, std::vector<T> target) {
  Dataset<T> data;
  data.source = "made";
  data.columns = numbered_columns(columns);
  data.features = Matrix<T>(static_cast<Index>(target.size()), columns, std::move(values));
  data.target = std::move(target);
  data.target_column.name = "kind";
  data.target_column.categories = {"a", "b"};
  for (const T y : data.target) {
    if (y == T{2}) data.target_column.categories = {"a", "b", "c"};
  }
  return data;
}

// Counts 0 .. 6 that differ between the classes.
template <Real T>
Dataset<T> counts(Index rows, Index columns, Index classes, bool weighted) {
  const Random random(31, Purpose::test);
  std::vector<T> values, target;
  for (Index i = 0; i < rows; ++i) {
    target.push_back(static_cast<T>(i % classes));
    for (Index j = 0; j < columns; ++j) {
      const auto at = static_cast<std::uint64_t>(i * columns + j);
      values.push_back(static_cast<T>(random.below((i % classes + j) % 3 == 0 ? 7 : 3, at)));
    }
  }
  Dataset<T> data = table<T>(columns, std::move(values), std::move(target));
  data.target_column.categories.clear();
  for (Index c = 0; c < classes; ++c) data.target_column.categories.push_back(std::to_string(c));
  for (Index i = 0; weighted && i < rows; ++i) data.weights.push_back(static_cast<T>(i % 3) / 2);
  return data;
}

template <Real T>
std::string message_of(const std::string& name, const Dataset<T>& data) {
  const auto engine = engine_on(Device::cpu);
  try {
    (void)make_algorithm(name)->fit(*engine, data);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(GaussianNB, IsMeansAndVariancesOfTheClasses) {
  // Class a: 1, 3 and 5; class b: 10 and 14.
  const auto data = table<double>(1, {1, 10, 3, 14, 5}, {0, 1, 0, 1, 0});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, GaussianNBOptions{.var_smoothing = 0});
    EXPECT_EQ(model.means.values(), (std::vector<double>{3, 12}));
    EXPECT_EQ(model.variances.values(), (std::vector<double>{8.0 / 3, 4}));
    EXPECT_EQ(model.class_weights, (std::vector<double>{3, 2}));
    EXPECT_DOUBLE_EQ(model.class_log_prior[0], std::log(0.6));
    const Matrix<double> row(1, 1, 7.0);
    const auto density = [](double x, double mean, double variance) {
      return std::exp(-(x - mean) * (x - mean) / (2 * variance)) / std::sqrt(2 * M_PI * variance);
    };
    const double a = 0.6 * density(7, 3, 8.0 / 3);
    const double b = 0.4 * density(7, 12, 4);
    const auto predictions = model.predict(*engine, row.view());
    EXPECT_NEAR(predictions.probabilities(0, 0), a / (a + b), 1e-14);
    EXPECT_EQ(predictions.labels[0], a > b ? 0 : 1);
    const Matrix<double> odds = model.margins(*engine, row.view());
    EXPECT_NEAR(odds(0, 0), std::log(a / b), 1e-13);
    EXPECT_NEAR(odds(0, 1), std::log(b / a), 1e-13);
  }
}

TEST(GaussianNB, SmoothsByTheLargestVarianceOverAllRows) {
  // Over all rows x0 has variance 1 (0, 2, 0, 2) and x1 25.
  const auto data = table<double>(2, {0, 0, 2, 10, 0, 10, 2, 0}, {0, 0, 1, 1});
  const auto engine = engine_on(Device::cpu);
  const auto model = fit(*engine, data, GaussianNBOptions{.var_smoothing = 0.01});
  EXPECT_DOUBLE_EQ(model.smoothing, 0.25);
  EXPECT_DOUBLE_EQ(model.variances(0, 0), 1.25);
  EXPECT_DOUBLE_EQ(model.variances(1, 1), 25.25);
}

TEST(GaussianNB, AColumnFarFromZeroLosesNothing) {
  std::vector<double> near, far, target;
  for (int i = 0; i < 3000; ++i) {
    const double x = (i * 7919 % 1000) / 64.0 + (i % 2) * 3;
    near.push_back(x);
    far.push_back(x + 1e9);
    target.push_back(i % 2);
  }
  const auto engine = engine_on(Device::cpu);
  const auto a = fit(*engine, table<double>(1, near, target), GaussianNBOptions{});
  const auto b = fit(*engine, table<double>(1, far, target), GaussianNBOptions{});
  for (Index c = 0; c < 2; ++c) {
    EXPECT_NEAR(b.variances(c, 0) / a.variances(c, 0), 1, 1e-12);
    EXPECT_NEAR(b.means(c, 0) - 1e9, a.means(c, 0), 1e-6);
  }
}

TEST(GaussianNB, ConstantColumnsSayNothing) {
  // Equal values whose mean is not exact in double.
  std::vector<double> values, target;
  for (int i = 0; i < 1500; ++i) {
    values.push_back(0.1);
    target.push_back(i % 3 == 0 ? 1 : 0);
  }
  const auto data = table<double>(1, values, target);
  const auto engine = engine_on(Device::cpu);
  const auto model = fit(*engine, data, GaussianNBOptions{.var_smoothing = 0});
  EXPECT_EQ(model.means(0, 0), 0.1);
  EXPECT_EQ(model.means(1, 0), 0.1);
  const auto predictions = model.predict(*engine, data.features.view());
  EXPECT_NEAR(predictions.probabilities(0, 0), 2.0 / 3, 1e-12);
}

TEST(GaussianNB, RefusesAColumnThatIsConstantInAClass) {
  const auto data = table<double>(2, {1, 5, 2, 5, 3, 1, 4, 2}, {0, 0, 1, 1});
  const auto engine = engine_on(Device::cpu);
  try {
    (void)fit(*engine, data, GaussianNBOptions{.var_smoothing = 0});
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("column x1 is constant, or nearly, in the rows of class a"));
  }
  EXPECT_NO_THROW((void)fit(*engine, data, GaussianNBOptions{}));
}

TEST(MultinomialNB, IsSharesOfCounts) {
  // Class a counts 3 and 1, class b 0 and 4.
  const auto data = table<double>(2, {1, 1, 0, 4, 2, 0}, {0, 1, 0});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, MultinomialNBOptions{});
    EXPECT_EQ(model.feature_counts.values(), (std::vector<double>{3, 1, 0, 4}));
    EXPECT_NEAR(model.feature_log_prob(0, 0), std::log(4.0 / 6), 1e-15);
    EXPECT_NEAR(model.feature_log_prob(1, 0), std::log(1.0 / 6), 1e-15);
    const Matrix<double> row(1, 2, std::vector<double>{1, 2});
    const double a = 2.0 / 3 * (4.0 / 6) * (2.0 / 6) * (2.0 / 6);
    const double b = 1.0 / 3 * (1.0 / 6) * (5.0 / 6) * (5.0 / 6);
    EXPECT_NEAR(model.predict(*engine, row.view()).probabilities(0, 0), a / (a + b), 1e-14);
  }
}

TEST(ComplementNB, TakesTheOtherClasses) {
  const auto data = table<double>(2, {1, 1, 0, 4, 2, 0, 3, 3}, {0, 1, 0, 2});
  const auto engine = engine_on(Device::cpu);
  const auto model = fit(*engine, data, ComplementNBOptions{.alpha = 0.5});
  // The others of class a count 3 and 7.
  EXPECT_NEAR(model.feature_log_prob(0, 0), -std::log(3.5 / 11), 1e-14);
  EXPECT_NEAR(model.feature_log_prob(0, 1), -std::log(7.5 / 11), 1e-14);
  const auto normed = fit(*engine, data, ComplementNBOptions{.alpha = 0.5, .norm = true});
  for (Index c = 0; c < 3; ++c) {
    EXPECT_NEAR(normed.feature_log_prob(c, 0) + normed.feature_log_prob(c, 1), 1, 1e-14);
  }
}

TEST(BernoulliNB, CountsWhatIsThereAndWhatIsNot) {
  const auto data = table<double>(2, {0.7, 0, 0.2, 3, 5, 1}, {0, 1, 0});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, BernoulliNBOptions{.binarize = 0.5});
    EXPECT_EQ(model.feature_counts.values(), (std::vector<double>{2, 1, 0, 1}));
    const Matrix<double> row(1, 2, std::vector<double>{0.5, 0.6});  // not there, there
    const double a = 2.0 / 3 * (1 - 3.0 / 4) * (2.0 / 4);
    const double b = 1.0 / 3 * (1 - 1.0 / 3) * (2.0 / 3);
    EXPECT_NEAR(model.predict(*engine, row.view()).probabilities(0, 0), a / (a + b), 1e-14);
  }
}

TEST(CategoricalNB, CountsCategories) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto data = table<double>(2, {0, 1, 2, 0, 0, nan, 1, 0}, {0, 1, 0, 1});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, CategoricalNBOptions{});
    EXPECT_EQ(model.categories, (std::vector<Index>{3, 2}));
    EXPECT_EQ(model.category_counts.values(), (std::vector<double>{2, 0, 0, 0, 1,  //
                                                                   0, 1, 1, 2, 0}));
    EXPECT_NEAR(model.category_log_prob(0, 0), std::log(3.0 / 5), 1e-15);
    EXPECT_NEAR(model.category_log_prob(0, 4), std::log(2.0 / 3), 1e-15);
    // What is missing, and what nobody has seen, says nothing.
    const Matrix<double> rows(3, 2, std::vector<double>{0, nan, 0, 7, nan, -1});
    const auto predictions = model.predict(*engine, rows.view());
    EXPECT_NEAR(predictions.probabilities(0, 0), (3.0 / 5) / (3.0 / 5 + 1.0 / 5), 1e-14);
    EXPECT_EQ(predictions.probabilities(1, 0), predictions.probabilities(0, 0));
    EXPECT_EQ(predictions.probabilities(2, 0), 0.5);
  }
}

TEST(CategoricalNB, WeightsAreExactWhateverTheirOrder) {
  auto data = counts<double>(3000, 4, 3, false);
  for (Index i = 0; i < data.rows(); ++i)
    data.weights.push_back(0.1 + 1e-9 * static_cast<double>(i));
  const auto one = fit(*engine_on(Device::cpu, 1), data, CategoricalNBOptions{});
  std::vector<Index> order(static_cast<std::size_t>(data.rows()));
  std::iota(order.begin(), order.end(), Index{0});
  std::reverse(order.begin(), order.end());
  const auto other =
      fit(*engine_on(Device::cpu, 3), select_rows(data, order), CategoricalNBOptions{});
  EXPECT_EQ(one.category_counts, other.category_counts);
}

TEST(NaiveBayes, WeightsCountAsRows) {
  // A row of weight w counts as w rows.
  auto once = counts<double>(60, 5, 3, false);
  std::vector<Index> rows;
  for (Index i = 0; i < 60; ++i) {
    const Index times = i % 4;
    once.weights.push_back(static_cast<double>(times));
    for (Index k = 0; k < times; ++k) rows.push_back(i);
  }
  Dataset<double> repeated = select_rows(once, rows);
  repeated.weights.clear();
  const auto engine = engine_on(Device::cpu);
  for (const std::string& name : all_names) {
    const auto a = make_algorithm(name)->fit(*engine, once);
    const auto b = make_algorithm(name)->fit(*engine, repeated);
    const auto pa = a->predict(*engine, once.features.view()).probabilities.values();
    const auto pb = b->predict(*engine, once.features.view()).probabilities.values();
    for (std::size_t e = 0; e < pa.size(); ++e) EXPECT_NEAR(pa[e], pb[e], 1e-12) << name;
  }
}

TEST(NaiveBayes, PriorsAreWhatIsSaid) {
  const auto data = counts<double>(90, 3, 3, false);
  const auto engine = engine_on(Device::cpu);
  for (const std::string& name : all_names) {
    if (name == "complement-nb") continue;  // has none
    auto algorithm = make_algorithm(name);
    algorithm->set("priors", std::vector<double>{1, 0, 0});
    const auto sure = algorithm->fit(*engine, data)->predict(*engine, data.features.view());
    for (const auto label : sure.labels) EXPECT_EQ(label, 0) << name;
    EXPECT_EQ(sure.probabilities(0, 1), 0.0);
    algorithm->set("priors", std::vector<double>{0.5, 0.5});
    EXPECT_THAT(test::message_of([&] { (void)algorithm->fit(*engine, data); }),
                HasSubstr("has 3 classes (0, 1, 2) but"));
    algorithm->set("priors", std::vector<double>{0.5, 0.4, 0});
    EXPECT_THAT(test::message_of([&] { (void)algorithm->fit(*engine, data); }),
                HasSubstr("add up to 0.9, expected 1"));
  }
}

// A class whose rows all have weight 0 is as if it were not there.
TEST(NaiveBayes, AClassWithoutWeightIsImpossible) {
  auto data = counts<double>(90, 3, 3, false);
  for (const double y : data.target) data.weights.push_back(y == 1 ? 0 : 1);
  const auto engine = engine_on(Device::cpu);
  for (const std::string& name : all_names) {
    const auto predictions =
        make_algorithm(name)->fit(*engine, data)->predict(*engine, data.features.view());
    for (Index i = 0; i < 90; ++i) {
      EXPECT_EQ(predictions.probabilities(i, 1), 0.0) << name;
      EXPECT_NEAR(predictions.probabilities(i, 0) + predictions.probabilities(i, 2), 1, 1e-14);
    }
  }
}

template <class Options>
void expect_sparse_as_dense(const Options& options) {
  for (const bool weighted : {false, true}) {
    auto data = counts<float>(2500, 37, 4, weighted);
    for (Index i = 0; i < data.rows(); i += 9) {  // rows without a value
      for (float& value : data.features.row(i)) value = 0;
    }
    std::vector<Index> offsets{0};
    std::vector<std::int32_t> columns;
    std::vector<float> values;
    for (Index i = 0; i < data.rows(); ++i) {
      for (Index j = 0; j < data.cols(); ++j) {
        if (data.features(i, j) == 0) continue;
        columns.push_back(static_cast<std::int32_t>(j));
        values.push_back(data.features(i, j));
      }
      offsets.push_back(static_cast<Index>(values.size()));
    }
    DatasetView<float> view = data.view();
    view.features = {};
    view.sparse = {data.rows(), data.cols(), offsets, columns, values};
    const auto engine = engine_on(Device::cpu, 2);
    Archive sparse, dense;
    fit(*engine, view, options).save(sparse);
    fit(*engine, data, options).save(dense);
    EXPECT_EQ(sparse.entries(), dense.entries());
    // Columns that are not ascending, and one that is there twice.
    std::swap(columns[0], columns[1]);
    EXPECT_THAT(test::message_of([&] { (void)fit(*engine, view, options); }),
                HasSubstr("not in ascending order"));
    columns[1] = columns[0];
    EXPECT_THAT(test::message_of([&] { (void)fit(*engine, view, options); }),
                HasSubstr("one stands there twice"));
  }
}
TEST(NaiveBayes, SparseRowsAreTheSame) {
  expect_sparse_as_dense(GaussianNBOptions{});
  expect_sparse_as_dense(MultinomialNBOptions{});
  expect_sparse_as_dense(ComplementNBOptions{});
  expect_sparse_as_dense(BernoulliNBOptions{});
}

TEST(NaiveBayes, BadInputIsNamed) {
  const auto good = counts<double>(12, 3, 3, false);
  for (const std::string& name : all_names) {
    EXPECT_EQ(message_of(name, good), "");
    auto data = good;
    data.features(4, 1) = -2;
    const std::string negative = message_of(name, data);
    if (name == "gaussian-nb" || name == "bernoulli-nb") {
      EXPECT_EQ(negative, "");
    } else {
      EXPECT_THAT(negative, HasSubstr("made: row 5, column x1: -2 is")) << name;
    }
    data = good;
    data.features(4, 1) = std::numeric_limits<double>::infinity();
    EXPECT_THAT(message_of(name, data), HasSubstr("x1")) << name;
    data = good;
    for (double& y : data.target) y = 1;
    EXPECT_THAT(message_of(name, data), HasSubstr("every row has the class 1 in kind")) << name;
    data = good;
    data.weights.assign(12, 0);
    EXPECT_THAT(message_of(name, data), HasSubstr("all weights are zero")) << name;
    data = good;
    data.target.clear();
    EXPECT_THAT(message_of(name, data), HasSubstr("has no target")) << name;
    data = good;
    data.base_margin.assign(36, 0.5);
    EXPECT_THAT(message_of(name, data), HasSubstr("has base margins")) << name;
    const auto engine = engine_on(Device::cpu);
    const auto model = make_algorithm(name)->fit(*engine, good);
    const Matrix<double> narrow(2, 2);
    EXPECT_THAT(test::message_of([&] { (void)model->predict(*engine, narrow.view()); }),
                HasSubstr("was trained on 3 features but the data has 2"));
  }
  auto fraction = good;
  fraction.features(4, 1) = 1.5;
  EXPECT_THAT(message_of("categorical-nb", fraction),
              HasSubstr("row 5, column x1: 1.5 is no category"));
}

TEST(GaussianNB, DistancesThatOverflowAreNoFault) {
  const auto data = table<double>(1, {1, 2, 5, 7}, {0, 0, 1, 1});
  const auto engine = engine_on(Device::cpu);
  const auto model = fit(*engine, data, GaussianNBOptions{});
  const Matrix<double> far(1, 1, 1e200);
  const auto predictions = model.predict(*engine, far.view());
  // All classes are equally impossible.
  EXPECT_EQ(predictions.probabilities(0, 0), 0.5);
  EXPECT_EQ(predictions.labels[0], 0);
  const auto wide = table<double>(1, {1e200, -1e200, 5e200, 7}, {0, 0, 1, 1});
  EXPECT_THROW((void)fit(*engine, wide, GaussianNBOptions{}), NumericalError);
}

// Bits do not depend on threads or instruction sets, at sizes around blocks, strips and tiles.
TEST(NaiveBayes, BitsDependOnNothing) {
  for (const Index rows : {Index{31}, Index{1024}, Index{8193}}) {
    for (const Index columns : {Index{1}, Index{63}, Index{65}}) {
      for (const Index classes : {Index{2}, Index{9}}) {
        const auto data = counts<float>(rows, columns, classes, rows % 2 == 1);
        for (const std::string& name : all_names) {
          std::vector<std::pair<Archive, std::vector<float>>> results;
          const test::RestoreSimd restore;
          for (const char* simd : {"avx512", "avx2", "baseline"}) {
            try {
              cpu::limit_simd(simd);
            } catch (const InputError&) {
              continue;  // the processor lacks this one
            }
            for (const int threads : {1, 3}) {
              const auto engine = engine_on(Device::cpu, threads);
              const auto model = make_algorithm(name)->fit(*engine, data);
              Archive archive;
              model->save(archive);
              results.emplace_back(
                  std::move(archive),
                  model->predict(*engine, data.features.view()).probabilities.values());
            }
          }
          for (const auto& result : results) {
            EXPECT_EQ(result.first.entries(), results.front().first.entries()) << name;
            EXPECT_TRUE(test::same_bits(result.second, results.front().second)) << name;
          }
        }
      }
    }
  }
}

TEST(NaiveBayes, Agrees) {
  for (const char* name : {"bayes", "gaussian-nb", "multinomial-nb", "complement-nb",
                           "bernoulli-nb", "categorical-nb"}) {
    test::expect_agreement(name, Device::reference);
  }
}

}  // namespace
}  // namespace tandem
