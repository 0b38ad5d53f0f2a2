// cublasLt: products with layouts, epilogues and scales.
//
// Descriptions live inside the program's opaque structures, as plain fields. There is one
// algorithm; it needs no workspace.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <numbers>
#include <optional>
#include <vector>

#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/kernels.hpp"
#include "softgpu/blas/pointers.hpp"
#include "softgpu/blas/product.hpp"
#include "softgpu/blas/runtime_api.hpp"
#include "softgpu/blas/status.hpp"

struct cublasLtContext {
  int device = 0;
};

namespace softgpu::blas {

std::atomic<bool> logging{false};

namespace {

using Index = std::int64_t;

// --- logging ------------------------------------------------------------------------------------

struct Log {
  std::mutex mutex;
  cublasLtLoggerCallback_t callback = nullptr;
  std::FILE* file = nullptr;
  bool owned = false;  // opened here, to be closed here
  bool disabled = false;
  int level = 0;
  int mask = 0;
};

// Never destroyed: calls may come from a program's own destructors.
Log& log_state() {
  static auto* instance = new Log;
  return *instance;
}

// Level 5 (bit 16 of the mask) is the trace of calls, the only thing logged here.
void update_logging() {
  const Log& log = log_state();
  logging = !log.disabled && (log.level >= 5 || (log.mask & 16) != 0) &&
            (log.callback != nullptr || log.file != nullptr);
}

template <class Change>
cublasStatus_t change_log(const Change& change) {
  const std::lock_guard lock(log_state().mutex);
  const cublasStatus_t status = change(log_state());
  update_logging();
  return status;
}

cublasStatus_t set_log_callback(cublasLtLoggerCallback_t callback) {
  return change_log([&](Log& log) {
    log.callback = callback;
    return CUBLAS_STATUS_SUCCESS;
  });
}
void replace_file(Log& log, std::FILE* file, bool owned) {
  if (log.owned && log.file != nullptr) std::fclose(log.file);
  log.file = file;
  log.owned = owned;
}
cublasStatus_t set_log_file(std::FILE* file) {
  return change_log([&](Log& log) {
    replace_file(log, file, false);
    return CUBLAS_STATUS_SUCCESS;
  });
}
cublasStatus_t open_log_file(const char* name) {
  if (name == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  return change_log([&](Log& log) {
    std::FILE* file = std::fopen(name, "a");
    if (file == nullptr) {
      std::fprintf(stderr, "softgpu: cublasLtLoggerOpenFile: cannot write to '%s'\n", name);
      return CUBLAS_STATUS_INVALID_VALUE;
    }
    replace_file(log, file, true);
    return CUBLAS_STATUS_SUCCESS;
  });
}
cublasStatus_t set_log_level(int level) {
  if (level < 0 || level > 5) return CUBLAS_STATUS_INVALID_VALUE;
  return change_log([&](Log& log) {
    log.level = level;
    return CUBLAS_STATUS_SUCCESS;
  });
}
cublasStatus_t set_log_mask(int mask) {
  return change_log([&](Log& log) {
    log.mask = mask;
    return CUBLAS_STATUS_SUCCESS;
  });
}
cublasStatus_t disable_log() {
  return change_log([&](Log& log) {
    log.disabled = true;
    return CUBLAS_STATUS_SUCCESS;
  });
}

// --- descriptions -------------------------------------------------------------------------------

struct LayoutState {
  std::int32_t type;
  std::int32_t order;
  std::uint64_t rows, columns;
  std::int64_t leading;
  std::int64_t batch_stride, plane_offset;
  std::int32_t batch_count;
  std::uint32_t batch_mode;
};

struct MatmulState {
  std::int32_t compute, scale_type, pointer_mode, op_a, op_b, op_c, fill_mode;
  std::uint32_t epilogue;
  const void* bias;
  std::int64_t bias_stride;
  void* aux;
  std::int64_t aux_leading, aux_stride, alpha_stride;
  const void *a_scale, *b_scale, *c_scale, *d_scale;
  void* amax;
  const void* aux_scale;
  void* aux_amax;
  void* d_out_scale;
  void* emulation;
  std::int32_t sm_count, aux_type, bias_type;
  std::int32_t a_mode, b_mode, c_mode, d_mode, aux_mode, d_out_mode;
  std::int8_t fast_accumulation;
};

struct TransformState {
  std::int32_t scale_type, pointer_mode, op_a, op_b;
};

struct PreferenceState {
  std::uint32_t search_mode = CUBLASLT_SEARCH_BEST_FIT;
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
  std::uint64_t workspace = 0;
  std::uint32_t alignment_a = 256, alignment_b = 256, alignment_c = 256, alignment_d = 256;
  float waves = 0;
  std::uint32_t reserved = 0;
  std::uint64_t implementations = ~std::uint64_t{0};
};

struct EmulationState {
  std::int32_t strategy = 0, special_values = 0xffff, control = 0, bits = 0, offset = 0;
  std::int32_t reserved = 0;
  void* bits_pointer = nullptr;
};

struct AlgorithmState {
  std::int32_t id;
  std::uint32_t tile;
  std::int32_t split_k;
  std::uint32_t reduction, swizzling, custom, stages;
  std::uint16_t inner_shape, cluster_shape;
};

static_assert(sizeof(LayoutState) <= sizeof(cublasLtMatrixLayoutOpaque_t));
static_assert(sizeof(MatmulState) <= sizeof(cublasLtMatmulDescOpaque_t));
static_assert(sizeof(TransformState) <= sizeof(cublasLtMatrixTransformDescOpaque_t));
static_assert(sizeof(PreferenceState) <= sizeof(cublasLtMatmulPreferenceOpaque_t));
static_assert(sizeof(EmulationState) <= sizeof(cublasLtEmulationDescOpaque_t));
static_assert(sizeof(AlgorithmState) <= sizeof(cublasLtMatmulAlgo_t));

template <class State, class Opaque>
State read_state(const Opaque* opaque) {
  State state;
  std::memcpy(static_cast<void*>(&state), opaque, sizeof state);
  return state;
}

template <class State, class Opaque>
cublasStatus_t init_state(Opaque* opaque, std::size_t size, const State& state) {
  if (opaque == nullptr || size < sizeof(Opaque)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memset(static_cast<void*>(opaque), 0, sizeof(Opaque));
  std::memcpy(static_cast<void*>(opaque), &state, sizeof state);
  return CUBLAS_STATUS_SUCCESS;
}

template <class Opaque, class Init>
cublasStatus_t create_description(Opaque** opaque, const Init& init) {
  if (opaque == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *opaque = new (std::nothrow) Opaque;
  if (*opaque == nullptr) return CUBLAS_STATUS_ALLOC_FAILED;
  const cublasStatus_t status = init(*opaque, sizeof(Opaque));
  if (status != CUBLAS_STATUS_SUCCESS) {
    delete *opaque;
    *opaque = nullptr;
  }
  return status;
}

template <class Opaque>
cublasStatus_t destroy_description(Opaque* opaque) {
  delete opaque;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t init_layout(cublasLtMatrixLayout_t layout, std::size_t size, cudaDataType type,
                           std::uint64_t rows, std::uint64_t columns, std::int64_t leading) {
  return init_state<LayoutState>(
      layout, size,
      {type, CUBLASLT_ORDER_COL, rows, columns, leading, 0, 0, 1, CUBLASLT_BATCH_MODE_STRIDED});
}

cublasStatus_t init_matmul(cublasLtMatmulDesc_t description, std::size_t size,
                           cublasComputeType_t compute, cudaDataType scale_type) {
  MatmulState state{};
  state.compute = compute;
  state.scale_type = scale_type;
  state.fill_mode = CUBLAS_FILL_MODE_FULL;
  state.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  state.aux_type = -1;
  state.bias_type = -1;
  return init_state(description, size, state);
}

cublasStatus_t init_transform(cublasLtMatrixTransformDesc_t description, std::size_t size,
                              cudaDataType scale_type) {
  return init_state<TransformState>(description, size,
                                    {scale_type, CUBLASLT_POINTER_MODE_HOST, 0, 0});
}

struct Field {
  int attribute;
  std::size_t offset, size;
};
#define SOFTGPU_FIELD(attribute, State, field) \
  Field { attribute, offsetof(State, field), sizeof(State::field) }

constexpr Field kLayoutFields[] = {
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_TYPE, LayoutState, type),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_ORDER, LayoutState, order),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_ROWS, LayoutState, rows),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_COLS, LayoutState, columns),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_LD, LayoutState, leading),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, LayoutState, batch_count),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, LayoutState, batch_stride),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_PLANE_OFFSET, LayoutState, plane_offset),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_LAYOUT_BATCH_MODE, LayoutState, batch_mode),
};
constexpr Field kMatmulFields[] = {
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, MatmulState, compute),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_SCALE_TYPE, MatmulState, scale_type),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_POINTER_MODE, MatmulState, pointer_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_TRANSA, MatmulState, op_a),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_TRANSB, MatmulState, op_b),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_TRANSC, MatmulState, op_c),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_FILL_MODE, MatmulState, fill_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE, MatmulState, epilogue),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_BIAS_POINTER, MatmulState, bias),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, MatmulState, bias_stride),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, MatmulState, aux),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, MatmulState, aux_leading),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, MatmulState, aux_stride),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_ALPHA_VECTOR_BATCH_STRIDE, MatmulState, alpha_stride),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, MatmulState, sm_count),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, MatmulState, a_scale),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, MatmulState, b_scale),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_C_SCALE_POINTER, MatmulState, c_scale),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, MatmulState, d_scale),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_AMAX_D_POINTER, MatmulState, amax),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, MatmulState, aux_type),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_SCALE_POINTER, MatmulState, aux_scale),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_AMAX_POINTER, MatmulState, aux_amax),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_FAST_ACCUM, MatmulState, fast_accumulation),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, MatmulState, bias_type),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_A_SCALE_MODE, MatmulState, a_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_B_SCALE_MODE, MatmulState, b_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_C_SCALE_MODE, MatmulState, c_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_D_SCALE_MODE, MatmulState, d_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_SCALE_MODE, MatmulState, aux_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_D_OUT_SCALE_POINTER, MatmulState, d_out_scale),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_D_OUT_SCALE_MODE, MatmulState, d_out_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_DESC_EMULATION_DESCRIPTOR, MatmulState, emulation),
};
constexpr Field kTransformFields[] = {
    SOFTGPU_FIELD(CUBLASLT_MATRIX_TRANSFORM_DESC_SCALE_TYPE, TransformState, scale_type),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_TRANSFORM_DESC_POINTER_MODE, TransformState, pointer_mode),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSA, TransformState, op_a),
    SOFTGPU_FIELD(CUBLASLT_MATRIX_TRANSFORM_DESC_TRANSB, TransformState, op_b),
};
constexpr Field kPreferenceFields[] = {
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_SEARCH_MODE, PreferenceState, search_mode),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, PreferenceState, workspace),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, PreferenceState, reductions),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, PreferenceState, alignment_a),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, PreferenceState, alignment_b),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, PreferenceState, alignment_c),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, PreferenceState, alignment_d),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_MAX_WAVES_COUNT, PreferenceState, waves),
    SOFTGPU_FIELD(CUBLASLT_MATMUL_PREF_IMPL_MASK, PreferenceState, implementations),
};
constexpr Field kEmulationFields[] = {
    SOFTGPU_FIELD(CUBLASLT_EMULATION_DESC_STRATEGY, EmulationState, strategy),
    SOFTGPU_FIELD(CUBLASLT_EMULATION_DESC_SPECIAL_VALUES_SUPPORT, EmulationState, special_values),
    SOFTGPU_FIELD(CUBLASLT_EMULATION_DESC_FIXEDPOINT_MANTISSA_CONTROL, EmulationState, control),
    SOFTGPU_FIELD(CUBLASLT_EMULATION_DESC_FIXEDPOINT_MAX_MANTISSA_BIT_COUNT, EmulationState, bits),
    SOFTGPU_FIELD(CUBLASLT_EMULATION_DESC_FIXEDPOINT_MANTISSA_BIT_OFFSET, EmulationState, offset),
    SOFTGPU_FIELD(CUBLASLT_EMULATION_DESC_FIXEDPOINT_MANTISSA_BIT_COUNT_POINTER, EmulationState,
                  bits_pointer),
};
constexpr Field kAlgorithmFields[] = {
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_ID, AlgorithmState, id),
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_TILE_ID, AlgorithmState, tile),
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_SPLITK_NUM, AlgorithmState, split_k),
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, AlgorithmState, reduction),
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, AlgorithmState, swizzling),
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION, AlgorithmState, custom),
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_STAGES_ID, AlgorithmState, stages),
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, AlgorithmState, inner_shape),
    SOFTGPU_FIELD(CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID, AlgorithmState, cluster_shape),
};
#undef SOFTGPU_FIELD

