#include "cuda/linalg/cublaslt.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "cuda/linalg/shared_library.hpp"
#include "tandem/core/error.hpp"

namespace tandem::cuda {
namespace {

using cublas::Algorithm;
using cublas::Attribute;
using cublas::HeuristicResult;
using cublas::Preference;

// The functions that are used, in libcublasLt.so.13; handles and descriptions are opaque.
struct Library {
  int (*create)(void** handle) = nullptr;
  int (*destroy)(void* handle) = nullptr;
  const char* (*status_string)(int) = nullptr;
  int (*create_description)(void** description, cublas::Compute, cudaDataType scale) = nullptr;
  int (*destroy_description)(void*) = nullptr;
  int (*set)(void* description, Attribute, const void* value, std::size_t bytes) = nullptr;
  int (*create_layout)(void** layout, cudaDataType, std::uint64_t rows, std::uint64_t columns,
                       std::int64_t ld) = nullptr;
  int (*destroy_layout)(void*) = nullptr;
  int (*create_preference)(void** preference) = nullptr;
  int (*destroy_preference)(void*) = nullptr;
  int (*set_preference)(void* preference, Preference, const void* value,
                        std::size_t bytes) = nullptr;
  int (*heuristic)(void* handle, void* description, void* a, void* b, void* c, void* d,
                   void* preference, int wanted, HeuristicResult* results, int* found) = nullptr;
  int (*multiply)(void* handle, void* description, const void* alpha, const void* a, void* a_layout,
                  const void* b, void* b_layout, const void* beta, const void* c, void* c_layout,
                  void* d, void* d_layout, const Algorithm*, void* workspace,
                  std::size_t workspace_bytes, cudaStream_t) = nullptr;
};

Library load() {
  const SharedLibrary shared("libcublasLt.so.13");
  Library library;
  shared.find("cublasLtCreate", library.create);
  shared.find("cublasLtDestroy", library.destroy);
  shared.find("cublasLtGetStatusString", library.status_string);
  shared.find("cublasLtMatmulDescCreate", library.create_description);
  shared.find("cublasLtMatmulDescDestroy", library.destroy_description);
  shared.find("cublasLtMatmulDescSetAttribute", library.set);
  shared.find("cublasLtMatrixLayoutCreate", library.create_layout);
  shared.find("cublasLtMatrixLayoutDestroy", library.destroy_layout);
  shared.find("cublasLtMatmulPreferenceCreate", library.create_preference);
  shared.find("cublasLtMatmulPreferenceDestroy", library.destroy_preference);
  shared.find("cublasLtMatmulPreferenceSetAttribute", library.set_preference);
  shared.find("cublasLtMatmulAlgoGetHeuristic", library.heuristic);
  shared.find("cublasLtMatmul", library.multiply);
  return library;
}

// Loaded once for the process; a failure is tried again.
const Library& library() {
  static const Library loaded = load();
  return loaded;
}

void check_cublas(int status, const char* what) {
  if (status == cublas::success) return;
  throw DeviceError(std::string("cuBLASLt: ") + what + " failed: " +
                    library().status_string(status) + " (status " + std::to_string(status) + ")");
}

// At most and at least; the latter also stands for operands that are not known yet.
constexpr std::size_t most_workspace = std::size_t{4} << 20;
constexpr std::size_t least_workspace = 256;
constexpr std::uint32_t least_alignment = 16;

// Sets an attribute of a description from a value.
template <class V>
void set(void* description, Attribute attribute, const V& value) {
  check_cublas(library().set(description, attribute, &value, sizeof value), "describing a product");
}

}  // namespace

// A product as cuBLASLt describes it. Its matrices are column-major: what is stored here row by row
// is the transposed matrix there, and Cᵀ = op(B)ᵀ·op(A)ᵀ, so that our B is its A.
struct CublasLt::Plan {
  void* description = nullptr;
  std::array<void*, 3> layouts{};  // of its A, B and D
  bool found = false;
  Algorithm algorithm{};

  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    for (void* layout : layouts) {
      if (layout != nullptr) (void)library().destroy_layout(layout);
    }
    if (description != nullptr) (void)library().destroy_description(description);
  }
};

CublasLt::CublasLt(CudaEngine& engine) : engine_(engine) {}

CublasLt::~CublasLt() {
  plans_.clear();
  if (handle_ != nullptr) (void)library().destroy(handle_);
}

