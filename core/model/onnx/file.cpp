#include "core/model/onnx/file.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <protozero/pbf_reader.hpp>

#include "tandem/core/error.hpp"

namespace tandem::onnx {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

constexpr std::uint32_t field(std::uint32_t number, pbf_wire_type type) {
  return protozero::tag_and_type(number, type);
}
constexpr auto varint = pbf_wire_type::varint;
constexpr auto bytes_type = pbf_wire_type::length_delimited;

class Reader {
 public:
  explicit Reader(const std::string& source) : source_(source) {}

  [[noreturn]] void fail(const std::string& what) const { throw InputError(source_ + ": " + what); }

  void read_model(pbf_reader message, File& file) const {
    bool graph = false;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case field(2, bytes_type): file.producer = message.get_string(); break;
        case field(7, bytes_type):
          if (graph) fail("has two graphs");
          graph = true;
          read_graph(message.get_message(), file);
          break;
        case field(8, bytes_type): file.domains.insert(domain(message.get_message())); break;
        case field(25, bytes_type): fail("defines functions of its own, which are not read");
        default: message.skip();
      }
    }
    if (!graph) fail("has no graph; expected a model in the ONNX format");
    for (Node& node : file.nodes) {
      if (node.domain == "ai.onnx") node.domain.clear();
      if (!file.domains.contains(node.domain)) {
        fail("does not say which version of " +
             (node.domain.empty() ? "ONNX's operators" : "'" + node.domain + "'") +
             " it uses: it is damaged, or cut off");
      }
    }
    std::erase_if(file.inputs,
                  [&](const Port& port) { return file.constants.contains(port.name); });
  }

 private:
  static std::string domain(pbf_reader message) {
    std::string name;
    while (message.next()) {
      if (message.tag_and_type() == field(1, bytes_type)) {
        name = message.get_string();
      } else {
        message.skip();
      }
    }
    return name == "ai.onnx" ? "" : name;
  }

  void read_graph(pbf_reader message, File& file) const {
    while (message.next()) {
      switch (message.tag_and_type()) {
        case field(1, bytes_type): file.nodes.push_back(node(message.get_message())); break;
        case field(5, bytes_type): {
          std::string name;
          Tensor tensor = read_tensor(message.get_message(), &name);
          if (!file.constants.emplace(name, std::move(tensor)).second) {
            fail("has two constants called '" + name + "'");
          }
          break;
        }
        case field(11, bytes_type): file.inputs.push_back(port(message.get_message())); break;
        case field(12, bytes_type): file.outputs.push_back(port(message.get_message())); break;
        case field(15, bytes_type): fail("has sparse constants, which are not read");
        default: message.skip();
      }
    }
  }

  Node node(pbf_reader message) const {
    Node result;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case field(1, bytes_type): result.inputs.push_back(message.get_string()); break;
        case field(2, bytes_type): result.outputs.push_back(message.get_string()); break;
        case field(3, bytes_type): result.name = message.get_string(); break;
        case field(4, bytes_type): result.operation = message.get_string(); break;
        case field(5, bytes_type): {
          std::string name;
          Attribute value = attribute(message.get_message(), name);
          result.attributes.insert_or_assign(std::move(name), std::move(value));
          break;
        }
        case field(7, bytes_type): result.domain = message.get_string(); break;
        default: message.skip();
      }
    }
    return result;
  }

  Attribute attribute(pbf_reader message, std::string& name) const {
    Attribute result;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case field(1, bytes_type): name = message.get_string(); break;
        case field(2, pbf_wire_type::fixed32): result.real = message.get_float(); break;
        case field(3, varint): result.integer = message.get_int64(); break;
        case field(4, bytes_type): result.text = message.get_bytes(); break;
        case field(5, bytes_type):
          result.tensor = read_tensor(message.get_message(), nullptr);
          break;
        case field(7, pbf_wire_type::fixed32): result.reals.push_back(message.get_float()); break;
        case field(7, bytes_type):
          for (const float value : message.get_packed_float()) result.reals.push_back(value);
          break;
        case field(8, varint): result.integers.push_back(message.get_int64()); break;
        case field(8, bytes_type):
          for (const std::int64_t value : message.get_packed_int64()) {
            result.integers.push_back(value);
          }
          break;
        case field(9, bytes_type): result.texts.push_back(message.get_bytes()); break;
        default: message.skip();
      }
    }
    return result;
  }

  Tensor read_tensor(pbf_reader message, std::string* name) const {
    Tensor result;
    std::string_view raw;
    bool has_raw = false;
    std::vector<double> reals;
    std::vector<std::int64_t> integers;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case field(1, varint): result.shape.push_back(message.get_int64()); break;
        case field(1, bytes_type):
          for (const std::int64_t size : message.get_packed_int64()) result.shape.push_back(size);
          break;
        case field(2, varint): result.type = message.get_int32(); break;
        case field(4, pbf_wire_type::fixed32): reals.push_back(message.get_float()); break;
        case field(4, bytes_type):
          for (const float value : message.get_packed_float()) reals.push_back(value);
          break;
        case field(5, varint): integers.push_back(message.get_int32()); break;
        case field(5, bytes_type):
          for (const std::int32_t value : message.get_packed_int32()) integers.push_back(value);
          break;
        case field(6, bytes_type): result.texts.push_back(message.get_bytes()); break;
        case field(7, varint): integers.push_back(message.get_int64()); break;
        case field(7, bytes_type):
          for (const std::int64_t value : message.get_packed_int64()) integers.push_back(value);
          break;
        case field(8, bytes_type):
          if (name != nullptr) {
            *name = message.get_string();
          } else {
            message.skip();
          }
          break;
        case field(9, bytes_type): {
          const auto view = message.get_view();
          raw = {view.data(), view.size()};
          has_raw = true;
          break;
        }
        case field(10, pbf_wire_type::fixed64): reals.push_back(message.get_double()); break;
        case field(10, bytes_type):
          for (const double value : message.get_packed_double()) reals.push_back(value);
          break;
        case field(13, bytes_type): fail("keeps constants in other files, which are not read");
        default: message.skip();
      }
    }
    if (has_raw) {
      read_raw(raw, result, reals, integers);
    }
    if (!integers.empty()) {
      for (const std::int64_t value : integers) reals.push_back(static_cast<double>(value));
      result.integers = std::move(integers);
    }
    result.numbers = std::move(reals);
    Index elements = 1;
    for (const Index size : result.shape) {
      if (size < 0 || (size > 0 && elements > std::numeric_limits<Index>::max() / size)) {
        fail("has a constant of an impossible shape");
      }
      elements *= size;
    }
    if (elements != result.size()) {
      fail("has a constant of " + std::to_string(result.size()) + " values for a shape of " +
           std::to_string(elements));
    }
    return result;
  }

  template <class Value, class To>
  static void append(std::string_view raw, std::vector<To>& to) {
    for (std::size_t at = 0; at + sizeof(Value) <= raw.size(); at += sizeof(Value)) {
      Value value;
      std::memcpy(&value, raw.data() + at, sizeof value);
      to.push_back(static_cast<To>(value));
    }
  }

  // Little-endian, as the format has it and this machine too.
  void read_raw(std::string_view raw, const Tensor& tensor, std::vector<double>& reals,
                std::vector<std::int64_t>& integers) const {
    static_assert(std::endian::native == std::endian::little);
    const auto whole = [&](std::size_t size) {
      if (raw.size() % size != 0) fail("has a constant that ends within a value");
    };
    switch (tensor.type) {
      case 1: whole(4); return append<float>(raw, reals);
      case 11: whole(8); return append<double>(raw, reals);
      case 2:
      case 9: return append<std::uint8_t>(raw, integers);
      case 3: return append<std::int8_t>(raw, integers);
      case 6: whole(4); return append<std::int32_t>(raw, integers);
      case 7: whole(8); return append<std::int64_t>(raw, integers);
      default:
        fail("has a constant of type " + std::to_string(tensor.type) + ", which is not read");
    }
  }

  Port port(pbf_reader message) const {
    Port result;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case field(1, bytes_type): result.name = message.get_string(); break;
        case field(2, bytes_type): read_type(message.get_message(), result); break;
        default: message.skip();
      }
    }
    return result;
  }

  static void read_type(pbf_reader message, Port& to) {
    while (message.next()) {
      if (message.tag_and_type() != field(1, bytes_type)) {
        message.skip();
        continue;
      }
      to.tensor = true;
      pbf_reader tensor = message.get_message();
      while (tensor.next()) {
        switch (tensor.tag_and_type()) {
          case field(1, varint): to.type = tensor.get_int32(); break;
          case field(2, bytes_type): read_shape(tensor.get_message(), to); break;
          default: tensor.skip();
        }
      }
    }
  }

  static void read_shape(pbf_reader message, Port& to) {
    while (message.next()) {
      if (message.tag_and_type() != field(1, bytes_type)) {
        message.skip();
        continue;
      }
      Index size = -1;
      pbf_reader dimension = message.get_message();
      while (dimension.next()) {
        if (dimension.tag_and_type() == field(1, varint)) {
          size = dimension.get_int64();
        } else {
          dimension.skip();
        }
      }
      to.shape.push_back(size);
    }
  }

  const std::string& source_;
};

}  // namespace

bool begins_as_onnx(std::string_view bytes) {
  // ir_version, the first field that all writers write.
  return bytes.size() > 2 && bytes[0] == 8 && bytes[1] > 0 && bytes[1] < 100;
}

File read_onnx_file(std::string_view bytes, const std::string& source) {
  File file;
  try {
    Reader(source).read_model(pbf_reader(bytes.data(), bytes.size()), file);
  } catch (const protozero::exception& error) {
    throw InputError(source + ": is damaged, or no ONNX model: " + error.what());
  }
  return file;
}

}  // namespace tandem::onnx
