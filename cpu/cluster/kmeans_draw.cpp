#include "cpu/cluster/kmeans_draw.hpp"

#include <algorithm>

#include "core/parallel.hpp"

namespace tandem::cpu {

template <Real T>
double sum_pulls(int threads, const KMeansPull<T>& pull, Index rows, std::vector<double>& nodes) {
  const Index blocks = sum_blocks(rows);
  nodes.assign(static_cast<std::size_t>(count_tree_nodes(blocks)), 0.0);
  parallel_pieces(threads, blocks, 16, [&](Piece piece) {
    for (Index b = piece.begin; b < piece.end; ++b) {
      const Piece block = piece_of(rows, sum_block, b);
      double lanes[sum_lanes] = {};
      for (Index i = block.begin; i < block.end; ++i) lanes[i % sum_lanes] += pull(i);
      nodes[static_cast<std::size_t>(b)] = add_lanes(lanes);
    }
  });
  double* below = nodes.data();
  for (Index count = blocks; count > 1; count = ceil_div<Index>(count, 2)) {
    double* level = below + count;
    for (Index i = 0; 2 * i < count; ++i) level[i] = node_above(below, count, i);
    below = level;
  }
  return nodes.back();
}

template <Real T>
Index sample(const KMeansPull<T>& pull, Index rows, std::span<const double> nodes, double u) {
  double rest = 0;
  const Index chosen = block_by_share(nodes.data(), static_cast<Index>(nodes.size()),
                                      sum_blocks(rows), u * nodes.back(), rest);
  const Piece block = piece_of(rows, sum_block, chosen);
  double terms[sum_block];
  for (Index i = block.begin; i < block.end; ++i) terms[i - block.begin] = pull(i);
  const Index row = row_by_share(terms, block.size(), rest);
  return row < 0 ? -1 : block.begin + row;
}

template <Real T>
std::vector<Index> select_rows(int threads, const KMeansPull<T>& pull, Index rows, double factor,
                               const Random& random, std::uint64_t first_index) {
  const Index blocks = sum_blocks(rows);
  std::vector<std::vector<Index>> chosen(static_cast<std::size_t>(blocks));
  parallel_for(threads, blocks, [&](Index b) {
    const Piece block = piece_of(rows, sum_block, b);
    for (Index i = block.begin; i < block.end; ++i) {
      if (random.uniform(first_index + static_cast<std::uint64_t>(i)) < factor * pull(i)) {
        chosen[static_cast<std::size_t>(b)].push_back(i);
      }
    }
  });
  std::vector<Index> all;
  for (const auto& part : chosen) all.insert(all.end(), part.begin(), part.end());
  return all;
}

template <Real T>
KMeansFarthest farthest(int threads, const KMeansPull<T>& pull, const std::int32_t* labels,
                        std::span<const Index> counts, Index rows) {
  const Index blocks = sum_blocks(rows);
  std::vector<KMeansFarthest> found(static_cast<std::size_t>(blocks));
  parallel_for(threads, blocks, [&](Index b) {
    KMeansFarthest& best = found[static_cast<std::size_t>(b)];
    const Piece block = piece_of(rows, sum_block, b);
    for (Index i = block.begin; i < block.end; ++i) {
      const auto distance = static_cast<double>(pull.distance[i]);
      if (best.row >= 0 && distance <= best.distance) continue;
      if (pull.weights != nullptr && !(pull.weights[i] > 0)) continue;
      if (counts[static_cast<std::size_t>(labels[i])] < 2) continue;
      best = {i, distance};
    }
  });
  KMeansFarthest best;
  for (const auto& candidate : found) {
    if (candidate.row >= 0 && (best.row < 0 || candidate.distance > best.distance)) {
      best = candidate;
    }
  }
  return best;
}

#define TANDEM_INSTANTIATE(T)                                                                      \
  template double sum_pulls(int, const KMeansPull<T>&, Index, std::vector<double>&);               \
  template Index sample(const KMeansPull<T>&, Index, std::span<const double>, double);             \
  template std::vector<Index> select_rows(int, const KMeansPull<T>&, Index, double, const Random&, \
                                          std::uint64_t);                                          \
  template KMeansFarthest farthest(int, const KMeansPull<T>&, const std::int32_t*,                 \
                                   std::span<const Index>, Index);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::cpu
