#include "tandem/nn/mlp.hpp"

namespace tandem {
namespace {

class MlpAlgorithm final : public Algorithm {
 public:
  [[nodiscard]] std::string_view name() const override { return "mlp"; }
  [[nodiscard]] std::string_view summary() const override {
    return "Multi-layer perceptron trained by back-propagation, for classes or values";
  }
  [[nodiscard]] Task task(const Dataset<float>& data) const override {
    return mlp_task(options_, data);
  }
  [[nodiscard]] Task task(const Dataset<double>& data) const override {
    return mlp_task(options_, data);
  }
  [[nodiscard]] bool prefers_scaled_features() const override { return true; }

  void visit_options(OptionVisitor& visitor) override { options_.visit(visitor); }
  void check_options() const override { options_.check(); }
  void set_seed(std::uint64_t seed) override { options_.seed = seed; }

  [[nodiscard]] std::unique_ptr<Model<float>> fit(Engine& engine, const Dataset<float>& train,
                                                  const Dataset<float>* validation,
                                                  RunControl& control) const override {
    return fit_mlp(engine, options_, train, validation, control);
  }
  [[nodiscard]] std::unique_ptr<Model<double>> fit(Engine& engine, const Dataset<double>& train,
                                                   const Dataset<double>* validation,
                                                   RunControl& control) const override {
    return fit_mlp(engine, options_, train, validation, control);
  }
  [[nodiscard]] std::unique_ptr<Model<float>> load(const Archive& archive,
                                                   std::type_identity<float>) const override {
    return MlpModel<float>::load(archive);
  }
  [[nodiscard]] std::unique_ptr<Model<double>> load(const Archive& archive,
                                                    std::type_identity<double>) const override {
    return MlpModel<double>::load(archive);
  }

 private:
  MlpOptions options_;
};

}  // namespace

std::unique_ptr<Algorithm> make_mlp_algorithm() { return std::make_unique<MlpAlgorithm>(); }

}  // namespace tandem
