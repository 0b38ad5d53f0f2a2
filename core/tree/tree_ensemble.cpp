#include "tandem/tree/tree_ensemble.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <utility>

#include "core/rows_on_engine.hpp"
#include "core/short_number.hpp"
#include "core/steps.hpp"
#include "core/tree/tree_ensemble_json.hpp"
#include "core/tree/tree_ensemble_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

constexpr std::uint8_t all_flags = tree_missing_left | tree_categorical | tree_zero_is_missing;

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

template <Real T>
std::span<const std::uint32_t> set_of(const EnsembleTree<T>& tree, std::size_t node) {
  return std::span<const std::uint32_t>(tree.categories)
      .subspan(static_cast<std::size_t>(tree.first_category[node]),
               static_cast<std::size_t>(tree.category_words[node]));
}

// Says what is wrong with a tree, or nothing where it is sound; sets `node` to the faulty node, or
// to −1.
template <Real T>
std::string fault(const EnsembleTree<T>& tree, Index features, Index outputs, Index& node) {
  const Index count = tree.size();
  const std::size_t size = at(count);
  node = -1;
  if (count < 1) return "has no nodes";
  if (count > std::numeric_limits<std::int32_t>::max()) return "has 2^31 nodes or more";
  if (tree.output != all_outputs && (tree.output < 0 || tree.output >= outputs)) {
    return "adds to output " + std::to_string(tree.output) + " of " + std::to_string(outputs);
  }
  const bool sets = !tree.first_category.empty() || !tree.category_words.empty();
  if (tree.threshold.size() != size || tree.left.size() != size || tree.right.size() != size ||
      tree.flags.size() != size || tree.gain.size() != size || tree.cover.size() != size ||
      tree.value.size() != size * at(tree.width(outputs)) ||
      (sets && (tree.first_category.size() != size || tree.category_words.size() != size))) {
    return "has vectors of unequal length";
  }
  std::vector<bool> has_parent(size, false);
  const auto width = at(tree.width(outputs));
  for (std::size_t i = 0; i < size; ++i) {
    node = static_cast<Index>(i);
    for (std::size_t k = 0; k < width; ++k) {
      if (!std::isfinite(tree.value[i * width + k])) return "has a value that is not finite";
    }
    if (!(tree.gain[i] >= 0) || !std::isfinite(tree.gain[i])) {
      return "has a gain that is negative or not finite";
    }
    if (!(tree.cover[i] >= 0) || !std::isfinite(tree.cover[i])) {
      return "has a cover that is negative or not finite";
    }
    if ((tree.flags[i] & ~all_flags) != 0) return "has an unknown flag";
    if (sets) {
      const auto words = static_cast<Index>(tree.categories.size());
      const Index first = tree.first_category[i];
      const Index length = tree.category_words[i];
      if (first < 0 || length < 0 || first > words || length > words - first) {
        return "has a set of categories that is not there";
      }
    }
    if (tree.feature[i] < 0) {
      if (tree.feature[i] != -1 || tree.left[i] != -1 || tree.right[i] != -1 ||
          tree.flags[i] != 0) {
        return "is a leaf with children or flags";
      }
      continue;
    }
    if (tree.feature[i] >= features) return "splits a feature that is not there";
    if (std::isnan(tree.threshold[i])) return "has a threshold that is no number";
    if ((tree.flags[i] & tree_categorical) != 0 && !sets) return "has no set of categories";
    for (const Index child : {tree.left[i], tree.right[i]}) {
      if (child <= node || child >= count) return "has a child that does not come after it";
      if (has_parent[at(child)]) return "shares a child";
      has_parent[at(child)] = true;
    }
  }
  for (std::size_t i = 1; i < size; ++i) {
    node = static_cast<Index>(i);
    if (!has_parent[i]) return "has no parent";
  }
  node = -1;
  return {};
}

void check_names(const std::vector<std::string>& names, Index features) {
  if (static_cast<Index>(names.size()) != features) {
    throw InputError(std::to_string(names.size()) + " feature names given for trees on " +
                     std::to_string(features) + " features");
  }
}

