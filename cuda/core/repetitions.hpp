// Parts of a loop's body that an engine enqueues again and again, each run as one CUDA graph.
//
// Inside a part nothing is launched: kernels, fills and copies are noted down. At its end the list
// is compared with the one that the graph of the same owner and key was made from. Where the work
// is the same, the graph is launched after the nodes whose arguments differ have been told the new
// ones; otherwise a new graph is made. Steps therefore need not know that they are in a graph.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "cuda/core/engine.hpp"

namespace tandem::cuda {

class Repetitions {
 public:
  explicit Repetitions(CudaEngine& engine) : engine_(engine) {}
  Repetitions(const Repetitions&) = delete;
  Repetitions& operator=(const Repetitions&) = delete;
  ~Repetitions();

  [[nodiscard]] bool open() const noexcept { return current_ != nullptr; }
  void begin(const void* owner, std::uint64_t key);
  // Launches what was noted down.
  void end();
  void abandon() noexcept;
  // Enqueues what was noted down and closes the part; its end() then does nothing.
  void enqueue_directly();
  void forget(const void* owner) noexcept;

  void kernel(const void* function, const Shape& shape, Parameters parameters);
  void fill_zero(void* to, std::size_t bytes);
  void copy(void* to, const void* from, std::size_t bytes);
  // Memory that the part gave back: it is in use until the graph has been launched.
  void deallocate_after(void* memory, std::size_t bytes);

 private:
  enum class Kind { kernel, fill, copy };
  struct Work {
    Kind kind;
    const void* function = nullptr;
    Shape shape;
    Parameters parameters;
    void* to = nullptr;
    const void* from = nullptr;
    std::size_t bytes = 0;
  };
  struct Part {
    std::vector<Work> works;
    std::vector<cudaGraphNode_t> nodes;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
  };
  using Key = std::pair<const void*, std::uint64_t>;

  [[nodiscard]] static bool same_kind_of_work(const std::vector<Work>& a,
                                              const std::vector<Work>& b);
  [[nodiscard]] static bool same_arguments(const Work& a, const Work& b);
  void build(Part& part);
  void update(Part& part, std::vector<Work>& works);
  static void destroy(Part& part) noexcept;
  void free_deferred() noexcept;

  CudaEngine& engine_;
  std::map<Key, Part> parts_;
  Part* current_ = nullptr;
  bool direct_ = false;  // between enqueue_directly() and end()
  std::vector<Work> noted_;
  std::vector<std::pair<void*, std::size_t>> deferred_;
};

}  // namespace tandem::cuda
