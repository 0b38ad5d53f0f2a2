// User-kNN: the nearest training users of a history, and what they have.
#include "tandem/recommend/user_knn.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/json_text.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/item_scores.hpp"
#include "core/recommend/knn_options.hpp"
#include "core/recommend/row_sums.hpp"

namespace tandem {
namespace {

double sum_of_squares(std::span<const double> values) {
  return long_sum(static_cast<Index>(values.size()), [&](Index k) {
    const double value = values[static_cast<std::size_t>(k)];
    return value * value;
  });
}

}  // namespace

void UserKnnOptions::visit(OptionVisitor& visitor) { visit_knn(*this, visitor); }

void UserKnnOptions::check() const {}

std::unique_ptr<UserKnnModel> fit(Engine& /*engine*/, const RecommenderData& data,
                                  const UserKnnOptions& options, RunControl* control) {
  check_options(options);
  require_events(data.interactions);
  const StopScope scope(control);
  const SparseMatrix<double> users = interaction_matrix<double>(data.interactions);
  auto model = std::make_unique<UserKnnModel>();
  model->options = options;
  model->histories = weighted_for_knn(users, options);
  if (options.similarity == KnnSimilarity::bm25) {
    const Bm25 facts = bm25_of(users);
    model->item_weights = facts.idf;
    model->mean_length = facts.mean_length;
  }
  model->prepare();
  TrainingLog log;
  log.converged = true;
  log.stopped_because = "histories are kept as they are";
  set_common(*model, data.interactions, std::move(log));
  return model;
}

void UserKnnModel::prepare() {
  by_item_ = transposed(histories.view());
  norms_.resize(static_cast<std::size_t>(histories.rows));
  for (Index u = 0; u < histories.rows; ++u) {
    norms_[static_cast<std::size_t>(u)] = sum_of_squares(histories.values_of(u));
  }
  item_norms_.resize(static_cast<std::size_t>(by_item_.rows));
  for (Index i = 0; i < by_item_.rows; ++i) {
    item_norms_[static_cast<std::size_t>(i)] = sum_of_squares(by_item_.values_of(i));
  }
}

std::vector<HistoryItem> UserKnnModel::weighted(UserHistory history) const {
  check_history(history);
  std::vector<HistoryItem> made = sorted_history(history);
  std::erase_if(made, [](const HistoryItem& one) { return !(one.weight > 0); });
  if (options.similarity == KnnSimilarity::jaccard) {
    for (HistoryItem& one : made) one.weight = 1;
  } else if (options.similarity == KnnSimilarity::bm25) {
    const double length = long_sum(static_cast<Index>(made.size()), [&](Index k) {
      return made[static_cast<std::size_t>(k)].weight;
    });
    for (HistoryItem& one : made) {
      one.weight = bm25_weight(options, one.weight, length, mean_length,
                               item_weights[static_cast<std::size_t>(one.item)]);
    }
  }
  return made;
}

std::vector<UserKnnModel::Neighbour> UserKnnModel::nearest(
    const std::vector<HistoryItem>& history) const {
  std::vector<double> products(static_cast<std::size_t>(histories.rows));
  add_rows(by_item_, history, products);
  std::vector<double> weights;
  for (const HistoryItem& one : history) weights.push_back(one.weight);
  const double norm = sum_of_squares(weights);
  std::vector<double> likeness(products.size(), 0.0);
  for (std::size_t u = 0; u < products.size(); ++u) {
    if (!(products[u] > 0)) continue;
    likeness[u] = options.similarity == KnnSimilarity::jaccard
                      ? products[u] / (norm + norms_[u] - products[u] + options.shrinkage)
                      : products[u] / (std::sqrt(norm) * std::sqrt(norms_[u]) + options.shrinkage);
  }
  std::vector<Neighbour> found;
  for (const ScoredItem& one : best_of(likeness, options.neighbours,
                                       [](const ScoredItem& each) { return each.score > 0; })) {
    found.push_back({one.item, one.score, products[static_cast<std::size_t>(one.item)]});
  }
  std::sort(found.begin(), found.end(),
            [](const Neighbour& a, const Neighbour& b) { return a.user < b.user; });
  return found;
}

void UserKnnModel::score(UserHistory history, std::span<double> scores) const {
  std::vector<HistoryItem> weights;
  for (const Neighbour& one : nearest(weighted(history))) {
    weights.push_back({one.user, one.likeness});
  }
  add_rows(histories, weights, scores);
}

TopItems UserKnnModel::top_items(Engine& engine, const SparseView<double>& histories_of_askers,
                                 Index n, const ItemFilter& filter) const {
  if (n < 1 || n > most_row_sums || options.neighbours > most_row_sums) {
    return Recommender::top_items(engine, histories_of_askers, n, filter);
  }
  check_histories(histories_of_askers, filter);
  RowSums users(engine, by_item_, norms_);
  RowSums answers(engine, histories);
  // The nearest users of each history, ascending, with their likeness.
  const auto nearest_of = [&](const std::vector<std::vector<HistoryItem>>& askers) {
    RowQueries queries;
    std::vector<double> norms;
    for (const auto& history : askers) {
      const std::vector<HistoryItem> own = weighted(history);
      queries.add(own);
      std::vector<double> weights;
      for (const HistoryItem& one : own) weights.push_back(one.weight);
      norms.push_back(sum_of_squares(weights));
    }
    const RowLikeness likeness{
        options.similarity == KnnSimilarity::jaccard ? RowScore::jaccard : RowScore::cosine, norms,
        options.shrinkage};
    const Index most = std::min<Index>(options.neighbours, histories.rows);
    const RowSums::Best best = users.top(queries, most, likeness, nullptr, {}, true);
    RowQueries found;
    std::vector<HistoryItem> own;
    for (Index q = 0; q < queries.size(); ++q) {
      own.clear();
      for (Index k = 0; k < most; ++k) {
        const auto at = static_cast<std::size_t>(q * most + k);
        if (best.columns[at] >= 0) own.push_back({best.columns[at], best.scores[at]});
      }
      std::sort(own.begin(), own.end(),
                [](const HistoryItem& a, const HistoryItem& b) { return a.item < b.item; });
      found.add(own);
    }
    return found;
  };
  return top_by_row_sums(answers, item_count(), histories_of_askers, n, filter, silent_at_zero(),
                         nearest_of);
}

Explanation UserKnnModel::because(UserHistory history, std::int32_t item, Index most) const {
  check_item(item);
  const std::int32_t items[] = {item};
  const double score = score_items(history, items).front();
  const std::vector<HistoryItem> own = weighted(history);
  std::vector<Contribution> parts;
  for (const HistoryItem& one : own) parts.push_back({one.item, 0});
  for (const Neighbour& neighbour : nearest(own)) {
    const auto columns = histories.columns_of(neighbour.user);
    const auto values = histories.values_of(neighbour.user);
    const auto weight_of = [&](std::int32_t of) {
      const auto at = std::lower_bound(columns.begin(), columns.end(), of);
      return at == columns.end() || *at != of
                 ? 0.0
                 : values[static_cast<std::size_t>(at - columns.begin())];
    };
    const double carried = neighbour.likeness * weight_of(item);
    if (carried == 0) continue;
    for (std::size_t k = 0; k < own.size(); ++k) {
      parts[k].part += carried * (own[k].weight * weight_of(own[k].item) / neighbour.product);
    }
  }
  std::erase_if(parts, [](const Contribution& part) { return part.part == 0; });
  return explanation_of(score, std::move(parts), most);
}

std::vector<ScoredItem> UserKnnModel::similar_items(std::int32_t item, Index n,
                                                    const ItemFilter& filter) const {
  check_item(item);
  for (const std::int32_t other : filter.leave_out) check_item(other);
  const auto users = by_item_.columns_of(item);
  const auto values = by_item_.values_of(item);
  std::vector<HistoryItem> weights;
  for (std::size_t k = 0; k < users.size(); ++k) weights.push_back({users[k], values[k]});
  std::vector<double> scores(static_cast<std::size_t>(item_count()));
  add_rows(histories, weights, scores);
  const double norm = item_norms_[static_cast<std::size_t>(item)];
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!(scores[i] > 0)) continue;
    scores[i] = options.similarity == KnnSimilarity::jaccard
                    ? scores[i] / (norm + item_norms_[i] - scores[i] + options.shrinkage)
                    : scores[i] / (std::sqrt(norm) * std::sqrt(item_norms_[i]) + options.shrinkage);
  }
  const std::vector<std::uint8_t> may = answerable(item_count(), {}, filter);
  return best_of(scores, n, [&](const ScoredItem& one) {
    return one.score > 0 && one.item != item && may[static_cast<std::size_t>(one.item)] != 0;
  });
}

