// How much to prune a decision tree, by cross-validation: Breiman, Friedman, Olshen and Stone,
// chapter 11.3. The trees of the folds are grown once and pruned for each candidate.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/metrics/direction.hpp"
#include "tandem/model/pipeline_options.hpp"
#include "tandem/model/validation.hpp"
#include "tandem/tree/pruning.hpp"

namespace tandem {

// best: the α whose mean score is best; among equals the smallest tree. one_error: the smallest
// tree whose mean score is within one standard error of that (the rule of the book).
enum class PruningRule { one_error, best };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<PruningRule>{"one-error", "best"};

struct PruningOptions {
  ValidationOptions validation = {};
  std::string metric = {};  // empty: usual_metric()
  PruningRule rule = PruningRule::one_error;
  Index most = 100;  // trees of the path that are tried, at most; evenly in log(leaves); >= 2
};

// How α was chosen. Candidate i is entry tried[i] of the path.
struct PruningChoice {
  Task task = Task::classification;
  std::string metric;
  Direction better = Direction::higher;
  PruningPath path;  // of the tree grown on all rows
  std::vector<std::size_t> tried;
  // What the trees of the folds are pruned by: √(αᵢ αᵢ₊₁), the middle of the interval in which the
  // candidate is the best tree; infinite for the root alone.
  std::vector<double> alphas;
  std::vector<Estimate> scores;  // over the folds, on rows that the fold's tree has not seen
  std::size_t best = 0;
  std::size_t chosen = 0;  // by the rule
  // What to train with: --ccp-alpha. Below the end of the candidate's interval, and 0 for the whole
  // tree.
  [[nodiscard]] TANDEM_API double alpha() const;
};

// `pipeline` trains a decision tree; its ccp_alpha is not used. One tree is grown per fold and
// repeat, and pruned for each candidate. Throws InputError for another algorithm, options out of
// range, and data that cannot be split or trained on; Interrupted.
template <Real T>
[[nodiscard]] TANDEM_API PruningChoice choose_pruning(const PipelineOptions& pipeline,
                                                      const Dataset<T>& data,
                                                      const PruningOptions& options, Engine& engine,
                                                      RunControl& control);

// A JSON object; null for what is not finite.
[[nodiscard]] TANDEM_API std::string to_json(const PruningChoice& choice);

}  // namespace tandem
