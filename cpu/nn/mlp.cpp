// The multi-layer perceptron's steps with threads: how each is cut into pieces. The pieces
// themselves: mlp_rows.cpp, mlp_activation.cpp, mlp_normalize.cpp and mlp_loss.cpp, whose GPU twins
// have the same names.
#include <algorithm>
#include <vector>

#include "core/external_memory.hpp"
#include "core/nn/mlp_functions.hpp"
#include "core/nn/mlp_steps.hpp"
#include "core/parallel.hpp"
#include "cpu/nn/mlp_kernels.hpp"

namespace tandem {
namespace {

template <Real T>
class CpuMlp final : public MlpSteps<T> {
 public:
  explicit CpuMlp(Engine& engine) : threads_(engine.threads()) {}

  void order_rows(const RowOrder& order, const Index* from, Index* to) override {
    in_pieces(order.blocks(), 1, 64 * order.rows(),
              [&](Index begin, Index end) { cpu::order_blocks(order, from, to, begin, end); });
  }

  // Of rows on disk, the blocks that a batch is from.
  void prepare_rows(const T* x, Index cols, const Index* order, Index rows) override {
    if (!is_external(x)) return;
    Index block = -1;
    for (Index r = 0; r < rows; ++r) {
      if (order[r] / sum_block == block) continue;
      block = order[r] / sum_block;
      external::ask_for(x + block * sum_block * cols,
                        static_cast<std::size_t>(sum_block * cols) * sizeof(T));
    }
  }

  void gather_rows(const T* x, Index cols, const Index* order, Index rows, T* out) override {
    in_pieces(rows, 8, rows * cols / 8,
              [&](Index begin, Index end) { cpu::gather_rows(x, cols, order, out, begin, end); });
  }

  void activation_gradient(Index rows, Index width, const T* slope, T* d, T* db) override {
    in_pieces(width, 64, rows * width / 8, [&](Index begin, Index end) {
      cpu::activation_gradient_columns(rows, width, slope, d, db, begin, end);
    });
  }

  void activate(Activation activation, Index rows, Index width, const T* scale, const T* shift,
                const MlpDropout& dropout, const T* z, T* a, T* slope) override {
    const cpu::Activate<T> p{activation, width, scale, shift, &dropout, z, a, slope};
    const Index cost = activation == Activation::relu && !(dropout.rate > 0) ? 8 : 1;
    in_pieces(rows, 8, rows * width / cost,
              [&](Index begin, Index end) { cpu::activate_rows(p, begin, end); });
  }

  void normalize(Index rows, Index width, double epsilon, double momentum, T* z, T* inverse,
                 T* running_mean, T* running_variance) override {
    cpu::Normalize<T> p{};
    p.rows = rows;
    p.width = width;
    p.epsilon = epsilon;
    p.momentum = momentum;
    p.z = z;
    p.inverse = inverse;
    p.running_mean = running_mean;
    p.running_variance = running_variance;
    in_pieces(width, 32, rows * width,
              [&](Index begin, Index end) { cpu::normalize_columns(p, begin, end); });
  }

  void normalize_backward(Index rows, Index width, const T* normalized, const T* scale,
                          const T* inverse, T* du, T* scale_gradient, T* shift_gradient) override {
    cpu::Normalize<T> p{};
    p.rows = rows;
    p.width = width;
    p.normalized = normalized;
    p.scale = scale;
    p.z = du;
    p.inverse = const_cast<T*>(inverse);
    p.scale_gradient = scale_gradient;
    p.shift_gradient = shift_gradient;
    in_pieces(width, 32, rows * width,
              [&](Index begin, Index end) { cpu::normalize_columns_backward(p, begin, end); });
  }

  void running_affine(Index width, double epsilon, const T* scale, const T* shift, const T* mean,
                      const T* variance, T* s, T* t) override {
    for (Index j = 0; j < width; ++j) {
      const auto affine = nn::running_affine(epsilon, scale[j], shift[j], mean[j], variance[j]);
      s[j] = affine.scale;
      t[j] = affine.shift;
    }
  }

  void output(MlpOutput output, Index rows, Index width, const T* bias, T* z) override {
    cpu::Loss<T> p{};
    p.output = output;
    p.rows = rows;
    p.width = width;
    p.bias = bias;
    p.z = z;
    in_pieces(rows, 16, 4 * rows * width,
              [&](Index begin, Index end) { cpu::output_rows(p, begin, end); });
  }

  void loss(MlpOutput output, MlpLoss loss, bool gradient, Index rows, Index width, const T* bias,
            const MlpTargets<T>& targets, const Index* order, T* z, double* totals) override {
    row_losses_.resize(static_cast<std::size_t>(rows));
    right_.resize(static_cast<std::size_t>(rows));
    const cpu::Loss<T> p{output, loss, gradient,           rows,         width, bias, targets,
                         order,  z,    row_losses_.data(), right_.data()};
    in_pieces(rows, 16, 4 * rows * width,
              [&](Index begin, Index end) { cpu::loss_rows(p, begin, end); });
    Index right = 0;
    for (const std::uint8_t one : right_) right += one;
    MlpTotals::add(
        totals, long_sum(rows, [&](Index r) { return row_losses_[static_cast<std::size_t>(r)]; }),
        static_cast<double>(right));
  }

 private:
  // Work below this many units, of about a nanosecond, is not worth a second thread, which takes
  // half a microsecond to join and to be waited for.
  static constexpr Index serial_work = 3000;

  // f(begin, end) for pieces of 0 .. count − 1, on threads where the work is worth it.
  template <class F>
  void in_pieces(Index count, Index piece, Index work, F&& f) const {
    if (threads_ == 1 || work < serial_work) {
      if (count > 0) f(Index{0}, count);
      return;
    }
    parallel_pieces(threads_, count, piece, [&](Piece part) { f(part.begin, part.end); });
  }

  int threads_;
  std::vector<double> row_losses_;
  std::vector<std::uint8_t> right_;
};

}  // namespace

template <Real T>
std::unique_ptr<MlpSteps<T>> MlpSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuMlp<T>>(engine);
}
template std::unique_ptr<MlpSteps<float>> MlpSteps<float>::make_cpu(Engine&);
template std::unique_ptr<MlpSteps<double>> MlpSteps<double>::make_cpu(Engine&);

}  // namespace tandem
