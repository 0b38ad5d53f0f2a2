// The options that several commands share, and what is made of them.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tandem/control.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/read.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/option_set.hpp"
#include "tandem/preprocess/preprocessor.hpp"

namespace tandem::program {

// --device and what belongs to it, --numerics, --threads, --json, --quiet; where asked for, --seed
// and --precision.
struct RunSettings {
  std::string device = "cpu";
  std::string numerics = "exact";
  std::string precision = "float64";
  std::int64_t threads = 0;
  std::int64_t device_index = 0;
  std::string device_memory;
  std::int64_t block_threads = 0;
  std::int64_t seed = 0;
  bool json = false;
  bool quiet = false;

  void add_options(OptionSet& options, bool trains);
  [[nodiscard]] std::unique_ptr<Engine> make_engine() const;
  // A line on standard error, unless --quiet.
  void say(const std::string& text) const;
};

// --data and how it is read.
struct DataSettings {
  std::string data;
  std::string target;
  std::string target_file;
  std::string weights;
  std::vector<std::string> ignore;
  std::string format = "auto";
  std::string header = "auto";
  std::string delimiter;
  std::vector<std::string> missing = default_missing_texts();
  std::int64_t features = 0;
  std::string index_base = "auto";

  void add_options(OptionSet& options);
  [[nodiscard]] ReadOptions read_options(const RunSettings& run) const;
};

// --test FILE, --test-fraction, --validation FILE.
struct TestSettings {
  std::string test;
  std::optional<double> test_fraction;
  std::string validation;
  void add_options(OptionSet& options);
};

// --scale and the other steps before the algorithm.
struct PreprocessSettings {
  std::string scale;
  std::string impute = "none";
  double impute_constant = 0;
  std::string encode = "one-hot";
  std::string outliers = "none";
  std::string outlier_action = "report";
  std::optional<double> outlier_threshold;

  void add_options(OptionSet& options, const Algorithm& algorithm);
  [[nodiscard]] PreprocessOptions make() const;
};

template <Real T>
struct LoadedData {
  Dataset<T> train;
  std::optional<Dataset<T>> test;
  std::optional<Dataset<T>> validation;
  std::string target_rule;  // one clause: how the target was chosen
};

// A data set for an algorithm. Without --target, the last column of a table is the target of a
// supervised algorithm; for clustering it is set aside (to compare the clusters with) where it is a
// text column, and a feature where it is a numeric one.
template <Real T>
[[nodiscard]] LoadedData<T> load_data(const RunSettings& run, const DataSettings& data,
                                      const TestSettings* test, const Algorithm& algorithm);

// A data set for a trained model: columns by the model's schema.
template <Real T>
[[nodiscard]] Dataset<T> load_data_for(const RunSettings& run, const DataSettings& data,
                                       const TrainedModel<T>& model);

[[nodiscard]] bool clusters(const Algorithm& algorithm);

// "cpu, 2 threads, AVX-512; exact, float64, seed 0"
[[nodiscard]] std::string describe(const Engine& engine, const RunSettings& run);

}  // namespace tandem::program
