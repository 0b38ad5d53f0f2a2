#include "core/nn/mlp_network.hpp"
#include "core/engine_backend.hpp"

#include <algorithm>
#include <limits>

#include "core/steps.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr Index alignment = 16;

// Reserves `count` elements at `end` and returns where they begin.
Index reserve(Index& end, Index rows, Index cols) {
  constexpr Index limit = std::numeric_limits<Index>::max() / 64;
  if (rows < 0 || cols < 0 || (cols > 0 && rows > limit / cols) || end > limit - rows * cols) {
    throw InputError("a layer of " + std::to_string(rows) + " by " + std::to_string(cols) +
                     " weights is too large; choose smaller widths with " + option("hidden"));
  }
  const Index begin = end;
  end += (rows * cols + alignment - 1) / alignment * alignment;
  return begin;
}

}  // namespace

MlpLayout::MlpLayout(const MlpDesign& design) : blocks(design.layers()) {
  for (std::size_t l = 0; l < blocks.size(); ++l) {
    blocks[l].weights = reserve(parameters, design.widths[l], design.widths[l + 1]);
  }
  weights_end = parameters;
  for (std::size_t l = 0; l < blocks.size(); ++l) {
    blocks[l].bias = reserve(parameters, 1, design.widths[l + 1]);
  }
  for (std::size_t l = 0; l < blocks.size(); ++l) {
    if (!design.normalised(l)) continue;
    blocks[l].scale = reserve(parameters, 1, design.widths[l + 1]);
    blocks[l].running_mean = reserve(running, 1, design.widths[l + 1]);
    blocks[l].running_variance = reserve(running, 1, design.widths[l + 1]);
  }
}

template <Real T>
MlpNetwork<T>::MlpNetwork(Engine& engine, const MlpDesign& design, Index capacity, bool training)
    : engine_(engine),
      design_(design),
      layout_(design),
      capacity_(capacity),
      steps_(make_steps<MlpSteps, T>(engine)),
      gemm_(make_steps<GemmSteps, T>(engine)),
      parameters_(engine, layout_.parameters),
      running_(engine, layout_.running),
      totals_(engine, MlpTotals::count),
      layers_(design.layers()) {
  Index x_size = 0;
  reserve(x_size, capacity, design.widths.front());
  x_ = Buffer<T>(engine, x_size);
  parameters_.fill_zero();
  running_.fill_zero();
  totals_.fill_zero();
  if (training) {
    gradient_ = Buffer<T>(engine, layout_.parameters);
    gradient_.fill_zero();
  }
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Index width = design.widths[l + 1];
    Index size = 0;
    reserve(size, capacity, width);
    Layer& layer = layers_[l];
    layer.z = Buffer<T>(engine, size);
    if (!design.hidden(l)) continue;
    layer.a = Buffer<T>(engine, size);
    if (design.normalised(l)) layer.affine = Buffer<T>(engine, 2 * width);
    if (!training) continue;
    layer.slope = Buffer<T>(engine, size);
    layer.dz = Buffer<T>(engine, size);
    if (design.normalised(l)) layer.inverse = Buffer<T>(engine, width);
    layer.mask = Buffer<std::byte>(engine, gemm_->relu_mask_bytes(capacity, width));
  }
}

template <Real T>
void MlpNetwork<T>::set_layers(std::span<const MlpLayer<T>> layers) {
  std::vector<T> parameters(static_cast<std::size_t>(layout_.parameters), T{0});
  std::vector<T> running(static_cast<std::size_t>(layout_.running), T{0});
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto& layer = layers[l];
    const auto& block = layout_.blocks[l];
    std::copy(layer.weights.values().begin(), layer.weights.values().end(),
              parameters.begin() + block.weights);
    std::copy(layer.bias.begin(), layer.bias.end(), parameters.begin() + block.bias);
    if (!layer.normalised()) continue;
    std::copy(layer.scale.begin(), layer.scale.end(), parameters.begin() + block.scale);
    std::copy(layer.running_mean.begin(), layer.running_mean.end(),
              running.begin() + block.running_mean);
    std::copy(layer.running_variance.begin(), layer.running_variance.end(),
              running.begin() + block.running_variance);
  }
  parameters_.upload(parameters);
  running_.upload(running);
}

