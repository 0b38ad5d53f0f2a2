// An experiment from two files, for those who assign and measure elsewhere: who was exposed to
// which arm, and what the units did.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "systems/serving/experiments/analysis.hpp"
#include "systems/serving/experiments/experiment.hpp"
#include "tandem/core/types.hpp"

namespace tandem::experiments {

struct TableOptions {
  std::string exposures;  // a file that read_dataset() reads
  std::string outcomes;
  // Names of columns. Exposures: unit, arm, and where they are there time and covariate; outcomes:
  // unit, value, and where they are there metric and time.
  std::string unit = "unit";
  std::string arm = "arm";
  std::string time = "time";
  std::string metric = "metric";
  std::string value = "value";
  std::string covariate;  // of the exposures; empty: outcomes before the exposure, where times are
  std::string control;    // an arm; empty: "control"
  std::vector<std::pair<std::string, double>> weights;  // of arms; none: equal
  // Empty: every metric of the outcomes; a conversion where all its values are 0 or 1, else a sum.
  std::vector<MetricDefinition> metrics;
  double window_hours = 0;
  double confidence = 0.95;
  std::int64_t planned_units = 10'000;
  int threads = 0;
};

struct TableAnalysis {
  Experiment experiment;
  Analysis analysis;
  // Units that were exposed to several arms: they are left out.
  Index in_several_arms = 0;
  // Outcomes of units that nobody was exposed with, and those before the exposure or past the
  // window.
  Index of_nobody = 0;
  Index outside = 0;
  // How the files were read, where that could be meant otherwise; a sentence each.
  std::vector<std::string> notices;
};

// Throws InputError that names file, column and row for what cannot be read: a missing column, a
// row without a unit, an arm without a weight.
[[nodiscard]] TableAnalysis analyse_tables(const TableOptions& options);

}  // namespace tandem::experiments
