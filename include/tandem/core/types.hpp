// Scalar and enumeration types that every other header speaks in.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

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

enum class Task { regression, classification, clustering };

[[nodiscard]] std::string_view to_string(Device) noexcept;
[[nodiscard]] std::string_view to_string(Numerics) noexcept;
[[nodiscard]] std::string_view to_string(Precision) noexcept;
[[nodiscard]] std::string_view to_string(Task) noexcept;

// Each throws InputError that lists the accepted names.
[[nodiscard]] Device parse_device(std::string_view);
[[nodiscard]] Numerics parse_numerics(std::string_view);
[[nodiscard]] Precision parse_precision(std::string_view);

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
