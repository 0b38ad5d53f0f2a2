// The engine of a CUDA device: one stream in which all work of the engine is ordered, a memory pool
// of its own, pinned staging for copies, and the launching of kernels.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/engine_backend.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::cuda {

// How a kernel is spread over the device. A grid without blocks launches nothing.
struct Shape {
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  // dynamic shared memory
  // Where the launch is written, for messages.
  std::source_location where = std::source_location::current();
};

// Blocks that `count` items need at `per_block` each.
[[nodiscard]] constexpr Index blocks_for(Index count, Index per_block) {
  return (count + per_block - 1) / per_block;
}

// A kernel's parameters as CUDA wants them: a copy of each, and where it begins. Two launches of
// the same kernel are the same if these bytes are.
class Parameters {
 public:
  template <class P>
  void add(const P& value) {
    static_assert(std::is_trivially_copyable_v<P>, "kernel parameters are copied as bytes");
    static_assert(alignof(P) <= alignment, "an over-aligned kernel parameter");
    add_bytes(&value, sizeof(P));
  }
  // Valid until the next add or move.
  [[nodiscard]] std::vector<void*> pointers() {
    std::vector<void*> all;
    all.reserve(starts_.size());
    for (const std::size_t start : starts_) all.push_back(bytes_.data() + start);
    return all;
  }
  friend bool operator==(const Parameters&, const Parameters&) = default;

 private:
  static constexpr std::size_t alignment = 16;
  // Not inline: the compiler's bounds checks take a growing vector for an overflow.
  void add_bytes(const void* value, std::size_t size);
  std::vector<std::byte> bytes_;  // operator new aligns to 16
  std::vector<std::size_t> starts_;
};

class Repetitions;

class CudaEngine final : public EngineBackend {
 public:
  explicit CudaEngine(const EngineOptions& options);
  ~CudaEngine() override;

  [[nodiscard]] std::string description() const override;
  [[nodiscard]] Transfers transfers() const noexcept override { return transfers_; }
  [[nodiscard]] void* allocate(std::size_t bytes) override;
  [[nodiscard]] void* allocate_rows(std::size_t bytes) override;
  void deallocate(void* memory, std::size_t bytes) noexcept override;
  void copy_from_host(void* to, const void* from_host, std::size_t bytes) override;
  void copy_to_host(void* to_host, const void* from, std::size_t bytes) override;
  void copy_within(void* to, const void* from, std::size_t bytes) override;
  void fill_zero(void* to, std::size_t bytes) override;
  void keep_resident(const void* from_host, std::size_t bytes) override;
  void end_resident(const void* from_host) noexcept override;
  void wait() override;
  [[nodiscard]] void* steps_factory(std::string_view name) const override;
  void begin_repeated(const void* owner, std::uint64_t key) override;
  void end_repeated() override;
  void abandon_repeated() noexcept override;
  void forget_repeated(const void* owner) noexcept override;

  // Makes this engine's device the calling thread's current one.
  void make_current() const;
  [[nodiscard]] cudaStream_t stream() const noexcept { return stream_; }
  // A second stream, for copies that overlap the first one's kernels.
  [[nodiscard]] cudaStream_t copy_stream() const noexcept { return copy_stream_; }
  [[nodiscard]] const cudaDeviceProp& properties() const noexcept { return properties_; }

  // The threads of a block where the kernel leaves the choice: `preferred`, or what
  // EngineOptions::block_threads asks for. No result depends on it.
  [[nodiscard]] unsigned block_threads(unsigned preferred) const noexcept {
    return chosen_block_threads_ > 0 ? static_cast<unsigned>(chosen_block_threads_) : preferred;
  }

  // Bytes that allocate() can still give.
  [[nodiscard]] std::size_t free_memory() const;

  // Inside begin_repeated(): what has been noted is enqueued now, and the rest of the part as it
  // comes, not as a graph. For work that is more than kernels, fills and copies on the device, such
  // as the streaming of rows. Does nothing elsewhere.
  void enqueue_directly();

  // False for memory of allocate_rows() that stands on the host (pinned, and reachable by kernels,
  // but slowly): steps go over it with for_each_piece() of cuda/core/pieces.hpp.
  [[nodiscard]] bool on_device(const void* memory) const;

  // Enqueues kernel(arguments...). Throws DeviceError, with the kernel's name and the caller's
  // place, where it cannot be launched.
  template <class... P, class... A>
  void launch(void (*kernel)(P...), const Shape& shape, const A&... arguments) {
    static_assert(sizeof...(P) == sizeof...(A), "a kernel called with another number of arguments");
    if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
    Parameters parameters;
    (parameters.add(static_cast<std::remove_const_t<P>>(arguments)), ...);
    enqueue(reinterpret_cast<const void*>(kernel), shape, std::move(parameters));
  }

  // Counts rows that steps stream from the host by themselves, see for_each_piece().
  void count_streamed(std::size_t bytes) noexcept {
    transfers_.to_device_bytes += static_cast<std::int64_t>(bytes);
    ++transfers_.to_device_copies;
  }

  // For libraries that enqueue on stream() by themselves (CUB, cuBLAS): call before and after. Not
  // inside begin_repeated().
  void before_library_call(const char* what);
  void after_library_call(const char* what);

 private:
  friend class Repetitions;
  struct Staging;
  struct Empty {};

  // An engine that owns nothing yet: once it stands, the destructor runs in spite of an exception.
  CudaEngine(const EngineOptions& options, Empty);

  void enqueue(const void* kernel, const Shape& shape, Parameters parameters);
  [[nodiscard]] const std::string& name_of(const void* kernel);
  void check_not_repeating(const char* what) const;

  int device_ = 0;
  int chosen_block_threads_ = 0;
  bool synchronous_ = false;
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  cudaStream_t copy_stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  // A copy in device memory of bytes of the host.
  struct Resident {
    std::size_t bytes = 0;
    bool asked = false;         // whether anything of it has been wanted: only then it is brought
    std::byte* copy = nullptr;  // nullptr: not kept
    int uses = 0;               // calls of keep_resident() without their end
  };
  // Where these bytes of the host stand in device memory, or nullptr. Brings the whole of what is
  // to be kept when a part of it is first wanted.
  [[nodiscard]] const std::byte* resident(const std::byte* from_host, std::size_t bytes);

  std::map<const std::byte*, Resident> residents_;  // by their beginning on the host
  Transfers transfers_;
  std::size_t limit_ = 0;   // bytes that may be in use at once
  std::size_t in_use_ = 0;  // bytes of allocate()
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<Repetitions> repetitions_;
  std::unordered_set<const void*> host_rows_;           // where allocate_rows() gave host memory
  std::unordered_map<const void*, std::string> names_;  // of kernels that were launched
  // Bytes of dynamic shared memory that kernels were allowed, where that is more than 48 KiB.
  std::unordered_map<const void*, std::size_t> large_shared_;
};

// The engine that steps of the CUDA library were made for.
[[nodiscard]] inline CudaEngine& cuda_engine(Engine& engine) {
  return static_cast<CudaEngine&>(backend(engine));
}

}  // namespace tandem::cuda
