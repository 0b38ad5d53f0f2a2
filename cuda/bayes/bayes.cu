// The steps of naive Bayes on the GPU: sums of the rows by class, counts of codes, likelihoods.
#include <algorithm>
#include <limits>

#include "core/bayes/bayes_math.hpp"
#include "core/bayes/bayes_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "cuda/linear/sums_of_chunks.hpp"

namespace tandem::cuda {
namespace {

// Columns of a block of threads; the other direction is the 32 lanes of a long sum.
constexpr int sums_columns = 16;
// Classes whose sums are in shared memory at once: 11 · 32 · 16 doubles are 44 KiB of the 48.
constexpr int sums_classes = 11;

// partial[(block·classes + c)·d + j] = the sum over one block of rows of the terms of class c.
//
// Grid: (groups of 16 columns, blocks of rows, groups of 11 classes), blocks of 16 × 32 threads:
// threadIdx.x is a column, threadIdx.y a lane of the long sum, so that a warp reads 16 consecutive
// elements of two rows. Each thread has a sum of its own for every class of the group, in dynamic
// shared memory, to which it adds the rows of its lane in ascending order; the lanes are then added
// by halves. Six barriers. Rows are read once per group of classes, from the second-level cache but
// for the first. Bytes and flops: class_sums_cost(); bound by memory. Numerics: as
// core/bayes/bayes_steps.hpp states it. CPU twin: BlockSums in cpu/bayes/bayes_sums.cpp.
template <Real T>
__global__ void __launch_bounds__(sums_columns* static_cast<int>(sum_lanes))
    class_sums_kernel(ClassSum what, RowsView<T> in, Index classes, double threshold,
                      const double* __restrict__ centre, double* __restrict__ partial) {
  extern __shared__ __align__(16) unsigned char memory[];
  auto* const sums = reinterpret_cast<double*>(memory);  // [class][lane][column]
  const int column_in_group = static_cast<int>(threadIdx.x);
  const int lane = static_cast<int>(threadIdx.y);
  const Index column = static_cast<Index>(blockIdx.x) * sums_columns + column_in_group;
  const Index first_class = static_cast<Index>(blockIdx.z) * sums_classes;
  const Index left = classes - first_class;
  const int here = left < sums_classes ? static_cast<int>(left) : sums_classes;
  const auto at = [&](int c, int l) {
    return (c * static_cast<int>(sum_lanes) + l) * sums_columns + column_in_group;
  };
  for (int c = 0; c < here; ++c) sums[at(c, lane)] = 0.0;

  const Index begin = static_cast<Index>(blockIdx.y) * sum_block;
  const Index end = begin + sum_block < in.rows ? begin + sum_block : in.rows;
  if (column < in.features) {
    for (Index row = begin + lane; row < end; row += sum_lanes) {
      const Index own = static_cast<Index>(in.target[row]) - first_class;
      if (own < 0 || own >= here) continue;
      const double weight = in.weights == nullptr ? 1.0 : static_cast<double>(in.weights[row]);
      const auto value = static_cast<double>(in.x[row * in.stride + column]);
      double& sum = sums[at(static_cast<int>(own), lane)];
      if (what == ClassSum::values) {
        sum = math::fma(weight, value, sum);
      } else if (what == ClassSum::presences) {
        sum += value > threshold ? weight : 0.0;
      } else {
        const double t = value - centre[(first_class + own) * in.features + column];
        sum = math::fma(what == ClassSum::squares ? weight * t : weight, t, sum);
      }
    }
  }
  __syncthreads();
  for (int half = static_cast<int>(sum_lanes) / 2; half > 0; half /= 2) {
    if (lane < half) {
      for (int c = 0; c < here; ++c) sums[at(c, lane)] += sums[at(c, lane + half)];
    }
    __syncthreads();
  }
  // A lane each writes the sums of some classes.
  if (column >= in.features) return;
  for (int c = lane; c < here; c += static_cast<int>(sum_lanes)) {
    partial[(static_cast<Index>(blockIdx.y) * classes + first_class + c) * in.features + column] =
        sums[at(c, 0)];
  }
}

// counts[c·codes + first[j] + x_ij] += the units of row i's weight, by atomics on integers, which
// no order shows. One thread per element of the rows, neighbours in a row; grid: as many blocks of
// any size as elements need, strided beyond the largest grid. Reads each element once; an atomic of
// 8 bytes for each. CPU twin: CpuBayes::count_codes.
template <Real T>
__global__ void count_codes_kernel(RowsView<T> in, Index codes, const Index* __restrict__ first,
                                   double scale, double again,
                                   unsigned long long* __restrict__ counts) {
  const Index all = in.rows * in.features;
  const Index stride = static_cast<Index>(gridDim.x) * blockDim.x;
  for (Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; e < all; e += stride) {
    const Index row = e / in.features;
    const Index j = e % in.features;
    const Index begin = first[j];
    const Index code = bayes::code_of(in.x[row * in.stride + j], first[j + 1] - begin);
    if (code < 0) continue;
    const double weight = in.weights == nullptr ? 1.0 : static_cast<double>(in.weights[row]);
    atomicAdd(counts + static_cast<Index>(in.target[row]) * codes + begin + code,
              static_cast<unsigned long long>(bayes::units_of(weight, scale, again)));
  }
}

// Classes whose chains a lane has in registers.
constexpr int joint_classes = 8;
static_assert(BayesTermsOn::multiple == joint_classes, "groups of classes are padded to this");
// A tile per warp: few enough that 48 KiB hold them in doubles.
constexpr unsigned most_joint_threads = 128;

// joint[i·classes + c] = the likelihood of row i in the classes of one group of eight.
//
// Grid: (ceil(rows / rows of a block), groups of classes), blocks of up to four warps. A warp has
// 32 rows, a lane each; 32 features at a time go through the warp's own tile of shared memory (33
// wide: rows are written and columns read without bank conflicts), so that global loads are runs of
// 32 elements. The parameters of a feature are one address for the whole warp: a broadcast from the
// first-level cache. A lane carries on eight chains. No synchronisation beyond the warp. Bytes and
// flops: bayes_joint_cost(). CPU twin: JointOfTile in cpu/bayes/bayes_joint.cpp.
template <BayesLikelihood likelihood, Real T>
__global__ void joint_kernel(RowsView<T> in, Index classes, Index pitch, double threshold,
                             const double* __restrict__ bias, const double* __restrict__ weights,
                             const double* __restrict__ means, const Index* __restrict__ first,
                             double* __restrict__ joint) {
  extern __shared__ __align__(16) unsigned char memory[];
  const unsigned lane = threadIdx.x % warp_size;
  const unsigned warp = threadIdx.x / warp_size;
  T* const tile = reinterpret_cast<T*>(memory) + warp * warp_size * (warp_size + 1);
  const Index first_row =
      (static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + warp) * warp_size;
  if (first_row >= in.rows) return;  // the whole warp
  const Index first_class = static_cast<Index>(blockIdx.y) * joint_classes;
  const Index row = first_row + lane;
  double sums[joint_classes];
#pragma unroll
  for (int c = 0; c < joint_classes; ++c) sums[c] = bias[first_class + c];
  for (Index f0 = 0; f0 < in.features; f0 += warp_size) {
    const Index left = in.features - f0;
    const unsigned here = left < warp_size ? static_cast<unsigned>(left) : warp_size;
#pragma unroll 8
    for (unsigned r = 0; r < warp_size; ++r) {
      if (lane < here && first_row + r < in.rows) {
        tile[r * (warp_size + 1) + lane] = in.x[(first_row + r) * in.stride + f0 + lane];
      }
    }
    __syncwarp();
    if (row < in.rows) {
// The eight chains keep the units busy; more features at once cost registers, and with them warps.
#pragma unroll 2
      for (unsigned f = 0; f < here; ++f) {
        const T value = tile[lane * (warp_size + 1) + f];
        const Index j = f0 + f;
        if constexpr (likelihood == BayesLikelihood::coded) {
          const Index begin = first[j];
          const Index code = bayes::code_of(value, first[j + 1] - begin);
          if (code < 0) continue;
          const double* const of_code = weights + (begin + code) * pitch + first_class;
#pragma unroll
          for (int c = 0; c < joint_classes; ++c) sums[c] += of_code[c];
        } else {
          const double* const weight = weights + j * pitch + first_class;
          const double x = likelihood == BayesLikelihood::thresholded
                               ? bayes::presence(value, threshold)
                               : static_cast<double>(value);
#pragma unroll
          for (int c = 0; c < joint_classes; ++c) {
            if constexpr (likelihood == BayesLikelihood::normal) {
              sums[c] =
                  bayes::add_normal(x, means[j * pitch + first_class + c], weight[c], sums[c]);
            } else {
              sums[c] = math::fma(x, weight[c], sums[c]);
            }
          }
        }
      }
    }
    __syncwarp();
  }
  if (row >= in.rows) return;
#pragma unroll
  for (int c = 0; c < joint_classes; ++c) {
    if (first_class + c < classes) joint[row * classes + first_class + c] = sums[c];
  }
}

// As BayesSteps::probabilities states it. One thread per row, which reads its likelihoods three
// times, from the cache but for the first; 8 bytes read and an element written per row and class,
// two exponentials. CPU twin: CpuBayes::probabilities.
template <Real T>
__global__ void bayes_probabilities_kernel(const double* __restrict__ joint, Index rows,
                                           Index classes, T* __restrict__ probabilities) {
  const Index row = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const double* const z = joint + row * classes;
  constexpr double none = -std::numeric_limits<double>::infinity();
  double largest = none;
  for (Index c = 0; c < classes; ++c) largest = z[c] > largest ? z[c] : largest;
  if (largest == none) largest = 0;
  double sum = 0;
  for (Index c = 0; c < classes; ++c) sum += math::exp(z[c] - largest);
  for (Index c = 0; c < classes; ++c) {
    probabilities[row * classes + c] = static_cast<T>(sum == 0 ? 1 / static_cast<double>(classes)
                                                               : math::exp(z[c] - largest) / sum);
  }
}

template <Real T>
class CudaBayes final : public BayesSteps<T> {
 public:
  explicit CudaBayes(Engine& engine) : engine_(cuda_engine(engine)), chunks_(engine_) {}

