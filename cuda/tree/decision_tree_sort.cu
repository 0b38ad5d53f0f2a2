// Sorting the rows by every feature, once: keys whose order as integers is that of the values,
// CUB's radix sort, and ranks: a float's key is its rank, a double's are numbered by CUB's scan.
// CUB's radix sort is stable, so that equal values stand in the order of their rows.
//
// Costs: cuda/tree/decision_tree_cost.hpp. CPU twin: CpuSteps::prepare in
// cpu/tree/decision_tree.cpp.
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <bit>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>
#include <limits>

#include "cuda/core/check.hpp"
#include "cuda/tree/decision_tree_state.hpp"

namespace tandem::cuda {
namespace {

// Integers that order as the values do; every NaN comes last, −0 and +0 are one value.
__device__ std::uint32_t ordered_key(float value) {
  if (value != value) return ~std::uint32_t{0};
  const auto bits = __float_as_uint(value + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
__device__ std::uint64_t ordered_key(double value) {
  if (value != value) return ~std::uint64_t{0};
  const auto bits = static_cast<std::uint64_t>(__double_as_longlong(value + 0.0));
  return (bits & 0x8000000000000000U) != 0 ? ~bits : bits | 0x8000000000000000U;
}
template <Real T>
using KeyOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// Columns taken out of the table at once, where memory allows: a sector of 32 bytes of floats.
constexpr Index most_columns = 8;

// Keys between two columns in shared memory: a warp's store of 4 bytes, or half a warp's of 8, is
// of `columns` neighbours in each of 32 / columns rows, or 16 / columns.
template <Real T>
__host__ __device__ constexpr unsigned take_keys_pitch(unsigned threads, unsigned columns) {
  const unsigned rows = (sizeof(T) == 4 ? 32 : 16) / columns;
  return threads + (rows > 0 ? rows : 1);
}

// keys[c·total_rows + first_row + i] = the key of x[i·cols + first_col + c] for `rows` rows of x
// and `columns` <= most_columns columns.
//
// Grid: ceil(rows / block) blocks; a block transposes block × columns values through shared memory
// (so many keys between columns that neither writing nor reading meets a bank twice where `columns`
// is 8), one barrier.
// A warp reads `columns` neighbouring values of each of 32 / columns rows: every sector of x once;
// it writes 32 neighbouring keys. Bytes: (sizeof(T) + sizeof(key)) per value.
template <Real T>
__global__ void take_keys_kernel(const T* __restrict__ x, Index rows, Index cols, Index first_col,
                                 unsigned columns, Index total_rows, Index first_row,
                                 KeyOf<T>* __restrict__ keys) {
  extern __shared__ unsigned char shared[];
  auto* tile = reinterpret_cast<KeyOf<T>*>(shared);
  const unsigned pitch = take_keys_pitch<T>(blockDim.x, columns);
  const Index first = static_cast<Index>(blockIdx.x) * blockDim.x;
  for (unsigned k = threadIdx.x; k < blockDim.x * columns; k += blockDim.x) {
    const unsigned row = k / columns;
    const unsigned col = k % columns;
    if (first + row < rows) {
      tile[col * pitch + row] = ordered_key(x[(first + row) * cols + first_col + col]);
    }
  }
  __syncthreads();
  if (first + threadIdx.x >= rows) return;
  for (unsigned c = 0; c < columns; ++c) {
    keys[c * total_rows + first_row + first + threadIdx.x] = tile[c * pitch + threadIdx.x];
  }
}

// One thread per row. Writes 4 bytes each.
__global__ void number_rows_kernel(Index count, std::uint32_t* rows) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) rows[i] = static_cast<std::uint32_t>(i);
}

__device__ std::uint32_t payload_of(const TreeRows& rows, std::uint32_t row) {
  std::uint32_t payload = row << rows.class_bits;
  if (rows.class_bits > 0) payload |= static_cast<std::uint32_t>(rows.labels[row]);
  return payload;
}

// A row's payload. One thread per row; reads 4 bytes and a class at random, writes 4.
__global__ void make_payloads_kernel(const std::uint32_t* __restrict__ sorted, Index count,
                                     TreeRows rows, std::uint32_t* __restrict__ payloads) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) payloads[i] = payload_of(rows, sorted[i]);
}

