// Results of tandem bench: as JSON, as text, as a page, and two of them compared.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tandem/bench/measure.hpp"

namespace tandem::program {

struct BenchResults {
  std::string suite;
  int runs = 0;
  std::string processor;
  int cores = 0;
  std::string command;
  std::vector<MachineLimits> limits;  // one per number of threads
  std::vector<BenchRow> rows;
};

[[nodiscard]] nlohmann::json to_json(const BenchResults& results);
[[nodiscard]] std::string to_text(const BenchResults& results);
// The page's file, with the JSON in it.
void write_bench_page(const BenchResults& results, const std::string& path);

// What stands in the way of believing the row: an arm that failed, unequal quality. Empty: nothing.
[[nodiscard]] std::string doubt_about(const BenchRow& row);

// --- two results
// ----------------------------------------------------------------------------------

struct BenchChange {
  std::string name;
  std::string measured;
  int threads = 1;
  double before = 0;  // median seconds
  double after = 0;
  double probability = 1;  // of a difference as large, where nothing has changed
  bool changed = false;    // beyond noise
};

struct BenchComparison {
  std::vector<BenchChange> rows;
  std::vector<std::string> only_before;
  std::vector<std::string> only_after;
  double error_rate = 0.01;
  // The least probability that as many runs can give; where it is above what a row has to pass, no
  // change can be found at all.
  double least_probability = 0;
  double needed_probability = 0;
};

// Of two samples of times, the probability that ranks are as unequal as theirs or more where both
// come from one distribution (Mann and Whitney 1947, two-sided, exact; equal times share their
// mean rank and make it conservative).
[[nodiscard]] double rank_probability(const std::vector<double>& a, const std::vector<double>& b);

// Tandem's own rows in both, from to_json(). The error rate is that of any false alarm among all
// rows (Holm 1979). Throws InputError for a file that tandem bench has not written, and for results
// of different suites or processors.
[[nodiscard]] BenchComparison compare_results(const std::string& before, const std::string& after,
                                              double error_rate);

}  // namespace tandem::program
