// A step by name from its options and its transform: the one template behind all files
// x_transform.cpp, and behind a program's own transforms, which it names to register_transform().
#pragma once

#include <memory>
#include <utility>

#include "tandem/transform/training_rows.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

// Facts about a transform that its options and its fit do not imply.
struct TransformDescription {
  std::string_view name;     // "scale"
  std::string_view summary;  // one sentence without a full stop
  int place = 0;             // see TransformStep::place()
};

// Options has visit(), check(), `bool applies_to(std::span<const Feature>) const` and, where it has
// any, `CategoryNeeds category_needs() const` and `static constexpr bool reads_categories = false`.
// XTransform<T>::fit and ::load give a transform by value.
template <class Options, template <class> class XTransform>
class TransformOf final : public TransformStep {
 public:
  explicit TransformOf(const TransformDescription& description) : description_(description) {}

  [[nodiscard]] std::string_view name() const override { return description_.name; }
  [[nodiscard]] std::string_view summary() const override { return description_.summary; }
  [[nodiscard]] int place() const override { return description_.place; }
  [[nodiscard]] std::unique_ptr<TransformStep> clone() const override {
    return std::make_unique<TransformOf>(*this);
  }
  void visit_options(OptionVisitor& visitor) override { options_.visit(visitor); }
  void check_options() const override { tandem::check_options(options_); }
  [[nodiscard]] bool applies_to(std::span<const Feature> features) const override {
    return options_.applies_to(features);
  }
  [[nodiscard]] CategoryNeeds category_needs() const override {
    if constexpr (requires { options_.category_needs(); }) return options_.category_needs();
    return {};
  }
  [[nodiscard]] bool reads_categories() const override {
    if constexpr (requires { Options::reads_categories; }) return Options::reads_categories;
    return true;
  }
  [[nodiscard]] std::unique_ptr<Transform<float>> fit(
      const TrainingRows<float>& train) const override {
    return std::make_unique<XTransform<float>>(XTransform<float>::fit(train, options_));
  }
  [[nodiscard]] std::unique_ptr<Transform<double>> fit(
      const TrainingRows<double>& train) const override {
    return std::make_unique<XTransform<double>>(XTransform<double>::fit(train, options_));
  }
  [[nodiscard]] std::unique_ptr<Transform<float>> load(const Archive& archive,
                                                       std::vector<Feature> inputs,
                                                       std::type_identity<float>) const override {
    return std::make_unique<XTransform<float>>(XTransform<float>::load(archive, std::move(inputs)));
  }
  [[nodiscard]] std::unique_ptr<Transform<double>> load(const Archive& archive,
                                                        std::vector<Feature> inputs,
                                                        std::type_identity<double>) const override {
    return std::make_unique<XTransform<double>>(
        XTransform<double>::load(archive, std::move(inputs)));
  }

 private:
  TransformDescription description_;
  Options options_;
};

template <class Options, template <class> class XTransform>
[[nodiscard]] std::unique_ptr<TransformStep> transform_of(const TransformDescription& description) {
  return std::make_unique<TransformOf<Options, XTransform>>(description);
}

}  // namespace tandem
