// Scalar and enumeration types that every other header speaks in.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "tandem/core/names.hpp"

namespace tandem {

// Every size, row number and offset. 64 bits and signed, so that 2^31 elements and more are
// ordinary and a difference of two indices is meaningful.
using Index = std::int64_t;

// Where work runs and where memory lives.
//   reference  textbook code in double precision on one thread: the oracle
//   cpu        SIMD and threads
//   cuda       an NVIDIA GPU
//   softgpu    the CUDA code, executed by Tandem's software GPU
enum class Device { reference, cpu, cuda, softgpu };

// exact: the same bits on cpu and cuda, for any number of threads.
// fast:  vendor libraries may reorder; agreement is within a derived bound.
// fast_tf32, fast_bf16: fast, and a GPU may round the factors of matrix products of floats to TF32
//        (a fraction of 10 bits) or bfloat16 (7 bits), for its tensor cores; the same as fast
//        elsewhere.
enum class Numerics { exact, fast, fast_tf32, fast_bf16 };

enum class Precision { float32, float64 };

enum class Task { regression, classification, clustering, detection };

template <>
inline constexpr std::array<std::string_view, 4> enum_names<Device>{"reference", "cpu", "cuda",
                                                                    "softgpu"};
template <>
inline constexpr std::array<std::string_view, 4> enum_names<Numerics>{"exact", "fast", "fast-tf32",
                                                                      "fast-bf16"};
template <>
inline constexpr std::array<std::string_view, 2> enum_names<Precision>{"float32", "float64"};
template <>
inline constexpr std::array<std::string_view, 4> enum_names<Task>{"regression", "classification",
                                                                  "clustering", "detection"};

// What a predictor of either kind is asked for; automatic: by the target, see task_of_target().
enum class TaskChoice { regression, classification, automatic };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<TaskChoice>{"regression",
                                                                        "classification", "auto"};

template <class T>
concept Real = std::is_same_v<T, float> || std::is_same_v<T, double>;

template <Real T>
inline constexpr Precision precision_of =
    std::is_same_v<T, float> ? Precision::float32 : Precision::float64;

// Calls f(std::type_identity<float>{}) or f(std::type_identity<double>{}).
template <class F>
decltype(auto) with_precision(Precision precision, F&& f) {
  if (precision == Precision::float32) return f(std::type_identity<float>{});
  return f(std::type_identity<double>{});
}

}  // namespace tandem
