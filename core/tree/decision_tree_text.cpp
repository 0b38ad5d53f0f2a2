// A tree on paper: text, Graphviz and JSON.
#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "core/json_text.hpp"
#include "core/short_number.hpp"
#include "core/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/visible.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem {
namespace {

std::string counted(Index count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

template <Real T>
std::string question(const DecisionTreeNodes<T>& nodes, std::size_t node,
                     const std::vector<std::string>& feature_names) {
  const std::string& name = feature_names[static_cast<std::size_t>(nodes.feature[node])];
  if (nodes.threshold[node] == std::numeric_limits<T>::max()) return name + " is known";
  return name + " <= " + shortest(nodes.threshold[node]);
}

// Inside a double-quoted string of Graphviz.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n' || c == '\r')
      result += ' ';
    else
      result += c;
  }
  return result;
}

void check_names(const std::vector<std::string>& names, Index features) {
  if (static_cast<Index>(names.size()) != features) {
    throw InputError(std::to_string(names.size()) + " feature names given for a tree of " +
                     std::to_string(features) + " features");
  }
}

}  // namespace

template <Real T>
std::string DecisionTreeModel<T>::leaf_label(Index node) const {
  if (task() == Task::regression) return significant(values(node, 0), 6);
  const auto weights = values.row(node);
  return visible(class_names[static_cast<std::size_t>(
                     std::max_element(weights.begin(), weights.end()) - weights.begin())],
                 "");
}

template <Real T>
std::string DecisionTreeModel<T>::tree_text(const std::vector<std::string>& feature_names,
                                            Index max_depth) const {
  check_names(feature_names, feature_count);
  // Beyond this depth lines are not indented further, so that a tree as deep as it has rows still
  // prints in linear space.
  constexpr Index deepest_indent = 48;
  struct Line {
    Index node;
    Index depth;
    int side;  // −1: the root, 0: left, 1: right
    std::string prefix;
  };
  std::string text;
  std::vector<Line> stack{{0, 0, -1, ""}};
  while (!stack.empty()) {
    const Line line = std::move(stack.back());
    stack.pop_back();
    const auto at = static_cast<std::size_t>(line.node);
    const bool leaf = nodes.feature[at] < 0;
    std::string below = line.prefix;
    if (line.side >= 0) {
      text += line.prefix;
      if (line.depth > deepest_indent) text += "[" + std::to_string(line.depth) + "] ";
      text += line.side == 0 ? "├─ yes: " : "└─ no:  ";
      if (line.depth <= deepest_indent) below += line.side == 0 ? "│  " : "   ";
    }
    text += leaf ? leaf_label(line.node) : question(nodes, at, feature_names);
    text += "  (" + counted(nodes.rows[at], "row") + ", " + std::string(to_string(criterion)) +
            " " + significant(nodes.impurity[at], 4);
    if (!leaf) text += nodes.missing_left[at] != 0 ? ", missing: yes" : ", missing: no";
    text += ")\n";
    if (leaf) continue;
    if (max_depth > 0 && line.depth >= max_depth) {
      text += below + "└─ ...\n";
      continue;
    }
    stack.push_back({nodes.right[at], line.depth + 1, 1, below});
    stack.push_back({nodes.left[at], line.depth + 1, 0, below});
  }
  return text;
}

template <Real T>
std::string DecisionTreeModel<T>::graphviz(const std::vector<std::string>& feature_names,
                                           Index max_depth) const {
  check_names(feature_names, feature_count);
  std::string text =
      "digraph decision_tree {\n"
      "  node [shape=box, style=\"rounded\", fontname=\"Helvetica\"];\n"
      "  edge [fontname=\"Helvetica\"];\n";
  std::vector<Index> depth_of(nodes.feature.size(), 0);
  for (std::size_t i = 0; i < nodes.feature.size(); ++i) {
    if (max_depth > 0 && depth_of[i] > max_depth) continue;
    const auto node = static_cast<Index>(i);
    const std::string id = std::to_string(i);
    const bool leaf = nodes.feature[i] < 0;
    text += "  " + id + " [label=\"";
    if (!leaf) text += escaped(question(nodes, i, feature_names)) + "\\n";
    text += std::string(to_string(criterion)) + " " + significant(nodes.impurity[i], 4) + "\\n" +
            counted(nodes.rows[i], "row") + "\\n" + escaped(leaf_label(node)) + "\"";
    if (leaf) text += ", style=\"rounded,filled\", fillcolor=\"#e8eef7\"";
    text += "];\n";
    if (leaf) continue;
    const auto left = static_cast<std::size_t>(nodes.left[i]);
    const auto right = static_cast<std::size_t>(nodes.right[i]);
    depth_of[left] = depth_of[i] + 1;
    depth_of[right] = depth_of[i] + 1;
    if (max_depth > 0 && depth_of[left] > max_depth) {
      text += "  " + id + "m [label=\"...\", shape=plaintext];\n  " + id + " -> " + id + "m;\n";
      continue;
    }
    const bool missing_left = nodes.missing_left[i] != 0;
    text += "  " + id + " -> " + std::to_string(left) + " [label=\"yes" +
            (missing_left ? ", missing" : "") + "\"];\n";
    text += "  " + id + " -> " + std::to_string(right) + " [label=\"no" +
            (missing_left ? "" : ", missing") + "\"];\n";
  }
  return text + "}\n";
}

