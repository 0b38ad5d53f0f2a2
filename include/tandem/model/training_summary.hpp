// A summary of the data that a model was trained on, which its file keeps, so that later data can
// be compared with it where the training data is not at hand: docs/drift.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/model.hpp"

namespace tandem {

// How many rows have which values of one column. Weights count for nothing here: it is about rows.
struct TANDEM_API ColumnSummary {
  std::string name;
  bool categorical = false;
  // Of numbers: ascending. counts[j] counts those with edges[j − 1] < value <= edges[j], the
  // first all up to edges[0], the last all above the last edge. Edges are values of the column, but
  // for one just below its smallest where it has few values.
  std::vector<double> edges;
  std::vector<std::string> categories;  // of categories: counts[c] counts those of categories[c]
  std::vector<Index> counts;
  Index missing = 0;
  // Rows of a category that `categories` lacks. Of the training data 0.
  Index unseen = 0;

  // Rows that have a value, one of an unseen category left out.
  [[nodiscard]] Index present() const;
  [[nodiscard]] Index rows() const { return present() + missing + unseen; }
  // The same column without any rows, to count others by.
  [[nodiscard]] ColumnSummary without_rows() const;
  // A number, or the code of a category; NaN is missing, any other code an unseen category.
  void count(double value);
  [[nodiscard]] bool operator==(const ColumnSummary&) const = default;
};

struct TANDEM_API TrainingSummary {
  // Of the raw features, in the order of the schema, but for those that were left out.
  std::vector<ColumnSummary> features;
  // Of what the model says: score_columns(). Empty where none were summarised.
  std::vector<ColumnSummary> scores;
  // Whether these are of rows that the model was not trained on. On its own training rows a model
  // is surer than on others, so that nothing can be concluded from a difference.
  bool scores_held_out = false;
  // Other than 1: a later program wrote it, and all else is empty.
  std::int64_t version = 1;

  [[nodiscard]] bool empty() const { return features.empty() && scores.empty() && version == 1; }
  void save(Archive& archive) const;
  // Throws InputError for anything that save could not have written.
  [[nodiscard]] static TrainingSummary load(const Archive& archive);
  [[nodiscard]] bool operator==(const TrainingSummary&) const = default;
};

// The summary in an archive of the kind "model"; an empty one where a program that knew none wrote
// it, or it was left out. Throws InputError as load().
[[nodiscard]] TANDEM_API TrainingSummary summary_of(const Archive& model);
// Puts it into such an archive, beside what Pipeline::save put there.
TANDEM_API void set_summary(Archive& model, const TrainingSummary& summary);

struct SummaryOptions {
  std::vector<std::string> leave_out;  // names of columns
};

// Of every column but those that are left out: at most 64 intervals of about as many rows each,
// fewer where there are more than 512 columns; a column of at most that many distinct values has
// one for each, one for what lies below them and one for what lies above. The edges are quantiles
// of at most 65536 rows, evenly spaced; all rows are counted. Throws InputError where a name to
// leave out is that of no column.
template <Real T>
[[nodiscard]] TANDEM_API std::vector<ColumnSummary> summarise_columns(
    const DatasetView<T>& data, const SummaryOptions& options = {});

// Predictions as columns to be summarised: of a classification of two classes the probability of
// the second ("probability of yes"), of more the largest one ("confidence"), of a regression the
// value
// ("prediction"), of a detection the score ("score"); and the labels, with the names of the classes
// ("answer").
template <Real T>
[[nodiscard]] TANDEM_API Dataset<double> score_columns(const Model<T>& model,
                                                       const Predictions<T>& predictions);

}  // namespace tandem
