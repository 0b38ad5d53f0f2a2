// Agreement of multinomial naive Bayes: whole fits.
#include "agree/bayes/bayes_cases.hpp"
#include "tandem/bayes/multinomial_nb.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FitCase final : public BayesFit<T, MultinomialNBOptions, MultinomialNBModel> {
 public:
  explicit FitCase(const Key& key)
      : BayesFit<T, MultinomialNBOptions, MultinomialNBModel>(key, 155) {
    for (T& value : this->data_.features.values()) value = std::abs(value);
    this->options_.alpha = this->draw_.of({1.0, 0.1, 1e-10});
    this->options_.prior.uniform_prior = this->draw_.flip();
  }

  void judge(Judge& judge) const override {
    const CountBound bound = count_bound(this->data_.rows(), this->data_.cols());
    const auto& sums = judge.reference.get<double>("feature_counts");
    judge.within("feature_counts", Tolerance::reduction,
                 [&](std::size_t e) { return bound.of_sum(sums[e]) + 1e-300; });
    const auto& logs = judge.reference.get<double>("feature_log_prob");
    judge.within("feature_log_prob", Tolerance::reduction,
                 [&](std::size_t e) { return bound.of_log(logs[e]); });
    this->judge_predictions(judge);
  }
};

}  // namespace

Agreement make_multinomial_nb_agreement() {
  return {
      over_many_blocks(part<FitCase>("fit", "sums and logarithms of the classes", {"bayes"},
                                     "reduction: two orders of Σ w·x; logarithms 4 times that"))};
}

}  // namespace tandem::agree