std::vector<std::int32_t> members(std::span<const std::uint32_t> set) {
  std::vector<std::int32_t> categories;
  for (std::size_t word = 0; word < set.size(); ++word) {
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      if (((set[word] >> bit) & 1) != 0) {
        categories.push_back(static_cast<std::int32_t>(word * 32 + bit));
      }
    }
  }
  return categories;
}

// What a category of a feature is called: its name, or the code where that is not known.
template <Real T>
std::string category_name(const TreeEnsemble<T>& ensemble, std::int32_t feature,
                          std::int32_t category) {
  if (!ensemble.categories.empty()) {
    const auto& names = ensemble.categories[static_cast<std::size_t>(feature)];
    if (static_cast<std::size_t>(category) < names.size()) {
      return names[static_cast<std::size_t>(category)];
    }
  }
  return std::to_string(category);
}

}  // namespace

template <Real T>
Index EnsembleTree<T>::depth() const {
  std::vector<Index> depth_of(feature.size(), 0);
  Index deepest = 0;
  for (std::size_t i = 0; i < feature.size(); ++i) {
    deepest = std::max(deepest, depth_of[i]);
    if (feature[i] < 0) continue;
    depth_of[static_cast<std::size_t>(left[i])] = depth_of[i] + 1;
    depth_of[static_cast<std::size_t>(right[i])] = depth_of[i] + 1;
  }
  return deepest;
}

template <Real T>
Index EnsembleTree<T>::leaves() const {
  return std::count(feature.begin(), feature.end(), -1);
}

template <Real T>
Index EnsembleTree<T>::add_leaf(std::span<const T> values, double node_cover) {
  feature.push_back(-1);
  threshold.push_back(0);
  left.push_back(-1);
  right.push_back(-1);
  flags.push_back(0);
  gain.push_back(0);
  cover.push_back(node_cover);
  value.insert(value.end(), values.begin(), values.end());
  if (!first_category.empty()) {
    first_category.push_back(0);
    category_words.push_back(0);
  }
  return size() - 1;
}

template <Real T>
void EnsembleTree<T>::split(Index node, std::int32_t by_feature, T at_threshold, Index to_left,
                            Index to_right, bool missing_left, double split_gain) {
  const auto i = static_cast<std::size_t>(node);
  feature[i] = by_feature;
  threshold[i] = at_threshold;
  left[i] = static_cast<std::int32_t>(to_left);
  right[i] = static_cast<std::int32_t>(to_right);
  flags[i] = missing_left ? tree_missing_left : 0;
  gain[i] = split_gain;
}

template <Real T>
void EnsembleTree<T>::split_by_category(Index node, std::int32_t by_feature,
                                        std::span<const std::int32_t> go_left, Index to_left,
                                        Index to_right, bool missing_left, double split_gain) {
  split(node, by_feature, T{0}, to_left, to_right, missing_left, split_gain);
  const auto i = static_cast<std::size_t>(node);
  flags[i] |= tree_categorical;
  first_category.resize(feature.size(), 0);
  category_words.resize(feature.size(), 0);
  const std::int32_t largest =
      go_left.empty() ? -1 : *std::max_element(go_left.begin(), go_left.end());
  first_category[i] = static_cast<std::int32_t>(categories.size());
  category_words[i] = largest / 32 + (largest >= 0 ? 1 : 0);
  categories.resize(categories.size() + static_cast<std::size_t>(category_words[i]), 0);
  for (const std::int32_t category : go_left) {
    categories[static_cast<std::size_t>(first_category[i] + category / 32)] |=
        1U << (static_cast<std::uint32_t>(category) % 32);
  }
}

