// Steps of gradient boosting on a GPU. All nodes of a batch are done by the same few launches.
//
// Every sum is of integers, so that atomics may add in any order; there are none on floats. Work
// lists (tasks, and the tiles that their rows are cut into) are made on the host, which knows every
// node's range, and come along with each call: some 40 bytes for 1024 rows.
#include <algorithm>
#include <bit>
#include <vector>

#include "core/steps.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {
namespace {

using tree::BinKind;
using tree::BinnedNode;
using tree::BinSet;
using tree::BoostingData;
using tree::GainRules;
using tree::GradientPacking;
using tree::GradientRange;
using tree::GradientRank;
using tree::HistogramSplit;
using tree::HistogramTask;
using tree::LeafRange;
using tree::LossRules;
using tree::PackedSums;
using tree::RowSample;
using tree::SplitQuery;
using tree::SplitTask;

using Word = unsigned long long;

// Rows of a tile of a partition: a warp goes over them 32 at a time.
constexpr Index tile_rows = 1024;
// Shared memory for the words of a group of features.
constexpr Index shared_histogram_bytes = 32 << 10;

// --- gradients -----------------------------------------------------------------------------------

// Raises `to` to the largest of the warp's values; as bits, numbers that are not negative sort as
// they do, and a NaN is above all.
__device__ inline void raise(Word* to, double magnitude) {
  Word bits = static_cast<Word>(__double_as_longlong(magnitude)) & 0x7FFFFFFFFFFFFFFFULL;
  for (unsigned half = warp_size / 2; half > 0; half /= 2) {
    const Word other = __shfl_xor_sync(all_lanes, bits, half);
    bits = other > bits ? other : bits;
  }
  if (threadIdx.x % warp_size == 0 && bits != 0) atomicMax(to, bits);
}

// Gradients and Hessians of a row for all outputs, and the largest of each output.
//
// Grid: a thread per row, whole warps. Reads the row's scores (softmax: three times, through the
// cache), target and weight; writes gradients, and Hessians unless they are all 1, coalesced, an
// output after the other. One atomic per warp, output and quantity. CPU twin: Gradients.
template <class T>
__global__ void gradients_kernel(LossRules<T> loss, const T* __restrict__ scores,
                                 const T* __restrict__ target, const T* __restrict__ weights,
                                 Index rows, bool unit, T* __restrict__ gradients,
                                 T* __restrict__ hessians, Word* __restrict__ most) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const bool here = i < rows;
  const T* s = scores + (here ? i : 0) * loss.outputs;
  const T y = here ? target[i] : T{1};
  const T w = here && weights != nullptr ? weights[i] : T{1};
  T largest = 0;
  T sum = 0;
  const bool softmax = loss.kind == tree::BoostingLoss::softmax;
  if (softmax) {
    largest = tree::largest_score(s, loss.outputs);
    for (Index k = 0; k < loss.outputs; ++k) sum += math::exp(s[k] - largest);
  }
  const tree::loss::Scalar<T> o;
  for (Index k = 0; k < loss.outputs; ++k) {
    T g = 0;
    T h = 0;
    if (here) {
      if (softmax) {
        const auto both = tree::loss::softmax_gradient_terms(o, math::exp(s[k] - largest) / sum,
                                                             y == static_cast<T>(k) ? T{1} : T{0});
        g = both.gradient;
        h = both.hessian;
      } else {
        const auto both = tree::gradient_of(loss, s[0], y);
        g = both.gradient;
        h = both.hessian;
      }
      if (weights != nullptr) {
        g = w * g;
        h = w * h;
      }
      gradients[k * rows + i] = g;
      if (!unit) hessians[k * rows + i] = h;
    }
    raise(most + 2 * k, static_cast<double>(g));
    raise(most + 2 * k + 1, static_cast<double>(h));
  }
}

// Gradients and Hessians of one output that were computed elsewhere, times the weights, and the
// largest of them. A thread per row, whole warps; one atomic per warp and quantity.
template <class T>
__global__ void take_gradients_kernel(const T* __restrict__ from_g, const T* __restrict__ from_h,
                                      const T* __restrict__ weights, Index rows,
                                      T* __restrict__ gradients, T* __restrict__ hessians,
                                      Word* __restrict__ most) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  T g = 0;
  T h = 0;
  if (i < rows) {
    const T w = weights != nullptr ? weights[i] : T{1};
    g = w * from_g[i];
    h = w * from_h[i];
    gradients[i] = g;
    hessians[i] = h;
  }
  raise(most, static_cast<double>(g));
  raise(most + 1, static_cast<double>(h));
}

// --- the sample and its words --------------------------------------------------------------------

// Of the magnitudes that begin as the one sought, how many have each value of their next eight
// bits.
//
// Grid: a thread per row, each over several. Shared memory: 256 counts. Reads a gradient per row;
// at most 256 atomics per block on integers. CPU twin: rank_gradients.
template <class T>
__global__ void count_magnitudes_kernel(const T* __restrict__ gradients, Index rows,
                                        tree::OrderKey<T> begin, int shift,
                                        Word* __restrict__ counts) {
  __shared__ unsigned here[256];
  for (unsigned b = threadIdx.x; b < 256; b += blockDim.x) here[b] = 0;
  __syncthreads();
  const Index step = static_cast<Index>(gridDim.x) * blockDim.x;
  for (Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; i < rows; i += step) {
    const T gradient = gradients[i];
    const tree::OrderKey<T> key = tree::order_key(gradient < 0 ? -gradient : gradient);
    if (((key ^ begin) >> shift) >> 8 != 0) continue;
    atomicAdd(here + static_cast<unsigned>((key >> shift) & 255), 1U);
  }
  __syncthreads();
  for (unsigned b = threadIdx.x; b < 256; b += blockDim.x) {
    if (here[b] != 0) atomicAdd(counts + b, static_cast<Word>(here[b]));
  }
}

