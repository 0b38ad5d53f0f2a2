// A graph of ONNX operators in the making, and its bytes. Protocol buffers are written by
// protozero; the numbers of fields are those of the format's schema (github.com/onnx/onnx,
// onnx/onnx.proto), the same in all its versions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem::onnx {

// TensorProto.DataType.
enum class Type : std::int32_t {
  float32 = 1,
  uint8 = 2,
  int64 = 7,
  text = 8,
  boolean = 9,
  float64 = 11
};
template <Real T>
inline constexpr Type type_of = std::is_same_v<T, float> ? Type::float32 : Type::float64;

// The operators of machine learning are a set of their own.
inline constexpr std::string_view ml_domain = "ai.onnx.ml";

// Named attributes of one node.
class Attributes {
 public:
  Attributes& integer(std::string_view name, std::int64_t value);
  Attributes& real(std::string_view name, float value);
  Attributes& integers(std::string_view name, std::span<const std::int64_t> values);
  Attributes& reals(std::string_view name, std::span<const float> values);
  Attributes& texts(std::string_view name, std::span<const std::string> values);
  Attributes& tensor(std::string_view name, std::span<const double> values);
  Attributes& tensor(std::string_view name, std::span<const std::uint8_t> values);

 private:
  friend class Graph;
  std::vector<std::string> encoded_;  // AttributeProto each
};

class Graph {
 public:
  // The name of a value.
  using Value = std::string;

  // rows × cols.
  Value input(std::string_view name, Type type, Index cols);
  // rows, or rows × cols where cols > 0. `value` becomes the output of that name.
  void output(std::string_view name, const Value& value, Type type, Index cols = 0);

  // Constants. A scalar has no shape.
  Value constant(std::span<const double> values, std::span<const Index> shape);
  Value constant(std::span<const float> values, std::span<const Index> shape);
  Value constant(std::span<const std::int64_t> values, std::span<const Index> shape);
  Value constant(std::span<const std::string> values);

  // The result of an operator.
  Value apply(std::string_view operation, const std::vector<Value>& inputs,
              const Attributes& attributes = {}, std::string_view domain = {});
  Value cast(const Value& value, Type to);

  // Versions of the operators and of the format.
  struct Versions {
    std::int64_t format;
    std::int64_t standard;
    std::int64_t ml;
  };
  // The bytes of the model.
  [[nodiscard]] std::string encode(const std::string& producer_version,
                                   const Versions& versions) const;

 private:
  Value add_constant(Type type, std::span<const Index> shape, std::string_view raw);
  [[nodiscard]] Value fresh(std::string_view stem);

  std::string graph_;      // GraphProto without inputs and outputs
  std::string interface_;  // its inputs and outputs
  std::int64_t named_ = 0;
};

}  // namespace tandem::onnx
