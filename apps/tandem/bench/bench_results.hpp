// Results of tandem bench: as JSON, as text, as a page, and two of them compared.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tandem/bench/measure.hpp"

namespace tandem::program {

struct BenchResults {
  std::string date;  // when it began, UTC: "2026-11-30T16:33:14Z"
  std::string suite;
  int runs = 0;
  std::string processor;
  int cores = 0;
  std::string command;
  std::vector<MachineLimits> limits;  // one per number of threads
  std::vector<BenchRow> rows;
  std::vector<DeviceWork> works;  // counted and estimated; never among the rows
};

[[nodiscard]] nlohmann::json to_json(const BenchResults& results);
[[nodiscard]] std::string to_text(const BenchResults& results);
// The page's file, with the JSON in it.
void write_bench_page(const BenchResults& results, const std::string& path);

// What stands in the way of believing the row: an arm that failed, unequal quality. Empty: nothing.
[[nodiscard]] std::string doubt_about(const BenchRow& row);

}  // namespace tandem::program
