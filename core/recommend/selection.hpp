// Choosing the best of scored items, and histories in one form.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "tandem/recommend/recommender.hpp"

namespace tandem {

// Better: a higher score, of equal scores the lower item.
[[nodiscard]] inline bool ranks_before(const ScoredItem& a, const ScoredItem& b) noexcept {
  return a.score > b.score || (a.score == b.score && a.item < b.item);
}

// The history by ascending item, each once, weights added in ascending order of themselves: nothing
// depends on the order that it was given in.
[[nodiscard]] inline std::vector<HistoryItem> sorted_history(UserHistory history) {
  std::vector<HistoryItem> sorted(history.begin(), history.end());
  std::sort(sorted.begin(), sorted.end(), [](const HistoryItem& a, const HistoryItem& b) {
    return a.item < b.item || (a.item == b.item && a.weight < b.weight);
  });
  std::size_t kept = 0;
  for (const HistoryItem& one : sorted) {
    if (kept > 0 && sorted[kept - 1].item == one.item) {
      sorted[kept - 1].weight += one.weight;
    } else {
      sorted[kept++] = one;
    }
  }
  sorted.resize(kept);
  return sorted;
}

// One flag per item: 1 where it may be answered.
[[nodiscard]] inline std::vector<std::uint8_t> answerable(Index items, UserHistory history,
                                                          const ItemFilter& filter) {
  std::vector<std::uint8_t> flags(static_cast<std::size_t>(items), 1);
  if (!filter.allowed.empty()) flags.assign(filter.allowed.begin(), filter.allowed.end());
  for (const std::int32_t item : filter.leave_out) flags[static_cast<std::size_t>(item)] = 0;
  if (filter.leave_out_history) {
    for (const HistoryItem& one : history) flags[static_cast<std::size_t>(one.item)] = 0;
  }
  return flags;
}

// The n best of the scores that `take` holds for, best first.
template <class Take>
[[nodiscard]] std::vector<ScoredItem> best_of(std::span<const double> scores, Index n,
                                              Take&& take) {
  std::vector<ScoredItem> heap;  // the worst of them in front
  if (n <= 0) return heap;
  const auto most = static_cast<std::size_t>(n);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const ScoredItem candidate{static_cast<std::int32_t>(i), scores[i]};
    if (heap.size() == most && !ranks_before(candidate, heap.front())) continue;
    if (!(scores[i] == scores[i]) || !take(candidate)) continue;
    if (heap.size() == most) {
      std::pop_heap(heap.begin(), heap.end(), ranks_before);
      heap.back() = candidate;
    } else {
      heap.push_back(candidate);
    }
    std::push_heap(heap.begin(), heap.end(), ranks_before);
  }
  std::sort_heap(heap.begin(), heap.end(), ranks_before);
  return heap;
}

// The largest parts, and the others with the rest of the score.
[[nodiscard]] inline Explanation explanation_of(double score, std::vector<Contribution> parts,
                                                Index most) {
  std::sort(parts.begin(), parts.end(), [](const Contribution& a, const Contribution& b) {
    return a.part > b.part || (a.part == b.part && a.item < b.item);
  });
  if (most >= 0 && static_cast<Index>(parts.size()) > most) {
    parts.resize(static_cast<std::size_t>(most));
  }
  Explanation made{score, std::move(parts), score};
  for (const Contribution& part : made.parts) made.rest -= part.part;
  return made;
}

}  // namespace tandem
