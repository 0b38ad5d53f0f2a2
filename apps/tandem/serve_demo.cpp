#include "tandem/serve_demo.hpp"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "systems/http/client.hpp"
#include "systems/serving/registry.hpp"
#include "tandem/bundled_data.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/split.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

const std::string model_name = "tumour";
constexpr std::chrono::milliseconds between_rows{20};

std::string temporary_folder() {
  std::string pattern = (fs::temp_directory_path() / "tandem-serve-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw SystemError(pattern + ": cannot be made");
  }
  return pattern;
}

void add_version(serving::Registry& registry, const PipelineOptions& options,
                 const Dataset<double>& train, const Dataset<double>& test, serving::Stage stage) {
  const auto engine = Engine::create();
  const Pipeline<double> model = fit_pipeline(*engine, train, options);
  const Evaluation judged = model.evaluate(*engine, test);
  const std::string file = (registry.repository() / "trained.tandem").string();
  save_model(file, model);
  serving::Registration registration;
  registration.stage = stage;
  registration.metrics = nlohmann::json(judged.metrics).dump();
  registration.data = test.source;
  registry.add(model_name, file, registration);
  fs::remove(file);
}

}  // namespace

ServeDemo::ServeDemo(std::string folder) : folder_(std::move(folder)) {
  if (folder_.empty()) {
    folder_ = temporary_folder();
    temporary_ = true;
  }
  ReadOptions reading;
  reading.target = "last";
  const auto data = read_dataset<double>(bundled_data({}) + "/breast_cancer.csv", reading);
  const Split split = stratified_train_test_split(encode_classes(data).labels, 0.3, 1);
  const Dataset<double> train = select_rows(data, split.train);
  const Dataset<double> test = select_rows(data, split.test);
  serving::Registry registry(folder_, {}, false);
  if (!registry.versions(model_name).empty()) {
    throw InputError(folder_ + ": holds a model " + model_name +
                     " already; serve it without --demo, or name another folder");
  }
  PipelineOptions tree("decision-tree");
  tree.set("max_depth", 3);
  add_version(registry, tree, train, test, serving::Stage::production);
  PipelineOptions boosting("gradient-boosting");
  boosting.set("rounds", 50);
  add_version(registry, boosting, train, test, serving::Stage::candidate);
  for (Index i = 0; i < test.rows(); ++i) {
    nlohmann::ordered_json row;
    for (Index j = 0; j < test.cols(); ++j)
      row[test.columns[static_cast<std::size_t>(j)].name] = test.features(i, j);
    rows_.push_back(nlohmann::ordered_json{{"rows", {row}}}.dump());
  }
}

ServeDemo::~ServeDemo() {
  stopping_ = true;
  if (clients_.joinable()) clients_.join();
  std::error_code ignored;
  if (temporary_) fs::remove_all(folder_, ignored);
}

std::string ServeDemo::commands(const std::string& url) const {
  const std::string quoted = "'" + rows_.front() + "'";
  return "\nA tumour is judged by 30 measurements. Version 1, a small tree, answers; version 2, "
         "boosted\n"
         "trees, waits. Simulated clinics ask about 50 rows a second. The page: " +
         url + "/\n\n# A row, with the reasons of the answer\ncurl '" + url + "/v1/predict/" +
         model_name + "?explain=1' -d " + quoted +
         "\n\n# Version 2 answers from now on, and version 1 again\ncurl " + url + "/v1/models/" +
         model_name + "/promote -d '{\"version\": 2}'\ncurl -X POST " + url + "/v1/models/" +
         model_name + "/rollback\n\n# For programs, and for Prometheus\ncurl " + url +
         "/v2/models/" + model_name + "\ncurl " + url + "/metrics\n\nCtrl-C ends it.\n";
}

void ServeDemo::start_clients(const std::string& url) {
  clients_ = std::thread([this, place = url.substr(std::string("http://").size())] { ask(place); });
}

void ServeDemo::ask(const std::string& place) {
  try {
    http::Client client(http::Endpoint::parse(place));
    for (std::size_t i = 0; !stopping_; ++i) {
      (void)client.post("/v1/predict/" + model_name, rows_[i % rows_.size()]);
      std::this_thread::sleep_for(between_rows);
    }
  } catch (const SystemError&) {
    // The server stops.
  }
}

}  // namespace tandem::program
