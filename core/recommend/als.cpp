// Implicit alternating least squares: the loop over halves, and its loss.
#include "tandem/recommend/als.hpp"

#include <cmath>
#include <numeric>

#include "core/memory.hpp"
#include "core/random.hpp"
#include "core/recommend/als_steps.hpp"
#include "core/recommend/data.hpp"
#include "core/steps.hpp"

namespace tandem {
namespace {

// Confidence − 1 of every element of positive weight.
SparseMatrix<float> extra_confidence(const Interactions& events, double alpha) {
  SparseMatrix<float> all = interaction_matrix<float>(events);
  Index kept = 0;
  Index begin = 0;
  for (Index u = 0; u < all.rows; ++u) {
    const Index end = all.offsets[static_cast<std::size_t>(u) + 1];
    for (Index p = begin; p < end; ++p) {
      const auto from = static_cast<std::size_t>(p);
      if (!(all.values[from] > 0)) continue;
      const auto to = static_cast<std::size_t>(kept++);
      all.columns[to] = all.columns[from];
      all.values[to] = static_cast<float>(alpha * static_cast<double>(all.values[from]));
      if (!std::isfinite(all.values[to])) {
        throw InputError(events.source + ": " + option("alpha") + " times the weights of user " +
                         events.users[static_cast<std::size_t>(u)] +
                         " is beyond what a number of 32 bits holds; take a smaller " +
                         option("alpha"));
      }
    }
    all.offsets[static_cast<std::size_t>(u) + 1] = kept;
    begin = end;
  }
  all.columns.resize(static_cast<std::size_t>(kept));
  all.values.resize(static_cast<std::size_t>(kept));
  if (kept == 0) throw InputError(events.source + ": all weights are 0; there is nothing to learn");
  return all;
}

AlsRatings<float> on_engine(Engine& engine, const SparseMatrix<float>& matrix) {
  return {matrix.rows, matrix.cols, to_engine(engine, matrix.offsets),
          to_engine(engine, matrix.columns), to_engine(engine, matrix.values)};
}

// Uniform in [0, 0.01): a function of the seed, the side and the place.
Buffer<float> first_factors(Engine& engine, Index rows, Index factors, std::uint64_t seed,
                            std::uint32_t side) {
  const Index pitch = als_pitch(factors);
  const Random random(seed, Purpose::initial_weights, side);
  std::vector<float> host(static_cast<std::size_t>(rows * pitch), 0.0F);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < factors; ++j) {
      host[static_cast<std::size_t>(i * pitch + j)] =
          0.01F * random.uniform<float>(static_cast<std::uint64_t>(i * factors + j));
    }
  }
  return to_engine(engine, host);
}

class AlsFit {
 public:
  AlsFit(Engine& engine, const SparseMatrix<float>& users, const AlsOptions& options)
      : engine_(engine),
        options_(options),
        steps_(make_steps<AlsSteps, float>(engine)),
        by_user_(on_engine(engine, users)),
        by_item_(on_engine(engine, transposed(users.view()))),
        x_(first_factors(engine, users.rows, options.factors, options.seed, 0)),
        y_(first_factors(engine, users.cols, options.factors, options.seed, 1)),
        gram_(engine, pitch() * pitch()) {}

  void iterate() {
    half(by_user_, y_, x_);
    half(by_item_, x_, y_);
  }

  // Σ over all pairs of c·(p − x·y)², where pairs without an event have c = 1 and p = 0, and λ
  // times the squared lengths. Σ (x·y)² over all pairs is the product of the two Gram matrices,
  // element by element.
  [[nodiscard]] double loss() {
    Buffer<double> terms(engine_, by_user_.rows);
    steps_->rating_loss(by_user_, y_, x_, options_.factors, terms);
    const std::vector<double> of_users = terms.to_host();
    const double ratings = long_sum(static_cast<Index>(of_users.size()),
                                    [&](Index u) { return of_users[static_cast<std::size_t>(u)]; });
    steps_->gram(x_, by_user_.rows, options_.factors, 0, gram_);
    const std::vector<float> gx = gram_.to_host();
    steps_->gram(y_, by_item_.rows, options_.factors, 0, gram_);
    const std::vector<float> gy = gram_.to_host();
    double all = 0;
    double lengths = 0;
    for (Index j = 0; j < options_.factors; ++j) {
      for (Index k = 0; k < options_.factors; ++k) {
        const auto at = static_cast<std::size_t>(j * pitch() + k);
        all += static_cast<double>(gx[at]) * static_cast<double>(gy[at]);
        if (j == k) lengths += static_cast<double>(gx[at]) + static_cast<double>(gy[at]);
      }
    }
    return ratings + all + options_.regularization * lengths;
  }

