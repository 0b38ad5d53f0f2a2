// Transforms: what is fitted on the training part of a table and then turns the features of any
// rows into others. Imputing, encoding, scaling are each one; a Pipeline
// (tandem/model/pipeline.hpp) is some of them in order, and a model. docs/transforms.md says how to
// add one.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/options.hpp"
#include "tandem/core/types.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// number: a quantity. category: codes of `categories`; NaN is a missing value, −1 a category that
// the training part does not have. indicator: 1 or 0, whether a row is of one category.
enum class FeatureKind { number, category, indicator };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<FeatureKind>{"number", "category",
                                                                         "indicator"};

// One column between two transforms.
struct Feature {
  std::string name;
  FeatureKind kind = FeatureKind::number;
  std::vector<std::string> categories{};  // in order of code; empty for other kinds

  [[nodiscard]] bool operator==(const Feature&) const = default;
};

[[nodiscard]] TANDEM_API std::vector<Feature> features_of(std::span<const Column> columns);
[[nodiscard]] TANDEM_API std::vector<Column> columns_of(std::span<const Feature> features);

// Requests of a step to the earlier one that reads categories.
struct CategoryNeeds {
  // A code for each category that the training data declares, even where no row has it.
  bool all_declared = false;
  // The code −1 for categories that the training part does not have; otherwise they are missing.
  bool unknown_apart = false;
};

// The training part as a transform sees it while it is fitted: tandem/transform/training_rows.hpp.
template <Real T>
struct TrainingRows;
// Transforms of single values, to be carried out together: tandem/transform/column_plan.hpp.
template <Real T>
class ColumnPlan;

// A transform that has been fitted. Several threads may use one at once.
template <Real T>
class TANDEM_API Transform {
 public:
  virtual ~Transform() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  // "scale"
  // The features that it takes, and those that it makes of them.
  [[nodiscard]] const std::vector<Feature>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<Feature>& outputs() const noexcept { return outputs_; }

  // A transform works in one of two ways. One that treats each value by itself adds what it does to
  // a plan, which is carried out in one pass over the rows; it returns false where the plan cannot
  // take it on top of what is there already, and is then asked again with an empty one. Any other
  // returns false always and implements transform_rows().
  [[nodiscard]] virtual bool add_to(ColumnPlan<T>& plan) const;
  // rows × inputs() to rows × outputs().
  [[nodiscard]] virtual Matrix<T> transform_rows(const Matrix<T>& rows, int threads) const;

  // The rows of the training part that it leaves out, ascending: their target and weights go with
  // them. Asked once, right after the fit. No other rows are ever left out.
  [[nodiscard]] virtual std::vector<Index> rows_to_drop(const TrainingRows<T>& train) const;

  // A transform of the target: what a regression is trained on, and the predictions back in the
  // target's own units. In place.
  [[nodiscard]] virtual bool changes_target() const noexcept { return false; }
  virtual void transform_target(std::span<T> target) const;
  virtual void restore_target(std::span<T> predictions) const;

  // For reports: the input that output j is made of, or −1 where it is made of several, and the
  // value of that input at which output j has `value`.
  [[nodiscard]] virtual Index input_of(Index j) const { return j; }
  [[nodiscard]] virtual double unscale(Index j, double value) const;

  virtual void save(Archive& archive) const = 0;
  // Its options and what it learned, as a JSON object.
  [[nodiscard]] virtual std::string to_json() const = 0;
  // The same in one line without a full stop: "standard".
  [[nodiscard]] virtual std::string to_text() const = 0;

 protected:
  // With the outputs equal to the inputs.
  explicit Transform(std::vector<Feature> inputs) : inputs_(inputs), outputs_(std::move(inputs)) {}
  Transform(const Transform&) = default;
  Transform(Transform&&) noexcept = default;
  Transform& operator=(const Transform&) = default;
  Transform& operator=(Transform&&) noexcept = default;
  void set_outputs(std::vector<Feature> outputs) { outputs_ = std::move(outputs); }

 private:
  std::vector<Feature> inputs_;
  std::vector<Feature> outputs_;
};

// A step of a pipeline before it is fitted: a transform by name, with its options.
class TANDEM_API TransformStep {
 public:
  virtual ~TransformStep() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;     // "scale"
  [[nodiscard]] virtual std::string_view summary() const = 0;  // one sentence without a full stop
  // Pipelines have all steps with a place > 0, in ascending order, unless they are told otherwise.
  // With options as they are at first such a step does nothing.
  [[nodiscard]] virtual int place() const = 0;
  [[nodiscard]] virtual std::unique_ptr<TransformStep> clone() const = 0;

  virtual void visit_options(OptionVisitor& visitor) = 0;
  // Gives an option a value by name; throws InputError as set_option() does.
  TransformStep& set(std::string_view option_name, const OptionValue& value);
  [[nodiscard]] bool has_option(std::string_view option_name) const;
  // The options as they stand, by canonical name.
  [[nodiscard]] Archive options() const;
  virtual void check_options() const = 0;

  // Whether there is anything to do for these features, with the options as they stand.
  [[nodiscard]] virtual bool applies_to(std::span<const Feature> features) const = 0;
  [[nodiscard]] virtual CategoryNeeds category_needs() const = 0;
  // False where it leaves columns of categories alone.
  [[nodiscard]] virtual bool reads_categories() const = 0;
  // Throws InputError for data that it cannot be fitted on.
  [[nodiscard]] virtual std::unique_ptr<Transform<float>> fit(
      const TrainingRows<float>& train) const = 0;
  [[nodiscard]] virtual std::unique_ptr<Transform<double>> fit(
      const TrainingRows<double>& train) const = 0;
  // From what Transform::save wrote; throws InputError for anything that it could not have written.
  [[nodiscard]] virtual std::unique_ptr<Transform<float>> load(const Archive& archive,
                                                               std::vector<Feature> inputs,
                                                               std::type_identity<float>) const = 0;
  [[nodiscard]] virtual std::unique_ptr<Transform<double>> load(
      const Archive& archive, std::vector<Feature> inputs, std::type_identity<double>) const = 0;
};

// The names of all transforms, sorted: Tandem's own, which the build finds in the files
// core/*/*_transform.cpp (xyz_transform.cpp defines make_xyz_transform() in namespace tandem), and
// those that a program has registered.
[[nodiscard]] TANDEM_API std::vector<std::string> transform_names();
// From now on `make` makes the transform of the name that its steps say: in pipelines, where they
// have a place, and in model files that are loaded. Throws InputError where there is one of that
// name. Several threads may call this and the functions around it.
TANDEM_API void register_transform(std::unique_ptr<TransformStep> (*make)());
// Throws InputError that lists the names.
[[nodiscard]] TANDEM_API std::unique_ptr<TransformStep> make_transform(std::string_view name);
// The steps with a place, in their order.
[[nodiscard]] TANDEM_API std::vector<std::unique_ptr<TransformStep>> standard_steps();

}  // namespace tandem
