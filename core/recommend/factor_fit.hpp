// What the fits of models of factors of users and items (als, bpr) have in common.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/external_memory.hpp"
#include "core/memory.hpp"
#include "core/random.hpp"
#include "core/recommend/als_steps.hpp"
#include "core/recommend/data.hpp"
#include "tandem/core/options.hpp"

namespace tandem {

inline void visit_factors(OptionVisitor& visitor, std::int64_t& factors, std::int64_t most,
                          std::int64_t& iterations, std::string_view iterations_help) {
  visitor.integer({"factors", {"n_factors", "num_factors"}}, factors,
                  "numbers that describe a user or an item", 1, most);
  visitor.integer({"iterations", {"n_iterations", "epochs"}}, iterations, iterations_help, 1,
                  100000);
}

inline void visit_regularization(OptionVisitor& visitor, double& regularization) {
  visitor.real({"regularization", {"lambda", "reg"}}, regularization,
               "weight of the squared lengths of factors", 0, 1e9);
}

// The elements of positive weight of the matrix of users and items, each with value(user, weight).
// Throws InputError where there is none.
template <class Value>
[[nodiscard]] SparseMatrix<float> positive_elements(const Interactions& events, Value&& value) {
  SparseMatrix<float> made = interaction_matrix<float>(events);
  Index kept = 0;
  Index begin = 0;
  for (Index u = 0; u < made.rows; ++u) {
    const Index end = made.offsets[static_cast<std::size_t>(u) + 1];
    if (u % 1024 == 0) {
      const Index later = made.offsets[static_cast<std::size_t>(std::min(u + 1024, made.rows))];
      visit_elements(made.columns.data() + begin, later - begin, external::Access::write);
      visit_elements(made.values.data() + begin, later - begin, external::Access::write);
    }
    for (Index p = begin; p < end; ++p) {
      const auto from = static_cast<std::size_t>(p);
      if (!(made.values[from] > 0)) continue;
      const auto to = static_cast<std::size_t>(kept++);
      made.columns[to] = made.columns[from];
      made.values[to] = value(u, made.values[from]);
    }
    made.offsets[static_cast<std::size_t>(u) + 1] = kept;
    begin = end;
  }
  made.columns.resize(static_cast<std::size_t>(kept));
  made.values.resize(static_cast<std::size_t>(kept));
  if (kept == 0) throw InputError(events.source + ": all weights are 0; there is nothing to learn");
  return made;
}

inline void require_factor_memory(std::string_view algorithm, Index users, Index items,
                                  Index factors) {
  require_memory(std::string(algorithm) + ": the factors of " + std::to_string(users) +
                     " users and " + std::to_string(items) + " items",
                 saturating_product((users + items) * als_pitch(factors), 2 * sizeof(float)),
                 "take fewer " + option("factors"));
}

// number(u) of a u uniform in [0, 1) that is a function of the seed, the side and the place; rows ×
// als_pitch(factors), zeros beyond the factors.
template <class Number>
[[nodiscard]] Buffer<float> first_factors(Engine& engine, Index rows, Index factors,
                                          std::uint64_t seed, std::uint32_t side, Number&& number) {
  const Index pitch = als_pitch(factors);
  const Random random(seed, Purpose::initial_weights, side);
  std::vector<float> host(static_cast<std::size_t>(rows * pitch), 0.0F);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < factors; ++j) {
      host[static_cast<std::size_t>(i * pitch + j)] =
          number(random.uniform<float>(static_cast<std::uint64_t>(i * factors + j)));
    }
  }
  return to_engine(engine, host);
}

// Tells of an iteration that is done; throws Interrupted where the training is to stop.
inline void report_iteration(RunControl* control, const Progress& progress) {
  if (control == nullptr) return;
  control->report(progress);
  if (control->stop_requested()) {
    throw Interrupted("stopped after " + std::to_string(progress.done) +
                      " iterations because an interrupt was received");
  }
}

// Throws NumericalError where one of the numbers is none.
inline void require_finite(std::span<const float> factors, std::string_view algorithm,
                           std::int64_t iterations, const std::string& advice) {
  for (const float value : factors) {
    if (std::isfinite(value)) continue;
    throw NumericalError(std::string(algorithm) + ": factors are not finite after " +
                         std::to_string(iterations) + " iterations; take " + advice);
  }
}

// The end of a fit of a given number of iterations.
inline void finish_fit(Recommender& model, const Interactions& events, std::int64_t iterations,
                       TrainingLog log) {
  log.iterations = iterations;
  log.converged = false;
  log.stopped_because = "all iterations were done";
  set_common(model, events, std::move(log));
}

}  // namespace tandem
