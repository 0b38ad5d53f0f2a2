#include "tandem/explanation.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tandem/output.hpp"

namespace tandem::program {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

struct Pair {
  Index a = 0;
  Index b = 0;
  double strength = 0;  // mean over rows of |2 φ_ab|, summed over outputs
};

std::vector<Pair> pairs_of(const ShapInteractions& found) {
  std::vector<Pair> pairs;
  const Index rows = found.values.rows();
  for (Index a = 0; a < found.features; ++a) {
    for (Index b = a + 1; b < found.features; ++b) {
      double sum = 0;
      for (Index i = 0; i < rows; ++i) {
        for (Index k = 0; k < found.outputs(); ++k) sum += 2 * std::abs(found(i, k, a, b));
      }
      if (sum > 0) pairs.push_back({a, b, sum / static_cast<double>(rows)});
    }
  }
  std::ranges::stable_sort(pairs, std::greater<>(), &Pair::strength);
  return pairs;
}

// A line per feature: what the trees' importances say, Shapley values, permutation.
template <Real T>
std::vector<std::vector<std::string>> feature_table(const Explanation<T>& found, std::size_t most) {
  const bool together = same_columns(found);
  std::vector<std::vector<std::string>> rows;
  if (!found.trees) return rows;
  const TreeExplanation& said = *found.trees;
  rows.push_back({"feature", "mean |SHAP|", "gain", "cover", "splits"});
  if (together && found.permutation) {
    rows[0].insert(rows[0].end(), {"permutation", "+/-"});
  }
  const auto order = order_of(said.magnitude);
  const auto names = found.model.feature_names();
  const auto shares = said.gain_shares();
  const auto& cover = said.importance(ImportanceKind::cover);
  const auto& splits = said.importance(ImportanceKind::splits);
  for (std::size_t k = 0; k < std::min(order.size(), most); ++k) {
    const std::size_t f = at(order[k]);
    rows.push_back({names[f], readable(said.magnitude[f]), readable(shares[f]), readable(cover[f]),
                    readable(splits[f])});
    if (together && found.permutation) {
      rows.back().push_back(readable(found.permutation->mean[f]));
      rows.back().push_back(readable(found.permutation->deviation[f]));
    }
  }
  return rows;
}

template <Real T>
std::vector<std::vector<std::string>> permutation_table(const Explanation<T>& found,
                                                        std::size_t most) {
  std::vector<std::vector<std::string>> rows;
  if (!found.permutation || (found.trees && same_columns(found))) return rows;
  rows.push_back({"column", "permutation", "+/-"});
  const auto order = order_of(found.permutation->mean);
  for (std::size_t k = 0; k < std::min(order.size(), most); ++k) {
    const std::size_t j = at(order[k]);
    rows.push_back({found.sample.columns[j].name, readable(found.permutation->mean[j]),
                    readable(found.permutation->deviation[j])});
  }
  return rows;
}

template <Real T>
std::vector<std::vector<std::string>> pair_table(const Explanation<T>& found, std::size_t most) {
  std::vector<std::vector<std::string>> rows;
  if (!found.trees || !found.trees->interactions) return rows;
  const auto names = found.model.feature_names();
  const auto pairs = pairs_of(*found.trees->interactions);
  rows.push_back({"pair of features", "mean |SHAP|"});
  for (std::size_t k = 0; k < std::min(pairs.size(), most); ++k) {
    rows.push_back(
        {names[at(pairs[k].a)] + " and " + names[at(pairs[k].b)], readable(pairs[k].strength)});
  }
  return rows;
}

}  // namespace

std::vector<double> TreeExplanation::gain_shares() const {
  std::vector<double> shares = importance(ImportanceKind::total_gain);
  const double all = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share = all > 0 ? share / all : 0;
  return shares;
}

template <Real T>
TreeExplanation explain_trees(Engine& engine, const TreeEnsemble<T>& trees,
                              MatrixView<const std::type_identity_t<T>> rows, bool interactions) {
  TreeExplanation said;
  for (std::size_t kind = 0; kind < enum_names<ImportanceKind>.size(); ++kind) {
    said.importances.push_back(trees.importances(static_cast<ImportanceKind>(kind)));
  }
  said.shap = shap_values(engine, trees, rows);
  said.magnitude.assign(at(trees.features), 0);
  for (Index i = 0; i < rows.rows; ++i) {
    for (Index k = 0; k < trees.outputs; ++k) {
      for (Index f = 0; f < trees.features; ++f) {
        said.magnitude[at(f)] += std::abs(said.shap(i, k, f));
      }
    }
  }
  for (double& sum : said.magnitude) sum /= static_cast<double>(rows.rows);
  if (interactions) said.interactions = shap_interactions(engine, trees, rows);
  return said;
}