  void class_sums(ClassSum what, const RowsView<T>& rows, Index classes, double threshold,
                  const Buffer<double>& centre, Buffer<double>& sums) override {
    const Index size = classes * rows.features;
    const Index blocks = sum_blocks(rows.rows);
    // So many blocks of rows at a time that their sums take 16 MiB, or fill the device.
    constexpr Index most_bytes = Index{16} << 20;
    constexpr Index most_grid_y = 65535;
    const Index groups = blocks_for(rows.features, sums_columns);
    const Index at_once = std::clamp<Index>(
        most_bytes / (size * 8),
        std::max<Index>(1, 2 * engine_.properties().multiProcessorCount / groups), most_grid_y);
    if (partial_.size() < std::min(at_once, blocks) * size) {
      partial_ = Buffer<double>(engine_, std::min(at_once, blocks) * size);
    }
    const Index class_groups = blocks_for(classes, sums_classes);
    for (Index block = 0; block < blocks; block += at_once) {
      const Index here = std::min(at_once, blocks - block);
      const Index row = block * sum_block;
      const RowsView<T> part{std::min(rows.rows - row, here * sum_block),
                             rows.features,
                             rows.stride,
                             rows.x + row * rows.stride,
                             rows.target + row,
                             rows.weights == nullptr ? nullptr : rows.weights + row};
      engine_.launch(
          class_sums_kernel<T>,
          {.grid = dim3(static_cast<unsigned>(groups), static_cast<unsigned>(here),
                        static_cast<unsigned>(class_groups)),
           .block = dim3(sums_columns, static_cast<unsigned>(sum_lanes)),
           .shared_bytes = static_cast<std::size_t>(std::min<Index>(classes, sums_classes)) *
                           sum_lanes * sums_columns * sizeof(double)},
          what, part, classes, threshold, centre.data(), partial_.data());
      chunks_.add(partial_.data(), block, here, blocks, size, sums.data());
    }
  }

