#include "tandem/serve_demo.hpp"

#include <stdlib.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "systems/http/client.hpp"
#include "systems/serving/registry.hpp"
#include "tandem/core/archive.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/model/training_summary.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::string model_name = "parcels";
const std::string experiment_name = "version-2";
constexpr Index training_rows = 6'000;
constexpr Index test_rows = 3'000;
constexpr std::chrono::milliseconds between_parcels{8};
constexpr std::chrono::seconds until_the_storm{90};
constexpr std::size_t outcomes_at_once = 25;
// Of ten parcels one is ordered by somebody whom the shop does not know: no experiment is about
// them, and the shadow is compared there.
constexpr double unknown_share = 0.1;

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
  TrainingSummary summary;
  summary.features = summarise_columns(train.view());
  const Dataset<double> said = score_columns(*model.model, model.predict(*engine, test));
  summary.scores = summarise_columns(said.view());
  summary.scores_held_out = true;
  Archive archive;
  model.save(archive);
  set_summary(archive, summary);
  const std::string file = (registry.repository() / "trained.tandem").string();
  write_archive(file, archive, "model");
  serving::Registration registration;
  registration.stage = stage;
  registration.metrics = json(judged.metrics).dump();
  registration.data = test.source;
  registry.add(model_name, file, registration);
  fs::remove(file);
}

json experiment() {
  return {{"name", experiment_name},
          {"model", model_name},
          {"unit", "customer"},
          {"arms",
           {{{"name", "tree"}, {"weight", 0.5}, {"version", "1"}},
            {{"name", "boosting"}, {"weight", 0.5}, {"version", "2"}}}},
          {"planned_units", 5'000},
          {"metrics",
           {{{"name", "complained"}, {"better", "decrease"}},
            {{"name", "warned_needlessly"},
             {"better", "decrease"},
             {"guard", true},
             {"margin", 0.08}}}}};
}

}  // namespace

const std::vector<std::string>& ParcelWorld::carriers() {
  static const std::vector<std::string> names{"bike", "train", "truck", "van"};
  return names;
}

ParcelWorld::Parcel ParcelWorld::next(bool storm) {
  Parcel parcel;
  parcel.distance_km =
      std::round(std::exp(4.5 + 0.8 * std::normal_distribution<double>()(random_)));
  parcel.weight_kg = std::round(10 * std::exp(std::normal_distribution<double>()(random_))) / 10;
  parcel.ordered_hour = std::floor(24 * uniform());
  const double rain = uniform() < 0.6 ? 0 : -4 * std::log(1 - uniform());
  parcel.rain_mm = std::round(10 * (storm ? rain + 5 + 5 * uniform() : rain)) / 10;
  parcel.carrier = static_cast<std::int32_t>(4 * uniform());
  // What a tree of two questions cannot see: who is late depends on two things at once.
  double score = -2.2;
  if (parcel.carrier == 0 && parcel.rain_mm > 2) score += 4.5;
  if (parcel.carrier == 2 && parcel.ordered_hour > 15) score += 4;
  if (parcel.carrier == 3 && parcel.weight_kg > 1.5) score += 3.5;
  if (parcel.carrier == 1 && parcel.distance_km > 120) score += 3.5;
  parcel.late = uniform() < 1 / (1 + std::exp(-score));
  return parcel;
}

Dataset<double> ParcelWorld::table(Index rows) {
  Dataset<double> data;
  data.source = "simulated parcels";
  data.columns = {{"distance_km", {}},
                  {"weight_kg", {}},
                  {"ordered_hour", {}},
                  {"rain_mm", {}},
                  {"carrier", carriers()}};
  data.features = Matrix<double>(rows, static_cast<Index>(data.columns.size()));
  data.target_column = {"late", {"no", "yes"}};
  for (Index i = 0; i < rows; ++i) {
    const Parcel parcel = next();
    const std::vector<double> values{parcel.distance_km, parcel.weight_kg, parcel.ordered_hour,
                                     parcel.rain_mm, static_cast<double>(parcel.carrier)};
    std::copy(values.begin(), values.end(), data.features.row(i).begin());
    data.target.push_back(parcel.late ? 1 : 0);
  }
  return data;
}

std::string ParcelWorld::row_json(const Parcel& parcel) {
  return nlohmann::ordered_json{{"distance_km", parcel.distance_km},
                                {"weight_kg", parcel.weight_kg},
                                {"ordered_hour", parcel.ordered_hour},
                                {"rain_mm", parcel.rain_mm},
                                {"carrier", carriers()[static_cast<std::size_t>(parcel.carrier)]}}
      .dump();
}

