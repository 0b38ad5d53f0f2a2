// onnx_server RUNTIME MODEL.onnx ADDRESS:PORT BATCH_ROWS
//
// The Open Inference Protocol's inference of one classification model by onnxruntime, behind the
// same HTTP server that `tandem serve` stands on: what bench/serving/compare.py sets it beside.
// RUNTIME is the shared library of onnxruntime's wheel. With BATCH_ROWS 1 a request is answered on
// the thread that read it; with more, a thread of its own takes what waits, as the replicas of
// `tandem serve` do.
#include <dlfcn.h>
#include <onnxruntime_c_api.h>
#include <simdjson.h>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/text.hpp"
#include "systems/http/json.hpp"
#include "systems/http/server.hpp"
#include "systems/http/service.hpp"
#include "tandem/core/error.hpp"

namespace {

namespace http = tandem::http;

// A model with one input X of [rows, columns] and the outputs label and probabilities.
class OnnxModel {
 public:
  OnnxModel(const char* runtime, const char* file) {
    void* library = ::dlopen(runtime, RTLD_NOW);
    if (library == nullptr) throw tandem::InputError(::dlerror());
    const auto base = reinterpret_cast<const OrtApiBase* (*)()>(::dlsym(library, "OrtGetApiBase"));
    if (base == nullptr) throw tandem::InputError(std::string(runtime) + ": is no onnxruntime");
    api_ = base()->GetApi(ORT_API_VERSION);
    if (api_ == nullptr) {
      throw tandem::InputError(std::string(runtime) + ": is older than the header, version " +
                               std::to_string(ORT_API_VERSION));
    }
    check(api_->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "tandem", &environment_));
    OrtSessionOptions* options = nullptr;
    check(api_->CreateSessionOptions(&options));
    check(api_->SetIntraOpNumThreads(options, 1));
    check(api_->SetInterOpNumThreads(options, 1));
    check(api_->SetSessionGraphOptimizationLevel(options, ORT_ENABLE_ALL));
    check(api_->CreateSession(environment_, file, options, &session_));
    api_->ReleaseSessionOptions(options);
    check(api_->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
  }

  // Appends the answer of each row of values[rows][columns] to `bodies`.
  void predict(std::vector<float>& values, std::int64_t rows, std::vector<std::string>& bodies) {
    const std::array<std::int64_t, 2> shape{
        rows, static_cast<std::int64_t>(values.size()) / std::max<std::int64_t>(rows, 1)};
    OrtValue* input = nullptr;
    check(api_->CreateTensorWithDataAsOrtValue(
        memory_, values.data(), values.size() * sizeof(float), shape.data(), shape.size(),
        ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &input));
    constexpr std::array<const char*, 1> input_names{"X"};
    constexpr std::array<const char*, 2> output_names{"label", "probabilities"};
    std::array<OrtValue*, 2> outputs{};
    const OrtValue* const inputs = input;
    OrtStatus* status = api_->Run(session_, nullptr, input_names.data(), &inputs, 1,
                                  output_names.data(), output_names.size(), outputs.data());
    api_->ReleaseValue(input);
    check(status);
    void* labels = nullptr;
    void* shares = nullptr;
    check(api_->GetTensorMutableData(outputs[0], &labels));
    check(api_->GetTensorMutableData(outputs[1], &shares));
    OrtTensorTypeAndShapeInfo* info = nullptr;
    check(api_->GetTensorTypeAndShape(outputs[1], &info));
    std::size_t count = 0;
    check(api_->GetTensorShapeElementCount(info, &count));
    api_->ReleaseTensorTypeAndShapeInfo(info);
    const std::size_t classes = count / static_cast<std::size_t>(rows);
    for (std::int64_t i = 0; i < rows; ++i) {
      bodies.push_back(
          body(static_cast<const std::int64_t*>(labels)[i],
               static_cast<const float*>(shares) + static_cast<std::size_t>(i) * classes, classes));
    }
    for (OrtValue* output : outputs) api_->ReleaseValue(output);
  }

 private:
  void check(OrtStatus* status) const {
    if (status == nullptr) return;
    const std::string message = api_->GetErrorMessage(status);
    api_->ReleaseStatus(status);
    throw tandem::SystemError("onnxruntime: " + message);
  }

