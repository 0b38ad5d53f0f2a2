#include "core/linear/gradient_fit.hpp"
#include "core/engine_backend.hpp"

#include <cmath>
#include <limits>
#include <optional>

#include "core/external_memory.hpp"
#include "core/linear/rows.hpp"
#include "core/resident_scope.hpp"
#include "core/steps.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

void GradientOptions::visit(OptionVisitor& visitor) {
  optimizer.visit(visitor);
  visitor.integer("batch_size", batch_size, "rows of a batch of the gradient solver, 0 for all", 0,
                  std::int64_t{1} << 40);
  visitor.integer("epochs", epochs, "most passes of the gradient solver over the data", 1,
                  std::int64_t{1} << 40);
  visitor.real("validation_fraction", validation_fraction,
               "part of the training rows kept to watch the cost on (gradient solver)", 0, 0.99);
  visitor.integer({"patience", {"n_iter_no_change"}}, patience,
                  "epochs without improvement after which the gradient solver stops, 0 for never",
                  0, std::int64_t{1} << 40);
  visitor.real("tolerance", tolerance,
               "smallest improvement that counts, relative to the cost (gradient solver)", 0, 1);
}

namespace {

// The linear map between the data's units and those that the optimiser works in.
struct Units {
  std::vector<double> centre;  // of the features, then of the target
  std::vector<double> factor;  // 1 / scale; 0 for a constant feature
  double total_weight = 0;
};

template <Real T>
Units units_of(Engine& engine, LinearSteps<T>& steps, const PackedRows<T>& rows,
               const GradientProblem& problem) {
  const Index d = rows.features;
  Buffer<double> buffer(engine, 2 * d + 3);
  steps.moments(rows, buffer);
  const auto moments = buffer.to_host();
  Units units{std::vector<double>(static_cast<std::size_t>(d + 1), 0.0),
              std::vector<double>(static_cast<std::size_t>(d + 1), 1.0), moments.back()};
  for (std::size_t j = 0; j <= static_cast<std::size_t>(d); ++j) {
    const double mean = moments[j];
    const double deviation = moments[static_cast<std::size_t>(d) + 1 + j];
    if (!std::isfinite(mean) || !std::isfinite(deviation)) {
      throw NumericalError(
          "the squares of a column exceed the range of double precision; "
          "scale the features");
    }
    const bool target = j == static_cast<std::size_t>(d);
    if (!problem.standardise || (target && problem.loss != LinearLoss::squared)) continue;
    if (problem.intercept) units.centre[j] = mean;
    const double scale =
        problem.intercept ? deviation : std::sqrt(std::fma(mean, mean, deviation * deviation));
    // Deviations from the mean of a constant column are the mean's rounding errors: at most
    // γ(37 + ⌈log₂⌈n/1024⌉⌉) of it (docs/numerics.md). What varies by more has information.
    const bool constant = !(scale > 0x1p-47 * std::abs(units.centre[j]));
    units.factor[j] = constant ? (target ? 1.0 : 0.0) : 1 / scale;
  }
  return units;
}

double penalty_of(const GradientProblem& problem, double l1, const std::vector<double>& parameters,
                  Index features) {
  double squares = 0;
  double magnitudes = 0;
  for (Index p = 0; p < problem.outputs * features; ++p) {
    const double u = parameters[static_cast<std::size_t>(p)];
    squares = std::fma(u, u, squares);
    magnitudes += std::abs(u);
  }
  return problem.l2 / 2 * squares + l1 * magnitudes;
}

// Frees at the end of a fit what the engine keeps for its repeated parts.
struct ForgetRepeated {
  ForgetRepeated(Engine& on, const void* of) : engine(on), owner(of) {}
  ForgetRepeated(const ForgetRepeated&) = delete;
  ForgetRepeated& operator=(const ForgetRepeated&) = delete;
  ~ForgetRepeated() { backend(engine).forget_repeated(owner); }
  Engine& engine;
  const void* owner;
};

}  // namespace

