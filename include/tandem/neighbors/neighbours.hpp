// The nearest rows of rows, by all distances: what the classifier and the regressor have in common.
// docs/algorithms/nearest-neighbours.md says what is computed and how exactly.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"
#include "tandem/model/model.hpp"

namespace tandem {

// How far two rows are from each other.
//   euclidean  √Σ (x_j − y_j)²; what is compared are the squares
//   manhattan  Σ |x_j − y_j|
//   cosine     1 − Σ x_j·y_j of the two rows scaled to length 1; a row of zeros is 1 from every row
enum class NeighbourMetric { euclidean, manhattan, cosine };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<NeighbourMetric>{"euclidean",
                                                                             "manhattan", "cosine"};

// What a neighbour's say is: the same for all, or the reciprocal of its distance. Where some are at
// distance 0, they alone have a say.
enum class NeighbourWeights { uniform, distance };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<NeighbourWeights>{"uniform",
                                                                              "distance"};

// The longest list of neighbours.
inline constexpr std::int64_t most_neighbours = 1024;

struct TANDEM_API NeighbourOptions {
  std::int64_t neighbours = 5;
  NeighbourWeights weighting = NeighbourWeights::uniform;
  NeighbourMetric distance = NeighbourMetric::euclidean;

  void visit(OptionVisitor& visitor);
  void check() const {}
};

// A model that keeps its training rows and answers from the nearest of them. Of rows that are as
// far, the one that stands first is nearer.
template <Real T>
class TANDEM_API NeighbourModel : public Model<T> {
 public:
  Matrix<T> rows;          // of weight > 0
  std::vector<T> weights;  // of the rows, or empty: 1 each
  NeighbourOptions options;
  TrainingLog log;

  [[nodiscard]] Index features() const override { return rows.cols(); }
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;

 protected:
  NeighbourModel() = default;
  NeighbourModel(const NeighbourModel&) = default;
  NeighbourModel(NeighbourModel&&) noexcept = default;
  NeighbourModel& operator=(const NeighbourModel&) = default;
  NeighbourModel& operator=(NeighbourModel&&) noexcept = default;

  // What save() wrote; throws InputError for what it could not have written.
  void load_rows(const Archive& archive);
};

}  // namespace tandem