// 1 where a new value begins.
struct BeginsValue {
  const std::uint64_t* keys;
  __device__ std::uint32_t operator()(std::int64_t i) const {
    return i > 0 && keys[i] != keys[i - 1] ? 1 : 0;
  }
};

// ranks[i] of a missing value.
__global__ void mark_missing_kernel(const std::uint64_t* __restrict__ keys, Index count,
                                    std::uint32_t* __restrict__ ranks) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count && keys[i] == ~std::uint64_t{0}) ranks[i] = missing_rank;
}

// trees[i] = the number of the tree that row sorted[i] is of: how many of the later trees begin at
// it or before. A thread per row; reads 4 bytes and, by a search, log2(count) numbers that the
// cache holds, writes 4.
__global__ void find_trees_kernel(const std::uint32_t* __restrict__ sorted, Index rows,
                                  const Index* __restrict__ begins, Index count,
                                  std::uint32_t* __restrict__ trees) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows) return;
  const auto row = static_cast<Index>(sorted[i]);
  Index low = 0;
  Index high = count;
  while (low < high) {
    const Index middle = (low + high) / 2;
    if (begins[middle] <= row) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  trees[i] = static_cast<std::uint32_t>(low);
}

// Two arrays in another order. A thread per element; reads 4 bytes and twice 4 at random, writes 8.
__global__ void reorder_kernel(const std::uint32_t* __restrict__ order, Index count,
                               const std::uint32_t* __restrict__ ranks,
                               const std::uint32_t* __restrict__ rows,
                               std::uint32_t* __restrict__ new_ranks,
                               std::uint32_t* __restrict__ new_rows) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  new_ranks[i] = ranks[order[i]];
  new_rows[i] = rows[order[i]];
}

// A call of CUB twice, as CUB wants it: for the size of its scratch memory, and to run.
template <class Call>
void call_cub(CudaEngine& engine, const char* what, Buffer<std::byte>& scratch, Call&& call) {
  engine.before_library_call(what);
  std::size_t bytes = 0;
  TANDEM_CUDA(call(nullptr, bytes));
  if (scratch.bytes() < bytes) scratch = Buffer<std::byte>(engine, static_cast<Index>(bytes));
  TANDEM_CUDA(call(scratch.data(), bytes));
  engine.after_library_call(what);
}

}  // namespace

