// SLIM: the items' products, and coordinate descent item by item.
#include "tandem/recommend/slim.hpp"

#include <algorithm>
#include <sstream>

#include "core/memory.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/item_gram.hpp"
#include "core/recommend/slim_steps.hpp"
#include "core/steps.hpp"

namespace tandem {

void SlimOptions::visit(OptionVisitor& visitor) {
  visitor.real({"l1_regularization", {"l1", "l1_reg"}}, l1_regularization,
               "weight of the sum of the weights: larger leaves fewer of them", 0, 1e12);
  visitor.real({"l2_regularization", {"l2_reg", "beta"}}, l2_regularization,
               "weight of half the sum of the squared weights", 0, 1e12);
  visitor.integer({"iterations", {"max_iter"}}, iterations, "sweeps over the weights of an item", 1,
                  1'000'000);
  visitor.real({"tolerance", {"tol"}}, tolerance,
               "an item is done when no weight changes by more than this share of the largest", 0,
               1);
}

void SlimOptions::check() const {
  if (!(l1_regularization + l2_regularization > 0)) {
    throw InputError(option("l1_regularization") + " and " + option("l2_regularization") +
                     " are 0: items that the same users have cannot be told apart; expected one "
                     "of them above 0");
  }
}

std::unique_ptr<SlimModel> fit(Engine& engine, const RecommenderData& data,
                               const SlimOptions& options, RunControl* control) {
  check_options(options);
  require_events(data.interactions);
  const StopScope scope(control);
  const auto n = static_cast<Index>(data.interactions.items.size());
  // Items whose weights are worked out between two looks at the clock; their rows are dense.
  const Index at_once = std::clamp<Index>((Index{1} << 24) / n, 1, 1024);
  require_memory("slim: a matrix of " + std::to_string(n) + " by " + std::to_string(n) + " items",
                 saturating_product(saturating_product(n, n), 2 * sizeof(double)),
                 "take another algorithm, or fewer items");
  const SparseMatrix<double> users = interaction_matrix<double>(data.interactions);
  const Buffer<double> gram = to_engine(engine, item_gram(engine, users, 0));
  const auto steps = make_steps<SlimStepsOf, double>(engine);
  const SlimProblem problem{n,
                            gram.data(),
                            options.l1_regularization,
                            options.l2_regularization,
                            options.tolerance,
                            options.iterations};
  SparseMatrix<double> by_item;  // row i: the weights B_ji of item i by the items j
  by_item.rows = by_item.cols = n;
  Index most_sweeps = 0;
  Index unfinished = 0;
  for (Index first = 0; first < n; first += at_once) {
    const Index here = std::min(at_once, n - first);
    Buffer<double> weights(engine, here * n);
    Buffer<std::int32_t> sweeps(engine, here);
    steps->solve(problem, first, here, weights, sweeps);
    const std::vector<double> dense = weights.to_host();
    for (Index i = 0; i < here; ++i) {
      for (Index j = 0; j < n; ++j) {
        const double weight = dense[static_cast<std::size_t>(i * n + j)];
        if (weight == 0) continue;
        by_item.columns.push_back(static_cast<std::int32_t>(j));
        by_item.values.push_back(weight);
      }
      by_item.offsets.push_back(by_item.size());
    }
    for (const std::int32_t count : sweeps.to_host()) {
      most_sweeps = std::max<Index>(most_sweeps, std::abs(count));
      unfinished += count < 0 ? 1 : 0;
    }
    if (control == nullptr) continue;
    control->report({"item", first + here, n, "", 0});
    if (control->stop_requested()) {
      throw Interrupted("stopped after " + std::to_string(first + here) +
                        " items because an interrupt was received");
    }
  }
  auto model = std::make_unique<SlimModel>();
  model->weights = transposed(by_item.view());
  TrainingLog log;
  log.iterations = most_sweeps;
  log.converged = unfinished == 0;
  log.stopped_because = unfinished == 0 ? "the weights of all items changed less than the tolerance"
                                        : "the weights of " + std::to_string(unfinished) +
                                              " items still changed after all iterations";
  set_common(*model, data.interactions, std::move(log));
  return model;
}

std::unique_ptr<SlimModel> SlimModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<SlimModel>();
  model->weights = load_sparse<double>(archive, items, items);
  return model;
}

std::string SlimModel::to_text() const {
  std::ostringstream out;
  out << "SLIM: " << weights.size() << " weights of " << item_count() << " items\n";
  return out.str();
}

}  // namespace tandem
