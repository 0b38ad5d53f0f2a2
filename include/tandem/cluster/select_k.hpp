// Choosing the number of clusters: k-means for each k of a range, and what three well-known rules
// make of the results. docs/algorithms/kmeans.md states the rules.
#pragma once

#include <string>
#include <vector>

#include "tandem/cluster/kmeans.hpp"
#include "tandem/core/export.hpp"

namespace tandem {

struct TANDEM_API SelectKOptions {
  std::int64_t lowest = 2;
  std::int64_t highest = 10;
  // How each k is fitted; `clusters` is set from the range, and centres cannot be given. More
  // starts than a single fit has by default, because the rules compare optima.
  KMeansOptions kmeans{.starts = 50};
  bool silhouette = true;
  // Silhouettes take time with the square of the rows: of more rows than this, that many are drawn
  // without replacement, the same for each k. 0: all rows.
  std::int64_t silhouette_rows = 20000;
  bool gap = true;
  std::int64_t reference_sets = 10;  // of the gap statistic
  // Starts of a fit to a reference set; those have no clusters to be missed.
  std::int64_t reference_starts = 5;

  // The range, the rules, and the options of a fit but for those that the range decides.
  void visit(OptionVisitor& visitor);
  void check() const;
};

struct KCandidate {
  Index k = 0;
  double inertia = 0;
  Index iterations = 0;
  std::string stopped_because;
  double silhouette = 0;  // NaN where not asked for or not defined (one cluster, a cluster per row)
  double gap = 0;         // NaN where not asked for
  double gap_error = 0;   // the s_k of Tibshirani et al.
};

template <Real T>
struct TANDEM_API KSelection {
  std::vector<KCandidate> candidates;  // ascending k
  std::vector<KMeansModel<T>> models;  // one per candidate
  // The number of clusters that each rule chooses; 0 where it has no answer.
  Index by_elbow = 0;
  Index by_silhouette = 0;
  Index by_gap = 0;

  // A JSON object: {"candidates": [{"k", "inertia", "iterations", "stopped_because", "silhouette",
  // "gap", "gap_error"}], "by_elbow", "by_silhouette", "by_gap"}; null for what is not known.
  [[nodiscard]] std::string to_json() const;
  // A table of the candidates and a line per rule.
  [[nodiscard]] std::string to_text() const;
};

// Throws InputError where the range is empty or reaches beyond the number of distinct rows, and for
// whatever a k-means fit refuses. Of the context's control, progress ("k") and interruption are
// used; there is no checkpoint.
template <Real T>
[[nodiscard]] TANDEM_API KSelection<T> select_k(
    Engine& engine, const DatasetView<T>& data, const SelectKOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});
template <Real T>
[[nodiscard]] KSelection<T> select_k(Engine& engine, const Dataset<T>& data,
                                     const SelectKOptions& options,
                                     const FitContext<std::type_identity_t<T>>& context = {}) {
  return select_k(engine, data.view(), options, context);
}

// The k whose point is farthest below the chord from the first point of the curve (k, inertia) to
// the last, both axes scaled to [0, 1]; ties to the least k; 0 for fewer than three points and
// where none is below. Satopää, Albrecht, Irwin and Raghavan, "Finding a 'Kneedle' in a Haystack",
// ICDCS workshops 2011.
[[nodiscard]] TANDEM_API Index elbow(const std::vector<Index>& k,
                                     const std::vector<double>& inertia);

// The least k with gap(k) >= gap(k + 1) − error(k + 1); 0 where there is none. Tibshirani, Walther
// and Hastie, "Estimating the number of clusters in a data set via the gap statistic", J. R.
// Statist. Soc. B 63 (2001).
[[nodiscard]] TANDEM_API Index first_gap_within_error(const std::vector<Index>& k,
                                                      const std::vector<double>& gap,
                                                      const std::vector<double>& error);

}  // namespace tandem
