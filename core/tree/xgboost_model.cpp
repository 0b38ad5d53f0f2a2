// XGBoost's model files. A node goes left where x < threshold, in float, and where x is not among
// the node's categories; Tandem's goes left where x <= threshold, or where x is a member.
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/text.hpp"
#include "tandem/tree/foreign_trees.hpp"

namespace tandem {
namespace {

using Json = nlohmann::json;

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  throw InputError(source + ": " + what);
}

// Builds the document as the library does, but for containers that say they have more elements
// than the file has bytes (values of type null take no bytes in UBJSON, and a file of twenty bytes
// could ask for all memory) and for deep nesting, at which the library's reader of UBJSON calls
// itself.
class BoundedDocument final : public nlohmann::detail::json_sax_dom_parser<Json> {
 public:
  BoundedDocument(Json& to, std::size_t bytes)
      : json_sax_dom_parser(to, false), most_elements_(bytes) {}
  bool start_object(std::size_t elements) {
    return enter(elements) && json_sax_dom_parser::start_object(elements);
  }
  bool start_array(std::size_t elements) {
    return enter(elements) && json_sax_dom_parser::start_array(elements);
  }
  bool end_object() {
    --depth_;
    return json_sax_dom_parser::end_object();
  }
  bool end_array() {
    --depth_;
    return json_sax_dom_parser::end_array();
  }

 private:
  [[nodiscard]] bool enter(std::size_t elements) {
    constexpr int deepest = 64;
    const bool unknown = elements == std::numeric_limits<std::size_t>::max();
    return ++depth_ <= deepest && (unknown || elements <= most_elements_);
  }

  std::size_t most_elements_;
  int depth_ = 0;
};

Json document_of(std::string_view bytes, const std::string& source) {
  Json root;
  BoundedDocument document(root, bytes.size());
  const bool text = foreign_format(bytes) == ForeignFormat::xgboost_json;
  const auto format = text ? Json::input_format_t::json : Json::input_format_t::ubjson;
  bool whole = false;
  try {
    whole = Json::sax_parse(bytes.begin(), bytes.end(), &document, format);
  } catch (const nlohmann::json::exception&) {
    whole = false;
  }
  if (!whole || document.is_errored() || !root.is_object()) {
    fail(source, std::string("is not a whole ") + (text ? "JSON" : "UBJSON") +
                     " document; it may be cut off");
  }
  return root;
}

// A member that must be there, of objects within objects.
const Json& member(const Json& json, const std::string& name, const std::string& source) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  if (!json.is_object() || found == json.end()) {
    fail(source, "has no \"" + name + "\", which XGBoost's models have");
  }
  return *found;
}

double number_of(const Json& json, const std::string& name, const std::string& source) {
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    double value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status == std::errc() && end == text.data() + text.size()) return value;
  }
  fail(source, "\"" + name + "\" is not a number");
}

Index whole_number(const Json& json, const std::string& name, const std::string& source,
                   Index most) {
  const double value = number_of(json, name, source);
  if (!(value >= 0 && value <= static_cast<double>(most)) || value != std::floor(value)) {
    fail(source, "\"" + name + "\" is " + shortest(value) + ", expected a whole number up to " +
                     std::to_string(most));
  }
  return static_cast<Index>(value);
}

// An array of `size` numbers (any number where size < 0).
std::vector<double> numbers(const Json& tree, const std::string& name, const std::string& source,
                            Index size) {
  const Json& array = member(tree, name, source);
  if (!array.is_array() || (size >= 0 && static_cast<Index>(array.size()) != size)) {
    fail(source, "\"" + name + "\" is not an array" +
                     (size >= 0 ? " of " + std::to_string(size) + " numbers" : ""));
  }
  std::vector<double> values;
  values.reserve(array.size());
  for (const Json& value : array) {
    if (value.is_boolean())
      values.push_back(value.get<bool>() ? 1 : 0);
    else
      values.push_back(number_of(value, name, source));
  }
  return values;
}

constexpr std::int32_t most_foreign_nodes = 1 << 30;

