#include "tandem/bench/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "tandem/bench/counted_work.hpp"
#include "tandem/bench/paired.hpp"
#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

// ", clusters 8", or nothing where rows or threads are swept, which a key has anyway.
std::string swept_of(const nlohmann::json& row) {
  if (!row.contains("swept")) return "";
  const auto& swept = row.at("swept");
  const std::string name = swept.at("name").get<std::string>();
  if (name == "rows" || name == "threads") return "";
  return ", " + name + " " + std::to_string(swept.at("value").get<Index>());
}

// How many of all ways to draw n ranks from n + m have each sum of ranks, as shares.
std::vector<double> rank_sum_shares(std::size_t n, std::size_t m) {
  const std::size_t all = n + m;
  const std::size_t largest = all * (all + 1) / 2;
  // ways[k][s]: k ranks out of those so far, with sum s.
  std::vector<std::vector<double>> ways(n + 1, std::vector<double>(largest + 1, 0));
  ways[0][0] = 1;
  for (std::size_t rank = 1; rank <= all; ++rank) {
    for (std::size_t k = std::min(n, rank); k >= 1; --k) {
      for (std::size_t s = largest; s >= rank; --s) ways[k][s] += ways[k - 1][s - rank];
    }
  }
  double total = 0;
  for (const double count : ways[n]) total += count;
  for (double& count : ways[n]) count /= total;
  return ways[n];
}

}  // namespace

namespace {

// "flops 120 to 130, launches 4 to 5"
std::string differences(const CountedWork& before, const CountedWork& after) {
  std::string text;
  const auto add = [&](const char* name, std::uint64_t x, std::uint64_t y) {
    if (x == y) return;
    text += (text.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(x) + " to " +
            std::to_string(y);
  };
  add("launches", before.launches, after.launches);
  add("warp instructions", before.warp_instructions, after.warp_instructions);
  add("flops", before.flops, after.flops);
  add("sectors", before.sectors, after.sectors);
  add("bytes to the device", before.to_device_bytes, after.to_device_bytes);
  add("bytes to the host", before.to_host_bytes, after.to_host_bytes);
  return text;
}

std::vector<DeviceWork> works_of(const BenchFile& file) {
  try {
    if (!file.json.contains("device_work")) return {};
    return device_work_of(file.json.at("device_work"));
  } catch (const nlohmann::json::exception& error) {
    throw InputError(file.path + ": is no output of tandem bench --json: " + error.what());
  }
}

void compare_works(const BenchFile& before, const BenchFile& after, BenchComparison& result) {
  const std::vector<DeviceWork> first = works_of(before);
  for (const DeviceWork& now : works_of(after)) {
    for (const DeviceWork& then : first) {
      if (then.name != now.name || then.rows != now.rows || then.device != now.device ||
          !then.why_not.empty() || !now.why_not.empty()) {
        continue;
      }
      ++result.counted;
      if (then.counted == now.counted) continue;
      result.work_changed.push_back(now.name + ", " + std::to_string(now.rows) + " rows" + ", " +
                                    now.device + ": " + differences(then.counted, now.counted));
    }
  }
}

}  // namespace

BenchFile read_bench_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw InputError(path + ": cannot be read; expected the output of tandem bench --json");
  std::stringstream text;
  text << in.rdbuf();
  BenchFile file{path, nlohmann::json::parse(text.str(), nullptr, false)};
  const nlohmann::json& json = file.json;
  if (!json.is_object() || !json.contains("rows") || !json["rows"].is_array() ||
      !json.contains("suite") || !json["suite"].is_string() || !json.contains("machine") ||
      !json["machine"].is_object()) {
    throw InputError(path + ": is no output of tandem bench --json");
  }
  return file;
}

