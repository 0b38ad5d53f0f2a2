// LightGBM's model files: lines of "name=value", a block of them for each tree. Children are node
// numbers, or the complement of a leaf's.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/text.hpp"
#include "tandem/tree/foreign_trees.hpp"

namespace tandem {
namespace {

using Block = std::map<std::string, std::string, std::less<>>;

// Bits of decision_type.
constexpr int categorical_bit = 1;
constexpr int default_left_bit = 2;
constexpr int missing_zero = 1;  // bits 2 and 3
constexpr int missing_nan = 2;

[[noreturn]] void fail(const std::string& source, const std::string& what) {
  throw InputError(source + ": " + what);
}

// The lines of a text, without their ends.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    line = rest_.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return true;
  }

 private:
  std::string_view rest_;
};

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> result;
  while (true) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return result;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find(' '), text.size());
    result.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

double number_of(std::string_view text, const std::string& name, const std::string& source) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end != text.data() + text.size()) {
    fail(source, name + ": '" + std::string(text.substr(0, 30)) + "' is not a number");
  }
  return value;
}

const std::string& text_of(const Block& block, const std::string& name, const std::string& source) {
  const auto found = block.find(name);
  if (found == block.end()) fail(source, "has no " + name + ", which LightGBM's models have");
  return found->second;
}

std::vector<double> numbers(const Block& block, const std::string& name, std::size_t count,
                            const std::string& source) {
  const auto parts = words(text_of(block, name, source));
  if (parts.size() != count) {
    fail(source, name + " has " + std::to_string(parts.size()) + " values, expected " +
                     std::to_string(count));
  }
  std::vector<double> values;
  values.reserve(count);
  for (const auto part : parts) values.push_back(number_of(part, name, source));
  return values;
}

Index whole_number(const Block& block, const std::string& name, Index most,
                   const std::string& source) {
  const double value = number_of(text_of(block, name, source), name, source);
  if (!(value >= 0 && value <= static_cast<double>(most)) || value != std::floor(value)) {
    fail(source, name + " is " + shortest(value) + ", expected a whole number up to " +
                     std::to_string(most));
  }
  return static_cast<Index>(value);
}

Index whole(double value, const std::string& name, double least, double most,
            const std::string& source) {
  if (!(value >= least && value <= most) || value != std::floor(value)) {
    fail(source, name + " holds " + shortest(value) + ", expected whole numbers from " +
                     shortest(least) + " to " + shortest(most));
  }
  return static_cast<Index>(value);
}