// How many rows of each tile are in the sample. A warp per tile.
template <class T>
__global__ void count_sample_kernel(RowSample sample, const T* __restrict__ gradients, Index rows,
                                    std::int32_t* __restrict__ counts, Index tiles) {
  const Index tile = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (tile >= tiles) return;
  const Index lane = threadIdx.x % warp_size;
  std::int32_t count = 0;
  for (Index r = 0; r < tile_rows; r += warp_size) {
    const Index i = tile * tile_rows + r + lane;
    count += __popc(__ballot_sync(all_lanes, i < rows && sample.has(i, gradients[i])));
  }
  if (lane == 0) counts[tile] = count;
}

// The rows of the sample in their order. A warp per tile; `before` is the scan of the counts.
template <class T>
__global__ void place_sample_kernel(RowSample sample, const T* __restrict__ gradients, Index rows,
                                    const std::int32_t* __restrict__ before, Index tiles,
                                    std::uint32_t* __restrict__ order) {
  const Index tile = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (tile >= tiles) return;
  const unsigned lane = threadIdx.x % warp_size;
  Index to = before[tile];
  for (Index r = 0; r < tile_rows; r += warp_size) {
    const Index i = tile * tile_rows + r + lane;
    const bool taken = i < rows && sample.has(i, gradients[i]);
    const unsigned all = __ballot_sync(all_lanes, taken);
    if (taken) order[to + __popc(all & ((1U << lane) - 1))] = static_cast<std::uint32_t>(i);
    to += __popc(all);
  }
}

__device__ inline void add_to_sum(Word* to, std::int64_t value) {
  for (unsigned half = warp_size / 2; half > 0; half /= 2) {
    value += __shfl_xor_sync(all_lanes, value, half);
  }
  if (threadIdx.x % warp_size == 0) atomicAdd(to, static_cast<Word>(value));
}

// The words of the sample's rows, in their order, and the sums of g, h and |g|. hessians: null
// where all are 1.
//
// Grid: a thread per place, whole warps. Reads a gradient and a Hessian of each row (neighbours but
// for the sample's gaps), writes a word (wide: two). Three atomics per warp.
template <class T>
__global__ void pack_kernel(GradientPacking packing, RowSample sample,
                            const T* __restrict__ gradients, const T* __restrict__ hessians,
                            bool identity, Index count, std::uint32_t* __restrict__ order,
                            std::int64_t* __restrict__ words, std::int64_t* __restrict__ extra,
                            Word* __restrict__ sums) {
  const Index p = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  std::int64_t g = 0;
  std::int64_t h = 0;
  if (p < count) {
    const Index row = identity ? p : static_cast<Index>(order[p]);
    if (identity) order[p] = static_cast<std::uint32_t>(p);
    const T gradient = gradients[row];
    const T weight = identity ? T{1} : sample.weight_of(gradient);
    tree::pack_row(packing, weight * gradient,
                   weight * (hessians == nullptr ? T{1} : hessians[row]), g, h);
    if (packing.wide) {
      words[p] = g;
      extra[p] = h;
    } else {
      words[p] = tree::word_of(packing, g, h);
    }
  }
  add_to_sum(sums, g);
  add_to_sum(sums + 1, h);
  add_to_sum(sums + 2, g < 0 ? -g : g);
}

// --- histograms ----------------------------------------------------------------------------------

// Some rows of a node.
struct HistogramPiece {
  Index begin;
  std::int32_t rows;  // at most rows_per_word
  std::int32_t side;
  std::int32_t slot;
};

// Adds 64 bits to shared memory by two additions of 32 bits, which are native there; the carry goes
// along with the high one. The sum is right once all have been made.
__device__ inline void add_in_shared(Word* to, Word value) {
  auto* halves = reinterpret_cast<unsigned*>(to);
  const auto low = static_cast<unsigned>(value);
  const unsigned before = atomicAdd(halves, low);
  const unsigned high = static_cast<unsigned>(value >> 32) + (before + low < low ? 1U : 0U);
  if (high != 0) atomicAdd(halves + 1, high);
}

// The histograms of the pieces' nodes, which begin with 0.
//
// Grid: a block per piece of at most rows_per_word rows (x) and group of features (y), whose words
// stand in shared memory. Neighbouring threads take neighbouring features of a row: their bins are
// neighbouring bytes, and they add to different parts of the histogram. Then words are taken apart
// and added to the node's sums by 64-bit integer atomics. Reads per group 12 bytes of each row, and
// its bins: histogram_bytes() in all where there is one group. CPU twin: AddRows, Unpack.
template <bool wide>
__global__ void histogram_kernel(
    const HistogramPiece* __restrict__ pieces, const std::uint8_t* __restrict__ by_row,
    Index row_stride, Index features, int group_features, int stride,
    const std::uint32_t* __restrict__ order0, const std::uint32_t* __restrict__ order1,
    const std::int64_t* __restrict__ words0, const std::int64_t* __restrict__ words1,
    const std::int64_t* __restrict__ extra0, const std::int64_t* __restrict__ extra1, int shift,
    Index histogram, std::int64_t* __restrict__ sums) {
  extern __shared__ Word shared_words[];  // group × stride; wide: gradients, then Hessians
  const HistogramPiece piece = pieces[blockIdx.x];
  const Index first = static_cast<Index>(blockIdx.y) * group_features;
  const int here =
      static_cast<int>(features - first < group_features ? features - first : group_features);
  const int bins = here * stride;
  for (int b = static_cast<int>(threadIdx.x); b < (wide ? 2 * bins : bins);
       b += static_cast<int>(blockDim.x)) {
    shared_words[b] = 0;
  }
  __syncthreads();
  const std::uint32_t* order = (piece.side == 0 ? order0 : order1) + piece.begin;
  const std::int64_t* words = (piece.side == 0 ? words0 : words1) + piece.begin;
  const std::int64_t* extra = wide ? (piece.side == 0 ? extra0 : extra1) + piece.begin : nullptr;
  for (int e = static_cast<int>(threadIdx.x); e < piece.rows * here;
       e += static_cast<int>(blockDim.x)) {
    const int r = e / here;
    const int j = e - r * here;
    const int bin = j * stride + by_row[static_cast<Index>(order[r]) * row_stride + first + j];
    add_in_shared(shared_words + bin, static_cast<Word>(words[r]));
    if constexpr (wide) add_in_shared(shared_words + bins + bin, static_cast<Word>(extra[r]));
  }
  __syncthreads();
  Word* g_sums = reinterpret_cast<Word*>(sums) + 2 * histogram * piece.slot + first * stride;
  Word* h_sums = g_sums + histogram;
  for (int b = static_cast<int>(threadIdx.x); b < bins; b += static_cast<int>(blockDim.x)) {
    const Word word = shared_words[b];
    if constexpr (wide) {
      if (word != 0) atomicAdd(g_sums + b, word);
      if (shared_words[bins + b] != 0) atomicAdd(h_sums + b, shared_words[bins + b]);
    } else {
      if (word == 0) continue;
      const Word h = word & ((Word{1} << shift) - 1);
      const auto g = static_cast<std::int64_t>(word - h) >> shift;
      if (g != 0) atomicAdd(g_sums + b, static_cast<Word>(g));
      atomicAdd(h_sums + b, h);
    }
  }
}

