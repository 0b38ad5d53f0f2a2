#include "core/model/typed_algorithm.hpp"
#include "tandem/linear/logistic_regression.hpp"

namespace tandem {
namespace {

class LogisticRegressionAlgorithm final : public TypedAlgorithm<LogisticRegressionAlgorithm> {
 public:
  [[nodiscard]] std::string_view name() const override { return "logistic-regression"; }
  [[nodiscard]] std::string_view summary() const override {
    return "probabilities of classes from weighted sums of the features";
  }
  [[nodiscard]] bool prefers_scaled_features() const override { return true; }
  void visit_options(OptionVisitor& visitor) override { options_.visit(visitor); }
  void check_options() const override { options_.check(); }
  void set_seed(std::uint64_t seed) override { options_.seed = seed; }
  template <Real T>
  [[nodiscard]] Task task_of(const Dataset<T>& /*data*/) const {
    return Task::classification;
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> fit_model(Engine& engine, const Dataset<T>& train,
                                                    const Dataset<T>* validation,
                                                    RunControl& control) const {
    return fit_logistic_regression(engine, options_, train, validation, control);
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> load_model(const Archive& archive,
                                                     std::type_identity<T> /*type*/) const {
    return LogisticRegressionModel<T>::load(archive);
  }

 private:
  LogisticRegressionOptions options_;
};

}  // namespace

std::unique_ptr<Algorithm> make_logistic_regression_algorithm();
std::unique_ptr<Algorithm> make_logistic_regression_algorithm() {
  return std::make_unique<LogisticRegressionAlgorithm>();
}

}  // namespace tandem
