// Columns of numbers become their principal components.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/options.hpp"
#include "tandem/decompose/principal_axes.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

// Named apart from the options of an algorithm that has components of its own.
struct TANDEM_API PcaStepOptions {
  std::int64_t dimensions = 0;  // 0: the columns stay as they are
  bool unit_variance = false;   // whiten

  void visit(OptionVisitor& visitor);
  void check() const {}
  [[nodiscard]] bool applies_to(std::span<const Feature> features) const;
};

// All columns, numbers and indicators, become the coordinates of their rows along the principal
// axes of the training part: pc1, pc2, ... The steps run on the host, whatever engine the pipeline
// is trained on, and in exact mode, so that the bits are those of any engine.
template <Real T>
class TANDEM_API PcaTransform final : public Transform<T> {
 public:
  // Throws InputError for columns of categories, a missing value, more dimensions than the least
  // of rows that count and columns, and what principal_axes() refuses.
  [[nodiscard]] static PcaTransform fit(const TrainingRows<T>& train,
                                        const PcaStepOptions& options);
  [[nodiscard]] static PcaTransform load(const Archive& archive, std::vector<Feature> inputs);

  [[nodiscard]] const PrincipalAxes& axes() const noexcept { return axes_; }

  [[nodiscard]] std::string_view name() const override { return "pca"; }
  [[nodiscard]] Matrix<T> transform_rows(const Matrix<T>& rows, int threads) const override;
  [[nodiscard]] Index input_of(Index j) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

 private:
  PcaTransform(std::vector<Feature> inputs, PrincipalAxes axes);
  [[nodiscard]] std::vector<std::string> input_names() const;

  PrincipalAxes axes_;
};

}  // namespace tandem