// A thread per element of the histograms of tasks (y).
__global__ void clear_slots_kernel(const HistogramTask* __restrict__ tasks, Index elements,
                                   std::int64_t* __restrict__ sums) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e < elements) sums[elements * tasks[blockIdx.y].slot + e] = 0;
}
__global__ void subtract_kernel(const HistogramTask* __restrict__ tasks, Index elements,
                                std::int64_t* __restrict__ sums) {
  const HistogramTask& task = tasks[blockIdx.y];
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (task.parent < 0 || e >= elements) return;
  sums[elements * task.parent + e] -= sums[elements * task.slot + e];
}

// --- cuts ----------------------------------------------------------------------------------------

// In every thread the sum over the threads up to itself; blockDim.x is a multiple of 32, at most
// 256. `totals` has 8 elements and may be used again after the next barrier.
__device__ inline std::int64_t sum_up_to(std::int64_t value, std::int64_t* totals) {
  const unsigned lane = threadIdx.x % warp_size;
  const unsigned warp = threadIdx.x / warp_size;
  for (unsigned step = 1; step < warp_size; step *= 2) {
    const std::int64_t other = __shfl_up_sync(all_lanes, value, step);
    if (lane >= step) value += other;
  }
  if (lane == warp_size - 1) totals[warp] = value;
  __syncthreads();
  for (unsigned w = 0; w < warp; ++w) value += totals[w];
  return value;
}

// The better of the block's candidates to its first element, by halves. Candidates of one feature
// all have different numbers, so that the side of missing values does not matter.
__device__ inline void choose_in_block(HistogramSplit* best_of) {
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x >= half) continue;
    const HistogramSplit& other = best_of[threadIdx.x + half];
    if (tree::better_cut(other.sum, other.bin, false, best_of[threadIdx.x])) {
      best_of[threadIdx.x] = other;
    }
  }
}

// The best cut of one feature of numbers (x) in one node (y).
//
// Block: a thread per bin of the histogram's stride, which scans the bins' sums, scores the cut
// after its bin, with the missing rows on either side where there are some, and takes part in the
// choice by halves. Shared memory: a candidate per thread. Reads the feature's part of the
// histogram once: 16·stride bytes. CPU twin: FindCut.
__global__ void find_cuts_kernel(GainRules rules, const SplitQuery* __restrict__ queries,
                                 const std::uint8_t* __restrict__ allowed,
                                 const std::int64_t* __restrict__ sums, Index histogram,
                                 const std::int32_t* __restrict__ bins_of,
                                 const std::uint8_t* __restrict__ missing_of,
                                 const std::int8_t* __restrict__ directions,
                                 const BinKind* __restrict__ kinds, Index features,
                                 HistogramSplit* __restrict__ cuts) {
  __shared__ std::int64_t g_totals[8];
  __shared__ std::int64_t h_totals[8];
  __shared__ HistogramSplit best_of[256];
  const Index j = blockIdx.x;
  if (kinds != nullptr && kinds[j] != BinKind::numbers) return;
  const Index q = blockIdx.y;
  const SplitQuery query = queries[q];
  const int bins = bins_of[j];
  const int b = static_cast<int>(threadIdx.x);
  const std::int64_t* g_sums =
      sums + 2 * histogram * query.slot + j * static_cast<Index>(blockDim.x);
  const std::int64_t* h_sums = g_sums + histogram;
  const bool has_bin = missing_of[j] != 0;
  const std::int64_t missing_g = has_bin ? g_sums[bins] : 0;
  const std::int64_t missing_h = has_bin ? h_sums[bins] : 0;
  const bool has_missing = missing_g != 0 || missing_h != 0;
  const std::int64_t g = sum_up_to(b < bins ? g_sums[b] : 0, g_totals);
  const std::int64_t h = sum_up_to(b < bins ? h_sums[b] : 0, h_totals);
  HistogramSplit best;
  const bool may = allowed == nullptr || allowed[q * features + j] != 0;
  const int direction = directions == nullptr ? 0 : directions[j];
  for (int side = 0; side < 2; ++side) {
    const bool missing_left = side == 0;
    if (!may || (missing_left && !has_missing)) continue;
    if (b >= bins || (b + 1 == bins && (missing_left || !has_missing))) continue;
    const std::int64_t left_g = g + (missing_left ? missing_g : 0);
    const std::int64_t left_h = h + (missing_left ? missing_h : 0);
    const double sum =
        tree::score_sum(rules, left_g, left_h, query.g, query.h, query.bounds, direction);
    if (!tree::better_cut(sum, b, missing_left, best)) continue;
    const bool to_left = has_missing ? missing_left : tree::heavier_left(left_h, query.h);
    best = {sum, static_cast<std::int32_t>(j), b, to_left ? 1 : 0, left_g, left_h};
  }
  best_of[b] = best;
  choose_in_block(best_of);
  if (b == 0) cuts[q * features + j] = best_of[0];
}

