// The arguments that every fit takes. Each algorithm's header declares one function,
//
//   XModel<T> fit(Engine&, const DatasetView<T>&, const XOptions&, const FitContext<T>& = {});
//
// overloaded on the type of the options, so that one name trains everything:
//
//   const auto model = tandem::fit(*engine, data, tandem::KMeansOptions{.clusters = 3});
#pragma once

#include <optional>
#include <span>
#include <type_traits>

#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/custom.hpp"

namespace tandem {

// Optional arguments of a fit, besides engine, data and options. An algorithm ignores those it has
// no use for where that changes no result, and refuses them elsewhere.
template <Real T>
struct FitContext {
  // Rows to decide by when to stop early, with the columns of the training rows.
  std::optional<DatasetView<T>> validation{};
  // Sample weights, one per row, >= 0; they stand in for those of the data.
  std::span<const T> weights{};
  // Told about progress and asked whether to stop; keeps checkpoints.
  RunControl* control = nullptr;
  // k-means: clusters × features, the centres to begin with. They make one start.
  MatrixView<const T> initial_centres{};
  // Gradient boosting: what is minimised, and what early stopping goes by, where these are none of
  // those that the options can name. Other algorithms refuse them.
  std::optional<CustomObjective<T>> objective{};
  std::optional<CustomMetric<T>> metric{};
};

// Whether an algorithm takes an objective and a metric of the caller's own.
enum class TakesCustom { no, yes };

// For drivers: the context's control, or one that does nothing; and the data with the context's
// weights. Throws InputError where the algorithm does not take what the context has.
template <Real T>
class FitSetting {
 public:
  FitSetting(const DatasetView<T>& data, const FitContext<T>& context,
             TakesCustom custom = TakesCustom::no)
      : data_(data), control_(context.control != nullptr ? *context.control : none_) {
    if (custom == TakesCustom::no && (context.objective || context.metric)) {
      throw InputError(
          "an objective or a metric of one's own is for gradient boosting; other algorithms "
          "minimise what their options name");
    }
    if (!context.weights.empty()) data_.weights = context.weights;
  }
  FitSetting(const FitSetting&) = delete;
  FitSetting& operator=(const FitSetting&) = delete;
  [[nodiscard]] const DatasetView<T>& data() const noexcept { return data_; }
  [[nodiscard]] RunControl& control() const noexcept { return control_; }

 private:
  RunControl none_;
  DatasetView<T> data_;
  RunControl& control_;
};

// The same for a table that owns its rows.
template <Real T, class Options>
[[nodiscard]] auto fit(Engine& engine, const Dataset<T>& data, const Options& options,
                       const FitContext<std::type_identity_t<T>>& context = {}) {
  return fit(engine, data.view(), options, context);
}

}  // namespace tandem
