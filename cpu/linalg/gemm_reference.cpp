// The product of matrices as a textbook writes it: three loops, sums in double precision.
#include "core/linalg/gemm_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class GemmReference final : public GemmSteps<T> {
 public:
  void gemm(Transpose transpose_a, Transpose transpose_b, Index m, Index n, Index k, const T* a,
            Index lda, const T* b, Index ldb, bool accumulate, T* c, Index ldc) override {
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) {
        double sum = accumulate ? static_cast<double>(c[i * ldc + j]) : 0.0;
        for (Index l = 0; l < k; ++l) {
          const T a_il = transpose_a == Transpose::no ? a[i * lda + l] : a[l * lda + i];
          const T b_lj = transpose_b == Transpose::no ? b[l * ldb + j] : b[j * ldb + l];
          sum += static_cast<double>(a_il) * static_cast<double>(b_lj);
        }
        c[i * ldc + j] = static_cast<T>(sum);
      }
    }
  }

  void row_products(Index m, Index n, Index rows, const T* a, Index lda, const T* b, Index ldb,
                    T* c, Index ldc) override {
    gemm(Transpose::yes, Transpose::no, m, n, rows, a, lda, b, ldb, false, c, ldc);
  }
};

}  // namespace

template <Real T>
std::unique_ptr<GemmSteps<T>> GemmSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<GemmReference<T>>();
}

template std::unique_ptr<GemmSteps<float>> GemmSteps<float>::make_reference(Engine&);
template std::unique_ptr<GemmSteps<double>> GemmSteps<double>::make_reference(Engine&);

}  // namespace tandem
