// cublasLt: layouts, types, epilogues, scales, transforms, and what is refused.
#include <memory>

#include "tests/softgpu/blas/support.hpp"

namespace softgpu::blas::testing {
namespace {

class LtHandle {
 public:
  LtHandle() { EXPECT_EQ(cublasLtCreate(&handle_), CUBLAS_STATUS_SUCCESS); }
  ~LtHandle() { EXPECT_EQ(cublasLtDestroy(handle_), CUBLAS_STATUS_SUCCESS); }
  LtHandle(const LtHandle&) = delete;
  LtHandle& operator=(const LtHandle&) = delete;
  operator cublasLtHandle_t() const { return handle_; }  // NOLINT: used as a cublasLtHandle_t

 private:
  cublasLtHandle_t handle_ = nullptr;
};

class Layout {
 public:
  Layout(cudaDataType type, Index rows, Index columns, Index leading) {
    EXPECT_EQ(cublasLtMatrixLayoutCreate(&layout_, type, static_cast<std::uint64_t>(rows),
                                         static_cast<std::uint64_t>(columns), leading),
              CUBLAS_STATUS_SUCCESS);
  }
  ~Layout() { cublasLtMatrixLayoutDestroy(layout_); }
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;
  operator cublasLtMatrixLayout_t() const { return layout_; }  // NOLINT: used as one
  template <class V>
  Layout& set(cublasLtMatrixLayoutAttribute_t attribute, V value) {
    EXPECT_EQ(cublasLtMatrixLayoutSetAttribute(layout_, attribute, &value, sizeof value),
              CUBLAS_STATUS_SUCCESS);
    return *this;
  }

 private:
  cublasLtMatrixLayout_t layout_ = nullptr;
};

class Product {
 public:
  Product(cublasComputeType_t compute, cudaDataType scale) {
    EXPECT_EQ(cublasLtMatmulDescCreate(&description_, compute, scale), CUBLAS_STATUS_SUCCESS);
  }
  ~Product() { cublasLtMatmulDescDestroy(description_); }
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;
  operator cublasLtMatmulDesc_t() const { return description_; }  // NOLINT: used as one
  template <class V>
  Product& set(cublasLtMatmulDescAttributes_t attribute, V value) {
    EXPECT_EQ(cublasLtMatmulDescSetAttribute(description_, attribute, &value, sizeof value),
              CUBLAS_STATUS_SUCCESS);
    return *this;
  }