template <Real T>
void TreeEnsemble<T>::check(std::string_view source) const {
  const auto fail = [&](const std::string& what) {
    throw InputError(std::string(source) + ": " + what);
  };
  if (features < 1) fail("the trees have no features");
  if (features > static_cast<Index>(tree::packed_feature)) fail("the trees have too many features");
  if (outputs < 1) fail("the trees have no output");
  if (static_cast<Index>(base.size()) != outputs) {
    fail("there are " + std::to_string(base.size()) + " base scores for " +
         std::to_string(outputs) + " outputs");
  }
  for (const T score : base) {
    if (!std::isfinite(score)) fail("a base score is not finite");
  }
  if (!categories.empty() && static_cast<Index>(categories.size()) != features) {
    fail("there are names of categories for " + std::to_string(categories.size()) + " of " +
         std::to_string(features) + " features");
  }
  for (std::size_t t = 0; t < trees.size(); ++t) {
    Index node = -1;
    const std::string what = fault(trees[t], features, outputs, node);
    if (what.empty()) continue;
    fail("tree " + std::to_string(t) +
         (node >= 0 ? ", node " + std::to_string(node) : std::string()) + " " + what);
  }
}

template <Real T>
void TreeEnsemble<T>::check_columns(Index cols) const {
  if (cols == features) return;
  throw InputError("the trees were grown on " + std::to_string(features) +
                   " features, and the data has " + std::to_string(cols) +
                   "; give the columns that they were grown on");
}

template <Real T>
Matrix<T> TreeEnsemble<T>::raw_scores(Engine& engine, MatrixView<const T> x,
                                      MatrixView<const T> margin, Index first, Index count) const {
  check_columns(x.cols);
  const auto all = static_cast<Index>(trees.size());
  if (count < 0) count = all - first;
  if (first < 0 || count < 0 || first + count > all) {
    throw InputError("trees " + std::to_string(first) + " to " + std::to_string(first + count - 1) +
                     " were asked for of " + std::to_string(all));
  }
  if (margin.rows > 0 && (margin.rows != x.rows || margin.cols != outputs)) {
    throw InputError("the margin is " + std::to_string(margin.rows) + " x " +
                     std::to_string(margin.cols) + ", expected " + std::to_string(x.rows) + " x " +
                     std::to_string(outputs));
  }
  Matrix<T> scores(x.rows, outputs);
  if (x.rows == 0) return scores;
  const auto on_engine = tree::to_engine(engine, *this);
  const auto steps = make_steps<tree::TreeEnsembleSteps, T>(engine);
  Buffer<T> sums(engine, scores.size(), Placement::engine);
  if (margin.rows > 0) {
    for (Index i = 0; i < x.rows; ++i) {
      std::copy(margin.row(i).begin(), margin.row(i).end(), scores.row(i).begin());
    }
    sums.upload(scores.values());
  } else {
    steps->set_base(on_engine, x.rows, sums);
  }
  const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
  steps->add_trees(on_engine, first, count, rows, x.rows, sums);
  sums.download(scores.values());
  return scores;
}

template <Real T>
Matrix<std::int32_t> TreeEnsemble<T>::leaves(Engine& engine, MatrixView<const T> x) const {
  check_columns(x.cols);
  Matrix<std::int32_t> leaf(x.rows, static_cast<Index>(trees.size()));
  if (leaf.size() == 0) return leaf;
  const auto on_engine = tree::to_engine(engine, *this);
  const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
  Buffer<std::int32_t> found(engine, leaf.size());
  make_steps<tree::TreeEnsembleSteps, T>(engine)->find_leaves(on_engine, rows, x.rows, found);
  found.download(leaf.values());
  return leaf;
}

template <Real T>
std::vector<double> TreeEnsemble<T>::importances(ImportanceKind kind) const {
  std::vector<double> sums(at(features), 0.0);
  std::vector<double> splits(at(features), 0.0);
  for (const auto& tree : trees) {
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      if (tree.feature[i] < 0) continue;
      const auto j = static_cast<std::size_t>(tree.feature[i]);
      const bool by_gain = kind == ImportanceKind::gain || kind == ImportanceKind::total_gain;
      sums[j] += by_gain ? tree.gain[i] : tree.cover[i];
      splits[j] += 1;
    }
  }
  if (kind == ImportanceKind::splits) return splits;
  if (kind == ImportanceKind::gain || kind == ImportanceKind::cover) {
    for (std::size_t j = 0; j < sums.size(); ++j) sums[j] /= std::max(splits[j], 1.0);
  }
  return sums;
}

