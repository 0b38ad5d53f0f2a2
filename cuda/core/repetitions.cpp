#include "cuda/core/repetitions.hpp"

#include <stdexcept>

#include "cuda/core/check.hpp"

namespace tandem::cuda {
namespace {

bool same(const dim3& a, const dim3& b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

cudaKernelNodeParams kernel_node(const void* function, const Shape& shape, void** arguments) {
  cudaKernelNodeParams node{};
  node.func = const_cast<void*>(function);
  node.gridDim = shape.grid;
  node.blockDim = shape.block;
  node.sharedMemBytes = static_cast<unsigned>(shape.shared_bytes);
  node.kernelParams = arguments;
  return node;
}

cudaMemsetParams fill_node(void* to, std::size_t bytes) {
  cudaMemsetParams node{};
  node.dst = to;
  node.elementSize = 1;
  node.width = bytes;
  node.height = 1;
  return node;
}

}  // namespace

Repetitions::~Repetitions() {
  for (auto& [key, part] : parts_) destroy(part);
}

void Repetitions::begin(const void* owner, std::uint64_t key) {
  if (current_ != nullptr || direct_) throw std::logic_error("a repeated part inside another");
  current_ = &parts_[{owner, key}];
  noted_.clear();
}

void Repetitions::kernel(const void* function, const Shape& shape, Parameters parameters) {
  Work work{.kind = Kind::kernel, .function = function, .shape = shape, .parameters = {}};
  work.parameters = std::move(parameters);
  noted_.push_back(std::move(work));
}

void Repetitions::fill_zero(void* to, std::size_t bytes) {
  Work work{.kind = Kind::fill, .shape = {}, .parameters = {}};
  work.to = to;
  work.bytes = bytes;
  noted_.push_back(std::move(work));
}

void Repetitions::copy(void* to, const void* from, std::size_t bytes) {
  Work work{.kind = Kind::copy, .shape = {}, .parameters = {}};
  work.to = to;
  work.from = from;
  work.bytes = bytes;
  noted_.push_back(std::move(work));
}

void Repetitions::deallocate_after(void* memory, std::size_t bytes) {
  deferred_.emplace_back(memory, bytes);
}

bool Repetitions::same_kind_of_work(const std::vector<Work>& a, const std::vector<Work>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    // A graph's node keeps its function; copies and fills keep their size, for some drivers.
    if (a[i].kind != b[i].kind || a[i].function != b[i].function || a[i].bytes != b[i].bytes) {
      return false;
    }
  }
  return true;
}

bool Repetitions::same_arguments(const Work& a, const Work& b) {
  return same(a.shape.grid, b.shape.grid) && same(a.shape.block, b.shape.block) &&
         a.shape.shared_bytes == b.shape.shared_bytes && a.parameters == b.parameters &&
         a.to == b.to && a.from == b.from;
}

void Repetitions::build(Part& part) {
  TANDEM_CUDA(cudaGraphCreate(&part.graph, 0));
  part.nodes.reserve(part.works.size());
  for (Work& work : part.works) {
    cudaGraphNode_t node = nullptr;
    // A chain: the engine's queue is in order.
    const cudaGraphNode_t* before = part.nodes.empty() ? nullptr : &part.nodes.back();
    const std::size_t dependencies = part.nodes.empty() ? 0 : 1;
    switch (work.kind) {
      case Kind::kernel: {
        std::vector<void*> arguments = work.parameters.pointers();
        const cudaKernelNodeParams parameters =
            kernel_node(work.function, work.shape, arguments.data());
        TANDEM_CUDA(cudaGraphAddKernelNode(&node, part.graph, before, dependencies, &parameters));
        break;
      }
      case Kind::fill: {
        const cudaMemsetParams parameters = fill_node(work.to, work.bytes);
        TANDEM_CUDA(cudaGraphAddMemsetNode(&node, part.graph, before, dependencies, &parameters));
        break;
      }
      case Kind::copy:
        TANDEM_CUDA(cudaGraphAddMemcpyNode1D(&node, part.graph, before, dependencies, work.to,
                                             work.from, work.bytes, cudaMemcpyDeviceToDevice));
        break;
    }
    part.nodes.push_back(node);
  }
  TANDEM_CUDA(cudaGraphInstantiate(&part.executable, part.graph, 0));
}

void Repetitions::update(Part& part, std::vector<Work>& works) {
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (same_arguments(part.works[i], works[i])) continue;
    switch (works[i].kind) {
      case Kind::kernel: {
        std::vector<void*> arguments = works[i].parameters.pointers();
        const cudaKernelNodeParams parameters =
            kernel_node(works[i].function, works[i].shape, arguments.data());
        TANDEM_CUDA(cudaGraphExecKernelNodeSetParams(part.executable, part.nodes[i], &parameters));
        break;
      }
      case Kind::fill: {
        const cudaMemsetParams parameters = fill_node(works[i].to, works[i].bytes);
        TANDEM_CUDA(cudaGraphExecMemsetNodeSetParams(part.executable, part.nodes[i], &parameters));
        break;
      }
      case Kind::copy:
        TANDEM_CUDA(cudaGraphExecMemcpyNodeSetParams1D(part.executable, part.nodes[i], works[i].to,
                                                       works[i].from, works[i].bytes,
                                                       cudaMemcpyDeviceToDevice));
        break;
    }
  }
  part.works = std::move(works);
}