  static std::string body(std::int64_t label, const float* shares, std::size_t classes) {
    std::string json =
        "{\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"label\","
        "\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"";
    tandem::append_shortest(json, label);
    json += "\"]},{\"name\":\"probabilities\",\"datatype\":\"FP32\",\"shape\":[1,";
    tandem::append_shortest(json, classes);
    json += "],\"data\":[";
    for (std::size_t k = 0; k < classes; ++k) {
      if (k > 0) json += ',';
      tandem::append_shortest(json, shares[k]);
    }
    return json + "]}]}";
  }

  const OrtApi* api_ = nullptr;
  OrtEnv* environment_ = nullptr;
  OrtSession* session_ = nullptr;
  OrtMemoryInfo* memory_ = nullptr;
};

// The numbers of the only input's data, of one row.
std::vector<float> parse(const std::string& body) {
  thread_local simdjson::dom::parser parser;
  simdjson::dom::array data;
  if (parser.parse(body)["inputs"].at(0)["data"].get(data) != simdjson::SUCCESS) {
    throw http::HttpError(400, "expected {\"inputs\": [{\"data\": [...]}]}");
  }
  std::vector<float> values;
  for (const simdjson::dom::element value : data) {
    double number = 0;
    if (value.get(number) != simdjson::SUCCESS) throw http::HttpError(400, "expected numbers");
    values.push_back(static_cast<float>(number));
  }
  return values;
}

void answer(const http::ExchangePtr& exchange, std::string body) {
  http::Response response;
  response.body = std::move(body);
  exchange->send(std::move(response));
}

// Takes what waits, as many rows as there may be in a batch.
class Batches {
 public:
  Batches(OnnxModel& model, std::size_t most) : model_(model), most_(most) {
    thread_ = std::thread([this] { run(); });
  }
  ~Batches() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  void put(http::ExchangePtr exchange, std::vector<float> row) {
    bool first = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      first = queue_.empty();
      queue_.emplace_back(std::move(exchange), std::move(row));
    }
    if (first) wake_.notify_one();
  }

 private:
  void run() {
    for (;;) {
      std::vector<http::ExchangePtr> exchanges;
      std::vector<float> values;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        while (!queue_.empty() && exchanges.size() < most_) {
          auto& [exchange, row] = queue_.front();
          exchanges.push_back(std::move(exchange));
          values.insert(values.end(), row.begin(), row.end());
          queue_.pop_front();
        }
      }
      std::vector<std::string> bodies;
      model_.predict(values, static_cast<std::int64_t>(exchanges.size()), bodies);
      for (std::size_t i = 0; i < exchanges.size(); ++i) answer(exchanges[i], std::move(bodies[i]));
    }
  }

  OnnxModel& model_;
  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<http::ExchangePtr, std::vector<float>>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

int serve(char** argv) {
  http::ProgramOptions options;
  options.http.endpoint = http::Endpoint::parse(argv[3]);
  options.log_level = http::LogLevel::warning;
  options.patience = std::chrono::seconds(10);
  http::ServiceProgram program(options);
  OnnxModel model(argv[1], argv[2]);
  std::size_t batch_rows = 0;
  if (!tandem::read_number(std::string_view(argv[4]), batch_rows) || batch_rows == 0) {
    throw tandem::InputError("BATCH_ROWS: expected a whole number from 1");
  }
  http::Router router;
  std::unique_ptr<Batches> batches;
  if (batch_rows > 1) batches = std::make_unique<Batches>(model, batch_rows);
  router.add("POST", "/v2/models/m/infer", http::Role::predict,
             [&](const http::ExchangePtr& exchange) {
               std::vector<float> row = parse(exchange->request.body);
               if (batches) {
                 batches->put(exchange, std::move(row));
                 return;
               }
               std::vector<std::string> bodies;
               model.predict(row, 1, bodies);
               answer(exchange, std::move(bodies.front()));
             });
  http::ServiceHooks hooks;
  hooks.ready = [](const std::string& url) {
    std::printf("ready %s\n", url.c_str());
    std::fflush(stdout);
  };
  return program.run(std::move(router), hooks);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: onnx_server RUNTIME MODEL.onnx ADDRESS:PORT BATCH_ROWS\n");
    return 2;
  }
  try {
    return serve(argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "onnx_server: %s\n", error.what());
    return 1;
  }
}
