// An algorithm by name from its options and its model: the one template behind all files
// x_algorithm.cpp. The options' type names the overload of fit() that is called.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/model/algorithm.hpp"
#include "tandem/model/feature_values.hpp"

namespace tandem {

// Facts about an algorithm that its options and its fit do not imply.
struct AlgorithmDescription {
  std::string_view name;     // "decision-tree"
  std::string_view summary;  // one sentence without a full stop
  // Where it is not the name in camel case: "KMeans" for "kmeans".
  std::string_view class_name = {};
  ModelKind kind = ModelKind::predictor;
  bool accepts_missing = false;
  bool prefers_scaled_features = false;
  bool takes_categories = false;
  FeatureValues values = FeatureValues::any;
  bool trains_out_of_core = false;  // see tandem/model/out_of_core.hpp
};

// An algorithm that is described by such facts, whatever its options and model are.
class DescribedAlgorithm : public Algorithm {
 public:
  explicit DescribedAlgorithm(const AlgorithmDescription& description)
      : description_(description) {}
  [[nodiscard]] const AlgorithmDescription& description() const noexcept { return description_; }

 private:
  AlgorithmDescription description_;
};

// "DecisionTree" for "decision-tree".
[[nodiscard]] inline std::string camel_case(std::string_view name) {
  std::string text;
  bool starts_word = true;
  for (const char c : name) {
    if (c != '-')
      text += starts_word && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    starts_word = c == '-';
  }
  return text;
}

// The overload of fit() for these options; apart from the class, whose own fit() would hide it.
template <Real T, class Options>
[[nodiscard]] auto fit_by_options(Engine& engine, const DatasetView<T>& train,
                                  const Options& options, const FitContext<T>& context) {
  return fit(engine, train, options, context);
}

// Options has visit(), check() and, for predictors, `Task task_for(const DatasetView<T>&) const`.
// XModel<T>::load gives a model by value.
template <class Options, template <class> class XModel>
class AlgorithmOf final : public DescribedAlgorithm {
 public:
  explicit AlgorithmOf(const AlgorithmDescription& description) : DescribedAlgorithm(description) {}

  [[nodiscard]] std::string_view name() const override { return description().name; }
  [[nodiscard]] std::string_view summary() const override { return description().summary; }
  [[nodiscard]] std::string class_name() const override {
    return description().class_name.empty() ? camel_case(description().name)
                                            : std::string(description().class_name);
  }
  [[nodiscard]] ModelKind kind() const override { return description().kind; }
  [[nodiscard]] bool accepts_missing() const override { return description().accepts_missing; }
  [[nodiscard]] bool prefers_scaled_features() const override {
    return description().prefers_scaled_features;
  }
  [[nodiscard]] bool takes_categories() const override { return description().takes_categories; }
  [[nodiscard]] std::unique_ptr<Algorithm> clone() const override {
    return std::make_unique<AlgorithmOf>(*this);
  }
  void visit_options(OptionVisitor& visitor) override { options_.visit(visitor); }
  void check_options() const override { tandem::check_options(options_); }

  [[nodiscard]] Task task(const DatasetView<float>& data) const override { return task_of(data); }
  [[nodiscard]] Task task(const DatasetView<double>& data) const override { return task_of(data); }
  [[nodiscard]] std::unique_ptr<Model<float>> fit(Engine& engine, const DatasetView<float>& train,
                                                  const FitContext<float>& context) const override {
    return fit_model(engine, train, context);
  }
  [[nodiscard]] std::unique_ptr<Model<double>> fit(
      Engine& engine, const DatasetView<double>& train,
      const FitContext<double>& context) const override {
    return fit_model(engine, train, context);
  }
  [[nodiscard]] std::unique_ptr<Model<float>> load(const Archive& archive,
                                                   std::type_identity<float>) const override {
    return std::make_unique<XModel<float>>(XModel<float>::load(archive));
  }
  [[nodiscard]] std::unique_ptr<Model<double>> load(const Archive& archive,
                                                    std::type_identity<double>) const override {
    return std::make_unique<XModel<double>>(XModel<double>::load(archive));
  }

 private:
  template <Real T>
  [[nodiscard]] Task task_of(const DatasetView<T>& data) const {
    if constexpr (requires { options_.task_for(data); }) {
      return options_.task_for(data);
    } else {
      return description().kind == ModelKind::detector ? Task::detection : Task::clustering;
    }
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> fit_model(Engine& engine, const DatasetView<T>& train,
                                                    const FitContext<T>& context) const {
    return std::make_unique<XModel<T>>(fit_by_options(engine, train, options_, context));
  }

  Options options_;
};

template <class Options, template <class> class XModel>
[[nodiscard]] std::unique_ptr<Algorithm> algorithm_of(const AlgorithmDescription& description) {
  return std::make_unique<AlgorithmOf<Options, XModel>>(description);
}

}  // namespace tandem