template <Real T>
GradientSolution fit_by_gradients(Engine& engine, const GradientProblem& problem,
                                  const GradientOptions& options, const DatasetView<T>& train,
                                  std::span<const T> train_target, const DatasetView<T>* validation,
                                  std::span<const T> validation_target, RunControl& control) {
  const auto steps = make_steps<LinearSteps, T>(engine);
  const ForgetRepeated forget{engine, steps.get()};
  const Index n = train.rows();
  const Index d = train.cols();
  const bool batches = options.batch_size > 0 && options.batch_size < n;
  if (batches && uses_external_memory()) {
    throw InputError(option("batch_size") + " " + std::to_string(options.batch_size) +
                     " draws rows from all over the data, which cannot be had from a disk; take " +
                     option("batch_size") + " 0, all rows at a time, or leave out " +
                     option("cache"));
  }

  // A target of classes is no part of the data, and is wanted twice where batches are gathered.
  const ResidentScope target_there(engine, train_target);
  // All rows stay packed for whole-data gradients, row-major where batches are gathered.
  std::optional<PackedRows<T>> packed = pack_all(engine, *steps, train, train_target);
  const Units units = units_of(engine, *steps, *packed, problem);
  const auto centre = to_engine(engine, units.centre);
  const auto factor = to_engine(engine, units.factor);
  std::optional<RowSource<T>> source;
  RowsView<T> all;
  PackedRows<T> batch;
  if (batches) {
    packed.reset();
    source.emplace(engine, train, n, train_target);
    all = source->rows(0, n);
    batch = PackedRows<T>(engine, options.batch_size, d, train.has_weights());
  } else if (problem.standardise) {
    steps->standardise(centre, factor, *packed);
  }
  std::optional<PackedRows<T>> watched;
  double watched_weight = 0;
  if (validation != nullptr) {
    if (validation->cols() != d) {
      throw InputError(validation->source + ": has " + std::to_string(validation->cols()) +
                       " features but the training rows have " + std::to_string(d) +
                       "; give both the same columns");
    }
    watched = pack_all(engine, *steps, *validation, validation_target);
    Buffer<double> moments(engine, 2 * d + 3);
    steps->moments(*watched, moments);
    watched_weight = moments.to_host().back();
    if (problem.standardise) steps->standardise(centre, factor, *watched);
  }

  // In the optimiser's units costs are smaller by the square of the target's scale.
  const double target_scale = 1 / units.factor.back();
  const double cost_unit = target_scale * target_scale;
  const double l1 = problem.l1 / target_scale;
  const Index size = problem.outputs * (d + 1);
  Buffer<double> parameters(engine, size);
  parameters.fill_zero();
  Buffer<double> best(engine, size);
  best.fill_zero();
  Buffer<double> gradient(engine, size);
  Buffer<double> no_gradient;
  Buffer<double> cost(engine, 1);
  Optimizer<double> optimizer(engine, options.optimizer, size, options.epochs,
                              {.l1 = l1, .l2 = problem.l2, .begin = 0, .end = problem.outputs * d});

  TrainingLog log;
  std::vector<double> costs;
  std::vector<double> validation_costs;
  double best_cost = std::numeric_limits<double>::infinity();
  Index stale = 0;
  Index epoch = 0;
  if (const Archive* state = control.resume_state()) {
    epoch = state->get_int("epoch", 0, options.epochs);
    stale = state->get_int("stale", 0, std::numeric_limits<Index>::max());
    best_cost = state->get_double("best_cost");
    parameters.upload(state->get_tensor<double>("parameters", size));
    best.upload(state->get_tensor<double>("best", size));
    costs = state->get_doubles("costs");
    validation_costs = state->get_doubles("validation_costs");
    optimizer.load(*state);
  }
  const auto state = [&] {
    Archive archive;
    archive.set("epoch", epoch);
    archive.set("stale", stale);
    archive.set("best_cost", best_cost);
    archive.set_tensor("parameters", parameters.to_host());
    archive.set_tensor("best", best.to_host());
    archive.set("costs", costs);
    archive.set("validation_costs", validation_costs);
    optimizer.save(archive);
    return archive;
  };

  log.stopped_because = "reached " + std::to_string(options.epochs) + " epochs";
  const Index epoch_before = epoch;
  WatchedFit told(static_cast<double>(options.epochs - epoch), true);
  while (epoch < options.epochs) {
    if (options.patience > 0 && stale >= options.patience) {
      log.converged = true;
      log.stopped_because = "the " + std::string(watched ? "validation " : "") +
                            "cost did not improve for " + std::to_string(stale) + " epochs";
      break;
    }
    optimizer.begin_epoch(epoch);
    cost.fill_zero();
    double penalty = 0;
    if (batches) {
      const RandomPermutation order(
          n, Random(problem.seed, Purpose::shuffle, static_cast<std::uint32_t>(epoch)));
      const auto done_before = static_cast<double>(epoch - epoch_before);
      for (Index first = 0; first < n; first += options.batch_size) {
        // Elsewhere batches are only enqueued here.
        if (works_in_host_memory(engine)) {
          told.done_at(done_before + static_cast<double>(first) / static_cast<double>(n));
        }
        const Index count = std::min<Index>(options.batch_size, n - first);
        const Repeated repeated(engine, steps.get(), count == options.batch_size ? 0 : 1);
        steps->gather(all, order, first, count, batch);
        if (problem.standardise) steps->standardise(centre, factor, batch);
        // Each row counts with its weight relative to the mean weight, so that a step's size does
        // not depend on how heavy a batch happens to be.
        const double mean_weight = units.total_weight / static_cast<double>(n);
        steps->pass(problem.loss, batch, problem.outputs, problem.intercept, parameters,
                    1 / (mean_weight * static_cast<double>(count)), gradient, cost);
        optimizer.step(parameters, gradient);
      }
      penalty = penalty_of(problem, l1, parameters.to_host(), d);
    } else {
      penalty = penalty_of(problem, l1, parameters.to_host(), d);
      const Repeated repeated(engine, steps.get(), 2);
      told.begin_loop(1);
      steps->pass(problem.loss, *packed, problem.outputs, problem.intercept, parameters,
                  1 / units.total_weight, gradient, cost);
      optimizer.step(parameters, gradient);
    }
    const double cost_of_epoch = cost.to_host()[0];
    told.done_at(static_cast<double>(epoch + 1 - epoch_before));
    costs.push_back(cost_unit * (cost_of_epoch / units.total_weight + penalty));
    double watch = costs.back();
    if (!std::isfinite(watch) || watch > 1e6 * costs.front()) {
      throw NumericalError(
          "the cost grew from " + std::to_string(costs.front()) + " to " + std::to_string(watch) +
          " in " + std::to_string(epoch + 1) + " epochs: the training diverges; choose a smaller " +
          option("learning_rate") + (problem.standardise ? "" : " or scale the features"));
    }
    if (watched) {
      {
        const Repeated repeated(engine, steps.get(), 3);
        cost.fill_zero();
        steps->pass(problem.loss, *watched, problem.outputs, problem.intercept, parameters, 1.0,
                    no_gradient, cost);
      }
      watch = cost_unit * (cost.to_host()[0] / watched_weight);
      validation_costs.push_back(watch);
    }
    if (watch < best_cost - options.tolerance * std::abs(best_cost) || std::isinf(best_cost)) {
      stale = 0;
    } else {
      ++stale;
    }
    if (watch < best_cost) {
      best_cost = watch;
      if (watched) best.copy_from(parameters);
    }
    ++epoch;
    end_iteration(control,
                  {.stage = "epoch",
                   .done = epoch,
                   .total = options.epochs,
                   .objective_name = "cost",
                   .objective = costs.back()},
                  state);
  }
  if (watched) parameters.copy_from(best);

  // Back to the data's units.
  GradientSolution solution;
  solution.parameters = parameters.to_host();
  bool finite = true;
  for (Index k = 0; k < problem.outputs; ++k) {
    double& intercept = solution.parameters[static_cast<std::size_t>(problem.outputs * d + k)];
    intercept = std::fma(target_scale, intercept, units.centre.back());
    for (Index j = 0; j < d; ++j) {
      double& weight = solution.parameters[static_cast<std::size_t>(k * d + j)];
      weight = weight * target_scale * units.factor[static_cast<std::size_t>(j)];
      intercept = std::fma(-weight, units.centre[static_cast<std::size_t>(j)], intercept);
      finite = finite && std::isfinite(weight);
    }
    finite = finite && std::isfinite(intercept);
  }
  if (!finite) {
    throw NumericalError(
        "the parameters left the range of double precision: the training diverges; "
        "choose a smaller " +
        option("learning_rate"));
  }
  log.iterations = epoch;
  log.history["cost"] = std::move(costs);
  if (watched) log.history["validation_cost"] = std::move(validation_costs);
  solution.log = std::move(log);
  return solution;
}

template GradientSolution fit_by_gradients(Engine&, const GradientProblem&, const GradientOptions&,
                                           const DatasetView<float>&, std::span<const float>,
                                           const DatasetView<float>*, std::span<const float>,
                                           RunControl&);
template GradientSolution fit_by_gradients(Engine&, const GradientProblem&, const GradientOptions&,
                                           const DatasetView<double>&, std::span<const double>,
                                           const DatasetView<double>*, std::span<const double>,
                                           RunControl&);

}  // namespace tandem
