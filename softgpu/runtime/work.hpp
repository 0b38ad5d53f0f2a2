// Work is one operation of a stream or a graph, as data. A call of the interface makes a Work; the
// stream runs it, or records it while a capture is on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "softgpu/check/order.hpp"
#include "softgpu/exec/machine.hpp"
#include "softgpu/runtime/cuda_api.hpp"

namespace softgpu::cuda {

struct Event;
struct Function;
struct Graph;
struct Stream;
struct Task;

struct KernelWork {
  Function* function = nullptr;
  dim3 grid;
  dim3 block;
  std::size_t shared = 0;             // dynamic, in bytes
  std::vector<std::byte> parameters;  // the parameter block
  std::map<cudaLaunchAttributeID, cudaLaunchAttributeValue> attributes;
  std::vector<void*> arguments;  // addresses in `parameters`, once they were asked for
};
// Also copies of one and two dimensions: extents of 1.
struct CopyWork {
  cudaMemcpy3DParms copy{};
  std::shared_ptr<std::vector<std::byte>> source =
      nullptr;  // that the copy reads, where it was kept for later
};
// `depth` slices, `slice` bytes apart, of what cudaMemsetParams describes.
struct MemsetWork {
  cudaMemsetParams set{};
  std::size_t depth = 1;
  std::size_t slice = 0;
};
struct HostWork {
  cudaHostFn_t function = nullptr;
  cudaStreamCallback_t callback = nullptr;  // the older kind, with the stream and its status
  cudaStream_t stream = nullptr;
  void* data = nullptr;
};
struct ChildWork {
  std::shared_ptr<Graph> graph;
};
struct EventRecordWork {
  cudaEvent_t event = nullptr;
};
struct EventWaitWork {
  cudaEvent_t event = nullptr;
};
// Memory that a graph allocates when it runs. The address is known, and the memory kept, from the
// making of the node until nobody holds the graph any more; it may be used from a launch that
// allocates it until it is freed, by a node or by the program, which may be later still.
struct GraphMemory {
  void* address = nullptr;
  std::size_t bytes = 0;
  int device = 0;
  bool allocated = false;

  GraphMemory() = default;
  ~GraphMemory();
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;
};
struct AllocWork {
  cudaMemAllocNodeParams parameters{};
  std::shared_ptr<GraphMemory> memory;
};
struct FreeWork {
  void* address = nullptr;
};
// Graphs of which a value, set by kernels through its handle, chooses (if, switch), or that run as
// long as it is not zero (while).
struct ConditionalWork {
  std::uint64_t handle = 0;
  cudaGraphConditionalNodeType type = cudaGraphCondTypeIf;
  std::vector<std::shared_ptr<Graph>> bodies;
  std::shared_ptr<std::vector<cudaGraph_t>>
      handles;  // of the bodies, as the program was given them
};
struct EmptyWork {};

using Work = std::variant<KernelWork, CopyWork, MemsetWork, HostWork, ChildWork, EmptyWork,
                          EventWaitWork, EventRecordWork, AllocWork, FreeWork, ConditionalWork>;

// Checks what CUDA checks when a node is made or work is enqueued; throws ApiError.
void check_work(const Work& work, int device);

// A kernel that waits for something: see KernelRun.
class Unfinished {
 public:
  virtual ~Unfinished() = default;
  virtual void finish() = 0;
};

// Runs it now, in this thread. Faults of kernels become the device's pending error. A kernel that
// does not come to its end is returned to be finished later.
[[nodiscard]] std::unique_ptr<Unfinished> execute(const Work& work, int device);
// Sees it through.
void finish(std::unique_ptr<Unfinished> rest);
void finish(Unfinished& rest);
// What the checker makes of the work's place in its stream.
[[nodiscard]] check::WorkKind kind_of(const Work& work);

// Makes the work independent of what the caller may change when its call has returned: bytes in
// pageable memory of the host. True where the call may not return before the work is done.
[[nodiscard]] bool keep_for_later(Work& work);

// Runs it in the stream, in order with what other threads enqueue, or adds it to the graph that the
// stream captures into. Returns its task, which mostly is done; nullptr where it does not run.
std::shared_ptr<Task> submit(Work work, cudaStream_t stream);

// A launch, with arguments by address as cudaLaunchKernel gets them. Checks the configuration.
KernelWork make_kernel_work(Function& function, dim3 grid, dim3 block, std::size_t shared,
                            void** arguments, void** extra = nullptr);

// A plain copy of bytes, which must not run over the end of a registered range.
CopyWork make_copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind);
CopyWork make_copy_2d(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                      std::size_t width, std::size_t height, cudaMemcpyKind kind);

// How many blocks fit on one multiprocessor at a time.
[[nodiscard]] int occupancy(const Function& function, const Code& code, int device, int threads,
                            std::size_t dynamic_shared);
// Register count per thread that the device would be said to need; PTX names more than a real
// compiler would keep.
[[nodiscard]] int registers_of(const Code& code, int device);
[[nodiscard]] int max_threads_of(const Code& code);
[[nodiscard]] std::size_t max_dynamic_shared_of(const Function& function, const Code& code,
                                                int device);

}  // namespace softgpu::cuda