void Repetitions::enqueue_directly() {
  if (current_ == nullptr) return;
  current_ = nullptr;
  direct_ = true;
  for (Work& work : noted_) {
    switch (work.kind) {
      case Kind::kernel: {
        std::vector<void*> arguments = work.parameters.pointers();
        TANDEM_CUDA(cudaLaunchKernel(work.function, work.shape.grid, work.shape.block,
                                     arguments.data(), work.shape.shared_bytes, engine_.stream()));
        break;
      }
      case Kind::fill:
        TANDEM_CUDA(cudaMemsetAsync(work.to, 0, work.bytes, engine_.stream()));
        break;
      case Kind::copy:
        TANDEM_CUDA(
            cudaMemcpyAsync(work.to, work.from, work.bytes, cudaMemcpyDefault, engine_.stream()));
        break;
    }
  }
  noted_.clear();
  free_deferred();
}

void Repetitions::end() {
  if (std::exchange(direct_, false)) return;
  if (current_ == nullptr) throw std::logic_error("the end of a repeated part without its begin");
  Part& part = *current_;
  current_ = nullptr;
  if (!noted_.empty()) {
    try {
      if (part.executable != nullptr && same_kind_of_work(part.works, noted_)) {
        update(part, noted_);
      } else {
        destroy(part);
        part.works = std::move(noted_);
        build(part);
      }
      TANDEM_CUDA(cudaGraphLaunch(part.executable, engine_.stream()));
    } catch (...) {
      destroy(part);
      free_deferred();
      throw;
    }
  }
  noted_.clear();
  free_deferred();
}

void Repetitions::abandon() noexcept {
  current_ = nullptr;
  direct_ = false;
  noted_.clear();
  free_deferred();
}

void Repetitions::free_deferred() noexcept {
  for (const auto& [memory, bytes] : deferred_) engine_.deallocate(memory, bytes);
  deferred_.clear();
}

void Repetitions::forget(const void* owner) noexcept {
  for (auto part = parts_.lower_bound({owner, 0});
       part != parts_.end() && part->first.first == owner;) {
    destroy(part->second);
    part = parts_.erase(part);
  }
}

void Repetitions::destroy(Part& part) noexcept {
  // Launched graphs run to their end in spite of this.
  if (part.executable != nullptr) (void)cudaGraphExecDestroy(part.executable);
  if (part.graph != nullptr) (void)cudaGraphDestroy(part.graph);
  part = Part{};
}

}  // namespace tandem::cuda
