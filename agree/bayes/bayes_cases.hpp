// Shared by the cases of naive Bayes: bounds of its likelihoods, and whole fits.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agree/fits.hpp"
#include "core/bayes/bayes_math.hpp"
#include "core/bayes/bayes_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {

// Codes 0 .. 11, some of them missing, and some that are none.
template <Real T>
[[nodiscard]] Matrix<T> make_codes(const Key& key, Index columns, Draw& draw,
                                   bool only_codes = false) {
  Matrix<T> x = make_features<T>(key.kind, key.rows, columns, draw);
  for (T& value : x.values()) {
    value = static_cast<T>(draw.below(draw.of<Index>({2, 12})));
    const Index other = draw.below(20);
    if (other == 0) value = std::numeric_limits<T>::quiet_NaN();
    if (other == 1 && !only_codes) value = T{-1};
    if (other == 2 && !only_codes) value += T(0.5);
  }
  return x;
}

// A chain of d terms on both sides, each term with two roundings of its own, and what underflows.
template <Real T>
[[nodiscard]] double joint_bound(const BayesTerms& terms, std::span<const T> x, Index c) {
  double magnitude = std::abs(terms.bias[static_cast<std::size_t>(c)]);
  double lost = 0;
  if (std::isinf(magnitude)) return std::numeric_limits<double>::infinity();
  constexpr double denorm = std::numeric_limits<double>::denorm_min();
  for (Index j = 0; j < terms.features; ++j) {
    const auto value = static_cast<double>(x[static_cast<std::size_t>(j)]);
    const auto weight_of = [&](Index place) {
      return terms.weights[static_cast<std::size_t>(place * terms.classes + c)];
    };
    switch (terms.likelihood) {
      case BayesLikelihood::weighted: magnitude += std::abs(value * weight_of(j)); break;
      case BayesLikelihood::thresholded: magnitude += std::abs(weight_of(j)); break;
      case BayesLikelihood::normal: {
        const double t = value - terms.means[static_cast<std::size_t>(j * terms.classes + c)];
        magnitude += std::abs(t * t * weight_of(j));
        lost += denorm * (std::abs(t) + std::abs(weight_of(j)));
        break;
      }
      case BayesLikelihood::coded: {
        const Index begin = terms.first[static_cast<std::size_t>(j)];
        const Index code = bayes::code_of(x[static_cast<std::size_t>(j)],
                                          terms.first[static_cast<std::size_t>(j) + 1] - begin);
        if (code >= 0) magnitude += std::abs(weight_of(begin + code));
        break;
      }
    }
    lost += 2 * denorm;
  }
  if (!(magnitude < std::numeric_limits<double>::max() / 4)) {
    return std::numeric_limits<double>::infinity();
  }
  return 2 * gamma_bound<double>(terms.features + 4) * magnitude + lost;
}

// The reference's are made from the engine's likelihoods: an exponential of less than one unit in
// the last place on either side, a sum of K of them, a quotient, and one rounding to T.
template <Real T>
void judge_probabilities(Judge& judge, Index classes) {
  const auto& expected = judge.reference.get<T>("probabilities");
  judge.within("probabilities", Tolerance::elementwise, [&](std::size_t e) {
    return static_cast<double>(expected[e]) *
           (2 * unit_roundoff<T> +
            static_cast<double>(2 * classes + 20) * unit_roundoff<double>)+2 *
           static_cast<double>(std::numeric_limits<T>::denorm_min());
  });
}

// Bounds of a fit's sums and of logarithms made of them.
struct CountBound {
  double relative;  // of a sum of n terms >= 0, two orders
  [[nodiscard]] double of_sum(double sum) const { return relative * sum; }
  // ln((a + alpha) / (A + k·alpha)) where a and A are sums that are off by `relative` of
  // themselves.
  [[nodiscard]] double of_log(double value) const {
    return 4 * relative + 8 * unit_roundoff<double> * (2 + std::abs(value));
  }
};
[[nodiscard]] inline CountBound count_bound(Index rows, Index features) {
  return {long_sum_bound(rows) + gamma_bound<double>(rows + features + 8)};
}

// A whole fit of one of the classifiers, whose model the reference makes anew; predictions are
// judged on the engine's model.
template <Real T, class Options, template <class> class XModel>
class BayesFit : public Case {
 public:
  BayesFit(const Key& key, std::uint32_t stream) : draw_(key.seed, stream) {
    classes_ = draw_.of<Index>({2, 2, 3, 9});
    data_ = make_dataset<T>(key, draw_.between(1, 12), classes_, draw_);
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const auto model = fit(engine, data_, options_);
    add_model(out, model);
    XModel<T> used = follow != nullptr ? XModel<T>::load(*follow->model) : model;
    const auto predictions = used.predict(engine, data_.features.view());
    out.add("log_odds", used.margins(engine, data_.features.view()).values());
    out.add("probabilities", predictions.probabilities.values());
    out.add("labels", predictions.labels);
  }

 protected:
  // Probabilities p of likelihoods that are off by δ at most are off by 2δp; labels may differ
  // where two are as near as that.
  void judge_predictions(Judge& judge) const {
    const auto& expected = judge.reference.get<T>("probabilities");
    const auto& labels = judge.got.get<std::int32_t>("labels");
    const auto& labels_expected = judge.reference.get<std::int32_t>("labels");
    const std::size_t classes = expected.size() / labels.size();
    const auto model = XModel<T>::load(*judge.got.model);
    const BayesTerms terms = model.terms();
    std::vector<double> off(labels.size(), 0);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      for (Index c = 0; c < terms.classes; ++c) {
        const double bound = joint_bound<T>(terms, data_.features.row(static_cast<Index>(i)), c);
        if (std::isinf(terms.bias[static_cast<std::size_t>(c)])) continue;
        off[i] = std::max(off[i], bound);
      }
    }
    const auto error = [&](std::size_t e) {
      const double p = static_cast<double>(expected[e]);
      const double delta = off[e / classes];
      return std::min(2.0, std::expm1(std::min(4 * delta, 50.0)) * (p + 1e-300)) +
             p *
                 (2 * unit_roundoff<T> +
                  static_cast<double>(2 * classes + 20) * unit_roundoff<double>)+2 *
                 static_cast<double>(std::numeric_limits<T>::denorm_min());
    };
    judge.within("probabilities", Tolerance::reduction, error);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto at = [&](std::int32_t label) {
        return i * classes + static_cast<std::size_t>(label);
      };
      const double gap = std::abs(static_cast<double>(expected[at(labels[i])]) -
                                  static_cast<double>(expected[at(labels_expected[i])]));
      judge.choice("labels", static_cast<Index>(i), labels[i], labels_expected[i], gap,
                   error(at(labels[i])) + error(at(labels_expected[i])));
    }
  }

  Draw draw_;
  Dataset<T> data_;
  Options options_;
  Index classes_ = 0;
};

}  // namespace tandem::agree
