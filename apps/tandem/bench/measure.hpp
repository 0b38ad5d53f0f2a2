// Measurements of arms in turn, and what they say of one another.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tandem/bench/case.hpp"
#include "tandem/bench/paired.hpp"
#include "tandem/core/machine_limits.hpp"

namespace tandem::program {

// What an arm took in each round, and how good its model is.
struct ArmRuns {
  std::string name;
  std::string version;
  std::vector<double> seconds;
  std::vector<double> processor_seconds;
  double peak_bytes = 0;  // of the process, over what it had with the data loaded; fits only
  std::optional<double> quality;
  std::string why_not;  // the arm has no figures: it is missing, or has failed
  bool missing = false;
};

enum class Measured { fit, predict };

// One line of the table: a case, a number of threads, and a fit or the predictions.
struct BenchRow {
  std::string name;  // of the case
  Measured measured = Measured::fit;
  int threads = 1;
  Index rows = 0;
  std::string metric;
  std::vector<ArmRuns> arms;  // the first is Tandem's
  std::string fastest;        // the peer of the least median; empty: there is none
  std::optional<PairedRatio> against_fastest;
  // Seconds that the task's least operations and bytes take at the machine's limits; fits only.
  std::optional<double> floor_seconds;
  std::string limited_by;  // "operations" or "bytes"
  bool equal_quality = true;
};

struct BenchChoices {
  std::string suite = "standard";
  std::vector<int> threads;
  std::vector<std::string> devices{"cpu"};
  std::vector<std::string> peers;  // names; empty: all that the cases have
  bool no_peers = false;
  std::vector<std::string> against;  // other builds of the program
  std::string python;
  int runs = 5;
  std::vector<Index> sweep;  // rows to train on, one after the other, in place of the suite's
  double timeout = 600;
  std::function<void(const std::string&)> tell;  // progress
};

// How the cost of an arm grows with the rows, over a sweep.
struct BenchGrowth {
  std::string name;  // of the case
  Measured measured = Measured::fit;
  int threads = 1;
  std::string arm;
  std::vector<double> rows;
  std::vector<double> seconds;  // medians
  Growth growth;
  // Of a fit, between the smallest and the largest size: what a further row adds to the memory.
  std::optional<double> bytes_per_row;
};
// Of arms that have figures for three sizes or more. Predictions grow with the rows they are made
// for: of cases with test rows of their own, which do not grow, there are none.
[[nodiscard]] std::vector<BenchGrowth> growths(const std::vector<BenchRow>& rows);

// Runs the cases that are in the suite. `limits` has one entry for each of choices.threads. Throws
// InputError for a peer that no case has; Interrupted where a signal has come.
[[nodiscard]] std::vector<BenchRow> measure(const std::vector<BenchCase>& cases,
                                            const BenchChoices& choices,
                                            const std::vector<MachineLimits>& limits);

}  // namespace tandem::program
