// Implicit alternating least squares: the loop over halves, and its loss.
#include "tandem/recommend/als.hpp"

#include <cmath>
#include <numeric>

#include "core/recommend/als_steps.hpp"
#include "core/recommend/factor_fit.hpp"
#include "core/steps.hpp"

namespace tandem {
namespace {

// Confidence − 1 of every element of positive weight.
SparseMatrix<float> extra_confidence(const Interactions& events, double alpha) {
  return positive_elements(events, [&](Index user, float weight) {
    const auto extra = static_cast<float>(alpha * static_cast<double>(weight));
    if (!std::isfinite(extra)) {
      throw InputError(events.source + ": " + option("alpha") + " times the weights of user " +
                       events.users[static_cast<std::size_t>(user)] +
                       " is beyond what a number of 32 bits holds; take a smaller " +
                       option("alpha"));
    }
    return extra;
  });
}

AlsRatings<float> on_engine(Engine& engine, const SparseMatrix<float>& matrix) {
  return {matrix.rows, matrix.cols, to_engine(engine, matrix.offsets),
          to_engine(engine, matrix.columns), to_engine(engine, matrix.values)};
}

// Uniform in [0, 0.01).
Buffer<float> first_of_side(Engine& engine, Index rows, const AlsOptions& options,
                            std::uint32_t side) {
  return first_factors(engine, rows, options.factors, options.seed, side,
                       [](float u) { return 0.01F * u; });
}

class AlsFit {
 public:
  AlsFit(Engine& engine, const SparseMatrix<float>& users, const AlsOptions& options)
      : engine_(engine),
        options_(options),
        steps_(make_steps<AlsSteps, float>(engine)),
        by_user_(on_engine(engine, users)),
        by_item_(on_engine(engine, transposed(users.view()))),
        x_(first_of_side(engine, users.rows, options, 0)),
        y_(first_of_side(engine, users.cols, options, 1)),
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
  visit_factors(visitor, factors, 1024, iterations,
                "times that users and items are solved for in turn");
  visit_regularization(visitor, regularization);
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
  require_factor_memory("als", users.rows, users.cols, options.factors);
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
    report_iteration(control, progress);
  }
  auto model = std::make_unique<AlsModel>();
  model->item_factors = als.item_factors();
  require_finite(model->item_factors.values(), "als", options.iterations,
                 "a larger " + option("regularization") + " or a smaller " + option("alpha"));
  model->regularization = options.regularization;
  model->alpha = options.alpha;
  model->prepare();
  finish_fit(*model, data.interactions, options.iterations, std::move(log));
  return model;
}

}  // namespace tandem
