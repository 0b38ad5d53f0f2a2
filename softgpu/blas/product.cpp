#include "softgpu/blas/product.hpp"

#include <algorithm>
#include <cstring>

#include "softgpu/blas/kernels.hpp"

namespace softgpu::blas {
namespace {

using Index = std::int64_t;

const char* at(const Operand& operand, Index i, Index j) {
  return static_cast<const char*>(operand.data) +
         (i * operand.row_stride + j * operand.column_stride) *
             static_cast<Index>(element_bytes(operand.type));
}

void round_inputs(InputRounding rounding, float* x, Index n) {
  switch (rounding) {
    case InputRounding::None: break;
    case InputRounding::Half: round_to_half(x, n); break;
    case InputRounding::BFloat16: round_to_bfloat16(x, n); break;
    case InputRounding::Tf32: round_to_tf32(x, n); break;
  }
}

// Columns [first, last) of a stored matrix as contiguous elements of E, rounded as inputs are.
template <class E>
void load_columns(const Operand& from, InputRounding rounding, Index first, Index last, E* to,
                  int threads) {
  parallel_for(last - first, threads, [&](Index begin, Index end) {
    for (Index j = begin; j < end; ++j) {
      E* column = to + j * from.rows;
      load(from.type, at(from, 0, first + j), from.row_stride, from.rows, column);
      if constexpr (std::is_same_v<E, float>) round_inputs(rounding, column, from.rows);
      if constexpr (std::is_same_v<E, cfloat>) {
        round_inputs(rounding, reinterpret_cast<float*>(column), 2 * from.rows);
      }
    }
  });
}

template <class E>
constexpr cudaDataType type_of() {
  if constexpr (std::is_same_v<E, float>) return CUDA_R_32F;
  if constexpr (std::is_same_v<E, double>) return CUDA_R_64F;
  if constexpr (std::is_same_v<E, cfloat>) return CUDA_C_32F;
  return CUDA_C_64F;
}

// A matrix that BLIS can read: the stored one where its type is E already, else a converted copy.
template <class E>
class Factor {
 public:
  Factor(const Operand& from, InputRounding rounding, int threads) {
    const bool as_is = from.type == type_of<E>() && rounding == InputRounding::None;
    if (as_is) {
      matrix_ = {static_cast<const E*>(from.data), from.row_stride, from.column_stride};
      return;
    }
    // The shorter stride runs inside, so that a row major matrix is read along its rows.
    Operand source = from;
    const bool row_major = std::abs(from.column_stride) < std::abs(from.row_stride);
    if (row_major) {
      std::swap(source.rows, source.columns);
      std::swap(source.row_stride, source.column_stride);
    }
    copy_.resize(static_cast<std::size_t>(source.rows * source.columns));
    load_columns(source, rounding, 0, source.columns, copy_.data(), threads);
    matrix_ = row_major ? Matrix<const E>{copy_.data(), source.rows, 1}
                        : Matrix<const E>{copy_.data(), 1, source.rows};
  }
  [[nodiscard]] const Matrix<const E>& matrix() const { return matrix_; }