 private:
  cublasLtMatmulDesc_t description_ = nullptr;
};

Wide product_at(const Grid<float>& a, const Grid<float>& b, cublasOperation_t op_a,
                cublasOperation_t op_b, Index i, Index j, Index k) {
  Wide sum = 0;
  for (Index p = 0; p < k; ++p) sum += element(a, op_a, i, p) * element(b, op_b, p, j);
  return sum;
}

double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

TEST(BlasLt, TheHeuristicFindsAnAlgorithmThatRuns) {
  const LtHandle handle;
  Grid<float> a(9, 7, 10), b(5, 7, 6), c(9, 5, 11), d(9, 5, 12);
  const Layout al(CUDA_R_32F, 9, 7, 10), bl(CUDA_R_32F, 5, 7, 6), cl(CUDA_R_32F, 9, 5, 11),
      dl(CUDA_R_32F, 9, 5, 12);
  Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
  product.set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
  cublasLtMatmulPreference_t preference = nullptr;
  ASSERT_EQ(cublasLtMatmulPreferenceCreate(&preference), CUBLAS_STATUS_SUCCESS);
  std::size_t workspace = 1 << 20;
  ASSERT_EQ(cublasLtMatmulPreferenceSetAttribute(
                preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace),
            CUBLAS_STATUS_SUCCESS);
  cublasLtMatmulHeuristicResult_t results[3];
  int count = 0;
  ASSERT_EQ(cublasLtMatmulAlgoGetHeuristic(handle, product, al, bl, cl, dl, preference, 3, results,
                                           &count),
            CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(count, 1);
  EXPECT_EQ(results[0].state, CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasLtMatmulAlgoCheck(handle, product, al, bl, cl, dl, &results[0].algo, &results[1]),
            CUBLAS_STATUS_SUCCESS);
  const float alpha = 0.5F, beta = -2;
  ASSERT_EQ(cublasLtMatmul(handle, product, &alpha, a.data(), al, b.data(), bl, &beta, c.data(), cl,
                           d.data(), dl, &results[0].algo, nullptr, 0, nullptr),
            CUBLAS_STATUS_SUCCESS);
  for (Index j = 0; j < 5; ++j) {
    for (Index i = 0; i < 9; ++i) {
      const Wide expected =
          0.5L * product_at(a, b, CUBLAS_OP_N, CUBLAS_OP_T, i, j, 7) - 2.0L * widen(c(i, j));
      ASSERT_TRUE(near(d(i, j), expected, reduction_bound<float>(7, 10)));
    }
  }
  EXPECT_TRUE(d.gaps_intact() && a.unchanged() && b.unchanged() && c.unchanged());
  cublasLtMatmulPreferenceDestroy(preference);
}

TEST(BlasLt, AnOrdinaryHandleStandsInForOneOfItsOwn) {
  const Handle handle;
  auto* stand_in = reinterpret_cast<cublasLtHandle_t>(static_cast<cublasHandle_t>(handle));
  Grid<float> a(4, 4, 4), b(4, 4, 4), d(4, 4, 4);
  const Layout layout(CUDA_R_32F, 4, 4, 4);
  const Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
  const float one = 1, zero = 0;
  EXPECT_EQ(cublasLtMatmul(stand_in, product, &one, a.data(), layout, b.data(), layout, &zero,
                           nullptr, layout, d.data(), layout, nullptr, nullptr, 0, nullptr),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_TRUE(near(d(1, 2), product_at(a, b, CUBLAS_OP_N, CUBLAS_OP_N, 1, 2, 4),
                   reduction_bound<float>(4, 4)));
  EXPECT_EQ(cublasLtMatmul(nullptr, product, &one, a.data(), layout, b.data(), layout, &zero,
                           d.data(), layout, d.data(), layout, nullptr, nullptr, 0, nullptr),
            CUBLAS_STATUS_NOT_INITIALIZED);
}

TEST(BlasLt, RowMajorOrderAndBatches) {
  const LtHandle handle;
  // Stored as columns here, so that element (i, j) of the row major matrix is grid(j, i).
  const Index m = 5, n = 4, k = 6, batch = 3;
  Grid<float> a(k, m * batch, k + 1), b(n, k * batch, n + 2), d(n, m * batch, n + 3);
  const std::int32_t row = CUBLASLT_ORDER_ROW, count = 3;
  Layout al(CUDA_R_32F, m, k, k + 1), bl(CUDA_R_32F, k, n, n + 2), dl(CUDA_R_32F, m, n, n + 3);
  al.set(CUBLASLT_MATRIX_LAYOUT_ORDER, row).set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count);
  bl.set(CUBLASLT_MATRIX_LAYOUT_ORDER, row).set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count);
  dl.set(CUBLASLT_MATRIX_LAYOUT_ORDER, row).set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count);
  al.set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, Index{(k + 1) * m});
  bl.set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, Index{(n + 2) * k});
  dl.set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, Index{(n + 3) * m});
  const Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
  const float one = 1, zero = 0;
  d.fill([](Index, Index) { return false; });
  ASSERT_EQ(cublasLtMatmul(handle, product, &one, a.data(), al, b.data(), bl, &zero, d.data(), dl,
                           d.data(), dl, nullptr, nullptr, 0, nullptr),
            CUBLAS_STATUS_SUCCESS);
  for (Index s = 0; s < batch; ++s) {
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) {
        Wide sum = 0;
        for (Index p = 0; p < k; ++p) sum += widen(a(p, s * m + i)) * widen(b(j, s * k + p));
        ASSERT_TRUE(near(d(j, s * m + i), sum, reduction_bound<float>(k, 6)));
      }
    }
  }
  EXPECT_TRUE(d.gaps_intact());
}