template <Real T>
std::string DecisionTreeModel<T>::to_text(const std::vector<std::string>& feature_names) const {
  check_names(feature_names, feature_count);
  constexpr Index printed_depth = 10;
  constexpr std::size_t printed_features = 20;
  std::string text = "decision tree, " + std::string(to_string(task())) + " by " +
                     std::string(to_string(criterion)) + ": " + counted(nodes.size(), "node") +
                     ", " + std::to_string(leaves()) + (leaves() == 1 ? " leaf" : " leaves") +
                     ", depth " + std::to_string(depth()) + "\nstopped because " +
                     log.stopped_because + "\n";
  const std::vector<double> shares = importances();
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  text += "\nimportances\n";
  for (std::size_t k = 0; k < std::min(order.size(), printed_features); ++k) {
    if (shares[order[k]] == 0) break;
    text += "  " + significant(shares[order[k]], 4) + "  " + feature_names[order[k]] + "\n";
  }
  text += "\n" + tree_text(feature_names, depth() > printed_depth ? printed_depth : 0);
  return text;
}

template <Real T>
std::string DecisionTreeModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  check_names(feature_names, feature_count);
  nlohmann::json json;
  json["task"] = to_string(task());
  json["criterion"] = to_string(criterion);
  json["depth"] = depth();
  json["leaves"] = leaves();
  json["classes"] = class_names;
  const std::vector<double> shares = importances();
  for (std::size_t f = 0; f < shares.size(); ++f) {
    json["importances"].push_back({{"feature", feature_names[f]}, {"share", shares[f]}});
  }
  auto& list = json["nodes"];
  list = nlohmann::json::array();
  for (std::size_t i = 0; i < nodes.feature.size(); ++i) {
    nlohmann::json node{
        {"rows", nodes.rows[i]}, {"weight", nodes.weight[i]}, {"impurity", nodes.impurity[i]}};
    const auto value = values.row(static_cast<Index>(i));
    node["value"] = std::vector<double>(value.begin(), value.end());
    if (nodes.feature[i] >= 0) {
      node["feature"] = feature_names[static_cast<std::size_t>(nodes.feature[i])];
      node["threshold"] = short_number(nodes.threshold[i]);
      node["left"] = nodes.left[i];
      node["right"] = nodes.right[i];
      node["missing"] = nodes.missing_left[i] != 0 ? "left" : "right";
    }
    list.push_back(std::move(node));
  }
  json["graphviz"] = graphviz(feature_names);
  return json_text(json);
}

template std::string DecisionTreeModel<float>::leaf_label(Index node) const;
template std::string DecisionTreeModel<float>::tree_text(
    const std::vector<std::string>& feature_names, Index) const;
template std::string DecisionTreeModel<float>::graphviz(
    const std::vector<std::string>& feature_names, Index) const;
template std::string DecisionTreeModel<float>::to_text(
    const std::vector<std::string>& feature_names) const;
template std::string DecisionTreeModel<float>::to_json(
    const std::vector<std::string>& feature_names) const;
template std::string DecisionTreeModel<double>::leaf_label(Index node) const;
template std::string DecisionTreeModel<double>::tree_text(
    const std::vector<std::string>& feature_names, Index) const;
template std::string DecisionTreeModel<double>::graphviz(
    const std::vector<std::string>& feature_names, Index) const;
template std::string DecisionTreeModel<double>::to_text(
    const std::vector<std::string>& feature_names) const;
template std::string DecisionTreeModel<double>::to_json(
    const std::vector<std::string>& feature_names) const;

}  // namespace tandem
