#include "tandem/linear/logistic_regression.hpp"

namespace tandem {
namespace {

class LogisticRegressionAlgorithm final : public Algorithm {
 public:
  [[nodiscard]] std::string_view name() const override { return "logistic-regression"; }
  [[nodiscard]] std::string_view summary() const override {
    return "Fits the probabilities of classes by weighted sums of the features";
  }
  [[nodiscard]] Task task(const Dataset<float>& /*data*/) const override {
    return Task::classification;
  }
  [[nodiscard]] Task task(const Dataset<double>& /*data*/) const override {
    return Task::classification;
  }
  [[nodiscard]] bool prefers_scaled_features() const override { return true; }
  void visit_options(OptionVisitor& visitor) override { options_.visit(visitor); }
  void check_options() const override { options_.check(); }
  void set_seed(std::uint64_t seed) override { options_.seed = seed; }
  [[nodiscard]] std::unique_ptr<Model<float>> fit(Engine& engine, const Dataset<float>& train,
                                                  const Dataset<float>* validation,
                                                  RunControl& control) const override {
    return fit_logistic_regression(engine, options_, train, validation, control);
  }
  [[nodiscard]] std::unique_ptr<Model<double>> fit(Engine& engine, const Dataset<double>& train,
                                                   const Dataset<double>* validation,
                                                   RunControl& control) const override {
    return fit_logistic_regression(engine, options_, train, validation, control);
  }
  [[nodiscard]] std::unique_ptr<Model<float>> load(const Archive& archive,
                                                   std::type_identity<float>) const override {
    return LogisticRegressionModel<float>::load(archive);
  }
  [[nodiscard]] std::unique_ptr<Model<double>> load(const Archive& archive,
                                                    std::type_identity<double>) const override {
    return LogisticRegressionModel<double>::load(archive);
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
