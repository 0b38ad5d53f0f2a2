#include "systems/serving/inference.hpp"

#include <simdjson.h>

#include <cmath>
#include <utility>

#include "systems/serving/asker_json.hpp"
#include "systems/serving/json_text.hpp"

namespace tandem::serving {
namespace {

using http::HttpError;
namespace dom = simdjson::dom;

[[noreturn]] void refuse(const std::string& why) { throw HttpError(400, why); }

std::string_view text_of(const dom::element& element, const std::string& what) {
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS) refuse(what + ": expected a text");
  return text;
}

bool flag_of(const dom::element& element, const std::string& what) {
  bool value = false;
  if (element.get(value) != simdjson::SUCCESS) refuse(what + ": expected true or false");
  return value;
}

std::uint64_t count_of(const dom::element& element, const std::string& what) {
  std::uint64_t value = 0;
  if (element.get(value) != simdjson::SUCCESS) refuse(what + ": expected a whole number");
  return value;
}

dom::object object_of(const dom::element& element, const std::string& what) {
  dom::object object;
  if (element.get(object) != simdjson::SUCCESS) refuse(what + ": expected an object");
  return object;
}

dom::array array_of(const dom::element& element, const std::string& what) {
  dom::array array;
  if (element.get(array) != simdjson::SUCCESS) refuse(what + ": expected a list");
  return array;
}

// The values of a tensor, nested as its shape is or flat. The depth is bounded by the parser.
void read_values(InputTensor& tensor, const dom::array& values) {
  const bool texts = tensor.datatype == "BYTES";
  for (const dom::element value : values) {
    switch (value.type()) {
      case dom::element_type::ARRAY: read_values(tensor, dom::array(value)); break;
      case dom::element_type::STRING:
        if (!texts) refuse("input " + tensor.name + ": a text among its data");
        tensor.texts.emplace_back(std::string_view(value));
        break;
      case dom::element_type::BOOL:
        if (texts) refuse("input " + tensor.name + ": expected texts as its data");
        tensor.numbers.push_back(bool(value) ? 1 : 0);
        break;
      case dom::element_type::DOUBLE:
      case dom::element_type::INT64:
      case dom::element_type::UINT64: {
        double number = 0;
        if (value.get(number) != simdjson::SUCCESS || texts) {
          refuse("input " + tensor.name + ": expected " + (texts ? "texts" : "numbers") +
                 " as its data");
        }
        if (tensor.datatype.find("INT") != std::string::npos && number != std::trunc(number)) {
          refuse("input " + tensor.name + ": " + shortest(number) + " is no " + tensor.datatype);
        }
        tensor.numbers.push_back(number);
        break;
      }
      default:
        refuse("input " + tensor.name + ": expected " + (texts ? "texts" : "numbers") +
               " as its data");
    }
  }
}

struct ParsedInput {
  InputTensor tensor;
  std::optional<std::uint64_t> binary_bytes;
  std::optional<dom::array> data;
};

ParsedInput parse_input(const dom::element& element) {
  ParsedInput input;
  for (const auto& [key, value] : object_of(element, "inputs")) {
    if (key == "name") {
      input.tensor.name = std::string(text_of(value, "name of an input"));
    } else if (key == "datatype") {
      input.tensor.datatype = std::string(text_of(value, "datatype of an input"));
    } else if (key == "shape") {
      for (const dom::element extent : array_of(value, "shape of an input")) {
        const std::uint64_t count = count_of(extent, "shape of an input");
        if (count > (std::uint64_t{1} << 31)) refuse("shape of an input: is too large");
        input.tensor.shape.push_back(static_cast<Index>(count));
      }
    } else if (key == "data") {
      input.data = array_of(value, "data of an input");
    } else if (key == "parameters") {
      for (const auto& [name, parameter] : object_of(value, "parameters of an input")) {
        if (name == "binary_data_size") {
          input.binary_bytes = count_of(parameter, "binary_data_size");
        } else if (name.substr(0, 13) == "shared_memory") {
          refuse("this server shares no memory with its clients");
        }
      }
    }
  }
  if (input.tensor.name.empty()) refuse("inputs: one has no name");
  if (input.tensor.datatype.empty()) refuse("input " + input.tensor.name + ": has no datatype");
  if (input.tensor.shape.empty()) refuse("input " + input.tensor.name + ": has no shape");
  return input;
}

RequestedOutput parse_output(const dom::element& element, std::optional<bool>& binary) {
  RequestedOutput output;
  for (const auto& [key, value] : object_of(element, "outputs")) {
    if (key == "name") {
      output.name = std::string(text_of(value, "name of an output"));
    } else if (key == "parameters") {
      for (const auto& [name, parameter] : object_of(value, "parameters of an output")) {
        if (name == "binary_data") {
          binary = flag_of(parameter, "binary_data");
        } else if (name == "classification") {
          refuse(
              "the classification extension is not supported; the output \"probabilities\" has "
              "them all");
        } else if (name.substr(0, 13) == "shared_memory") {
          refuse("this server shares no memory with its clients");
        }
      }
    }
  }
  if (output.name.empty()) refuse("outputs: one has no name");
  return output;
}

void append_shape(std::string& json, const std::vector<Index>& shape) {
  json += '[';
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) json += ',';
    append_shortest(json, shape[i]);
  }
  json += ']';
}

