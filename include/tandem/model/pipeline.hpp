// A model together with what it needs to be used on raw data: the columns it expects, the
// transforms that were fitted with it, and the record of how it came about. This is what a model
// file holds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/engine_table.hpp"
#include "tandem/data/read.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model/model.hpp"
#include "tandem/model/pipeline_options.hpp"
#include "tandem/transform/chain.hpp"

namespace tandem {

// Where a model comes from. The number of threads is left out on purpose: in exact mode it changes
// nothing, and the same training gives the same file.
struct TANDEM_API Provenance {
  std::string version;  // of Tandem
  std::string algorithm;
  Device device = Device::cpu;
  Numerics numerics = Numerics::exact;
  Precision precision = Precision::float64;
  std::uint64_t seed = 0;
  Index rows = 0;      // of the training part, before any were dropped
  std::string source;  // of the training part
  Archive options;     // the algorithm's, by name
  Archive steps;       // the steps', by name: "scale.method"

  void save(Archive& archive) const;
  // Throws InputError for anything that save could not have written.
  [[nodiscard]] static Provenance load(const Archive& archive);
};

// Recorded options as a JSON object: {"clusters": 3, "init": "k-means++"}.
[[nodiscard]] TANDEM_API std::string options_to_json(const Archive& options);

// A number that differs where data differ in shape or in any bit of a feature, target, weight,
// group or base margin, up to chance (2^-64).
template <Real T>
[[nodiscard]] TANDEM_API std::uint64_t fingerprint(const Dataset<T>& data);

template <Real T>
class PipelinePredictor;

// Several threads may use one at once, as far as they may use one engine; see on().
template <Real T>
struct TANDEM_API Pipeline {
  Provenance provenance;
  Schema schema;  // the raw columns
  TransformChain<T> transforms;
  // On transformed rows; of a regression whose target a transform changes, in the units of that.
  std::unique_ptr<Model<T>> model;

  // The columns that the model takes.
  [[nodiscard]] const std::vector<Column>& features() const { return transforms.outputs(); }
  [[nodiscard]] std::vector<std::string> feature_names() const;

  // A predictor for raw rows, which several threads may use at once: it has engines of its own.
  [[nodiscard]] PipelinePredictor<T> on(const Engine& engine) const;

  // From raw data in the order of schema.columns, such as read_dataset gives with this schema.
  // `prepare` transforms the features and leaves the target as it is; it throws InputError where
  // columns differ, or where a value is missing or infinite and the algorithm cannot take it.
  [[nodiscard]] Dataset<T> prepare(Dataset<T> raw, int threads = 0) const;
  [[nodiscard]] Predictions<T> predict(Engine& engine, Dataset<T> raw) const;
  [[nodiscard]] Evaluation evaluate(Engine& engine, Dataset<T> raw,
                                    const EvaluateOptions& options = {}) const;

  // From rows that were prepared already. Predictions and metrics are in the units of the target.
  [[nodiscard]] Predictions<T> predict_prepared(Engine& engine, MatrixView<const T> x) const;
  [[nodiscard]] Evaluation evaluate_prepared(Engine& engine, const Dataset<T>& data,
                                             const EvaluateOptions& options = {}) const;

  void save(Archive& archive) const;
  // Throws InputError for anything that save could not have written: a model whose parts do not
  // fit each other included.
  [[nodiscard]] static Pipeline load(const Archive& archive);
};

// A pipeline kept where it will be used, with a copy of the model: the pipeline may go. Several
// threads may call one PipelinePredictor at once, as they may a Predictor: each call takes an
// engine of its own. Copies share all of it.
template <Real T>
class TANDEM_API PipelinePredictor {
 public:
  // Further engines are made as `engine` was; it itself is not kept.
  PipelinePredictor(const Pipeline<T>& pipeline, const Engine& engine);

  // From raw rows, as Pipeline::predict; it throws the same. Pass `raw` by std::move to work in its
  // memory. A view's rows are copied where a transform changes them.
  [[nodiscard]] Predictions<T> predict(Dataset<T> raw) const;
  [[nodiscard]] Predictions<T> predict(const DatasetView<T>& raw) const;

  [[nodiscard]] const Schema& schema() const noexcept;
  [[nodiscard]] const Model<T>& model() const noexcept;

 private:
  struct Shared;
  std::shared_ptr<const Shared> shared_;
};

// Optional arguments of a pipeline's fit, besides data and options.
template <Real T>
struct PipelineContext {
  // Raw rows to decide by when to stop early, with the columns of the training rows. They are
  // prepared in place.
  Dataset<T>* validation = nullptr;
  // Receives the training rows as the algorithm saw them, with the target in its own units.
  Dataset<T>* prepared = nullptr;
  // Receives what keeps those rows on the engine, so that evaluating `prepared` brings none of them
  // there again. To be destroyed before the engine, and before the rows change.
  std::unique_ptr<EngineTable<T>>* table = nullptr;
  // Told about progress and asked whether to stop; keeps checkpoints.
  RunControl* control = nullptr;
  // k-means: clusters × features, the centres to begin with, as the algorithm sees the features.
  MatrixView<const T> initial_centres{};
};

// Fits the steps on `train`, one after the other, then the algorithm on what they make of it. Pass
// `train` by std::move to work in its memory. Throws InputError for data that cannot be trained on.
template <Real T>
[[nodiscard]] TANDEM_API Pipeline<T> fit_pipeline(
    Engine& engine, Dataset<T> train, const PipelineOptions& options,
    const PipelineContext<std::type_identity_t<T>>& context = {});

// The same for rows that somebody else keeps. They are copied only where a step has something to do
// with them, where they are sparse, or where the context asks for the prepared rows; so the model
// is that of the other function, bit for bit.
template <Real T>
[[nodiscard]] TANDEM_API Pipeline<T> fit_pipeline(
    Engine& engine, const DatasetView<T>& train, const PipelineOptions& options,
    const PipelineContext<std::type_identity_t<T>>& context = {});

// A model of either precision.
using AnyModel = std::variant<Pipeline<float>, Pipeline<double>>;

template <Real T>
TANDEM_API void save_model(const std::string& path, const Pipeline<T>& model);
// The file says its precision. Throws InputError for a file that is no model of this version.
[[nodiscard]] TANDEM_API AnyModel load_model(const std::string& path);
[[nodiscard]] TANDEM_API AnyModel model_from_archive(const Archive& archive);

}  // namespace tandem