template <Real T>
std::vector<MlpLayer<T>> MlpNetwork<T>::layers() const {
  const std::vector<T> parameters = parameters_.to_host();
  const std::vector<T> running = running_.to_host();
  const auto part = [](const std::vector<T>& all, Index begin, Index count) {
    return std::vector<T>(all.begin() + begin, all.begin() + begin + count);
  };
  std::vector<MlpLayer<T>> layers;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Index inputs = design_.widths[l];
    const Index outputs = design_.widths[l + 1];
    const auto& block = layout_.blocks[l];
    MlpLayer<T> layer;
    layer.weights = Matrix<T>(inputs, outputs, part(parameters, block.weights, inputs * outputs));
    layer.bias = part(parameters, block.bias, outputs);
    if (design_.normalised(l)) {
      layer.scale = part(parameters, block.scale, outputs);
      layer.running_mean = part(running, block.running_mean, outputs);
      layer.running_variance = part(running, block.running_variance, outputs);
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

template <Real T>
void MlpNetwork<T>::multiply(Transpose transpose_a, Transpose transpose_b, Index m, Index n,
                             Index k, const T* a, const T* b, T* c) {
  gemm_->gemm(transpose_a, transpose_b, m, n, k, a, transpose_a == Transpose::no ? k : m, b,
              transpose_b == Transpose::no ? n : k, false, c, n);
}

template <Real T>
bool MlpNetwork<T>::fuses(std::size_t layer, Index rows, bool training) {
  if (engine_.numerics() == Numerics::exact || !design_.hidden(layer) || design_.batch_norm ||
      design_.activation != Activation::relu || (training && design_.dropout > 0)) {
    return false;
  }
  return gemm_->fuses_relu(rows, design_.widths[layer], design_.widths[layer + 1],
                           training ? design_.widths[layer + 2] : 0);
}

// The products of a batch, of which each takes long where layers and batches are large.
class MlpProducts {
 public:
  MlpProducts(Index rows, const std::vector<Index>& widths)
      : rows_(rows), widths_(widths), watched_(work_of_all(rows, widths)) {}
  // Calls f(), which multiplies as many rows by the weights of layer l, or by what has their size.
  template <class F>
  void of_layer(std::size_t l, F&& f) {
    const double work = work_of(rows_, widths_, l);
    watched_.begin_loop(work);
    f();
    done_ += work;
    watched_.done_at(done_);
  }

 private:
  static double work_of(Index rows, const std::vector<Index>& widths, std::size_t l) {
    return static_cast<double>(rows) * static_cast<double>(widths[l]) *
           static_cast<double>(widths[l + 1]);
  }
  // Of a layer its outputs, the gradient of its weights, and that of its inputs but for the first.
  static double work_of_all(Index rows, const std::vector<Index>& widths) {
    double work = 0;
    for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
      work += (l == 0 ? 2 : 3) * work_of(rows, widths, l);
    }
    return work;
  }

  Index rows_;
  const std::vector<Index>& widths_;
  double done_ = 0;
  WatchedFit watched_;
};

template <Real T>
void MlpNetwork<T>::forward_training(Index rows, std::uint64_t step, MlpProducts& products) {
  const T* parameters = parameters_.data();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Index outputs = design_.widths[l + 1];
    const auto& block = layout_.blocks[l];
    Layer& layer = layers_[l];
    if (fuses(l, rows, true)) {
      // A = max(0, A·W + b)
      products.of_layer(l, [&] {
        gemm_->gemm_relu(rows, outputs, design_.widths[l], input_of(l), parameters + block.weights,
                         parameters + block.bias, layer.mask.data(), layer.a.data());
      });
      continue;
    }
    // Z = A·W
    products.of_layer(l, [&] {
      multiply(Transpose::no, Transpose::no, rows, outputs, design_.widths[l], input_of(l),
               parameters + block.weights, layer.z.data());
    });
    if (!design_.hidden(l)) break;
    const T* scale = nullptr;
    if (design_.normalised(l)) {
      // Ẑ = (Z − mean) / deviation, by column
      steps_->normalize(rows, outputs, design_.batch_norm_epsilon, design_.batch_norm_momentum,
                        layer.z.data(), layer.inverse.data(), running_.data() + block.running_mean,
                        running_.data() + block.running_variance);
      scale = parameters + block.scale;
    }
    const MlpDropout dropout = design_.dropout_of(l, step);
    // A = f(Z + b), or f(γ·Ẑ + β)
    steps_->activate(design_.activation, rows, outputs, scale, parameters + block.bias, dropout,
                     layer.z.data(), layer.a.data(), layer.slope.data());
  }
}

template <Real T>
void MlpNetwork<T>::forward_prediction(Index rows) {
  const T* parameters = parameters_.data();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Index outputs = design_.widths[l + 1];
    const auto& block = layout_.blocks[l];
    Layer& layer = layers_[l];
    if (fuses(l, rows, false)) {
      gemm_->gemm_relu(rows, outputs, design_.widths[l], input_of(l), parameters + block.weights,
                       parameters + block.bias, nullptr, layer.a.data());
      continue;
    }
    multiply(Transpose::no, Transpose::no, rows, outputs, design_.widths[l], input_of(l),
             parameters + block.weights, layer.z.data());
    if (!design_.hidden(l)) break;
    const T* scale = nullptr;
    const T* shift = parameters + block.bias;
    if (design_.normalised(l)) {
      T* affine = layer.affine.data();
      steps_->running_affine(outputs, design_.batch_norm_epsilon, parameters + block.scale, shift,
                             running_.data() + block.running_mean,
                             running_.data() + block.running_variance, affine, affine + outputs);
      scale = affine;
      shift = affine + outputs;
    }
    steps_->activate(design_.activation, rows, outputs, scale, shift, MlpDropout{}, layer.z.data(),
                     layer.a.data(), nullptr);
  }
}

