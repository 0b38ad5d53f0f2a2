// Splits by sets of categories: kernels of gradient boosting.
#pragma once

#include "cuda/tree/boosting_histogram.cuh"

namespace tandem::cuda {
// Of the one file that includes this.
namespace {  // NOLINT(google-build-namespaces)

using tree::BinKind;
using tree::GainRules;
using tree::HistogramSplit;
using tree::SplitQuery;

// Categories of a node in the order of their derivatives, of bins of 8 bits. The threads of a block
// are bins.
struct CategoryOrder {
  double place[256];
  std::int32_t used;
};

// The place of the thread's bin among those that rows have, or −1 where none has it. Reads the
// places of all others: blockDim.x² comparisons in shared memory.
__device__ inline std::int32_t place_of(const GainRules& rules, bool may, std::int64_t g,
                                        std::int64_t h, CategoryOrder& order) {
  const int b = static_cast<int>(threadIdx.x);
  const bool here = may && h != 0;
  if (b == 0) order.used = 0;
  // Beyond all others stand those that no row has, whose place is no number.
  order.place[b] = here ? tree::category_place(rules, g, h) : NAN;
  __syncthreads();
  if (!here) return -1;
  atomicAdd(&order.used, 1);
  const double own = order.place[b];
  std::int32_t before = 0;
  for (int o = 0; o < static_cast<int>(blockDim.x); ++o) {
    const double other = order.place[o];
    before += other < own || (other == own && o < b) ? 1 : 0;
  }
  return before;
}

// The best set of one feature of categories (x, of those that `features_of` lists) in one node (y),
// of bins of 8 bits.
//
// Block: a thread per bin of the histogram's stride. Bins find their places in the order of their
// derivatives; a scan in that order gives the sums of the first n and, from the whole, of the last
// n; each thread scores both. Shared memory: places, sums and a candidate per thread. CPU twin:
// find_set.
__global__ void find_sets_kernel(GainRules rules, const SplitQuery* __restrict__ queries,
                                 const std::uint8_t* __restrict__ allowed,
                                 const std::int64_t* __restrict__ sums, Index histogram,
                                 const std::int32_t* __restrict__ bins_of,
                                 const BinKind* __restrict__ kinds,
                                 const std::int32_t* __restrict__ features_of, Index features,
                                 HistogramSplit* __restrict__ cuts) {
  __shared__ CategoryOrder order;
  __shared__ std::int64_t g_sorted[256];
  __shared__ std::int64_t h_sorted[256];
  __shared__ std::int64_t g_totals[8];
  __shared__ std::int64_t h_totals[8];
  __shared__ HistogramSplit best_of[256];
  const Index j = features_of[blockIdx.x];
  const Index q = blockIdx.y;
  const SplitQuery query = queries[q];
  const std::int32_t bins = bins_of[j];
  const auto b = static_cast<std::int32_t>(threadIdx.x);
  const std::int64_t* g_sums =
      sums + 2 * histogram * query.slot + j * static_cast<Index>(blockDim.x);
  const std::int64_t own_g = g_sums[b];
  const std::int64_t own_h = g_sums[histogram + b];
  const bool may = allowed == nullptr || allowed[q * features + j] != 0;
  const std::int32_t place =
      place_of(rules, b < tree::set_bins(kinds[j], bins), own_g, own_h, order);
  HistogramSplit best;
  const auto consider = [&](const GainRules& by, std::int32_t candidate, std::int64_t g,
                            std::int64_t h) {
    const double sum = tree::score_sum(by, g, h, query.g, query.h, query.bounds, 0);
    if (!tree::better_cut(sum, candidate, false, best)) return;
    best = {sum, static_cast<std::int32_t>(j), candidate, 0, g, h};
  };
  if (tree::one_against_rest(rules, bins)) {
    if (may && place >= 0) consider(rules, b, own_g, own_h);
  } else {
    g_sorted[b] = 0;
    h_sorted[b] = 0;
    __syncthreads();
    if (place >= 0) {
      g_sorted[place] = own_g;
      h_sorted[place] = own_h;
    }
    __syncthreads();
    const std::int64_t g = sum_up_to(g_sorted[b], g_totals);
    const std::int64_t h = sum_up_to(h_sorted[b], h_totals);
    __syncthreads();
    g_sorted[b] = g;
    h_sorted[b] = h;
    __syncthreads();
    const std::int32_t used = order.used;
    const GainRules by = tree::rules_of_sets(rules);
    if (may && b < used && b < rules.categories.max_threshold) {
      consider(by, b, g, h);
      // The last b + 1: all but the first used − 1 − b.
      const std::int32_t others = used - 1 - b;
      const std::int64_t g_others = others > 0 ? g_sorted[others - 1] : 0;
      const std::int64_t h_others = others > 0 ? h_sorted[others - 1] : 0;
      consider(by, tree::last_first + b, g_sorted[used - 1] - g_others,
               h_sorted[used - 1] - h_others);
    }
  }
  best_of[b] = best;
  choose_in_block(best_of);
  if (b == 0) cuts[q * features + j] = best_of[0];
}

// The bins that go left where a node's split is by categories; nothing elsewhere. Bins of 8 bits: a
// block per node, a thread per bin. CPU twin: add_set.
__global__ void sets_of_splits_kernel(GainRules rules, const SplitQuery* __restrict__ queries,
                                      const HistogramSplit* __restrict__ splits,
                                      const std::int64_t* __restrict__ sums, Index histogram,
                                      const std::int32_t* __restrict__ bins_of,
                                      const BinKind* __restrict__ kinds, Index set_words,
                                      std::uint32_t* __restrict__ sets) {
  __shared__ CategoryOrder order;
  const Index q = blockIdx.x;
  const HistogramSplit split = splits[q];
  const auto b = static_cast<std::int32_t>(threadIdx.x);
  std::uint32_t* set = sets + q * set_words;
  for (Index w = b; w < set_words; w += blockDim.x) set[w] = 0;
  if (split.feature < 0 || kinds[split.feature] == BinKind::numbers) return;
  const std::int32_t bins = bins_of[split.feature];
  const std::int64_t* g_sums =
      sums + 2 * histogram * queries[q].slot + split.feature * static_cast<Index>(blockDim.x);
  const std::int32_t place = place_of(rules, b < tree::set_bins(kinds[split.feature], bins),
                                      g_sums[b], g_sums[histogram + b], order);
  __syncthreads();
  const bool left = place >= 0 && (tree::one_against_rest(rules, bins)
                                       ? b == split.bin
                                       : tree::takes_place(split.bin, place, order.used));
  const unsigned bits = __ballot_sync(all_lanes, left);
  const Index word = b / static_cast<std::int32_t>(warp_size);
  if (b % static_cast<std::int32_t>(warp_size) == 0 && word < set_words) set[word] = bits;
}

// --- categories in bins of 16 bits ---------------------------------------------------------------

struct PlacedCategory {
  double place;
  std::int32_t bin;
};

// The categories that rows of a node have, in the order of their derivatives, at the begin of
// `sorted`, which has room for a power of two not below `bins`; returns how many. Called by all
// threads of a block.
//
// Those with rows are moved together, and sorted by bitonic merges of n·log²(n)/2 comparisons.
// Reads the sums once, and the list log²(n)/2 times through the caches. `totals`: 8 elements of
// shared memory.
__device__ inline std::int32_t sort_categories(const GainRules& rules,
                                               const std::int64_t* __restrict__ g_sums,
                                               const std::int64_t* __restrict__ h_sums,
                                               std::int32_t bins, PlacedCategory* sorted,
                                               std::int64_t* totals) {
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  const auto threads = static_cast<std::int32_t>(blockDim.x);
  std::int32_t used = 0;
  for (std::int32_t first = 0; first < bins; first += threads) {
    const std::int32_t b = first + thread;
    const bool here = b < bins && h_sums[b] != 0;
    const auto up_to = static_cast<std::int32_t>(sum_up_to(here ? 1 : 0, totals));
    if (here) {
      sorted[used + up_to - 1] = {tree::category_place(rules, g_sums[b], h_sums[b]), b};
    }
    used += static_cast<std::int32_t>(total_of_block(totals));
    __syncthreads();
  }
  std::int32_t size = 1;
  while (size < used) size *= 2;
  // Beyond all others.
  for (std::int32_t k = used + thread; k < size; k += threads) sorted[k] = {INFINITY, bins};
  __syncthreads();
  for (std::int32_t run = 2; run <= size; run *= 2) {
    for (std::int32_t apart = run / 2; apart > 0; apart /= 2) {
      for (std::int32_t k = thread; k < size; k += threads) {
        const std::int32_t other = k ^ apart;
        if (other < k) continue;
        const PlacedCategory low = sorted[k];
        const PlacedCategory high = sorted[other];
        const bool after = low.place != high.place ? low.place > high.place : low.bin > high.bin;
        if (after != ((k & run) == 0)) continue;
        sorted[k] = high;
        sorted[other] = low;
      }
      __syncthreads();
    }
  }
  return used;
}

// As find_sets_kernel() for bins of 16 bits: search_threads for each feature and node go over the
// categories together, in the order that sort_categories() gives. scratch: `room` categories for
// each block. CPU twin: find_set.
__global__ void find_sets_of_many_kernel(
    GainRules rules, const SplitQuery* __restrict__ queries, Index first_query,
    const std::uint8_t* __restrict__ allowed, const std::int64_t* __restrict__ sums,
    Index histogram, const Index* __restrict__ places, const std::int32_t* __restrict__ bins_of,
    const BinKind* __restrict__ kinds, const std::int32_t* __restrict__ features_of, Index features,
    PlacedCategory* __restrict__ scratch, Index room, HistogramSplit* __restrict__ cuts) {
  __shared__ std::int64_t g_totals[8];
  __shared__ std::int64_t h_totals[8];
  __shared__ HistogramSplit best_of[search_threads];
  const Index j = features_of[blockIdx.x];
  const Index q = first_query + blockIdx.y;
  const SplitQuery query = queries[q];
  const std::int32_t bins = bins_of[j];
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  const std::int64_t* g_sums = sums + 2 * histogram * query.slot + places[j];
  const std::int64_t* h_sums = g_sums + histogram;
  const std::int32_t in_sets = tree::set_bins(kinds[j], bins);
  const bool may = allowed == nullptr || allowed[q * features + j] != 0;
  HistogramSplit best;
  const auto consider = [&](const GainRules& by, std::int32_t candidate, std::int64_t g,
                            std::int64_t h) {
    const double sum = tree::score_sum(by, g, h, query.g, query.h, query.bounds, 0);
    if (!tree::better_cut(sum, candidate, false, best)) return;
    best = {sum, static_cast<std::int32_t>(j), candidate, 0, g, h};
  };
  if (may && tree::one_against_rest(rules, bins)) {
    for (std::int32_t b = thread; b < in_sets; b += search_threads) {
      if (h_sums[b] != 0) consider(rules, b, g_sums[b], h_sums[b]);
    }
  } else if (may) {
    PlacedCategory* sorted = scratch + (blockIdx.y * gridDim.x + blockIdx.x) * room;
    const std::int32_t used = sort_categories(rules, g_sums, h_sums, in_sets, sorted, g_totals);
    const GainRules by = tree::rules_of_sets(rules);
    const std::int32_t most =
        used < rules.categories.max_threshold ? used : rules.categories.max_threshold;
    // The first 1, 2, ... of the order, then the last.
    for (int last = 0; last < 2; ++last) {
      std::int64_t before_g = 0;
      std::int64_t before_h = 0;
      for (std::int32_t first = 0; first < most; first += search_threads) {
        const std::int32_t n = first + thread;
        const std::int32_t bin = n < most ? sorted[last == 0 ? n : used - 1 - n].bin : 0;
        const std::int64_t g = before_g + sum_up_to(n < most ? g_sums[bin] : 0, g_totals);
        const std::int64_t h = before_h + sum_up_to(n < most ? h_sums[bin] : 0, h_totals);
        if (n < most) consider(by, n + (last == 0 ? 0 : tree::last_first), g, h);
        before_g += total_of_block(g_totals);
        before_h += total_of_block(h_totals);
        __syncthreads();
      }
    }
  }
  best_of[thread] = best;
  choose_in_block(best_of);
  if (thread == 0) cuts[q * features + j] = best_of[0];
}

// As sets_of_splits_kernel() for bins of 16 bits. scratch: `room` categories for each block.
__global__ void sets_of_many_kernel(GainRules rules, const SplitQuery* __restrict__ queries,
                                    Index first_query, const HistogramSplit* __restrict__ splits,
                                    const std::int64_t* __restrict__ sums, Index histogram,
                                    const Index* __restrict__ places,
                                    const std::int32_t* __restrict__ bins_of,
                                    const BinKind* __restrict__ kinds,
                                    PlacedCategory* __restrict__ scratch, Index room,
                                    Index set_words, std::uint32_t* __restrict__ sets) {
  __shared__ std::int64_t totals[8];
  const Index q = first_query + blockIdx.x;
  const HistogramSplit split = splits[q];
  const auto thread = static_cast<std::int32_t>(threadIdx.x);
  std::uint32_t* set = sets + q * set_words;
  for (Index w = thread; w < set_words; w += search_threads) set[w] = 0;
  __syncthreads();
  if (split.feature < 0 || kinds[split.feature] == BinKind::numbers) return;
  const std::int32_t bins = bins_of[split.feature];
  if (tree::one_against_rest(rules, bins)) {
    if (thread == 0) tree::add_bin(set, split.bin);
    return;
  }
  const std::int64_t* g_sums = sums + 2 * histogram * queries[q].slot + places[split.feature];
  PlacedCategory* sorted = scratch + blockIdx.x * room;
  const std::int32_t used =
      sort_categories(rules, g_sums, g_sums + histogram, tree::set_bins(kinds[split.feature], bins),
                      sorted, totals);
  for (std::int32_t k = thread; k < used; k += search_threads) {
    if (!tree::takes_place(split.bin, k, used)) continue;
    atomicOr(set + sorted[k].bin / 32, 1U << (sorted[k].bin % 32));
  }
}

}  // namespace
}  // namespace tandem::cuda