TEST(BlasLt, BiasAndActivations) {
  const LtHandle handle;
  const Index m = 37, n = 9, k = 12;
  for (const cublasLtEpilogue_t epilogue :
       {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU,
        CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_GELU, CUBLASLT_EPILOGUE_GELU_BIAS,
        CUBLASLT_EPILOGUE_RELU_AUX, CUBLASLT_EPILOGUE_RELU_AUX_BIAS, CUBLASLT_EPILOGUE_GELU_AUX,
        CUBLASLT_EPILOGUE_GELU_AUX_BIAS}) {
    Grid<float> a(k, m, k), b(k, n, k), d(m, n, m + 1), aux(m, n, m + 2);
    Device<std::uint8_t> mask(16 * n);
    Vector<float> bias(m, 1);
    const bool has_bias = (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0, has_aux = (epilogue & 128) != 0;
    const bool relu = (epilogue & CUBLASLT_EPILOGUE_RELU) != 0;
    const bool is_gelu = (epilogue & CUBLASLT_EPILOGUE_GELU) != 0;
    Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
    product.set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    product.set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
    if (has_bias) product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.data());
    if (has_aux) {
      void* pointer = relu ? static_cast<void*>(mask.data()) : static_cast<void*>(aux.data());
      product.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, pointer);
      product.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, Index{relu ? 128 : m + 2});
    }
    const Layout al(CUDA_R_32F, k, m, k), bl(CUDA_R_32F, k, n, k), dl(CUDA_R_32F, m, n, m + 1);
    const float alpha = 0.5F, beta = 0;
    ASSERT_EQ(cublasLtMatmul(handle, product, &alpha, a.data(), al, b.data(), bl, &beta, d.data(),
                             dl, d.data(), dl, nullptr, nullptr, 0, nullptr),
              CUBLAS_STATUS_SUCCESS);
    for (Index j = 0; j < n; ++j) {
      for (Index i = 0; i < m; ++i) {
        const auto sum = 0.5L * product_at(a, b, CUBLAS_OP_T, CUBLAS_OP_N, i, j, k).real();
        const auto before = static_cast<double>(sum + (has_bias ? bias[i] : 0.0F));
        const double after = relu ? std::max(before, 0.0) : is_gelu ? gelu(before) : before;
        ASSERT_TRUE(near(d(i, j), after, reduction_bound<float>(k, 10))) << epilogue;
        if (has_aux && relu && std::fabs(before) > 1e-4) {
          ASSERT_EQ(mask.data()[16 * j + i / 8] >> (i % 8) & 1, before > 0 ? 1 : 0);
        } else if (has_aux && !relu) {
          ASSERT_TRUE(near(aux(i, j), before, reduction_bound<float>(k, 10)));
        }
      }
    }
    ASSERT_TRUE(d.gaps_intact() && (!has_aux || relu || aux.gaps_intact()));
  }
}

TEST(BlasLt, GradientsOfActivationsAndBiases) {
  const LtHandle handle;
  const Index m = 19, n = 6, k = 5;
  for (const cublasLtEpilogue_t epilogue :
       {CUBLASLT_EPILOGUE_DRELU, CUBLASLT_EPILOGUE_DRELU_BGRAD, CUBLASLT_EPILOGUE_DGELU,
        CUBLASLT_EPILOGUE_DGELU_BGRAD, CUBLASLT_EPILOGUE_BGRADA, CUBLASLT_EPILOGUE_BGRADB}) {
    Grid<float> a(m, k, m), b(k, n, k), d(m, n, m), aux(m, n, m);
    Device<std::uint8_t> mask(16 * n);
    for (Index i = 0; i < 16 * n; ++i) mask.data()[i] = static_cast<std::uint8_t>(i * 37);
    const bool by_column = epilogue == CUBLASLT_EPILOGUE_BGRADB;
    Vector<float> gradient(by_column ? n : m, 1);
    const bool relu = (epilogue & 8) != 0, is_gelu = (epilogue & 64) != 0;
    const bool of_d = (epilogue & 16) != 0, of_inputs = (epilogue & 768) != 0;
    Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
    product.set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
    if (of_d || of_inputs) product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, gradient.data());
    if (relu || is_gelu) {
      void* pointer = relu ? static_cast<void*>(mask.data()) : static_cast<void*>(aux.data());
      product.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, pointer);
      product.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, Index{relu ? 128 : m});
    }
    const Layout al(CUDA_R_32F, m, k, m), bl(CUDA_R_32F, k, n, k), dl(CUDA_R_32F, m, n, m);
    const float one = 1, zero = 0;
    ASSERT_EQ(cublasLtMatmul(handle, product, &one, a.data(), al, b.data(), bl, &zero, d.data(), dl,
                             d.data(), dl, nullptr, nullptr, 0, nullptr),
              CUBLAS_STATUS_SUCCESS);
    std::vector<double> sums(static_cast<std::size_t>(by_column ? n : m));
    for (Index j = 0; j < n; ++j) {
      for (Index i = 0; i < m; ++i) {
        auto value =
            static_cast<double>(product_at(a, b, CUBLAS_OP_N, CUBLAS_OP_N, i, j, k).real());
        if (relu && (mask.data()[16 * j + i / 8] >> (i % 8) & 1) == 0) value = 0;
        if (is_gelu) {
          // The slope by central differences.
          const double x = aux(i, j), h = 1e-5;
          value *= (gelu(x + h) - gelu(x - h)) / (2 * h);
        }
        ASSERT_TRUE(near(d(i, j), value, reduction_bound<float>(k, 8))) << epilogue;
        if (of_d) sums[static_cast<std::size_t>(i)] += value;
      }
    }
    for (Index p = 0; p < k && of_inputs; ++p) {
      for (std::size_t i = 0; i < sums.size(); ++i) {
        sums[i] += by_column ? b(p, static_cast<Index>(i)) : a(static_cast<Index>(i), p);
      }
    }
    for (std::size_t i = 0; i < sums.size() && (of_d || of_inputs); ++i) {
      ASSERT_NEAR(gradient[static_cast<Index>(i)], sums[i], 1e-4) << epilogue;
    }
  }
}

