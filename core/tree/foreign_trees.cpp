// Pipelines from model files of XGBoost and LightGBM, and back.
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/file.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/tree/foreign_trees.hpp"

namespace tandem {
namespace {

// The file's names, or x0, x1, ... where they are those that the programs give to columns without
// one: then any rows with as many columns fit.
std::vector<Column> columns_of(const std::vector<std::string>& names) {
  std::vector<Column> columns = numbered_columns(static_cast<Index>(names.size()));
  const auto given_by = [&](const char* prefix) {
    for (std::size_t f = 0; f < names.size(); ++f) {
      if (names[f] != prefix + std::to_string(f)) return false;
    }
    return true;
  };
  if (given_by("f") || given_by("Column_")) return columns;
  for (std::size_t f = 0; f < names.size(); ++f) columns[f].name = names[f];
  return columns;
}

template <Real T>
Pipeline<T> pipeline_of(ForeignTrees<T> foreign, const std::string& source) {
  Pipeline<T> pipeline;
  pipeline.provenance.version = TANDEM_VERSION;
  pipeline.provenance.algorithm = "gradient-boosting";
  pipeline.provenance.precision = precision_of<T>;
  pipeline.provenance.source = source;
  pipeline.schema.columns = columns_of(foreign.feature_names);
  // A chain without steps, of these columns.
  Dataset<T> row;
  row.source = source;
  row.columns = pipeline.schema.columns;
  row.features = Matrix<T>(1, static_cast<Index>(row.columns.size()));
  pipeline.transforms = TransformChain<T>::fit(row, {}, foreign.model.task(), 1);
  pipeline.model = std::make_unique<GradientBoostingModel<T>>(std::move(foreign.model));
  return pipeline;
}

template <Real T>
Pipeline<T> parsed(std::string_view bytes, ForeignFormat format, const std::string& source) {
  return pipeline_of(format == ForeignFormat::lightgbm ? parse_lightgbm<T>(bytes, source)
                                                       : parse_xgboost<T>(bytes, source),
                     source);
}

}  // namespace

AnyModel import_trees(const std::string& path, std::optional<Precision> precision) {
  const std::vector<std::uint8_t> read = read_file(path);
  const std::string_view bytes(reinterpret_cast<const char*>(read.data()), read.size());
  const ForeignFormat format = foreign_format(bytes);
  if (format == ForeignFormat::none) {
    throw InputError(
        path +
        ": is neither a model of XGBoost, in JSON or UBJSON, nor one of LightGBM, in "
        "text; XGBoost's old binary files are read by XGBoost and saved anew as .json");
  }
  const Precision kept = precision.value_or(format == ForeignFormat::lightgbm ? Precision::float64
                                                                              : Precision::float32);
  if (kept == Precision::float32) return parsed<float>(bytes, format, path);
  return parsed<double>(bytes, format, path);
}

template <Real T>
void export_trees(const std::string& path, const Pipeline<T>& model, ForeignFormat format) {
  const auto* trees = dynamic_cast<const GradientBoostingModel<T>*>(model.model.get());
  if (trees == nullptr) {
    throw InputError(model.provenance.algorithm +
                     " cannot be written for XGBoost or LightGBM; gradient-boosting can");
  }
  for (const auto& transform : model.transforms.transforms()) {
    // Codes of categories are what those programs take too.
    if (transform->name() == "categories") continue;
    throw InputError("the model has transforms (" + std::string(transform->name()) +
                     "), which XGBoost and LightGBM do not know; train it on prepared columns");
  }
  const auto names = model.feature_names();
  std::string text;
  switch (format) {
    case ForeignFormat::xgboost_json: text = to_xgboost_json(*trees, names); break;
    case ForeignFormat::xgboost_ubjson: text = to_xgboost_ubjson(*trees, names); break;
    case ForeignFormat::lightgbm: text = to_lightgbm_text(*trees, names); break;
    case ForeignFormat::none: throw InputError("a format to write is missing");
  }
  write_file(path, text);
}

template void export_trees(const std::string&, const Pipeline<float>&, ForeignFormat);
template void export_trees(const std::string&, const Pipeline<double>&, ForeignFormat);

}  // namespace tandem