 private:
  std::vector<E> copy_;
  Matrix<const E> matrix_{};
};

// --- half accumulation --------------------------------------------------------------------------

// sums[i] = half(sums[i] + sum of the next `count` products), for `rows` <= 256 rows.
SOFTGPU_CLONES void half_block(const float* columns, Index leading, const float* factors,
                               Index count, float* sums, Index rows) {
  float block[256];
  for (Index i = 0; i < rows; ++i) block[i] = 0;
  for (Index p = 0; p < count; ++p) {
    const float factor = factors[p];
    const float* column = columns + p * leading;
    for (Index i = 0; i < rows; ++i) block[i] += column[i] * factor;
  }
  for (Index i = 0; i < rows; ++i) sums[i] = round_to_half(sums[i] + block[i]);
}

// op(A) or op(B) as a dense matrix in column major order.
std::vector<float> dense(const Operand& from, cublasOperation_t op, int threads) {
  Operand source = from;
  if (op != CUBLAS_OP_N) {
    std::swap(source.rows, source.columns);
    std::swap(source.row_stride, source.column_stride);
  }
  std::vector<float> elements(static_cast<std::size_t>(source.rows * source.columns));
  load_columns(source, InputRounding::None, 0, source.columns, elements.data(), threads);
  return elements;
}

std::vector<float> half_product(cublasOperation_t op_a, cublasOperation_t op_b, Index m, Index n,
                                Index k, const Operand& a, const Operand& b, int threads) {
  // The depth of one tensor core operation on halves (m16n8k16), which rounds its sum once.
  constexpr Index kDepth = 16, kRows = 256;
  const std::vector<float> left = dense(a, op_a, threads), right = dense(b, op_b, threads);
  std::vector<float> sums(static_cast<std::size_t>(m * n));
  parallel_for(n, threads, [&](Index first, Index last) {
    for (Index i = 0; i < m; i += kRows) {
      const Index rows = std::min(kRows, m - i);
      for (Index j = first; j < last; ++j) {
        for (Index p = 0; p < k; p += kDepth) {
          half_block(left.data() + i + p * m, m, right.data() + p + j * k, std::min(kDepth, k - p),
                     sums.data() + i + j * m, rows);
        }
      }
    }
  });
  return sums;
}

// --- 8-bit integers -----------------------------------------------------------------------------

// Eight-bit integers, with k innermost, widened to 16 bits: the processor multiplies and adds pairs
// of those exactly.
std::vector<std::int16_t> widened_rows(const Operand& from, bool k_is_row, Index k, Index count,
                                       Index padded, int threads) {
  std::vector<std::int16_t> rows(static_cast<std::size_t>(padded * count));
  const Index along = k_is_row ? from.row_stride : from.column_stride;
  const Index across = k_is_row ? from.column_stride : from.row_stride;
  const bool is_signed = from.type == CUDA_R_8I;
  parallel_for(count, threads, [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      const auto* source = static_cast<const std::int8_t*>(from.data) + r * across;
      std::int16_t* target = rows.data() + r * padded;
      for (Index p = 0; p < k; ++p) {
        target[p] = is_signed ? std::int16_t{source[p * along]}
                              : std::int16_t{static_cast<std::uint8_t>(source[p * along])};
      }
    }
  });
  return rows;
}

// Four dot products of one row with four others; count is below 2^15, so nothing overflows.
SOFTGPU_CLONES void dot4(const std::int16_t* x, const std::int16_t* y, Index stride, Index count,
                         std::int32_t* sums) {
  std::int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  const std::int16_t *y1 = y + stride, *y2 = y1 + stride, *y3 = y2 + stride;
  for (Index p = 0; p < count; ++p) {
    const std::int32_t v = x[p];
    s0 += v * y[p];
    s1 += v * y1[p];
    s2 += v * y2[p];
    s3 += v * y3[p];
  }
  sums[0] = s0;
  sums[1] = s1;
  sums[2] = s2;
  sums[3] = s3;
}

// --- results ------------------------------------------------------------------------------------

template <class E>
E coefficient(cdouble value) {
  if constexpr (is_complex<E>) {
    return E(static_cast<Real<E>>(value.real()), static_cast<Real<E>>(value.imag()));
  } else {
    return static_cast<E>(value.real());
  }
}

// Writes column j of D from accumulated products: alpha products + beta C in E, rounded once.
template <class E>
void finish_column(const Coefficients& scalars, const E* products, const Operand& c,
                   const Operand& d, Index j, Index m, std::vector<E>& row) {
  const E alpha = coefficient<E>(scalars.alpha), beta = coefficient<E>(scalars.beta);
  row.resize(static_cast<std::size_t>(m));
  if (beta != E{}) load(c.type, at(c, 0, j), c.row_stride, m, row.data());
  for (Index i = 0; i < m; ++i) {
    E& value = row[static_cast<std::size_t>(i)];
    const E scaled = alpha == E{} ? E{} : multiply(alpha, products[i]);
    value = beta == E{} ? scaled : scaled + multiply(beta, value);
  }
  store(d.type, const_cast<char*>(at(d, 0, j)), d.row_stride, m, row.data());
}

template <class E>
void multiply_floating(const Arithmetic& arithmetic, cublasOperation_t op_a, cublasOperation_t op_b,
                       Index m, Index n, Index k, const Coefficients& scalars, const Operand& a,
                       const Operand& b, const Operand& c, const Operand& d, int threads) {
  const E alpha = coefficient<E>(scalars.alpha), beta = coefficient<E>(scalars.beta);
  const bool multiplies = alpha != E{} && k > 0;
  if (multiplies && d.type == type_of<E>()) {
    // Straight into D, with C put there first where it is another matrix.
    if (beta != E{} && (c.data != d.data || c.row_stride != d.row_stride ||
                        c.column_stride != d.column_stride || c.type != d.type)) {
      std::vector<E> column(static_cast<std::size_t>(m));
      for (Index j = 0; j < n; ++j) {
        load(c.type, at(c, 0, j), c.row_stride, m, column.data());
        store(d.type, const_cast<char*>(at(d, 0, j)), d.row_stride, m, column.data());
      }
    }
    const Factor<E> left(a, arithmetic.rounding, threads), right(b, arithmetic.rounding, threads);
    gemm<E>(op_a, op_b, m, n, k, alpha, left.matrix(), right.matrix(), beta,
            Matrix<E>{static_cast<E*>(const_cast<void*>(d.data)), d.row_stride, d.column_stride},
            threads);
    return;
  }
  // Panels of columns bound the memory for unrounded products.
  const Index panel = std::clamp<Index>((Index{1} << 22) / std::max<Index>(1, m), 1, n);
  std::optional<Factor<E>> left, right;
  std::vector<E> products;
  if (multiplies) {
    left.emplace(a, arithmetic.rounding, threads);
    right.emplace(b, arithmetic.rounding, threads);
    products.resize(static_cast<std::size_t>(m * panel));
  }
  const Coefficients rest{multiplies ? scalars.alpha : cdouble{}, scalars.beta};
  for (Index first = 0; first < n; first += panel) {
    const Index count = std::min(panel, n - first);
    if (multiplies) {
      Matrix<const E> part = right->matrix();
      part.data += first * (op_b == CUBLAS_OP_N ? part.column_stride : part.row_stride);
      gemm<E>(op_a, op_b, m, count, k, E{1}, left->matrix(), part, E{},
              column_major(products.data(), m), threads);
    }
    parallel_for(count, std::min(threads, threads_for(static_cast<double>(m * count))),
                 [&](Index begin, Index end) {
                   std::vector<E> row;
                   for (Index j = begin; j < end; ++j) {
                     finish_column(rest, products.data() + (multiplies ? j * m : 0), c, d,
                                   first + j, m, row);
                   }
                 });
  }
}

}  // namespace