void append_data(std::string& json, const ServedModel& model, const std::string& name,
                 const Answers& answers, Index first, Index count) {
  const auto list = [&](Index from, Index to, auto&& append) {
    for (Index i = from; i < to; ++i) {
      if (i > from) json += ',';
      append(static_cast<std::size_t>(i));
    }
  };
  std::visit(
      [&]<Real T>(const Predictions<T>& predictions) {
        if (name == "label") {
          list(first, first + count, [&](std::size_t i) {
            const auto label = static_cast<std::size_t>(predictions.labels[i]);
            append_json_text(json, model.signature().classes[label]);
          });
        } else if (name == "cluster") {
          list(first, first + count,
               [&](std::size_t i) { append_json_number(json, predictions.labels[i]); });
        } else if (name == "probabilities") {
          list(first, first + count, [&](std::size_t i) {
            const auto row = predictions.probabilities.row(static_cast<Index>(i));
            for (std::size_t k = 0; k < row.size(); ++k) {
              if (k > 0) json += ',';
              append_json_number(json, row[k]);
            }
          });
        } else {
          list(first, first + count,
               [&](std::size_t i) { append_json_number(json, predictions.values[i]); });
        }
      },
      answers);
}

}  // namespace

InferenceRequest parse_inference(const ServedModel& model, std::string& body,
                                 std::optional<std::size_t> json_bytes,
                                 const RequestLimits& limits) {
  return parse_inference([&](const Asker&) -> const ServedModel& { return model; }, body,
                         json_bytes, limits);
}

