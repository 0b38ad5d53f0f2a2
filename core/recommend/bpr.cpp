// Bayesian personalised ranking: the loop over passes.
#include "tandem/recommend/bpr.hpp"

#include <cmath>

#include "core/memory.hpp"
#include "core/random.hpp"
#include "core/recommend/bpr_schedule.hpp"
#include "core/recommend/bpr_steps.hpp"
#include "core/recommend/data.hpp"
#include "core/steps.hpp"

namespace tandem {
namespace {

// Items of the panel that folding in draws from.
constexpr Index panel_size = 1024;

// Who has what: elements of positive weight.
SparseMatrix<float> pairs_of(const Interactions& events) {
  SparseMatrix<float> made = interaction_matrix<float>(events);
  Index kept = 0;
  Index begin = 0;
  for (Index u = 0; u < made.rows; ++u) {
    const Index end = made.offsets[static_cast<std::size_t>(u) + 1];
    for (Index p = begin; p < end; ++p) {
      if (!(made.values[static_cast<std::size_t>(p)] > 0)) continue;
      made.columns[static_cast<std::size_t>(kept++)] = made.columns[static_cast<std::size_t>(p)];
    }
    made.offsets[static_cast<std::size_t>(u) + 1] = kept;
    begin = end;
  }
  made.columns.resize(static_cast<std::size_t>(kept));
  made.values.assign(static_cast<std::size_t>(kept), 1.0F);
  if (kept == 0) throw InputError(events.source + ": all weights are 0; there is nothing to learn");
  if (kept > std::numeric_limits<std::int32_t>::max()) {
    throw InputError(events.source + ": has " + std::to_string(kept) +
                     " pairs of a user and an item; bpr takes up to 2147483647");
  }
  return made;
}

// Uniform in [−1/2, 1/2) / factors: a function of the seed, the side and the place.
Buffer<float> first_factors(Engine& engine, Index rows, Index factors, std::uint64_t seed,
                            std::uint32_t side) {
  const Index pitch = als_pitch(factors);
  const Random random(seed, Purpose::initial_weights, side);
  std::vector<float> host(static_cast<std::size_t>(rows * pitch), 0.0F);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < factors; ++j) {
      host[static_cast<std::size_t>(i * pitch + j)] =
          (random.uniform<float>(static_cast<std::uint64_t>(i * factors + j)) - 0.5F) /
          static_cast<float>(factors);
    }
  }
  return to_engine(engine, host);
}

}  // namespace

void BprOptions::visit(OptionVisitor& visitor) {
  visitor.integer({"factors", {"n_factors", "num_factors"}}, factors,
                  "numbers that describe a user or an item", 1, 1023);
  visitor.integer({"iterations", {"n_iterations", "epochs"}}, iterations,
                  "passes over all pairs of a user and an item", 1, 100000);
  visitor.real({"learning_rate", {"lr"}}, learning_rate, "size of a step", 0, 1000);
  visitor.real({"regularization", {"lambda", "reg"}}, regularization,
               "weight of the squared lengths of factors", 0, 1e9);
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
  require_memory("bpr: the factors of " + std::to_string(users.rows) + " users and " +
                     std::to_string(users.cols) + " items",
                 saturating_product((users.rows + users.cols) * pitch, 2 * sizeof(float)),
                 "take fewer " + option("factors"));
  BprOnEngine schedule(engine,
                       bpr_schedule(users, bpr_blocks(users.rows, users.cols, users.size()),
                                    options.negatives, options.seed),
                       users);
  const auto steps = make_steps<BprSteps, float>(engine);
  Buffer<float> x = first_factors(engine, users.rows, factors, options.seed, 0);
  Buffer<float> y = first_factors(engine, users.cols, factors, options.seed, 1);
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
    if (control == nullptr) continue;
    control->report({"iteration", i + 1, options.iterations, "ranked right", right});
    if (control->stop_requested()) {
      throw Interrupted("stopped after " + std::to_string(i + 1) +
                        " iterations because an interrupt was received");
    }
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
    for (const float value : row) {
      if (!std::isfinite(value)) {
        throw NumericalError("bpr: factors are not finite after " +
                             std::to_string(options.iterations) + " iterations; take a smaller " +
                             option("learning_rate"));
      }
    }
  }
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
  log.iterations = options.iterations;
  log.converged = false;
  log.stopped_because = "all iterations were done";
  set_common(*model, data.interactions, std::move(log));
  return model;
}

}  // namespace tandem
