#include "tandem/results.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "tandem/output.hpp"

namespace tandem::program {
namespace {

nlohmann::json part_to_json(const Evaluation& evaluation) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : evaluation.metrics) json[name] = value;
  return json;
}

// Said beside the scores, which count these rows as wrong.
std::string unknown_classes(const Evaluation& evaluation) {
  const double unknown = evaluation.confusion.unknown_total();
  if (!(unknown > 0)) return "";
  return "\n" + readable(unknown) + " of " + readable(static_cast<double>(evaluation.rows)) +
         " rows (by weight) have a label that is no class of the model and count as wrong; see the "
         "warning for them\n";
}

std::string class_table(const Evaluation& evaluation) {
  // Beyond a screenful the JSON form has them.
  constexpr std::size_t most = 30;
  if (evaluation.classes.empty() || evaluation.classes.size() > most) return "";
  std::vector<std::vector<std::string>> rows{{"class", "precision", "recall", "f1", "rows"}};
  for (std::size_t c = 0; c < evaluation.classes.size(); ++c) {
    const ClassScore& score = evaluation.classes[c];
    rows.push_back({evaluation.class_names[c], readable(score.precision), readable(score.recall),
                    readable(score.f1), readable(score.support)});
  }
  return "\n" + table(rows);
}

}  // namespace

nlohmann::json metrics_to_json(const Scores& scores) {
  if (scores.train && scores.test) {
    return {{"train", part_to_json(*scores.train)}, {"test", part_to_json(*scores.test)}};
  }
  if (scores.train) return part_to_json(*scores.train);
  if (scores.test) return part_to_json(*scores.test);
  return nlohmann::json::object();
}

std::string metrics_to_text(const Scores& scores) {
  std::vector<std::vector<std::string>> rows;
  std::set<std::string> names;
  rows.push_back({""});
  for (const auto* part : {&scores.train, &scores.test}) {
    if (!*part) continue;
    rows.front().push_back(part == &scores.train ? "train" : "test");
    for (const auto& [name, value] : (*part)->metrics) names.insert(name);
  }
  for (const std::string& name : names) {
    rows.push_back({name});
    for (const auto* part : {&scores.train, &scores.test}) {
      if (!*part) continue;
      const auto found = (*part)->metrics.find(name);
      rows.back().push_back(found == (*part)->metrics.end() ? "-" : readable(found->second));
    }
  }
  if (!(scores.train && scores.test)) rows.erase(rows.begin());
  const Evaluation& last = scores.test ? *scores.test : *scores.train;
  return table(rows) + unknown_classes(last) + class_table(last);
}

nlohmann::json seconds_to_json(const Seconds& seconds) {
  nlohmann::json json{
      {"load", seconds.load}, {"train", seconds.train}, {"evaluate", seconds.evaluate}};
  if (seconds.software_gpu) json["measured"] = software_gpu_time;
  return json;
}

void add_transfers(nlohmann::json& json, const Engine& engine) {
  if (engine.device() != Device::cuda && engine.device() != Device::softgpu) return;
  const Transfers transfers = engine.transfers();
  json["transfers"] = {{"to_device_bytes", transfers.to_device_bytes},
                       {"to_host_bytes", transfers.to_host_bytes},
                       {"to_device_copies", transfers.to_device_copies},
                       {"to_host_copies", transfers.to_host_copies}};
}

std::string seconds_to_text(const Seconds& seconds, bool trained) {
  std::string text = "load " + readable_seconds(seconds.load);
  if (trained) text += ", train " + readable_seconds(seconds.train);
  text += ", evaluate " + readable_seconds(seconds.evaluate);
  return seconds.software_gpu ? text + " (" + std::string(software_gpu_time) + ")" : text;
}

std::string shape_to_text(Index rows, Index features) {
  return counted(rows, "row") + ", " + counted(features, "feature");
}

}  // namespace tandem::program