std::int32_t as_node(double value, const std::string& name, const std::string& source) {
  if (!(value >= -1 && value <= most_foreign_nodes) || value != std::floor(value)) {
    fail(source, "\"" + name + "\" holds " + shortest(value) + ", which is no node or feature");
  }
  return static_cast<std::int32_t>(value);
}

// The greatest T that, as a float, is below `threshold`. For double that is the middle between two
// floats where the lower of them is even, which the middle is rounded to, and what comes before it
// where not.
template <Real T>
T below(float threshold) {
  const float low = std::nextafter(threshold, -std::numeric_limits<float>::infinity());
  if constexpr (sizeof(T) == sizeof(float)) {
    return low;
  } else {
    if (!std::isfinite(low) || !std::isfinite(threshold)) return static_cast<T>(low);
    const double middle = (static_cast<double>(low) + static_cast<double>(threshold)) / 2;
    const bool even = (std::bit_cast<std::uint32_t>(low) & 1) == 0;
    return even ? middle : std::nextafter(middle, -std::numeric_limits<double>::infinity());
  }
}

template <Real T>
EnsembleTree<T> tree_of(const Json& json, double scale, Index features, std::int32_t output,
                        const std::string& source) {
  const Json& parameters = member(json, "tree_param", source);
  const Index nodes = whole_number(member(parameters, "num_nodes", source), "num_nodes", source,
                                   most_foreign_nodes);
  if (const auto size = parameters.find("size_leaf_vector");
      size != parameters.end() && number_of(*size, "size_leaf_vector", source) > 1) {
    fail(source, "has trees whose leaves are vectors (multi_strategy=multi_output_tree)");
  }
  if (nodes < 1) fail(source, "has no nodes");
  const auto left = numbers(json, "left_children", source, nodes);
  const auto right = numbers(json, "right_children", source, nodes);
  const auto feature = numbers(json, "split_indices", source, nodes);
  const auto condition = numbers(json, "split_conditions", source, nodes);
  const auto default_left = numbers(json, "default_left", source, nodes);
  const auto gain = numbers(json, "loss_changes", source, nodes);
  const auto cover = numbers(json, "sum_hessian", source, nodes);
  const auto weight = numbers(json, "base_weights", source, nodes);
  std::vector<double> kind(static_cast<std::size_t>(nodes), 0);
  if (json.contains("split_type")) kind = numbers(json, "split_type", source, nodes);
  std::vector<std::vector<std::int32_t>> categories(static_cast<std::size_t>(nodes));
  if (json.contains("categories_nodes")) {
    const auto of_nodes = numbers(json, "categories_nodes", source, -1);
    const auto count = static_cast<Index>(of_nodes.size());
    const auto begins = numbers(json, "categories_segments", source, count);
    const auto sizes = numbers(json, "categories_sizes", source, count);
    const auto all = numbers(json, "categories", source, -1);
    for (std::size_t k = 0; k < of_nodes.size(); ++k) {
      const double begin = begins[k];
      const double size = sizes[k];
      const auto there = static_cast<double>(all.size());
      if (!(of_nodes[k] >= 0 && of_nodes[k] < static_cast<double>(nodes) && begin >= 0 &&
            size >= 0 && begin + size <= there)) {
        fail(source, "has categories that are not there");
      }
      auto& set = categories[static_cast<std::size_t>(of_nodes[k])];
      for (auto c = static_cast<std::size_t>(begin); c < static_cast<std::size_t>(begin + size);
           ++c) {
        constexpr double most_category = 1 << 24;  // XGBoost's own
        if (!(all[c] >= 0 && all[c] < most_category)) {
          fail(source, "has the category " + shortest(all[c]));
        }
        set.push_back(static_cast<std::int32_t>(all[c]));
      }
    }
  }

  // Nodes in the order in which they are come to, since XGBoost may leave deleted ones in place.
  EnsembleTree<T> tree;
  tree.output = output;
  std::vector<std::int32_t> order{0};
  std::vector<bool> seen(static_cast<std::size_t>(nodes), false);
  seen[0] = true;
  for (std::size_t n = 0; n < order.size(); ++n) {
    const auto i = static_cast<std::size_t>(order[n]);
    const bool leaf = left[i] < 0;
    // Of an inner node what it would add: its weight, before the rate that leaves are multiplied
    // by.
    const auto value = static_cast<T>(static_cast<float>(leaf ? condition[i] : weight[i]));
    tree.add_leaf(static_cast<T>(value * static_cast<T>(scale)), std::max(0.0, cover[i]));
    if (leaf) continue;
    for (const double child : {left[i], right[i]}) {
      const std::int32_t to = as_node(child, "left_children", source);
      if (to < 0 || to >= nodes || seen[static_cast<std::size_t>(to)]) {
        fail(source, "node " + std::to_string(i) + " leads to " + std::to_string(to) +
                         ", which is not there or has a parent already");
      }
      seen[static_cast<std::size_t>(to)] = true;
      order.push_back(to);
    }
  }
  Index child = 1;
  for (std::size_t n = 0; n < order.size(); ++n) {
    const auto i = static_cast<std::size_t>(order[n]);
    if (left[i] < 0) continue;
    const Index to_left = child++;
    const Index to_right = child++;
    const std::int32_t by = as_node(feature[i], "split_indices", source);
    if (by < 0 || by >= features) fail(source, "splits a feature that is not there");
    const bool missing_left = default_left[i] != 0;
    const double gained = std::isfinite(gain[i]) ? std::max(0.0, gain[i]) : 0.0;
    if (kind[i] != 0) {
      // The set goes right there, and left here.
      tree.split_by_category(static_cast<Index>(n), by, categories[i], to_right, to_left,
                             !missing_left, gained);
    } else {
      if (std::isnan(condition[i])) fail(source, "has a threshold that is no number");
      tree.split(static_cast<Index>(n), by, below<T>(static_cast<float>(condition[i])), to_left,
                 to_right, missing_left, gained);
    }
  }
  return tree;
}