std::optional<Arithmetic> arithmetic_of(cublasComputeType_t compute, bool complex) {
  const auto single = complex ? Accumulation::ComplexFloat : Accumulation::Float;
  const auto scale = complex ? CUDA_C_32F : CUDA_R_32F;
  switch (compute) {
    case CUBLAS_COMPUTE_16F:
    case CUBLAS_COMPUTE_16F_PEDANTIC:
      if (complex) return std::nullopt;
      return Arithmetic{Accumulation::Half, InputRounding::None, CUDA_R_16F};
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
    // Emulation by three bfloat16 parts is at least as accurate as float.
    case CUBLAS_COMPUTE_32F_EMULATED_16BFX9: return Arithmetic{single, InputRounding::None, scale};
    case CUBLAS_COMPUTE_32F_FAST_16F: return Arithmetic{single, InputRounding::Half, scale};
    case CUBLAS_COMPUTE_32F_FAST_16BF: return Arithmetic{single, InputRounding::BFloat16, scale};
    case CUBLAS_COMPUTE_32F_FAST_TF32: return Arithmetic{single, InputRounding::Tf32, scale};
    case CUBLAS_COMPUTE_64F:
    case CUBLAS_COMPUTE_64F_PEDANTIC:
    case CUBLAS_COMPUTE_64F_EMULATED_FIXEDPOINT:
      return Arithmetic{complex ? Accumulation::ComplexDouble : Accumulation::Double,
                        InputRounding::None, complex ? CUDA_C_64F : CUDA_R_64F};
    case CUBLAS_COMPUTE_32I:
    case CUBLAS_COMPUTE_32I_PEDANTIC:
      if (complex) return std::nullopt;
      return Arithmetic{Accumulation::Int32, InputRounding::None, CUDA_R_32I};
  }
  return std::nullopt;
}

