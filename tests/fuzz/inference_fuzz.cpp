// Bodies of inference requests, for a model of numbers and one with categories: the protocol's JSON
// and binary tensors, and named rows. The first byte chooses among them, the second says how much
// of the rest is JSON.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "systems/serving/inference.hpp"
#include "systems/serving/named_rows.hpp"
#include "tandem/data/read.hpp"
#include "tandem/model/pipeline.hpp"

namespace {

using namespace tandem;
using namespace tandem::serving;

std::shared_ptr<const ServedModel> model_of(const std::string& csv, const std::string& target) {
  const std::string path =
      (std::filesystem::temp_directory_path() /
       ("tandem-fuzz-" + std::to_string(::getpid()) + "-" + target + ".tandem"))
          .string();
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  ReadOptions options;
  options.target = target;
  const auto bytes = std::as_bytes(std::span(csv.data(), csv.size()));
  save_model(path, fit_pipeline(*engine, read_dataset<double>(bytes, "rows.csv", options),
                                PipelineOptions("decision-tree")));
  auto model = ServedModel::load(path, "model", 1, engine->options());
  std::filesystem::remove(path);
  return model;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto numbers =
      model_of("a,b,kind\n1,2,x\n3,4,y\n5,6,x\n7,1,y\n2,2,x\n9,4,y\n", "kind");
  static const auto mixed = model_of(
      "age,city,bought\n1,Oslo,x\n3,Rome,y\n5,Rome,x\n7,Oslo,y\n2,Oslo,x\n9,Rome,y\n", "bought");
  if (size < 2) return 0;
  const ServedModel& model = (data[0] & 1) != 0 ? *numbers : *mixed;
  std::string body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const RequestLimits limits{.rows = 1'000, .json_depth = 16};
  try {
    Rows rows;
    if ((data[0] & 2) != 0) {
      rows = parse_named_rows(model, body, limits).rows;
    } else {
      std::optional<std::size_t> json_bytes;
      if ((data[0] & 4) != 0) json_bytes = body.size() * data[1] / 255;
      const InferenceRequest request = parse_inference(model, body, json_bytes, limits);
      rows = request.rows;
    }
    if (rows.count < 1 || rows.count > limits.rows) std::abort();
    if (rows.doubles.size() != static_cast<std::size_t>(rows.count) * 2) std::abort();
    (void)model.predict(rows);
  } catch (const Error&) {
    // Most inputs are no request.
  }
  return 0;
}