struct KnownObjective {
  std::string_view name;
  BoostingObjective objective;
};
constexpr std::array known_objectives{
    KnownObjective{"reg:squarederror", BoostingObjective::squared_error},
    KnownObjective{"binary:logistic", BoostingObjective::logistic},
    KnownObjective{"multi:softprob", BoostingObjective::softmax},
    KnownObjective{"multi:softmax", BoostingObjective::softmax},
    KnownObjective{"count:poisson", BoostingObjective::poisson},
    KnownObjective{"reg:gamma", BoostingObjective::gamma},
    KnownObjective{"reg:tweedie", BoostingObjective::tweedie},
    KnownObjective{"reg:absoluteerror", BoostingObjective::absolute_error},
    KnownObjective{"reg:quantileerror", BoostingObjective::quantile},
    KnownObjective{"rank:ndcg", BoostingObjective::rank_ndcg},
    KnownObjective{"rank:map", BoostingObjective::rank_map},
    KnownObjective{"rank:pairwise", BoostingObjective::rank_pairwise}};

bool by_exponential(BoostingObjective objective) {
  return objective == BoostingObjective::poisson || objective == BoostingObjective::gamma ||
         objective == BoostingObjective::tweedie;
}

// The base scores as the file has them: a number, or, since version 3.1, a list in brackets.
std::vector<float> base_scores(const Json& json, const std::string& source) {
  std::vector<float> scores;
  if (!json.is_string()) return {static_cast<float>(number_of(json, "base_score", source))};
  std::string text = json.get<std::string>();
  std::erase_if(text, [](char c) { return c == '[' || c == ']' || c == ' '; });
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    // Parsed as a float at once: a double in between would round twice.
    float score = 0;
    const auto [stop, status] = std::from_chars(text.data() + begin, text.data() + end, score);
    if (status != std::errc() || stop != text.data() + end || !std::isfinite(score)) {
      fail(source, "\"base_score\" is not a number");
    }
    scores.push_back(score);
    begin = end + 1;
  }
  return scores;
}

