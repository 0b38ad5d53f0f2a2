#include "systems/serving/grpc_server.hpp"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <mutex>

#include "open_inference.grpc.pb.h"
#include "tandem/config.hpp"

namespace tandem::serving {
namespace {

using Reactor = grpc::ServerUnaryReactor;
using Context = grpc::CallbackServerContext;
using http::HttpError;
using http::Role;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

constexpr std::chrono::seconds without_deadline{60};

grpc::Status status_of(int http_status, const std::string& message) {
  switch (http_status) {
    case 400:
    case 413: return {grpc::StatusCode::INVALID_ARGUMENT, message};
    case 401: return {grpc::StatusCode::UNAUTHENTICATED, message};
    case 403: return {grpc::StatusCode::PERMISSION_DENIED, message};
    case 404: return {grpc::StatusCode::NOT_FOUND, message};
    case 429: return {grpc::StatusCode::RESOURCE_EXHAUSTED, message};
    case 503: return {grpc::StatusCode::UNAVAILABLE, message};
    case 504: return {grpc::StatusCode::DEADLINE_EXCEEDED, message};
    default: return {grpc::StatusCode::INTERNAL, message};
  }
}

// The status that stands for the exception in flight.
grpc::Status status_of_exception() {
  try {
    throw;
  } catch (const HttpError& error) {
    return status_of(error.status, error.what());
  } catch (const InputError& error) {
    return status_of(400, error.what());
  } catch (const std::exception& error) {
    return status_of(500, error.what());
  }
}

template <class Contents>
void take_numbers(InputTensor& tensor, const Contents& contents) {
  tensor.numbers.reserve(static_cast<std::size_t>(contents.size()));
  for (const auto value : contents) tensor.numbers.push_back(static_cast<double>(value));
}

void read_contents(InputTensor& tensor, const inference::InferTensorContents& contents) {
  const std::string& type = tensor.datatype;
  if (type == "FP64") {
    take_numbers(tensor, contents.fp64_contents());
  } else if (type == "FP32") {
    take_numbers(tensor, contents.fp32_contents());
  } else if (type == "INT64") {
    take_numbers(tensor, contents.int64_contents());
  } else if (type == "INT32" || type == "INT16" || type == "INT8") {
    take_numbers(tensor, contents.int_contents());
  } else if (type == "UINT64") {
    take_numbers(tensor, contents.uint64_contents());
  } else if (type == "UINT32" || type == "UINT16" || type == "UINT8") {
    take_numbers(tensor, contents.uint_contents());
  } else if (type == "BOOL") {
    take_numbers(tensor, contents.bool_contents());
  } else if (type == "BYTES") {
    for (const std::string& text : contents.bytes_contents()) tensor.texts.push_back(text);
  } else {
    throw HttpError(400, "input " + tensor.name + ": the datatype " + type + " is not supported");
  }
}

Rows rows_of_request(const ServedModel& model, const inference::ModelInferRequest& request,
                     const RequestLimits& limits) {
  const bool raw = request.raw_input_contents_size() > 0;
  if (raw && request.raw_input_contents_size() != request.inputs_size()) {
    throw HttpError(400, "raw_input_contents: expected one per input");
  }
  std::vector<InputTensor> tensors;
  for (int i = 0; i < request.inputs_size(); ++i) {
    const auto& input = request.inputs(i);
    InputTensor& tensor = tensors.emplace_back();
    tensor.name = input.name();
    tensor.datatype = input.datatype();
    tensor.shape.assign(input.shape().begin(), input.shape().end());
    if (raw) {
      read_raw_tensor(tensor, request.raw_input_contents(i), limits);
    } else {
      read_contents(tensor, input.contents());
    }
  }
  return rows_of_tensors(model, tensors, limits);
}

std::string_view metadata_of(const Context& call, const char* name) {
  const auto found = call.client_metadata().find(name);
  if (found == call.client_metadata().end()) return {};
  return {found->second.data(), found->second.size()};
}

http::TraceContext trace_of(const Context& call) {
  return http::continue_trace(metadata_of(call, "traceparent"));
}

// The parameters `unit`, `attributes` and `force`, as over HTTP.
Asker asker_of(const Context& call, const inference::ModelInferRequest& request) {
  using inference::InferParameter;
  Asker asker;
  asker.id = request.id();
  for (const auto& [name, parameter] : request.parameters()) {
    const bool is_text = parameter.parameter_choice_case() == InferParameter::kStringParam;
    if (name == "unit" && parameter.int64_param() != 0) {
      asker.unit = std::to_string(parameter.int64_param());
    } else if (name == "unit" && parameter.uint64_param() != 0) {
      asker.unit = std::to_string(parameter.uint64_param());
    } else if (name == "unit" || name == "attributes" || name == "force") {
      if (!is_text) throw HttpError(400, name + ": expected a text");
      const std::string& text = parameter.string_param();
      if (name == "unit") {
        asker.unit = checked_text(text, name);
      } else if (name == "force") {
        read_forced(asker, text);
      } else {
        asker.attributes = read_attributes(text);
      }
    }
  }
  if (const auto unit = metadata_of(call, "tandem-unit"); asker.unit.empty() && !unit.empty()) {
    asker.unit = checked_text(unit, "tandem-unit");
  }
  return asker;
}

// A call that waits for its batch. The request and the response live until it is finished.
class GrpcJob final : public Job {
 public:
  GrpcJob(ServingContext& context, Choice choice, Asker& asker, http::TraceContext& trace,
          Reactor* reactor, const inference::ModelInferRequest* request,
          inference::ModelInferResponse* response)
      : reactor_(reactor),
        request_(request),
        response_(response),
        record_(context, std::move(choice), asker, trace, Clock::now()) {}

