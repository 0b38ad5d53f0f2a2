// Categories turned into numbers.
#pragma once

#include <array>

#include "tandem/core/export.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

// The features that a column of categories becomes.
//   one_hot: an indicator per category, "column=category", in the order of the codes. A category
//            that the training part lacks, and a missing value that is not filled, is all zeros.
//   ordinal: the code as a number: the position 0, 1, ... among the categories that occur in the
//            training part. One that the training part lacks counts as missing.
//   none:    the code among all categories that the training data declares; the column stays one of
//            categories.
enum class Encode { one_hot, ordinal, none };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<Encode>{"one-hot", "ordinal", "none"};

struct TANDEM_API EncodeOptions {
  Encode method = Encode::one_hot;

  void visit(OptionVisitor& visitor);
  void check() const {}
  [[nodiscard]] bool applies_to(std::span<const Feature> features) const;
  [[nodiscard]] CategoryNeeds category_needs() const;
};

template <Real T>
class TANDEM_API EncodeTransform final : public Transform<T> {
 public:
  [[nodiscard]] static EncodeTransform fit(const TrainingRows<T>& train,
                                           const EncodeOptions& options);

  [[nodiscard]] std::string_view name() const override { return "encode"; }
  [[nodiscard]] bool add_to(ColumnPlan<T>& plan) const override;
  [[nodiscard]] Index input_of(Index j) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static EncodeTransform load(const Archive& archive, std::vector<Feature> inputs);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

 private:
  EncodeTransform(std::vector<Feature> inputs, Encode method);

  Encode method_ = Encode::one_hot;
  std::vector<Index> source_;    // input of each output
  std::vector<Index> category_;  // of which output j is the indicator, or −1
};

}  // namespace tandem