// From the scale of predictions to that of scores.
float margin_of(float score, BoostingObjective objective, const std::string& source) {
  if (objective == BoostingObjective::logistic) {
    if (!(score > 0 && score < 1)) fail(source, "\"base_score\" is no probability");
    return -std::log(1.0F / score - 1.0F);
  }
  if (by_exponential(objective)) {
    if (!(score > 0)) fail(source, "\"base_score\" is no mean");
    return std::log(score);
  }
  return score;
}

template <Real T>
Json xgboost_document(const GradientBoostingModel<T>& model,
                      const std::vector<std::string>& names) {
  const TreeEnsemble<T>& trees = model.trees;
  if (static_cast<Index>(names.size()) != trees.features) {
    throw InputError(std::to_string(names.size()) + " feature names given for trees on " +
                     std::to_string(trees.features) + " features");
  }
  const auto known =
      std::ranges::find(known_objectives, model.objective, &KnownObjective::objective);
  if (known == known_objectives.end()) {
    throw InputError("XGBoost has no objective " + std::string(to_string(model.objective)) +
                     "; write the trees for LightGBM, or as ONNX");
  }
  Json all = Json::array();
  Json info = Json::array();
  const auto finite_float = [](double value) {
    constexpr double most = std::numeric_limits<float>::max();
    return static_cast<float>(std::clamp(value, -most, most));
  };
  for (const auto& tree : trees.trees) {
    if (tree.output == all_outputs) {
      throw InputError(
          "trees whose leaves have a value for each output cannot be written for "
          "XGBoost");
    }
    const Index nodes = tree.size();
    Json json;
    std::vector<int> parents(static_cast<std::size_t>(nodes), 2147483647);
    for (const char* name :
         {"base_weights", "categories", "categories_nodes", "categories_segments",
          "categories_sizes", "default_left", "left_children", "loss_changes", "right_children",
          "split_conditions", "split_indices", "split_type", "sum_hessian"}) {
      json[name] = Json::array();
    }
    for (Index node = 0; node < nodes; ++node) {
      const auto i = static_cast<std::size_t>(node);
      const bool leaf = tree.leaf(node);
      const bool categorical = (tree.flags[i] & tree_categorical) != 0;
      if ((tree.flags[i] & tree_zero_is_missing) != 0) {
        throw InputError("splits that take 0 for missing cannot be written for XGBoost");
      }
      std::int32_t left = tree.left[i];
      std::int32_t right = tree.right[i];
      bool missing_left = (tree.flags[i] & tree_missing_left) != 0;
      if (categorical) {
        std::swap(left, right);
        missing_left = !missing_left;
      }
      for (const std::int32_t child : {left, right}) {
        if (!leaf) parents[static_cast<std::size_t>(child)] = static_cast<int>(node);
      }
      float condition = finite_float(static_cast<double>(tree.value[i]));
      if (!leaf && categorical) {
        condition = 0;
        json["categories_nodes"].push_back(node);
        json["categories_segments"].push_back(json["categories"].size());
        Index size = 0;
        for (std::int32_t word = 0; word < tree.category_words[i]; ++word) {
          const std::uint32_t bits =
              tree.categories[static_cast<std::size_t>(tree.first_category[i] + word)];
          for (int bit = 0; bit < 32; ++bit) {
            if (((bits >> bit) & 1) == 0) continue;
            json["categories"].push_back(32 * word + bit);
            ++size;
          }
        }
        json["categories_sizes"].push_back(size);
      } else if (!leaf) {
        // The least float above the greatest one that goes left.
        float low = static_cast<float>(tree.threshold[i]);
        constexpr float infinity = std::numeric_limits<float>::infinity();
        if (static_cast<double>(low) > static_cast<double>(tree.threshold[i])) {
          low = std::nextafter(low, -infinity);
        }
        condition = finite_float(static_cast<double>(std::nextafter(low, infinity)));
      }
      json["base_weights"].push_back(finite_float(static_cast<double>(tree.value[i])));
      json["default_left"].push_back(!leaf && missing_left ? 1 : 0);
      json["left_children"].push_back(leaf ? -1 : left);
      json["right_children"].push_back(leaf ? -1 : right);
      json["split_indices"].push_back(leaf ? 0 : tree.feature[i]);
      json["split_conditions"].push_back(condition);
      json["split_type"].push_back(categorical ? 1 : 0);
      json["loss_changes"].push_back(finite_float(tree.gain[i]));
      json["sum_hessian"].push_back(finite_float(tree.cover[i]));
    }
    json["id"] = all.size();
    json["parents"] = parents;
    json["tree_param"] = {{"num_deleted", "0"},
                          {"num_feature", std::to_string(trees.features)},
                          {"num_nodes", std::to_string(nodes)},
                          {"size_leaf_vector", "1"}};
    all.push_back(std::move(json));
    info.push_back(tree.output);
  }
  std::vector<Index> rounds{0};
  for (Index t = trees.outputs; t <= static_cast<Index>(trees.trees.size()); t += trees.outputs) {
    rounds.push_back(t);
  }
  // XGBoost 3 takes one number for all outputs in the form of older versions as well.
  std::string base;
  for (const T score : trees.base) {
    auto value = static_cast<double>(score);
    if (model.objective == BoostingObjective::logistic) value = math::sigmoid(value);
    if (by_exponential(model.objective)) value = math::exp(value);
    const auto written = static_cast<float>(value);
    if (!std::isfinite(written) ||
        (model.objective == BoostingObjective::logistic && !(written > 0 && written < 1)) ||
        (by_exponential(model.objective) && !(written > 0))) {
      throw InputError("the base score " + shortest(static_cast<double>(score)) +
                       " is beyond what XGBoost's files can say");
    }
    base += (base.empty() ? "" : ",") + shortest(written);
  }
  const bool classes = trees.outputs > 1;
  Json objective{{"name", known->name}};
  if (classes) {
    objective["softmax_multiclass_param"] = {{"num_class", std::to_string(trees.outputs)}};
  } else {
    objective["reg_loss_param"] = {{"scale_pos_weight", "1"}};
  }
  if (model.objective == BoostingObjective::poisson) {
    objective["poisson_regression_param"] = {{"max_delta_step", "0.7"}};
  }
  if (model.objective == BoostingObjective::tweedie) {
    objective["tweedie_regression_param"] = {{"tweedie_variance_power", "1.5"}};
  }
  if (model.objective == BoostingObjective::quantile) {
    objective["quantile_loss_param"] = {{"quantile_alpha", "0.5"}};
  }
  if (model.objective == BoostingObjective::rank_ndcg ||
      model.objective == BoostingObjective::rank_map ||
      model.objective == BoostingObjective::rank_pairwise) {
    objective["lambdarank_param"] = Json::object();
  }
  bool categorical = false;
  std::vector<std::string> types(names.size(), "float");
  for (const auto& tree : trees.trees) {
    for (std::size_t i = 0; i < tree.flags.size(); ++i) {
      if ((tree.flags[i] & tree_categorical) == 0) continue;
      types[static_cast<std::size_t>(tree.feature[i])] = "c";
      categorical = true;
    }
  }
  if (!categorical) types.assign(names.size(), "float");
  return {{"learner",
           {{"attributes", Json::object()},
            {"feature_names", names},
            {"feature_types", types},
            {"gradient_booster",
             {{"model",
               {{"cats",
                 {{"enc", Json::array()},
                  {"feature_segments", Json::array()},
                  {"sorted_idx", Json::array()}}},
                {"gbtree_model_param",
                 {{"num_parallel_tree", "1"}, {"num_trees", std::to_string(trees.trees.size())}}},
                {"iteration_indptr", rounds},
                {"tree_info", info},
                {"trees", all}}},
              {"name", "gbtree"}}},
            {"learner_model_param",
             {{"base_score", trees.outputs > 1 ? "[" + base + "]" : base},
              {"boost_from_average", "1"},
              {"num_class", classes ? std::to_string(trees.outputs) : "0"},
              {"num_feature", std::to_string(trees.features)},
              {"num_target", "1"}}},
            {"objective", objective}}},
          {"version", {3, 1, 0}}};
}