  [[nodiscard]] Matrix<float> item_factors() const {
    const std::vector<float> padded = y_.to_host();
    Matrix<float> made(by_item_.rows, options_.factors);
    for (Index i = 0; i < made.rows(); ++i) {
      std::copy_n(padded.begin() + i * pitch(), options_.factors, made.row(i).begin());
    }
    return made;
  }

 private:
  [[nodiscard]] Index pitch() const { return als_pitch(options_.factors); }

  // The rows of `ratings` for the other side's factors as they are.
  void half(const AlsRatings<float>& ratings, const Buffer<float>& other, Buffer<float>& own) {
    const Index others = ratings.cols;
    steps_->gram(other, others, options_.factors, static_cast<float>(options_.regularization),
                 gram_);
    const Index failures = steps_->solve(ratings, other, gram_, options_.factors, options_.solver,
                                         options_.cg_steps, own);
    if (failures > 0) {
      throw NumericalError("als: the equations of " + std::to_string(failures) +
                           " rows are singular to working precision; take a larger " +
                           option("regularization") + ", or the solver cg");
    }
  }

  Engine& engine_;
  const AlsOptions& options_;
  std::unique_ptr<AlsSteps<float>> steps_;
  AlsRatings<float> by_user_;
  AlsRatings<float> by_item_;
  Buffer<float> x_;
  Buffer<float> y_;
  Buffer<float> gram_;
};

}  // namespace

void AlsOptions::visit(OptionVisitor& visitor) {
  visitor.integer({"factors", {"n_factors", "num_factors"}}, factors,
                  "numbers that describe a user or an item", 1, 1024);
  visitor.integer({"iterations", {"n_iterations", "epochs"}}, iterations,
                  "times that users and items are solved for in turn", 1, 100000);
  visitor.real({"regularization", {"lambda", "reg"}}, regularization,
               "weight of the squared lengths of factors", 0, 1e9);
  visitor.real("alpha", alpha, "the confidence in an event of weight w is 1 + alpha w", 0, 1e9);
  visitor.choice("solver", solver,
                 "cg: a few steps of conjugate gradients from the last iteration's factors; "
                 "cholesky: exactly");
  visitor.integer("cg_steps", cg_steps, "steps of conjugate gradients", 1, 1000);
  visitor.flag("compute_loss", compute_loss, "compute the loss after each iteration");
  visitor.seed(seed);
}

void AlsOptions::check() const {
  if (solver == AlsSolver::cholesky && regularization == 0) {
    throw InputError(option("regularization") + " is 0: the equations of " + option("solver") +
                     " cholesky may then be singular; expected a number above 0");
  }
}

std::unique_ptr<AlsModel> fit(Engine& engine, const RecommenderData& data,
                              const AlsOptions& options, RunControl* control) {
  check_options(options);
  require_events(data.interactions);
  const StopScope scope(control);
  const SparseMatrix<float> users = extra_confidence(data.interactions, options.alpha);
  const Index pitch = als_pitch(options.factors);
  require_memory("als: the factors of " + std::to_string(users.rows) + " users and " +
                     std::to_string(users.cols) + " items",
                 saturating_product((users.rows + users.cols) * pitch, 2 * sizeof(float)),
                 "take fewer " + option("factors"));
  AlsFit als(engine, users, options);
  TrainingLog log;
  for (Index i = 0; i < options.iterations; ++i) {
    als.iterate();
    Progress progress{"iteration", i + 1, options.iterations, "", 0};
    if (options.compute_loss) {
      const double loss = als.loss();
      log.history["loss"].push_back(loss);
      progress.objective_name = "loss";
      progress.objective = loss;
      if (!std::isfinite(loss)) {
        throw NumericalError("als: the loss is not finite after iteration " +
                             std::to_string(i + 1) + "; take a larger " + option("regularization") +
                             " or a smaller " + option("alpha"));
      }
    }
    if (control == nullptr) continue;
    control->report(progress);
    if (control->stop_requested()) {
      throw Interrupted("stopped after " + std::to_string(i + 1) +
                        " iterations because an interrupt was received");
    }
  }
  auto model = std::make_unique<AlsModel>();
  model->item_factors = als.item_factors();
  for (const float value : model->item_factors.values()) {
    if (!std::isfinite(value)) {
      throw NumericalError("als: factors are not finite after " +
                           std::to_string(options.iterations) + " iterations; take a larger " +
                           option("regularization") + " or a smaller " + option("alpha"));
    }
  }
  model->regularization = options.regularization;
  model->alpha = options.alpha;
  model->prepare();
  log.iterations = options.iterations;
  log.converged = false;
  log.stopped_because = "all iterations were done";
  set_common(*model, data.interactions, std::move(log));
  return model;
}

}  // namespace tandem
