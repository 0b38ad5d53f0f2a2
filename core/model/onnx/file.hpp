// An ONNX file as it is read: nodes with attributes, and constants. Numbers of fields are those of
// the format's schema (github.com/onnx/onnx, onnx/onnx.proto).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem::onnx {

// A constant. What a type of it has no member for stays empty: texts have no numbers.
struct Tensor {
  std::int32_t type = 0;  // TensorProto.DataType
  std::vector<Index> shape;
  std::vector<double> numbers;  // of all types of numbers, booleans among them
  std::vector<std::int64_t> integers;
  std::vector<std::string> texts;

  [[nodiscard]] Index size() const noexcept {
    return static_cast<Index>(texts.empty() ? numbers.size() : texts.size());
  }
};

struct Attribute {
  double real = 0;
  std::int64_t integer = 0;
  std::string text;
  Tensor tensor;
  std::vector<double> reals;
  std::vector<std::int64_t> integers;
  std::vector<std::string> texts;
};

struct Node {
  std::string operation;
  std::string domain;
  std::string name;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::map<std::string, Attribute, std::less<>> attributes;
};

// An input or output of the graph.
struct Port {
  std::string name;
  bool tensor = false;
  std::int32_t type = 0;
  std::vector<Index> shape;  // −1 where a dimension is not fixed
};

struct File {
  std::string producer;
  std::set<std::string, std::less<>> domains;  // sets of operators
  std::vector<Node> nodes;
  std::map<std::string, Tensor, std::less<>> constants;
  std::vector<Port> inputs;  // without those that a constant has the value of
  std::vector<Port> outputs;
};

// True of what begins as ONNX files do: with the version of the format.
[[nodiscard]] bool begins_as_onnx(std::string_view bytes);

// Throws InputError that begins with `source` for what is damaged, for data in other files, for
// sparse constants and for functions.
[[nodiscard]] File read_onnx_file(std::string_view bytes, const std::string& source);

}  // namespace tandem::onnx