// The bytes of a whole number or of a number's bits, the highest first.
template <class Bits>
void add_bits(Bits bits, std::string& to) {
  for (int shift = 8 * static_cast<int>(sizeof bits) - 8; shift >= 0; shift -= 8) {
    to += static_cast<char>((bits >> shift) & 255);
  }
}

// UBJSON as XGBoost reads it, which wants every length as an int64; the library's writer takes the
// shortest type.
void add_ubjson(const Json& json, std::string& to) {
  const auto add_text = [&](const std::string& text) {
    to += 'L';
    add_bits(static_cast<std::uint64_t>(text.size()), to);
    to += text;
  };
  if (json.is_object()) {
    to += '{';
    for (const auto& [name, value] : json.items()) {
      add_text(name);
      add_ubjson(value, to);
    }
    to += '}';
  } else if (json.is_array()) {
    to += '[';
    for (const Json& value : json) add_ubjson(value, to);
    to += ']';
  } else if (json.is_string()) {
    to += 'S';
    add_text(json.get<std::string>());
  } else if (json.is_number_float()) {
    to += 'd';
    add_bits(std::bit_cast<std::uint32_t>(json.get<float>()), to);
  } else {
    to += 'L';
    add_bits(static_cast<std::uint64_t>(json.get<std::int64_t>()), to);
  }
}

}  // namespace

