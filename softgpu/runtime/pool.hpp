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
// A launch has come to an allocation node.
void allocate_graph_memory(GraphMemory& memory);
// Who frees memory of a graph: a node of a graph, which keeps it in reserve, or the program.
enum class FreedBy { node, program };
// False where the address is not a graph's; throws ApiError where it is not allocated now.
bool free_graph_memory(void* address, FreedBy whom);

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
