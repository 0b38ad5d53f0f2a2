// Data sets made of random numbers, for examples, tests and benchmarks. Every element is a function
// of the seed and of its own position (counter-based random numbers), so the same options give the
// same rows, whatever the number of threads; and the first rows of a longer set are the shorter
// set.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tandem/core/buffer.hpp"
#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

struct GenerateOptions {
  Index rows = 1000;
  Index features = 2;
  std::uint64_t seed = 0;
  // The amount of noise, whose meaning depends on the kind; unset: the kind's own default.
  std::optional<double> noise;
  // blobs: centres (3 unless set); classification: classes (2 unless set).
  Index classes = 0;
  // classification and regression: features that matter, the first ones; 0: half, at least 2.
  Index informative = 0;
  int threads = 0;  // 0: one per available core. The result never depends on it.
};

// Normal clouds around centres drawn uniformly from [-10, 10]^features; row i belongs to centre
// i mod classes. noise: standard deviation of a cloud in each feature (1).
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> generate_blobs(const GenerateOptions& options);

// Two interleaving half circles of radius 1. noise: standard deviation added to both coordinates
// (0.1). Features past the second are standard normal and mean nothing.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> generate_moons(const GenerateOptions& options);

// Two circles around the origin of radius 1 and 0.5. noise: standard deviation added to both
// coordinates (0.05). Features past the second are standard normal and mean nothing.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> generate_circles(const GenerateOptions& options);

// Points uniform on [-1, 1]^2; class 1 where the two coordinates have different signs. noise:
// standard deviation added to both coordinates after the class is fixed (0). Features past the
// second are uniform on [-1, 1] and mean nothing.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> generate_xor(const GenerateOptions& options);

// Standard normal features; those that matter are shifted by class, to centres drawn from a normal
// distribution of standard deviation 1.5. Row i has class i mod classes. noise: share of rows whose
// class is replaced by one drawn at random (0.01).
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> generate_classification(const GenerateOptions& options);

// Standard normal features; target = offset + Σ weight·feature + noise. Weights of the features
// that matter and the offset are uniform on [-100, 100], the other weights are 0. noise: standard
// deviation (1).
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> generate_regression(const GenerateOptions& options);

// The same numbers in an engine's memory, made there: for benchmarks and experiments whose data
// would take longer to send than to make.
template <Real T>
struct GeneratedOnEngine {
  Buffer<T> x;       // rows × features, row-major
  Buffer<T> target;  // rows
};
template <Real T>
[[nodiscard]] TANDEM_API GeneratedOnEngine<T> generate_on_engine(Engine& engine,
                                                                 std::string_view kind,
                                                                 const GenerateOptions& options);

// "blobs", "circles", "classification", "moons", "regression", "xor".
[[nodiscard]] TANDEM_API const std::vector<std::string_view>& generator_names();
// By name. Throws InputError for an unknown name, listing the names, and for options out of range.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> generate(std::string_view kind, const GenerateOptions& options);

}  // namespace tandem
