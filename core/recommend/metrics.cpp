// How good recommendations are.
#include "tandem/recommend/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/json_text.hpp"
#include "core/parallel.hpp"
#include "core/recommend/selection.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {
namespace {

// 1 / log2(rank + 1), rank from 1.
double discount(Index rank) {
  return 0.6931471805599453 / math::log(static_cast<double>(rank) + 1);
}

double ideal_gain(Index hits) {
  double sum = 0;
  for (Index rank = 1; rank <= hits; ++rank) sum += discount(rank);
  return sum;
}

// z with P(|N| <= z) = confidence.
double normal_quantile(double confidence) {
  double low = 0;
  double high = 10;
  for (int step = 0; step < 200; ++step) {
    const double middle = (low + high) / 2;
    (math::erf(middle * 0.7071067811865476) < confidence ? low : high) = middle;
  }
  return (low + high) / 2;
}

RecommendationMetric mean_of(std::string name, const std::vector<double>& values,
                             const std::vector<std::size_t>& users, double z) {
  const auto n = static_cast<double>(users.size());
  const auto count = static_cast<Index>(users.size());
  const double mean =
      long_sum(count, [&](Index i) { return values[users[static_cast<std::size_t>(i)]]; }) / n;
  const double squares = long_sum(count, [&](Index i) {
    const double off = values[users[static_cast<std::size_t>(i)]] - mean;
    return off * off;
  });
  const double error = users.size() > 1 ? z * std::sqrt(squares / (n - 1) / n)
                                        : std::numeric_limits<double>::infinity();
  return {std::move(name), mean, mean - error, mean + error, count};
}

// One evaluated user.
struct Judged {
  std::int32_t user = 0;
  std::vector<std::int32_t> relevant;  // ascending, none of the history
};

// The cosine of two items' users, as sets.
double likeness(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  if (a.empty() || b.empty()) return 0;
  if (a.size() > b.size()) std::swap(a, b);
  std::size_t common = 0;
  for (const std::int32_t user : a) {
    common += std::binary_search(b.begin(), b.end(), user) ? 1U : 0U;
  }
  return static_cast<double>(common) /
         std::sqrt(static_cast<double>(a.size()) * static_cast<double>(b.size()));
}

// Lists whose pairs are compared, at most; spread evenly over the users.
constexpr std::size_t most_diverse = 1000;

class Evaluator {
 public:
  Evaluator(Engine& engine, const Recommender& model, const Interactions& train,
            const Interactions& test, const RecommendationMetricOptions& options)
      : engine_(engine),
        model_(model),
        options_(options),
        histories_(interaction_matrix<double>(train)),
        by_item_(transposed(histories_.view())) {
    find_users(test);
  }

  RecommendationReport run(RunControl* control) {
    RecommendationReport report = found_;
    if (judged_.empty()) {
      throw InputError(
          "no user has both a history and a test item outside of it; there is nothing to evaluate");
    }
    const Index longest = *std::max_element(options_.at.begin(), options_.at.end());
    lists_.resize(judged_.size());
    constexpr std::size_t part = 2048;
    for (std::size_t first = 0; first < judged_.size(); first += part) {
      const std::size_t last = std::min(judged_.size(), first + part);
      answer(first, last, longest);
      if (control != nullptr) {
        control->report(
            {"user", static_cast<Index>(last), static_cast<Index>(judged_.size()), "", 0});
      }
      StopScope::check();
    }
    std::vector<std::pair<std::string, std::vector<double>>> measures;
    std::vector<RecommendationMetric> of_whole;
    for (const std::int64_t k : options_.at) measure(k, measures, of_whole);
    if (options_.full_ranking) measures.emplace_back("ndcg", full_ndcg());
    const double z = normal_quantile(options_.confidence);
    std::vector<std::size_t> all(judged_.size());
    for (std::size_t u = 0; u < all.size(); ++u) all[u] = u;
    for (const auto& [name, values] : measures) {
      report.metrics.push_back(mean_of(name, values, all, z));
    }
    for (const std::int64_t k : options_.at) {
      report.metrics.push_back(diversity(k, z));
    }
    report.metrics.insert(report.metrics.end(), of_whole.begin(), of_whole.end());
    segments(measures, z, report);
    report.users = static_cast<Index>(judged_.size());
    for (const Judged& one : judged_) report.user_numbers.push_back(one.user);
    for (const auto& [name, values] : measures) {
      if (name == "ndcg@" + std::to_string(options_.at.front())) report.user_ndcg = values;
    }
    return report;
  }

