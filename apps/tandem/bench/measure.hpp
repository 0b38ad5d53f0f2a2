// Measurements of arms in turn, and what they say of one another.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tandem/bench/case.hpp"
#include "tandem/bench/device_work.hpp"
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
  std::string swept;  // what a sweep has changed; empty: there is none
  Index value = 0;    // what it was in this row
  std::string metric;
  std::vector<ArmRuns> arms;  // the first is Tandem's
  std::string fastest;        // the peer of the least median; empty: there is none
  std::optional<PairedRatio> against_fastest;
  // Seconds that the task's least operations and bytes take at the machine's limits; fits only.
  std::optional<double> floor_seconds;
  std::string limited_by;                // "operations" or "bytes"
  std::optional<double> memory_allowed;  // bytes that Tandem's fit on the processor may add
  bool equal_quality = true;
};

struct BenchChoices {
  std::string suite = "standard";
  std::vector<int> threads;
  std::vector<std::string> devices{"cpu"};
  std::vector<std::string> peers;  // names; empty: all that the cases have
  bool no_peers = false;
  std::vector<std::string> against;  // other builds of the program
  bool python_package = false;       // Tandem through its Python package is an arm too
  std::string estimate;  // the device that fits are counted and estimated for; empty: none
  std::string python;
  int runs = 5;
  std::string swept;         // "rows", "threads", "features" or one of the case's own numbers
  std::vector<Index> sweep;  // its values, one after the other; empty: as the suite has it
  double timeout = 600;
  std::function<void(const std::string&)> tell;  // progress
};

// How the cost of an arm grows with what a sweep changes.
struct BenchGrowth {
  std::string name;  // of the case
  Measured measured = Measured::fit;
  int threads = 1;  // where these are not what is swept
  std::string arm;
  std::string swept;
  std::vector<double> values;
  std::vector<double> seconds;  // medians
  Growth growth;
  // Of a fit, between the least and the largest value: what one more (a row, a feature, a cluster)
  // adds to the memory.
  std::optional<double> bytes_per_unit;
};
// Of arms that have figures for three sizes or more. Predictions grow with the rows they are made
// for: of cases with test rows of their own, which do not grow, there are none.
[[nodiscard]] std::vector<BenchGrowth> growths(const std::vector<BenchRow>& rows);

// Runs the cases that are in the suite. `limits` has one entry for each of choices.threads. Throws
// InputError for a peer that no case has; Interrupted where a signal has come.
[[nodiscard]] std::vector<BenchRow> measure(const std::vector<BenchCase>& cases,
                                            const BenchChoices& choices,
                                            const std::vector<MachineLimits>& limits);

// The work on a GPU of the same cases and sizes, where choices.estimate names one.
[[nodiscard]] std::vector<DeviceWork> device_works(const std::vector<BenchCase>& cases,
                                                   const BenchChoices& choices);

// Where the processor, with the number of threads that is best there, and the estimate for the
// device cross, over a sweep of rows; by cases that have three sizes of both or more.
struct BenchCrossover {
  std::string name;
  std::string device;
  std::vector<double> sizes;
  std::vector<double> measured;   // seconds
  std::vector<double> estimated;  // seconds
  Crossover at;
};
inline constexpr double estimates_within = 2;  // the factor that Crossover is given
[[nodiscard]] std::vector<BenchCrossover> crossovers(const std::vector<BenchRow>& rows,
                                                     const std::vector<DeviceWork>& works);

}  // namespace tandem::program
