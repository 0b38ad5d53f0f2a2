// Tensors to rows and answers to tensors, whatever protocol carries them.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "systems/serving/inference.hpp"

namespace tandem::serving {
namespace {

using http::HttpError;

static_assert(std::endian::native == std::endian::little, "raw tensors are copied as they lie");

[[noreturn]] void refuse(const std::string& why) { throw HttpError(400, why); }

std::size_t at(Index index) { return static_cast<std::size_t>(index); }

bool is_datatype(std::string_view type) {
  static constexpr std::array<std::string_view, 12> known{"FP64",   "FP32",  "INT64",  "INT32",
                                                          "INT16",  "INT8",  "UINT64", "UINT32",
                                                          "UINT16", "UINT8", "BOOL",   "BYTES"};
  return std::find(known.begin(), known.end(), type) != known.end();
}

std::string shape_text(const std::vector<Index>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

// The number of elements; refuses extents that no request can have.
Index elements_of(const InputTensor& tensor) {
  constexpr Index most = Index{1} << 31;
  Index all = 1;
  for (const Index extent : tensor.shape) {
    if (extent < 0 || (extent > 0 && all > most / extent)) {
      refuse("input " + tensor.name + ": the shape " + shape_text(tensor.shape) + " is not one");
    }
    all *= extent;
  }
  return all;
}

template <class Number>
void read_numbers(InputTensor& tensor, std::string_view bytes, Index count) {
  if (bytes.size() != at(count) * sizeof(Number)) {
    refuse("input " + tensor.name + ": " + std::to_string(bytes.size()) + " bytes are not the " +
           std::to_string(at(count) * sizeof(Number)) + " of " + std::to_string(count) +
           " values of " + tensor.datatype);
  }
  tensor.numbers.resize(at(count));
  for (std::size_t i = 0; i < tensor.numbers.size(); ++i) {
    Number value;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    tensor.numbers[i] = static_cast<double>(value);
  }
}

void read_texts(InputTensor& tensor, std::string_view bytes, Index count) {
  for (Index i = 0; i < count; ++i) {
    std::uint32_t length = 0;
    if (bytes.size() < sizeof length) refuse("input " + tensor.name + ": its bytes end early");
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes.remove_prefix(sizeof length);
    if (bytes.size() < length) refuse("input " + tensor.name + ": its bytes end early");
    tensor.texts.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  if (!bytes.empty()) refuse("input " + tensor.name + ": bytes follow its last text");
}

// Puts a tensor into its column, or into all of them.
template <Real T>
void place(const ServedModel& model, const InputTensor& tensor, Index column, Rows& rows) {
  const auto width = static_cast<Index>(model.signature().columns.size());
  auto& values = rows.of<T>();
  if (column < 0) {
    std::transform(tensor.numbers.begin(), tensor.numbers.end(), values.begin(),
                   [](double value) { return static_cast<T>(value); });
    return;
  }
  const bool categorical = model.signature().columns[at(column)].categorical;
  for (Index i = 0; i < rows.count; ++i) {
    T& value = values[at(i * width + column)];
    if (!categorical) {
      value = static_cast<T>(tensor.numbers[at(i)]);
      continue;
    }
    const std::string& text = tensor.texts[at(i)];
    const Index code = model.category(column, text);
    // As `tandem predict` reads it: what the training data did not have is missing.
    value = code < 0 ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(code);
    // An empty text is a field without a value, as a file has it.
    if (code < 0 && !text.empty()) rows.unseen.emplace_back(i, column);
  }
}

void check_column(const ServedModel& model, const InputTensor& tensor, Index column) {
  const bool texts = tensor.datatype == "BYTES";
  const bool categorical = model.signature().columns[at(column)].categorical;
  if (texts == categorical) return;
  refuse("input " + tensor.name + ": has the datatype " + tensor.datatype + "; expected " +
         (categorical ? "BYTES, the names of categories" : model.signature().number_type()));
}

}  // namespace

void read_raw_tensor(InputTensor& tensor, std::string_view bytes, const RequestLimits& limits) {
  const Index count = elements_of(tensor);
  (void)limits;
  const std::string& type = tensor.datatype;
  if (type == "FP64") {
    read_numbers<double>(tensor, bytes, count);
  } else if (type == "FP32") {
    read_numbers<float>(tensor, bytes, count);
  } else if (type == "INT64") {
    read_numbers<std::int64_t>(tensor, bytes, count);
  } else if (type == "INT32") {
    read_numbers<std::int32_t>(tensor, bytes, count);
  } else if (type == "INT16") {
    read_numbers<std::int16_t>(tensor, bytes, count);
  } else if (type == "INT8") {
    read_numbers<std::int8_t>(tensor, bytes, count);
  } else if (type == "UINT64") {
    read_numbers<std::uint64_t>(tensor, bytes, count);
  } else if (type == "UINT32") {
    read_numbers<std::uint32_t>(tensor, bytes, count);
  } else if (type == "UINT16") {
    read_numbers<std::uint16_t>(tensor, bytes, count);
  } else if (type == "UINT8" || type == "BOOL") {
    read_numbers<std::uint8_t>(tensor, bytes, count);
  } else if (type == "BYTES") {
    read_texts(tensor, bytes, count);
  } else {
    refuse("input " + tensor.name + ": the datatype " + type + " is not supported");
  }
}

Rows rows_of_tensors(const ServedModel& model, const std::vector<InputTensor>& tensors,
                     const RequestLimits& limits) {
  const Signature& signature = model.signature();
  const auto width = static_cast<Index>(signature.columns.size());
  if (tensors.empty()) refuse("expected inputs");
  // One tensor of all columns is called as the metadata say, or is the only one and no column.
  const bool whole = signature.all_numbers() && tensors.size() == 1 &&
                     (tensors[0].name == "input" || model.column(tensors[0].name) < 0);
  Rows rows;
  std::vector<Index> columns;
  for (const InputTensor& tensor : tensors) {
    const auto& shape = tensor.shape;
    if (!is_datatype(tensor.datatype)) {
      refuse("input " + tensor.name + ": the datatype " + tensor.datatype + " is not supported");
    }
    Index column = -1;
    if (whole) {
      if (tensor.datatype == "BYTES") {
        refuse("input " + tensor.name + ": has the datatype BYTES; expected " +
               signature.number_type());
      }
      if (shape.size() != 2 || shape[1] != width) {
        refuse("input " + tensor.name + ": has the shape " + shape_text(shape) +
               "; expected [rows, " + std::to_string(width) + "]");
      }
    } else {
      column = model.column(tensor.name);
      if (column < 0) {
        refuse("input " + tensor.name + ": the model has no column of that name");
      }
      if (std::find(columns.begin(), columns.end(), column) != columns.end()) {
        refuse("input " + tensor.name + ": is there twice");
      }
      check_column(model, tensor, column);
      if (shape.empty() || shape.size() > 2 || (shape.size() == 2 && shape[1] != 1)) {
        refuse("input " + tensor.name + ": has the shape " + shape_text(shape) +
               "; expected [rows] or [rows, 1]");
      }
    }
    if (!columns.empty() && shape[0] != rows.count) {
      refuse("input " + tensor.name + ": has " + std::to_string(shape[0]) + " rows, and input " +
             tensors[0].name + " has " + std::to_string(rows.count));
    }
    rows.count = shape[0];
    if (rows.count > limits.rows) {
      throw HttpError(413, "a request may have " + std::to_string(limits.rows) + " rows");
    }
    const std::size_t there =
        tensor.datatype == "BYTES" ? tensor.texts.size() : tensor.numbers.size();
    if (there != at(elements_of(tensor))) {
      refuse("input " + tensor.name + ": holds " + std::to_string(there) +
             " values, and its shape is " + shape_text(shape));
    }
    columns.push_back(column);
  }
  if (rows.count == 0) refuse("expected at least one row");
  if (!whole && static_cast<Index>(columns.size()) != width) {
    for (Index j = 0; j < width; ++j) {
      if (std::find(columns.begin(), columns.end(), j) == columns.end()) {
        refuse("input " + signature.columns[at(j)].name + ": is missing");
      }
    }
  }
  const auto fill = [&]<Real T>(std::type_identity<T>) {
    rows.of<T>().resize(at(rows.count * width));
    for (std::size_t i = 0; i < tensors.size(); ++i) place<T>(model, tensors[i], columns[i], rows);
  };
  if (signature.precision == Precision::float32) {
    fill(std::type_identity<float>{});
  } else {
    fill(std::type_identity<double>{});
  }
  return rows;
}

void check_outputs(const ServedModel& model, const std::vector<std::string_view>& names) {
  const auto known = model.signature().outputs();
  for (auto name = names.begin(); name != names.end(); ++name) {
    const bool there = std::any_of(known.begin(), known.end(),
                                   [&](const TensorSpec& spec) { return spec.name == *name; });
    if (!there) {
      refuse("output " + std::string(*name) + ": the model has none of that name");
    }
    if (std::find(names.begin(), name, *name) != name) {
      refuse("output " + std::string(*name) + ": is asked for twice");
    }
  }
}

OutputTensor output_tensor(const ServedModel& model, const std::string& name,
                           const Answers& answers, Index first, Index count) {
  OutputTensor output;
  for (const TensorSpec& spec : model.signature().outputs()) {
    if (spec.name == name) output.spec = spec;
  }
  if (output.spec.name.empty()) {
    std::string there;
    for (const TensorSpec& spec : model.signature().outputs()) {
      there += (there.empty() ? "" : ", ") + spec.name;
    }
    refuse("output " + name + ": the model has none of that name; it has " + there);
  }
  output.spec.shape[0] = count;
  const auto append = [&](const void* values, std::size_t bytes) {
    output.raw.append(static_cast<const char*>(values), bytes);
  };
  std::visit(
      [&]<Real T>(const Predictions<T>& predictions) {
        if (name == "label") {
          for (Index i = 0; i < count; ++i) {
            const auto& label = model.signature().classes[at(predictions.labels[at(first + i)])];
            const auto length = static_cast<std::uint32_t>(label.size());
            append(&length, sizeof length);
            append(label.data(), label.size());
          }
        } else if (name == "probabilities") {
          for (Index i = 0; i < count; ++i) {
            const auto row = predictions.probabilities.row(first + i);
            append(row.data(), row.size() * sizeof(T));
          }
        } else if (name == "cluster") {
          append(predictions.labels.data() + first, at(count) * sizeof(std::int32_t));
        } else {
          append(predictions.values.data() + first, at(count) * sizeof(T));
        }
      },
      answers);
  return output;
}

}  // namespace tandem::serving
