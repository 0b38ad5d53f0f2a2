// The search for good values of options: a grid, or random draws, each candidate judged by
// cross-validation on one partition of the rows, and the search as a whole by nested
// cross-validation.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/metrics/direction.hpp"
#include "tandem/model/pipeline_options.hpp"
#include "tandem/model/validation.hpp"

namespace tandem {

// The values of options to try, written
//
//   max_depth=2..10,criterion=entropy|gini      every combination of the values
//   c=0.01..100*10                              0.01, 0.1, 1, 10, 100
//   max_depth=2..10+2                           2, 4, 6, 8, 10
//   learning_rate=0.001..0.1*                   any number between, for random draws; even in its
//                                               logarithm (* at the end) or in itself (+ at the
//                                               end)
//
// `from..to` alone means whole numbers. Options are separated by commas, or by semicolons, where
// there is one, so that a value may have commas in it: hidden=64,32|128;activation=relu|tanh. An
// option is named as PipelineOptions::set() takes it: max_depth, scale.method, predictor.max_depth.
class TANDEM_API SearchSpace {
 public:
  // An option and its values, as texts; without values, the interval that draws come from.
  struct Axis {
    std::string option;
    std::vector<std::string> values;
    double lowest = 0;
    double highest = 0;
    bool logarithmic = false;
  };
  // An option's value of one candidate.
  using Setting = std::pair<std::string, std::string>;

  // Throws InputError that quotes the part it does not understand.
  [[nodiscard]] static SearchSpace parse(std::string_view text);
  [[nodiscard]] const std::string& to_string() const noexcept { return text_; }
  [[nodiscard]] const std::vector<Axis>& axes() const noexcept { return axes_; }

  // All combinations; the last option's values change fastest. Throws InputError for an interval,
  // and for more than a million.
  [[nodiscard]] std::vector<std::vector<Setting>> grid() const;
  // `count` candidates: different ones of the grid, all of it where it has no more, in the order of
  // the grid; where an option has an interval, independent draws. A function of the seed.
  [[nodiscard]] std::vector<std::vector<Setting>> draw(Index count, std::uint64_t seed) const;

 private:
  std::string text_;
  std::vector<Axis> axes_;
};

struct TuneOptions {
  ValidationOptions validation = {};  // of each candidate, on the same folds for all
  Index random = 0;                   // draws from the space; 0: the grid
  std::string metric = {};            // empty: usual_metric()
  Index outer_folds = 0;              // of the nested cross-validation; 0: none
};

struct TANDEM_API Tuning {
  struct Candidate {
    std::vector<SearchSpace::Setting> settings;
    std::map<std::string, Estimate> scores;  // over the folds, on rows that were not trained on
    double seconds = 0;                      // of training, all folds
    std::string failed;                      // why it could not be fitted; then there are no scores
  };
  // The settings that one fold of the nested cross-validation chose on its training part, and their
  // scores on its test part.
  struct OuterFold {
    std::vector<SearchSpace::Setting> chosen;
    std::map<std::string, double> scores;
  };

  Task task = Task::classification;
  Index rows = 0;
  std::string metric;
  Direction better = Direction::higher;
  std::vector<Candidate> candidates;  // in the order in which they were tried
  std::vector<Index> ranking;         // of `candidates`: the best first, ties in the order tried
  std::vector<OuterFold> outer;
  // Estimates of the search itself: what to expect of the model that it chooses. The best
  // candidate's own score is too good by having been chosen.
  std::map<std::string, Estimate> nested;

  [[nodiscard]] const Candidate& best() const;
};

// Tries every candidate. Candidates that cannot be fitted are kept with the reason. A state saved
// through `control` holds the candidates that are done; resuming does not repeat them, and ends
// with the bits of an uninterrupted search. Throws InputError for options out of range, an option
// that the pipeline does not have, and where no candidate can be fitted.
template <Real T>
[[nodiscard]] TANDEM_API Tuning tune(const PipelineOptions& pipeline, const SearchSpace& space,
                                     const Dataset<T>& data, const TuneOptions& options,
                                     Engine& engine, RunControl& control);

// `pipeline` with a candidate's values.
[[nodiscard]] TANDEM_API PipelineOptions
with_settings(const PipelineOptions& pipeline, const std::vector<SearchSpace::Setting>& settings);

// A JSON object; null for what is not finite.
[[nodiscard]] TANDEM_API std::string to_json(const Tuning& tuning);

}  // namespace tandem
