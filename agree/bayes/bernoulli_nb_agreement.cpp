// Agreement of Bernoulli naive Bayes: whole fits.
#include "agree/bayes/bayes_cases.hpp"
#include "tandem/bayes/bernoulli_nb.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FitCase final : public BayesFit<T, BernoulliNBOptions, BernoulliNBModel> {
 public:
  explicit FitCase(const Key& key) : BayesFit<T, BernoulliNBOptions, BernoulliNBModel>(key, 157) {
    this->options_.alpha = this->draw_.of({1.0, 0.1, 1e-10});
    this->options_.binarize = this->draw_.of({0.0, 0.5});
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

Agreement make_bernoulli_nb_agreement() {
  return {over_many_blocks(part<FitCase>("fit", "weights of rows with a feature, and logarithms",
                                         {"bayes"},
                                         "reduction: two orders of Σ w; logarithms 4 times that"))};
}

}  // namespace tandem::agree