template <Real T>
std::string TreeEnsemble<T>::to_text(const std::vector<std::string>& feature_names,
                                     Index most_trees) const {
  check_names(feature_names, features);
  // A tree as deep as it has rows must still print in linear space.
  constexpr Index deepest_indent = 32;
  const auto all = static_cast<Index>(trees.size());
  const Index shown = most_trees > 0 ? std::min(most_trees, all) : all;
  std::string text;
  for (Index t = 0; t < shown; ++t) {
    const auto& tree = trees[at(t)];
    text += "tree " + std::to_string(t);
    if (outputs > 1 && tree.output != all_outputs) {
      text += " of output " + std::to_string(tree.output);
    }
    text += "\n";
    const auto width = at(tree.width(outputs));
    std::vector<std::pair<Index, Index>> stack{{0, 1}};  // node, depth
    while (!stack.empty()) {
      const auto [node, depth] = stack.back();
      stack.pop_back();
      const auto i = at(node);
      text +=
          std::string(2 * at(std::min(depth, deepest_indent)), ' ') + std::to_string(node) + ": ";
      if (tree.leaf(node)) {
        for (std::size_t k = 0; k < width; ++k) {
          text += (k > 0 ? ", " : "") + shortest(tree.value[i * width + k]);
        }
        text += "\n";
        continue;
      }
      text += feature_names[static_cast<std::size_t>(tree.feature[i])];
      if ((tree.flags[i] & tree_categorical) != 0) {
        text += " in {";
        const auto in_set = members(set_of(tree, i));
        for (std::size_t c = 0; c < in_set.size(); ++c) {
          text += (c > 0 ? ", " : "") + category_name(*this, tree.feature[i], in_set[c]);
        }
        text += "}";
      } else {
        text += " <= " + shortest(tree.threshold[i]);
      }
      text +=
          " ? " + std::to_string(tree.left[i]) + " : " + std::to_string(tree.right[i]) +
          ", missing " +
          std::to_string((tree.flags[i] & tree_missing_left) != 0 ? tree.left[i] : tree.right[i]) +
          ", gain " + significant(tree.gain[i], 6) + ", cover " + significant(tree.cover[i], 6) +
          "\n";
      stack.emplace_back(tree.right[i], depth + 1);
      stack.emplace_back(tree.left[i], depth + 1);
    }
  }
  if (shown < all) text += "... " + std::to_string(all - shown) + " more trees\n";
  return text;
}

template <Real T>
std::string TreeEnsemble<T>::to_json(const std::vector<std::string>& feature_names) const {
  return tree::json_of(*this, feature_names).dump();
}

template <Real T>
nlohmann::json tree::json_of(const TreeEnsemble<T>& ensemble,
                             const std::vector<std::string>& feature_names) {
  check_names(feature_names, ensemble.features);
  nlohmann::json json;
  json["features"] = feature_names;
  json["outputs"] = ensemble.outputs;
  const auto short_numbers = [](std::span<const T> values) {
    std::vector<double> numbers;
    for (const T value : values) numbers.push_back(short_number(value));
    return numbers;
  };
  json["base"] = short_numbers(ensemble.base);
  json["trees"] = nlohmann::json::array();
  for (const auto& tree : ensemble.trees) {
    nlohmann::json nodes = nlohmann::json::array();
    const auto width = at(tree.width(ensemble.outputs));
    for (Index node = 0; node < tree.size(); ++node) {
      const auto i = at(node);
      nlohmann::json one;
      one["cover"] = tree.cover[i];
      if (tree.leaf(node)) {
        if (width == 1)
          one["value"] = short_number(tree.value[i]);
        else
          one["value"] = short_numbers(std::span<const T>(tree.value).subspan(i * width, width));
      } else {
        one["feature"] = feature_names[static_cast<std::size_t>(tree.feature[i])];
        if ((tree.flags[i] & tree_categorical) != 0) {
          const auto in_set = members(set_of(tree, i));
          one["categories"] = in_set;
          if (!ensemble.categories.empty()) {
            nlohmann::json& names = one["category_names"] = nlohmann::json::array();
            for (const std::int32_t category : in_set) {
              names.push_back(category_name(ensemble, tree.feature[i], category));
            }
          }
        } else {
          one["threshold"] = short_number(tree.threshold[i]);
        }
        one["left"] = tree.left[i];
        one["right"] = tree.right[i];
        one["missing"] = (tree.flags[i] & tree_missing_left) != 0 ? "left" : "right";
        if ((tree.flags[i] & tree_zero_is_missing) != 0) one["zero_is_missing"] = true;
        one["gain"] = tree.gain[i];
      }
      nodes.push_back(std::move(one));
    }
    json["trees"].push_back({{"output", tree.output}, {"nodes", std::move(nodes)}});
  }
  return json;
}