// Categories of a node in the order of their derivatives. The threads of a block are bins.
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

// The best set of one feature of categories (x, of those that `features_of` lists) in one node (y).
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

// The bins that go left where a node's split is by categories; nothing elsewhere. A block per node,
// a thread per bin. CPU twin: set_of.
__global__ void sets_of_splits_kernel(GainRules rules, const SplitQuery* __restrict__ queries,
                                      const HistogramSplit* __restrict__ splits,
                                      const std::int64_t* __restrict__ sums, Index histogram,
                                      const std::int32_t* __restrict__ bins_of,
                                      const BinKind* __restrict__ kinds,
                                      BinSet* __restrict__ sets) {
  __shared__ CategoryOrder order;
  const Index q = blockIdx.x;
  const HistogramSplit split = splits[q];
  const auto b = static_cast<std::int32_t>(threadIdx.x);
  if (b < 8) sets[q].words[b] = 0;
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
  if (b % static_cast<std::int32_t>(warp_size) == 0) {
    sets[q].words[b / static_cast<std::int32_t>(warp_size)] = bits;
  }
}

// The best feature of each node, the lowest of equal ones: a thread per node.
__global__ void choose_cuts_kernel(const HistogramSplit* __restrict__ cuts, Index features,
                                   Index nodes, HistogramSplit* __restrict__ splits) {
  const Index q = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (q >= nodes) return;
  HistogramSplit best;
  for (Index j = 0; j < features; ++j) {
    const HistogramSplit& cut = cuts[q * features + j];
    if (cut.feature >= 0 && cut.sum > best.sum) best = cut;
  }
  splits[q] = best;
}

// --- partition -----------------------------------------------------------------------------------

// Up to tile_rows rows of a task.
struct Tile {
  std::int32_t task;
  std::int32_t rows;
  Index begin;   // of the tile
  Index before;  // rows of the task before it
};

// Which rows of a tile go left, a bit each, and how many. A warp per tile. Reads 4 bytes of order
// and one bin per row, at random in a column; writes 1/8 byte.
__global__ void choose_sides_kernel(const SplitTask* __restrict__ tasks,
                                    const Tile* __restrict__ tiles, Index tile_count,
                                    const std::uint8_t* __restrict__ by_column, Index all_rows,
                                    const std::uint32_t* __restrict__ order0,
                                    const std::uint32_t* __restrict__ order1,
                                    std::uint32_t* __restrict__ left_bits,
                                    std::int32_t* __restrict__ counts) {
  const Index t = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (t >= tile_count) return;
  const Index lane = threadIdx.x % warp_size;
  const Tile tile = tiles[t];
  const SplitTask& task = tasks[tile.task];  // its set is looked up where it stands
  const std::uint32_t* order = (task.side == 0 ? order0 : order1) + tile.begin;
  const std::uint8_t* column = by_column + task.feature * all_rows;
  std::int32_t count = 0;
  for (Index r = 0; r < tile.rows; r += warp_size) {
    bool left = false;
    if (r + lane < tile.rows) {
      const std::int32_t bin = column[order[r + lane]];
      left = task.goes_left(bin);
    }
    const unsigned bits = __ballot_sync(all_lanes, left);
    if (lane == 0) left_bits[t * (tile_rows / warp_size) + r / warp_size] = bits;
    count += __popc(bits);
  }
  if (lane == 0) counts[t] = count;
}

// counts become sums before each tile within its task; totals[task] the sum. A warp per task, whose
// tiles are first[task] .. first[task + 1] − 1.
__global__ void scan_counts_kernel(const Index* __restrict__ first, Index tasks,
                                   std::int32_t* __restrict__ counts, Index* __restrict__ totals) {
  const Index task = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (task >= tasks) return;
  const unsigned lane = threadIdx.x % warp_size;
  std::int32_t before = 0;
  for (Index t = first[task]; t < first[task + 1]; t += warp_size) {
    const bool here = t + lane < first[task + 1];
    const std::int32_t own = here ? counts[t + lane] : 0;
    std::int32_t sum = own;
    for (unsigned step = 1; step < warp_size; step *= 2) {
      const std::int32_t other = __shfl_up_sync(all_lanes, sum, step);
      if (lane >= step) sum += other;
    }
    if (here) counts[t + lane] = before + sum - own;
    before += __shfl_sync(all_lanes, sum, static_cast<int>(warp_size) - 1);
  }
  if (lane == 0) totals[task] = before;
}

// Rows and words to their places on the other side. A warp per tile: 12 bytes (wide: 20) read and
// written per row.
__global__ void move_rows_kernel(const SplitTask* __restrict__ tasks,
                                 const Tile* __restrict__ tiles, Index tile_count,
                                 const std::uint32_t* __restrict__ left_bits,
                                 const std::int32_t* __restrict__ before,
                                 const Index* __restrict__ left_of_task, bool wide,
                                 std::uint32_t* order0, std::uint32_t* order1, std::int64_t* words0,
                                 std::int64_t* words1, std::int64_t* extra0, std::int64_t* extra1) {
  const Index t = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (t >= tile_count) return;
  const unsigned lane = threadIdx.x % warp_size;
  const Tile tile = tiles[t];
  const SplitTask task = tasks[tile.task];
  const bool first_side = task.side == 0;
  const std::uint32_t* order = first_side ? order0 : order1;
  const std::int64_t* words = first_side ? words0 : words1;
  const std::int64_t* extra = first_side ? extra0 : extra1;
  std::uint32_t* to_order = first_side ? order1 : order0;
  std::int64_t* to_words = first_side ? words1 : words0;
  std::int64_t* to_extra = first_side ? extra1 : extra0;
  Index left = task.begin + before[t];
  Index right = task.begin + left_of_task[tile.task] + tile.before - before[t];
  for (Index r = 0; r < tile.rows; r += warp_size) {
    const unsigned bits = left_bits[t * (tile_rows / warp_size) + r / warp_size];
    const Index rest = tile.rows - r;
    const unsigned here = rest < static_cast<Index>(warp_size) ? (1U << rest) - 1 : all_lanes;
    if (((here >> lane) & 1) != 0) {
      const bool goes_left = ((bits >> lane) & 1) != 0;
      const unsigned lower = (1U << lane) - 1;
      const Index to = goes_left ? left + __popc(bits & lower) : right + __popc(~bits & lower);
      const Index from = tile.begin + r + lane;
      to_order[to] = order[from];
      to_words[to] = words[from];
      if (wide) to_extra[to] = extra[from];
    }
    left += __popc(bits & here);
    right += __popc(~bits & here);
  }
}