 private:
  void find_users(const Interactions& test) {
    std::vector<std::vector<std::int32_t>> relevant(static_cast<std::size_t>(histories_.rows));
    for (Index e = 0; e < test.size(); ++e) {
      const auto at = static_cast<std::size_t>(e);
      relevant[static_cast<std::size_t>(test.user[at])].push_back(test.item[at]);
    }
    for (Index u = 0; u < histories_.rows; ++u) {
      auto& items = relevant[static_cast<std::size_t>(u)];
      if (items.empty()) continue;
      const auto history = histories_.columns_of(u);
      if (history.empty()) {
        ++found_.users_without_history;
        continue;
      }
      std::sort(items.begin(), items.end());
      items.erase(std::unique(items.begin(), items.end()), items.end());
      std::erase_if(items, [&](std::int32_t item) {
        return std::binary_search(history.begin(), history.end(), item);
      });
      if (items.empty()) {
        ++found_.users_without_test;
        continue;
      }
      judged_.push_back({static_cast<std::int32_t>(u), std::move(items)});
    }
  }

  void answer(std::size_t first, std::size_t last, Index longest) {
    SparseMatrix<double> part;
    part.rows = static_cast<Index>(last - first);
    part.cols = histories_.cols;
    for (std::size_t u = first; u < last; ++u) {
      const auto columns = histories_.columns_of(judged_[u].user);
      const auto values = histories_.values_of(judged_[u].user);
      part.columns.insert(part.columns.end(), columns.begin(), columns.end());
      part.values.insert(part.values.end(), values.begin(), values.end());
      part.offsets.push_back(part.size());
    }
    const TopItems best = model_.top_items(engine_, part.view(), longest, {});
    for (std::size_t u = first; u < last; ++u) {
      const auto row = static_cast<Index>(u - first);
      const auto items = best.items.row(row);
      lists_[u].assign(items.begin(), items.begin() + best.counts[static_cast<std::size_t>(row)]);
    }
  }

  [[nodiscard]] double users_of(std::int32_t item) const {
    return static_cast<double>(by_item_.columns_of(item).size());
  }

  void measure(Index k, std::vector<std::pair<std::string, std::vector<double>>>& measures,
               std::vector<RecommendationMetric>& of_whole) const {
    const std::size_t users = judged_.size();
    std::vector<double> recall(users), ndcg(users), map(users), mrr(users), hit(users);
    std::vector<double> novelty(users, 0), bias(users, 0);
    std::vector<std::uint8_t> shown(static_cast<std::size_t>(histories_.cols), 0);
    const auto everybody = static_cast<double>(histories_.rows);
    for (std::size_t u = 0; u < users; ++u) {
      const ListMeasures one = measure_list(lists_[u], judged_[u].relevant, k);
      recall[u] = one.recall;
      ndcg[u] = one.ndcg;
      map[u] = one.average_precision;
      mrr[u] = one.reciprocal_rank;
      hit[u] = one.hit;
      const std::size_t length =
          std::min<std::size_t>(lists_[u].size(), static_cast<std::size_t>(k));
      double popularity = 0;
      for (std::size_t i = 0; i < length; ++i) {
        const std::int32_t item = lists_[u][i];
        shown[static_cast<std::size_t>(item)] = 1;
        popularity += users_of(item);
        // An item that nobody has is as surprising as one that one user has.
        novelty[u] -= math::log(std::max(1.0, users_of(item)) / everybody) / 0.6931471805599453;
      }
      if (length == 0) continue;
      novelty[u] /= static_cast<double>(length);
      double of_history = 0;
      const auto history = histories_.columns_of(judged_[u].user);
      for (const std::int32_t item : history) of_history += users_of(item);
      bias[u] = popularity / static_cast<double>(length) /
                (of_history / static_cast<double>(history.size()));
    }
    const std::string at = "@" + std::to_string(k);
    measures.emplace_back("recall" + at, std::move(recall));
    measures.emplace_back("ndcg" + at, std::move(ndcg));
    measures.emplace_back("map" + at, std::move(map));
    measures.emplace_back("mrr" + at, std::move(mrr));
    measures.emplace_back("hit_rate" + at, std::move(hit));
    measures.emplace_back("novelty" + at, std::move(novelty));
    measures.emplace_back("popularity_bias" + at, std::move(bias));
    const double coverage = static_cast<double>(std::count(shown.begin(), shown.end(), 1)) /
                            static_cast<double>(shown.size());
    of_whole.push_back({"coverage" + at, coverage, coverage, coverage, static_cast<Index>(users)});
  }

