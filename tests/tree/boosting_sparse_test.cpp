// Gradient boosting of sparse rows, which are never written out as a whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/tree/binned_dataset.hpp"
#include "tree/boosting_cases.hpp"

namespace tandem {
namespace {

using test::engine_of;
using test::expect_same;
using test::make;
using ::testing::HasSubstr;

// The rows of a table without their zeros; the rest is the table's.
template <Real T>
struct Sparse {
  std::vector<Index> offsets{0};
  std::vector<std::int32_t> columns;
  std::vector<T> values;
  DatasetView<T> view;

  explicit Sparse(const Dataset<T>& data) : view(data.view()) {
    for (Index i = 0; i < data.rows(); ++i) {
      for (Index j = 0; j < data.cols(); ++j) {
        const T value = data.features(i, j);
        if (value == T{0}) continue;
        columns.push_back(static_cast<std::int32_t>(j));
        values.push_back(value);
      }
      offsets.push_back(static_cast<Index>(values.size()));
    }
    view.features = {};
    view.sparse = {data.rows(), data.cols(), offsets, columns, values};
  }
  Sparse(const Sparse&) = delete;
  Sparse& operator=(const Sparse&) = delete;
};

// Three quarters zeros, some missing.
template <Real T>
Dataset<T> mostly_zeros(Index rows, Index classes, std::uint64_t seed) {
  Dataset<T> data = make<T>(rows, 30, classes, seed, 0.05);
  const Random random(seed, Purpose::test);
  std::uint64_t next = 0;
  for (T& value : data.features.values()) {
    if (random.uniform(next++) < 0.75) value = T{0};
  }
  return data;
}

template <class T>
class BoostingOfSparseRows : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(BoostingOfSparseRows, Precisions);

TYPED_TEST(BoostingOfSparseRows, GrowsTheTreesOfDenseOnes) {
  using T = TypeParam;
  const std::vector<std::function<void(Dataset<T>&, GradientBoostingOptions&)>> cases{
      [](Dataset<T>&, GradientBoostingOptions&) {},
      [](Dataset<T>& data, GradientBoostingOptions& options) {
        options.validation_fraction = 0.25;
        options.patience = 2;
        options.class_weight = ClassWeights::parse("balanced");
        for (Index i = 0; i < data.rows(); ++i) data.weights.push_back(static_cast<T>(i % 3));
      },
      [](Dataset<T>&, GradientBoostingOptions& options) {
        options.max_bins = 900;
        options.subsample = 0.6;
      },
  };
  for (std::size_t k = 0; k < cases.size(); ++k) {
    SCOPED_TRACE(k);
    auto data = mostly_zeros<T>(20000, 2, 80 + k);
    GradientBoostingOptions options;
    options.rounds = 4;
    cases[k](data, options);
    const Sparse<T> sparse(data);
    const auto engine = engine_of(Device::cpu, 2);
    const auto expected = fit(*engine, data, options);
    expect_same(fit(*engine, sparse.view, options), expected);
    options.rounds = 2;
    expect_same(fit_further(*engine, expected, sparse.view, options),
                fit_further(*engine, expected, data.view(), options));
  }
}

TYPED_TEST(BoostingOfSparseRows, TakesThemForValidationAndAsBins) {
  using T = TypeParam;
  const auto data = mostly_zeros<T>(3000, 3, 90);
  const auto fresh = mostly_zeros<T>(1000, 3, 91);
  const Sparse<T> sparse(data);
  const Sparse<T> other(fresh);
  const auto engine = engine_of(Device::cpu, 2);
  GradientBoostingOptions options;
  options.rounds = 6;
  FitContext<T> context;
  context.validation.emplace(fresh.view());
  const auto expected = fit(*engine, data, options, context);
  context.validation.emplace(other.view);
  expect_same(fit(*engine, sparse.view, options, context), expected);
  EXPECT_EQ(bin_dataset(*engine, sparse.view), bin_dataset(*engine, data));
}

TYPED_TEST(BoostingOfSparseRows, RefusesWhatIsNotAsItSays) {
  using T = TypeParam;
  const auto data = mostly_zeros<T>(50, 2, 92);
  const auto engine = engine_of(Device::cpu);
  struct Refusal {
    std::function<void(Sparse<T>&)> spoil;
    std::string message;
  };
  const std::vector<Refusal> refusals{
      {[](Sparse<T>& s) { s.values[3] = std::numeric_limits<T>::infinity(); }, "is infinite"},
      {[](Sparse<T>& s) { s.columns[3] = 30; }, "do not ascend, or there are not so many"},
      {[](Sparse<T>& s) { s.columns[1] = s.columns[0]; }, "do not ascend"},
      {[](Sparse<T>& s) { s.columns[0] = -1; }, "do not ascend"},
      {[](Sparse<T>& s) { s.offsets[2] = s.offsets[1] - 1; }, "row 2 ends before it begins"},
      {[](Sparse<T>& s) { s.offsets[50] -= 1; }, "do not fit each other"},
      {[](Sparse<T>& s) { s.offsets[0] = 1; }, "do not fit each other"},
  };
  for (const Refusal& refusal : refusals) {
    Sparse<T> sparse(data);
    refusal.spoil(sparse);
    try {
      (void)fit(*engine, sparse.view, GradientBoostingOptions());
      ADD_FAILURE() << "accepted: " << refusal.message;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(refusal.message));
    }
  }
  auto categories = data;
  categories.columns[2].categories = {"a", "b"};
  const Sparse<T> sparse(categories);
  EXPECT_THROW((void)fit(*engine, sparse.view, GradientBoostingOptions()), InputError);
}

}  // namespace
}  // namespace tandem