// --- scores --------------------------------------------------------------------------------------

// A thread per place in the order: finds its leaf by bisection over the leaves, which are sorted by
// where they begin.
template <class T>
__global__ void add_leaves_kernel(const LeafRange<T>* __restrict__ leaves, Index count,
                                  Index places, const std::uint32_t* __restrict__ order0,
                                  const std::uint32_t* __restrict__ order1, Index outputs,
                                  Index output, T* __restrict__ scores) {
  const Index p = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (p >= places) return;
  Index low = 0;
  for (Index high = count; high - low > 1;) {
    const Index middle = (low + high) / 2;
    if (leaves[middle].begin <= p)
      low = middle;
    else
      high = middle;
  }
  const LeafRange<T> leaf = leaves[low];
  const Index row = static_cast<Index>((leaf.side == 0 ? order0 : order1)[p]);
  scores[row * outputs + output] += leaf.value;
}

// The key at which the weights of a leaf's rows, in the order of their keys, reach `needed`. Called
// by all threads of a block; `weights_of`, 256 sums, and `found` are shared memory.
//
// Radix selection: of the keys that begin as the one sought, the weights by their next eight bits,
// from the highest to the lowest.
template <class T>
__device__ tree::OrderKey<T> select_key(const LeafRange<T>& leaf, const tree::QuantileRule& rule,
                                        const std::uint32_t* __restrict__ order, const T* target,
                                        const T* weights, const T* scores, Index outputs,
                                        std::int64_t needed, Word* weights_of, Word* found) {
  using Key = tree::OrderKey<T>;
  Key begin = 0;
  for (int shift = static_cast<int>(8 * sizeof(Key)) - 8; shift >= 0; shift -= 8) {
    for (int b = threadIdx.x; b < 256; b += blockDim.x) weights_of[b] = 0;
    __syncthreads();
    for (Index i = threadIdx.x; i < leaf.rows; i += blockDim.x) {
      const auto row = static_cast<Index>(order[leaf.begin + i]);
      const Key key = tree::order_key(target[row] - scores[row * outputs]);
      // Two shifts, because one by all bits of the key is not defined.
      if (((key ^ begin) >> shift) >> 8 != 0) continue;
      const std::int64_t weight =
          weights == nullptr ? 1 : tree::whole_weight(weights[row], rule.weight_scale);
      atomicAdd(weights_of + ((key >> shift) & 255), static_cast<Word>(weight));
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int b = 0;
      std::int64_t rest = needed;
      while (b < 255 && static_cast<std::int64_t>(weights_of[b]) < rest) {
        rest -= static_cast<std::int64_t>(weights_of[b++]);
      }
      found[0] = static_cast<Word>(b);
      found[1] = static_cast<Word>(rest);
    }
    __syncthreads();
    begin |= static_cast<Key>(found[0]) << shift;
    needed = static_cast<std::int64_t>(found[1]);
    __syncthreads();
  }
  return begin;
}

// values[l] = the quantile of target − score over the rows of leaf l.
//
// Grid: a block per leaf. Shared memory: 259 words. Reads order, target, score and weight of each
// row 1 + sizeof(T) times, twice that where the quantile lies between two rows. Sums of weights are
// integers, so that the order of the atomics does not matter. CPU twin: leaf_quantiles.
template <class T>
__global__ void leaf_quantiles_kernel(const LeafRange<T>* __restrict__ leaves,
                                      tree::QuantileRule rule,
                                      const std::uint32_t* __restrict__ order0,
                                      const std::uint32_t* __restrict__ order1,
                                      const T* __restrict__ target, const T* __restrict__ weights,
                                      const T* __restrict__ scores, Index outputs,
                                      T* __restrict__ values) {
  __shared__ Word weights_of[256];
  __shared__ Word found[2];
  __shared__ Word total;
  const LeafRange<T> leaf = leaves[blockIdx.x];
  const std::uint32_t* order = leaf.side == 0 ? order0 : order1;
  if (threadIdx.x == 0) {
    total = weights == nullptr ? static_cast<Word>(leaf.rows) : 0;
    values[blockIdx.x] = 0;
  }
  __syncthreads();
  if (leaf.rows == 0) return;
  if (weights != nullptr) {
    std::int64_t sum = 0;
    for (Index i = threadIdx.x; i < leaf.rows; i += blockDim.x) {
      sum += tree::whole_weight(weights[order[leaf.begin + i]], rule.weight_scale);
    }
    atomicAdd(&total, static_cast<Word>(sum));
    __syncthreads();
  }
  const auto all = static_cast<std::int64_t>(total);
  const std::int64_t lower = tree::lower_need(rule, all);
  const std::int64_t upper = tree::upper_need(rule, all);
  const T low = tree::value_of_key<T>(
      select_key(leaf, rule, order, target, weights, scores, outputs, lower, weights_of, found));
  T high = low;
  if (upper > lower) {
    high = tree::value_of_key<T>(
        select_key(leaf, rule, order, target, weights, scores, outputs, upper, weights_of, found));
  }
  if (threadIdx.x == 0) values[blockIdx.x] = tree::middle_of(low, high);
}

