// Agreement of Gaussian naive Bayes: whole fits.
#include "agree/bayes/bayes_cases.hpp"
#include "tandem/bayes/gaussian_nb.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FitCase final : public BayesFit<T, GaussianNBOptions, GaussianNBModel> {
 public:
  explicit FitCase(const Key& key) : BayesFit<T, GaussianNBOptions, GaussianNBModel>(key, 154) {
    this->options_.var_smoothing = this->draw_.of({1e-9, 1e-3});
  }

  void judge(Judge& judge) const override {
    // Means are off by two orders of a sum of deviations from one of the rows, and roundings of the
    // result; by that much squares of deviations follow.
    const Index n = this->data_.rows();
    const Index d = this->data_.cols();
    const double order = long_sum_bound(n) + gamma_bound<double>(n + 8);
    const auto& means = judge.reference.get<double>("means");
    const auto& weights = judge.reference.get<double>("class_weights");
    std::vector<double> mean_error(means.size(), 0);
    std::vector<double> error(means.size(), 0);
    // The classes that occur, in order, as the model numbers them.
    std::vector<T> names(this->data_.target);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    const auto class_of = [&](Index i) {
      return std::lower_bound(names.begin(), names.end(),
                              this->data_.target[static_cast<std::size_t>(i)]) -
             names.begin();
    };
    double most = 0;
    for (Index j = 0; j < d; ++j) {
      double reach = 0;
      for (Index i = 0; i < n; ++i) {
        for (Index k : {Index{0}, n - 1}) {
          reach = std::max(reach, std::abs(static_cast<double>(this->data_.features(i, j)) -
                                           static_cast<double>(this->data_.features(k, j))));
        }
      }
      // From any row, no value is farther than twice that.
      reach *= 2;
      double all = 0;
      double total = 0;
      for (std::size_t c = 0; c < names.size(); ++c) {
        const std::size_t e = c * static_cast<std::size_t>(d) + static_cast<std::size_t>(j);
        mean_error[e] = order * reach + 4 * unit_roundoff<double> * (std::abs(means[e]) + reach);
        double squares = 0;
        double deviations = 0;
        for (Index i = 0; i < n; ++i) {
          if (class_of(i) != static_cast<Index>(c)) continue;
          const double t = std::abs(static_cast<double>(this->data_.features(i, j)) - means[e]);
          const double w = weight_of(this->data_, i);
          squares += w * t * t;
          deviations += w * t;
        }
        const double w = weights[c];
        error[e] = w > 0 ? (order * squares + 2 * mean_error[e] * deviations) / w +
                               4 * mean_error[e] * mean_error[e] + 1e-300
                         : 0;
        // The same over all rows, whose largest variance is part of every one.
        all += w * error[e] + 2 * w * mean_error[e] * (2 * reach + mean_error[e]) +
               order * w * reach * reach;
        total += w;
      }
      most = std::max(most, all / total);
    }
    judge.within("means", Tolerance::reduction, [&](std::size_t e) { return mean_error[e]; });
    const auto& variances = judge.reference.get<double>("variances");
    judge.within("variances", Tolerance::reduction, [&](std::size_t e) {
      return error[e] + this->options_.var_smoothing * most +
             4 * unit_roundoff<double> * variances[e];
    });
    this->judge_predictions(judge);
  }
};

}  // namespace

Agreement make_gaussian_nb_agreement() {
  return {
      over_many_blocks(part<FitCase>("fit", "means and variances of the classes", {"bayes"},
                                     "reduction: two orders of Σ w|x − o| and of Σ w(x − m)²"))};
}

}  // namespace tandem::agree