  void answer(const ServedModel& model, const Answers& answers, Index first) override {
    const auto begin = Clock::now();
    response_->set_model_name(model.name());
    response_->set_model_version(model.version_text());
    const AnswerNotes notes = record_.notes();
    response_->set_id(std::string(notes.id));
    const auto note = [&](const char* name, std::string_view text) {
      if (notes.experiment.empty()) return;
      (*response_->mutable_parameters())[name].set_string_param(std::string(text));
    };
    note("experiment", notes.experiment);
    note("arm", notes.arm);
    if (notes.forced) (*response_->mutable_parameters())["forced"].set_bool_param(true);
    std::vector<std::string> names;
    for (const auto& output : request_->outputs()) names.push_back(output.name());
    if (names.empty()) {
      for (const TensorSpec& spec : model.signature().outputs()) names.push_back(spec.name);
    }
    for (const std::string& name : names) {
      OutputTensor tensor = output_tensor(model, name, answers, first, rows.count);
      auto* output = response_->add_outputs();
      output->set_name(tensor.spec.name);
      output->set_datatype(tensor.spec.datatype);
      for (const Index extent : tensor.spec.shape) output->add_shape(extent);
      response_->add_raw_output_contents(std::move(tensor.raw));
    }
    finish(grpc::Status::OK);
    record_.answered(answers, first, std::move(rows), enqueued, begin);
  }
  void fail(std::exception_ptr error) override {
    record_.failed();
    try {
      std::rethrow_exception(std::move(error));
    } catch (...) {
      finish(status_of_exception());
    }
  }
  [[nodiscard]] bool wanted() const override { return !finished_; }

 private:
  // The request, the response and the context may be gone once this returns.
  void finish(const grpc::Status& status) {
    if (std::exchange(finished_, true)) return;
    reactor_->Finish(status);
  }

  Reactor* reactor_;
  const inference::ModelInferRequest* request_;
  inference::ModelInferResponse* response_;
  RequestRecord record_;
  bool finished_ = false;
};

class Service final : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit Service(ServingContext& context) : context_(context) {}

  void set_tokens(http::Tokens tokens) {
    auto fresh = std::make_shared<const http::Tokens>(std::move(tokens));
    const std::lock_guard<std::mutex> lock(mutex_);
    tokens_ = std::move(fresh);
  }

