// Results of tandem bench over time: a folder with a file for each run.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tandem/bench/bench_results.hpp"
#include "tandem/bench/comparison.hpp"

namespace tandem::program {

// The time now, as results carry it: "2026-11-30T16:33:14Z".
[[nodiscard]] std::string utc_now();

// The folder is made where there is none. Throws InputError for a file in its place, SystemError
// where nothing can be written into it.
void prepare_history(const std::string& folder);
// Returns the path of the new file, which is named after the result's date. Nothing that is there
// is overwritten.
std::string add_to_history(const std::string& folder, const BenchResults& results);

// A row of Tandem's in the results that have it, oldest first.
struct BenchSeries {
  BenchKey of;
  std::vector<std::string> dates;
  std::vector<double> medians;  // seconds
  // The last result against the one before it; none where the last does not have the row, or it
  // alone.
  std::optional<BenchChange> last;
};

// Results of one suite on one processor: only those can be compared.
struct BenchHistory {
  std::string suite;
  std::string processor;
  std::vector<std::string> files;  // oldest first
  std::vector<BenchSeries> series;
};

// All of a folder. Throws InputError for a folder without results, and for a *.json in it that
// tandem bench has not written.
[[nodiscard]] std::vector<BenchHistory> read_history(const std::string& folder, double error_rate);

[[nodiscard]] nlohmann::json to_json(const std::vector<BenchHistory>& all);
[[nodiscard]] std::string to_text(const std::vector<BenchHistory>& all);
void write_history_page(const std::vector<BenchHistory>& all, const std::string& path);

}  // namespace tandem::program
