// EASE: the Gram matrix of the items, its inverse, and weights.
#include "tandem/recommend/ease.hpp"

#include <cmath>
#include <sstream>

#include "core/memory.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/item_gram.hpp"
#include "core/recommend/spd_inverse_steps.hpp"

namespace tandem {

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
  Buffer<double> a = to_engine(engine, item_gram(engine, users, options.regularization));
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

std::unique_ptr<EaseModel> EaseModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<EaseModel>();
  model->weights = load_sparse<double>(archive, items, items);
  return model;
}

std::string EaseModel::to_text() const {
  std::ostringstream out;
  out << "EASE: " << weights.size() << " weights of " << item_count() << " items\n";
  return out.str();
}

}  // namespace tandem
