// Generated data sets where they will be used: on the engine.
#pragma once

#include <memory>
#include <string_view>

#include "core/data/generated_rows.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem {

// Costs of generating `rows` rows: each element is written once.
[[nodiscard]] constexpr double generate_bytes(Index rows, Index features, std::size_t element) {
  return static_cast<double>(rows) * static_cast<double>(features + 1) *
         static_cast<double>(element);
}

template <Real T>
class GenerateSteps {
 public:
  virtual ~GenerateSteps() = default;
  static constexpr std::string_view name = "generate";
  [[nodiscard]] static std::unique_ptr<GenerateSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<GenerateSteps> make_cpu(Engine& engine);

  // x (i, j) = set.value(i, j) rounded to T, target(i) = set.target(...) likewise; x is row-major,
  // its rows times set.features elements, as many rows as target has. weights: set.weight(0 ..
  // informative − 1) for regression. Enqueued.
  virtual void generate(const GeneratedRows& set, const Buffer<double>& weights, Buffer<T>& x,
                        Buffer<T>& target) = 0;
};

}  // namespace tandem