template <Real T>
EnsembleTree<T> tree_of(const Block& block, double scale, Index features, std::int32_t output,
                        const std::string& source) {
  constexpr Index most_leaves = 1 << 28;
  if (const auto linear = block.find("is_linear"); linear != block.end() && linear->second != "0") {
    fail(source, "has linear leaves (linear_tree=true)");
  }
  const auto leaves =
      static_cast<std::size_t>(whole_number(block, "num_leaves", most_leaves, source));
  if (leaves < 1) fail(source, "has no leaves");
  const std::size_t inner = leaves - 1;
  const auto value = numbers(block, "leaf_value", leaves, source);
  EnsembleTree<T> tree;
  tree.output = output;
  if (inner == 0) {
    // A constant; its count is not always written.
    tree.add_leaf(static_cast<T>(value[0] * scale), 0);
    return tree;
  }
  const auto leaf_count = numbers(block, "leaf_count", leaves, source);
  const auto feature = numbers(block, "split_feature", inner, source);
  const auto gain = numbers(block, "split_gain", inner, source);
  const auto threshold = numbers(block, "threshold", inner, source);
  const auto decision = numbers(block, "decision_type", inner, source);
  const auto left = numbers(block, "left_child", inner, source);
  const auto right = numbers(block, "right_child", inner, source);
  const auto inner_value = numbers(block, "internal_value", inner, source);
  const auto count = numbers(block, "internal_count", inner, source);
  std::vector<double> boundaries;
  std::vector<double> bits;
  const auto sets = static_cast<std::size_t>(whole_number(block, "num_cat", most_leaves, source));
  if (sets > 0) {
    boundaries = numbers(block, "cat_boundaries", sets + 1, source);
    for (std::size_t k = 0; k <= sets; ++k) {
      whole(boundaries[k], "cat_boundaries", k > 0 ? boundaries[k - 1] : 0, most_leaves, source);
    }
    bits = numbers(block, "cat_threshold", static_cast<std::size_t>(boundaries.back()), source);
  }

  // From the root down, each node once.
  const auto most_inner = static_cast<double>(inner) - 1;
  const auto most_leaf = static_cast<double>(leaves);
  std::vector<Index> order{0};
  std::vector<bool> seen(inner + leaves, false);
  seen[0] = true;
  for (std::size_t n = 0; n < order.size(); ++n) {
    if (order[n] < 0) {
      const auto leaf = static_cast<std::size_t>(~order[n]);
      tree.add_leaf(static_cast<T>(value[leaf] * scale), std::max(0.0, leaf_count[leaf]));
      continue;
    }
    const auto i = static_cast<std::size_t>(order[n]);
    tree.add_leaf(static_cast<T>(inner_value[i] * scale), std::max(0.0, count[i]));
    for (const double child : {left[i], right[i]}) {
      const Index to = whole(child, "left_child", -most_leaf, most_inner, source);
      const std::size_t place =
          to >= 0 ? static_cast<std::size_t>(to) : inner + static_cast<std::size_t>(~to);
      if (seen[place]) fail(source, "a node has two parents");
      seen[place] = true;
      order.push_back(to);
    }
  }
  Index child = 1;
  for (std::size_t n = 0; n < order.size(); ++n) {
    if (order[n] < 0) continue;
    const auto i = static_cast<std::size_t>(order[n]);
    const auto node = static_cast<Index>(n);
    const Index to_left = child++;
    const Index to_right = child++;
    const auto by = static_cast<std::int32_t>(
        whole(feature[i], "split_feature", 0, static_cast<double>(features) - 1, source));
    const Index how = whole(decision[i], "decision_type", 0, 15, source);
    const double gained = std::isfinite(gain[i]) ? std::max(0.0, gain[i]) : 0.0;
    if ((how & categorical_bit) != 0) {
      const auto set = static_cast<std::size_t>(
          whole(threshold[i], "threshold", 0, static_cast<double>(sets) - 1, source));
      std::vector<std::int32_t> members;
      const auto begin = static_cast<std::size_t>(boundaries[set]);
      const auto end = static_cast<std::size_t>(boundaries[set + 1]);
      for (std::size_t word = begin; word < end; ++word) {
        const auto mask =
            static_cast<std::uint64_t>(whole(bits[word], "cat_threshold", 0, 4294967295.0, source));
        for (std::size_t bit = 0; bit < 32; ++bit) {
          if (((mask >> bit) & 1) == 0) continue;
          members.push_back(static_cast<std::int32_t>((word - begin) * 32 + bit));
        }
      }
      // A missing category goes right there.
      tree.split_by_category(node, by, members, to_left, to_right, false, gained);
      continue;
    }
    if (std::isnan(threshold[i])) fail(source, "has a threshold that is no number");
    const Index missing = how >> 2;
    bool missing_left = (how & default_left_bit) != 0;
    // Where training saw none, a missing value is a zero.
    if (missing != missing_zero && missing != missing_nan) missing_left = 0 <= threshold[i];
    tree.split(node, by, static_cast<T>(threshold[i]), to_left, to_right, missing_left, gained);
    if (missing == missing_zero) tree.flags[n] |= tree_zero_is_missing;
  }
  return tree;
}

struct KnownObjective {
  std::string_view name;
  BoostingObjective objective;
};
// The first of an objective's names is written.
constexpr std::array known_objectives{
    KnownObjective{"regression", BoostingObjective::squared_error},
    KnownObjective{"regression_l2", BoostingObjective::squared_error},
    KnownObjective{"regression_l1", BoostingObjective::absolute_error},
    KnownObjective{"huber", BoostingObjective::huber},
    KnownObjective{"quantile", BoostingObjective::quantile},
    KnownObjective{"poisson", BoostingObjective::poisson},
    KnownObjective{"gamma", BoostingObjective::gamma},
    KnownObjective{"tweedie", BoostingObjective::tweedie},
    KnownObjective{"binary", BoostingObjective::logistic},
    KnownObjective{"multiclass", BoostingObjective::softmax},
    KnownObjective{"lambdarank", BoostingObjective::rank_ndcg},
    KnownObjective{"rank_xendcg", BoostingObjective::rank_ndcg}};