std::map<BenchKey, std::vector<double>> own_times(const BenchFile& file) {
  std::map<BenchKey, std::vector<double>> all;
  try {
    for (const auto& row : file.json.at("rows")) {
      const auto& arm = row.at("arms").at(0);
      if (arm.contains("why_not")) continue;
      all[{row.at("case").get<std::string>() + swept_of(row), row.at("measured").get<std::string>(),
           row.at("threads").get<int>(), row.value("rows", Index{0})}] =
          arm.at("seconds").get<std::vector<double>>();
    }
  } catch (const nlohmann::json::exception& error) {
    throw InputError(file.path + ": is no output of tandem bench --json: " + error.what());
  }
  return all;
}

double rank_probability(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.empty() || b.empty()) return 1;
  std::vector<std::pair<double, bool>> all;
  for (const double time : a) all.emplace_back(time, true);
  for (const double time : b) all.emplace_back(time, false);
  std::sort(all.begin(), all.end());
  double sum = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i;
    while (end < all.size() && all[end].first == all[i].first) ++end;
    const double rank = static_cast<double>(i + 1 + end) / 2;
    for (std::size_t k = i; k < end; ++k) sum += all[k].second ? rank : 0;
    i = end;
  }
  const auto n = static_cast<double>(a.size());
  const double middle = n * static_cast<double>(all.size() + 1) / 2;
  const double apart = std::abs(sum - middle);
  const std::vector<double> shares = rank_sum_shares(a.size(), b.size());
  double probability = 0;
  for (std::size_t s = 0; s < shares.size(); ++s) {
    if (std::abs(static_cast<double>(s) - middle) >= apart - 1e-9) probability += shares[s];
  }
  return std::min(1.0, probability);
}

BenchComparison compare_results(const BenchFile& before, const BenchFile& after,
                                double error_rate) {
  if (before.json["suite"] != after.json["suite"]) {
    throw InputError(after.path + ": is of suite " + after.json["suite"].dump() + ", and " +
                     before.path + " is of suite " + before.json["suite"].dump() +
                     "; their rows are not the same work");
  }
  const auto processor = [](const BenchFile& file) {
    const auto found = file.json["machine"].find("processor");
    const bool named = found != file.json["machine"].end() && found->is_string();
    return named ? found->get<std::string>() : std::string();
  };
  if (processor(before) != processor(after)) {
    throw InputError(after.path + ": was measured on '" + processor(after) + "', and " +
                     before.path + " on '" + processor(before) +
                     "'; times of different processors say nothing of a change");
  }
  const auto first = own_times(before);
  const auto second = own_times(after);
  BenchComparison result;
  result.error_rate = error_rate;
  for (const auto& [key, times] : second) {
    if (!first.contains(key)) result.only_after.push_back(key);
  }
  for (const auto& [key, times] : first) {
    const auto found = second.find(key);
    if (found == second.end()) {
      result.only_before.push_back(key);
      continue;
    }
    BenchChange change;
    change.of = key;
    change.before = median_of(times);
    change.after = median_of(found->second);
    change.probability = rank_probability(times, found->second);
    const auto shares = rank_sum_shares(times.size(), found->second.size());
    const double least =
        2 * *std::find_if(shares.begin(), shares.end(), [](double share) { return share > 0; });
    result.least_probability = std::max(result.least_probability, std::min(1.0, least));
    result.rows.push_back(change);
  }
  if (result.rows.empty()) {
    throw InputError(before.path + " and " + after.path + " have no row in common");
  }
  compare_works(before, after, result);
  std::vector<BenchChange*> order;
  for (BenchChange& row : result.rows) order.push_back(&row);
  std::sort(order.begin(), order.end(), [](const BenchChange* x, const BenchChange* y) {
    return x->probability < y->probability;
  });
  result.needed_probability = error_rate / static_cast<double>(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (order[i]->probability > error_rate / static_cast<double>(order.size() - i)) break;
    order[i]->changed = true;
  }
  return result;
}

std::size_t slower(const BenchComparison& comparison) {
  return static_cast<std::size_t>(
      std::count_if(comparison.rows.begin(), comparison.rows.end(),
                    [](const BenchChange& row) { return row.changed && row.after > row.before; }));
}

}  // namespace tandem::program
