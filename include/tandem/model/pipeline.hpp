// A model together with what it needs to be used on raw data: the columns it expects, the
// preprocessing that was fitted with it, and the record of how it came about. This is what a model
// file holds.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <type_traits>
#include <variant>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/read.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model/model.hpp"
#include "tandem/preprocess/preprocessor.hpp"

namespace tandem {

// Where a model comes from. The number of threads is left out on purpose: in exact mode it changes
// nothing, and the same training gives the same file.
struct Provenance {
  std::string version;  // of Tandem
  std::string algorithm;
  Device device = Device::cpu;
  Numerics numerics = Numerics::exact;
  Precision precision = Precision::float64;
  std::uint64_t seed = 0;
  Index rows = 0;      // of the training part, before outliers were dropped
  std::string source;  // of the training part
  Archive options;     // the algorithm's, by name

  void save(Archive& archive) const;
  // Throws InputError for anything that save could not have written.
  [[nodiscard]] static Provenance load(const Archive& archive);
};

// Recorded options as an object: {"clusters": 3, "init": "k-means++"}.
[[nodiscard]] nlohmann::json options_to_json(const Archive& options);

// A number that differs where data differ in shape or in any bit of a feature, target or weight,
// up to chance (2^-64).
template <Real T>
[[nodiscard]] std::uint64_t fingerprint(const Dataset<T>& data);

template <Real T>
struct TrainedModel {
  Provenance provenance;
  Schema schema;  // the raw columns
  Preprocessor<T> preprocessor;
  std::unique_ptr<Model<T>> model;

  [[nodiscard]] const std::vector<Column>& features() const {
    return preprocessor.output_columns();
  }
  [[nodiscard]] std::vector<std::string> feature_names() const;

  // Raw data in the order of schema.columns, such as read_dataset gives with this schema. Throws
  // InputError where columns differ, or where a value is missing or infinite and the algorithm
  // cannot take it.
  [[nodiscard]] Dataset<T> preprocess(Dataset<T> raw, int threads) const;
  [[nodiscard]] Predictions<T> predict(Engine& engine, Dataset<T> raw) const;
  [[nodiscard]] Evaluation evaluate(Engine& engine, Dataset<T> raw,
                                    const EvaluateOptions& options = {}) const;

  void save(Archive& archive) const;
  // Throws InputError for anything that save could not have written: a model whose parts do not
  // fit each other included.
  [[nodiscard]] static TrainedModel load(const Archive& archive);
};

// What a fit needs besides the data.
struct FitSettings {
  PreprocessOptions preprocess;
  std::uint64_t seed = 0;  // given to the algorithm
};

// Fits preprocessing on `train`, then the algorithm. On return `train` and, where given,
// `validation` are preprocessed: as the algorithm saw them. Throws InputError for data that cannot
// be trained on.
template <Real T>
[[nodiscard]] TrainedModel<T> fit_pipeline(Algorithm& algorithm, Engine& engine, Dataset<T>& train,
                                           std::type_identity_t<Dataset<T>*> validation,
                                           const FitSettings& settings, RunControl& control);

// A model of either precision.
using AnyModel = std::variant<TrainedModel<float>, TrainedModel<double>>;

template <Real T>
void save_model(const std::string& path, const TrainedModel<T>& model);
// The file says its precision. Throws InputError for a file that is no model of this version.
[[nodiscard]] AnyModel load_model(const std::string& path);
[[nodiscard]] AnyModel model_from_archive(const Archive& archive);

}  // namespace tandem
