#include "core/model/typed_algorithm.hpp"
#include "tandem/linear/linear_regression.hpp"

namespace tandem {
namespace {

class LinearRegressionAlgorithm final : public TypedAlgorithm<LinearRegressionAlgorithm> {
 public:
  [[nodiscard]] std::string_view name() const override { return "linear-regression"; }
  [[nodiscard]] std::string_view summary() const override {
    return "a number as a weighted sum of the features, by least squares";
  }
  void visit_options(OptionVisitor& visitor) override { options_.visit(visitor); }
  void check_options() const override { options_.check(); }
  void set_seed(std::uint64_t seed) override { options_.seed = seed; }
  template <Real T>
  [[nodiscard]] Task task_of(const Dataset<T>& /*data*/) const {
    return Task::regression;
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> fit_model(Engine& engine, const Dataset<T>& train,
                                                    const Dataset<T>* validation,
                                                    RunControl& control) const {
    return fit_linear_regression(engine, options_, train, validation, control);
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> load_model(const Archive& archive,
                                                     std::type_identity<T> /*type*/) const {
    return LinearRegressionModel<T>::load(archive);
  }

 private:
  LinearRegressionOptions options_;
};

}  // namespace

std::unique_ptr<Algorithm> make_linear_regression_algorithm();
std::unique_ptr<Algorithm> make_linear_regression_algorithm() {
  return std::make_unique<LinearRegressionAlgorithm>();
}

}  // namespace tandem