// A thread per row.
template <class T>
__global__ void add_binned_tree_kernel(const BinnedNode<T>* __restrict__ nodes,
                                       const BinSet* __restrict__ sets,
                                       const std::uint8_t* __restrict__ by_row, Index rows,
                                       Index stride, Index outputs, Index output,
                                       T* __restrict__ scores) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows) return;
  std::int32_t node = 0;
  for (;;) {
    const BinnedNode<T>& here = nodes[node];
    if (here.left == node) break;
    const std::int32_t bin = by_row[i * stride + here.feature];
    node = here.left + (here.goes_left(bin, sets) ? 0 : 1);
  }
  scores[i * outputs + output] += nodes[node].value;
}

// Block b of the long sum of w·loss: a warp each.
template <class T>
__global__ void losses_kernel(LossRules<T> loss, const T* __restrict__ scores,
                              const T* __restrict__ target, const T* __restrict__ weights,
                              Index rows, Index blocks, double* __restrict__ sums) {
  const Index b = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (b >= blocks) return;
  const double sum = sum_of_block(b * sum_block, rows, [&](Index i) {
    const double w = weights == nullptr ? 1.0 : static_cast<double>(weights[i]);
    return w * static_cast<double>(tree::loss_of(loss, scores + i * loss.outputs, target[i]));
  });
  if (threadIdx.x % warp_size == 0) sums[b] = sum;
}

template <Real T>
class CudaGradientBoosting final : public tree::GradientBoostingSteps<T> {
 public:
  explicit CudaGradientBoosting(Engine& engine) : engine_(cuda_engine(engine)) {}

  void prepare(const BoostingData<T>& data, Index outputs, std::int32_t slots) override {
    data_ = data;
    outputs_ = outputs;
    Index most = 1;
    for (std::size_t j = 0; j < data.bins.size(); ++j) {
      most = std::max<Index>(most, data.bins[j] + data.missing[j]);
    }
    stride_ = tree::histogram_stride(most);
    histogram_ = data.features * stride_;
    sums_ = Buffer<std::int64_t>(engine_, 2 * histogram_ * slots);
    gradients_ = Buffer<T>(engine_, data.rows * outputs);
    hessians_ = Buffer<T>(engine_, data.rows * outputs);
    for (int side = 0; side < 2; ++side) {
      order_[side] = Buffer<std::uint32_t>(engine_, data.rows);
      words_[side] = Buffer<std::int64_t>(engine_, data.rows);
    }
    bins_ = to_engine(engine_, data.bins);
    missing_ = to_engine(engine_, data.missing);
    if (!data.directions.empty()) directions_ = to_engine(engine_, data.directions);
    std::vector<std::int32_t> of_categories;
    for (std::size_t j = 0; j < data.kinds.size(); ++j) {
      if (data.kinds[j] != BinKind::numbers) of_categories.push_back(static_cast<std::int32_t>(j));
    }
    if (of_categories.empty()) return;
    kinds_ = to_engine(engine_, data.kinds);
    category_features_ = to_engine(engine_, of_categories);
  }

  void compute_gradients(const LossRules<T>& loss, const Buffer<T>& scores,
                         std::span<GradientRange> ranges) override {
    unit_ = tree::unit_hessian(loss.kind) && data_.weights->empty();
    Buffer<Word> most(engine_, 2 * loss.outputs);
    most.fill_zero();
    engine_.launch(gradients_kernel<T>, per_thread(data_.rows), loss, scores.data(),
                   data_.target->data(), data_.weights->data(), data_.rows, unit_,
                   gradients_.data(), hessians_.data(), most.data());
    const auto bits = most.to_host();
    for (std::size_t k = 0; k < ranges.size(); ++k) {
      ranges[k].most_gradient = std::bit_cast<double>(bits[2 * k]);
      ranges[k].most_hessian = std::bit_cast<double>(bits[2 * k + 1]);
    }
  }

  void take_gradients(const Buffer<T>& gradients, const Buffer<T>& hessians,
                      std::span<GradientRange> ranges) override {
    unit_ = false;
    Buffer<Word> most(engine_, 2 * outputs_);
    most.fill_zero();
    for (Index k = 0; k < outputs_; ++k) {
      const Index at = k * data_.rows;
      engine_.launch(take_gradients_kernel<T>, per_thread(data_.rows), gradients.data() + at,
                     hessians.data() + at, data_.weights->data(), data_.rows,
                     gradients_.data() + at, hessians_.data() + at, most.data() + 2 * k);
    }
    const auto bits = most.to_host();
    for (std::size_t k = 0; k < ranges.size(); ++k) {
      ranges[k].most_gradient = std::bit_cast<double>(bits[2 * k]);
      ranges[k].most_hessian = std::bit_cast<double>(bits[2 * k + 1]);
    }
  }

  void leaf_quantiles(std::span<const LeafRange<T>> leaves, const tree::QuantileRule& rule,
                      Index output, const Buffer<T>& scores, std::span<T> values) override {
    const auto there = to_engine(engine_, leaves);
    Buffer<T> found(engine_, there.size());
    const Shape shape{.grid = dim3(static_cast<unsigned>(leaves.size())),
                      .block = dim3(engine_.block_threads(256))};
    engine_.launch(leaf_quantiles_kernel<T>, shape, there.data(), rule, order_[0].data(),
                   order_[1].data(), data_.target->data(), data_.weights->data(),
                   scores.data() + output, outputs_, found.data());
    found.download(values);
  }

