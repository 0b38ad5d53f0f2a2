#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <tuple>

#include "tandem/bench/bench_results.hpp"
#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

nlohmann::json read_results(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw InputError(path + ": cannot be read; expected the output of tandem bench --json");
  std::stringstream text;
  text << in.rdbuf();
  nlohmann::json json = nlohmann::json::parse(text.str(), nullptr, false);
  if (!json.is_object() || !json.contains("rows") || !json["rows"].is_array() ||
      !json.contains("suite") || !json.contains("machine")) {
    throw InputError(path + ": is no output of tandem bench --json");
  }
  return json;
}

using Key = std::tuple<std::string, std::string, int>;

// Tandem's times by case, what is measured, and threads.
std::map<Key, std::vector<double>> own_times(const nlohmann::json& json, const std::string& path) {
  std::map<Key, std::vector<double>> all;
  try {
    for (const auto& row : json.at("rows")) {
      const auto& arm = row.at("arms").at(0);
      if (arm.contains("why_not")) continue;
      all[{row.at("case").get<std::string>(), row.at("measured").get<std::string>(),
           row.at("threads").get<int>()}] = arm.at("seconds").get<std::vector<double>>();
    }
  } catch (const nlohmann::json::exception& error) {
    throw InputError(path + ": is no output of tandem bench --json: " + error.what());
  }
  return all;
}

std::string text_of(const Key& key) {
  const auto& [name, measured, threads] = key;
  return name + ", " + measured + ", " + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads");
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

BenchComparison compare_results(const std::string& before, const std::string& after,
                                double error_rate) {
  const nlohmann::json a = read_results(before);
  const nlohmann::json b = read_results(after);
  if (a["suite"] != b["suite"]) {
    throw InputError(after + ": is of suite " + b["suite"].dump() + ", and " + before +
                     " is of suite " + a["suite"].dump() + "; their rows are not the same work");
  }
  const auto processor = [](const nlohmann::json& json) {
    return json["machine"].value("processor", std::string());
  };
  if (processor(a) != processor(b)) {
    throw InputError(after + ": was measured on '" + processor(b) + "', and " + before + " on '" +
                     processor(a) + "'; times of different processors say nothing of a change");
  }
  const auto first = own_times(a, before);
  const auto second = own_times(b, after);
  BenchComparison result;
  result.error_rate = error_rate;
  for (const auto& [key, times] : second) {
    if (!first.contains(key)) result.only_after.push_back(text_of(key));
  }
  for (const auto& [key, times] : first) {
    const auto found = second.find(key);
    if (found == second.end()) {
      result.only_before.push_back(text_of(key));
      continue;
    }
    BenchChange change;
    std::tie(change.name, change.measured, change.threads) = key;
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
    throw InputError(before + " and " + after + " have no row in common");
  }
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

}  // namespace tandem::program
