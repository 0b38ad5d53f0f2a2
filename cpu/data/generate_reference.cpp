// Generated data sets by the words of tandem/data/generate.hpp, with the standard library's
// functions: what the engines' logarithms, sines and chains are compared with.
#include <cmath>
#include <numbers>

#include "core/data/generate_steps.hpp"

namespace tandem {
namespace {

double normal(const Random& random, std::uint64_t index) {
  const double u = 1 - random.uniform(2 * index);
  const double v = random.uniform(2 * index + 1);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

// Uniform on [from, to).
double between(double from, double to, const Random& random, std::uint64_t index) {
  return from + (to - from) * random.uniform(index);
}

template <Real T>
class ReferenceGenerate final : public GenerateSteps<T> {
 public:
  void generate(const GeneratedRows& set, const Buffer<double>& /*weights*/, Buffer<T>& x,
                Buffer<T>& target) override {
    for (Index i = 0; i < target.size(); ++i) {
      T* row = x.data() + i * set.features;
      for (Index j = 0; j < set.features; ++j) row[j] = static_cast<T>(value(set, i, j));
      target.data()[i] = static_cast<T>(target_of(set, i, row));
    }
  }

 private:
  static std::uint64_t element(const GeneratedRows& set, Index i, Index j) {
    return static_cast<std::uint64_t>(i * set.features + j);
  }

  static double value(const GeneratedRows& set, Index i, Index j) {
    const std::uint64_t at = element(set, i, j);
    switch (set.kind) {
      case GeneratorKind::blobs:
        return between(-10, 10, set.parameters, element(set, i % set.classes, j)) +
               set.noise * normal(set.values, at);
      case GeneratorKind::circles:
      case GeneratorKind::moons: {
        if (j > 1) return normal(set.values, at);
        const double turn = set.kind == GeneratorKind::moons ? 0.5 : 1.0;
        const double angle = 2 * std::numbers::pi * turn * set.values.uniform(element(set, i, 0));
        double point = j == 0 ? std::cos(angle) : std::sin(angle);
        if (i % 2 == 1) {
          // The second half circle is the first one turned around (1/2, 1/4); the second circle has
          // half the radius.
          if (set.kind == GeneratorKind::moons) {
            point = (j == 0 ? 1.0 : 0.5) - point;
          } else {
            point /= 2;
          }
        }
        return point + set.noise * normal(set.noises, at);
      }
      case GeneratorKind::classification: {
        const double centre = j < set.informative
                                  ? GeneratedRows::separation *
                                        normal(set.parameters, element(set, i % set.classes, j))
                                  : 0.0;
        return centre + normal(set.values, at);
      }
      case GeneratorKind::regression: return normal(set.values, at);
      case GeneratorKind::xor_signs:
        return between(-1, 1, set.values, at) + (j < 2 ? set.noise * normal(set.noises, at) : 0.0);
    }
    return 0;
  }

  static double target_of(const GeneratedRows& set, Index i, const T* row) {
    switch (set.kind) {
      case GeneratorKind::blobs: return static_cast<double>(i % set.classes);
      case GeneratorKind::circles:
      case GeneratorKind::moons: return static_cast<double>(i % 2);
      case GeneratorKind::classification: {
        const auto draw = 2 * static_cast<std::uint64_t>(i);
        const bool replaced = set.labels.uniform(draw) < set.noise;
        return static_cast<double>(replaced ? set.labels.below(set.classes, draw + 1)
                                            : i % set.classes);
      }
      case GeneratorKind::regression: {
        constexpr double w = GeneratedRows::largest_weight;
        double sum = between(-w, w, set.parameters, 0);
        for (Index j = 0; j < set.informative; ++j) {
          const double weight = between(-w, w, set.parameters, static_cast<std::uint64_t>(j) + 1);
          sum += weight * static_cast<double>(row[j]);
        }
        return sum + set.noise * normal(set.noises, static_cast<std::uint64_t>(i));
      }
      case GeneratorKind::xor_signs: {
        const bool left = set.values.uniform(element(set, i, 0)) < 0.5;
        const bool below = set.values.uniform(element(set, i, 1)) < 0.5;
        return left == below ? 0 : 1;
      }
    }
    return 0;
  }
};

}  // namespace

template <Real T>
std::unique_ptr<GenerateSteps<T>> GenerateSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceGenerate<T>>();
}
template std::unique_ptr<GenerateSteps<float>> GenerateSteps<float>::make_reference(Engine&);
template std::unique_ptr<GenerateSteps<double>> GenerateSteps<double>::make_reference(Engine&);

}  // namespace tandem