TEST(BlasLt, HalfPrecisionRoundsOnceAndTakesItsBiasInItsOwnType) {
  const LtHandle handle;
  const Index m = 17, n = 8, k = 33;
  Grid<BFloat16> a(m, k, m), b(k, n, k), d(m, n, m);
  Vector<BFloat16> bias(m, 1);
  Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
  product.set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
  product.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.data());
  const Layout al(CUDA_R_16BF, m, k, m), bl(CUDA_R_16BF, k, n, k), dl(CUDA_R_16BF, m, n, m);
  const float one = 1, zero = 0;
  ASSERT_EQ(cublasLtMatmul(handle, product, &one, a.data(), al, b.data(), bl, &zero, d.data(), dl,
                           d.data(), dl, nullptr, nullptr, 0, nullptr),
            CUBLAS_STATUS_SUCCESS);
  for (Index j = 0; j < n; ++j) {
    for (Index i = 0; i < m; ++i) {
      Wide sum = widen(bias[i]);
      for (Index p = 0; p < k; ++p) sum += widen(a(i, p)) * widen(b(p, j));
      ASSERT_TRUE(near(d(i, j), sum, 0.5L * epsilon<BFloat16>() * std::abs(sum) + 1e-5L));
    }
  }
}

TEST(BlasLt, AlphaOfEachRowFromDeviceMemory) {
  const LtHandle handle;
  Grid<float> a(6, 3, 6), b(3, 4, 3), c(6, 4, 6), d(6, 4, 6);
  Vector<float> alpha(6, 1), beta(6, 1);
  Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
  product.set(CUBLASLT_MATMUL_DESC_POINTER_MODE, CUBLASLT_POINTER_MODE_DEVICE_VECTOR);
  const Layout al(CUDA_R_32F, 6, 3, 6), bl(CUDA_R_32F, 3, 4, 3), dl(CUDA_R_32F, 6, 4, 6);
  ASSERT_EQ(cublasLtMatmul(handle, product, alpha.data(), a.data(), al, b.data(), bl, beta.data(),
                           c.data(), dl, d.data(), dl, nullptr, nullptr, 0, nullptr),
            CUBLAS_STATUS_SUCCESS);
  for (Index j = 0; j < 4; ++j) {
    for (Index i = 0; i < 6; ++i) {
      const Wide expected = widen(alpha[i]) * product_at(a, b, CUBLAS_OP_N, CUBLAS_OP_N, i, j, 3) +
                            widen(beta[i]) * widen(c(i, j));
      ASSERT_TRUE(near(d(i, j), expected, reduction_bound<float>(3, 4)));
    }
  }
}

