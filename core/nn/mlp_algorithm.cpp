#include "core/model/typed_algorithm.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem {
namespace {

class MlpAlgorithm final : public TypedAlgorithm<MlpAlgorithm> {
 public:
  [[nodiscard]] std::string_view name() const override { return "mlp"; }
  [[nodiscard]] std::string_view summary() const override {
    return "multi-layer perceptron trained by back-propagation, for classes or values";
  }
  [[nodiscard]] bool prefers_scaled_features() const override { return true; }

  void visit_options(OptionVisitor& visitor) override { options_.visit(visitor); }
  void check_options() const override { options_.check(); }
  void set_seed(std::uint64_t seed) override { options_.seed = seed; }

  template <Real T>
  [[nodiscard]] Task task_of(const Dataset<T>& data) const {
    return mlp_task(options_, data);
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> fit_model(Engine& engine, const Dataset<T>& train,
                                                    const Dataset<T>* validation,
                                                    RunControl& control) const {
    return fit_mlp(engine, options_, train, validation, control);
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> load_model(const Archive& archive,
                                                     std::type_identity<T> /*type*/) const {
    return MlpModel<T>::load(archive);
  }

 private:
  MlpOptions options_;
};

}  // namespace

std::unique_ptr<Algorithm> make_mlp_algorithm() { return std::make_unique<MlpAlgorithm>(); }

}  // namespace tandem
