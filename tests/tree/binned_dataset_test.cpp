// Training sets in bins: that they stand for their rows, are kept in files, and train the same
// models.
#include "tandem/tree/binned_dataset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <string>

#include "tandem/core/error.hpp"
#include "tandem/model/binned_training.hpp"
#include "tree/boosting_cases.hpp"

namespace tandem {
namespace {

using test::engine_of;
using test::expect_same;
using test::make;
using test::train;
using ::testing::HasSubstr;

// Columns of numbers with missing values, of 3 categories and of 500, of which some are rare.
template <Real T>
Dataset<T> mixed(Index rows, Index classes, std::uint64_t seed) {
  Dataset<T> data = make<T>(rows, 6, classes, seed, 0.1);
  const Random random(seed + 1, Purpose::test);
  const std::vector<std::pair<Index, Index>> of_categories{{2, 3}, {4, 500}};
  for (const auto& [j, count] : of_categories) {
    for (Index c = 0; c < count; ++c) {
      data.columns[static_cast<std::size_t>(j)].categories.push_back("c" + std::to_string(c));
    }
    for (Index i = 0; i < rows; ++i) {
      const double u = random.uniform(static_cast<std::uint64_t>(6 * i + j));
      T& value = data.features(i, j);
      if (value == value)
        value = static_cast<T>(static_cast<Index>(u * u * static_cast<double>(count)));
    }
  }
  return data;
}

template <class T>
class BinnedDatasetOf : public ::testing::Test {
 protected:
  // A file that goes with the test.
  static std::string path() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    return (std::filesystem::temp_directory_path() /
            ("tandem_binned_" + std::string(test->name()) + sizeof_name() + ".bins"))
        .string();
  }
  void TearDown() override { std::filesystem::remove(path()); }