  [[nodiscard]] RecommendationMetric diversity(Index k, double z) const {
    const std::size_t users = judged_.size();
    const std::size_t sample = std::min(users, most_diverse);
    std::vector<double> values(sample, 0);
    parallel_for(engine_.threads(), static_cast<Index>(sample), [&](Index s) {
      const auto u = static_cast<std::size_t>(s) * users / sample;
      const std::size_t length =
          std::min<std::size_t>(lists_[u].size(), static_cast<std::size_t>(k));
      double sum = 0;
      for (std::size_t a = 0; a < length; ++a) {
        for (std::size_t b = a + 1; b < length; ++b) {
          sum += 1 - likeness(by_item_.columns_of(lists_[u][a]), by_item_.columns_of(lists_[u][b]));
        }
      }
      if (length > 1) {
        values[static_cast<std::size_t>(s)] =
            sum / (static_cast<double>(length) * static_cast<double>(length - 1) / 2);
      }
    });
    std::vector<std::size_t> all(sample);
    for (std::size_t s = 0; s < sample; ++s) all[s] = s;
    return mean_of("diversity@" + std::to_string(k), values, all, z);
  }

  // Over the whole catalogue: each relevant item has the rank that its score gives it among all
  // items that are not in the history.
  [[nodiscard]] std::vector<double> full_ndcg() const {
    std::vector<double> ndcg(judged_.size());
    parallel_for(engine_.threads(), static_cast<Index>(judged_.size()), [&](Index at) {
      const Judged& one = judged_[static_cast<std::size_t>(at)];
      std::vector<HistoryItem> history;
      const auto columns = histories_.columns_of(one.user);
      const auto values = histories_.values_of(one.user);
      for (std::size_t i = 0; i < columns.size(); ++i) history.push_back({columns[i], values[i]});
      std::vector<double> scores(static_cast<std::size_t>(histories_.cols));
      model_.score(history, scores);
      for (const std::int32_t item : columns) {
        scores[static_cast<std::size_t>(item)] = -std::numeric_limits<double>::infinity();
      }
      double gain = 0;
      for (const std::int32_t item : one.relevant) {
        const ScoredItem own{item, scores[static_cast<std::size_t>(item)]};
        Index rank = 1;
        for (std::size_t i = 0; i < scores.size(); ++i) {
          rank += ranks_before({static_cast<std::int32_t>(i), scores[i]}, own) ? 1 : 0;
        }
        gain += discount(rank);
      }
      ndcg[static_cast<std::size_t>(at)] =
          gain / ideal_gain(static_cast<Index>(one.relevant.size()));
    });
    return ndcg;
  }

  void segments(const std::vector<std::pair<std::string, std::vector<double>>>& measures, double z,
                RecommendationReport& report) const {
    const auto& borders = options_.segments;
    for (std::size_t s = 0; s <= borders.size() && !borders.empty(); ++s) {
      const std::int64_t from = s == 0 ? 1 : borders[s - 1];
      const std::int64_t to = s == borders.size() ? 0 : borders[s] - 1;  // 0: no end
      std::vector<std::size_t> users;
      for (std::size_t u = 0; u < judged_.size(); ++u) {
        const auto size = static_cast<std::int64_t>(histories_.columns_of(judged_[u].user).size());
        if (size >= from && (to == 0 || size <= to)) users.push_back(u);
      }
      if (users.empty()) continue;
      RecommendationSegment segment;
      segment.name = to == 0      ? std::to_string(from) + " items or more"
                     : from == to ? std::to_string(from) + (from == 1 ? " item" : " items")
                                  : std::to_string(from) + " to " + std::to_string(to) + " items";
      segment.users = static_cast<Index>(users.size());
      for (const auto& [name, values] : measures) {
        segment.metrics.push_back(mean_of(name, values, users, z));
      }
      report.segments.push_back(std::move(segment));
    }
  }

