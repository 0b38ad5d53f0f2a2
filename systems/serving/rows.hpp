// The rows that a request asks about, and what a model says of rows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/core/types.hpp"
#include "tandem/model/model.hpp"

namespace tandem::serving {

// Raw rows in the order of the signature's columns, of the model's precision: codes of categories,
// NaN for what is missing.
struct Rows {
  Index count = 0;
  std::vector<float> floats;    // count × columns, or empty
  std::vector<double> doubles;  // the same for a model of double precision
  // Rows and columns of categories that the training data did not have, which stand above as
  // missing.
  std::vector<std::pair<Index, Index>> unseen;

  template <Real T>
  [[nodiscard]] std::vector<T>& of() {
    if constexpr (std::is_same_v<T, float>) {
      return floats;
    } else {
      return doubles;
    }
  }
  template <Real T>
  [[nodiscard]] const std::vector<T>& of() const {
    return const_cast<Rows*>(this)->of<T>();
  }
};

// Of all rows of a batch.
using Answers = std::variant<Predictions<float>, Predictions<double>>;

// Those of the rows [first, first + count) alone.
[[nodiscard]] Answers part_of(const Answers& answers, Index first, Index count);
// Puts more answers of the same model behind those that there are; none are of any model.
void append(Answers& answers, const Answers& more);
void append(Rows& rows, const Rows& more);

// Why a row was answered as it was: what each feature added to a score.
struct Reason {
  std::string feature;
  double value = 0;         // of the feature, as the model sees it
  double contribution = 0;  // to the score, in its units
};
struct Reasons {
  std::string output;           // the class whose score is explained; empty for a single score
  double expected = 0;          // the score without any of the features
  std::vector<Reason> reasons;  // the largest first
};

}  // namespace tandem::serving