std::string text_of_number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

// A line of numbers.
template <class F>
std::string line_of(const std::string& name, std::size_t count, F&& at) {
  std::string line = name + "=";
  for (std::size_t i = 0; i < count; ++i) line += (i > 0 ? " " : "") + at(i);
  return line + "\n";
}

// A tree as LightGBM has it: inner nodes and leaves numbered apart, in the order of Tandem's nodes.
template <Real T>
std::string text_of_tree(const EnsembleTree<T>& tree, std::size_t number, double base) {
  std::vector<std::size_t> inner;
  std::vector<std::size_t> leaves;
  std::vector<Index> named(static_cast<std::size_t>(tree.size()));
  for (std::size_t i = 0; i < named.size(); ++i) {
    if (tree.feature[i] < 0) {
      named[i] = ~static_cast<Index>(leaves.size());
      leaves.push_back(i);
    } else {
      named[i] = static_cast<Index>(inner.size());
      inner.push_back(i);
    }
  }
  std::vector<std::string> thresholds;
  std::vector<std::int32_t> boundaries{0};
  std::vector<std::uint32_t> bits;
  const auto decision = [&](std::size_t i) {
    int how = 0;
    if ((tree.flags[i] & tree_categorical) != 0) {
      if ((tree.flags[i] & tree_missing_left) != 0) {
        throw InputError("tree " + std::to_string(number) +
                         ": missing categories that go left cannot be written for LightGBM");
      }
      return categorical_bit;
    }
    if ((tree.flags[i] & tree_missing_left) != 0) how |= default_left_bit;
    const bool zero = (tree.flags[i] & tree_zero_is_missing) != 0;
    return how | (zero ? missing_zero : missing_nan) << 2;
  };
  for (const std::size_t i : inner) {
    if ((tree.flags[i] & tree_categorical) == 0) {
      thresholds.push_back(text_of_number(static_cast<double>(tree.threshold[i])));
      continue;
    }
    thresholds.push_back(std::to_string(boundaries.size() - 1));
    const auto begin = tree.categories.begin() + tree.first_category[i];
    bits.insert(bits.end(), begin, begin + tree.category_words[i]);
    boundaries.push_back(static_cast<std::int32_t>(bits.size()));
  }
  const auto counted = [&](std::size_t i) {
    return std::to_string(static_cast<std::int64_t>(std::min(1e15, std::round(tree.cover[i]))));
  };
  const auto covered = [&](std::size_t i) { return text_of_number(tree.cover[i]); };
  const auto added = [&](std::size_t i) {
    return text_of_number(static_cast<double>(tree.value[i]) + base);
  };
  const auto of_inner = [&](const std::string& name, auto&& at) {
    return line_of(name, inner.size(), [&](std::size_t k) { return at(inner[k]); });
  };
  const auto of_leaves = [&](const std::string& name, auto&& at) {
    return line_of(name, leaves.size(), [&](std::size_t k) { return at(leaves[k]); });
  };
  std::string text = "Tree=" + std::to_string(number) +
                     "\nnum_leaves=" + std::to_string(leaves.size()) +
                     "\nnum_cat=" + std::to_string(boundaries.size() - 1) + "\n";
  text += of_inner("split_feature", [&](std::size_t i) { return std::to_string(tree.feature[i]); });
  text += of_inner("split_gain", [&](std::size_t i) { return text_of_number(tree.gain[i]); });
  text += line_of("threshold", thresholds.size(), [&](std::size_t k) { return thresholds[k]; });
  text += of_inner("decision_type", [&](std::size_t i) { return std::to_string(decision(i)); });
  text += of_inner("left_child", [&](std::size_t i) {
    return std::to_string(named[static_cast<std::size_t>(tree.left[i])]);
  });
  text += of_inner("right_child", [&](std::size_t i) {
    return std::to_string(named[static_cast<std::size_t>(tree.right[i])]);
  });
  text += of_leaves("leaf_value", added);
  text += of_leaves("leaf_weight", covered);
  text += of_leaves("leaf_count", counted);
  text += of_inner("internal_value", added);
  text += of_inner("internal_weight", covered);
  text += of_inner("internal_count", counted);
  if (boundaries.size() > 1) {
    text += line_of("cat_boundaries", boundaries.size(),
                    [&](std::size_t k) { return std::to_string(boundaries[k]); });
    text += line_of("cat_threshold", bits.size(),
                    [&](std::size_t k) { return std::to_string(bits[k]); });
  }
  return text + "is_linear=0\nshrinkage=1\n\n\n";
}

}  // namespace