template <Real T>
void MlpNetwork<T>::prepare_batch(const MlpRows<T>& data, const Index* order, Index rows) {
  steps_->prepare_rows(data.x, data.cols, order, rows);
}

template <Real T>
void MlpNetwork<T>::train_batch(const MlpRows<T>& data, const Index* order, Index rows,
                                std::uint64_t step) {
  steps_->gather_rows(data.x, data.cols, order, rows, x_.data());
  MlpProducts products(rows, design_.widths);
  forward_training(rows, step, products);

  const T* parameters = parameters_.data();
  T* gradient = gradient_.data();
  const std::size_t last = layers_.size() - 1;
  // The last layer's Z becomes dZ, the derivative of the mean loss by Z + b.
  steps_->loss(design_.output, design_.loss, true, rows, design_.widths.back(),
               parameters + layout_.blocks[last].bias, data.targets(), order,
               layers_[last].z.data(), totals_.data());
  for (std::size_t l = last + 1; l-- > 0;) {
    const Index inputs = design_.widths[l];
    const Index outputs = design_.widths[l + 1];
    const auto& block = layout_.blocks[l];
    Layer& layer = layers_[l];
    T* dz = l == last ? layer.z.data() : layer.dz.data();
    const T* slope = l == last ? nullptr : layer.slope.data();
    if (design_.normalised(l)) {
      // dU = dA ∘ f', then dZ from dU, U = γ·Ẑ + β
      steps_->activation_gradient(rows, outputs, slope, dz, nullptr);
      steps_->normalize_backward(rows, outputs, layer.z.data(), parameters + block.scale,
                                 layer.inverse.data(), dz, gradient + block.scale,
                                 gradient + block.bias);
    } else if (!fuses(l, rows, true)) {
      // dZ = dA ∘ f', db = column sums of dZ
      steps_->activation_gradient(rows, outputs, slope, dz, gradient + block.bias);
    }
    // dW = Aᵀ·dZ
    products.of_layer(l, [&] {
      gemm_->row_products(inputs, outputs, rows, input_of(l), inputs, dz, outputs,
                          gradient + block.weights, outputs);
    });
    if (l == 0) break;
    if (fuses(l - 1, rows, true)) {
      // dZ of the layer below = (dZ·Wᵀ) ∘ f', and its db
      products.of_layer(l, [&] {
        gemm_->gemm_relu_gradient(rows, inputs, outputs, dz, parameters + block.weights,
                                  layers_[l - 1].mask.data(), gradient + layout_.blocks[l - 1].bias,
                                  layers_[l - 1].dz.data());
      });
      continue;
    }
    // dA of the layer below = dZ·Wᵀ
    products.of_layer(l, [&] {
      multiply(Transpose::no, Transpose::yes, rows, inputs, outputs, dz, parameters + block.weights,
               layers_[l - 1].dz.data());
    });
  }
}

template <Real T>
void MlpNetwork<T>::evaluate_batch(const MlpRows<T>& data, const Index* order, Index rows) {
  steps_->gather_rows(data.x, data.cols, order, rows, x_.data());
  forward_prediction(rows);
  const std::size_t last = layers_.size() - 1;
  steps_->loss(design_.output, design_.loss, false, rows, design_.widths.back(),
               parameters_.data() + layout_.blocks[last].bias, data.targets(), order,
               layers_[last].z.data(), totals_.data());
}

template <Real T>
void MlpNetwork<T>::predict(MatrixView<const T> x, std::span<T> out) {
  const Index width = design_.widths.back();
  const std::size_t last = layers_.size() - 1;
  for (Index begin = 0; begin < x.rows; begin += capacity_) {
    const Index rows = std::min(capacity_, x.rows - begin);
    const auto chunk = x.rows_from(begin, rows);
    const auto bytes = [](Index count) { return static_cast<std::size_t>(count) * sizeof(T); };
    if (chunk.contiguous()) {
      backend(engine_).copy_from_host(x_.data(), chunk.data, bytes(rows * x.cols));
    } else {
      for (Index i = 0; i < rows; ++i) {
        backend(engine_).copy_from_host(x_.data() + i * x.cols, chunk.row(i).data(), bytes(x.cols));
      }
    }
    forward_prediction(rows);
    steps_->output(design_.output, rows, width, parameters_.data() + layout_.blocks[last].bias,
                   layers_[last].z.data());
    backend(engine_).copy_to_host(out.data() + begin * width, layers_[last].z.data(),
                                  bytes(rows * width));
  }
}

template class MlpNetwork<float>;
template class MlpNetwork<double>;

}  // namespace tandem
