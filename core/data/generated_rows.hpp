// Defines a generated data set element by element, once for all engines.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/random.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

enum class GeneratorKind { blobs, circles, classification, moons, regression, xor_signs };

// The options of one set, checked, and its random numbers. Element (i, j) of the features owns the
// index i · features + j of the values and of the noise.
struct GeneratedRows {
  GeneratorKind kind;
  Index features;
  double noise;
  Index classes;
  Index informative;
  Random values;
  Random noises;
  Random labels;
  Random parameters;

  static constexpr double separation = 1.5;      // of the classes of `classification`
  static constexpr double largest_weight = 100;  // of `regression`

  [[nodiscard]] TANDEM_HOST_DEVICE std::uint64_t element(Index i, Index j) const {
    return static_cast<std::uint64_t>(i) * static_cast<std::uint64_t>(features) +
           static_cast<std::uint64_t>(j);
  }
  [[nodiscard]] TANDEM_HOST_DEVICE static double minus_one_to_one(const Random& random,
                                                                  std::uint64_t index) {
    return 2 * random.uniform<double>(index) - 1;
  }

  // Coordinate 0 or 1 of the point at u in [0, 1) of the curve `label`.
  [[nodiscard]] TANDEM_HOST_DEVICE double curve(Index label, double u, Index coordinate) const {
    if (kind == GeneratorKind::moons) {
      const double at = coordinate == 0 ? math::cos_pi(u) : math::sin_pi(u);
      return label == 0 ? at : (coordinate == 0 ? 1.0 : 0.5) - at;
    }
    const double radius = label == 0 ? 1.0 : 0.5;
    return radius * (coordinate == 0 ? math::cos_pi(2 * u) : math::sin_pi(2 * u));
  }

  [[nodiscard]] TANDEM_HOST_DEVICE double value(Index i, Index j) const {
    switch (kind) {
      case GeneratorKind::blobs: {
        const double centre = 10 * minus_one_to_one(parameters, element(i % classes, j));
        return centre + noise * values.normal(element(i, j));
      }
      case GeneratorKind::circles:
      case GeneratorKind::moons:
        if (j >= 2) return values.normal(element(i, j));
        return curve(i % 2, values.uniform<double>(element(i, 0)), j) +
               noise * noises.normal(element(i, j));
      case GeneratorKind::classification: {
        const double value = values.normal(element(i, j));
        return j < informative ? value + separation * parameters.normal(element(i % classes, j))
                               : value;
      }
      case GeneratorKind::regression: return values.normal(element(i, j));
      case GeneratorKind::xor_signs: {
        const double value = minus_one_to_one(values, element(i, j));
        return j < 2 ? value + noise * noises.normal(element(i, j)) : value;
      }
    }
    return 0;
  }

  // The weight of feature j, and the offset, of the kind `regression`.
  [[nodiscard]] TANDEM_HOST_DEVICE double weight(Index j) const {
    return largest_weight * minus_one_to_one(parameters, static_cast<std::uint64_t>(j) + 1);
  }
  [[nodiscard]] TANDEM_HOST_DEVICE double offset() const {
    return largest_weight * minus_one_to_one(parameters, 0);
  }

  // The target of row i, whose features are row[0] ...; weights are weight(0 .. informative − 1),
  // read by `regression` alone.
  template <Real T>
  [[nodiscard]] TANDEM_HOST_DEVICE double target(Index i, const T* row,
                                                 const double* weights) const {
    switch (kind) {
      case GeneratorKind::blobs: return static_cast<double>(i % classes);
      case GeneratorKind::circles:
      case GeneratorKind::moons: return static_cast<double>(i % 2);
      case GeneratorKind::classification: {
        const auto draw = 2 * static_cast<std::uint64_t>(i);
        if (labels.uniform<double>(draw) >= noise) return static_cast<double>(i % classes);
        return static_cast<double>(labels.below(classes, draw + 1));
      }
      case GeneratorKind::regression: {
        double sum = offset();
        // Takes the stored value, so that without noise the target is an exact function of the
        // data.
        for (Index j = 0; j < informative; ++j) {
          sum = math::fma(weights[j], static_cast<double>(row[j]), sum);
        }
        return sum + noise * noises.normal(static_cast<std::uint64_t>(i));
      }
      case GeneratorKind::xor_signs: {
        // Before the noise.
        const bool left = minus_one_to_one(values, element(i, 0)) < 0;
        const bool below = minus_one_to_one(values, element(i, 1)) < 0;
        return left != below ? 1 : 0;
      }
    }
    return 0;
  }

  // Row i as an engine keeps it; returns its target.
  template <Real T>
  TANDEM_HOST_DEVICE T fill(Index i, const double* weights, T* row) const {
    for (Index j = 0; j < features; ++j) row[j] = static_cast<T>(value(i, j));
    return static_cast<T>(target(i, row, weights));
  }
};

}  // namespace tandem