  Engine& engine_;
  const Recommender& model_;
  const RecommendationMetricOptions& options_;
  SparseMatrix<double> histories_;
  SparseMatrix<double> by_item_;
  RecommendationReport found_;
  std::vector<Judged> judged_;
  std::vector<std::vector<std::int32_t>> lists_;
};

nlohmann::json metrics_json(const std::vector<RecommendationMetric>& metrics) {
  nlohmann::json json = nlohmann::json::object();
  for (const RecommendationMetric& metric : metrics) {
    json[metric.name] = {{"value", metric.value},
                         {"low", metric.low},
                         {"high", metric.high},
                         {"users", metric.users}};
  }
  return json;
}

}  // namespace

ListMeasures measure_list(std::span<const std::int32_t> ranked,
                          std::span<const std::int32_t> relevant, Index k) {
  ListMeasures made;
  const Index best = std::min(k, static_cast<Index>(relevant.size()));
  if (best < 1) return made;
  Index hits = 0;
  const Index length = std::min(k, static_cast<Index>(ranked.size()));
  for (Index rank = 1; rank <= length; ++rank) {
    if (!std::binary_search(relevant.begin(), relevant.end(),
                            ranked[static_cast<std::size_t>(rank - 1)])) {
      continue;
    }
    if (hits == 0) made.reciprocal_rank = 1 / static_cast<double>(rank);
    ++hits;
    made.ndcg += discount(rank);
    made.average_precision += static_cast<double>(hits) / static_cast<double>(rank);
  }
  made.recall = static_cast<double>(hits) / static_cast<double>(best);
  made.ndcg /= ideal_gain(best);
  made.average_precision /= static_cast<double>(best);
  made.hit = hits > 0 ? 1 : 0;
  return made;
}

void RecommendationMetricOptions::visit(OptionVisitor& visitor) {
  visitor.integers("at", at, "lengths of the lists that are judged", 1, 1024);
  visitor.flag("full_ranking", full_ranking, "also NDCG over the whole catalogue");
  visitor.real("confidence", confidence, "of the intervals", 0.5, 0.9999);
  visitor.integers("segments", segments,
                   "borders of segments of users by the number of items in their history", 2,
                   1'000'000'000);
}

void RecommendationMetricOptions::check() const {
  if (at.empty()) throw InputError(option("at") + " is empty: expected lengths such as 5,10");
  if (std::set<std::int64_t>(at.begin(), at.end()).size() != at.size()) {
    throw InputError(option("at") + " has a length twice");
  }
  if (!std::is_sorted(segments.begin(), segments.end()) ||
      std::adjacent_find(segments.begin(), segments.end()) != segments.end()) {
    throw InputError(option("segments") + " do not ascend");
  }
}

double RecommendationReport::value(std::string_view metric) const {
  for (const RecommendationMetric& one : metrics) {
    if (one.name == metric) return one.value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::string RecommendationReport::to_json() const {
  nlohmann::json json;
  json["metrics"] = metrics_json(metrics);
  json["segments"] = nlohmann::json::array();
  for (const RecommendationSegment& segment : segments) {
    json["segments"].push_back({{"name", segment.name},
                                {"users", segment.users},
                                {"metrics", metrics_json(segment.metrics)}});
  }
  json["users"] = users;
  json["users_without_history"] = users_without_history;
  json["users_without_test"] = users_without_test;
  return json_text(json);
}

RecommendationReport evaluate_recommender(Engine& engine, const Recommender& model,
                                          const Interactions& train, const Interactions& test,
                                          const RecommendationMetricOptions& options,
                                          RunControl* control) {
  check_options(options);
  if (train.users != test.users || train.items != test.items) {
    throw InputError("the training and the test part do not number the same users and items");
  }
  if (model.items() != train.items) {
    throw InputError("the model was trained on other items than these, " +
                     std::to_string(model.item_count()) + " and not " +
                     std::to_string(train.items.size()));
  }
  const StopScope scope(control);
  return Evaluator(engine, model, train, test, options).run(control);
}

}  // namespace tandem
