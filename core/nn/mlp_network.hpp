// A network on an engine: its parameters, its working memory, and the passes over one batch. What
// training (mlp.cpp) and prediction have in common. Only enqueues work, except where a function
// returns host data.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/linalg/gemm_steps.hpp"
#include "core/nn/mlp_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem {

struct MlpDesign {
  std::vector<Index> widths;  // inputs, hidden layers, outputs
  Activation activation = Activation::relu;
  MlpOutput output = MlpOutput::softmax;
  MlpLoss loss = MlpLoss::cross_entropy;
  bool batch_norm = false;
  double batch_norm_momentum = 0.9;
  double batch_norm_epsilon = 1e-5;
  double dropout = 0;
  std::uint64_t seed = 0;  // of dropout
  Index batch_size = 1;    // rows of a training batch

  [[nodiscard]] std::size_t layers() const noexcept { return widths.size() - 1; }
  [[nodiscard]] bool hidden(std::size_t layer) const noexcept { return layer + 1 < layers(); }
  [[nodiscard]] bool normalised(std::size_t layer) const noexcept {
    return batch_norm && hidden(layer);
  }
  // The dropout of a layer's outputs in training batch number `step`.
  [[nodiscard]] MlpDropout dropout_of(std::size_t layer, std::uint64_t step) const noexcept {
    MlpDropout made;
    made.rate = dropout;
    made.seed = seed;
    made.layer = static_cast<std::uint32_t>(layer);
    made.step = step;
    made.capacity = static_cast<std::uint64_t>((batch_size * widths[layer + 1] + 3) / 4 * 4);
    return made;
  }
};

// Where each layer's parameters lie in one flat vector: all weights first, so that a penalty on the
// weights is one range, then all biases, then the scales of batch normalisation. Blocks start at
// multiples of 16 elements; the gaps are zero and stay zero.
struct MlpLayout {
  struct Block {
    Index weights = 0;
    Index bias = 0;
    Index scale = 0;
    Index running_mean = 0;  // in the vector of running averages
    Index running_variance = 0;
  };
  std::vector<Block> blocks;
  Index weights_end = 0;
  Index parameters = 0;
  Index running = 0;

  // Throws InputError where the sizes overflow.
  explicit MlpLayout(const MlpDesign& design);
};

// Rows on an engine.
template <Real T>
struct MlpRows {
  Index rows = 0;
  Index cols = 0;
  const T* x = nullptr;         // the features: in `uploaded`, or the host's own copy of them where
                                // the engine reads host memory
  Buffer<T> uploaded;           // Placement::rows
  Buffer<std::int32_t> labels;  // classification
  Buffer<T> values;             // regression
  Buffer<T> weights;            // may be empty

  [[nodiscard]] MlpTargets<T> targets() const {
    return {labels.data(), values.data(), weights.data()};
  }
};

class MlpProducts;  // how many of a batch's are done

template <Real T>
class MlpNetwork {
 public:
  // No pass takes more than `capacity` rows, training no more than design.batch_size.
  MlpNetwork(Engine& engine, const MlpDesign& design, Index capacity, bool training);

  // Requires layers of the design's sizes.
  void set_layers(std::span<const MlpLayer<T>> layers);
  [[nodiscard]] std::vector<MlpLayer<T>> layers() const;

  [[nodiscard]] const MlpLayout& layout() const noexcept { return layout_; }
  [[nodiscard]] Buffer<T>& parameters() noexcept { return parameters_; }
  [[nodiscard]] Buffer<T>& running() noexcept { return running_; }
  [[nodiscard]] Buffer<T>& gradient() noexcept { return gradient_; }
  // Sums of MlpTotals over the passes since they were last zeroed.
  [[nodiscard]] Buffer<double>& totals() noexcept { return totals_; }
  [[nodiscard]] Index capacity() const noexcept { return capacity_; }

  // The order of an epoch, on the engine (MlpSteps::order_rows).
  void order_rows(const RowOrder& order, const Index* from, Buffer<Index>& to) {
    steps_->order_rows(order, from, to.data());
  }
  // Announces the rows of a later train_batch or evaluate_batch (MlpSteps::prepare_rows).
  void prepare_batch(const MlpRows<T>& data, const Index* order, Index rows);
  // Forwards and backwards over the rows order[0] .. order[rows − 1]: leaves the gradient of their
  // mean loss in gradient(), adds to totals(), updates the running averages. `step` counts the
  // batches of a training run and selects the dropout mask.
  void train_batch(const MlpRows<T>& data, const Index* order, Index rows, std::uint64_t step);
  // Forwards only, as in prediction; adds to totals().
  void evaluate_batch(const MlpRows<T>& data, const Index* order, Index rows);
  // The outputs of rows of x, which are on the host. out has one row of outputs for each.
  void predict(MatrixView<const T> x, std::span<T> out);

 private:
  struct Layer {
    Buffer<T> z;             // sums, normalised where the layer is; of the last layer the outputs
    Buffer<T> a;             // outputs of a hidden layer
    Buffer<T> slope;         // derivative of a by what the activation was applied to
    Buffer<T> dz;            // gradient of the loss by a, then by z
    Buffer<T> inverse;       // 1 / deviation of each column
    Buffer<T> affine;        // prediction: scale, then shift
    Buffer<std::byte> mask;  // where fuses() may hold: which outputs are above 0
  };

  // c (m×n) = op(a)·op(b), all without gaps.
  void multiply(Transpose transpose_a, Transpose transpose_b, Index m, Index n, Index k, const T* a,
                const T* b, T* c);
  // True where products include the addition of a hidden layer's bias and its max(0, ·), forwards
  // and, in training, backwards: in fast numerics, on engines that have such products.
  [[nodiscard]] bool fuses(std::size_t layer, Index rows, bool training);
  void forward_training(Index rows, std::uint64_t step, MlpProducts& products);
  void forward_prediction(Index rows);
  [[nodiscard]] const T* input_of(std::size_t layer) const {
    return layer == 0 ? x_.data() : layers_[layer - 1].a.data();
  }

  Engine& engine_;
  MlpDesign design_;
  MlpLayout layout_;
  Index capacity_;
  std::unique_ptr<MlpSteps<T>> steps_;
  std::unique_ptr<GemmSteps<T>> gemm_;
  Buffer<T> parameters_;
  Buffer<T> running_;
  Buffer<T> gradient_;
  Buffer<double> totals_;
  Buffer<T> x_;
  std::vector<Layer> layers_;
};

}  // namespace tandem