template <Real T>
ForeignTrees<T> parse_lightgbm(std::string_view bytes, const std::string& source) {
  Lines lines(bytes);
  std::string_view line;
  if (!lines.next(line) || line != "tree") {
    fail(source, "does not begin with a line \"tree\", as LightGBM's models do");
  }
  Block head;
  std::vector<Block> blocks;
  bool ended = false;
  while (!ended && lines.next(line)) {
    if (line == "end of trees") {
      ended = true;
      break;
    }
    const std::size_t equal = line.find('=');
    if (equal == std::string_view::npos) {
      // "average_output" stands alone.
      if (!line.empty()) head.emplace(line, "");
      continue;
    }
    const std::string name(line.substr(0, equal));
    if (name == "Tree") blocks.emplace_back();
    (blocks.empty() ? head : blocks.back())[name] = line.substr(equal + 1);
  }
  if (!ended) fail(source, "is cut off: it has no line \"end of trees\"");

  ForeignTrees<T> result;
  GradientBoostingModel<T>& model = result.model;
  TreeEnsemble<T>& trees = model.trees;
  const auto objective = words(text_of(head, "objective", source));
  const std::string_view objective_name = objective.empty() ? std::string_view() : objective[0];
  const auto known = std::ranges::find(known_objectives, objective_name, &KnownObjective::name);
  if (known == known_objectives.end()) {
    std::string names;
    for (const auto& one : known_objectives) {
      names += (names.empty() ? "" : ", ") + std::string(one.name);
    }
    fail(source,
         "its objective is '" + std::string(objective_name) + "', expected one of " + names);
  }
  for (const auto word : objective) {
    const bool other_slope =
        word.starts_with("sigmoid:") && number_of(word.substr(8), "sigmoid", source) != 1;
    if (known->objective == BoostingObjective::logistic && other_slope) {
      fail(source, "its objective is binary with " + std::string(word) +
                       ", and Tandem's logistic objective has a slope of 1");
    }
    if (word == "sqrt") fail(source, "predicts squares of scores (reg_sqrt=true)");
  }
  model.objective = known->objective;
  constexpr Index most = (Index{1} << 29) - 2;
  trees.features = whole_number(head, "max_feature_idx", most, source) + 1;
  const Index outputs = whole_number(head, "num_tree_per_iteration", 1 << 20, source);
  const bool softmax = model.objective == BoostingObjective::softmax;
  if (outputs < 1 || (!softmax && outputs != 1)) {
    fail(source, "num_tree_per_iteration is " + std::to_string(outputs) +
                     ", which does not fit its objective");
  }
  trees.outputs = outputs;
  trees.base.assign(static_cast<std::size_t>(outputs), T{0});
  if (softmax || model.objective == BoostingObjective::logistic) {
    for (Index k = 0; k < (softmax ? outputs : 2); ++k) {
      model.class_names.push_back(std::to_string(k));
    }
  }
  const auto rounds = static_cast<double>(blocks.size()) / static_cast<double>(outputs);
  const double scale = head.contains("average_output") && rounds > 0 ? 1 / rounds : 1;
  for (std::size_t t = 0; t < blocks.size(); ++t) {
    trees.trees.push_back(
        tree_of<T>(blocks[t], scale, trees.features,
                   static_cast<std::int32_t>(t % static_cast<std::size_t>(outputs)),
                   source + ": tree " + std::to_string(t)));
  }
  trees.check(source);
  for (const auto name : words(text_of(head, "feature_names", source))) {
    result.feature_names.emplace_back(name);
  }
  if (static_cast<Index>(result.feature_names.size()) != trees.features) {
    fail(source, "has " + std::to_string(result.feature_names.size()) + " names for " +
                     std::to_string(trees.features) + " features");
  }
  model.log.iterations = static_cast<Index>(blocks.size()) / outputs;
  model.log.converged = true;
  model.log.stopped_because = "it was read from a file of LightGBM";
  return result;
}

