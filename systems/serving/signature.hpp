// What a model takes and gives, as clients see it: two versions of a model can stand in for each
// other only where their signatures are equal.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tandem/core/types.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem::serving {

// A tensor of the Open Inference Protocol. -1 is an extent that a request chooses: the rows.
struct TensorSpec {
  std::string name;
  std::string datatype;  // "FP64", "FP32", "INT32", "BYTES"
  std::vector<Index> shape;

  [[nodiscard]] bool operator==(const TensorSpec&) const = default;
};

struct SignatureColumn {
  std::string name;
  bool categorical = false;

  [[nodiscard]] bool operator==(const SignatureColumn&) const = default;
};

struct Signature {
  Task task = Task::regression;
  Precision precision = Precision::float64;
  std::vector<SignatureColumn> columns;  // raw ones, in the model's order
  std::vector<std::string> classes;
  std::string target;

  // Where all columns are numbers, one tensor "input" of rows × columns; else a tensor of rows × 1
  // per column, under its name.
  [[nodiscard]] std::vector<TensorSpec> inputs() const;
  // Classification: "label" and "probabilities"; regression: "value"; clustering: "cluster";
  // detection: "label" and "score".
  [[nodiscard]] std::vector<TensorSpec> outputs() const;
  [[nodiscard]] bool all_numbers() const;
  // "FP32" or "FP64"
  [[nodiscard]] std::string number_type() const;

  [[nodiscard]] nlohmann::json to_json() const;
  // The same as a text, by which the registry compares. The target's name and what categories a
  // column has are no part of it.
  [[nodiscard]] std::string to_text() const;

  [[nodiscard]] bool operator==(const Signature&) const = default;
};

template <Real T>
[[nodiscard]] Signature signature_of(const Pipeline<T>& pipeline);

// One line per difference, for people; empty where the two can stand in for each other.
[[nodiscard]] std::vector<std::string> differences(const Signature& before, const Signature& after);
// From what to_text() wrote; throws SystemError for anything else.
[[nodiscard]] Signature signature_from_text(const std::string& text);

}  // namespace tandem::serving
