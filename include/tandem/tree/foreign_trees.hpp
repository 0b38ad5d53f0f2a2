// Boosted trees of XGBoost and LightGBM: their model files, read into Tandem's model and written.
//
// A model that was read gives the raw scores that its program gives: XGBoost's to the last bit in
// float32 (it adds leaves in float), LightGBM's in float64 (it adds them in double), to a few units
// in the last place where a forest's mean is taken. What a file holds that Tandem's model cannot
// say is refused by name, not left out. docs/foreign-models.md lists it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/types.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem {

// A model and what the file calls its features: "f0", "f1", ... (XGBoost) and "Column_0", ...
// (LightGBM) where it has no names.
template <Real T>
struct ForeignTrees {
  GradientBoostingModel<T> model;
  std::vector<std::string> feature_names;
};

// What `save_model` of XGBoost 1.6 and later writes: JSON, or UBJSON. `bytes` is the file, `source`
// its name in messages. Throws InputError for a file that is damaged or of another kind, for linear
// boosters, trees of vector leaves, and objectives without a counterpart.
template <Real T>
[[nodiscard]] TANDEM_API ForeignTrees<T> parse_xgboost(std::string_view bytes,
                                                       const std::string& source);

// What `save_model` of LightGBM 3 and later writes. Throws InputError as above, and for linear
// leaves and a sigmoid of another slope than 1.
template <Real T>
[[nodiscard]] TANDEM_API ForeignTrees<T> parse_lightgbm(std::string_view bytes,
                                                        const std::string& source);

// What XGBoost and LightGBM read. Thresholds become float in XGBoost's format, so that a float64
// model splits rows between two floats otherwise; covers become counts in LightGBM's. Throws
// InputError where the number of names is not that of the features, and for what the format cannot
// say (zeros that are missing, in XGBoost's; a Huber loss in XGBoost's).
template <Real T>
[[nodiscard]] TANDEM_API std::string to_xgboost_json(const GradientBoostingModel<T>& model,
                                                     const std::vector<std::string>& feature_names);
template <Real T>
[[nodiscard]] TANDEM_API std::string to_xgboost_ubjson(
    const GradientBoostingModel<T>& model, const std::vector<std::string>& feature_names);
template <Real T>
[[nodiscard]] TANDEM_API std::string to_lightgbm_text(
    const GradientBoostingModel<T>& model, const std::vector<std::string>& feature_names);

// Which of them a file is, by how it begins.
enum class ForeignFormat { none, xgboost_json, xgboost_ubjson, lightgbm };
template <>
inline constexpr std::array<std::string_view, 4> enum_names<ForeignFormat>{
    "none", "xgboost-json", "xgboost-ubjson", "lightgbm"};
[[nodiscard]] TANDEM_API ForeignFormat foreign_format(std::string_view head);

// A model file of either program as a pipeline, which can be saved and used as any other: columns
// of the file's names, or x0, x1, ... where it has none. Precision: float32 for XGBoost's and
// float64 for LightGBM's, which keeps every bit, unless `precision` says otherwise. Throws
// InputError as above, and for a file that is neither; SystemError where it cannot be read.
[[nodiscard]] TANDEM_API AnyModel import_trees(const std::string& path,
                                               std::optional<Precision> precision = {});

// Writes the model of a pipeline without transforms. The file appears whole or not at all. Throws
// InputError for a model that is not gradient boosting, for transforms, which those programs do not
// know, and as above.
template <Real T>
TANDEM_API void export_trees(const std::string& path, const Pipeline<T>& model,
                             ForeignFormat format);

}  // namespace tandem
