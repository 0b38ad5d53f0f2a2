// The multi-layer perceptron's steps on the GPU, apart from matrix products. The kernels:
// mlp_rows.cu, mlp_activation.cu, mlp_normalize.cu and mlp_loss.cu, whose CPU twins have the same
// names.
#include "cuda/nn/mlp.cuh"

namespace tandem::cuda {
namespace {

template <Real T>
class CudaMlp final : public MlpSteps<T> {
 public:
  explicit CudaMlp(Engine& engine)
      : engine_(cuda_engine(engine)), rows_(engine_), losses_(engine_) {}

  void order_rows(const RowOrder& order, const Index* from, Index* to) override {
    mlp::order_rows(engine_, order, from, to);
  }
  void prepare_rows(const T* x, Index cols, const Index* order, Index rows) override {
    rows_.prepare_rows(x, cols, order, rows);
  }
  void gather_rows(const T* x, Index cols, const Index* order, Index rows, T* out) override {
    rows_.gather_rows(x, cols, order, rows, out);
  }
  void activation_gradient(Index rows, Index width, const T* slope, T* d, T* db) override {
    mlp::activation_gradient(engine_, rows, width, slope, d, db);
  }
  void activate(Activation activation, Index rows, Index width, const T* scale, const T* shift,
                const MlpDropout& dropout, const T* z, T* a, T* slope) override {
    mlp::activate(engine_, activation, rows, width, scale, shift, dropout, z, a, slope);
  }
  void normalize(Index rows, Index width, double epsilon, double momentum, T* z, T* inverse,
                 T* running_mean, T* running_variance) override {
    mlp::normalize(engine_, rows, width, epsilon, momentum, z, inverse, running_mean,
                   running_variance);
  }
  void normalize_backward(Index rows, Index width, const T* normalized, const T* scale,
                          const T* inverse, T* du, T* scale_gradient, T* shift_gradient) override {
    mlp::normalize_backward(engine_, rows, width, normalized, scale, inverse, du, scale_gradient,
                            shift_gradient);
  }
  void running_affine(Index width, double epsilon, const T* scale, const T* shift, const T* mean,
                      const T* variance, T* s, T* t) override {
    mlp::running_affine(engine_, width, epsilon, scale, shift, mean, variance, s, t);
  }
  void output(MlpOutput output, Index rows, Index width, const T* bias, T* z) override {
    mlp::output(engine_, output, rows, width, bias, z);
  }
  void loss(MlpOutput output, MlpLoss loss, bool gradient, Index rows, Index width, const T* bias,
            const MlpTargets<T>& targets, const Index* order, T* z, double* totals) override {
    losses_.loss(output, loss, gradient, rows, width, bias, targets, order, z, totals);
  }

 private:
  CudaEngine& engine_;
  mlp::Rows<T> rows_;
  mlp::Losses<T> losses_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_mlp_float32(tandem::Engine& engine) {
  return static_cast<tandem::MlpSteps<float>*>(new tandem::cuda::CudaMlp<float>(engine));
}
void* tandem_cuda_mlp_float64(tandem::Engine& engine) {
  return static_cast<tandem::MlpSteps<double>*>(new tandem::cuda::CudaMlp<double>(engine));
}
}
