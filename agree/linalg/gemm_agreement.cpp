// Agreement of matrix products: all transpositions, rows longer than the matrices, sums added to.
#include "agree/case.hpp"
#include "core/linalg/gemm_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class GemmCase final : public Case {
 public:
  explicit GemmCase(const Key& key) {
    Draw draw(key.seed, 1);
    m_ = key.kind == DataKind::one_row ? 1 : key.rows;
    n_ = key.kind == DataKind::one_column ? 1 : draw.between(1, 70);
    k_ = draw.below(10) == 0 ? 0 : draw.between(1, 90);
    transpose_a_ = draw.flip() ? Transpose::yes : Transpose::no;
    transpose_b_ = draw.flip() ? Transpose::yes : Transpose::no;
    accumulate_ = draw.flip();
    lda_ = (transpose_a_ == Transpose::no ? k_ : m_) + draw.below(4);
    ldb_ = (transpose_b_ == Transpose::no ? n_ : k_) + draw.below(4);
    ldc_ = n_ + draw.below(3);
    // Gaps hold numbers too: one that is read shows in the result, one that is written in C.
    a_ = make_values<T>(key.kind, (transpose_a_ == Transpose::no ? m_ : k_) * lda_, draw);
    b_ = make_values<T>(key.kind, (transpose_b_ == Transpose::no ? k_ : n_) * ldb_, draw);
    c_ = make_values<T>(key.kind, m_ * ldc_, draw);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<GemmSteps, T>(engine);
    const Buffer<T> a = to_engine(engine, a_);
    const Buffer<T> b = to_engine(engine, b_);
    Buffer<T> c = to_engine(engine, c_);
    steps->gemm(transpose_a_, transpose_b_, m_, n_, k_, a.data(), lda_, b.data(), ldb_, accumulate_,
                c.data(), ldc_);
    out.add("c", c);
  }

  // The bound of core/linalg/gemm_steps.hpp, with γ_{k+2} for any order and the reference's final
  // rounding, in double for the reference's own roundings again; each of the k + 1 roundings may
  // also be one of a denormal number. Gaps are not touched.
  void judge(Judge& judge) const override {
    const double smallest = static_cast<double>(std::numeric_limits<T>::denorm_min());
    const double largest = static_cast<double>(std::numeric_limits<T>::max());
    const double both = sizeof(T) == 4 ? 1 : 2;
    judge.within("c", Tolerance::reduction, [&](std::size_t at) {
      const Index i = static_cast<Index>(at) / ldc_;
      const Index j = static_cast<Index>(at) % ldc_;
      if (j >= n_) return 0.0;
      double magnitude = accumulate_ ? std::abs(static_cast<double>(c_[at])) : 0;
      for (Index l = 0; l < k_; ++l) {
        const T a = a_[static_cast<std::size_t>(transpose_a_ == Transpose::no ? i * lda_ + l
                                                                              : l * lda_ + i)];
        const T b = b_[static_cast<std::size_t>(transpose_b_ == Transpose::no ? l * ldb_ + j
                                                                              : j * ldb_ + l)];
        magnitude += std::abs(static_cast<double>(a) * static_cast<double>(b));
      }
      if (!(magnitude < largest / 2)) return std::numeric_limits<double>::infinity();
      return both * (gamma_bound<T>(k_ + 2) * magnitude + static_cast<double>(k_ + 1) * smallest);
    });
  }

 private:
  Index m_, n_, k_, lda_, ldb_, ldc_;
  Transpose transpose_a_, transpose_b_;
  bool accumulate_;
  std::vector<T> a_, b_, c_;
};

// Sums over rows.
template <Real T>
class RowProductsCase final : public Case {
 public:
  explicit RowProductsCase(const Key& key) {
    Draw draw(key.seed, 2);
    rows_ = key.rows;
    // Fewer outputs where there are many rows, for the time.
    const Index most = rows_ > 2 * sum_block ? 9 : 40;
    m_ = draw.between(1, most);
    n_ = key.kind == DataKind::one_column ? 1 : draw.between(1, most);
    lda_ = m_ + draw.below(4);
    ldb_ = n_ + draw.below(4);
    ldc_ = n_ + draw.below(3);
    a_ = make_values<T>(key.kind, rows_ * lda_, draw);
    b_ = make_values<T>(key.kind, rows_ * ldb_, draw);
    c_ = make_values<T>(key.kind, m_ * ldc_, draw);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<GemmSteps, T>(engine);
    const Buffer<T> a = to_engine(engine, a_);
    const Buffer<T> b = to_engine(engine, b_);
    Buffer<T> c = to_engine(engine, c_);
    steps->row_products(m_, n_, rows_, a.data(), lda_, b.data(), ldb_, c.data(), ldc_);
    out.add("c", c);
  }

  // The bound of core/linalg/gemm_steps.hpp; the reference's chain in double, and its rounding at
  // the end. A library, in fast numerics, adds in any order. Each rounding may also be one to a
  // denormal number.
  void judge(Judge& judge) const override {
    const double smallest = static_cast<double>(std::numeric_limits<T>::denorm_min());
    const double largest = static_cast<double>(std::numeric_limits<T>::max());
    const double bound =
        (judge.numerics == Numerics::exact ? micro_batch_bound<T>(rows_)
                                           : gemm_bound<T>(judge.numerics, rows_)) +
        gamma_bound<double>(rows_ + 2) + unit_roundoff<T>;
    judge.within("c", Tolerance::reduction, [&](std::size_t at) {
      const Index i = static_cast<Index>(at) / ldc_;
      const Index j = static_cast<Index>(at) % ldc_;
      if (j >= n_) return 0.0;
      double magnitude = 0;
      for (Index r = 0; r < rows_; ++r) {
        magnitude += std::abs(static_cast<double>(a_[static_cast<std::size_t>(r * lda_ + i)]) *
                              static_cast<double>(b_[static_cast<std::size_t>(r * ldb_ + j)]));
      }
      if (!(magnitude < largest / 2)) return std::numeric_limits<double>::infinity();
      return bound * magnitude + 2 * static_cast<double>(rows_ + 1) * smallest;
    });
  }

 private:
  Index m_, n_, rows_, lda_, ldb_, ldc_;
  std::vector<T> a_, b_, c_;
};

}  // namespace

Agreement make_gemm_agreement() {
  return {part<GemmCase>("product", "matrix product, one chain of fmas per element", {"gemm"},
                         "reduction: γ(k+2)·Σ|a||b|, twice for double", 257),
          over_many_blocks(part<RowProductsCase>(
              "row-products", "products that sum over rows, trees of micro-batches", {"gemm"},
              "reduction: γ(32 + ⌈log₂⌈n/32⌉⌉)·Σ|a||b| and the reference's own"))};
}

}  // namespace tandem::agree
