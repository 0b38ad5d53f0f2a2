// One version of a model, loaded and ready to answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "systems/serving/rows.hpp"
#include "systems/serving/signature.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/data/read.hpp"
#include "tandem/model/training_summary.hpp"

namespace tandem::serving {

// Several threads may use one at once: each call of predict() takes an engine of its own.
class ServedModel {
 public:
  // Reads the file. Throws InputError where it is no model, DeviceError where the device is
  // missing.
  [[nodiscard]] static std::shared_ptr<const ServedModel> load(const std::string& path,
                                                               std::string name,
                                                               std::int64_t version,
                                                               const EngineOptions& engine);
  virtual ~ServedModel() = default;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::int64_t version() const noexcept { return version_; }
  [[nodiscard]] const std::string& version_text() const noexcept { return version_text_; }
  [[nodiscard]] const std::string& algorithm() const noexcept { return algorithm_; }
  [[nodiscard]] const Signature& signature() const noexcept { return signature_; }
  [[nodiscard]] const Schema& schema() const noexcept { return schema_; }
  // Of the rows that it was trained on; empty where its file has none that this program knows.
  [[nodiscard]] const TrainingSummary& summary() const noexcept { return summary_; }
  // The position of a raw column, or -1.
  [[nodiscard]] Index column(std::string_view name) const;
  // The code of a category of a column, or -1 for one that the training data did not have.
  [[nodiscard]] Index category(Index column, std::string_view text) const;

  // The number that a text stands for in a column of numbers, read as the training file was: its
  // decimal mark, a date, a time, a truth value. Nothing where it is none. Takes some 50 µs.
  [[nodiscard]] std::optional<double> read_text(Index column, std::string_view text) const;

  // The same bits as `tandem predict` gives for these rows, whatever stands beside them. Throws
  // InputError that names row and column where a value cannot be taken.
  [[nodiscard]] virtual Answers predict(const Rows& rows) const = 0;
  // What it says as columns of numbers, as its summary has them: score_columns().
  [[nodiscard]] virtual Dataset<double> scores(const Answers& answers) const = 0;
  // Whether the model's kind can say why: trees (Shapley values) and linear models (terms).
  [[nodiscard]] virtual bool explains() const = 0;
  // One entry per row, whose answers begin at `first`: of the class that was answered, where there
  // are several scores.
  [[nodiscard]] virtual std::vector<Reasons> explain(const Rows& rows, const Answers& answers,
                                                     Index first) const = 0;

 protected:
  ServedModel() = default;
  void describe(std::string name, std::int64_t version, std::string algorithm, Signature signature,
                Schema schema, TrainingSummary summary);

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Positions = std::unordered_map<std::string, Index, TextHash, std::equal_to<>>;

  std::string name_;
  std::int64_t version_ = 0;
  std::string version_text_;
  std::string algorithm_;
  Signature signature_;
  Schema schema_;
  TrainingSummary summary_;
  Positions columns_;
  std::vector<Positions> categories_;  // per column
};

}  // namespace tandem::serving
