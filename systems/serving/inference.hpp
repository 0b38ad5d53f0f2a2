// Inference requests and answers of the Open Inference Protocol v2, as JSON with or without the
// binary tensor extension
// (github.com/kserve/open-inference-protocol, github.com/triton-inference-server/server,
// docs/protocol/extension_binary_data.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "systems/http/message.hpp"
#include "systems/serving/asker.hpp"
#include "systems/serving/rows.hpp"
#include "systems/serving/served_model.hpp"

namespace tandem::serving {

struct RequestLimits {
  Index rows = 100'000;  // of one request
  int json_depth = 16;
};

// The model that answers who asks: called once it is known who does, before the rows are read. It
// lives until the request is parsed.
using ChooseModel = std::function<const ServedModel&(const Asker&)>;

struct RequestedOutput {
  std::string name;
  bool binary = false;
};

struct InferenceRequest {
  Asker asker;
  std::vector<RequestedOutput> outputs;  // empty: all of the model's
  bool binary = false;                   // of outputs that do not say
  Rows rows;
};

// `json_bytes` is what the header Inference-Header-Content-Length says; nothing: all of the body is
// JSON. The body may be enlarged. Throws HttpError with 400 that names the tensor, row and column.
// `id` and, among the parameters, `unit`, `attributes` and `force` say who asks.
[[nodiscard]] InferenceRequest parse_inference(const ChooseModel& choose, std::string& body,
                                               std::optional<std::size_t> json_bytes,
                                               const RequestLimits& limits);
[[nodiscard]] InferenceRequest parse_inference(const ServedModel& model, std::string& body,
                                               std::optional<std::size_t> json_bytes,
                                               const RequestLimits& limits);

// Rows [first, first + request.rows.count) of the answers. Of an experiment, the parameters of the
// answer name it and the arm.
[[nodiscard]] http::Response inference_response(const ServedModel& model,
                                                const InferenceRequest& request,
                                                const Answers& answers, Index first,
                                                const AnswerNotes& notes = {});

// One tensor of a request, wherever it comes from: numbers in row order, or texts.
struct InputTensor {
  std::string name;
  std::string datatype;
  std::vector<Index> shape;
  std::vector<double> numbers;
  std::vector<std::string> texts;  // of datatype BYTES
};
// The bytes of a tensor as the binary extension and gRPC's raw contents have them: little-endian
// numbers in row order; of BYTES a length of 32 bits before each text. Throws HttpError.
void read_raw_tensor(InputTensor& tensor, std::string_view bytes, const RequestLimits& limits);
// The rows that tensors make up. Throws HttpError where one is missing, unknown or of another
// shape.
[[nodiscard]] Rows rows_of_tensors(const ServedModel& model,
                                   const std::vector<InputTensor>& tensors,
                                   const RequestLimits& limits);

// One tensor of an answer.
struct OutputTensor {
  TensorSpec spec;  // with the number of rows
  std::string raw;  // as read_raw_tensor() takes it
};
// Throws HttpError for an output that the model does not have, and for one that is asked for twice:
// an answer costs what its outputs do. Before anything is computed, since an answer cannot fail
// later.
void check_outputs(const ServedModel& model, const std::vector<std::string_view>& names);
// Throws HttpError with 400 for an output that the model has not.
[[nodiscard]] OutputTensor output_tensor(const ServedModel& model, const std::string& name,
                                         const Answers& answers, Index first, Index count);

}  // namespace tandem::serving
