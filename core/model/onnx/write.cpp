// A whole pipeline: what stands before the model is here, the models are in write_models.cpp.
#include "tandem/model/onnx.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "core/file.hpp"
#include "core/model/onnx/write_parts.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace onnx {
namespace {

template <Real T>
Graph::Value row_of(Graph& graph, const std::vector<double>& values) {
  const std::vector<T> cast(values.begin(), values.end());
  const std::array<Index, 2> shape{1, static_cast<Index>(cast.size())};
  return graph.constant(std::span<const T>(cast), shape);
}

// The codes that a text column has in the model: the positions of its learned categories.
template <Real T>
Graph::Value codes_of(Graph& graph, const Graph::Value& texts,
                      const std::vector<std::string>& categories, float unknown) {
  std::vector<std::string> keys = categories;
  std::vector<float> values;
  for (std::size_t c = 0; c < keys.size(); ++c) values.push_back(static_cast<float>(c));
  if (keys.size() >= std::size_t{1} << 24) {
    throw InputError("a column of " + std::to_string(keys.size()) +
                     " categories is more than ONNX's encoder holds exactly; the most is 16777215");
  }
  // What is missing is so whether categories that were never seen are told apart from it or not.
  const float missing = std::numeric_limits<float>::quiet_NaN();
  if (std::find(keys.begin(), keys.end(), "") == keys.end()) {
    keys.emplace_back();
    values.push_back(missing);
  }
  const Graph::Value codes = graph.apply("LabelEncoder", {texts},
                                         Attributes()
                                             .texts("keys_strings", keys)
                                             .reals("values_floats", values)
                                             .real("default_float", unknown),
                                         ml_domain);
  return std::is_same_v<T, float> ? codes : graph.cast(codes, type_of<T>);
}

// The raw columns, with texts as codes, in type U.
template <Real U, Real T>
Graph::Value add_inputs(Graph& graph, const TransformChain<T>& transforms) {
  const std::vector<Column>& columns = transforms.inputs();
  bool texts = false;
  for (const Column& column : columns) texts = texts || column.categorical();
  const auto count = static_cast<Index>(columns.size());
  if (!texts) return graph.input("X", type_of<U>, count);

  const Transform<T>* const matched = transforms.find("categories");
  if (matched == nullptr) throw InputError("the pipeline has text columns that nothing matches");
  Archive learned;
  matched->save(learned);
  const float unknown =
      learned.get_bool("unknown_apart") ? -1.0F : std::numeric_limits<float>::quiet_NaN();
  std::set<std::string> names;
  std::vector<Graph::Value> parts;
  for (std::size_t j = 0; j < columns.size(); ++j) {
    if (!names.insert(columns[j].name).second || columns[j].name.empty()) {
      throw InputError("column " + std::to_string(j + 1) + " is called '" + columns[j].name +
                       "' as another is, or has no name; the inputs of an ONNX model are told "
                       "apart by their names");
    }
    if (columns[j].categorical()) {
      const Graph::Value input = graph.input(columns[j].name, Type::text, 1);
      parts.push_back(codes_of<U>(graph, input, matched->outputs()[j].categories, unknown));
    } else {
      parts.push_back(graph.input(columns[j].name, type_of<U>, 1));
    }
  }
  return graph.apply("Concat", parts, Attributes().integer("axis", 1));
}

template <Real T>
Graph::Value clip(Graph& graph, const Graph::Value& x, const Archive& learned) {
  // Comparisons, which a missing value never passes.
  const Graph::Value low = row_of<T>(graph, learned.get_doubles("low"));
  const Graph::Value high = row_of<T>(graph, learned.get_doubles("high"));
  const Graph::Value above = graph.apply("Where", {graph.apply("Less", {x, low}), low, x});
  return graph.apply("Where", {graph.apply("Greater", {above, high}), high, above});
}

template <Real T>
Graph::Value impute(Graph& graph, const Graph::Value& x, const Archive& learned) {
  const Graph::Value fill = row_of<T>(graph, learned.get_doubles("fill"));
  return graph.apply("Where", {graph.apply("IsNaN", {x}), fill, x});
}

template <Real T>
Graph::Value scale(Graph& graph, const Graph::Value& x, const Archive& learned) {
  const Graph::Value shift = row_of<double>(graph, learned.get_doubles("shift"));
  const Graph::Value divisor = row_of<double>(graph, learned.get_doubles("divisor"));
  const Graph::Value centred = graph.apply("Sub", {graph.cast(x, Type::float64), shift});
  return graph.cast(graph.apply("Div", {centred, divisor}), type_of<T>);
}

// x and the result: of type U.
template <Real U, Real T>
Graph::Value encode(Graph& graph, const Graph::Value& x, const Transform<T>& transform) {
  // Each output is taken from a column; an indicator is 1 where that holds its category.
  std::vector<Index> sources;
  std::vector<double> category;
  bool indicators = false;
  std::vector<Index> seen(transform.inputs().size(), 0);
  for (std::size_t j = 0; j < transform.outputs().size(); ++j) {
    const Index source = transform.input_of(static_cast<Index>(j));
    sources.push_back(source);
    const bool indicator =
        transform.outputs()[j].kind == FeatureKind::indicator &&
        transform.inputs()[static_cast<std::size_t>(source)].kind == FeatureKind::category;
    indicators = indicators || indicator;
    // No code is −2.
    category.push_back(indicator ? static_cast<double>(seen[static_cast<std::size_t>(source)]++)
                                 : -2.0);
  }
  if (!indicators) return x;
  const std::array<Index, 1> shape{static_cast<Index>(sources.size())};
  const Graph::Value taken =
      graph.apply("Gather", {x, graph.constant(std::span<const std::int64_t>(sources), shape)},
                  Attributes().integer("axis", 1));
  const Graph::Value codes = row_of<U>(graph, category);
  const Graph::Value is_indicator = graph.apply("GreaterOrEqual", {codes, row_of<U>(graph, {0.0})});
  const Graph::Value equal = graph.cast(graph.apply("Equal", {taken, codes}), type_of<U>);
  return graph.apply("Where", {is_indicator, equal, taken});
}

bool clips(const Archive& outliers) { return outliers.get_string("action") == "clip"; }

// Whether the model sees numbers that no column holds.
template <Real T>
bool computes(const TransformChain<T>& transforms) {
  for (const auto& transform : transforms.transforms()) {
    Archive learned;
    transform->save(learned);
    if (transform->name() == "impute" || transform->name() == "scale" ||
        (transform->name() == "outliers" && clips(learned))) {
      return true;
    }
  }
  return false;
}

// From columns in type U.
template <Real U, Real T>
Features features_from(Graph& graph, const TransformChain<T>& transforms) {
  Graph::Value x = add_inputs<U>(graph, transforms);
  Type type = type_of<U>;
  if (!std::is_same_v<U, T> && computes(transforms)) {
    type = type_of<T>;
    x = graph.cast(x, type);
  }
  for (const auto& transform : transforms.transforms()) {
    const std::string_view name = transform->name();
    Archive learned;
    transform->save(learned);
    if (name == "outliers") {
      if (clips(learned)) x = clip<T>(graph, x, learned);
    } else if (name == "impute") {
      x = impute<T>(graph, x, learned);
    } else if (name == "scale") {
      x = scale<T>(graph, x, learned);
    } else if (name == "encode") {
      x = type == type_of<T> ? encode<T>(graph, x, *transform) : encode<U>(graph, x, *transform);
    } else if (name != "categories" && name != "scale-target") {
      throw InputError(
          "the transform " + std::string(name) +
          " has no form in ONNX operators yet; train without it, or apply it to the data before");
    }
  }
  return {x, type};
}

}  // namespace

