// Bayesian personalised ranking: the loop over passes.
#include "tandem/recommend/bpr.hpp"

#include <algorithm>
#include <limits>

#include "core/recommend/bpr_schedule.hpp"
#include "core/recommend/bpr_steps.hpp"
#include "core/recommend/factor_fit.hpp"
#include "core/steps.hpp"

namespace tandem {
namespace {

// Items of the panel that folding in draws from.
constexpr Index panel_size = 1024;

// Who has what: elements of positive weight.
SparseMatrix<float> pairs_of(const Interactions& events) {
  SparseMatrix<float> made = positive_elements(events, [](Index, float) { return 1.0F; });
  if (made.size() > std::numeric_limits<std::int32_t>::max()) {
    throw InputError(events.source + ": has " + std::to_string(made.size()) +
                     " pairs of a user and an item; bpr takes up to 2147483647");
  }
  return made;
}

// Uniform in [−1/2, 1/2) / factors.
Buffer<float> first_of_side(Engine& engine, Index rows, const BprOptions& options,
                            std::uint32_t side) {
  return first_factors(engine, rows, options.factors, options.seed, side,
                       [&](float u) { return (u - 0.5F) / static_cast<float>(options.factors); });
}

}  // namespace

void BprOptions::visit(OptionVisitor& visitor) {
  visit_factors(visitor, factors, 1023, iterations, "passes over all pairs of a user and an item");
  visitor.real({"learning_rate", {"lr"}}, learning_rate, "size of a step", 0, 1000);
  visit_regularization(visitor, regularization);
  visitor.choice("negatives", negatives,
                 "what a user's items are compared with: uniform: items that the user does not "
                 "have, one as likely as the other; popular: as likely as they have users");
  visitor.integer("fold_in_passes", fold_in_passes,
                  "passes over a history for the vector of a user who asks; 0: as many as there "
                  "are iterations",
                  0, 100000);
  visitor.seed(seed);
}

void BprOptions::check() const {
  if (!(learning_rate > 0)) {
    throw InputError(option("learning_rate") + " is 0; expected a number above 0");
  }
  if (!(learning_rate * regularization < 1)) {
    throw InputError(option("learning_rate") + " times " + option("regularization") +
                     " is 1 or more, so that a step would turn factors around; take a smaller " +
                     option("regularization"));
  }
}

std::unique_ptr<BprModel> fit(Engine& engine, const RecommenderData& data,
                              const BprOptions& options, RunControl* control) {
  check_options(options);
  require_events(data.interactions);
  const StopScope scope(control);
  const SparseMatrix<float> users = pairs_of(data.interactions);
  const Index factors = options.factors;
  const Index pitch = als_pitch(factors);
  require_factor_memory("bpr", users.rows, users.cols, factors);
  BprOnEngine schedule(engine,
                       bpr_schedule(users, bpr_blocks(users.rows, users.cols, users.size()),
                                    options.negatives, options.seed),
                       users);
  const auto steps = make_steps<BprSteps, float>(engine);
  Buffer<float> x = first_of_side(engine, users.rows, options, 0);
  Buffer<float> y = first_of_side(engine, users.cols, options, 1);
  Buffer<float> biases(engine, users.cols);
  biases.fill_zero();
  const auto rate = static_cast<float>(options.learning_rate);
  const auto keep = static_cast<float>(1 - options.learning_rate * options.regularization);
  Buffer<std::int64_t> tally(engine, 2);
  TrainingLog log;
  for (Index i = 0; i < options.iterations; ++i) {
    tally.fill_zero();
    steps->pass(schedule.view(factors, options.seed, static_cast<std::uint32_t>(i)), rate, keep,
                {x, y, biases}, tally);
    const std::vector<std::int64_t> counts = tally.to_host();
    const double right =
        static_cast<double>(counts[1]) / static_cast<double>(std::max<std::int64_t>(1, counts[0]));
    log.history["ranked_right"].push_back(right);
    report_iteration(control, {"iteration", i + 1, options.iterations, "ranked right", right});
  }
  auto model = std::make_unique<BprModel>();
  std::vector<Index> counts(static_cast<std::size_t>(users.cols), 0);
  for (const std::int32_t item : users.columns) ++counts[static_cast<std::size_t>(item)];
  const std::vector<float> trained = y.to_host();
  const std::vector<float> trained_biases = biases.to_host();
  model->item_factors = Matrix<float>(users.cols, factors + 1, 0.0F);
  for (Index i = 0; i < users.cols; ++i) {
    // Nobody's item was compared with, and never one that somebody has.
    if (counts[static_cast<std::size_t>(i)] == 0) continue;
    const auto row = model->item_factors.row(i);
    std::copy_n(trained.begin() + i * pitch, factors, row.begin());
    row[static_cast<std::size_t>(factors)] = trained_biases[static_cast<std::size_t>(i)];
  }
  require_finite(model->item_factors.values(), "bpr", options.iterations,
                 "a smaller " + option("learning_rate"));
  // As in training: any item that somebody has, or by how many have it.
  std::vector<std::int32_t> drawn_from;
  for (Index i = 0; i < users.cols; ++i) {
    const Index count = counts[static_cast<std::size_t>(i)];
    const Index times =
        options.negatives == BprNegatives::uniform ? std::min<Index>(1, count) : count;
    drawn_from.insert(drawn_from.end(), static_cast<std::size_t>(times),
                      static_cast<std::int32_t>(i));
  }
  const Random random(options.seed, Purpose::sampling, 0xFFFFFFFFU);
  for (Index k = 0; k < panel_size; ++k) {
    model->panel.push_back(drawn_from[static_cast<std::size_t>(
        random.below(static_cast<Index>(drawn_from.size()), static_cast<std::uint64_t>(k)))]);
  }
  model->learning_rate = options.learning_rate;
  model->regularization = options.regularization;
  model->fold_in_passes = options.fold_in_passes > 0 ? options.fold_in_passes : options.iterations;
  model->seed = options.seed;
  model->prepare();
  finish_fit(*model, data.interactions, options.iterations, std::move(log));
  return model;
}

}  // namespace tandem
