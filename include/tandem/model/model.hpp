// The interface of every trained model, whatever algorithm made it. A model is plain host data.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

template <Real T>
struct Predictions {
  std::vector<T> values;             // regression, detection: a value or score of each row
  std::vector<std::int32_t> labels;  // others: class or cluster of each row; detection: 1 outliers
  Matrix<T> probabilities;           // classification: rows × classes, rows sum to 1
};

// How a fit went.
struct TANDEM_API TrainingLog {
  Index iterations = 0;         // of the kind that the algorithm counts: iterations or epochs
  std::string stopped_because;  // one clause: "inertia changed by less than 1e-4 of itself"
  bool converged = false;
  // Series by name, one entry per iteration: "cost", "validation_cost", "accuracy", "inertia".
  std::map<std::string, std::vector<double>, std::less<>> history;

  void save(Archive& archive, std::string_view prefix = "training") const;
  [[nodiscard]] static TrainingLog load(const Archive& archive,
                                        std::string_view prefix = "training");
  [[nodiscard]] bool operator==(const TrainingLog&) const = default;
};

template <Real T>
class Predictor;

// A model made ready on one engine: its parameters stand there from call to call. Used by one
// thread at a time; the model and the engine must outlive it.
template <Real T>
class TANDEM_API ReadyModel {
 public:
  ReadyModel() = default;
  ReadyModel(const ReadyModel&) = delete;
  ReadyModel& operator=(const ReadyModel&) = delete;
  virtual ~ReadyModel() = default;
  // As Model::predict.
  [[nodiscard]] virtual Predictions<T> predict(MatrixView<const T> x) = 0;
};

// Plain host data. Several threads may call the const members of one model, each with an engine of
// its own.
template <Real T>
class TANDEM_API Model {
 public:
  virtual ~Model() = default;
  // A copy.
  [[nodiscard]] virtual std::unique_ptr<Model<T>> clone() const = 0;

  // A copy of the model, kept where it will be used: see Predictor.
  [[nodiscard]] Predictor<T> on(const Engine& engine) const;

  [[nodiscard]] virtual std::string_view algorithm() const = 0;  // "decision-tree"
  [[nodiscard]] virtual Task task() const = 0;
  [[nodiscard]] virtual Index features() const = 0;
  // The names of the labels, in their order: classes, or inlier and outlier. Empty where labels
  // have none (clusters), and where there are none.
  [[nodiscard]] virtual const std::vector<std::string>& classes() const = 0;
  // x: rows × features(). Throws InputError where the number of columns differs. For a single call;
  // on() is for several.
  [[nodiscard]] virtual Predictions<T> predict(Engine& engine, MatrixView<const T> x) const = 0;
  // For several predictions on one engine. What it does not override, a kind of model does anew at
  // each call.
  [[nodiscard]] virtual std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const;
  [[nodiscard]] virtual const TrainingLog& training() const = 0;

  // Metrics that only this kind of model has (k-means: inertia), on data of its own scale.
  // Default: none.
  [[nodiscard]] virtual std::map<std::string, double> own_metrics(Engine& engine,
                                                                  MatrixView<const T> x) const;

  virtual void save(Archive& archive) const = 0;
  // The model as `tandem inspect` shows it: a JSON object, and text. feature_names has features()
  // entries.
  [[nodiscard]] virtual std::string to_json(
      const std::vector<std::string>& feature_names) const = 0;
  [[nodiscard]] virtual std::string to_text(
      const std::vector<std::string>& feature_names) const = 0;
};

// A model kept where it will be used. It shares ownership of the model, so that it may outlive
// whoever made it. Several threads may call one Predictor at once: each call takes an engine of its
// own, with its own queue and scratch memory and the model's parameters in its memory, from those
// that earlier calls have left, and an error reaches the call that caused it. So there are as many
// engines as calls at once, and each is sent the parameters once. Copies share all of it.
template <Real T>
class TANDEM_API Predictor {
 public:
  // Further engines are made as `engine` was; it itself is not kept.
  Predictor(std::shared_ptr<const Model<T>> model, const Engine& engine);

  // x: rows × features(). Throws InputError where the number of columns differs.
  [[nodiscard]] Predictions<T> predict(MatrixView<const T> x) const;
  [[nodiscard]] Predictions<T> predict(const DatasetView<T>& data) const;
  [[nodiscard]] Predictions<T> predict(const Dataset<T>& data) const {
    return predict(data.features.view());
  }
  [[nodiscard]] const Model<T>& model() const noexcept;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

template <Real T>
Predictor<T> Model<T>::on(const Engine& engine) const {
  return Predictor<T>(std::shared_ptr<const Model<T>>(clone()), engine);
}

}  // namespace tandem