  GradientRank rank_gradients(Index output, Index count) override {
    constexpr Index rows_of_thread = 16;
    const unsigned threads = engine_.block_threads(256);
    const Shape shape{
        .grid = dim3(static_cast<unsigned>(blocks_for(data_.rows, threads * rows_of_thread))),
        .block = dim3(threads)};
    using Key = tree::OrderKey<T>;
    Key begin = 0;
    Index above = 0;
    for (int shift = static_cast<int>(8 * sizeof(Key)) - 8; shift >= 0; shift -= 8) {
      Buffer<Word> counts(engine_, 256);
      counts.fill_zero();
      engine_.launch(count_magnitudes_kernel<T>, shape, gradients_.data() + output * data_.rows,
                     data_.rows, begin, shift, counts.data());
      const auto of_digit = counts.to_host();
      std::size_t digit = 255;
      while (digit > 0 && above + static_cast<Index>(of_digit[digit]) < count) {
        above += static_cast<Index>(of_digit[digit--]);
      }
      begin |= static_cast<Key>(digit) << shift;
    }
    return {static_cast<double>(tree::value_of_key<T>(begin)), above};
  }

  PackedSums pack(Index output, const GradientPacking& packing, const RowSample& sample) override {
    packing_ = packing;
    if (packing.wide && extra_[0].empty()) {
      for (auto& extra : extra_) extra = Buffer<std::int64_t>(engine_, data_.rows);
    }
    PackedSums result;
    const bool all = sample.all();
    const T* gradients = gradients_.data() + output * data_.rows;
    result.rows = data_.rows;
    if (!all) {
      const Index tiles = blocks_for(data_.rows, tile_rows);
      Buffer<std::int32_t> counts(engine_, tiles);
      const auto first = to_engine(engine_, std::vector<Index>{0, tiles});
      Buffer<Index> total(engine_, 1);
      engine_.launch(count_sample_kernel<T>, per_warp(tiles), sample, gradients, data_.rows,
                     counts.data(), tiles);
      engine_.launch(scan_counts_kernel, per_warp(1), first.data(), Index{1}, counts.data(),
                     total.data());
      engine_.launch(place_sample_kernel<T>, per_warp(tiles), sample, gradients, data_.rows,
                     counts.data(), tiles, order_[0].data());
      result.rows = total.to_host()[0];
    }
    Buffer<Word> sums(engine_, 3);
    sums.fill_zero();
    const bool ones = packing.unit || unit_;
    engine_.launch(pack_kernel<T>, per_thread(result.rows), packing, sample, gradients,
                   ones ? nullptr : hessians_.data() + output * data_.rows, all, result.rows,
                   order_[0].data(), words_[0].data(), extra_[0].data(), sums.data());
    const auto host = sums.to_host();
    result.g = static_cast<std::int64_t>(host[0]);
    result.h = static_cast<std::int64_t>(host[1]);
    result.magnitudes = static_cast<std::int64_t>(host[2]);
    return result;
  }

  void build_histograms(std::span<const HistogramTask> tasks) override {
    std::vector<HistogramPiece> pieces;
    for (const HistogramTask& task : tasks) {
      for (Index r = 0; r < task.rows; r += tree::rows_per_word) {
        const Index rows = std::min(tree::rows_per_word, task.rows - r);
        pieces.push_back({task.begin + r, static_cast<std::int32_t>(rows), task.side, task.slot});
      }
    }
    const auto tasks_there = to_engine(engine_, tasks);
    const auto pieces_there = to_engine(engine_, pieces);
    const Index elements = 2 * histogram_;
    const unsigned threads = engine_.block_threads(256);
    const Shape by_element{.grid = dim3(static_cast<unsigned>(blocks_for(elements, threads)),
                                        static_cast<unsigned>(tasks.size())),
                           .block = dim3(threads)};
    engine_.launch(clear_slots_kernel, by_element, tasks_there.data(), elements, sums_.data());
    const Index bin_bytes = packing_.wide ? 16 : 8;
    const Index group = std::max<Index>(1, shared_histogram_bytes / (stride_ * bin_bytes));
    const Shape shape{.grid = dim3(static_cast<unsigned>(pieces.size()),
                                   static_cast<unsigned>(blocks_for(data_.features, group))),
                      .block = dim3(threads),
                      .shared_bytes = static_cast<std::size_t>(group * stride_ * bin_bytes)};
    const auto kernel = packing_.wide ? histogram_kernel<true> : histogram_kernel<false>;
    engine_.launch(kernel, shape, pieces_there.data(), data_.by_row->data(), data_.stride,
                   data_.features, static_cast<int>(group), static_cast<int>(stride_),
                   order_[0].data(), order_[1].data(), words_[0].data(), words_[1].data(),
                   extra_[0].data(), extra_[1].data(), packing_.shift, histogram_, sums_.data());
    engine_.launch(subtract_kernel, by_element, tasks_there.data(), elements, sums_.data());
  }

  void find_splits(const GainRules& rules, std::span<const SplitQuery> queries,
                   std::span<const std::uint8_t> allowed, std::span<HistogramSplit> splits,
                   std::span<BinSet> sets) override {
    const auto count = static_cast<Index>(queries.size());
    const auto queries_there = to_engine(engine_, queries);
    const auto allowed_there = to_engine(engine_, allowed);
    Buffer<HistogramSplit> cuts(engine_, count * data_.features);
    Buffer<HistogramSplit> best(engine_, count);
    const Shape shape{
        .grid = dim3(static_cast<unsigned>(data_.features), static_cast<unsigned>(count)),
        .block = dim3(static_cast<unsigned>(stride_))};
    engine_.launch(find_cuts_kernel, shape, rules, queries_there.data(), allowed_there.data(),
                   sums_.data(), histogram_, bins_.data(), missing_.data(), directions_.data(),
                   kinds_.data(), data_.features, cuts.data());
    if (!kinds_.empty()) {
      const Shape of_categories{.grid = dim3(static_cast<unsigned>(category_features_.size()),
                                             static_cast<unsigned>(count)),
                                .block = shape.block};
      engine_.launch(find_sets_kernel, of_categories, rules, queries_there.data(),
                     allowed_there.data(), sums_.data(), histogram_, bins_.data(), kinds_.data(),
                     category_features_.data(), data_.features, cuts.data());
    }
    engine_.launch(choose_cuts_kernel, per_thread(count), cuts.data(), data_.features, count,
                   best.data());
    if (!kinds_.empty()) {
      Buffer<BinSet> found(engine_, count);
      engine_.launch(sets_of_splits_kernel,
                     {.grid = dim3(static_cast<unsigned>(count)), .block = shape.block}, rules,
                     queries_there.data(), best.data(), sums_.data(), histogram_, bins_.data(),
                     kinds_.data(), found.data());
      found.download(sets);
    } else {
      std::fill(sets.begin(), sets.end(), BinSet{});
    }
    best.download(splits);
  }

