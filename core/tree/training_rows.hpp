// The training set of a tree, in integers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/tree/split_gain.hpp"
#include "core/tree/target_code.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem::tree {

inline constexpr std::int32_t most_classes = 1024;

// The rows that a tree is trained on, those of weight > 0, and by how much each of them adds to the
// statistics of a node, in units that `rules` gives.
template <Real T>
struct TrainingRows {
  Task task = Task::classification;
  std::vector<std::string> classes;   // of a classification
  Index rows = 0;                     // n
  std::vector<Index> kept;            // which rows of the data; empty where none was left out
  const T* x = nullptr;               // n × features, row by row: the data's own, or selected_x
  std::vector<T> selected_x;          // where rows were left out
  std::vector<std::int32_t> labels;   // n, of a classification
  std::vector<T> target;              // n, of a regression
  std::vector<std::int64_t> weights;  // n, in weight units; empty where all are one unit
  std::vector<double> row_weights;    // n, of a regression, as given; empty where all are 1
  TargetCode code;                    // of a regression
  SplitRules rules;
  std::vector<std::int64_t> statistics;  // of all rows: rules.width() integers
};

// Checks the data and leaves out the rows of weight 0. Throws InputError where there is nothing to
// train on, where a value is not finite that must be, and where options do not fit the data. The
// result may refer to the features of `data`, which must outlive it.
template <Real T>
[[nodiscard]] TrainingRows<T> prepare_rows(const DatasetView<T>& data,
                                           const DecisionTreeOptions& options);

// The criterion that is meant for this task; throws InputError where it is one of the other.
[[nodiscard]] TreeCriterion resolve_criterion(TreeCriterion criterion, Task task);

}  // namespace tandem::tree
