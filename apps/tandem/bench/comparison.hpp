// Two results of tandem bench, and whether they differ by more than noise.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem::program {

// A result as tandem bench --json writes it, and the file that it is of.
struct BenchFile {
  std::string path;
  nlohmann::json json;
};
// Throws InputError for a file that tandem bench has not written.
[[nodiscard]] BenchFile read_bench_file(const std::string& path);

// One of Tandem's own rows, in any result.
struct BenchKey {
  std::string name;      // of the case; of a sweep with its value: "kmeans-16, clusters 8"
  std::string measured;  // "fit" or "predict"
  int threads = 1;
  Index rows = 0;

  [[nodiscard]] auto operator<=>(const BenchKey&) const = default;
};

struct BenchChange {
  BenchKey of;
  double before = 0;  // median seconds
  double after = 0;
  double probability = 1;  // of a difference as large, where nothing has changed
  bool changed = false;    // beyond noise
};

struct BenchComparison {
  std::vector<BenchChange> rows;
  // What fits do on a device, where both have counted it: exact, so that any difference is one.
  std::size_t counted = 0;                // that both have
  std::vector<std::string> work_changed;  // "kmeans-16, 20000 rows, h100: flops 120 to 130"
  std::vector<BenchKey> only_before;
  std::vector<BenchKey> only_after;
  double error_rate = 0.01;
  // The least probability that as many runs can give; where it is above what a row has to pass, no
  // change can be found at all.
  double least_probability = 0;
  double needed_probability = 0;
};

// "kmeans-16, fit, 1000000 rows, 2 threads"
[[nodiscard]] std::string to_text(const BenchKey& key);

// Of two samples of times, the probability that ranks are as unequal as theirs or more where both
// come from one distribution (Mann and Whitney 1947, two-sided, exact; equal times share their
// mean rank and make it conservative).
[[nodiscard]] double rank_probability(const std::vector<double>& a, const std::vector<double>& b);

// Tandem's times of each row. Throws InputError for rows that tandem bench has not written.
[[nodiscard]] std::map<BenchKey, std::vector<double>> own_times(const BenchFile& file);

// Tandem's own rows in both. The error rate is that of any false alarm among all rows (Holm 1979).
// Throws InputError for results of different suites or processors, and for such as have no row in
// common.
[[nodiscard]] BenchComparison compare_results(const BenchFile& before, const BenchFile& after,
                                              double error_rate);

// "within noise", "slower" or "faster".
[[nodiscard]] std::string verdict_of(const BenchChange& row);
[[nodiscard]] nlohmann::json to_json(const BenchComparison& comparison);
[[nodiscard]] std::string to_text(const BenchComparison& comparison);

// How many rows are slower beyond noise.
[[nodiscard]] std::size_t slower(const BenchComparison& comparison);

}  // namespace tandem::program
