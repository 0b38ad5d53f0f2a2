// EASE: the Gram matrix of the items, its inverse, and weights.
#include "tandem/recommend/ease.hpp"

#include <cmath>
#include <sstream>

#include "core/json_text.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/item_scores.hpp"
#include "core/recommend/knn_weights.hpp"
#include "core/recommend/spd_inverse_steps.hpp"

namespace tandem {
namespace {

// XᵀX + λI, items × items. Weights are whole numbers times a unit, so that products and sums are
// exact in 64 bits, whatever their order; each is rounded to double once, and scaled by a power of
// two.
std::vector<double> gram_of(const Engine& engine, const SparseMatrix<double>& users,
                            double lambda) {
  const KnnWeights weights = knn_weights(users);
  const SparseMatrix<double> items = transposed(weights.values.view());
  const Index n = items.rows;
  const double unit = weights.unit * weights.unit;
  std::vector<double> gram(static_cast<std::size_t>(n * n));
  parallel_pieces(engine.threads(), n, 16, [&](const Piece& piece) {
    std::vector<std::int64_t> row(static_cast<std::size_t>(n));
    for (Index i = piece.begin; i < piece.end; ++i) {
      std::fill(row.begin(), row.end(), 0);
      const auto of_item = items.columns_of(i);
      for (std::size_t p = 0; p < of_item.size(); ++p) {
        const auto own = static_cast<std::int64_t>(items.values_of(i)[p]);
        const auto columns = weights.values.columns_of(of_item[p]);
        const auto values = weights.values.values_of(of_item[p]);
        for (std::size_t k = 0; k < columns.size(); ++k) {
          row[static_cast<std::size_t>(columns[k])] += own * static_cast<std::int64_t>(values[k]);
        }
      }
      for (Index j = 0; j < n; ++j) {
        gram[static_cast<std::size_t>(i * n + j)] =
            static_cast<double>(row[static_cast<std::size_t>(j)]) * unit + (i == j ? lambda : 0.0);
      }
    }
  });
  return gram;
}

}  // namespace

void EaseOptions::visit(OptionVisitor& visitor) {
  visitor.real({"regularization", {"lambda", "l2"}}, regularization,
               "added to the diagonal of the items' products", 0, 1e12);
  visitor.integer("keep", keep,
                  "weights kept of each item of the history, the largest in magnitude; 0: all", 0,
                  1'000'000'000);
}

void EaseOptions::check() const {
  if (!(regularization > 0)) {
    throw InputError(option("regularization") +
                     " is 0: items that the same users have cannot be told apart; expected a "
                     "number above 0");
  }
}

std::unique_ptr<EaseModel> fit(Engine& engine, const RecommenderData& data,
                               const EaseOptions& options, RunControl* control) {
  check_options(options);
  require_events(data.interactions);
  const StopScope scope(control);
  const auto n = static_cast<Index>(data.interactions.items.size());
  // The matrix, its copy on the engine, the factor's inverse, and the model.
  require_memory("ease: matrices of " + std::to_string(n) + " by " + std::to_string(n) + " items",
                 saturating_product(saturating_product(n, n), 36),
                 "take another algorithm, or fewer items");
  const SparseMatrix<double> users = interaction_matrix<double>(data.interactions);
  Buffer<double> a = to_engine(engine, gram_of(engine, users, options.regularization));
  invert_spd(engine, n, a,
             "ease: the items' products are singular to working precision; take a larger " +
                 option("regularization"));
  const std::vector<double> p = a.to_host();
  auto model = std::make_unique<EaseModel>();
  SparseMatrix<double>& made = model->weights;
  made.rows = made.cols = n;
  const Index kept = options.keep == 0 ? n : std::min(n, options.keep);
  std::vector<std::pair<double, std::int32_t>> row;
  for (Index j = 0; j < n; ++j) {
    // B_ji = −P_ji / P_ii: what item j of a history says of item i.
    row.clear();
    for (Index i = 0; i < n; ++i) {
      if (i == j) continue;
      const double weight =
          -p[static_cast<std::size_t>(j * n + i)] / p[static_cast<std::size_t>(i * n + i)];
      if (weight != 0) row.emplace_back(weight, static_cast<std::int32_t>(i));
    }
    if (static_cast<Index>(row.size()) > kept) {
      std::nth_element(row.begin(), row.begin() + kept, row.end(),
                       [](const auto& x, const auto& y) {
                         const double a_size = std::abs(x.first);
                         const double b_size = std::abs(y.first);
                         return a_size > b_size || (a_size == b_size && x.second < y.second);
                       });
      row.resize(static_cast<std::size_t>(kept));
      std::sort(row.begin(), row.end(),
                [](const auto& x, const auto& y) { return x.second < y.second; });
    }
    for (const auto& [weight, item] : row) {
      made.columns.push_back(item);
      made.values.push_back(weight);
    }
    made.offsets.push_back(made.size());
  }
  TrainingLog log;
  log.converged = true;
  log.stopped_because = "weights have a closed form";
  set_common(*model, data.interactions, std::move(log));
  return model;
}

void EaseModel::score(UserHistory history, std::span<double> scores) const {
  check_history(history);
  add_rows(weights, sorted_history(history), scores);
}

Explanation EaseModel::because(UserHistory history, std::int32_t item, Index most) const {
  check_item(item);
  const std::int32_t items[] = {item};
  const double score = score_items(history, items).front();
  return explanation_of(score, parts_of_row_sums(weights, sorted_history(history), item), most);
}

std::vector<ScoredItem> EaseModel::similar_items(std::int32_t item, Index n,
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

void EaseModel::save(Archive& archive) const { save_sparse(archive, weights); }

std::unique_ptr<EaseModel> EaseModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<EaseModel>();
  model->weights = load_sparse<double>(archive, items, items);
  return model;
}

std::string EaseModel::to_json() const {
  return json_text(
      {{"algorithm", algorithm()}, {"items", item_count()}, {"weights", weights.size()}});
}

std::string EaseModel::to_text() const {
  std::ostringstream out;
  out << "EASE: " << weights.size() << " weights of " << item_count() << " items\n";
  return out.str();
}

}  // namespace tandem
