// Prediction with trees on a GPU.
#include "core/steps.hpp"
#include "core/tree/tree_ensemble_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/pieces.hpp"

namespace tandem::cuda {
namespace {

using tree::EnsembleOnEngine;
using tree::PackedNode;
using tree::PackedTree;

// Bytes of shared memory that the nodes of one tree may take; longer trees are read through the
// cache.
constexpr Index staged_bytes = 24 << 10;

template <class T>
__global__ void set_base_kernel(const T* __restrict__ base, Index outputs, Index elements,
                                T* __restrict__ scores) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e < elements) scores[e] = base[e % outputs];
}

// The leaf of a row of `row` in the tree `head`, whose nodes are nodes[0 ..) where staged.
template <class T>
__device__ const PackedNode<T>& leaf_of(const PackedTree& head,
                                        const PackedNode<T>* __restrict__ nodes,
                                        const std::uint32_t* __restrict__ sets,
                                        const T* __restrict__ row) {
  std::int32_t node = head.root;
  for (;;) {
    const PackedNode<T>& here = nodes[node];
    if (here.left == node) return here;
    node = tree::child_of(here, row[here.asks & tree::packed_feature], sets);
  }
}

// scores[i·outputs + k] += the leaves of row i in the trees of output k, in ascending order.
//
// Grid: a thread per row. The block brings the nodes of one tree after the other to shared memory
// (two __syncthreads() per tree), where they fit; a thread adds its row's leaf to the score, in T,
// and nobody else does, so that the chain is the CPU's. Reads each value of x that a node asks for,
// nodes and leaves of each tree once per block; reads and writes scores once per tree through the
// cache. Lanes of a warp wait for the deepest of their leaves. CPU twin: PredictRows.
template <class T>
__global__ void add_trees_kernel(const PackedTree* __restrict__ heads,
                                 const PackedNode<T>* __restrict__ nodes,
                                 const T* __restrict__ values,
                                 const std::uint32_t* __restrict__ sets, Index first, Index count,
                                 Index all_trees, Index all_nodes, const T* __restrict__ x,
                                 Index rows, Index features, Index outputs,
                                 T* __restrict__ scores) {
  extern __shared__ double staged_memory[];
  auto* staged = reinterpret_cast<PackedNode<T>*>(staged_memory);
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const T* row = x + (i < rows ? i : 0) * features;
  for (Index t = first; t < first + count; ++t) {
    const PackedTree head = heads[t];
    const Index end = t + 1 < all_trees ? heads[t + 1].root : all_nodes;
    const Index size = end - head.root;
    const bool fits = size * static_cast<Index>(sizeof(PackedNode<T>)) <= staged_bytes;
    if (fits) {
      __syncthreads();
      for (Index n = threadIdx.x; n < size; n += blockDim.x) staged[n] = nodes[head.root + n];
      __syncthreads();
    }
    if (i >= rows) continue;
    const PackedNode<T>& leaf = leaf_of(head, fits ? staged - head.root : nodes, sets, row);
    const T* value = values + leaf.payload;
    T* score = scores + i * outputs;
    if (head.output == all_outputs) {
      for (Index k = 0; k < outputs; ++k) score[k] += value[k];
    } else {
      score[head.output] += value[0];
    }
  }
}

// leaf[i·trees + t], a thread each; neighbours share a row.
template <class T>
__global__ void find_ensemble_leaves_kernel(const PackedTree* __restrict__ heads,
                                            const PackedNode<T>* __restrict__ nodes,
                                            const std::int32_t* __restrict__ numbers,
                                            const std::uint32_t* __restrict__ sets, Index trees,
                                            const T* __restrict__ x, Index rows, Index features,
                                            std::int32_t* __restrict__ leaf) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= rows * trees) return;
  const PackedNode<T>& found = leaf_of(heads[e % trees], nodes, sets, x + e / trees * features);
  leaf[e] = numbers[found.left];
}

template <Real T>
class CudaTreeEnsemble final : public tree::TreeEnsembleSteps<T> {
 public:
  explicit CudaTreeEnsemble(Engine& engine) : engine_(cuda_engine(engine)), pieces_(engine_) {}

  void set_base(const EnsembleOnEngine<T>& trees, Index rows, Buffer<T>& scores) override {
    const Index elements = rows * trees.outputs;
    engine_.launch(set_base_kernel<T>, shape(elements, 0), trees.base.data(), trees.outputs,
                   elements, scores.data());
  }

  void add_trees(const EnsembleOnEngine<T>& trees, Index first, Index count, const Buffer<T>& x,
                 Index rows, Buffer<T>& scores) override {
    pieces_.for_each_piece(
        x.data(), rows, trees.features, [&](Index row, Index here, const T* piece) {
          engine_.launch(add_trees_kernel<T>, shape(here, staged_bytes), trees.heads.data(),
                         trees.nodes.data(), trees.values.data(), trees.sets.data(), first, count,
                         trees.trees, trees.nodes.size(), piece, here, trees.features,
                         trees.outputs, scores.data() + row * trees.outputs);
        });
  }

  void find_leaves(const EnsembleOnEngine<T>& trees, const Buffer<T>& x, Index rows,
                   Buffer<std::int32_t>& leaf) override {
    pieces_.for_each_piece(
        x.data(), rows, trees.features, [&](Index row, Index here, const T* piece) {
          engine_.launch(find_ensemble_leaves_kernel<T>, shape(here * trees.trees, 0),
                         trees.heads.data(), trees.nodes.data(), trees.numbers.data(),
                         trees.sets.data(), trees.trees, piece, here, trees.features,
                         leaf.data() + row * trees.trees);
        });
  }

 private:
  [[nodiscard]] Shape shape(Index threads, Index shared) const {
    const unsigned per_block = engine_.block_threads(128);
    return {.grid = dim3(static_cast<unsigned>(blocks_for(threads, per_block))),
            .block = dim3(per_block),
            .shared_bytes = static_cast<std::size_t>(shared)};
  }

  CudaEngine& engine_;
  PieceStream pieces_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_tree_ensemble_float32(tandem::Engine& engine) {
  return static_cast<tandem::tree::TreeEnsembleSteps<float>*>(
      new tandem::cuda::CudaTreeEnsemble<float>(engine));
}
void* tandem_cuda_tree_ensemble_float64(tandem::Engine& engine) {
  return static_cast<tandem::tree::TreeEnsembleSteps<double>*>(
      new tandem::cuda::CudaTreeEnsemble<double>(engine));
}
}
