// What every trained model can do, whatever algorithm made it. A model is plain host data.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

template <Real T>
struct Predictions {
  std::vector<T> values;             // regression: one per row
  std::vector<std::int32_t> labels;  // classification, clustering: class or cluster of each row
  Matrix<T> probabilities;           // classification: rows × classes, rows sum to 1
};

// How a fit went.
struct TrainingLog {
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
class Model {
 public:
  virtual ~Model() = default;

  [[nodiscard]] virtual std::string_view algorithm() const = 0;  // "decision-tree"
  [[nodiscard]] virtual Task task() const = 0;
  [[nodiscard]] virtual Index features() const = 0;
  // Classification: the class names, in order of label. Others: empty.
  [[nodiscard]] virtual const std::vector<std::string>& classes() const = 0;
  // x: rows × features(). Throws InputError where the number of columns differs.
  [[nodiscard]] virtual Predictions<T> predict(Engine& engine, MatrixView<const T> x) const = 0;
  [[nodiscard]] virtual const TrainingLog& training() const = 0;

  // Metrics that only this kind of model has (k-means: inertia), on data of its own scale.
  // Default: none.
  [[nodiscard]] virtual std::map<std::string, double> own_metrics(Engine& engine,
                                                                  MatrixView<const T> x) const;

  virtual void save(Archive& archive) const = 0;
  // What `tandem inspect` shows. feature_names has features() entries.
  [[nodiscard]] virtual nlohmann::json to_json(
      const std::vector<std::string>& feature_names) const = 0;
  [[nodiscard]] virtual std::string to_text(
      const std::vector<std::string>& feature_names) const = 0;
};

}  // namespace tandem