ForeignFormat foreign_format(std::string_view head) {
  if (head.starts_with("tree\n") || head.starts_with("tree\r\n")) return ForeignFormat::lightgbm;
  const std::size_t begin = head.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || head[begin] != '{') return ForeignFormat::none;
  // After the brace JSON has a name in quotation marks; UBJSON the type of the name's length, or
  // of the container.
  const std::size_t next = head.find_first_not_of(" \t\r\n", begin + 1);
  if (next != std::string_view::npos && head[next] == '"') return ForeignFormat::xgboost_json;
  if (begin == 0 && head.size() > 1 &&
      std::string_view("iUIlL#$").find(head[1]) != std::string_view::npos) {
    return ForeignFormat::xgboost_ubjson;
  }
  return ForeignFormat::none;
}

template <Real T>
ForeignTrees<T> parse_xgboost(std::string_view bytes, const std::string& source) {
  const Json root = document_of(bytes, source);
  const Json& learner = member(root, "learner", source);
  const Json& parameters = member(learner, "learner_model_param", source);
  const Json& booster = member(learner, "gradient_booster", source);
  const Json& objective = member(member(learner, "objective", source), "name", source);
  const std::string objective_name =
      objective.is_string() ? objective.get<std::string>() : std::string();
  const auto known = std::ranges::find(known_objectives, objective_name, &KnownObjective::name);
  if (known == known_objectives.end()) {
    std::string names;
    for (const auto& one : known_objectives) {
      names += (names.empty() ? "" : ", ") + std::string(one.name);
    }
    fail(source, "its objective is '" + objective_name + "', expected one of " + names);
  }
  ForeignTrees<T> result;
  GradientBoostingModel<T>& model = result.model;
  model.objective = known->objective;
  TreeEnsemble<T>& trees = model.trees;
  constexpr Index most = (Index{1} << 29) - 1;
  trees.features =
      whole_number(member(parameters, "num_feature", source), "num_feature", source, most);
  const Index classes =
      whole_number(member(parameters, "num_class", source), "num_class", source, 1 << 20);
  const auto targets = parameters.find("num_target");
  if (targets != parameters.end() && number_of(*targets, "num_target", source) > 1) {
    fail(source, "predicts several targets, and Tandem's models one");
  }
  if (trees.features < 1) fail(source, "has no features");
  const bool softmax = model.objective == BoostingObjective::softmax;
  if (softmax && classes < 1) fail(source, "\"num_class\" is 0 in a model of classes");
  trees.outputs = softmax ? classes : 1;
  if (softmax || model.objective == BoostingObjective::logistic) {
    for (Index k = 0; k < (softmax ? classes : 2); ++k) {
      model.class_names.push_back(std::to_string(k));
    }
  }
  const auto scores = base_scores(member(parameters, "base_score", source), source);
  if (scores.size() != 1 && static_cast<Index>(scores.size()) != trees.outputs) {
    fail(source, "\"base_score\" has " + std::to_string(scores.size()) + " numbers for " +
                     std::to_string(trees.outputs) + " outputs");
  }
  for (Index k = 0; k < trees.outputs; ++k) {
    const float score = scores[scores.size() == 1 ? 0 : static_cast<std::size_t>(k)];
    trees.base.push_back(static_cast<T>(margin_of(score, model.objective, source)));
  }

  const Json& name = member(booster, "name", source);
  const bool dart = name == "dart";
  if (!dart && name != "gbtree") {
    fail(source, "its booster is " + name.dump() + ", expected gbtree or dart");
  }
  const Json& gbtree = dart ? member(booster, "gbtree", source) : booster;
  const Json& forest = member(gbtree, "model", source);
  const Json& all = member(forest, "trees", source);
  if (!all.is_array()) fail(source, "\"trees\" is not an array");
  const auto count = static_cast<Index>(all.size());
  const auto outputs = numbers(forest, "tree_info", source, count);
  std::vector<double> scale(all.size(), 1);
  if (dart) scale = numbers(booster, "weight_drop", source, count);
  for (std::size_t t = 0; t < all.size(); ++t) {
    if (!(outputs[t] >= 0 && outputs[t] < static_cast<double>(trees.outputs))) {
      fail(source, "tree " + std::to_string(t) + " adds to output " + shortest(outputs[t]) +
                       " of " + std::to_string(trees.outputs));
    }
    trees.trees.push_back(tree_of<T>(all[t], scale[t], trees.features,
                                     static_cast<std::int32_t>(outputs[t]),
                                     source + ": tree " + std::to_string(t)));
  }
  trees.check(source);
  const auto names = learner.find("feature_names");
  if (names != learner.end() && names->is_array() && !names->empty()) {
    for (const Json& one : *names) {
      if (!one.is_string()) fail(source, "a name of a feature is no text");
      result.feature_names.push_back(one.get<std::string>());
    }
    if (static_cast<Index>(result.feature_names.size()) != trees.features) {
      fail(source, "has " + std::to_string(result.feature_names.size()) + " names for " +
                       std::to_string(trees.features) + " features");
    }
  } else {
    for (Index f = 0; f < trees.features; ++f) {
      result.feature_names.push_back("f" + std::to_string(f));
    }
  }
  model.log.iterations = count / trees.outputs;
  model.log.converged = true;
  model.log.stopped_because = "it was read from a file of XGBoost";
  return result;
}

template <Real T>
std::string to_xgboost_json(const GradientBoostingModel<T>& model,
                            const std::vector<std::string>& feature_names) {
  return xgboost_document(model, feature_names).dump() + "\n";
}

template <Real T>
std::string to_xgboost_ubjson(const GradientBoostingModel<T>& model,
                              const std::vector<std::string>& feature_names) {
  std::string bytes;
  add_ubjson(xgboost_document(model, feature_names), bytes);
  return bytes;
}

template ForeignTrees<float> parse_xgboost(std::string_view, const std::string&);
template ForeignTrees<double> parse_xgboost(std::string_view, const std::string&);
template std::string to_xgboost_json(const GradientBoostingModel<float>&,
                                     const std::vector<std::string>&);
template std::string to_xgboost_json(const GradientBoostingModel<double>&,
                                     const std::vector<std::string>&);
template std::string to_xgboost_ubjson(const GradientBoostingModel<float>&,
                                       const std::vector<std::string>&);
template std::string to_xgboost_ubjson(const GradientBoostingModel<double>&,
                                       const std::vector<std::string>&);

}  // namespace tandem