std::vector<Index> order_of(const std::vector<double>& values) {
  std::vector<Index> order(values.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::ranges::stable_sort(order, [&](Index a, Index b) {
    const double left = std::isnan(values[at(a)]) ? -INFINITY : values[at(a)];
    const double right = std::isnan(values[at(b)]) ? -INFINITY : values[at(b)];
    return left > right;
  });
  return order;
}

template <Real T>
bool same_columns(const Explanation<T>& found) {
  const auto names = found.model.feature_names();
  return std::ranges::equal(names, found.model.schema.columns, {}, {}, &Column::name);
}

template <Real T>
std::vector<std::vector<std::vector<std::string>>> explanation_tables(const Explanation<T>& found,
                                                                      std::size_t most) {
  std::vector<std::vector<std::vector<std::string>>> tables{
      feature_table(found, most), permutation_table(found, most), pair_table(found, most)};
  std::erase_if(tables, [](const auto& rows) { return rows.empty(); });
  return tables;
}

template <Real T>
std::string explanation_legend(const Explanation<T>& found) {
  std::string text;
  if (found.trees) {
    text = "mean |SHAP|: what a feature adds to or takes from the raw score, on average over " +
           counted(found.sample.rows(), "row") +
           (found.trees->shap.outputs() > 1 ? ", summed over the classes" : "") +
           ". gain: its share of what all splits gained. cover: mean weight of the training rows "
           "in the nodes that it splits. splits: the number of those nodes.";
  }
  if (found.permutation) {
    text += std::string(text.empty() ? "" : " ") + "permutation: by how much " +
            found.permutation->metric + ", " + readable(found.permutation->baseline) +
            " on these rows, gets worse where the column is shuffled (mean and deviation over " +
            counted(found.permutation->drops.cols(), "repeat") + ").";
  }
  return text;
}

template <Real T>
void add_explanation(nlohmann::json& json, const Explanation<T>& found) {
  if (found.trees) {
    const TreeExplanation& said = *found.trees;
    const auto names = found.model.feature_names();
    json["expected"] = said.shap.expected;
    json["features"] = nlohmann::json::array();
    for (std::size_t f = 0; f < names.size(); ++f) {
      nlohmann::json one{{"name", names[f]}, {"mean_abs_shap", said.magnitude[f]}};
      for (std::size_t kind = 0; kind < said.importances.size(); ++kind) {
        std::string key(enum_names<ImportanceKind>[kind]);
        std::ranges::replace(key, '-', '_');
        one[key] = said.importances[kind][f];
      }
      if (said.shap.outputs() > 1) {
        auto& each = one["mean_abs_shap_by_output"] = nlohmann::json::array();
        for (Index k = 0; k < said.shap.outputs(); ++k) {
          double sum = 0;
          for (Index i = 0; i < found.sample.rows(); ++i) {
            sum += std::abs(said.shap(i, k, static_cast<Index>(f)));
          }
          each.push_back(sum / static_cast<double>(found.sample.rows()));
        }
      }
      json["features"].push_back(std::move(one));
    }
    if (said.interactions) {
      json["interactions"] = nlohmann::json::array();
      for (const Pair& pair : pairs_of(*said.interactions)) {
        json["interactions"].push_back(
            {{"a", names[at(pair.a)]}, {"b", names[at(pair.b)]}, {"mean_abs_shap", pair.strength}});
      }
    }
  }
  if (found.permutation) {
    const PermutationImportance& said = *found.permutation;
    nlohmann::json columns = nlohmann::json::array();
    for (std::size_t j = 0; j < said.mean.size(); ++j) {
      const auto drops = said.drops.row(static_cast<Index>(j));
      columns.push_back({{"name", found.sample.columns[j].name},
                         {"mean", said.mean[j]},
                         {"deviation", said.deviation[j]},
                         {"drops", std::vector<double>(drops.begin(), drops.end())}});
    }
    json["permutation"] = {
        {"metric", said.metric}, {"baseline", said.baseline}, {"columns", std::move(columns)}};
  }
  json["partial_dependence"] = nlohmann::json::array();
  for (const auto& [column, curve] : found.dependence) {
    nlohmann::json one{{"name", found.sample.columns[at(column)].name},
                       {"grid", curve.grid},
                       {"mean", nlohmann::json::array()}};
    const auto& categories = found.sample.columns[at(column)].categories;
    if (!categories.empty()) one["grid"] = categories;
    for (Index p = 0; p < curve.mean.rows(); ++p) {
      const auto row = curve.mean.row(p);
      if (row.size() == 1) {
        one["mean"].push_back(row[0]);
      } else {
        one["mean"].push_back(std::vector<double>(row.begin(), row.end()));
      }
    }
    json["partial_dependence"].push_back(std::move(one));
  }
}

#define TANDEM_INSTANTIATE(T)                                                                  \
  template TreeExplanation explain_trees(Engine&, const TreeEnsemble<T>&, MatrixView<const T>, \
                                         bool);                                                \
                                                                                               \
  template bool same_columns(const Explanation<T>&);                                           \
  template std::vector<std::vector<std::vector<std::string>>> explanation_tables(              \
      const Explanation<T>&, std::size_t);                                                     \
  template std::string explanation_legend(const Explanation<T>&);                              \
  template void add_explanation(nlohmann::json&, const Explanation<T>&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::program