void CublasLt::open() {
  if (handle_ != nullptr) return;
  engine_.make_current();
  const std::size_t bytes = std::clamp(engine_.free_memory() / 8, least_workspace, most_workspace);
  workspace_ = Buffer<std::byte>(engine_, static_cast<Index>(bytes));
  check_cublas(library().create(&handle_), "creating a handle");
}

CublasLt::Plan& CublasLt::plan(const FusedProduct& product) {
  std::unique_ptr<Plan>& kept = plans_[product];
  if (kept != nullptr) return *kept;
  open();
  const Library& functions = library();
  auto made = std::make_unique<Plan>();
  check_cublas(functions.create_description(&made->description, product.compute, CUDA_R_32F),
               "describing a product");
  const auto layout = [&](std::size_t which, Index rows, Index columns) {
    check_cublas(
        functions.create_layout(&made->layouts[which], CUDA_R_32F, static_cast<std::uint64_t>(rows),
                                static_cast<std::uint64_t>(columns), rows),
        "describing a matrix");
  };
  const bool ta = product.transpose_a == Transpose::yes;
  const bool tb = product.transpose_b == Transpose::yes;
  layout(0, tb ? product.k : product.n, tb ? product.n : product.k);
  layout(1, ta ? product.m : product.k, ta ? product.k : product.m);
  layout(2, product.n, product.m);
  set(made->description, Attribute::transpose_a, static_cast<std::int32_t>(tb));
  set(made->description, Attribute::transpose_b, static_cast<std::int32_t>(ta));
  set(made->description, Attribute::epilogue, static_cast<std::uint32_t>(product.epilogue));
  if (product.epilogue != cublas::Epilogue::relu) {
    set(made->description, Attribute::mask_ld, std::int64_t{mask_ld(product.n)});
    // Some address, which says how a later one is aligned.
    set(made->description, Attribute::mask, static_cast<const void*>(workspace_.data()));
  }
  set(made->description, Attribute::bias, static_cast<const void*>(workspace_.data()));

  void* preference = nullptr;
  check_cublas(functions.create_preference(&preference), "describing a preference");
  const std::unique_ptr<void, int (*)(void*)> owner(preference, functions.destroy_preference);
  const auto prefer = [&](Preference what, const auto& value) {
    check_cublas(functions.set_preference(preference, what, &value, sizeof value),
                 "describing a preference");
  };
  prefer(Preference::workspace_bytes, static_cast<std::uint64_t>(workspace_.size()));
  for (const Preference alignment : {Preference::alignment_a, Preference::alignment_b,
                                     Preference::alignment_c, Preference::alignment_d}) {
    prefer(alignment, least_alignment);
  }
  HeuristicResult result{};
  int found = 0;
  // Where there is no algorithm, the status says so, which is an answer and no failure.
  const int status =
      functions.heuristic(handle_, made->description, made->layouts[0], made->layouts[1],
                          made->layouts[2], made->layouts[2], preference, 1, &result, &found);
  made->found = status == cublas::success && found > 0 && result.state == cublas::success;
  made->algorithm = result.algorithm;
  kept = std::move(made);
  return *kept;
}

bool CublasLt::has(const FusedProduct& product) {
  if (product.m == 0 || product.n == 0 || product.k == 0) return false;
  return plan(product).found;
}

void CublasLt::run(const FusedProduct& product, const float* a, const float* b, const float* bias,
                   const void* mask, float* c) {
  // A graph of kernels cannot hold what a library launches.
  engine_.enqueue_directly();
  engine_.before_library_call("cublasLtMatmul");
  Plan& how = plan(product);
  set(how.description, Attribute::bias, static_cast<const void*>(bias));
  if (product.epilogue != cublas::Epilogue::relu) set(how.description, Attribute::mask, mask);
  const float alpha = 1;
  const float beta = 0;
  check_cublas(library().multiply(handle_, how.description, &alpha, b, how.layouts[0], a,
                                  how.layouts[1], &beta, c, how.layouts[2], c, how.layouts[2],
                                  &how.algorithm, workspace_.data(),
                                  static_cast<std::size_t>(workspace_.size()), engine_.stream()),
               "a product");
  engine_.after_library_call("cublasLtMatmul");
}

}  // namespace tandem::cuda
