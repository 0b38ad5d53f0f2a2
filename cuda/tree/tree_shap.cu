// Shapley values of rows on a GPU.
#include <algorithm>
#include <cstddef>

#include "core/steps.hpp"
#include "core/tree/tree_shap_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/pieces.hpp"

namespace tandem::cuda {
namespace {

using tree::EnsembleOnEngine;
using tree::PackedNode;
using tree::ShapElement;
using tree::ShapNode;
using tree::ShapPath;
using tree::ShapPaths;
using tree::ShapStep;

// What both kernels read.
template <class T>
struct ShapInput {
  const PackedNode<T>* nodes;
  const std::uint32_t* sets;
  const ShapPath* path;
  const ShapElement* elements;
  const ShapStep* steps;
  const double* values;
  const ShapNode* rules;
  Index paths;
  Index outputs;
  Index features;
  const T* x;  // rows × features
  Index rows;
};

// A thread's arrays of one entry per element of a path, in memory of its own: entry e is
// elements · threads away from entry 0, so that the threads of a warp touch neighbours.
struct ShapScratch {
  double* before;
  double* after;
  double* factor;
  double* sums;
  Index stride;
};

// `base` holds `threads` times 3 · longest + sums doubles.
__device__ ShapScratch scratch_of(double* base, Index thread, Index threads, Index longest) {
  return {base + thread, base + longest * threads + thread, base + 2 * longest * threads + thread,
          base + 3 * longest * threads + thread, threads};
}

// Whether an element is on for a row.
template <class T>
__device__ bool on_for(const ShapInput<T>& in, const ShapElement* element, const T* row) {
  const T value = row[element[0].feature];
  for (Index s = element[0].first_step; s < element[1].first_step; ++s) {
    const ShapStep step = in.steps[s];
    const PackedNode<T>& node = in.nodes[step >> 1];
    if (tree::child_of(node, value, in.sets) != node.left + static_cast<std::int32_t>(step & 1)) {
      return false;
    }
  }
  return true;
}

// Notes in after[e] whether element e is on: 1, or 0.
template <class T>
__device__ void find_elements(const ShapInput<T>& in, Index first, Index elements, const T* row,
                              double* on, Index stride) {
  for (Index e = 0; e < elements; ++e) {
    on[e * stride] = on_for(in, in.elements + first + e, row) ? 1.0 : 0.0;
  }
}

// phi[(i·outputs + k)·features + f] += the φ of all paths.
//
// Grid: threads go over rows, each over all paths, and nobody else adds to its row, so that the
// order is that of tree_shap_steps.hpp. All threads of a warp read the same path. Scratch: 4
// doubles per element of the longest path and thread, in device memory. Reads and writes φ once per
// element and output through the cache. No synchronisation. CPU twin: AddValues.
template <class T>
__global__ void add_shap_values_kernel(ShapInput<T> in, Index longest, double* __restrict__ memory,
                                       double* __restrict__ phi) {
  const Index threads = static_cast<Index>(gridDim.x) * blockDim.x;
  const Index thread = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const ShapScratch own = scratch_of(memory, thread, threads, longest);
  const Index stride = own.stride;
  double* on = own.after;
  for (Index i = thread; i < in.rows; i += threads) {
    const T* row = in.x + i * in.features;
    for (Index p = 0; p < in.paths; ++p) {
      const ShapPath path = in.path[p];
      const Index first = path.first_element;
      const Index elements = in.path[p + 1].first_element - first;
      find_elements(in, first, elements, row, on, stride);
      for (Index e = 0; e < elements; ++e) own.sums[e * stride] = 0;
      for (Index q = 0; q < (elements + 1) / 2; ++q) {
        const ShapNode at = in.rules[path.first_node + q];
        double product = 1;
        for (Index e = 0; e < elements; ++e) {
          const double off = in.elements[first + e].share * at.rest;
          const double c = off + (on[e * stride] != 0 ? at.t : 0.0);
          own.before[e * stride] = product;
          own.factor[e * stride] = c;
          product *= c;
        }
        double after = at.weight;
        for (Index e = elements; e-- > 0;) {
          own.sums[e * stride] += own.before[e * stride] * after;
          after *= own.factor[e * stride];
        }
      }
      for (Index e = 0; e < elements; ++e) {
        const ShapElement& element = in.elements[first + e];
        const double change = on[e * stride] != 0 ? 1 - element.share : -element.share;
        const double gain = change * own.sums[e * stride];
        const Index begin = path.output == all_outputs ? 0 : path.output;
        const Index end = path.output == all_outputs ? in.outputs : begin + 1;
        for (Index k = begin; k < end; ++k) {
          phi[(i * in.outputs + k) * in.features + element.feature] +=
              gain * in.values[path.first_value + k - begin];
        }
      }
    }
  }
}

// phi[((i·outputs + k)·features + a)·features + b] += the φ of pairs of all paths.
//
// Grid, order and scratch as above, with a sum for each pair of elements of the longest path. CPU
// twin: AddInteractions.
template <class T>
__global__ void add_shap_interactions_kernel(ShapInput<T> in, Index longest,
                                             double* __restrict__ memory,
                                             double* __restrict__ on_memory,
                                             double* __restrict__ phi) {
  const Index threads = static_cast<Index>(gridDim.x) * blockDim.x;
  const Index thread = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const ShapScratch own = scratch_of(memory, thread, threads, longest);
  const Index stride = own.stride;
  double* on = on_memory + thread;
  for (Index i = thread; i < in.rows; i += threads) {
    const T* row = in.x + i * in.features;
    for (Index p = 0; p < in.paths; ++p) {
      const ShapPath path = in.path[p];
      const Index first = path.first_element;
      const Index elements = in.path[p + 1].first_element - first;
      if (elements < 2) continue;
      find_elements(in, first, elements, row, on, stride);
      for (Index e = 0; e < elements * (elements - 1) / 2; ++e) own.sums[e * stride] = 0;
      for (Index q = 0; q < (elements + 1) / 2; ++q) {
        const ShapNode at = in.rules[path.first_node + q];
        double product = 1;
        for (Index e = 0; e < elements; ++e) {
          const double off = in.elements[first + e].share * at.rest;
          const double c = off + (on[e * stride] != 0 ? at.t : 0.0);
          own.before[e * stride] = product;
          own.factor[e * stride] = c;
          product *= c;
        }
        double after = at.weight;
        for (Index e = elements; e-- > 0;) {
          own.after[e * stride] = after;
          after *= own.factor[e * stride];
        }
        double* sum = own.sums;
        for (Index a = 0; a < elements; ++a) {
          double middle = own.before[a * stride];
          for (Index b = a + 1; b < elements; ++b, sum += stride) {
            *sum += middle * own.after[b * stride];
            middle *= own.factor[b * stride];
          }
        }
      }
      const double* sum = own.sums;
      const Index begin = path.output == all_outputs ? 0 : path.output;
      const Index end = path.output == all_outputs ? in.outputs : begin + 1;
      for (Index a = 0; a < elements; ++a) {
        const ShapElement& one = in.elements[first + a];
        const double change = on[a * stride] != 0 ? 1 - one.share : -one.share;
        for (Index b = a + 1; b < elements; ++b, sum += stride) {
          const ShapElement& other = in.elements[first + b];
          const double both = change * (on[b * stride] != 0 ? 1 - other.share : -other.share);
          const double pair = both * *sum;
          for (Index k = begin; k < end; ++k) {
            double* matrix = phi + (i * in.outputs + k) * in.features * in.features;
            const double gain = pair * (in.values[path.first_value + k - begin] * 0.5);
            matrix[one.feature * in.features + other.feature] += gain;
            matrix[other.feature * in.features + one.feature] += gain;
          }
        }
      }
    }
  }
}

template <Real T>
class CudaTreeShap final : public tree::TreeShapSteps<T> {
 public:
  explicit CudaTreeShap(Engine& engine)
      : engine_(cuda_engine(engine)), memory_of_(engine), pieces_(engine_) {}