template <Real T>
void TreeEnsemble<T>::save(Archive& archive, std::string_view prefix) const {
  std::vector<std::int32_t> output;
  std::vector<std::int64_t> nodes;
  std::vector<std::int64_t> words;
  EnsembleTree<T> all;
  std::vector<std::int32_t> sets;
  for (const auto& tree : trees) {
    output.push_back(tree.output);
    nodes.push_back(tree.size());
    words.push_back(static_cast<std::int64_t>(tree.categories.size()));
    const auto append = [](auto& to, const auto& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(all.feature, tree.feature);
    append(all.threshold, tree.threshold);
    append(all.left, tree.left);
    append(all.right, tree.right);
    append(all.flags, tree.flags);
    append(all.gain, tree.gain);
    append(all.cover, tree.cover);
    append(all.value, tree.value);
    all.first_category.resize(all.feature.size() - tree.feature.size(), 0);
    all.category_words.resize(all.first_category.size(), 0);
    append(all.first_category, tree.first_category);
    append(all.category_words, tree.category_words);
    for (const std::uint32_t word : tree.categories) {
      sets.push_back(static_cast<std::int32_t>(word));
    }
  }
  all.first_category.resize(all.feature.size(), 0);
  all.category_words.resize(all.feature.size(), 0);
  Archive part;
  part.set("features", features);
  part.set_tensor("base", base);
  part.set_tensor("output", std::move(output));
  part.set_tensor("nodes", std::move(nodes));
  part.set_tensor("feature", std::move(all.feature));
  part.set_tensor("threshold", std::move(all.threshold));
  part.set_tensor("left", std::move(all.left));
  part.set_tensor("right", std::move(all.right));
  part.set_tensor("flags", std::move(all.flags));
  part.set_tensor("gain", std::move(all.gain));
  part.set_tensor("cover", std::move(all.cover));
  part.set_tensor("value", std::move(all.value));
  if (!sets.empty()) {
    part.set_tensor("first_category", std::move(all.first_category));
    part.set_tensor("category_words", std::move(all.category_words));
    part.set_tensor("words", std::move(words));
    part.set_tensor("categories", std::move(sets));
  }
  if (!categories.empty()) {
    std::vector<std::int64_t> counts;
    std::vector<std::string> names;
    for (const auto& of_feature : categories) {
      counts.push_back(static_cast<std::int64_t>(of_feature.size()));
      names.insert(names.end(), of_feature.begin(), of_feature.end());
    }
    part.set_tensor("category_counts", std::move(counts));
    part.set("category_names", std::move(names));
  }
  archive.set_part(prefix, part);
}

template <Real T>
TreeEnsemble<T> TreeEnsemble<T>::load(const Archive& archive, std::string_view prefix) {
  Archive part = archive.part(prefix);
  part.set_origin(archive.origin() + ": " + std::string(prefix));
  TreeEnsemble ensemble;
  ensemble.features = part.get_int("features", 1, static_cast<Index>(tree::packed_feature));
  ensemble.base = part.get_tensor<T>("base");
  ensemble.outputs = static_cast<Index>(ensemble.base.size());
  const auto& output = part.get_tensor<std::int32_t>("output");
  const auto count = static_cast<Index>(output.size());
  const auto& nodes = part.get_tensor<std::int64_t>("nodes", count);
  const auto& feature = part.get_tensor<std::int32_t>("feature");
  const auto total = static_cast<Index>(feature.size());
  const auto& threshold = part.get_tensor<T>("threshold", total);
  const auto& left = part.get_tensor<std::int32_t>("left", total);
  const auto& right = part.get_tensor<std::int32_t>("right", total);
  const auto& flags = part.get_tensor<std::uint8_t>("flags", total);
  const auto& gain = part.get_tensor<double>("gain", total);
  const auto& cover = part.get_tensor<double>("cover", total);
  const auto& value = part.get_tensor<T>("value");
  const bool sets = part.has("categories");
  const std::vector<std::int32_t> none;
  const auto& first_category = sets ? part.get_tensor<std::int32_t>("first_category", total) : none;
  const auto& category_words = sets ? part.get_tensor<std::int32_t>("category_words", total) : none;
  const auto& categories = sets ? part.get_tensor<std::int32_t>("categories") : none;
  const std::vector<std::int64_t> no_words(at(count), 0);
  const auto& words = sets ? part.get_tensor<std::int64_t>("words", count) : no_words;

  Index node = 0;
  Index first_value = 0;
  Index word = 0;
  for (std::size_t t = 0; t < at(count); ++t) {
    EnsembleTree<T> tree;
    tree.output = output[t];
    const Index width = tree.width(ensemble.outputs);
    const Index size = nodes[t];
    if (size < 1 || size > total - node ||
        size * width > static_cast<Index>(value.size()) - first_value || words[t] < 0 ||
        words[t] > static_cast<Index>(categories.size()) - word) {
      part.fail("nodes", "tree " + std::to_string(t) + " has more nodes than there are");
    }
    const auto take = [](const auto& from, Index begin, Index how_many) {
      return std::decay_t<decltype(from)>(from.begin() + begin, from.begin() + begin + how_many);
    };
    tree.feature = take(feature, node, size);
    tree.threshold = take(threshold, node, size);
    tree.left = take(left, node, size);
    tree.right = take(right, node, size);
    tree.flags = take(flags, node, size);
    tree.gain = take(gain, node, size);
    tree.cover = take(cover, node, size);
    tree.value = take(value, first_value, size * width);
    bool categorical = false;
    for (const std::uint8_t flag : tree.flags) categorical |= (flag & tree_categorical) != 0;
    if (sets && categorical) {
      tree.first_category = take(first_category, node, size);
      tree.category_words = take(category_words, node, size);
      for (Index i = 0; i < words[t]; ++i) {
        tree.categories.push_back(static_cast<std::uint32_t>(categories[at(word + i)]));
      }
    }
    node += size;
    first_value += size * width;
    word += words[t];
    ensemble.trees.push_back(std::move(tree));
  }
  if (node != total || first_value != static_cast<Index>(value.size()) ||
      word != static_cast<Index>(categories.size())) {
    part.fail("nodes", "leaves nodes over that belong to no tree");
  }
  if (part.has("category_counts")) {
    const auto& counts = part.get_tensor<std::int64_t>("category_counts", ensemble.features);
    const auto& names = part.get_strings("category_names");
    Index next = 0;
    for (const std::int64_t of_feature : counts) {
      if (of_feature < 0 || of_feature > static_cast<Index>(names.size()) - next) {
        part.fail("category_counts", "do not add up to the names");
      }
      ensemble.categories.emplace_back(names.begin() + next, names.begin() + next + of_feature);
      next += of_feature;
    }
    if (next != static_cast<Index>(names.size())) {
      part.fail("category_counts", "do not add up to the names");
    }
  }
  ensemble.check(part.origin());
  return ensemble;
}

template struct EnsembleTree<float>;
template struct EnsembleTree<double>;
template struct TreeEnsemble<float>;
template struct TreeEnsemble<double>;
template nlohmann::json tree::json_of(const TreeEnsemble<float>&, const std::vector<std::string>&);
template nlohmann::json tree::json_of(const TreeEnsemble<double>&, const std::vector<std::string>&);

namespace tree {

template <Real T>
EnsembleOnEngine<T> to_engine(Engine& engine, const TreeEnsemble<T>& ensemble) {
  EnsembleOnEngine<T> result;
  result.features = ensemble.features;
  result.outputs = ensemble.outputs;
  result.trees = static_cast<Index>(ensemble.trees.size());
  std::vector<PackedNode<T>> nodes;
  std::vector<T> values;
  std::vector<std::int32_t> numbers;
  std::vector<std::uint32_t> sets;
  Index total = 0;
  Index total_values = 0;
  for (const auto& tree : ensemble.trees) {
    total += tree.size();
    total_values += tree.leaves() * tree.width(ensemble.outputs);
  }
  constexpr Index most = std::numeric_limits<std::int32_t>::max() / 4;
  if (total > most || total_values > most) {
    throw InputError("the trees have " + std::to_string(total) + " nodes and " +
                     std::to_string(total_values) + " values; at most " + std::to_string(most) +
                     " can be predicted with at once");
  }
  nodes.reserve(at(total));
  numbers.reserve(at(total));
  values.reserve(at(total_values));
  for (const auto& tree : ensemble.trees) {
    PackedTree head;
    head.root = static_cast<std::int32_t>(nodes.size());
    head.output = tree.output;
    const auto width = tree.width(ensemble.outputs);
    // Level by level, siblings side by side.
    std::vector<std::int32_t> order{0};
    std::size_t level_end = 1;
    for (std::size_t k = 0; k < order.size(); ++k) {
      if (k == level_end) {
        ++head.depth;
        level_end = order.size();
      }
      const auto i = static_cast<std::size_t>(order[k]);
      PackedNode<T> node{};
      if (tree.feature[i] < 0) {
        node.threshold = std::numeric_limits<T>::infinity();
        node.left = head.root + static_cast<std::int32_t>(k);
        node.asks = packed_missing_left;
        node.payload = static_cast<std::int32_t>(values.size());
        const auto begin = tree.value.begin() + static_cast<Index>(i) * width;
        values.insert(values.end(), begin, begin + width);
      } else {
        node.threshold = tree.threshold[i];
        node.left = head.root + static_cast<std::int32_t>(order.size());
        node.asks = static_cast<std::uint32_t>(tree.feature[i]);
        if ((tree.flags[i] & tree_missing_left) != 0) node.asks |= packed_missing_left;
        if ((tree.flags[i] & tree_zero_is_missing) != 0) node.asks |= packed_zero_is_missing;
        if ((tree.flags[i] & tree_categorical) != 0) {
          node.asks |= packed_categorical;
          node.payload = static_cast<std::int32_t>(sets.size());
          const auto set = set_of(tree, i);
          sets.push_back(static_cast<std::uint32_t>(set.size()));
          sets.insert(sets.end(), set.begin(), set.end());
        }
        if ((tree.flags[i] & ~tree_missing_left) != 0) head.plain = 0;
        order.push_back(tree.left[i]);
        order.push_back(tree.right[i]);
      }
      nodes.push_back(node);
      numbers.push_back(order[k]);
    }
    result.depth = std::max<Index>(result.depth, head.depth);
    result.plain = result.plain && head.plain != 0;
    result.on_host.push_back(head);
  }
  if (sets.empty()) sets.push_back(0);
  result.heads = tandem::to_engine(engine, result.on_host);
  result.nodes = tandem::to_engine(engine, nodes);
  result.values = tandem::to_engine(engine, values);
  result.numbers = tandem::to_engine(engine, numbers);
  result.sets = tandem::to_engine(engine, sets);
  result.base = tandem::to_engine(engine, ensemble.base);
  return result;
}

template EnsembleOnEngine<float> to_engine(Engine&, const TreeEnsemble<float>&);
template EnsembleOnEngine<double> to_engine(Engine&, const TreeEnsemble<double>&);

}  // namespace tree
}  // namespace tandem