TEST(BlasLt, EightBitIntegersThroughTiledOrders) {
  const LtHandle handle;
  const Index m = 35, n = 40, k = 64;
  Grid<std::int8_t> a(m, k, m), b(n, k, n);
  cublasLtMatrixTransformDesc_t transform = nullptr;
  ASSERT_EQ(cublasLtMatrixTransformDescCreate(&transform, CUDA_R_32F), CUBLAS_STATUS_SUCCESS);
  const float one = 1, zero = 0;
  const auto tiled = [](cudaDataType type, Index rows, Index columns, Index padded,
                        std::int32_t order) {
    auto layout = std::make_unique<Layout>(type, rows, columns, 32 * padded);
    layout->set(CUBLASLT_MATRIX_LAYOUT_ORDER, order);
    return layout;
  };
  for (const std::int32_t order : {CUBLASLT_ORDER_COL4_4R2_8C, CUBLASLT_ORDER_COL32_2R_4R4}) {
    const Index padded = 64;
    Device<std::int8_t> a_tiles(32 * padded * 2), b_tiles(32 * padded * 2);
    Device<std::int32_t> d_tiles(32 * padded * 2), d(m * n);
    const auto a_layout = tiled(CUDA_R_8I, m, k, padded, CUBLASLT_ORDER_COL32);
    const auto b_layout = tiled(CUDA_R_8I, n, k, padded, order);
    const auto d_layout = tiled(CUDA_R_32I, m, n, padded, CUBLASLT_ORDER_COL32);
    const Layout a_plain(CUDA_R_8I, m, k, m), b_plain(CUDA_R_8I, n, k, n),
        d_plain(CUDA_R_32I, m, n, m);
    ASSERT_EQ(cublasLtMatrixTransform(handle, transform, &one, a.data(), a_plain, &zero, nullptr,
                                      nullptr, a_tiles.data(), *a_layout, nullptr),
              CUBLAS_STATUS_SUCCESS);
    ASSERT_EQ(cublasLtMatrixTransform(handle, transform, &one, b.data(), b_plain, &zero, nullptr,
                                      nullptr, b_tiles.data(), *b_layout, nullptr),
              CUBLAS_STATUS_SUCCESS);
    Product product(CUBLAS_COMPUTE_32I, CUDA_R_32I);
    product.set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
    const std::int32_t i_one = 1, i_zero = 0;
    ASSERT_EQ(cublasLtMatmul(handle, product, &i_one, a_tiles.data(), *a_layout, b_tiles.data(),
                             *b_layout, &i_zero, d_tiles.data(), *d_layout, d_tiles.data(),
                             *d_layout, nullptr, nullptr, 0, nullptr),
              CUBLAS_STATUS_SUCCESS);
    ASSERT_EQ(cublasLtMatrixTransform(handle, transform, &one, d_tiles.data(), *d_layout, &zero,
                                      nullptr, nullptr, d.data(), d_plain, nullptr),
              CUBLAS_STATUS_SUCCESS);
    for (Index j = 0; j < n; ++j) {
      for (Index i = 0; i < m; ++i) {
        int sum = 0;
        for (Index p = 0; p < k; ++p) sum += a(i, p) * b(j, p);
        ASSERT_EQ(d.data()[i + j * m], sum);
      }
    }
  }
  cublasLtMatrixTransformDescDestroy(transform);
}

TEST(BlasLt, TransformsTransposeScaleAndConvert) {
  const LtHandle handle;
  Grid<float> a(5, 7, 6);
  Grid<BFloat16> b(7, 5, 8), c(7, 5, 9);
  cublasLtMatrixTransformDesc_t transform = nullptr;
  ASSERT_EQ(cublasLtMatrixTransformDescCreate(&transform, CUDA_R_32F), CUBLAS_STATUS_SUCCESS);
  const cublasOperation_t transposed = CUBLAS_OP_T;
  ASSERT_EQ(cublasLtMatrixTransformDescSetAttribute(
                transform, CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSA, &transposed, sizeof transposed),
            CUBLAS_STATUS_SUCCESS);
  const Layout al(CUDA_R_32F, 5, 7, 6), bl(CUDA_R_16BF, 7, 5, 8), cl(CUDA_R_16BF, 7, 5, 9);
  const float alpha = 2, beta = -1;
  ASSERT_EQ(cublasLtMatrixTransform(handle, transform, &alpha, a.data(), al, &beta, b.data(), bl,
                                    c.data(), cl, nullptr),
            CUBLAS_STATUS_SUCCESS);
  for (Index j = 0; j < 5; ++j) {
    for (Index i = 0; i < 7; ++i) {
      const Wide expected = 2.0L * widen(a(j, i)) - widen(b(i, j));
      ASSERT_TRUE(near(c(i, j), expected, 0.5L * epsilon<BFloat16>() * std::abs(expected)));
    }
  }
  EXPECT_TRUE(c.gaps_intact());
  cublasLtMatrixTransformDescDestroy(transform);
}