InferenceRequest parse_inference(const ChooseModel& choose, std::string& body,
                                 std::optional<std::size_t> json_bytes,
                                 const RequestLimits& limits) {
  const std::size_t json_size = json_bytes.value_or(body.size());
  if (json_size > body.size()) {
    refuse("Inference-Header-Content-Length is larger than the body");
  }
  thread_local dom::parser parser;
  InferenceRequest request;
  std::vector<ParsedInput> inputs;
  std::vector<InputTensor> tensors;
  // The parser reads a little beyond the end of what it is given.
  const bool padded =
      body.capacity() >= json_size + simdjson::SIMDJSON_PADDING && body.size() == json_size;
  if (parser.capacity() < json_size ||
      parser.max_depth() != static_cast<std::size_t>(limits.json_depth)) {
    if (parser.allocate(std::max<std::size_t>(json_size, 1 << 12),
                        static_cast<std::size_t>(limits.json_depth)) != simdjson::SUCCESS) {
      throw std::bad_alloc();
    }
  }
  dom::element root;
  const auto error = parser.parse(body.data(), json_size, !padded).get(root);
  if (error != simdjson::SUCCESS) {
    refuse(std::string("the body is not JSON, or is nested deeper than ") +
           std::to_string(limits.json_depth) + ": " + simdjson::error_message(error));
  }
  std::vector<std::optional<bool>> binary_outputs;
  for (const auto& [key, value] : object_of(root, "the body")) {
    if (key == "id") {
      request.asker.id = std::string(text_of(value, "id"));
    } else if (key == "inputs") {
      for (const dom::element input : array_of(value, "inputs"))
        inputs.push_back(parse_input(input));
    } else if (key == "outputs") {
      for (const dom::element output : array_of(value, "outputs")) {
        request.outputs.push_back(parse_output(output, binary_outputs.emplace_back()));
      }
    } else if (key == "parameters") {
      for (const auto& [name, parameter] : object_of(value, "parameters")) {
        if (name == "binary_data_output") request.binary = flag_of(parameter, "binary_data_output");
        read_parameter(request.asker, name, parameter);
      }
    }
  }
  for (std::size_t i = 0; i < request.outputs.size(); ++i) {
    request.outputs[i].binary = binary_outputs[i].value_or(request.binary);
  }
  std::string_view raw = std::string_view(body).substr(json_size);
  for (ParsedInput& input : inputs) {
    if (input.binary_bytes) {
      if (input.data) refuse("input " + input.tensor.name + ": has both data and binary data");
      if (*input.binary_bytes > raw.size()) {
        refuse("input " + input.tensor.name + ": its binary data end early");
      }
      read_raw_tensor(input.tensor, raw.substr(0, *input.binary_bytes), limits);
      raw.remove_prefix(*input.binary_bytes);
    } else if (input.data) {
      read_values(input.tensor, *input.data);
    } else {
      refuse("input " + input.tensor.name + ": has no data");
    }
    tensors.push_back(std::move(input.tensor));
  }
  if (!raw.empty()) refuse("bytes follow the last binary input");
  const ServedModel& model = choose(request.asker);
  request.rows = rows_of_tensors(model, tensors, limits);
  std::vector<std::string_view> outputs;
  for (const RequestedOutput& output : request.outputs) outputs.push_back(output.name);
  check_outputs(model, outputs);
  if (request.outputs.empty()) {
    for (const TensorSpec& spec : model.signature().outputs()) {
      request.outputs.push_back({spec.name, request.binary});
    }
  }
  return request;
}

http::Response inference_response(const ServedModel& model, const InferenceRequest& request,
                                  const Answers& answers, Index first, const AnswerNotes& notes) {
  const Index count = request.rows.count;
  http::Response response;
  std::string& json = response.body;
  std::string raw;
  json = "{\"model_name\":";
  append_json_text(json, model.name());
  json += ",\"model_version\":\"" + model.version_text() + "\"";
  if (!notes.id.empty()) {
    json += ",\"id\":";
    append_json_text(json, notes.id);
  }
  if (!notes.experiment.empty()) {
    json += ",\"parameters\":{\"experiment\":";
    append_json_text(json, notes.experiment);
    json += ",\"arm\":";
    append_json_text(json, notes.arm);
    if (notes.forced) json += ",\"forced\":true";
    json += '}';
  }
  json += ",\"outputs\":[";
  const auto specs = model.signature().outputs();
  bool begun = false;
  for (const RequestedOutput& wanted : request.outputs) {
    if (begun) json += ',';
    begun = true;
    TensorSpec spec = *std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& known) {
      return known.name == wanted.name;
    });
    spec.shape[0] = count;
    json += "{\"name\":";
    append_json_text(json, spec.name);
    json += ",\"datatype\":\"" + spec.datatype + "\",\"shape\":";
    append_shape(json, spec.shape);
    if (wanted.binary) {
      const OutputTensor tensor = output_tensor(model, spec.name, answers, first, count);
      json += ",\"parameters\":{\"binary_data_size\":";
      append_shortest(json, tensor.raw.size());
      json += "}}";
      raw += tensor.raw;
    } else {
      json += ",\"data\":[";
      append_data(json, model, spec.name, answers, first, count);
      json += "]}";
    }
  }
  json += "]}";
  const bool any_binary = std::any_of(request.outputs.begin(), request.outputs.end(),
                                      [](const RequestedOutput& output) { return output.binary; });
  if (any_binary) {
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("Inference-Header-Content-Length", std::to_string(json.size()));
    json += raw;
  }
  return response;
}

}  // namespace tandem::serving