 private:
  static std::string sizeof_name() {
    return std::to_string(sizeof(T)) + "_" + std::to_string(::getpid());
  }
};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(BinnedDatasetOf, Precisions);

TYPED_TEST(BinnedDatasetOf, TrainTheModelsOfTheirRows) {
  using T = TypeParam;
  struct Case {
    Index classes;
    std::function<void(Dataset<T>&, GradientBoostingOptions&)> change;
  };
  const std::vector<Case> cases{
      {0, [](Dataset<T>&, GradientBoostingOptions&) {}},
      {0,
       [](Dataset<T>& data, GradientBoostingOptions& options) {
         options.max_bins = 700;  // of 16 bits
         options.subsample = 0.7;
         for (Index i = 0; i < data.rows(); ++i) data.weights.push_back(static_cast<T>(i % 4));
       }},
      {2,
       [](Dataset<T>&, GradientBoostingOptions& options) {
         options.max_cat_bins = 100;  // rare categories share one
         options.max_bins = 30;
         options.colsample_bynode = 0.6;
       }},
      {4,
       [](Dataset<T>& data, GradientBoostingOptions& options) {
         options.grow_policy = GrowPolicy::lossguide;
         options.max_leaves = 9;
         for (Index i = 0; i < 4 * data.rows(); ++i) {
           data.base_margin.push_back(static_cast<T>(i % 5) / 4);
         }
       }},
      {5,
       [](Dataset<T>& data, GradientBoostingOptions& options) {
         options.objective = BoostingObjective::rank_ndcg;
         options.min_child_weight = 0;
         for (Index i = 0; i < data.rows(); ++i) data.groups.push_back(i / 9);
       }},
  };
  for (std::size_t k = 0; k < cases.size(); ++k) {
    SCOPED_TRACE(k);
    auto data = mixed<T>(1500, cases[k].classes, 60 + k);
    GradientBoostingOptions options;
    options.rounds = 5;
    cases[k].change(data, options);
    for (const Device device : {Device::cpu, Device::reference}) {
      const auto engine = engine_of(device, device == Device::cpu ? 2 : 1);
      const auto expected = fit(*engine, data, options);
      const auto binned = bin_dataset(
          *engine, data, {.max_bins = options.max_bins, .max_cat_bins = options.max_cat_bins});
      save_binned(this->path(), binned);
      const auto read = load_binned<T>(this->path());
      EXPECT_EQ(read, binned);
      expect_same(fit(*engine, read, options), expected);
    }
  }
}

TYPED_TEST(BinnedDatasetOf, StopEarlyByRowsThatAreNotInBins) {
  using T = TypeParam;
  const auto data = mixed<T>(1200, 2, 70);
  const auto fresh = mixed<T>(500, 2, 71);
  GradientBoostingOptions options;
  options.rounds = 40;
  options.patience = 3;
  options.eval_metric = "roc_auc";
  FitContext<T> context;
  context.validation.emplace(fresh.view());
  const auto expected = train(data, options, Device::cpu, 2, context);
  const auto engine = engine_of(Device::cpu, 2);
  const auto binned = bin_dataset(*engine, data);
  expect_same(fit(*engine, binned, options, context), expected);
  // Rows of the bins themselves can be held out too; their thresholds are those of all rows.
  options.validation_fraction = 0.3;
  const auto held_out = fit(*engine, binned, options);
  EXPECT_LE(held_out.trees.trees.size(), 40U);
  EXPECT_FALSE(held_out.log.history.at("validation_loss").empty());
}

TYPED_TEST(BinnedDatasetOf, RepresentRowsToTreesOnTheirCuts) {
  using T = TypeParam;
  const auto data = mixed<T>(900, 3, 72);
  GradientBoostingOptions options;
  options.rounds = 4;
  options.max_cat_bins = 50;
  const auto engine = engine_of(Device::cpu);
  const auto binned = bin_dataset(*engine, data, {.max_bins = 255, .max_cat_bins = 50});
  const auto model = fit(*engine, binned, options);
  std::vector<Index> rows(900);
  std::iota(rows.begin(), rows.end(), 0);
  EXPECT_EQ(model.trees.leaves(*engine, binned.representatives(rows).view()).values(),
            model.trees.leaves(*engine, data.features.view()).values());
}

TYPED_TEST(BinnedDatasetOf, ResumeToTheSameBits) {
  using T = TypeParam;
  const auto data = mixed<T>(800, 2, 73);
  const auto engine = engine_of(Device::cpu, 2);
  const auto binned = bin_dataset(*engine, data);
  GradientBoostingOptions options;
  options.rounds = 6;
  options.subsample = 0.8;
  class StopAfterThree final : public RunControl {
   public:
    [[nodiscard]] bool stop_requested() const noexcept override { return rounds_ >= 3; }
    [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
    void report(const Progress& progress) override { rounds_ = progress.done; }
    void save_checkpoint(const Archive& state) override { kept = state; }
    std::optional<Archive> kept;

   private:
    Index rounds_ = 0;
  } stop;
  FitContext<T> context;
  context.control = &stop;
  EXPECT_THROW((void)fit(*engine, binned, options, context), Interrupted);
  ASSERT_TRUE(stop.kept);
  class Resume final : public RunControl {
   public:
    explicit Resume(const Archive& state) : state_(state) {}
    [[nodiscard]] const Archive* resume_state() const noexcept override { return &state_; }

   private:
    const Archive& state_;
  } resume(*stop.kept);
  context.control = &resume;
  expect_same(fit(*engine, binned, options, context), train(data, options));
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void put_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// The pipeline's file from bins is that from the raw rows, byte by byte.
TYPED_TEST(BinnedDatasetOf, GiveTheSamePipelineFile) {
  using T = TypeParam;
  auto data = mixed<T>(700, 2, 74);
  data.source = "rows.csv";
  PipelineOptions options("gradient-boosting");
  options.set("rounds", 4).set("impute.method", "median").set("seed", 5).set("max_bins", 40);
  const auto engine = engine_of(Device::cpu, 2);
  save_model(this->path(), fit_pipeline<T>(*engine, data, options));
  const std::string expected = bytes_of(this->path());
  save_binned_training(this->path(), bin_training<T>(*engine, data, options));
  const auto training = load_binned_training<T>(this->path());
  PipelineOptions later("gradient-boosting");
  later.set("rounds", 4).set("impute.method", "median").set("seed", 5);
  const auto model = fit_pipeline(*engine, training, later);
  const auto scores = evaluate_binned(model, *engine, training.data);
  EXPECT_EQ(scores.metrics, model.evaluate(*engine, data).metrics);
  save_model(this->path(), model);
  EXPECT_EQ(bytes_of(this->path()), expected);
  later.set("impute.method", "mean");
  EXPECT_THROW((void)fit_pipeline(*engine, training, later), InputError);
  EXPECT_THROW((void)fit_pipeline(*engine, training, PipelineOptions("random-forest")), InputError);
}

TYPED_TEST(BinnedDatasetOf, RefuseDamagedFiles) {
  using T = TypeParam;
  const auto engine = engine_of(Device::cpu);
  const auto binned = bin_dataset(*engine, mixed<T>(300, 2, 75));
  save_binned(this->path(), binned);
  const std::string whole = bytes_of(this->path());
  const auto refuses = [&](const std::string& bytes, const std::string& message) {
    put_bytes(this->path(), bytes);
    try {
      (void)load_binned<T>(this->path());
      ADD_FAILURE() << "accepted; expected " << message;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
      EXPECT_THAT(error.what(), HasSubstr(this->path()));
    }
  };
  refuses("", "is empty");
  refuses("no such thing", "is not a Tandem binned table");
  for (const std::size_t size : {std::size_t{30}, std::size_t{60}, whole.size() / 2}) {
    refuses(whole.substr(0, size), "is truncated");
  }
  refuses(whole.substr(0, whole.size() - 1), "is truncated");
  refuses(whole + "x", "is damaged");
  // A bit anywhere.
  const Random random(1, Purpose::test);
  for (std::uint64_t k = 0; k < 200; ++k) {
    std::string bytes = whole;
    const auto at = static_cast<std::size_t>(random.uniform(k) * static_cast<double>(whole.size()));
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (k % 8)));
    put_bytes(this->path(), bytes);
    EXPECT_THROW((void)load_binned<T>(this->path()), InputError) << at;
  }
  put_bytes(this->path(), whole);
  using Other = std::conditional_t<sizeof(T) == 4, double, float>;
  EXPECT_THROW((void)load_binned<Other>(this->path()), InputError);
  EXPECT_EQ(precision_of_binned(this->path()), precision_of<T>);
  EXPECT_THROW((void)load_binned_training<T>(this->path()), InputError);  // has no columns
  EXPECT_THROW((void)load_binned<T>("no_such_file.bins"), InputError);
  EXPECT_THROW((void)load_binned<T>(std::filesystem::temp_directory_path().string()), InputError);
}

// What the checksums cannot know: that contents do not fit each other.
TYPED_TEST(BinnedDatasetOf, RefuseContentsThatDoNotFit) {
  using T = TypeParam;
  const auto engine = engine_of(Device::cpu);
  const auto good = bin_dataset(*engine, mixed<T>(300, 2, 76));
  const std::vector<std::function<void(BinnedDataset<T>&)>> spoilt{
      [](auto& d) { d.target.pop_back(); },
      [](auto& d) { d.weights = {T{1}}; },
      [](auto& d) {
        d.groups = {1, 2};
      },
      [](auto& d) { d.base_margin = {T{1}}; },
      [](auto& d) { d.columns.pop_back(); },
      [](auto& d) { d.table.rows = 299; },
      [](auto& d) { d.table.cuts.missing[1] = 2; },
      [](auto& d) { d.table.cuts.first[1] += 1; },
      [](auto& d) { d.category_codes[4].back() = 500; },
      [](auto& d) { std::swap(d.category_codes[4][0], d.category_codes[4][1]); },
      [](auto& d) { d.category_codes[2] = {0}; },
      [](auto& d) { d.made.max_bins = 5000; },
      [](auto& d) {
        std::vector<std::uint8_t> bins(d.table.bins.view().begin(), d.table.bins.view().end());
        bins[1] = 255;  // the high byte of the first bin
        d.table.bins = SharedBytes(bins);
      },
      [](auto& d) {
        std::vector<std::uint8_t> bins(d.table.bins.view().begin(), d.table.bins.view().end());
        bins[12] = 1;  // behind the six bins of the first row
        d.table.bins = SharedBytes(bins);
      },
  };
  for (std::size_t k = 0; k < spoilt.size(); ++k) {
    auto data = good;
    spoilt[k](data);
    save_binned(this->path(), data);
    EXPECT_THROW((void)load_binned<T>(this->path()), InputError) << k;
  }
}

TYPED_TEST(BinnedDatasetOf, RefuseRowsThatCannotBeTrainedOn) {
  using T = TypeParam;
  const auto engine = engine_of(Device::cpu);
  const std::vector<std::function<void(Dataset<T>&, BinningOptions&)>> refused{
      [](auto& d, auto&) { d.target.clear(); },
      [](auto& d, auto&) { d.target[3] = std::numeric_limits<T>::quiet_NaN(); },
      [](auto& d, auto&) { d.features(3, 0) = std::numeric_limits<T>::infinity(); },
      [](auto& d, auto&) { d.features(3, 2) = T{7}; },
      [](auto& d, auto&) { d.weights.assign(200, T{0}); },
      [](auto& d, auto&) { d.base_margin.assign(201, T{0}); },
      [](auto&, auto& o) { o.max_bins = 1; },
      [](auto&, auto& o) { o.max_bins = 4097; },
      [](auto&, auto& o) { o.max_cat_bins = 1; },
      [](auto&, auto& o) { o.max_cat_bins = 65536; },
      [](auto& d, auto&) { d.features = Matrix<T>(0, 6); },
  };
  for (std::size_t k = 0; k < refused.size(); ++k) {
    auto data = mixed<T>(200, 2, 77);
    BinningOptions options;
    refused[k](data, options);
    EXPECT_THROW((void)bin_dataset(*engine, data, options), InputError) << k;
  }
}

}  // namespace
}  // namespace tandem