  void count_codes(const RowsView<T>& rows, Index /*classes*/, Index codes,
                   const Buffer<Index>& first, double scale, double again,
                   Buffer<std::int64_t>& counts) override {
    const unsigned threads = engine_.block_threads(256);
    constexpr Index most_blocks = Index{1} << 20;
    const Index blocks = std::min(most_blocks, blocks_for(rows.rows * rows.features, threads));
    engine_.launch(count_codes_kernel<T>,
                   {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(threads)}, rows,
                   codes, first.data(), scale, again,
                   reinterpret_cast<unsigned long long*>(counts.data()));
  }

  void joint(const BayesTermsOn& terms, const RowsView<T>& rows, double* joint) override {
    switch (terms.likelihood) {
      case BayesLikelihood::weighted:
        launch_joint(joint_kernel<BayesLikelihood::weighted, T>, terms, rows, joint);
        break;
      case BayesLikelihood::thresholded:
        launch_joint(joint_kernel<BayesLikelihood::thresholded, T>, terms, rows, joint);
        break;
      case BayesLikelihood::normal:
        launch_joint(joint_kernel<BayesLikelihood::normal, T>, terms, rows, joint);
        break;
      case BayesLikelihood::coded:
        launch_joint(joint_kernel<BayesLikelihood::coded, T>, terms, rows, joint);
        break;
    }
  }

  void probabilities(const double* joint, Index rows, Index classes, T* probabilities) override {
    const unsigned threads = engine_.block_threads(128);
    engine_.launch(
        bayes_probabilities_kernel<T>,
        {.grid = dim3(static_cast<unsigned>(blocks_for(rows, threads))), .block = dim3(threads)},
        joint, rows, classes, probabilities);
  }

 private:
  template <class Kernel>
  void launch_joint(Kernel kernel, const BayesTermsOn& terms, const RowsView<T>& rows,
                    double* joint) {
    const unsigned threads = std::min(most_joint_threads, engine_.block_threads(128));
    const unsigned warps = threads / warp_size;
    engine_.launch(kernel,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(rows.rows, threads)),
                                 static_cast<unsigned>(terms.pitch / joint_classes)),
                    .block = dim3(threads),
                    .shared_bytes = warps * warp_size * (warp_size + 1) * sizeof(T)},
                   rows, terms.classes, terms.pitch, terms.threshold, terms.bias.data(),
                   terms.weights.data(), terms.means.data(), terms.first.data(), joint);
  }

  CudaEngine& engine_;
  SumsOfChunks chunks_;
  Buffer<double> partial_;  // blocks × classes × features
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_bayes_float32(tandem::Engine& engine) {
  return static_cast<tandem::BayesSteps<float>*>(new tandem::cuda::CudaBayes<float>(engine));
}
void* tandem_cuda_bayes_float64(tandem::Engine& engine) {
  return static_cast<tandem::BayesSteps<double>*>(new tandem::cuda::CudaBayes<double>(engine));
}
}
