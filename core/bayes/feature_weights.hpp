// Logarithms of smoothed shares, for the naive Bayes classifiers of counts.
#pragma once

#include <span>

#include "core/bayes/bayes_steps.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/options.hpp"

namespace tandem {

inline void visit_alpha(OptionVisitor& visitor, double& alpha) {
  // 0 would make what a class has not been seen with impossible, and its logarithm infinite.
  visitor.real("alpha", alpha, "added to every count, so that what was not seen is possible", 1e-10,
               1e12);
}

// logs[j] ← ln((counts[j] + alpha) / Σ (counts + alpha)), summed in ascending order.
inline void log_shares(std::span<const double> counts, double alpha, std::span<double> logs) {
  double total = 0;
  for (const double count : counts) total += count + alpha;
  const double log_total = math::log(total);
  for (std::size_t j = 0; j < counts.size(); ++j) {
    logs[j] = math::log(counts[j] + alpha) - log_total;
  }
}

// weights: classes × features. The bias is left at zero.
inline BayesTerms terms_of_weights(const Matrix<double>& weights) {
  BayesTerms terms;
  terms.features = weights.cols();
  terms.classes = weights.rows();
  terms.bias.assign(static_cast<std::size_t>(terms.classes), 0.0);
  terms.weights.resize(weights.values().size());
  for (Index c = 0; c < terms.classes; ++c) {
    for (Index j = 0; j < terms.features; ++j) {
      terms.weights[static_cast<std::size_t>(j * terms.classes + c)] = weights(c, j);
    }
  }
  return terms;
}

}  // namespace tandem