  Reactor* ServerLive(Context* call, const inference::ServerLiveRequest*,
                      inference::ServerLiveResponse* response) override {
    return at_once(call, Role::none, [&] { response->set_live(true); });
  }
  Reactor* ServerReady(Context* call, const inference::ServerReadyRequest*,
                       inference::ServerReadyResponse* response) override {
    return at_once(call, Role::none, [&] { response->set_ready(context_.models.all_ready()); });
  }
  Reactor* ModelReady(Context* call, const inference::ModelReadyRequest* request,
                      inference::ModelReadyResponse* response) override {
    return at_once(call, Role::predict, [&] {
      try {
        (void)context_.models.find(request->name(), request->version());
        response->set_ready(true);
      } catch (const HttpError&) {
        response->set_ready(false);
      }
    });
  }
  Reactor* ServerMetadata(Context* call, const inference::ServerMetadataRequest*,
                          inference::ServerMetadataResponse* response) override {
    return at_once(call, Role::predict, [&] {
      response->set_name("tandem");
      response->set_version(TANDEM_VERSION);
      response->add_extensions("model_repository");
      response->add_extensions("statistics");
    });
  }
  Reactor* ModelMetadata(Context* call, const inference::ModelMetadataRequest* request,
                         inference::ModelMetadataResponse* response) override {
    return at_once(call, Role::predict, [&] {
      const auto version = context_.models.find(request->name(), request->version());
      response->set_name(version->record.model);
      response->set_platform("tandem");
      const auto models = context_.models.snapshot();
      for (const auto& [number, state] : models.at(version->record.model).versions) {
        if (state.loaded) response->add_versions(std::to_string(number));
      }
      const auto put = [](const TensorSpec& spec, auto* tensor) {
        tensor->set_name(spec.name);
        tensor->set_datatype(spec.datatype);
        for (const Index extent : spec.shape) tensor->add_shape(extent);
      };
      const Signature& signature = version->model->signature();
      for (const TensorSpec& spec : signature.inputs()) put(spec, response->add_inputs());
      for (const TensorSpec& spec : signature.outputs()) put(spec, response->add_outputs());
    });
  }

  Reactor* ModelInfer(Context* call, const inference::ModelInferRequest* request,
                      inference::ModelInferResponse* response) override {
    Reactor* reactor = call->DefaultReactor();
    try {
      check(call, Role::predict);
      const auto begin = Clock::now();
      Asker asker = asker_of(*call, *request);
      Choice choice =
          context_.traffic.choose(request->model_name(), request->model_version(), asker);
      const auto version = choice.version;
      std::vector<std::string_view> outputs;
      for (const auto& output : request->outputs()) outputs.push_back(output.name());
      check_outputs(*version->model, outputs);
      http::TraceContext trace = trace_of(*call);
      auto job = std::make_unique<GrpcJob>(context_, std::move(choice), asker, trace, reactor,
                                           request, response);
      job->rows = rows_of_request(*version->model, *request, context_.limits);
      job->deadline = deadline_of(*call);
      version->metrics->parse.add(duration_cast<nanoseconds>(Clock::now() - begin));
      version->scheduler->submit(std::move(job));
    } catch (...) {
      reactor->Finish(status_of_exception());
    }
    return reactor;
  }

  Reactor* ModelStatistics(Context* call, const inference::ModelStatisticsRequest* request,
                           inference::ModelStatisticsResponse* response) override {
    return at_once(call, Role::predict, [&] {
      if (!request->name().empty()) {
        put_statistics(*context_.models.find(request->name(), request->version()), *response);
        return;
      }
      for (const auto& [name, model] : context_.models.snapshot()) {
        for (const auto& [number, state] : model.versions) {
          if (state.loaded) put_statistics(*state.loaded, *response);
        }
      }
    });
  }

  Reactor* RepositoryIndex(Context* call, const inference::RepositoryIndexRequest* request,
                           inference::RepositoryIndexResponse* response) override {
    return at_once(call, Role::predict, [&] {
      for (const auto& [name, model] : context_.models.snapshot()) {
        for (const auto& [number, state] : model.versions) {
          if (request->ready() && !state.loaded) continue;
          auto* one = response->add_models();
          one->set_name(name);
          one->set_version(std::to_string(number));
          one->set_state(state.loaded ? "READY" : "UNAVAILABLE");
          one->set_reason(state.problem);
        }
      }
    });
  }
  Reactor* RepositoryModelLoad(Context* call, const inference::RepositoryModelLoadRequest* request,
                               inference::RepositoryModelLoadResponse*) override {
    return at_once(call, Role::admin, [&] { context_.models.load(request->model_name()); });
  }
  Reactor* RepositoryModelUnload(Context* call,
                                 const inference::RepositoryModelUnloadRequest* request,
                                 inference::RepositoryModelUnloadResponse*) override {
    return at_once(call, Role::admin, [&] { context_.models.unload(request->model_name()); });
  }

