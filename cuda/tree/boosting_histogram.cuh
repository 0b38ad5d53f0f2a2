// Histograms of nodes and cuts between their bins: kernels of gradient boosting.
#pragma once

#include "cuda/tree/boosting_common.cuh"

namespace tandem::cuda {
// Of the one file that includes this.
namespace {  // NOLINT(google-build-namespaces)

using tree::BinKind;
using tree::GainRules;
using tree::HistogramSplit;
using tree::HistogramTask;
using tree::SplitQuery;

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

// Features that a block makes the histograms of, whose bins are numbered by 16 bits.
struct FeatureGroup {
  std::int32_t first;
  std::int32_t features;
  std::int32_t shared;  // whether their bins have room in shared memory
};

// As histogram_kernel() for bins of 16 bits, whose features have unlike room in a histogram.
//
// Grid: a block per piece (x) and group of features (y). A group whose bins have room in shared
// memory is added up there; the bins of a feature that has none, which thousands of rows share
// among thousands of bins, are added to where they are. Reads 12 bytes of each row per group and 2
// for each of its bins. CPU twin: AddRowAtPlaces.
template <bool wide>
__global__ void histogram_at_places_kernel(
    const HistogramPiece* __restrict__ pieces, const FeatureGroup* __restrict__ groups,
    const Index* __restrict__ places, const std::uint16_t* __restrict__ by_row, Index row_stride,
    const std::uint32_t* __restrict__ order0, const std::uint32_t* __restrict__ order1,
    const std::int64_t* __restrict__ words0, const std::int64_t* __restrict__ words1,
    const std::int64_t* __restrict__ extra0, const std::int64_t* __restrict__ extra1, int shift,
    Index histogram, std::int64_t* __restrict__ sums) {
  extern __shared__ Word shared_words[];  // the group's bins; wide: gradients, then Hessians
  const HistogramPiece piece = pieces[blockIdx.x];
  const FeatureGroup group = groups[blockIdx.y];
  const Index start = places[group.first];
  const int bins = static_cast<int>(places[group.first + group.features] - start);
  const bool in_shared = group.shared != 0;
  if (in_shared) {
    for (int b = static_cast<int>(threadIdx.x); b < (wide ? 2 * bins : bins);
         b += static_cast<int>(blockDim.x)) {
      shared_words[b] = 0;
    }
  }
  __syncthreads();
  const std::uint32_t* order = (piece.side == 0 ? order0 : order1) + piece.begin;
  const std::int64_t* words = (piece.side == 0 ? words0 : words1) + piece.begin;
  const std::int64_t* extra = wide ? (piece.side == 0 ? extra0 : extra1) + piece.begin : nullptr;
  Word* g_sums = reinterpret_cast<Word*>(sums) + 2 * histogram * piece.slot + start;
  Word* h_sums = g_sums + histogram;
  const auto take_apart = [&](Word word, Word& g, Word& h) {
    h = word & ((Word{1} << shift) - 1);
    g = static_cast<Word>(static_cast<std::int64_t>(word - h) >> shift);
  };
  for (int e = static_cast<int>(threadIdx.x); e < piece.rows * group.features;
       e += static_cast<int>(blockDim.x)) {
    const int r = e / group.features;
    const int j = group.first + e - r * group.features;
    const int bin =
        static_cast<int>(places[j] - start) + by_row[static_cast<Index>(order[r]) * row_stride + j];
    const auto word = static_cast<Word>(words[r]);
    if (in_shared) {
      add_in_shared(shared_words + bin, word);
      if constexpr (wide) add_in_shared(shared_words + bins + bin, static_cast<Word>(extra[r]));
      continue;
    }
    Word g = word;
    Word h = 0;
    if constexpr (wide)
      h = static_cast<Word>(extra[r]);
    else
      take_apart(word, g, h);
    atomicAdd(g_sums + bin, g);
    atomicAdd(h_sums + bin, h);
  }
  if (!in_shared) return;
  __syncthreads();
  for (int b = static_cast<int>(threadIdx.x); b < bins; b += static_cast<int>(blockDim.x)) {
    Word g = shared_words[b];
    Word h = 0;
    if constexpr (wide)
      h = shared_words[bins + b];
    else
      take_apart(shared_words[b], g, h);
    if (g != 0) atomicAdd(g_sums + b, g);
    if (h != 0) atomicAdd(h_sums + b, h);
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

// The sum over all threads of what sum_up_to() was called with.
__device__ inline std::int64_t total_of_block(const std::int64_t* totals) {
  std::int64_t total = 0;
  for (unsigned w = 0; w < blockDim.x / warp_size; ++w) total += totals[w];
  return total;
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
// Block: a thread per bin of the histogram's stride, or search_threads that go over the bins
// together. They scan the bins' sums, score the cut after each bin, with the missing rows on either
// side where there are some, and take part in the choice by halves. Shared memory: a candidate per
// thread. Reads the feature's part of the histogram once: 16 bytes per bin. CPU twin: FindCut.
__global__ void find_cuts_kernel(
    GainRules rules, const SplitQuery* __restrict__ queries,
    const std::uint8_t* __restrict__ allowed, const std::int64_t* __restrict__ sums,
    Index histogram, const Index* __restrict__ places, const std::int32_t* __restrict__ bins_of,
    const std::uint8_t* __restrict__ missing_of, const std::int8_t* __restrict__ directions,
    const BinKind* __restrict__ kinds, Index features, HistogramSplit* __restrict__ cuts) {
  __shared__ std::int64_t g_totals[8];
  __shared__ std::int64_t h_totals[8];
  __shared__ HistogramSplit best_of[256];
  const Index j = blockIdx.x;
  if (kinds != nullptr && kinds[j] != BinKind::numbers) return;
  const Index q = blockIdx.y;
  const SplitQuery query = queries[q];
  const int bins = bins_of[j];
  const std::int64_t* g_sums = sums + 2 * histogram * query.slot + places[j];
  const std::int64_t* h_sums = g_sums + histogram;
  const bool may_be_missing = missing_of[j] != 0;
  const std::int64_t missing_g = may_be_missing ? g_sums[bins] : 0;
  const std::int64_t missing_h = may_be_missing ? h_sums[bins] : 0;
  const bool has_missing = missing_g != 0 || missing_h != 0;
  HistogramSplit best;
  const bool may = allowed == nullptr || allowed[q * features + j] != 0;
  const int direction = directions == nullptr ? 0 : directions[j];
  std::int64_t before_g = 0;
  std::int64_t before_h = 0;
  for (int first = 0; first < bins; first += static_cast<int>(blockDim.x)) {
    const int b = first + static_cast<int>(threadIdx.x);
    const std::int64_t g = before_g + sum_up_to(b < bins ? g_sums[b] : 0, g_totals);
    const std::int64_t h = before_h + sum_up_to(b < bins ? h_sums[b] : 0, h_totals);
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
    before_g += total_of_block(g_totals);
    before_h += total_of_block(h_totals);
    __syncthreads();
  }
  best_of[threadIdx.x] = best;
  choose_in_block(best_of);
  if (threadIdx.x == 0) cuts[q * features + j] = best_of[0];
}

}  // namespace
}  // namespace tandem::cuda
