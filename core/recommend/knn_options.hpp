// What item-kNN and user-kNN share: options, and what they make of the weights.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/recommend/item_knn_steps.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/recommend/item_knn.hpp"

namespace tandem {

template <class Options>
void visit_knn(Options& options, OptionVisitor& visitor) {
  visitor.integer({"neighbours", "neighbours", {"k", "neighbors", "n_neighbors"}},
                  options.neighbours, "the most alike that count", 1, most_neighbours);
  visitor.choice("similarity", options.similarity,
                 "by the angle of weights, the share of common users or items, or the angle of "
                 "weights by BM25");
  visitor.real({"shrinkage", {"shrink"}}, options.shrinkage,
               "added to the divisor of a likeness, so that few common ones count less", 0, 1e12);
  visitor.real("bm25_k1", options.bm25_k1, "bm25: how soon large weights stop counting more", 0,
               1e6);
  visitor.real("bm25_b", options.bm25_b, "bm25: how much long rows are discounted", 0, 1);
}

// What BM25 knows of a matrix: lengths are sums of weights, elements of weight 0 do not count.
struct Bm25 {
  std::vector<double> lengths;  // of users
  double mean_length = 0;       // over users with any
  std::vector<double> idf;  // ln(1 + (N − n + 1/2) / (n + 1/2)) of an item that n of N users have
};

[[nodiscard]] inline Bm25 bm25_of(const SparseMatrix<double>& users) {
  Bm25 made;
  made.lengths.resize(static_cast<std::size_t>(users.rows));
  std::vector<Index> counts(static_cast<std::size_t>(users.cols), 0);
  Index with_any = 0;
  for (Index u = 0; u < users.rows; ++u) {
    const auto columns = users.columns_of(u);
    const auto values = users.values_of(u);
    double& length = made.lengths[static_cast<std::size_t>(u)];
    length = long_sum(static_cast<Index>(values.size()),
                      [&](Index k) { return values[static_cast<std::size_t>(k)]; });
    with_any += length > 0 ? 1 : 0;
    for (std::size_t k = 0; k < columns.size(); ++k) {
      if (values[k] > 0) ++counts[static_cast<std::size_t>(columns[k])];
    }
  }
  made.mean_length =
      long_sum(users.rows, [&](Index u) { return made.lengths[static_cast<std::size_t>(u)]; }) /
      static_cast<double>(std::max<Index>(1, with_any));
  const auto all = static_cast<double>(with_any);
  for (const Index count : counts) {
    const auto n = static_cast<double>(count);
    made.idf.push_back(math::log1p((all - n + 0.5) / (n + 0.5)));
  }
  return made;
}

// w·(k1 + 1) / (w + k1·(1 − b + b·l/l̄)) · idf.
template <class Options>
[[nodiscard]] double bm25_weight(const Options& options, double weight, double length,
                                 double mean_length, double idf) {
  const double discount =
      options.bm25_k1 * (1 - options.bm25_b + options.bm25_b * length / mean_length);
  return weight * (options.bm25_k1 + 1) / (weight + discount) * idf;
}

// users × items with the weights that the similarity asks for, elements of weight 0 left out:
// jaccard's are 1.
template <class Options>
[[nodiscard]] SparseMatrix<double> weighted_for_knn(const SparseMatrix<double>& users,
                                                    const Options& options) {
  SparseMatrix<double> made;
  made.rows = users.rows;
  made.cols = users.cols;
  Bm25 facts;
  if (options.similarity == KnnSimilarity::bm25) facts = bm25_of(users);
  for (Index u = 0; u < users.rows; ++u) {
    const auto columns = users.columns_of(u);
    const auto values = users.values_of(u);
    for (std::size_t k = 0; k < columns.size(); ++k) {
      if (!(values[k] > 0)) continue;
      double value = values[k];
      if (options.similarity == KnnSimilarity::jaccard) value = 1;
      if (options.similarity == KnnSimilarity::bm25) {
        value = bm25_weight(options, value, facts.lengths[static_cast<std::size_t>(u)],
                            facts.mean_length, facts.idf[static_cast<std::size_t>(columns[k])]);
      }
      made.columns.push_back(columns[k]);
      made.values.push_back(value);
    }
    made.offsets.push_back(made.size());
  }
  return made;
}

}  // namespace tandem
