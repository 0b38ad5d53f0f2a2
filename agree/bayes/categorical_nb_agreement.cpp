// Agreement of categorical naive Bayes: whole fits.
#include "agree/bayes/bayes_cases.hpp"
#include "tandem/bayes/categorical_nb.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FitCase final : public BayesFit<T, CategoricalNBOptions, CategoricalNBModel> {
 public:
  explicit FitCase(const Key& key)
      : BayesFit<T, CategoricalNBOptions, CategoricalNBModel>(key, 158) {
    this->data_.features = make_codes<T>(key, this->data_.cols(), this->draw_, true);
    this->options_.alpha = this->draw_.of({1.0, 0.1, 1e-10});
    this->options_.min_categories = this->draw_.of({std::int64_t{0}, std::int64_t{5}});
    this->options_.prior.uniform_prior = this->draw_.flip();
  }

  void judge(Judge& judge) const override {
    judge.exact("category_counts");
    const auto& logs = judge.reference.get<double>("category_log_prob");
    judge.within("category_log_prob", Tolerance::elementwise, [&](std::size_t e) {
      return 16 * unit_roundoff<double> * (2 + std::abs(logs[e]));
    });
    this->judge_predictions(judge);
  }
};

}  // namespace

Agreement make_categorical_nb_agreement() {
  return {
      over_many_blocks(part<FitCase>("fit", "weights of the rows of each category, and logarithms",
                                     {"bayes"}, "exact counts; logarithms: a few roundings"))};
}

}  // namespace tandem::agree