  void add_values(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths, const Buffer<T>& x,
                  Index rows, Buffer<double>& phi) override {
    const Index width = trees.outputs * trees.features;
    const Shape shape = shape_for(rows, 4 * paths.longest);
    reserve(shape, 4 * paths.longest);
    pieces_.for_each_piece(
        x.data(), rows, trees.features, [&](Index row, Index here, const T* piece) {
          engine_.launch(add_shap_values_kernel<T>, shape, input(trees, paths, piece, here),
                         paths.longest, scratch_.data(), phi.data() + row * width);
        });
  }

  void add_interactions(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths,
                        const Buffer<T>& x, Index rows, Buffer<double>& phi) override {
    const Index width = trees.outputs * trees.features * trees.features;
    const Index pairs = paths.longest * (paths.longest - 1) / 2;
    const Index entries = 4 * paths.longest + pairs;
    const Shape shape = shape_for(rows, entries);
    reserve(shape, entries);
    const Index on = (3 * paths.longest + pairs) * threads_of(shape);
    pieces_.for_each_piece(
        x.data(), rows, trees.features, [&](Index row, Index here, const T* piece) {
          engine_.launch(add_shap_interactions_kernel<T>, shape, input(trees, paths, piece, here),
                         paths.longest, scratch_.data(), scratch_.data() + on,
                         phi.data() + row * width);
        });
  }

 private:
  static ShapInput<T> input(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths, const T* x,
                            Index rows) {
    return {trees.nodes.data(),
            trees.sets.data(),
            paths.path.data(),
            paths.elements.data(),
            paths.steps.data(),
            paths.values.data(),
            paths.rules.data(),
            paths.paths,
            trees.outputs,
            trees.features,
            x,
            rows};
  }

  [[nodiscard]] static Index threads_of(const Shape& shape) {
    return static_cast<Index>(shape.grid.x) * shape.block.x;
  }

  // Threads for so many rows, whose scratch memory of `entries` doubles each takes 256 MiB at most,
  // or one block's.
  [[nodiscard]] Shape shape_for(Index rows, Index entries) const {
    constexpr Index most_bytes = Index{256} << 20;
    const unsigned per_block = engine_.block_threads(64);
    const Index block_bytes = entries * static_cast<Index>(per_block * sizeof(double));
    const Index most = std::max<Index>(1, most_bytes / block_bytes);
    return {.grid = dim3(static_cast<unsigned>(std::min(blocks_for(rows, per_block), most))),
            .block = dim3(per_block)};
  }

  void reserve(const Shape& shape, Index entries) {
    const Index size = threads_of(shape) * entries;
    if (scratch_.size() < size) scratch_ = Buffer<double>(memory_of_, size);
  }

  CudaEngine& engine_;
  Engine& memory_of_;
  Buffer<double> scratch_;
  PieceStream pieces_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_tree_shap_float32(tandem::Engine& engine) {
  return static_cast<tandem::tree::TreeShapSteps<float>*>(
      new tandem::cuda::CudaTreeShap<float>(engine));
}
void* tandem_cuda_tree_shap_float64(tandem::Engine& engine) {
  return static_cast<tandem::tree::TreeShapSteps<double>*>(
      new tandem::cuda::CudaTreeShap<double>(engine));
}
}
