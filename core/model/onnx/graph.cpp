#include "core/model/onnx/graph.hpp"

#include <bit>
#include <protozero/pbf_writer.hpp>

namespace tandem::onnx {
namespace {

// Raw data is little-endian, as the machines are that Tandem runs on.
static_assert(std::endian::native == std::endian::little);

// Numbers of fields, by message.
namespace model {
enum : protozero::pbf_tag_type {
  ir_version = 1,
  producer_name = 2,
  producer_version = 3,
  graph = 7,
  opset_import = 8
};
}
namespace opset {
enum : protozero::pbf_tag_type { domain = 1, version = 2 };
}
namespace graph {
enum : protozero::pbf_tag_type { node = 1, name = 2, initializer = 5, input = 11, output = 12 };
}
namespace node {
enum : protozero::pbf_tag_type {
  input = 1,
  output = 2,
  name = 3,
  op_type = 4,
  attribute = 5,
  domain = 7
};
}
namespace attribute {
enum : protozero::pbf_tag_type {
  name = 1,
  f = 2,
  i = 3,
  t = 5,
  floats = 7,
  ints = 8,
  strings = 9,
  type = 20
};
enum Kind : std::int32_t {
  kind_f = 1,
  kind_i = 2,
  kind_t = 4,
  kind_floats = 6,
  kind_ints = 7,
  kind_strings = 8
};
}  // namespace attribute
namespace tensor {
enum : protozero::pbf_tag_type { dims = 1, data_type = 2, string_data = 6, name = 8, raw_data = 9 };
}
namespace value_info {
enum : protozero::pbf_tag_type { name = 1, type = 2 };
}
namespace type_proto {
enum : protozero::pbf_tag_type { tensor_type = 1, elem_type = 1, shape = 2 };
}
namespace shape_proto {
enum : protozero::pbf_tag_type { dim = 1, dim_value = 1, dim_param = 2 };
}

template <class T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::string tensor_of(std::string_view name, Type type, std::span<const Index> shape,
                      std::string_view raw) {
  std::string encoded;
  protozero::pbf_writer writer(encoded);
  writer.add_packed_int64(tensor::dims, shape.begin(), shape.end());
  writer.add_int32(tensor::data_type, static_cast<std::int32_t>(type));
  if (!name.empty()) writer.add_string(tensor::name, name.data(), name.size());
  writer.add_bytes(tensor::raw_data, raw.data(), raw.size());
  return encoded;
}

void begin_attribute(protozero::pbf_writer& writer, std::string_view name, attribute::Kind kind) {
  writer.add_string(attribute::name, name.data(), name.size());
  writer.add_enum(attribute::type, kind);
}

std::string value_of(std::string_view name, Type type, Index cols) {
  std::string encoded;
  protozero::pbf_writer writer(encoded);
  writer.add_string(value_info::name, name.data(), name.size());
  protozero::pbf_writer type_writer(writer, value_info::type);
  protozero::pbf_writer tensor_writer(type_writer, type_proto::tensor_type);
  tensor_writer.add_int32(type_proto::elem_type, static_cast<std::int32_t>(type));
  protozero::pbf_writer shape_writer(tensor_writer, type_proto::shape);
  {
    protozero::pbf_writer rows(shape_writer, shape_proto::dim);
    rows.add_string(shape_proto::dim_param, "rows");
  }
  if (cols > 0) {
    protozero::pbf_writer dim(shape_writer, shape_proto::dim);
    dim.add_int64(shape_proto::dim_value, cols);
  }
  return encoded;
}

}  // namespace

// --- attributes ---------------------------------------------------------------------------------

Attributes& Attributes::integer(std::string_view name, std::int64_t value) {
  protozero::pbf_writer writer(encoded_.emplace_back());
  begin_attribute(writer, name, attribute::kind_i);
  writer.add_int64(attribute::i, value);
  return *this;
}

Attributes& Attributes::real(std::string_view name, float value) {
  protozero::pbf_writer writer(encoded_.emplace_back());
  begin_attribute(writer, name, attribute::kind_f);
  writer.add_float(attribute::f, value);
  return *this;
}

Attributes& Attributes::integers(std::string_view name, std::span<const std::int64_t> values) {
  protozero::pbf_writer writer(encoded_.emplace_back());
  begin_attribute(writer, name, attribute::kind_ints);
  writer.add_packed_int64(attribute::ints, values.begin(), values.end());
  return *this;
}

Attributes& Attributes::reals(std::string_view name, std::span<const float> values) {
  protozero::pbf_writer writer(encoded_.emplace_back());
  begin_attribute(writer, name, attribute::kind_floats);
  writer.add_packed_float(attribute::floats, values.begin(), values.end());
  return *this;
}

Attributes& Attributes::texts(std::string_view name, std::span<const std::string> values) {
  protozero::pbf_writer writer(encoded_.emplace_back());
  begin_attribute(writer, name, attribute::kind_strings);
  for (const std::string& value : values) writer.add_bytes(attribute::strings, value);
  return *this;
}

Attributes& Attributes::tensor(std::string_view name, std::span<const double> values) {
  protozero::pbf_writer writer(encoded_.emplace_back());
  begin_attribute(writer, name, attribute::kind_t);
  const Index size = static_cast<Index>(values.size());
  writer.add_message(attribute::t, tensor_of({}, Type::float64, {&size, 1}, bytes_of(values)));
  return *this;
}

Attributes& Attributes::tensor(std::string_view name, std::span<const std::uint8_t> values) {
  protozero::pbf_writer writer(encoded_.emplace_back());
  begin_attribute(writer, name, attribute::kind_t);
  const Index size = static_cast<Index>(values.size());
  writer.add_message(attribute::t, tensor_of({}, Type::uint8, {&size, 1}, bytes_of(values)));
  return *this;
}

// --- the graph ----------------------------------------------------------------------------------

Graph::Value Graph::fresh(std::string_view stem) {
  return std::string(stem) + "#" + std::to_string(named_++);
}

Graph::Value Graph::input(std::string_view name, Type type, Index cols) {
  protozero::pbf_writer(interface_).add_message(graph::input, value_of(name, type, cols));
  return std::string(name);
}

void Graph::output(std::string_view name, const Value& value, Type type, Index cols) {
  std::string encoded;
  {
    protozero::pbf_writer writer(encoded);
    writer.add_string(node::input, value);
    writer.add_string(node::output, name.data(), name.size());
    writer.add_string(node::name, std::string(name));
    writer.add_string(node::op_type, "Identity");
  }
  protozero::pbf_writer(graph_).add_message(graph::node, encoded);
  protozero::pbf_writer(interface_).add_message(graph::output, value_of(name, type, cols));
}

Graph::Value Graph::add_constant(Type type, std::span<const Index> shape, std::string_view raw) {
  const Value name = fresh("constant");
  protozero::pbf_writer(graph_).add_message(graph::initializer, tensor_of(name, type, shape, raw));
  return name;
}

Graph::Value Graph::constant(std::span<const double> values, std::span<const Index> shape) {
  return add_constant(Type::float64, shape, bytes_of(values));
}
Graph::Value Graph::constant(std::span<const float> values, std::span<const Index> shape) {
  return add_constant(Type::float32, shape, bytes_of(values));
}
Graph::Value Graph::constant(std::span<const std::int64_t> values, std::span<const Index> shape) {
  return add_constant(Type::int64, shape, bytes_of(values));
}

Graph::Value Graph::constant(std::span<const std::string> values) {
  const Value name = fresh("constant");
  std::string encoded;
  {
    protozero::pbf_writer writer(encoded);
    const Index size = static_cast<Index>(values.size());
    writer.add_packed_int64(tensor::dims, &size, &size + 1);
    writer.add_int32(tensor::data_type, static_cast<std::int32_t>(Type::text));
    for (const std::string& value : values) writer.add_bytes(tensor::string_data, value);
    writer.add_string(tensor::name, name);
  }
  protozero::pbf_writer(graph_).add_message(graph::initializer, encoded);
  return name;
}

Graph::Value Graph::apply(std::string_view operation, const std::vector<Value>& inputs,
                          const Attributes& attributes, std::string_view domain) {
  const Value result = fresh(operation);
  std::string encoded;
  {
    protozero::pbf_writer writer(encoded);
    for (const Value& input : inputs) writer.add_string(node::input, input);
    writer.add_string(node::output, result);
    writer.add_string(node::name, result);
    writer.add_string(node::op_type, operation.data(), operation.size());
    for (const std::string& attribute : attributes.encoded_) {
      writer.add_message(node::attribute, attribute);
    }
    if (!domain.empty()) writer.add_string(node::domain, domain.data(), domain.size());
  }
  protozero::pbf_writer(graph_).add_message(graph::node, encoded);
  return result;
}

Graph::Value Graph::cast(const Value& value, Type to) {
  return apply("Cast", {value}, Attributes().integer("to", static_cast<std::int64_t>(to)));
}

std::string Graph::encode(const std::string& producer_version, const Versions& versions) const {
  std::string encoded;
  protozero::pbf_writer writer(encoded);
  writer.add_int64(model::ir_version, versions.format);
  writer.add_string(model::producer_name, "tandem");
  writer.add_string(model::producer_version, producer_version);
  {
    protozero::pbf_writer standard(writer, model::opset_import);
    standard.add_string(opset::domain, "");
    standard.add_int64(opset::version, versions.standard);
  }
  {
    protozero::pbf_writer ml(writer, model::opset_import);
    ml.add_string(opset::domain, ml_domain.data(), ml_domain.size());
    ml.add_int64(opset::version, versions.ml);
  }
  std::string whole = graph_ + interface_;
  protozero::pbf_writer(whole).add_string(graph::name, "tandem");
  writer.add_message(model::graph, whole);
  return encoded;
}

}  // namespace tandem::onnx