int product_threads(const Arithmetic& arithmetic, double m, double n, double k) {
  // Real float multiply-adds that cost as much; one core does about 30 of those in a nanosecond.
  double weight = 1;
  switch (arithmetic.accumulation) {
    case Accumulation::Float: weight = 1; break;
    case Accumulation::Double:
    case Accumulation::Int32: weight = 2; break;
    case Accumulation::ComplexFloat: weight = 4; break;
    case Accumulation::ComplexDouble:
    case Accumulation::Half: weight = 8; break;
  }
  return threads_for(m * n * k * weight / 16);
}

template <class E>
std::vector<E> raw_product(const Arithmetic& arithmetic, cublasOperation_t op_a,
                           cublasOperation_t op_b, Index m, Index n, Index k, const Operand& a,
                           const Operand& b, int threads) {
  if (k == 0) return std::vector<E>(static_cast<std::size_t>(m * n));
  if constexpr (std::is_same_v<E, float>) {
    if (arithmetic.accumulation == Accumulation::Half) {
      return half_product(op_a, op_b, m, n, k, a, b, threads);
    }
  }
  std::vector<E> products(static_cast<std::size_t>(m * n));
  const Factor<E> left(a, arithmetic.rounding, threads), right(b, arithmetic.rounding, threads);
  gemm<E>(op_a, op_b, m, n, k, E{1}, left.matrix(), right.matrix(), E{},
          column_major(products.data(), m), threads);
  return products;
}

template std::vector<float> raw_product(const Arithmetic&, cublasOperation_t, cublasOperation_t,
                                        Index, Index, Index, const Operand&, const Operand&, int);
template std::vector<double> raw_product(const Arithmetic&, cublasOperation_t, cublasOperation_t,
                                         Index, Index, Index, const Operand&, const Operand&, int);
template std::vector<cfloat> raw_product(const Arithmetic&, cublasOperation_t, cublasOperation_t,
                                         Index, Index, Index, const Operand&, const Operand&, int);
template std::vector<cdouble> raw_product(const Arithmetic&, cublasOperation_t, cublasOperation_t,
                                          Index, Index, Index, const Operand&, const Operand&, int);