 private:
  void check(Context* call, Role role) {
    if (role == Role::none) return;
    std::shared_ptr<const http::Tokens> tokens;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      tokens = tokens_;
    }
    if (tokens->open()) return;
    const auto& metadata = call->client_metadata();
    const auto found = metadata.find("authorization");
    const http::Token* token =
        found == metadata.end()
            ? nullptr
            : tokens->find(std::string_view(found->second.data(), found->second.size()));
    if (token == nullptr) {
      throw HttpError(401, "expected the metadata authorization: Bearer TOKEN");
    }
    if (token->role < role) {
      throw HttpError(403, "expected a token with the role " + std::string(http::to_string(role)));
    }
  }

  template <class Work>
  Reactor* at_once(Context* call, Role role, const Work& work) {
    Reactor* reactor = call->DefaultReactor();
    try {
      check(call, role);
      work();
      reactor->Finish(grpc::Status::OK);
    } catch (...) {
      reactor->Finish(status_of_exception());
    }
    return reactor;
  }

  static Clock::time_point deadline_of(const Context& call) {
    const auto now = Clock::now();
    const auto left = call.deadline() - std::chrono::system_clock::now();
    return now + std::min(duration_cast<nanoseconds>(left), nanoseconds(without_deadline));
  }

  static void put_statistics(const LoadedVersion& version,
                             inference::ModelStatisticsResponse& response) {
    const ModelMetrics& metrics = *version.metrics;
    auto* one = response.add_model_stats();
    one->set_name(version.record.model);
    one->set_version(version.model->version_text());
    one->set_last_inference(metrics.last_inference_ms.load());
    one->set_inference_count(metrics.rows.value());
    one->set_execution_count(metrics.executions.load());
    auto* all = one->mutable_inference_stats();
    const auto put = [](inference::StatisticDuration* to, const DurationCount& from) {
      to->set_count(from.count.load());
      to->set_ns(from.nanoseconds.load());
    };
    put(all->mutable_success(), metrics.success);
    put(all->mutable_fail(), metrics.fail);
    put(all->mutable_queue(), metrics.queue);
    put(all->mutable_compute_input(), metrics.parse);
    put(all->mutable_compute_infer(), metrics.predict);
    put(all->mutable_compute_output(), metrics.write);
    for (const auto& [size, batch] : metrics.batches()) {
      auto* counted = one->add_batch_stats();
      counted->set_batch_size(static_cast<std::uint64_t>(size));
      counted->mutable_compute_infer()->set_count(batch.count);
      counted->mutable_compute_infer()->set_ns(batch.nanoseconds);
    }
  }

  ServingContext& context_;
  std::mutex mutex_;
  std::shared_ptr<const http::Tokens> tokens_ = std::make_shared<http::Tokens>();
};

class Running final : public GrpcServer {
 public:
  Running(const http::Endpoint& endpoint, ServingContext& context, std::size_t max_message,
          http::Tokens tokens)
      : service_(context) {
    service_.set_tokens(std::move(tokens));
    const bool six = endpoint.address.find(':') != std::string::npos;
    const std::string place = (six ? "[" + endpoint.address + "]" : endpoint.address) + ":" +
                              std::to_string(endpoint.port);
    grpc::ServerBuilder builder;
    // Another program on the same port would take a share of the calls.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(static_cast<int>(max_message));
    builder.AddListeningPort(place, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) {
      throw InputError("cannot listen on " + place + "; choose another address or port");
    }
  }
  ~Running() override { stop(std::chrono::milliseconds(0)); }

  [[nodiscard]] std::uint16_t port() const override { return static_cast<std::uint16_t>(port_); }
  void set_tokens(http::Tokens tokens) override { service_.set_tokens(std::move(tokens)); }
  void stop(std::chrono::milliseconds patience) override {
    if (std::exchange(stopped_, true)) return;
    server_->Shutdown(std::chrono::system_clock::now() + patience);
    server_->Wait();
  }

 private:
  Service service_;
  int port_ = 0;
  bool stopped_ = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

std::unique_ptr<GrpcServer> GrpcServer::start(const http::Endpoint& endpoint,
                                              ServingContext& context, std::size_t max_message,
                                              http::Tokens tokens) {
  return std::make_unique<Running>(endpoint, context, max_message, std::move(tokens));
}

}  // namespace tandem::serving