TEST(BlasLt, EightBitFloatsWithScales) {
  const LtHandle handle;
  const Index m = 16, n = 32, k = 48;
  Device<std::uint8_t> a(k * m), b(k * n), d8(m * n);
  Grid<BFloat16> d(m, n, m);
  for (Index i = 0; i < k * m; ++i) a.data()[i] = to_e4m3(random_element<float>()).bits;
  for (Index i = 0; i < k * n; ++i) b.data()[i] = to_e5m2(random_element<float>()).bits;
  Vector<float> scales(3, 1), amax(1, 1);
  Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
  product.set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  product.set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, &scales[0]);
  product.set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, &scales[1]);
  product.set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
  const Layout al(CUDA_R_8F_E4M3, k, m, k), bl(CUDA_R_8F_E5M2, k, n, k), dl(CUDA_R_16BF, m, n, m),
      d8l(CUDA_R_8F_E4M3, m, n, m);
  const float one = 1, zero = 0;
  ASSERT_EQ(cublasLtMatmul(handle, product, &one, a.data(), al, b.data(), bl, &zero, d.data(), dl,
                           d.data(), dl, nullptr, nullptr, 0, nullptr),
            CUBLAS_STATUS_SUCCESS);
  product.set(CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, &scales[2]);
  product.set(CUBLASLT_MATMUL_DESC_AMAX_D_POINTER, amax.data());
  ASSERT_EQ(cublasLtMatmul(handle, product, &one, a.data(), al, b.data(), bl, &zero, d.data(), dl,
                           d8.data(), d8l, nullptr, nullptr, 0, nullptr),
            CUBLAS_STATUS_SUCCESS);
  long double largest = 0;
  for (Index j = 0; j < n; ++j) {
    for (Index i = 0; i < m; ++i) {
      long double sum = 0;
      for (Index p = 0; p < k; ++p) {
        sum += static_cast<long double>(to_float(E4M3{a.data()[p + i * k]})) *
               static_cast<long double>(to_float(E5M2{b.data()[p + j * k]}));
      }
      sum *= static_cast<long double>(scales[0]) * static_cast<long double>(scales[1]);
      largest = std::max(largest, std::fabs(sum));
      ASSERT_TRUE(near(d(i, j), sum, 0.5L * epsilon<BFloat16>() * std::fabs(sum) + 1e-5L));
      const long double scaled = sum * static_cast<long double>(scales[2]);
      const float got = to_float(E4M3{d8.data()[i + j * m]});
      // Half a unit of three fraction bits, or of the spacing of subnormals.
      ASSERT_LE(std::fabs(got - scaled), 0x1p-4L * std::fabs(scaled) + 0x1p-10L + 1e-5L);
    }
  }
  EXPECT_NEAR(amax[0], static_cast<double>(largest), 1e-4);
}

TEST(BlasLt, WhatItCannotDoIsRefused) {
  const LtHandle handle;
  Grid<float> a(4, 4, 4), b(4, 4, 4), d(4, 4, 4);
  const Layout good(CUDA_R_32F, 4, 4, 4), half(CUDA_R_16F, 4, 4, 4), wide(CUDA_R_32F, 4, 5, 4);
  const Layout thin(CUDA_R_32F, 4, 4, 3);
  const Product product(CUBLAS_COMPUTE_32F, CUDA_R_32F);
  const float one = 1, zero = 0;
  const auto run = [&](cublasLtMatrixLayout_t al, cublasLtMatrixLayout_t bl,
                       cublasLtMatrixLayout_t dl) {
    return cublasLtMatmul(handle, product, &one, a.data(), al, b.data(), bl, &zero, d.data(), dl,
                          d.data(), dl, nullptr, nullptr, 0, nullptr);
  };
  EXPECT_EQ(run(good, good, good), CUBLAS_STATUS_SUCCESS);
  d.remember();
  EXPECT_EQ(run(wide, good, good), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(run(good, wide, good), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(run(thin, good, good), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(run(nullptr, good, good), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(run(half, good, good), CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_TRUE(d.unchanged());
  std::int32_t order = 0;
  std::size_t written = 0;
  EXPECT_EQ(cublasLtMatrixLayoutSetAttribute(good, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, 8),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(cublasLtMatrixLayoutGetAttribute(good, CUBLASLT_MATRIX_LAYOUT_LD, nullptr, 0, &written),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(written, 8U);
}

}  // namespace
}  // namespace softgpu::blas::testing
