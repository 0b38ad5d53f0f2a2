// Item-kNN: weights, neighbours, scores.
#include "tandem/recommend/item_knn.hpp"

#include <cmath>
#include <sstream>

#include "core/json_text.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/item_knn_steps.hpp"
#include "core/recommend/item_scores.hpp"
#include "core/recommend/knn_options.hpp"
#include "core/recommend/knn_weights.hpp"
#include "core/recommend/row_sums.hpp"
#include "core/steps.hpp"

namespace tandem {
namespace {

KnnProblem make_problem(Engine& engine, const SparseMatrix<double>& users,
                        const ItemKnnOptions& options) {
  KnnWeights weights = knn_weights(weighted_for_knn(users, options));
  const SparseMatrix<double> items = transposed(weights.values.view());
  const auto narrowed = [](const std::vector<double>& values) {
    std::vector<std::int32_t> made;
    made.reserve(values.size());
    for (const double value : values) made.push_back(static_cast<std::int32_t>(value));
    return made;
  };
  std::vector<std::int64_t> norms(static_cast<std::size_t>(items.rows), 0);
  for (Index i = 0; i < items.rows; ++i) {
    for (const double value : items.values_of(i)) {
      const auto whole = static_cast<std::int64_t>(value);
      norms[static_cast<std::size_t>(i)] += whole * whole;
    }
  }
  KnnProblem problem;
  problem.users = weights.values.rows;
  problem.items = weights.values.cols;
  problem.user_offsets = to_engine(engine, weights.values.offsets);
  problem.user_items = to_engine(engine, weights.values.columns);
  problem.user_weights = to_engine(engine, narrowed(weights.values.values));
  problem.item_offsets = to_engine(engine, items.offsets);
  problem.item_users = to_engine(engine, items.columns);
  problem.item_weights = to_engine(engine, narrowed(items.values));
  problem.norms = to_engine(engine, norms);
  problem.similarity = options.similarity;
  problem.shrinkage = options.similarity == KnnSimilarity::jaccard
                          ? options.shrinkage
                          : options.shrinkage / (weights.unit * weights.unit);
  problem.narrow = weights.narrow;
  return problem;
}

}  // namespace

void ItemKnnOptions::visit(OptionVisitor& visitor) { visit_knn(*this, visitor); }

void ItemKnnOptions::check() const {}

std::unique_ptr<ItemKnnModel> fit(Engine& engine, const RecommenderData& data,
                                  const ItemKnnOptions& options, RunControl* control) {
  check_options(options);
  require_events(data.interactions);
  const StopScope scope(control);
  const KnnProblem problem =
      make_problem(engine, interaction_matrix<double>(data.interactions), options);
  const Index n = std::min<Index>(options.neighbours, std::max<Index>(1, problem.items - 1));
  Buffer<std::int32_t> items(engine, problem.items * n);
  Buffer<double> likeness(engine, problem.items * n);
  make_steps<ItemKnnStepsOf, double>(engine)->neighbours(problem, n, items, likeness);
  const std::vector<std::int32_t> numbers = items.to_host();
  const std::vector<double> values = likeness.to_host();
  auto model = std::make_unique<ItemKnnModel>();
  model->similarity = options.similarity;
  SparseMatrix<double>& made = model->neighbours;
  made.rows = made.cols = problem.items;
  std::vector<std::pair<std::int32_t, double>> row;
  for (Index i = 0; i < problem.items; ++i) {
    row.clear();
    for (Index k = 0; k < n; ++k) {
      const auto at = static_cast<std::size_t>(i * n + k);
      if (numbers[at] >= 0) row.emplace_back(numbers[at], values[at]);
    }
    std::sort(row.begin(), row.end());
    for (const auto& [column, value] : row) {
      made.columns.push_back(column);
      made.values.push_back(value);
    }
    made.offsets.push_back(made.size());
  }
  TrainingLog log;
  log.converged = true;
  log.stopped_because = "neighbours have a closed form";
  set_common(*model, data.interactions, std::move(log));
  return model;
}

void ItemKnnModel::score(UserHistory history, std::span<double> scores) const {
  check_history(history);
  add_rows(neighbours, sorted_history(history), scores);
}

TopItems ItemKnnModel::top_items(Engine& engine, const SparseView<double>& histories, Index n,
                                 const ItemFilter& filter) const {
  if (n < 1 || n > most_row_sums) return Recommender::top_items(engine, histories, n, filter);
  check_histories(histories, filter);
  RowSums rows(engine, neighbours);
  return top_by_row_sums(rows, item_count(), histories, n, filter, silent_at_zero(),
                         [](const std::vector<std::vector<HistoryItem>>& users) {
                           RowQueries queries;
                           for (const auto& history : users) queries.add(history);
                           return queries;
                         });
}

Explanation ItemKnnModel::because(UserHistory history, std::int32_t item, Index most) const {
  check_item(item);
  const std::int32_t items[] = {item};
  const double score = score_items(history, items).front();
  return explanation_of(score, parts_of_row_sums(neighbours, sorted_history(history), item), most);
}

std::vector<ScoredItem> ItemKnnModel::similar_items(std::int32_t item, Index n,
                                                    const ItemFilter& filter) const {
  check_item(item);
  for (const std::int32_t other : filter.leave_out) check_item(other);
  std::vector<double> scores(static_cast<std::size_t>(item_count()), 0.0);
  const auto columns = neighbours.columns_of(item);
  const auto values = neighbours.values_of(item);
  for (std::size_t k = 0; k < columns.size(); ++k) {
    scores[static_cast<std::size_t>(columns[k])] = values[k];
  }
  const std::vector<std::uint8_t> may = answerable(item_count(), {}, filter);
  return best_of(scores, n, [&](const ScoredItem& one) {
    return one.score > 0 && one.item != item && may[static_cast<std::size_t>(one.item)] != 0;
  });
}

void ItemKnnModel::save(Archive& archive) const {
  archive.set("similarity", to_string(similarity));
  save_sparse(archive, neighbours);
}

std::unique_ptr<ItemKnnModel> ItemKnnModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<ItemKnnModel>();
  model->similarity = parse_enum<KnnSimilarity>("similarity", archive.get_string("similarity"));
  model->neighbours = load_sparse<double>(archive, items, items);
  return model;
}

std::string ItemKnnModel::to_json() const {
  return json_text({{"algorithm", algorithm()},
                    {"items", item_count()},
                    {"similarity", to_string(similarity)},
                    {"neighbours", neighbours.size()}});
}

std::string ItemKnnModel::to_text() const {
  std::ostringstream out;
  out << "item-kNN by " << to_string(similarity) << ": " << neighbours.size() << " neighbours of "
      << item_count() << " items\n";
  return out.str();
}

}  // namespace tandem
