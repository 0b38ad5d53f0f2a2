// Memory pools, memory of graphs, and advice on managed memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "softgpu/runtime/cuda_api.hpp"
#include "softgpu/runtime/work.hpp"

namespace softgpu::cuda {

// Nothing is kept back when memory is freed, so what a pool holds in reserve is what is in use.
struct Pool {
  int device = 0;
  bool host = false;
  std::size_t max_bytes = 0;  // 0: no limit
  std::uint64_t release_threshold = 0;
  int reuse[3] = {1, 1, 1};
  std::size_t used = 0;
  std::size_t used_high = 0;
  std::map<int, cudaMemAccessFlags> access;
};

// Reserves the memory of an allocation node; throws ApiError.
[[nodiscard]] AllocWork make_alloc_work(const cudaMemAllocNodeParams& parameters);
void remember_graph_memory(GraphMemory& memory);
// True where the address belongs to a graph's allocation: it stays with the graph.
bool free_graph_memory(void* address);

[[nodiscard]] CopyWork copy_to_symbol(const void* symbol, const void* from, std::size_t bytes,
                                      std::size_t offset, cudaMemcpyKind kind);
[[nodiscard]] CopyWork copy_from_symbol(void* to, const void* symbol, std::size_t bytes,
                                        std::size_t offset, cudaMemcpyKind kind);

// Records the advice that was given for a managed range that starts at `begin`.
void advise(std::uint64_t begin, cudaMemoryAdvise advice, cudaMemLocation location);
void note_prefetch(std::uint64_t begin, cudaMemLocation location);
cudaError_t range_attribute(void* data, std::size_t bytes, cudaMemRangeAttribute attribute,
                            std::uint64_t begin);

}  // namespace softgpu::cuda
