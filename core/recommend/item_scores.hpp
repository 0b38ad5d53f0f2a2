// Scores that are sums of the rows of an items × items matrix: item-kNN, EASE.
#pragma once

#include <algorithm>
#include <vector>

#include "core/recommend/selection.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem {

// scores[i] = Σ_j w_j · m_ji over the items j of the history, ascending: a chain of fmas in double
// over 1024 items of the history, from +0, chains along the tree of a long sum.
inline void add_rows(const SparseMatrix<double>& matrix, const std::vector<HistoryItem>& sorted,
                     std::span<double> scores) {
  std::fill(scores.begin(), scores.end(), 0.0);
  const auto add_block = [&](std::size_t first, std::size_t last, std::span<double> to) {
    for (std::size_t k = first; k < last; ++k) {
      const auto columns = matrix.columns_of(sorted[k].item);
      const auto values = matrix.values_of(sorted[k].item);
      for (std::size_t p = 0; p < columns.size(); ++p) {
        double& score = to[static_cast<std::size_t>(columns[p])];
        score = std::fma(sorted[k].weight, values[p], score);
      }
    }
  };
  constexpr auto block = static_cast<std::size_t>(sum_block);
  if (sorted.size() <= block) return add_block(0, sorted.size(), scores);
  std::vector<std::vector<double>> sums;
  for (std::size_t first = 0; first < sorted.size(); first += block) {
    sums.emplace_back(scores.size(), 0.0);
    add_block(first, std::min(sorted.size(), first + block), sums.back());
  }
  for (std::size_t step = 1; step < sums.size(); step *= 2) {
    for (std::size_t b = 0; b + step < sums.size(); b += 2 * step) {
      for (std::size_t i = 0; i < scores.size(); ++i) sums[b][i] += sums[b + step][i];
    }
  }
  std::copy(sums.front().begin(), sums.front().end(), scores.begin());
}

// What each item of the history adds to the score of one item.
[[nodiscard]] inline std::vector<Contribution> parts_of_row_sums(
    const SparseMatrix<double>& matrix, const std::vector<HistoryItem>& sorted, std::int32_t item) {
  std::vector<Contribution> parts;
  for (const HistoryItem& one : sorted) {
    const auto columns = matrix.columns_of(one.item);
    const auto at = std::lower_bound(columns.begin(), columns.end(), item);
    if (at == columns.end() || *at != item) continue;
    const double part =
        one.weight * matrix.values_of(one.item)[static_cast<std::size_t>(at - columns.begin())];
    if (part != 0) parts.push_back({one.item, part});
  }
  return parts;
}

}  // namespace tandem
