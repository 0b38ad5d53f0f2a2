#include "systems/fraud/service/monitor.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "systems/fraud/service/decider.hpp"

namespace tandem::fraud {
namespace {

constexpr std::size_t most_shown = 200;
constexpr std::array<const char*, 5> stages{"read", "features", "decide", "write_down", "apply"};

}  // namespace

Monitor::Monitor(http::Metrics& metrics) {
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    actions_[i] = &metrics.counter("tandem_fraud_decisions_total", "Transactions that were decided",
                                   {{"action", std::string(enum_names<Action>[i])}});
  }
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    levels_[i] = &metrics.counter("tandem_fraud_levels_total", "The same by their level of risk",
                                  {{"level", std::string(enum_names<Level>[i])}});
  }
  labels_[0] = &metrics.counter("tandem_fraud_labels_total", "What decisions turned out to be",
                                {{"fraud", "no"}});
  labels_[1] = &metrics.counter("tandem_fraud_labels_total", "What decisions turned out to be",
                                {{"fraud", "yes"}});
  repeated_ = &metrics.counter("tandem_fraud_repeated_total",
                               "Transactions that came again and got their first answer");
  conflicts_ = &metrics.counter("tandem_fraud_conflicts_total",
                                "Transactions whose id another transaction has");
  refused_ = &metrics.counter("tandem_fraud_refused_total",
                              "Transactions that were refused because too much waited or nothing "
                              "could be written down");
  for (std::size_t i = 0; i < stages.size(); ++i) {
    stage_seconds_[i] =
        &metrics.gauge("tandem_fraud_stage_seconds_sum",
                       "Time of the measured decisions by where it went", {{"stage", stages[i]}});
    stage_counts_[i] = &metrics.counter("tandem_fraud_stage_measured_total",
                                        "Decisions that were measured", {{"stage", stages[i]}});
  }
}

void Monitor::decided(Shown shown, Level level, double risk_score, Time now) {
  const auto action = static_cast<std::size_t>(shown.action);
  actions_[action]->add();
  levels_[static_cast<std::size_t>(level)]->add();
  const std::size_t bin =
      std::min(bins - 1, static_cast<std::size_t>(risk_score * static_cast<double>(bins)));
  const std::int64_t minute = now / 60'000;
  const std::lock_guard<std::mutex> lock(mutex_);
  shown.number = ++number_;
  newest_.push_back(std::move(shown));
  if (newest_.size() > most_shown) newest_.pop_front();
  if (history_.empty() || history_.back().minute != minute) {
    history_.push_back({.minute = minute});
    if (history_.size() > minutes) history_.pop_front();
  }
  ++history_.back().actions[action];
  ++history_.back().scores[bin];
  if (reference_count_ < reference_size) {
    ++reference_[bin];
    ++reference_count_;
  }
}

void Monitor::erase(Key user) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(newest_, [&](const Shown& shown) { return shown.user == user; });
}

void Monitor::forget_reference() {
  const std::lock_guard<std::mutex> lock(mutex_);
  reference_ = {};
  reference_count_ = 0;
}

nlohmann::json Monitor::stream(std::uint64_t after, std::size_t most) {
  nlohmann::json list = nlohmann::json::array();
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto shown = newest_.rbegin();
       shown != newest_.rend() && shown->number > after && list.size() < most; ++shown) {
    nlohmann::json one = nlohmann::json::parse(answer_text(shown->id, shown->tail, -1));
    one["number"] = shown->number;
    one["timestamp"] = timestamp_text(shown->time, 0);
    one["amount"] = shown->amount;
    list.push_back(std::move(one));
  }
  return list;
}

// The population stability index of the scores of the last hour against those that the versions
// gave first: Σ (p − q) ln(p/q) over bins, half a case added to each.
nlohmann::json Monitor::drift() const {
  std::array<std::uint64_t, bins> now{};
  std::uint64_t count = 0;
  for (const Minute& minute : history_) {
    for (std::size_t i = 0; i < bins; ++i) now[i] += minute.scores[i];
  }
  for (const std::uint64_t one : now) count += one;
  double index = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    const double spread = 0.5 * static_cast<double>(bins);
    const double p = (static_cast<double>(now[i]) + 0.5) / (static_cast<double>(count) + spread);
    const double q = (static_cast<double>(reference_[i]) + 0.5) /
                     (static_cast<double>(reference_count_) + spread);
    index += (p - q) * std::log(p / q);
  }
  const bool known = reference_count_ == reference_size && count >= reference_size;
  return {{"stability_index", known ? nlohmann::json(index) : nlohmann::json()},
          {"finding", !known         ? "not enough decisions yet"
                      : index < 0.1  ? "as before"
                      : index < 0.25 ? "somewhat changed"
                                     : "changed"},
          {"reference_decisions", reference_count_},
          {"decisions", count},
          {"reference", reference_},
          {"last_hour", now}};
}

nlohmann::json Monitor::summary() {
  nlohmann::json json;
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    json["actions"][std::string(enum_names<Action>[i])] = actions_[i]->value();
  }
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    json["levels"][std::string(enum_names<Level>[i])] = levels_[i]->value();
  }
  json["labels"] = {{"fraud", labels_[1]->value()}, {"honest", labels_[0]->value()}};
  json["repeated"] = repeated_->value();
  json["conflicts"] = conflicts_->value();
  json["refused"] = refused_->value();
  const std::lock_guard<std::mutex> lock(mutex_);
  json["minutes"] = nlohmann::json::array();
  for (const Minute& minute : history_) {
    json["minutes"].push_back({{"timestamp", timestamp_text(minute.minute * 60'000, 0)},
                               {"approve", minute.actions[0]},
                               {"manual_review", minute.actions[1]},
                               {"decline", minute.actions[2]}});
  }
  json["drift"] = drift();
  json["newest"] = number_;
  return json;
}

}  // namespace tandem::fraud