std::vector<std::int32_t> integer_product(cublasOperation_t op_a, cublasOperation_t op_b, Index m,
                                          Index n, Index k, const Operand& a, const Operand& b,
                                          int threads) {
  // Rows of four for the kernel, filled up with zeros.
  constexpr Index kChunk = Index{1} << 14;
  const Index m4 = (m + 3) / 4 * 4;
  auto left = widened_rows(a, op_a != CUBLAS_OP_N, k, m, k, threads);
  left.resize(static_cast<std::size_t>(m4 * k));
  const auto right = widened_rows(b, op_b == CUBLAS_OP_N, k, n, k, threads);
  std::vector<std::int32_t> sums(static_cast<std::size_t>(m * n));
  parallel_for(n, threads, [&](Index first, Index last) {
    for (Index i = 0; i < m; i += 4) {
      for (Index j = first; j < last; ++j) {
        std::uint32_t total[4] = {};
        for (Index p = 0; p < k; p += kChunk) {
          std::int32_t part[4];
          dot4(right.data() + j * k + p, left.data() + i * k + p, k, std::min(kChunk, k - p), part);
          for (int r = 0; r < 4; ++r) total[r] += static_cast<std::uint32_t>(part[r]);
        }
        for (Index r = 0; r < std::min<Index>(4, m - i); ++r) {
          sums[static_cast<std::size_t>(i + r + j * m)] = static_cast<std::int32_t>(total[r]);
        }
      }
    }
  });
  return sums;
}

void multiply_matrices(const Arithmetic& arithmetic, cublasOperation_t op_a, cublasOperation_t op_b,
                       Index m, Index n, Index k, const Coefficients& scalars, const Operand& a,
                       const Operand& b, const Operand& c, const Operand& d, int threads) {
  if (m <= 0 || n <= 0) return;
  const bool integers = a.type == CUDA_R_8I && b.type == CUDA_R_8I;
  if (integers) {
    std::vector<std::int32_t> sums(static_cast<std::size_t>(m * n));
    if (scalars.alpha != cdouble{}) sums = integer_product(op_a, op_b, m, n, k, a, b, threads);
    if (arithmetic.accumulation == Accumulation::Int32 && d.type == CUDA_R_32I) {
      const auto alpha =
          static_cast<std::uint32_t>(static_cast<std::int64_t>(scalars.alpha.real()));
      const auto beta = static_cast<std::uint32_t>(static_cast<std::int64_t>(scalars.beta.real()));
      for (Index j = 0; j < n; ++j) {
        for (Index i = 0; i < m; ++i) {
          std::uint32_t value =
              alpha * static_cast<std::uint32_t>(sums[static_cast<std::size_t>(i + j * m)]);
          std::int32_t old = 0;
          if (beta != 0) {
            std::memcpy(&old, at(c, i, j), sizeof old);
            value += beta * static_cast<std::uint32_t>(old);
          }
          std::memcpy(const_cast<char*>(at(d, i, j)), &value, sizeof value);
        }
      }
      return;
    }
    std::vector<float> column(static_cast<std::size_t>(m)), row;
    for (Index j = 0; j < n; ++j) {
      for (Index i = 0; i < m; ++i) {
        column[static_cast<std::size_t>(i)] =
            static_cast<float>(sums[static_cast<std::size_t>(i + j * m)]);
      }
      finish_column(scalars, column.data(), c, d, j, m, row);
    }
    return;
  }
  switch (arithmetic.accumulation) {
    case Accumulation::Half: {
      std::vector<float> products, row;
      if (scalars.alpha != cdouble{}) products = half_product(op_a, op_b, m, n, k, a, b, threads);
      for (Index j = 0; j < n; ++j) {
        finish_column(scalars, products.data() + (products.empty() ? 0 : j * m), c, d, j, m, row);
      }
      break;
    }
    case Accumulation::Int32:
    case Accumulation::Float:
      multiply_floating<float>(arithmetic, op_a, op_b, m, n, k, scalars, a, b, c, d, threads);
      break;
    case Accumulation::Double:
      multiply_floating<double>(arithmetic, op_a, op_b, m, n, k, scalars, a, b, c, d, threads);
      break;
    case Accumulation::ComplexFloat:
      multiply_floating<cfloat>(arithmetic, op_a, op_b, m, n, k, scalars, a, b, c, d, threads);
      break;
    case Accumulation::ComplexDouble:
      multiply_floating<cdouble>(arithmetic, op_a, op_b, m, n, k, scalars, a, b, c, d, threads);
      break;
  }
}

}  // namespace softgpu::blas