template <std::size_t N>
const Field* find_field(const Field (&fields)[N], int attribute) {
  const auto* found = std::find_if(std::begin(fields), std::end(fields),
                                   [&](const Field& f) { return f.attribute == attribute; });
  return found == std::end(fields) ? nullptr : found;
}

template <class Opaque, std::size_t N>
cublasStatus_t set_attribute(Opaque* opaque, const Field (&fields)[N], int attribute,
                             const void* buffer, std::size_t size) {
  const Field* field = find_field(fields, attribute);
  if (opaque == nullptr || field == nullptr || buffer == nullptr || size != field->size) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::memcpy(reinterpret_cast<char*>(opaque) + field->offset, buffer, size);
  return CUBLAS_STATUS_SUCCESS;
}

// A size of zero asks how many bytes the attribute has.
cublasStatus_t give(const void* value, std::size_t bytes, void* buffer, std::size_t size,
                    std::size_t* written) {
  if (size == 0) {
    if (written == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    *written = bytes;
    return CUBLAS_STATUS_SUCCESS;
  }
  if (buffer == nullptr || size < bytes) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(buffer, value, bytes);
  if (written != nullptr) *written = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

template <class Opaque, std::size_t N>
cublasStatus_t get_attribute(const Opaque* opaque, const Field (&fields)[N], int attribute,
                             void* buffer, std::size_t size, std::size_t* written) {
  const Field* field = find_field(fields, attribute);
  if (opaque == nullptr || field == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  return give(reinterpret_cast<const char*>(opaque) + field->offset, field->size, buffer, size,
              written);
}

// --- handles ------------------------------------------------------------------------------------

cublasStatus_t create(cublasLtHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = nullptr;
  int devices = 0, device = 0;
  if (cudaGetDeviceCount(&devices) != 0 || devices == 0 || cudaGetDevice(&device) != 0) {
    return CUBLAS_STATUS_NOT_INITIALIZED;
  }
  *handle = new (std::nothrow) cublasLtContext{device};
  if (*handle == nullptr) return CUBLAS_STATUS_ALLOC_FAILED;
  register_handle(*handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t destroy(cublasLtHandle_t handle) {
  if (handle == nullptr) return CUBLAS_STATUS_SUCCESS;
  if (!forget_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

// Asked for and remembered; with one algorithm there is nothing to cache.
std::atomic<std::size_t> cache_capacity{8192};
cublasStatus_t get_cache_capacity(std::size_t* capacity) {
  if (capacity == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *capacity = cache_capacity;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t set_cache_capacity(std::size_t capacity) {
  cache_capacity = capacity;
  return CUBLAS_STATUS_SUCCESS;
}

// --- what can be computed -----------------------------------------------------------------------

struct TypeSet {
  cublasComputeType_t compute;
  cudaDataType scale, a, b, c, d;
};

bool is_fp8(cudaDataType type) { return type == CUDA_R_8F_E4M3 || type == CUDA_R_8F_E5M2; }

// The combinations of the tables of cublasLtMatmul.
bool is_supported(const TypeSet& types) {
  const bool same = types.a == types.b, result = types.c == types.d;
  switch (types.compute) {
    case CUBLAS_COMPUTE_16F:
    case CUBLAS_COMPUTE_16F_PEDANTIC:
      return types.scale == CUDA_R_16F && same && result && types.a == CUDA_R_16F &&
             types.d == CUDA_R_16F;
    case CUBLAS_COMPUTE_32I:
    case CUBLAS_COMPUTE_32I_PEDANTIC:
      return same && result && types.a == CUDA_R_8I &&
             ((types.scale == CUDA_R_32I && types.d == CUDA_R_32I) ||
              (types.scale == CUDA_R_32F && types.d == CUDA_R_8I));
    case CUBLAS_COMPUTE_64F:
    case CUBLAS_COMPUTE_64F_PEDANTIC:
    case CUBLAS_COMPUTE_64F_EMULATED_FIXEDPOINT:
      return same && result && types.a == types.d && types.scale == types.a &&
             (types.a == CUDA_R_64F || types.a == CUDA_C_64F);
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
    case CUBLAS_COMPUTE_32F_FAST_16F:
    case CUBLAS_COMPUTE_32F_FAST_16BF:
    case CUBLAS_COMPUTE_32F_FAST_TF32:
    case CUBLAS_COMPUTE_32F_EMULATED_16BFX9: break;
    default: return false;
  }
  if (types.scale == CUDA_C_32F) {
    return same && result && types.a == CUDA_C_32F && types.d == CUDA_C_32F;
  }
  if (types.scale != CUDA_R_32F) return false;
  if (is_fp8(types.a) && is_fp8(types.b)) {
    if (types.a == CUDA_R_8F_E5M2 && types.b == CUDA_R_8F_E5M2) return false;
    if (is_fp8(types.d)) return types.c == CUDA_R_16BF || types.c == CUDA_R_16F;
    return result && (types.d == CUDA_R_16BF || types.d == CUDA_R_16F || types.d == CUDA_R_32F);
  }
  if (!same || !result) return false;
  switch (types.a) {
    case CUDA_R_16F:
    case CUDA_R_16BF: return types.d == types.a || types.d == CUDA_R_32F;
    case CUDA_R_8I:
    case CUDA_R_32F: return types.d == CUDA_R_32F;
    default: return false;
  }
}

// Where an element of a layout lies, in elements from the start of its matrix.
Index offset_of(const LayoutState& layout, Index i, Index j) {
  switch (layout.order) {
    case CUBLASLT_ORDER_ROW: return i * layout.leading + j;
    case CUBLASLT_ORDER_COL32: return (j / 32) * layout.leading + i * 32 + j % 32;
    case CUBLASLT_ORDER_COL4_4R2_8C: {
      // Tiles of 8 rows by 32 columns; in a tile, blocks of 4 columns of the even, then of the odd
      // rows. Programs reach this order through cublasLtMatrixTransform only.
      const Index row = i % 8, column = j % 32;
      return (j / 32) * layout.leading + (i / 8) * 256 + (row % 2) * 128 + (column / 4) * 16 +
             (row / 2) * 4 + column % 4;
    }
    case CUBLASLT_ORDER_COL32_2R_4R4: {
      // Tiles of 32 rows by 32 columns.
      const Index row = i % 32;
      return (j / 32) * layout.leading + (i / 32) * 1024 +
             (((row % 8) / 2 * 4 + row / 8) * 2 + row % 2) * 32 + j % 32;
    }
    default: return i + j * layout.leading;
  }
}

bool is_tiled(const LayoutState& layout) {
  return layout.order != CUBLASLT_ORDER_COL && layout.order != CUBLASLT_ORDER_ROW;
}

Index rows_of(const LayoutState& layout) { return static_cast<Index>(layout.rows); }
Index columns_of(const LayoutState& layout) { return static_cast<Index>(layout.columns); }
cudaDataType type_of(const LayoutState& layout) { return static_cast<cudaDataType>(layout.type); }

bool is_valid(const LayoutState& layout) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;
  if (element_bytes(type_of(layout)) == 0 || layout.rows > kMost || layout.columns > kMost ||
      layout.leading > static_cast<std::int64_t>(kMost) || layout.batch_count < 1) {
    return false;
  }
  const auto round_up = [](Index n, Index to) { return (n + to - 1) / to * to; };
  const Index rows = rows_of(layout), columns = columns_of(layout);
  switch (layout.order) {
    case CUBLASLT_ORDER_COL: return layout.leading >= at_least_one(rows);
    case CUBLASLT_ORDER_ROW: return layout.leading >= at_least_one(columns);
    case CUBLASLT_ORDER_COL32: return layout.leading >= 32 * rows;
    case CUBLASLT_ORDER_COL4_4R2_8C: return layout.leading >= 32 * round_up(rows, 8);
    case CUBLASLT_ORDER_COL32_2R_4R4: return layout.leading >= 32 * round_up(rows, 32);
    default: return false;
  }
}

// Bytes of one matrix from its start to behind its last element.
std::size_t bytes_of(const LayoutState& layout) {
  const Index rows = rows_of(layout), columns = columns_of(layout);
  const std::size_t element = element_bytes(type_of(layout));
  if (rows == 0 || columns == 0) return 0;
  if (layout.order == CUBLASLT_ORDER_ROW)
    return matrix_bytes(columns, rows, layout.leading, element);
  if (!is_tiled(layout)) return matrix_bytes(rows, columns, layout.leading, element);
  Index last = 0;
  for (Index i = std::max<Index>(0, rows - 32); i < rows; ++i) {
    for (Index j = std::max<Index>(0, columns - 32); j < columns; ++j) {
      last = std::max(last, offset_of(layout, i, j));
    }
  }
  return static_cast<std::size_t>(last + 1) * element;
}

Pointers pointers_of(const LayoutState& layout, const void* base) {
  if (layout.batch_mode == CUBLASLT_BATCH_MODE_POINTER_ARRAY) {
    return Pointers(static_cast<const void* const*>(base));
  }
  return {base, layout.batch_stride, element_bytes(type_of(layout))};
}

// One matrix as an operand; of tiled orders a copy in column major order.
struct Loaded {
  Operand operand;
  std::vector<char> copy;
};
Loaded load_operand(const LayoutState& layout, const void* data) {
  Loaded loaded;
  loaded.operand = {data, type_of(layout), rows_of(layout), columns_of(layout), 1, layout.leading};
  if (layout.order == CUBLASLT_ORDER_ROW) {
    loaded.operand.row_stride = layout.leading;
    loaded.operand.column_stride = 1;
  } else if (is_tiled(layout)) {
    const std::size_t bytes = element_bytes(type_of(layout));
    const Index rows = rows_of(layout), columns = columns_of(layout);
    loaded.copy.resize(static_cast<std::size_t>(rows * columns) * bytes);
    for (Index j = 0; j < columns && data != nullptr; ++j) {
      for (Index i = 0; i < rows; ++i) {
        std::memcpy(loaded.copy.data() + static_cast<std::size_t>(i + j * rows) * bytes,
                    static_cast<const char*>(data) +
                        static_cast<std::size_t>(offset_of(layout, i, j)) * bytes,
                    bytes);
      }
    }
    loaded.operand.data = loaded.copy.data();
    loaded.operand.column_stride = rows;
  }
  return loaded;
}
void store_tiles(const LayoutState& layout, const Loaded& loaded, void* data) {
  const std::size_t bytes = element_bytes(type_of(layout));
  const Index rows = rows_of(layout), columns = columns_of(layout);
  for (Index j = 0; j < columns; ++j) {
    for (Index i = 0; i < rows; ++i) {
      std::memcpy(
          static_cast<char*>(data) + static_cast<std::size_t>(offset_of(layout, i, j)) * bytes,
          loaded.copy.data() + static_cast<std::size_t>(i + j * rows) * bytes, bytes);
    }
  }
}

// --- epilogues ----------------------------------------------------------------------------------

enum class Activation { None, Relu, Gelu, ReluGradient, GeluGradient };

struct Epilogue {
  Activation activation = Activation::None;
  bool bias = false;           // added before the activation
  bool aux = false;            // written by activations, read by gradients
  bool bias_gradient = false;  // of D, along its rows
  bool gradient_a = false, gradient_b = false;
};

std::optional<Epilogue> epilogue_of(std::uint32_t value) {
  Epilogue e;
  switch (value) {
    case CUBLASLT_EPILOGUE_DEFAULT: return e;
    case CUBLASLT_EPILOGUE_BGRADA: e.gradient_a = true; return e;
    case CUBLASLT_EPILOGUE_BGRADB: e.gradient_b = true; return e;
    case CUBLASLT_EPILOGUE_DRELU:
    case CUBLASLT_EPILOGUE_DRELU_BGRAD: e.activation = Activation::ReluGradient; break;
    case CUBLASLT_EPILOGUE_DGELU:
    case CUBLASLT_EPILOGUE_DGELU_BGRAD: e.activation = Activation::GeluGradient; break;
    case CUBLASLT_EPILOGUE_BIAS:
    case CUBLASLT_EPILOGUE_RELU:
    case CUBLASLT_EPILOGUE_RELU_BIAS:
    case CUBLASLT_EPILOGUE_RELU_AUX:
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
    case CUBLASLT_EPILOGUE_GELU:
    case CUBLASLT_EPILOGUE_GELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
      if ((value & CUBLASLT_EPILOGUE_RELU) != 0) e.activation = Activation::Relu;
      if ((value & CUBLASLT_EPILOGUE_GELU) != 0) e.activation = Activation::Gelu;
      e.bias = (value & CUBLASLT_EPILOGUE_BIAS) != 0;
      break;
    default: return std::nullopt;
  }
  e.aux = (value & 128) != 0;
  e.bias_gradient = (value & 16) != 0;
  return e;
}

// cuBLAS's GELU is the form with tanh.
double gelu_of(double x) {
  const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1 + std::tanh(inner));
}
double gelu_slope(double x) {
  const double root = std::sqrt(2 / std::numbers::pi);
  const double t = std::tanh(root * (x + 0.044715 * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root * (1 + 3 * 0.044715 * x * x);
}

// --- plans --------------------------------------------------------------------------------------

// A description that has been checked as a whole.
struct Plan {
  MatmulState state;
  LayoutState a, b, c, d;
  Arithmetic arithmetic;
  Epilogue epilogue;
  cublasOperation_t op_a, op_b;
  Index m, n, k;
  cudaDataType bias_type, aux_type;
  bool has_fp8;
};

// The type of the bias where none is set.
cudaDataType default_bias_type(const TypeSet& types) {
  if (types.d == CUDA_R_8I || types.d == CUDA_R_32I) return types.scale;
  if (is_fp8(types.a)) return types.c == CUDA_R_16F ? CUDA_R_16F : CUDA_R_16BF;
  return types.d;
}

cublasStatus_t make_plan(cublasLtMatmulDesc_t description, cublasLtMatrixLayout_t a,
                         cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                         cublasLtMatrixLayout_t d, Plan& plan) {
  if (description == nullptr || a == nullptr || b == nullptr || c == nullptr || d == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  plan.state = read_state<MatmulState>(description);
  plan.a = read_state<LayoutState>(a);
  plan.b = read_state<LayoutState>(b);
  plan.c = read_state<LayoutState>(c);
  plan.d = read_state<LayoutState>(d);
  const MatmulState& state = plan.state;
  plan.op_a = static_cast<cublasOperation_t>(state.op_a);
  plan.op_b = static_cast<cublasOperation_t>(state.op_b);
  if (!is_operation(plan.op_a) || !is_operation(plan.op_b) || !is_valid(plan.a) ||
      !is_valid(plan.b) || !is_valid(plan.c) || !is_valid(plan.d)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  plan.m = rows_of(plan.d);
  plan.n = columns_of(plan.d);
  plan.k = plan.op_a == CUBLAS_OP_N ? columns_of(plan.a) : rows_of(plan.a);
  const Index a_rows = plan.op_a == CUBLAS_OP_N ? rows_of(plan.a) : columns_of(plan.a);
  const Index b_rows = plan.op_b == CUBLAS_OP_N ? rows_of(plan.b) : columns_of(plan.b);
  const Index b_columns = plan.op_b == CUBLAS_OP_N ? columns_of(plan.b) : rows_of(plan.b);
  if (a_rows != plan.m || b_rows != plan.k || b_columns != plan.n || rows_of(plan.c) != plan.m ||
      columns_of(plan.c) != plan.n || plan.a.batch_count != plan.d.batch_count ||
      plan.b.batch_count != plan.d.batch_count || plan.c.batch_count != plan.d.batch_count) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const TypeSet types{static_cast<cublasComputeType_t>(state.compute),
                      static_cast<cudaDataType>(state.scale_type),
                      type_of(plan.a),
                      type_of(plan.b),
                      type_of(plan.c),
                      type_of(plan.d)};
  const auto arithmetic = arithmetic_of(types.compute, is_complex_type(types.d));
  const auto epilogue = epilogue_of(state.epilogue);
  if (!arithmetic || !epilogue || !is_supported(types) || state.op_c != CUBLAS_OP_N ||
      state.fill_mode != CUBLAS_FILL_MODE_FULL) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  plan.arithmetic = *arithmetic;
  plan.epilogue = *epilogue;
  plan.has_fp8 = is_fp8(types.a);
  // Products of 8-bit floats are defined for A transposed and B not, as on the hardware.
  if (plan.has_fp8 && (plan.op_a != CUBLAS_OP_T || plan.op_b != CUBLAS_OP_N)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  // Scales for each block of 16, 32 or 128 belong to later devices than those modelled.
  const auto scalar_or_outer = [](std::int32_t mode) {
    return mode == CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F ||
           mode == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
  };
  if (!scalar_or_outer(state.a_mode) || !scalar_or_outer(state.b_mode) || state.c_mode != 0 ||
      state.d_mode != 0 || state.aux_mode != 0 || state.d_out_scale != nullptr) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (is_complex_type(types.d) && state.epilogue != CUBLASLT_EPILOGUE_DEFAULT) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (state.pointer_mode < CUBLASLT_POINTER_MODE_HOST ||
      state.pointer_mode > CUBLASLT_POINTER_MODE_ALPHA_DEVICE_VECTOR_BETA_HOST) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  plan.bias_type =
      state.bias_type < 0 ? default_bias_type(types) : static_cast<cudaDataType>(state.bias_type);
  plan.aux_type = state.aux_type < 0 ? types.d : static_cast<cudaDataType>(state.aux_type);
  if (element_bytes(plan.bias_type) == 0 || element_bytes(plan.aux_type) == 0) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (plan.epilogue.aux) {
    const bool bits = plan.epilogue.activation == Activation::Relu ||
                      plan.epilogue.activation == Activation::ReluGradient;
    // The mask has one bit for an element, in columns of whole 16 bytes.
    if (state.aux_leading < plan.m || (bits && state.aux_leading % 128 != 0)) {
      return CUBLAS_STATUS_INVALID_VALUE;
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}

// --- products -----------------------------------------------------------------------------------

// alpha and beta: one of each, or one of each row of D.
struct ScalarSource {
  cudaDataType type;
  const void *alpha, *beta;
  Coefficients host;
  bool alpha_in_device, beta_in_device, per_row, beta_zero;
  Index alpha_stride;

  [[nodiscard]] static cdouble read(cudaDataType type, const void* from, Index index) {
    cdouble value{};
    load(type, static_cast<const char*>(from) + index * static_cast<Index>(element_bytes(type)), 1,
         1, &value);
    return value;
  }
  [[nodiscard]] cdouble alpha_at(Index batch, Index row) const {
    if (!alpha_in_device) return host.alpha;
    return read(type, alpha, per_row ? batch * alpha_stride + row : 0);
  }
  [[nodiscard]] cdouble beta_at(Index row) const {
    if (beta_zero) return 0.0;
    if (!beta_in_device) return host.beta;
    return read(type, beta, per_row ? row : 0);
  }
  [[nodiscard]] bool reachable_for(const char* function, Index rows, Index batches) const {
    const auto bytes = element_bytes(type);
    const auto count = static_cast<std::size_t>(per_row ? rows : 1);
    const auto before = static_cast<std::size_t>(per_row ? (batches - 1) * alpha_stride : 0);
    return (!alpha_in_device || reachable(function, {"alpha", alpha, (before + count) * bytes})) &&
           (!beta_in_device || beta_zero || reachable(function, {"beta", beta, count * bytes}));
  }
};

std::optional<ScalarSource> scalars_of(const MatmulState& state, const void* alpha,
                                       const void* beta) {
  ScalarSource s{};
  s.type = static_cast<cudaDataType>(state.scale_type);
  s.alpha = alpha;
  s.beta = beta;
  s.alpha_stride = state.alpha_stride;
  s.alpha_in_device = state.pointer_mode != CUBLASLT_POINTER_MODE_HOST;
  s.beta_in_device = state.pointer_mode == CUBLASLT_POINTER_MODE_DEVICE ||
                     state.pointer_mode == CUBLASLT_POINTER_MODE_DEVICE_VECTOR;
  s.beta_zero = state.pointer_mode == CUBLASLT_POINTER_MODE_ALPHA_DEVICE_VECTOR_BETA_ZERO;
  s.per_row = state.pointer_mode >= CUBLASLT_POINTER_MODE_DEVICE_VECTOR;
  if (alpha == nullptr || (beta == nullptr && !s.beta_zero)) return std::nullopt;
  if (!s.alpha_in_device) s.host.alpha = ScalarSource::read(s.type, alpha, 0);
  if (!s.beta_in_device && !s.beta_zero) s.host.beta = ScalarSource::read(s.type, beta, 0);
  return s;
}

float read_scale(const void* pointer, Index index = 0) {
  return pointer == nullptr ? 1.0F : static_cast<const float*>(pointer)[index];
}

char* aux_at(const Plan& plan, Index batch, Index j) {
  const Index start = batch * plan.state.aux_stride + j * plan.state.aux_leading;
  const bool bits = plan.epilogue.activation == Activation::Relu ||
                    plan.epilogue.activation == Activation::ReluGradient;
  return static_cast<char*>(plan.state.aux) +
         (bits ? start / 8 : start * static_cast<Index>(element_bytes(plan.aux_type)));
}

// Writes a bias gradient of `sums`.
void store_gradient(const Plan& plan, Index batch, const std::vector<double>& sums) {
  char* target = static_cast<char*>(const_cast<void*>(plan.state.bias)) +
                 batch * plan.state.bias_stride * static_cast<Index>(element_bytes(plan.bias_type));
  store(plan.bias_type, target, 1, static_cast<Index>(sums.size()), sums.data());
}

// Sums of op(A)'s rows or op(B)'s columns over k.
std::vector<double> sums_over_k(const Operand& operand, bool k_is_row) {
  const Index count = k_is_row ? operand.columns : operand.rows;
  std::vector<double> sums(static_cast<std::size_t>(count)),
      column(static_cast<std::size_t>(operand.rows));
  const auto bytes = static_cast<Index>(element_bytes(operand.type));
  for (Index j = 0; j < operand.columns; ++j) {
    load(operand.type, static_cast<const char*>(operand.data) + j * operand.column_stride * bytes,
         operand.row_stride, operand.rows, column.data());
    for (Index i = 0; i < operand.rows; ++i) {
      sums[static_cast<std::size_t>(k_is_row ? j : i)] += column[static_cast<std::size_t>(i)];
    }
  }
  return sums;
}

// One matrix with everything an epilogue may ask. E: float or double.
template <class E>
void multiply_with_epilogue(const Plan& plan, const ScalarSource& scalars, Index batch,
                            const Operand& a, const Operand& b, const Operand& c, const Operand& d,
                            int threads, float& amax, float& aux_amax) {
  const Index m = plan.m, n = plan.n;
  const MatmulState& state = plan.state;
  const Epilogue& epilogue = plan.epilogue;
  std::vector<E> products;
  if (a.type == CUDA_R_8I) {
    const auto whole = integer_product(plan.op_a, plan.op_b, m, n, plan.k, a, b, threads);
    products.assign(whole.begin(), whole.end());
  } else {
    products = raw_product<E>(plan.arithmetic, plan.op_a, plan.op_b, m, n, plan.k, a, b, threads);
  }
  // Everything that is constant along a row.
  std::vector<E> alpha(static_cast<std::size_t>(m)), beta(alpha.size()), bias(alpha.size());
  for (Index i = 0; i < m; ++i) {
    const auto at = static_cast<std::size_t>(i);
    alpha[at] = static_cast<E>(scalars.alpha_at(batch, i).real());
    beta[at] = static_cast<E>(scalars.beta_at(i).real());
    if (plan.has_fp8) {
      const bool outer = state.a_mode == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
      alpha[at] *= static_cast<E>(read_scale(state.a_scale, outer ? i : 0));
    }
  }
  if (epilogue.bias) {
    load(plan.bias_type,
         static_cast<const char*>(state.bias) +
             batch * state.bias_stride * static_cast<Index>(element_bytes(plan.bias_type)),
         1, m, bias.data());
  }
  const bool c_fp8 = is_fp8(type_of(plan.c)), d_fp8 = is_fp8(type_of(plan.d));
  const E c_scale = c_fp8 ? static_cast<E>(read_scale(state.c_scale)) : E{1};
  const E d_scale = d_fp8 ? static_cast<E>(read_scale(state.d_scale)) : E{1};
  const E aux_scale = is_fp8(plan.aux_type) ? static_cast<E>(read_scale(state.aux_scale)) : E{1};
  std::mutex mutex;
  const auto c_bytes = static_cast<Index>(element_bytes(c.type));
  const auto d_bytes = static_cast<Index>(element_bytes(d.type));
  const bool any_beta = std::any_of(beta.begin(), beta.end(), [](E x) { return x != E{}; });
  parallel_for(
      n, std::min(threads, threads_for(8.0 * static_cast<double>(m * n))),
      [&](Index first, Index last) {
        std::vector<E> row(static_cast<std::size_t>(m)), old(row.size()), aux(row.size());
        float largest = 0, largest_aux = 0;
        for (Index j = first; j < last; ++j) {
          E column_scale{1};
          if (plan.has_fp8) {
            const bool outer = state.b_mode == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
            column_scale = static_cast<E>(read_scale(state.b_scale, outer ? j : 0));
          }
          if (any_beta) {
            load(c.type, static_cast<const char*>(c.data) + j * c.column_stride * c_bytes,
                 c.row_stride, m, old.data());
          }
          for (Index i = 0; i < m; ++i) {
            const auto at = static_cast<std::size_t>(i);
            const E product = products[static_cast<std::size_t>(i + j * m)];
            E value = alpha[at] == E{} ? E{} : alpha[at] * column_scale * product;
            if (beta[at] != E{}) value += beta[at] * c_scale * old[at];
            row[at] = epilogue.bias ? value + bias[at] : value;
          }
          char* aux_column = epilogue.aux ? aux_at(plan, batch, j) : nullptr;
          switch (epilogue.activation) {
            case Activation::None: break;
            case Activation::Relu:
              if (epilogue.aux) std::memset(aux_column, 0, static_cast<std::size_t>((m + 7) / 8));
              for (Index i = 0; i < m; ++i) {
                E& value = row[static_cast<std::size_t>(i)];
                if (epilogue.aux && value > E{}) {
                  aux_column[i / 8] = static_cast<char>(
                      static_cast<unsigned char>(aux_column[i / 8]) | 1U << (i % 8));
                }
                // NaN stays: it is neither above nor below zero.
                if (value < E{}) value = E{};
              }
              break;
            case Activation::Gelu:
              if (epilogue.aux) {
                for (Index i = 0; i < m; ++i) {
                  const auto at = static_cast<std::size_t>(i);
                  largest_aux = std::max(largest_aux, static_cast<float>(std::fabs(row[at])));
                  aux[at] = row[at] * aux_scale;
                }
                store(plan.aux_type, aux_column, 1, m, aux.data());
              }
              if constexpr (std::is_same_v<E, float>) {
                gelu(row.data(), m);
              } else {
                for (E& value : row) value = gelu_of(value);
              }
              break;
            case Activation::ReluGradient:
              for (Index i = 0; i < m; ++i) {
                const auto byte = static_cast<unsigned char>(aux_column[i / 8]);
                if ((byte >> (i % 8) & 1U) == 0) row[static_cast<std::size_t>(i)] = E{};
              }
              break;
            case Activation::GeluGradient:
              load(plan.aux_type, aux_column, 1, m, aux.data());
              if constexpr (std::is_same_v<E, float>) {
                multiply_by_gelu_slope(row.data(), aux.data(), m);
              } else {
                for (std::size_t i = 0; i < row.size(); ++i) row[i] *= gelu_slope(aux[i]);
              }
              break;
          }
          for (Index i = 0; i < m; ++i) {
            const auto at = static_cast<std::size_t>(i);
            largest = std::max(largest, static_cast<float>(std::fabs(row[at])));
            // Kept unrounded for the bias gradient.
            if (epilogue.bias_gradient) products[static_cast<std::size_t>(i + j * m)] = row[at];
            row[at] *= d_scale;
          }
          store(d.type,
                static_cast<char*>(const_cast<void*>(d.data)) + j * d.column_stride * d_bytes,
                d.row_stride, m, row.data());
        }
        const std::lock_guard lock(mutex);
        amax = std::max(amax, largest);
        aux_amax = std::max(aux_amax, largest_aux);
      });
  if (epilogue.bias_gradient) {
    std::vector<double> sums(static_cast<std::size_t>(m));
    for (Index j = 0; j < n; ++j) {
      for (Index i = 0; i < m; ++i) {
        sums[static_cast<std::size_t>(i)] +=
            static_cast<double>(products[static_cast<std::size_t>(i + j * m)]);
      }
    }
    store_gradient(plan, batch, sums);
  }
}

// Everything beside the matrices that an epilogue touches.
bool extras_reachable(const char* function, const Plan& plan) {
  const MatmulState& state = plan.state;
  const Index batches = plan.d.batch_count;
  const Epilogue& e = plan.epilogue;
  if (e.bias || e.bias_gradient || e.gradient_a || e.gradient_b) {
    const Index length = e.gradient_b ? plan.n : plan.m;
    const auto count = static_cast<std::size_t>((batches - 1) * state.bias_stride + length);
    if (!reachable(function, {"bias", state.bias, count * element_bytes(plan.bias_type)})) {
      return false;
    }
  }
  if (e.aux) {
    const char* first = aux_at(plan, 0, 0);
    const char* last = aux_at(plan, batches - 1, plan.n - 1);
    const bool bits = e.activation == Activation::Relu || e.activation == Activation::ReluGradient;
    const auto column = static_cast<std::size_t>(
        bits ? (plan.m + 7) / 8 : plan.m * static_cast<Index>(element_bytes(plan.aux_type)));
    if (!reachable(function,
                   {"epilogue aux", first, static_cast<std::size_t>(last - first) + column})) {
      return false;
    }
  }
  const auto scale_reachable = [&](const char* name, const void* pointer, Index count) {
    return pointer == nullptr ||
           reachable(function, {name, pointer, static_cast<std::size_t>(count) * sizeof(float)});
  };
  const bool outer_a = state.a_mode == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
  const bool outer_b = state.b_mode == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
  return scale_reachable("A's scale", state.a_scale, outer_a ? plan.m : 1) &&
         scale_reachable("B's scale", state.b_scale, outer_b ? plan.n : 1) &&
         scale_reachable("C's scale", state.c_scale, 1) &&
         scale_reachable("D's scale", state.d_scale, 1) &&
         scale_reachable("D's amax", state.amax, 1) &&
         scale_reachable("aux's scale", state.aux_scale, 1) &&
         scale_reachable("aux's amax", state.aux_amax, 1);
}

cublasStatus_t run_plan(const char* function, const Plan& plan, const ScalarSource& scalars,
                        const Pointers& as, const Pointers& bs, const Pointers& cs,
                        const Pointers& ds) {
  const Index batches = plan.d.batch_count;
  if (!scalars.reachable_for(function, plan.m, batches)) return CUBLAS_STATUS_EXECUTION_FAILED;
  const Coefficients plain{scalars.alpha_at(0, 0), scalars.beta_at(0)};
  const bool reads_c = scalars.per_row ? !scalars.beta_zero : plain.beta != cdouble{};
  if (!as.reachable_all(function, "A", batches, bytes_of(plan.a)) ||
      !bs.reachable_all(function, "B", batches, bytes_of(plan.b)) ||
      (reads_c && !cs.reachable_all(function, "C", batches, bytes_of(plan.c))) ||
      !ds.reachable_all(function, "D", batches, bytes_of(plan.d)) ||
      !extras_reachable(function, plan)) {
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  const bool simple = plan.state.epilogue == CUBLASLT_EPILOGUE_DEFAULT && !scalars.per_row &&
                      !plan.has_fp8 && plan.state.amax == nullptr;
  const int threads =
      product_threads(plan.arithmetic, static_cast<double>(plan.m), static_cast<double>(plan.n),
                      static_cast<double>(std::max<Index>(1, plan.k)));
  float amax = 0, aux_amax = 0;
  for (Index i = 0; i < batches; ++i) {
    const Loaded a = load_operand(plan.a, as.at(i)), b = load_operand(plan.b, bs.at(i));
    const Loaded c = load_operand(plan.c, reads_c ? cs.at(i) : nullptr);
    // A tiled D needs only the room of its copy; the elements read into it are overwritten.
    const Loaded d = load_operand(plan.d, ds.at(i));
    if (simple) {
      multiply_matrices(plan.arithmetic, plan.op_a, plan.op_b, plan.m, plan.n, plan.k, plain,
                        a.operand, b.operand, c.operand, d.operand, threads);
    } else if (type_of(plan.d) == CUDA_R_64F) {
      multiply_with_epilogue<double>(plan, scalars, i, a.operand, b.operand, c.operand, d.operand,
                                     threads, amax, aux_amax);
    } else {
      multiply_with_epilogue<float>(plan, scalars, i, a.operand, b.operand, c.operand, d.operand,
                                    threads, amax, aux_amax);
    }
    if (plan.epilogue.gradient_a) {
      store_gradient(plan, i, sums_over_k(a.operand, plan.op_a != CUBLAS_OP_N));
    }
    if (plan.epilogue.gradient_b) {
      store_gradient(plan, i, sums_over_k(b.operand, plan.op_b == CUBLAS_OP_N));
    }
    if (is_tiled(plan.d)) store_tiles(plan.d, d, ds.at(i));
  }
  if (plan.state.amax != nullptr) std::memcpy(plan.state.amax, &amax, sizeof amax);
  if (plan.state.aux_amax != nullptr && plan.epilogue.activation == Activation::Gelu) {
    std::memcpy(plan.state.aux_amax, &aux_amax, sizeof aux_amax);
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t matmul(cublasLtHandle_t handle, const char* function,
                      cublasLtMatmulDesc_t description, const void* alpha, const void* a,
                      cublasLtMatrixLayout_t a_layout, const void* b,
                      cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                      cublasLtMatrixLayout_t c_layout, void* d, cublasLtMatrixLayout_t d_layout,
                      const cublasLtMatmulAlgo_t* /*algorithm*/, void* workspace,
                      std::size_t workspace_bytes, cudaStream_t stream) {
  if (logging) log_call(function);
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  Plan plan;
  if (const auto status = make_plan(description, a_layout, b_layout, c_layout, d_layout, plan);
      status != CUBLAS_STATUS_SUCCESS) {
    return status;
  }
  if (workspace == nullptr && workspace_bytes != 0) return CUBLAS_STATUS_INVALID_VALUE;
  const auto scalars = scalars_of(plan.state, alpha, beta);
  if (!scalars) return CUBLAS_STATUS_INVALID_VALUE;
  const bool needs_bias = plan.epilogue.bias || plan.epilogue.bias_gradient ||
                          plan.epilogue.gradient_a || plan.epilogue.gradient_b;
  if ((needs_bias && plan.state.bias == nullptr) ||
      (plan.epilogue.aux && plan.state.aux == nullptr)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  // In place is one and the same matrix.
  if (c == d && c != nullptr &&
      (plan.c.order != plan.d.order || plan.c.leading != plan.d.leading ||
       plan.c.type != plan.d.type)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (plan.m == 0 || plan.n == 0) return CUBLAS_STATUS_SUCCESS;
  return submit_to(stream, function,
                   [=, scale = *scalars, as = pointers_of(plan.a, a), bs = pointers_of(plan.b, b),
                    cs = pointers_of(plan.c, c), ds = pointers_of(plan.d, d)] {
                     return run_plan(function, plan, scale, as, bs, cs, ds);
                   });
}

// --- algorithms ---------------------------------------------------------------------------------

constexpr AlgorithmState kAlgorithm{1, 0, 1, 0, 0, 0, 0, 0, 0};

cublasStatus_t get_heuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                             cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                             cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                             cublasLtMatmulPreference_t preference, int requested,
                             cublasLtMatmulHeuristicResult_t* results, int* returned) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (returned == nullptr || results == nullptr || requested <= 0 || preference == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  *returned = 0;
  Plan plan;
  if (const auto status = make_plan(description, a, b, c, d, plan);
      status != CUBLAS_STATUS_SUCCESS) {
    return status;
  }
  results[0] = {};
  std::memcpy(static_cast<void*>(&results[0].algo), &kAlgorithm, sizeof kAlgorithm);
  results[0].state = CUBLAS_STATUS_SUCCESS;
  results[0].wavesCount = 1;
  for (int i = 1; i < requested; ++i) {
    results[i] = {};
    results[i].state = CUBLAS_STATUS_NOT_SUPPORTED;
  }
  *returned = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t get_algorithm_ids(cublasLtHandle_t handle, const TypeSet& types, int requested,
                                 int* ids, int* returned) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (requested <= 0 || ids == nullptr || returned == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *returned = 0;
  if (!is_supported(types)) return CUBLAS_STATUS_NOT_SUPPORTED;
  ids[0] = kAlgorithm.id;
  *returned = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t init_algorithm(cublasLtHandle_t handle, const TypeSet& types, int id,
                              cublasLtMatmulAlgo_t* algorithm) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (algorithm == nullptr || id != kAlgorithm.id) return CUBLAS_STATUS_INVALID_VALUE;
  if (!is_supported(types)) return CUBLAS_STATUS_NOT_SUPPORTED;
  return init_state(algorithm, sizeof *algorithm, kAlgorithm);
}

cublasStatus_t check_algorithm(cublasLtHandle_t handle, cublasLtMatmulDesc_t description,
                               cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                               cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                               const cublasLtMatmulAlgo_t* algorithm,
                               cublasLtMatmulHeuristicResult_t* result) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (algorithm == nullptr || result == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const auto state = read_state<AlgorithmState>(algorithm);
  if (state.id != kAlgorithm.id) return CUBLAS_STATUS_INVALID_VALUE;
  if (state.split_k > 1) return CUBLAS_STATUS_NOT_SUPPORTED;
  Plan plan;
  if (const auto status = make_plan(description, a, b, c, d, plan);
      status != CUBLAS_STATUS_SUCCESS) {
    return status;
  }
  result->workspaceSize = 0;
  result->state = CUBLAS_STATUS_SUCCESS;
  result->wavesCount = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t get_capability(const cublasLtMatmulAlgo_t* algorithm, int attribute, void* buffer,
                              std::size_t size, std::size_t* written) {
  if (algorithm == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const auto number = [&](auto value) { return give(&value, sizeof value, buffer, size, written); };
  switch (attribute) {
    case CUBLASLT_ALGO_CAP_SPLITK_SUPPORT:
    case CUBLASLT_ALGO_CAP_UPLO_SUPPORT:
    case CUBLASLT_ALGO_CAP_CUSTOM_OPTION_MAX:
    case CUBLASLT_ALGO_CAP_FLOATING_POINT_EMULATION_SUPPORT: return number(std::int32_t{0});
    case CUBLASLT_ALGO_CAP_REDUCTION_SCHEME_MASK:
    case CUBLASLT_ALGO_CAP_CTA_SWIZZLING_SUPPORT:
    case CUBLASLT_ALGO_CAP_LD_NEGATIVE: return number(std::uint32_t{0});
    case CUBLASLT_ALGO_CAP_STRIDED_BATCH_SUPPORT:
    case CUBLASLT_ALGO_CAP_OUT_OF_PLACE_RESULT_SUPPORT:
    case CUBLASLT_ALGO_CAP_POINTER_ARRAY_BATCH_SUPPORT: return number(std::int32_t{1});
    // Lists with the one entry "undefined".
    case CUBLASLT_ALGO_CAP_TILE_IDS:
    case CUBLASLT_ALGO_CAP_STAGES_IDS: return number(std::uint32_t{0});
    case CUBLASLT_ALGO_CAP_CUSTOM_MEMORY_ORDER: return number(std::int32_t{CUBLASLT_ORDER_COL});
    case CUBLASLT_ALGO_CAP_POINTER_MODE_MASK: return number(std::uint32_t{31});
    case CUBLASLT_ALGO_CAP_EPILOGUE_MASK: return number(std::uint32_t{0x3ff});
    case CUBLASLT_ALGO_CAP_NUMERICAL_IMPL_FLAGS: return number(std::uint64_t{1});
    case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_ALGO_CAP_MIN_ALIGNMENT_D_BYTES: return number(std::uint32_t{1});
    default: return CUBLAS_STATUS_INVALID_VALUE;
  }
}

// --- transforms ---------------------------------------------------------------------------------

// C = alpha op(A) + beta op(B), from any layout and type to any other.
cublasStatus_t transform(cublasLtHandle_t handle, const char* function,
                         cublasLtMatrixTransformDesc_t description, const void* alpha,
                         const void* a, cublasLtMatrixLayout_t a_layout, const void* beta,
                         const void* b, cublasLtMatrixLayout_t b_layout, void* c,
                         cublasLtMatrixLayout_t c_layout, cudaStream_t stream) {
  if (logging) log_call(function);
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (description == nullptr || alpha == nullptr || c == nullptr || c_layout == nullptr ||
      (a != nullptr && a_layout == nullptr) || (b != nullptr && b_layout == nullptr)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  struct Side {
    const void* data = nullptr;
    const void* scalar = nullptr;
    LayoutState layout{};
    cublasOperation_t op = CUBLAS_OP_N;
    cdouble host = 0.0;
  };
  const auto state = read_state<TransformState>(description);
  const auto result = read_state<LayoutState>(c_layout);
  const auto scale = static_cast<cudaDataType>(state.scale_type);
  const bool device = state.pointer_mode == CUBLASLT_POINTER_MODE_DEVICE;
  if (element_bytes(scale) == 0 || (state.pointer_mode != CUBLASLT_POINTER_MODE_HOST && !device) ||
      !is_valid(result)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::array<Side, 2> sides;
  const auto describe = [&](Side& side, const void* data, const void* scalar,
                            cublasLtMatrixLayout_t layout, std::int32_t op) {
    // A matrix that is not there, or whose host factor is zero, is left out.
    if (data == nullptr || layout == nullptr || scalar == nullptr) return true;
    side.scalar = scalar;
    side.layout = read_state<LayoutState>(layout);
    side.op = static_cast<cublasOperation_t>(op);
    side.host = device ? cdouble{} : ScalarSource::read(scale, scalar, 0);
    if (device || side.host != cdouble{}) side.data = data;
    const bool plain = side.op == CUBLAS_OP_N;
    const Index rows = plain ? rows_of(side.layout) : columns_of(side.layout);
    const Index columns = plain ? columns_of(side.layout) : rows_of(side.layout);
    return is_operation(side.op) && is_valid(side.layout) && rows == rows_of(result) &&
           columns == columns_of(result) && side.layout.batch_count == result.batch_count;
  };
  if (!describe(sides[0], a, alpha, a_layout, state.op_a) ||
      !describe(sides[1], b, beta, b_layout, state.op_b)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  return submit_to(stream, function, [=] {
    std::array<cdouble, 2> factors{};
    std::array<Pointers, 2> sources;
    const Pointers targets = pointers_of(result, c);
    if (!targets.reachable_all(function, "C", result.batch_count, bytes_of(result))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    for (std::size_t s = 0; s < 2; ++s) {
      const Side& side = sides[s];
      if (side.data == nullptr) continue;
      if (device && !reachable(function, {"scalar", side.scalar, element_bytes(scale)})) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
      }
      factors[s] = device ? ScalarSource::read(scale, side.scalar, 0) : side.host;
      sources[s] = pointers_of(side.layout, side.data);
      if (factors[s] != cdouble{} &&
          !sources[s].reachable_all(function, s == 0 ? "A" : "B", side.layout.batch_count,
                                    bytes_of(side.layout))) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
      }
    }
    const Index rows = rows_of(result), columns = columns_of(result);
    const auto result_bytes = static_cast<Index>(element_bytes(type_of(result)));
    for (Index batch = 0; batch < result.batch_count; ++batch) {
      parallel_for(
          columns, threads_for(16.0 * static_cast<double>(rows * columns)),
          [&](Index first, Index last) {
            for (Index j = first; j < last; ++j) {
              for (Index i = 0; i < rows; ++i) {
                cdouble sum{};
                for (std::size_t s = 0; s < 2; ++s) {
                  if (factors[s] == cdouble{}) continue;
                  const Side& side = sides[s];
                  const bool plain = side.op == CUBLAS_OP_N;
                  const Index at =
                      plain ? offset_of(side.layout, i, j) : offset_of(side.layout, j, i);
                  cdouble value{};
                  const auto bytes = static_cast<Index>(element_bytes(type_of(side.layout)));
                  load(type_of(side.layout), sources[s].as<const char>(batch) + at * bytes, 1, 1,
                       &value);
                  if (side.op == CUBLAS_OP_C) value = conjugate(value);
                  sum += multiply(factors[s], value);
                }
                store(type_of(result),
                      targets.as<char>(batch) + offset_of(result, i, j) * result_bytes, 1, 1, &sum);
              }
            }
          });
    }
    return CUBLAS_STATUS_SUCCESS;
  });
}

}  // namespace

void log_call(const char* function) {
  Log& log = log_state();
  const std::lock_guard lock(log.mutex);
  if (log.callback != nullptr) log.callback(5, function, "called");
  if (log.file != nullptr) std::fprintf(log.file, "softgpu cublasLt: %s\n", function);
}

}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_lt.def"

// A cublasHandle_t may stand in for a handle of this library: libcublas.so.13 tells of its handles
// through these two names, which the interface reserves for the two libraries.
int cublasLtCtxInit(const void* handle);
int cublasLtCtxInit(const void* handle) {
  register_handle(handle);
  return CUBLAS_STATUS_SUCCESS;
}
int cublasLtShutdownCtx(const void* handle);
int cublasLtShutdownCtx(const void* handle) {
  return forget_handle(handle) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

__attribute__((visibility("hidden"))) int softgpu_cublaslt_unsupported(const char* name);
int softgpu_cublaslt_unsupported(const char* name) {
  std::fprintf(stderr, "softgpu: %s is not implemented by the software GPU's cublasLt\n", name);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}
}