  void apply_splits(std::span<const SplitTask> tasks, std::span<Index> left_rows) override {
    std::vector<Tile> tiles;
    std::vector<Index> first{0};
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      for (Index r = 0; r < tasks[t].rows; r += tile_rows) {
        tiles.push_back({static_cast<std::int32_t>(t),
                         static_cast<std::int32_t>(std::min(tile_rows, tasks[t].rows - r)),
                         tasks[t].begin + r, r});
      }
      first.push_back(static_cast<Index>(tiles.size()));
    }
    const auto tile_count = static_cast<Index>(tiles.size());
    const auto task_count = static_cast<Index>(tasks.size());
    const auto tasks_there = to_engine(engine_, tasks);
    const auto tiles_there = to_engine(engine_, tiles);
    const auto first_there = to_engine(engine_, first);
    Buffer<std::uint32_t> bits(engine_, tile_count * (tile_rows / static_cast<Index>(warp_size)));
    Buffer<std::int32_t> counts(engine_, tile_count);
    Buffer<Index> totals(engine_, task_count);
    engine_.launch(choose_sides_kernel, per_warp(tile_count), tasks_there.data(),
                   tiles_there.data(), tile_count, data_.by_column->data(), data_.rows,
                   order_[0].data(), order_[1].data(), bits.data(), counts.data());
    engine_.launch(scan_counts_kernel, per_warp(task_count), first_there.data(), task_count,
                   counts.data(), totals.data());
    engine_.launch(move_rows_kernel, per_warp(tile_count), tasks_there.data(), tiles_there.data(),
                   tile_count, bits.data(), counts.data(), totals.data(), packing_.wide,
                   order_[0].data(), order_[1].data(), words_[0].data(), words_[1].data(),
                   extra_[0].data(), extra_[1].data());
    totals.download(left_rows);
  }

  void add_leaves(std::span<const LeafRange<T>> leaves, Index output, Buffer<T>& scores) override {
    std::vector<LeafRange<T>> sorted(leaves.begin(), leaves.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const LeafRange<T>& a, const LeafRange<T>& b) { return a.begin < b.begin; });
    Index places = 0;
    for (const LeafRange<T>& leaf : sorted) places += leaf.rows;
    const auto there = to_engine(engine_, sorted);
    engine_.launch(add_leaves_kernel<T>, per_thread(places), there.data(), there.size(), places,
                   order_[0].data(), order_[1].data(), outputs_, output, scores.data());
  }

  void add_tree(std::span<const BinnedNode<T>> nodes, std::span<const BinSet> sets,
                const Buffer<std::uint8_t>& by_row, Index rows, Index output,
                Buffer<T>& scores) override {
    const auto there = to_engine(engine_, nodes);
    const auto sets_there = to_engine(engine_, sets);
    engine_.launch(add_binned_tree_kernel<T>, per_thread(rows), there.data(), sets_there.data(),
                   by_row.data(), rows, data_.stride, outputs_, output, scores.data());
  }

  double total_loss(const LossRules<T>& loss, const Buffer<T>& scores, const Buffer<T>& target,
                    const Buffer<T>& weights, Index rows) override {
    const Index blocks = sum_blocks(rows);
    if (blocks == 0) return 0;
    Buffer<double> sums(engine_, blocks);
    Buffer<double> total(engine_, 1);
    engine_.launch(losses_kernel<T>, per_warp(blocks), loss, scores.data(), target.data(),
                   weights.data(), rows, blocks, sums.data());
    add_block_sums(engine_, sums.data(), blocks, 1, total.data());
    return total.to_host()[0];
  }

 private:
  [[nodiscard]] Shape per_thread(Index threads) const {
    const unsigned per_block = engine_.block_threads(256);
    return {.grid = dim3(static_cast<unsigned>(blocks_for(threads, per_block))),
            .block = dim3(per_block)};
  }
  [[nodiscard]] Shape per_warp(Index warps) const {
    return per_thread(warps * static_cast<Index>(warp_size));
  }

  CudaEngine& engine_;
  BoostingData<T> data_;
  Index outputs_ = 1;
  Index stride_ = 256;  // of a feature in a histogram
  Index histogram_ = 0;
  bool unit_ = false;  // whether all Hessians are 1 and stand nowhere
  GradientPacking packing_;
  Buffer<std::int64_t> sums_;  // slots × 2 × histogram_: gradients, then Hessians
  Buffer<T> gradients_;        // outputs × n
  Buffer<T> hessians_;
  Buffer<std::uint32_t> order_[2];
  Buffer<std::int64_t> words_[2];
  Buffer<std::int64_t> extra_[2];
  Buffer<std::int32_t> bins_;
  Buffer<std::uint8_t> missing_;
  Buffer<std::int8_t> directions_;
  Buffer<BinKind> kinds_;                   // empty where no feature has categories
  Buffer<std::int32_t> category_features_;  // those that have
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_gradient_boosting_float32(tandem::Engine& engine) {
  return static_cast<tandem::tree::GradientBoostingSteps<float>*>(
      new tandem::cuda::CudaGradientBoosting<float>(engine));
}
void* tandem_cuda_gradient_boosting_float64(tandem::Engine& engine) {
  return static_cast<tandem::tree::GradientBoostingSteps<double>*>(
      new tandem::cuda::CudaGradientBoosting<double>(engine));
}
}
