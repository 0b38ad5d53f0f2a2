#include "tandem/recommend/item_weights_recommender.hpp"

#include "core/json_text.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/item_scores.hpp"
#include "core/recommend/row_sums.hpp"

namespace tandem {

void ItemWeightsRecommender::score(UserHistory history, std::span<double> scores) const {
  check_history(history);
  add_rows(weights, sorted_history(history), scores);
}

TopItems ItemWeightsRecommender::top_items(Engine& engine, const SparseView<double>& histories,
                                           Index n, const ItemFilter& filter) const {
  if (n < 1 || n > most_row_sums) return Recommender::top_items(engine, histories, n, filter);
  check_histories(histories, filter);
  RowSums rows(engine, weights);
  return top_by_row_sums(rows, item_count(), histories, n, filter, silent_at_zero(),
                         [](const std::vector<std::vector<HistoryItem>>& users) {
                           RowQueries queries;
                           for (const auto& history : users) queries.add(history);
                           return queries;
                         });
}

Explanation ItemWeightsRecommender::because(UserHistory history, std::int32_t item,
                                            Index most) const {
  check_item(item);
  const std::int32_t items[] = {item};
  const double score = score_items(history, items).front();
  return explanation_of(score, parts_of_row_sums(weights, sorted_history(history), item), most);
}

std::vector<ScoredItem> ItemWeightsRecommender::similar_items(std::int32_t item, Index n,
                                                              const ItemFilter& filter) const {
  check_item(item);
  for (const std::int32_t other : filter.leave_out) check_item(other);
  const HistoryItem itself{item, 1};
  std::vector<double> scores(static_cast<std::size_t>(item_count()));
  score(UserHistory(&itself, 1), scores);
  const std::vector<std::uint8_t> may = answerable(item_count(), {}, filter);
  return best_of(scores, n, [&](const ScoredItem& one) {
    return one.score > 0 && one.item != item && may[static_cast<std::size_t>(one.item)] != 0;
  });
}

void ItemWeightsRecommender::save(Archive& archive) const { save_sparse(archive, weights); }

std::string ItemWeightsRecommender::to_json() const {
  return json_text(
      {{"algorithm", algorithm()}, {"items", item_count()}, {"weights", weights.size()}});
}

}  // namespace tandem