template <Real T>
void sort_features(CudaEngine& engine, const T* x, const TreeRows& rows,
                   std::span<const Index> more_trees, TreeOrders& orders) {
  using Key = KeyOf<T>;
  const Index n = orders.rows();
  const Index stride = orders.stride();
  // At most 512: a block of take_keys_kernel has `threads` keys of 8 columns in shared memory.
  const unsigned threads = std::min(engine.block_threads(256), 512U);
  const Shape per_row{.grid = dim3(static_cast<unsigned>(blocks_for(n, threads))),
                      .block = dim3(threads)};
  Buffer<std::uint32_t> numbers(engine, n);
  engine.launch(number_rows_kernel, per_row, n, numbers.data());
  const auto fitting = static_cast<Index>(engine.free_memory() / 8 / sizeof(Key)) / n;
  const Index at_once = std::clamp<Index>(std::min(fitting, orders.cols()), 1, most_columns);
  Buffer<Key> keys(engine, at_once * n);
  Buffer<Key> sorted_keys(engine, sizeof(T) == 4 ? 0 : n);
  Buffer<std::uint32_t> sorted(engine, n);
  Buffer<std::byte> scratch;
  Buffer<std::uint32_t> order;
  // By tree, stably, once the rows of all are in order.
  const Buffer<Index> begins = to_engine(engine, more_trees);
  const Index of_trees = begins.empty() ? 0 : n;
  Buffer<std::uint32_t> trees(engine, of_trees);
  Buffer<std::uint32_t> sorted_trees(engine, of_trees);
  Buffer<std::uint32_t> by_tree(engine, of_trees);
  Buffer<std::uint32_t> new_ranks(engine, of_trees);
  Buffer<std::uint32_t> new_rows(engine, of_trees);
  if (!orders.on_device()) order = Buffer<std::uint32_t>(engine, 2 * stride);
  PieceStream pieces(engine, std::clamp<std::size_t>(static_cast<std::size_t>(n) * 8,
                                                     std::size_t{1} << 12, std::size_t{64} << 20));
  for (Index first = 0; first < orders.cols(); first += at_once) {
    const Index columns = std::min(at_once, orders.cols() - first);
    pieces.for_each_piece(x, n, orders.cols(), [&](Index first_row, Index count, const T* piece) {
      engine.launch(take_keys_kernel<T>,
                    {.grid = dim3(static_cast<unsigned>(blocks_for(count, threads))),
                     .block = dim3(threads),
                     .shared_bytes = static_cast<std::size_t>(columns) *
                                     take_keys_pitch<T>(threads, static_cast<unsigned>(columns)) *
                                     sizeof(Key)},
                    piece, count, orders.cols(), first, static_cast<unsigned>(columns), n,
                    first_row, keys.data());
    });
    for (Index c = 0; c < columns; ++c) {
      std::uint32_t* target = orders.data() + 2 * (first + c) * stride;
      std::uint32_t* ranks = orders.on_device() ? target : order.data();
      Key* keys_out = nullptr;
      if constexpr (sizeof(T) == 4) {
        keys_out = ranks;  // a float's key is its rank
      } else {
        keys_out = sorted_keys.data();
      }
      call_cub(engine, "cub::DeviceRadixSort", scratch, [&](void* memory, std::size_t& bytes) {
        return cub::DeviceRadixSort::SortPairs(memory, bytes, std::as_const(keys).data() + c * n,
                                               keys_out, std::as_const(numbers).data(),
                                               sorted.data(), static_cast<std::uint32_t>(n), 0,
                                               static_cast<int>(sizeof(Key)) * 8, engine.stream());
      });
      if constexpr (sizeof(T) == 8) {
        const auto begins = thrust::make_transform_iterator(
            thrust::make_counting_iterator(std::int64_t{0}), BeginsValue{sorted_keys.data()});
        call_cub(engine, "cub::DeviceScan", scratch, [&](void* memory, std::size_t& bytes) {
          return cub::DeviceScan::InclusiveSum(memory, bytes, begins, ranks,
                                               static_cast<std::uint32_t>(n), engine.stream());
        });
        engine.launch(mark_missing_kernel, per_row, sorted_keys.data(), n, ranks);
      }
      const std::uint32_t* in_order = sorted.data();
      if (of_trees > 0) {
        engine.launch(find_trees_kernel, per_row, sorted.data(), n, begins.data(), begins.size(),
                      trees.data());
        const int bits = std::bit_width(static_cast<std::uint64_t>(begins.size()));
        call_cub(engine, "cub::DeviceRadixSort", scratch, [&](void* memory, std::size_t& bytes) {
          return cub::DeviceRadixSort::SortPairs(memory, bytes, std::as_const(trees).data(),
                                                 sorted_trees.data(), std::as_const(numbers).data(),
                                                 by_tree.data(), static_cast<std::uint32_t>(n), 0,
                                                 bits, engine.stream());
        });
        engine.launch(reorder_kernel, per_row, by_tree.data(), n, ranks, sorted.data(),
                      new_ranks.data(), new_rows.data());
        engine.copy_within(ranks, new_ranks.data(),
                           static_cast<std::size_t>(n) * sizeof(std::uint32_t));
        in_order = new_rows.data();
      }
      engine.launch(make_payloads_kernel, per_row, in_order, n, rows, ranks + stride);
      if (ranks != target) {
        engine.copy_within(target, ranks,
                           static_cast<std::size_t>(2 * stride) * sizeof(std::uint32_t));
      }
    }
  }
  // Copies of orders on the host to the device run beside this stream's work.
  if (!orders.on_device()) engine.wait();
}

template void sort_features(CudaEngine&, const float*, const TreeRows&, std::span<const Index>,
                            TreeOrders&);
template void sort_features(CudaEngine&, const double*, const TreeRows&, std::span<const Index>,
                            TreeOrders&);

}  // namespace tandem::cuda