template <Real T>
Features add_transforms(Graph& graph, const TransformChain<T>& transforms, OnnxInput input) {
  return input == OnnxInput::float32 ? features_from<float>(graph, transforms)
                                     : features_from<T>(graph, transforms);
}

template <Real T>
Graph::Value restore_target(Graph& graph, const TransformChain<T>& transforms,
                            Graph::Value values) {
  for (auto at = transforms.transforms().rbegin(); at != transforms.transforms().rend(); ++at) {
    if (!(*at)->changes_target()) continue;
    if ((*at)->name() != "scale-target") {
      throw InputError("the transform " + std::string((*at)->name()) +
                       " of the target has no form in ONNX operators yet");
    }
    Archive learned;
    (*at)->save(learned);
    const double divisor = learned.get_double("divisor");
    const double shift = learned.get_double("shift");
    values = graph.apply("Mul", {values, graph.constant(std::span(&divisor, 1), {})});
    values = graph.apply("Add", {values, graph.constant(std::span(&shift, 1), {})});
  }
  return values;
}

template Graph::Value restore_target(Graph&, const TransformChain<float>&, Graph::Value);
template Graph::Value restore_target(Graph&, const TransformChain<double>&, Graph::Value);

}  // namespace onnx

template <Real T>
std::string to_onnx(const Pipeline<T>& model, const OnnxOptions& options) {
  onnx::Graph graph;
  const onnx::Features features = onnx::add_transforms(graph, model.transforms, options.input);
  onnx::add_model(graph, features, *model.model, model.transforms, options.operators);
  const bool old = options.operators == OnnxOperators::ml3;
  return graph.encode(TANDEM_VERSION,
                      {.format = old ? 8 : 10, .standard = old ? 15 : 18, .ml = old ? 3 : 5});
}

template <Real T>
void write_onnx(const std::string& path, const Pipeline<T>& model, const OnnxOptions& options) {
  const std::string bytes = to_onnx(model, options);
  write_file(path, bytes);
}

template std::string to_onnx(const Pipeline<float>&, const OnnxOptions&);
template std::string to_onnx(const Pipeline<double>&, const OnnxOptions&);
template void write_onnx(const std::string&, const Pipeline<float>&, const OnnxOptions&);
template void write_onnx(const std::string&, const Pipeline<double>&, const OnnxOptions&);

}  // namespace tandem