template <Real T>
std::string to_lightgbm_text(const GradientBoostingModel<T>& model,
                             const std::vector<std::string>& feature_names) {
  const TreeEnsemble<T>& trees = model.trees;
  if (static_cast<Index>(feature_names.size()) != trees.features) {
    throw InputError(std::to_string(feature_names.size()) + " feature names given for trees on " +
                     std::to_string(trees.features) + " features");
  }
  const auto known =
      std::ranges::find(known_objectives, model.objective, &KnownObjective::objective);
  if (known == known_objectives.end()) {
    throw InputError("LightGBM has no objective " + std::string(to_string(model.objective)) +
                     "; write the trees for XGBoost, or as ONNX");
  }
  std::string objective(known->name);
  if (model.objective == BoostingObjective::logistic) objective += " sigmoid:1";
  if (model.objective == BoostingObjective::softmax) {
    objective += " num_class:" + std::to_string(trees.outputs);
  }
  // The format has no base: it goes into the leaves of each output's first tree, or into a tree of
  // one leaf.
  std::vector<std::string> texts;
  std::vector<EnsembleTree<T>> all = trees.trees;
  for (std::size_t t = 0; t < all.size(); ++t) {
    if (all[t].output != static_cast<std::int32_t>(t % static_cast<std::size_t>(trees.outputs))) {
      throw InputError(
          "trees that do not add to the outputs in turn cannot be written for LightGBM");
    }
  }
  for (Index k = static_cast<Index>(all.size()); k < trees.outputs; ++k) {
    EnsembleTree<T> constant;
    constant.output = static_cast<std::int32_t>(k);
    constant.add_leaf(T{0}, 0);
    all.push_back(std::move(constant));
  }
  for (std::size_t t = 0; t < all.size(); ++t) {
    const double base = t < trees.base.size() ? static_cast<double>(trees.base[t]) : 0;
    texts.push_back(text_of_tree(all[t], t, base));
  }
  const auto name_of = [&](std::size_t f) {
    std::string name = feature_names[f];
    // Blanks part the names there.
    std::ranges::replace_if(
        name, [](unsigned char c) { return c <= ' '; }, '_');
    return name;
  };
  std::string text = "tree\nversion=v4\nnum_class=" + std::to_string(trees.outputs) +
                     "\nnum_tree_per_iteration=" + std::to_string(trees.outputs) +
                     "\nlabel_index=0\nmax_feature_idx=" + std::to_string(trees.features - 1) +
                     "\nobjective=" + objective + "\n";
  text += line_of("feature_names", feature_names.size(), name_of);
  text += line_of("feature_infos", feature_names.size(),
                  [](std::size_t) { return std::string("[-inf:inf]"); });
  text += line_of("tree_sizes", texts.size(),
                  [&](std::size_t t) { return std::to_string(texts[t].size()); });
  text += "\n";
  for (const std::string& one : texts) text += one;
  // By these lists LightGBM gives the columns of a data frame their codes.
  nlohmann::json names_of_categories;
  for (const auto& names : trees.categories) {
    if (!names.empty()) names_of_categories.push_back(names);
  }
  return text + "end of trees\n\nparameters:\nend of parameters\n\npandas_categorical:" +
         names_of_categories.dump(-1, ' ', true) + "\n";
}

template ForeignTrees<float> parse_lightgbm(std::string_view, const std::string&);
template ForeignTrees<double> parse_lightgbm(std::string_view, const std::string&);
template std::string to_lightgbm_text(const GradientBoostingModel<float>&,
                                      const std::vector<std::string>&);
template std::string to_lightgbm_text(const GradientBoostingModel<double>&,
                                      const std::vector<std::string>&);

}  // namespace tandem
