// Popularity and trending: one score per item, a long sum over its events.
#include "tandem/recommend/popularity.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "core/json_text.hpp"
#include "core/parallel.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/selection.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

void PopularityOptions::visit(OptionVisitor& visitor) {
  visitor.real("half_life_days", half_life_days,
               "days after which an event counts half; 0: all events count alike", 0, 1e6);
}

void PopularityOptions::check() const {}

std::unique_ptr<PopularityModel> fit(Engine& engine, const RecommenderData& data,
                                     const PopularityOptions& options, RunControl* control) {
  check_options(options);
  const StopScope scope(control);
  const Interactions& events = data.interactions;
  if (options.half_life_days > 0 && !events.has_times()) {
    throw InputError(option("half_life_days") + ": " + events.source +
                     " has no times; name their column by " + option("time"));
  }
  auto model = std::make_unique<PopularityModel>();
  model->half_life_days = options.half_life_days;
  double last = 0;
  if (events.has_times()) last = *std::max_element(events.time.begin(), events.time.end());
  model->as_of = last;
  // The events of each item in the order of the file.
  const auto items = events.items.size();
  std::vector<Index> begin(items + 1, 0);
  for (const std::int32_t item : events.item) ++begin[static_cast<std::size_t>(item) + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<Index> next(begin.begin(), begin.end() - 1);
  std::vector<Index> order(events.item.size());
  for (Index e = 0; e < events.size(); ++e) {
    order[static_cast<std::size_t>(
        next[static_cast<std::size_t>(events.item[static_cast<std::size_t>(e)])]++)] = e;
  }
  // 2^(−age / half-life) = exp(−age · ln 2 / half-life), the same bits everywhere.
  const double rate =
      options.half_life_days > 0 ? 0.6931471805599453 / (options.half_life_days * 86400) : 0;
  model->scores.resize(items);
  parallel_for(engine.threads(), static_cast<Index>(items), [&](Index i) {
    const Index first = begin[static_cast<std::size_t>(i)];
    model->scores[static_cast<std::size_t>(i)] =
        long_sum(begin[static_cast<std::size_t>(i) + 1] - first, [&](Index k) {
          const auto e = static_cast<std::size_t>(order[static_cast<std::size_t>(first + k)]);
          const double weight = events.weight_of(static_cast<Index>(e));
          return rate > 0 ? weight * math::exp(-(last - events.time[e]) * rate) : weight;
        });
  });
  set_common(*model, events, {});
  return model;
}

void PopularityModel::score(UserHistory history, std::span<double> to) const {
  check_history(history);
  std::copy(scores.begin(), scores.end(), to.begin());
}

Explanation PopularityModel::because(UserHistory history, std::int32_t item, Index /*most*/) const {
  check_history(history);
  check_item(item);
  const double score = scores[static_cast<std::size_t>(item)];
  return {score, {}, score};
}

std::vector<ScoredItem> PopularityModel::similar_items(std::int32_t item, Index n,
                                                       const ItemFilter& filter) const {
  check_item(item);
  const HistoryItem itself{item, 1};
  return top_items(UserHistory(&itself, 1), n, filter);
}

void PopularityModel::save(Archive& archive) const {
  archive.set_tensor("scores", std::vector<double>(scores));
  archive.set("half_life_days", half_life_days);
  archive.set("as_of", as_of);
}

std::unique_ptr<PopularityModel> PopularityModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<PopularityModel>();
  model->scores = archive.get_tensor<double>("scores", items);
  for (const double score : model->scores) {
    if (!(score >= 0) || !std::isfinite(score)) {
      archive.fail("scores", "has a value that is negative or not finite");
    }
  }
  model->half_life_days = archive.get_double("half_life_days");
  model->as_of = archive.get_double("as_of");
  if (!(model->half_life_days >= 0) || !std::isfinite(model->as_of)) {
    archive.fail("half_life_days", "is negative, or the time not finite");
  }
  return model;
}

std::string PopularityModel::to_json() const {
  return json_text({{"algorithm", algorithm()},
                    {"items", item_count()},
                    {"half_life_days", half_life_days},
                    {"as_of", as_of}});
}

std::string PopularityModel::to_text() const {
  std::ostringstream out;
  out << "popularity of " << item_count() << " items";
  if (half_life_days > 0) out << ", events count half after " << half_life_days << " days";
  out << "\n";
  return out.str();
}

}  // namespace tandem