void UserKnnModel::save(Archive& archive) const {
  UserKnnOptions copy = options;
  archive.set_part("options", record_options([&](OptionVisitor& visitor) { copy.visit(visitor); }));
  archive.set("users", histories.rows);
  archive.set("mean_length", mean_length);
  archive.set_tensor("item_weights", std::vector<double>(item_weights));
  save_sparse(archive, histories);
}

std::unique_ptr<UserKnnModel> UserKnnModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<UserKnnModel>();
  restore_options([&](OptionVisitor& visitor) { model->options.visit(visitor); },
                  archive.part("options"));
  const Index users = archive.get_int("users", 1, std::numeric_limits<std::int32_t>::max());
  model->histories = load_sparse<double>(archive, users, items);
  for (const double value : model->histories.values) {
    if (!(value >= 0)) archive.fail("values", "has a negative one");
  }
  const bool weighs = model->options.similarity == KnnSimilarity::bm25;
  model->item_weights = archive.get_tensor<double>("item_weights", weighs ? items : 0);
  for (const double value : model->item_weights) {
    if (!(value >= 0) || !std::isfinite(value)) {
      archive.fail("item_weights", "has a value that is negative or not finite");
    }
  }
  model->mean_length = archive.get_double("mean_length");
  if (!std::isfinite(model->mean_length) || (weighs && !(model->mean_length > 0))) {
    archive.fail("mean_length", "is not finite, or not above 0");
  }
  model->prepare();
  return model;
}

std::string UserKnnModel::to_json() const {
  return json_text({{"algorithm", algorithm()},
                    {"items", item_count()},
                    {"users", histories.rows},
                    {"similarity", to_string(options.similarity)},
                    {"neighbours", options.neighbours}});
}

std::string UserKnnModel::to_text() const {
  std::ostringstream out;
  out << "user-kNN by " << to_string(options.similarity) << ": the " << options.neighbours
      << " nearest of " << histories.rows << " users, " << item_count() << " items\n";
  return out.str();
}

}  // namespace tandem
