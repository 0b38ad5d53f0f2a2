// Model files of XGBoost and LightGBM: whatever is read without an InputError can be predicted
// with, explained and written, and what is written is read again.
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

#include "tandem/core/error.hpp"
#include "tandem/tree/foreign_trees.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace {

template <tandem::Real T>
void use(const tandem::ForeignTrees<T>& foreign) {
  static const auto engine = tandem::Engine::create({.threads = 1});
  const auto& trees = foreign.model.trees;
  trees.check("what was read");
  if (trees.features > 256 || trees.outputs > 64) return;
  tandem::Matrix<T> x(3, trees.features);
  for (tandem::Index j = 0; j < trees.features; ++j) {
    x(1, j) = std::numeric_limits<T>::quiet_NaN();
    x(2, j) = static_cast<T>(j);
  }
  try {
    (void)foreign.model.predict(*engine, x.view());
    (void)tandem::shap_values(*engine, trees, x.view());
  } catch (const tandem::InputError&) {
  }
  for (const bool of_xgboost : {true, false}) {
    std::string text;
    try {
      text = of_xgboost ? to_xgboost_json(foreign.model, foreign.feature_names)
                        : to_lightgbm_text(foreign.model, foreign.feature_names);
    } catch (const tandem::InputError&) {
      continue;  // what the other format cannot say
    }
    const auto again = of_xgboost ? tandem::parse_xgboost<T>(text, "again")
                                  : tandem::parse_lightgbm<T>(text, "again");
    if (again.model.trees.features != trees.features) std::abort();
  }
}

template <tandem::Real T>
void parse(std::string_view bytes) {
  try {
    use(tandem::foreign_format(bytes) == tandem::ForeignFormat::lightgbm
            ? tandem::parse_lightgbm<T>(bytes, "input")
            : tandem::parse_xgboost<T>(bytes, "input"));
  } catch (const tandem::InputError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  parse<float>(text);
  parse<double>(text);
  return 0;
}
