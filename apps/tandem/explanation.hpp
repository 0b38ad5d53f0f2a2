// What `tandem explain` finds out about a model, and the tables, JSON and pictures that tell it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tandem/model/explain.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem::program {

// The trees' account of the model's features.
struct TreeExplanation {
  std::vector<std::vector<double>> importances;  // by ImportanceKind
  ShapValues shap;
  std::optional<ShapInteractions> interactions;
  // Per feature: Σ over outputs of the mean magnitude of its Shapley values.
  std::vector<double> magnitude;

  [[nodiscard]] const std::vector<double>& importance(ImportanceKind kind) const {
    return importances[static_cast<std::size_t>(kind)];
  }
  // Per feature its share of what all splits gained.
  [[nodiscard]] std::vector<double> gain_shares() const;
};

// What is said of one model.
template <Real T>
struct Explanation {
  const Pipeline<T>& model;
  Dataset<T> sample;    // raw rows
  Dataset<T> prepared;  // the same as the model sees them
  Index rows = 0;       // of the file
  std::optional<TreeExplanation> trees;
  Index output = 0;  // that pictures show
  std::string output_name;
  std::optional<PermutationImportance> permutation;
  std::vector<std::pair<Index, PartialDependence>> dependence;  // by raw column
};

// Of rows as the model sees them; `interactions`: those of pairs of features too.
template <Real T>
[[nodiscard]] TreeExplanation explain_trees(Engine& engine, const TreeEnsemble<T>& trees,
                                            MatrixView<const std::type_identity_t<T>> rows,
                                            bool interactions);

// The indices of the values, the largest first; NaN last, equal ones in their order.
[[nodiscard]] std::vector<Index> order_of(const std::vector<double>& values);

// Whether the model's features are the file's columns.
template <Real T>
[[nodiscard]] bool same_columns(const Explanation<T>& found);

// Features, columns and pairs of features, each table with its heading; at most `most` lines of
// each, the most important first.
template <Real T>
[[nodiscard]] std::vector<std::vector<std::vector<std::string>>> explanation_tables(
    const Explanation<T>& found, std::size_t most);
// What the columns of the tables are.
template <Real T>
[[nodiscard]] std::string explanation_legend(const Explanation<T>& found);

// Adds what was found to a command's JSON.
template <Real T>
void add_explanation(nlohmann::json& json, const Explanation<T>& found);

// Pictures of the trees' account. A row of points per feature, of `most` at most, each point what
// the feature adds to the score of one row.
template <Real T>
[[nodiscard]] report::Plot shap_swarm(const Explanation<T>& found, std::size_t most);
// What a feature adds, by its value; coloured by the feature that it does most together with, whose
// name is put into `other_name` where interactions are known.
template <Real T>
[[nodiscard]] report::Plot shap_dependence(const Explanation<T>& found, Index feature,
                                           std::string& other_name);

// Adds sections of pictures to a page, of which the first begins with the command line. Bars are
// `most` at most.
template <Real T>
void add_explanation(report::Page& page, const Explanation<T>& found, const std::string& command,
                     std::size_t most);

}  // namespace tandem::program
