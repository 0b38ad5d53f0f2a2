// What a service tells of itself.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "core/json_text.hpp"
#include "systems/recommend/service.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

using nlohmann::json;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

}  // namespace

Advice Service::advice() const {
  const bool full = cache_.on() && cache_.bytes() > cache_.capacity() / 10 * 9;
  return monitor_.advice(cache_.counts().hit_rate(), full);
}

std::string Service::status_json() {
  const auto served = this->served();
  json models = json::array();
  for (const NamedModel& model : served->models) {
    json one{
        {"name", model.name}, {"version", model.version}, {"algorithm", model.source->algorithm()}};
    one["bytes"] = model.source->bytes();
    if (const InvertedLists* const lists = model.source->lists()) {
      one["retrieval"] = {{"lists", lists->lists()},          {"looked_at", lists->looked_at()},
                          {"recall_at_100", lists->recall()}, {"share_of_items", lists->share()},
                          {"search_us", lists->search_us()},  {"exact_us", lists->exact_us()},
                          {"bytes", lists->bytes()}};
    }
    models.push_back(std::move(one));
  }
  json configurations = json::array();
  for (const Configuration& one : served->configurations) configurations.push_back(one.to_json());
  const auto counts = cache_.counts();
  const Advice advice = this->advice();
  const std::size_t viewers = state_.viewers.size();
  const std::size_t bytes = state_.viewers.bytes();
  const json status{
      {"items", served->catalogue->size()},
      {"models", models},
      {"configurations", configurations},
      {"viewers", viewers},
      {"watched", state_.viewers.watched()},
      {"viewer_bytes", bytes},
      {"bytes_per_viewer", viewers > 0
                               ? json(static_cast<double>(bytes) / static_cast<double>(viewers))
                               : json(nullptr)},
      {"log_failed", event_log_->failed()},
      {"redis",
       sharing_ ? json{{"up", sharing_->up()}, {"waiting", sharing_->waiting()}} : json(nullptr)},
      {"kafka_away", kafka_away_.load()},
      {"choices",
       {{"bytes", choices_->bytes()},
        {"keep_bytes", options_.choices.keep_bytes},
        {"keep_days", options_.choices.keep_days},
        {"failed", choices_->failed()}}},
      {"cache",
       {{"bytes", cache_.bytes()},
        {"capacity", cache_.capacity()},
        {"hits", counts.hits},
        {"joined", counts.joined},
        {"misses", counts.misses},
        {"hit_rate", counts.hit_rate()}}},
      {"monitor",
       {{"average_ms", advice.average_ms},
        {"p50_ms", monitor_.quantile_ms(0.5)},
        {"p99_ms", monitor_.quantile_ms(0.99)},
        {"answers", monitor_.samples()},
        {"errors", monitor_.errors()},
        {"scale_up", advice.scale_up},
        {"replicas", advice.replicas},
        {"cache_times", advice.cache_times},
        {"reason", advice.reason}}}};
  return tandem::json_text(status);
}

std::string Service::viewer_json(const std::string& user) {
  const auto served = this->served();
  const Catalogue& catalogue = *served->catalogue;
  const ViewerView view = state_.viewers.view(user);
  json history = json::array();
  for (auto at = view.history.rbegin(); at != view.history.rend(); ++at) {
    if (at->item >= catalogue.size()) continue;
    history.push_back({{"content_id", catalogue.item(at->item).id},
                       {"title", catalogue.name(at->item)},
                       {"genre", catalogue.item(at->item).genre},
                       {"strength", std::round(static_cast<double>(at->strength) * 1000) / 1000},
                       {"time", experiments::time_text(Time{at->time} * 1000)}});
  }
  json hidden = json::array();
  for (const ItemNumber item : view.hidden) {
    if (item < catalogue.size()) hidden.push_back(catalogue.item(item).id);
  }
  return tandem::json_text(json{{"user", user},
                                {"known", !view.history.empty() || !view.hidden.empty()},
                                {"history", history},
                                {"hidden", hidden}});
}

std::string Service::items_json(std::string_view text, std::size_t n) {
  const auto served = this->served();
  const Catalogue& catalogue = *served->catalogue;
  const std::string wanted = lower(text);
  json found = json::array();
  for (ItemNumber i = 0; i < catalogue.size() && found.size() < n; ++i) {
    const Item& item = catalogue.item(i);
    if (!item.listed) continue;
    if (!wanted.empty() && lower(catalogue.name(i)).find(wanted) == std::string::npos) continue;
    found.push_back({{"content_id", item.id}, {"title", catalogue.name(i)}, {"genre", item.genre}});
  }
  return tandem::json_text(json{{"items", found}});
}

std::string Service::experiment_json() {
  if (!desk_) throw http::HttpError(404, "no experiment is running; --experiment begins one");
  const experiments::Experiment& experiment = desk_->experiment();
  const std::string reason = desk_->ended();
  const json ended = reason.empty() ? json(nullptr) : json(reason);
  if (options_.interleave) {
    const std::scoped_lock lock(given_mutex_);
    const InterleavingResult result = judge(wins_[0], wins_[1], ties_);
    return tandem::json_text(json{{"experiment", experiment.name},
                                  {"interleaved", true},
                                  {"ended", ended},
                                  {"arms", {experiment.arms[0].name, experiment.arms[1].name}},
                                  {"wins", {result.first_wins, result.second_wins}},
                                  {"ties", result.ties},
                                  {"p", result.p}});
  }
  const Time now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  const experiments::Analysis analysis = desk_->analyse(now);
  json answer = experiments::to_json(analysis);
  answer["experiment"] = experiment.name;
  answer["interleaved"] = false;
  answer["ended"] = ended;
  return tandem::json_text(answer);
}

void Service::measure() {
  const auto counts = cache_.counts();
  const auto set = [&](const char* name, const char* help, double value) {
    metrics_.gauge(name, help).set(value);
  };
  set("tandem_recommend_cache_hits", "Answers that came from the cache",
      static_cast<double>(counts.hits));
  set("tandem_recommend_cache_joined", "Answers that waited for an equal one under way",
      static_cast<double>(counts.joined));
  set("tandem_recommend_cache_misses", "Answers that were worked out",
      static_cast<double>(counts.misses));
  set("tandem_recommend_cache_hit_rate", "Share of answers that were not worked out",
      counts.hit_rate());
  set("tandem_recommend_cache_bytes", "Bytes of the cache", static_cast<double>(cache_.bytes()));
  set("tandem_recommend_viewers", "Viewers of whom something is known",
      static_cast<double>(state_.viewers.size()));
  set("tandem_recommend_events", "Events that were applied",
      static_cast<double>(state_.feedback.load()));
  const Advice advice = this->advice();
  set("tandem_recommend_answer_average_ms", "Moving average of the time to an answer",
      advice.average_ms);
  set("tandem_recommend_answer_p50_ms", "Median time to an answer, of the latest 4,096",
      monitor_.quantile_ms(0.5));
  set("tandem_recommend_answer_p99_ms", "99th percentile of the time to an answer, of the same",
      monitor_.quantile_ms(0.99));
  set("tandem_recommend_choices_bytes", "Bytes of choices of exploration that are kept",
      static_cast<double>(choices_->bytes()));
  set("tandem_recommend_scale_up", "1 where the average is above 100 ms", advice.scale_up ? 1 : 0);
  set("tandem_recommend_advised_replicas", "Replicas there should be of this one",
      static_cast<double>(advice.replicas));
}

}  // namespace tandem::recommend