ServeDemo::ServeDemo(std::string folder) : folder_(std::move(folder)) {
  if (folder_.empty()) {
    folder_ = temporary_folder();
    temporary_ = true;
  }
  serving::Registry registry(folder_, {}, false);
  if (!registry.versions(model_name).empty()) {
    throw InputError(folder_ + ": holds a model " + model_name +
                     " already; serve it without --demo, or name another folder");
  }
  ParcelWorld world(1);
  const Dataset<double> train = world.table(training_rows);
  const Dataset<double> test = world.table(test_rows);
  PipelineOptions tree("decision-tree");
  tree.set("max_depth", 2);
  add_version(registry, tree, train, test, serving::Stage::production);
  PipelineOptions boosting("gradient-boosting");
  boosting.set("rounds", 60);
  add_version(registry, boosting, train, test, serving::Stage::candidate);
  example_ = ParcelWorld::row_json(world.next());
}

ServeDemo::~ServeDemo() {
  stopping_ = true;
  if (customers_.joinable()) customers_.join();
  std::error_code ignored;
  if (temporary_) fs::remove_all(folder_, ignored);
}

std::string ServeDemo::commands(const std::string& url) const {
  const std::string row = "{\"rows\": [" + example_ + "]}";
  const std::string asked = "{\"unit\": \"you\", \"rows\": [" + example_ + "]}";
  return "\nA shop warns its customers of parcels that will be late. Version 1, a small tree, is "
         "in\n"
         "production; version 2, boosted trees, is a candidate. Simulated customers order some "
         "hundred\n"
         "parcels a second; an experiment gives half of them version 2 and counts who complains. "
         "After a\n"
         "minute and a half a storm comes, which the models were not trained on. The page:\n" +
         url + "/\n\n# A row, with the reasons of the answer\ncurl '" + url + "/v1/predict/" +
         model_name + "?explain=1' -d '" + row +
         "'\n\n# As a customer of the experiment, and what became of it\ncurl " + url +
         "/v1/predict/" + model_name + " -d '" + asked + "'\ncurl " + url +
         "/v1/outcomes -d '{\"outcomes\": [{\"unit\": \"you\", \"metric\": \"complained\", "
         "\"value\": 1}]}'\n\n# What the experiment shows, drift, and the shadow\ncurl " +
         url + "/v1/experiments/" + experiment_name + "\ncurl " + url + "/v1/drift\ncurl " + url +
         "/v1/shadow\n\n# It is decided: the experiment ends, version 2 answers from now on, and "
         "version 1 "
         "again\ncurl " +
         url + "/v1/experiments/" + experiment_name +
         "/stop -d '{\"reason\": \"decided\"}'\ncurl " + url + "/v1/models/" + model_name +
         "/promote -d '{\"version\": 2}'\ncurl -X POST " + url + "/v1/models/" + model_name +
         "/rollback\n\n# For programs, and for Prometheus\ncurl " + url + "/v2/models/" +
         model_name + "\ncurl " + url + "/metrics\n\nCtrl-C ends it.\n";
}

void ServeDemo::start_customers(const std::string& url) {
  customers_ = std::thread([this, place = url.substr(std::string("http://").size())] {
    try {
      ask(place);
    } catch (const SystemError&) {
      // The server stops.
    } catch (const std::exception& error) {
      log::warning(std::string("the simulated customers have stopped: ") + error.what());
    }
  });
}

void ServeDemo::ask(const std::string& place) {
  http::Client client(http::Endpoint::parse(place));
  const auto post = [&](const std::string& path, const std::string& body) {
    http::Response response = client.post(path, body);
    if (response.status >= 400 && response.status < 500) {
      throw Error(path + ": " + response.body);
    }
    return response;
  };
  (void)post("/v1/experiments", experiment().dump());
  ParcelWorld world(2);
  std::mt19937_64 random(3);
  const auto share = [&] { return std::uniform_real_distribution<double>(0, 1)(random); };
  const auto begin = std::chrono::steady_clock::now();
  json outcomes = json::array();
  for (std::uint64_t customer = 1; !stopping_; ++customer) {
    const bool storm = std::chrono::steady_clock::now() - begin > until_the_storm;
    const ParcelWorld::Parcel parcel = world.next(storm);
    const bool known = share() >= unknown_share;
    const std::string unit = "customer-" + std::to_string(customer);
    const std::string who = known ? "\"unit\": \"" + unit + "\", " : "";
    const http::Response answer =
        post("/v1/predict/" + model_name,
             "{" + who + "\"rows\": [" + ParcelWorld::row_json(parcel) + "]}");
    if (known && answer.status == 200) {
      const bool warned = json::parse(answer.body)["predictions"][0]["label"] == "yes";
      // Whom a late parcel surprises, complains mostly.
      const bool complains = parcel.late && !warned && share() < 0.7;
      const auto happened = [&](const char* metric) {
        outcomes.push_back({{"unit", unit}, {"metric", metric}, {"value", 1}});
      };
      if (complains) happened("complained");
      if (warned && !parcel.late) happened("warned_needlessly");
    }
    if (outcomes.size() >= outcomes_at_once) {
      (void)post("/v1/outcomes", json{{"outcomes", outcomes}}.dump());
      outcomes.clear();
    }
    std::this_thread::sleep_for(between_parcels);
  }
}

}  // namespace tandem::program
