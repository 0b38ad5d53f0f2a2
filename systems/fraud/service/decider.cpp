#include "systems/fraud/service/decider.hpp"

#include <algorithm>
#include <cmath>

#include "systems/serving/json_text.hpp"

namespace tandem::fraud {
namespace {

using serving::append_json_number;
using serving::append_json_text;

// What is answered and what the levels are taken from is the same number, so that 0.3 is medium
// wherever it is read.
double rounded(double value, double parts) { return std::round(value * parts) / parts; }

constexpr double critical = 0.8;
constexpr double high = 0.6;
constexpr double below_medium = 0.29;
// Where the model adds less than that, others say why, and its reasons are not worth their time.
constexpr double least_explained = 0.1;

}  // namespace

Decider::Decider(std::shared_ptr<const Versions> versions)
    : versions_(std::move(versions)), values_(rule_variables().size()) {}

void Decider::add_reason(Decision& decision, std::string text, const std::string& source,
                         double weight) {
  // A feature that both a signal and the model speak of is said once.
  for (Reason& reason : decision.reasons) {
    if (reason.text != text) continue;
    if (weight > reason.weight) reason.source = source;
    reason.weight += weight;
    return;
  }
  decision.reasons.push_back({std::move(text), source, weight});
}

void Decider::add_rules(Decision& decision, double& score) {
  const RuleSet& rules = *versions_->rules;
  const double part_weight = versions_->configuration->rules_weight;
  rules.evaluate(values_, hits_);
  double value = 0;
  for (const int hit : hits_) {
    const Rule& rule = rules.rules()[static_cast<std::size_t>(hit)];
    if (rule.dry_run) continue;
    value += rule.weight;
    add_reason(decision, rules.reason(static_cast<std::size_t>(hit), values_), "rules",
               rule.weight * part_weight);
  }
  value = std::min(value, 1.0);
  decision.parts.push_back({"rules", value, part_weight, value * part_weight});
  score += value * part_weight;
}

void Decider::add_signals(Decision& decision, const SignalPart& part, double& score,
                          const FeatureVector& features) {
  double value = 0;
  for (const Signal& signal : part.signals) {
    const double x = features[signal.feature];
    if (!(x > signal.from)) continue;  // nor where it is not known
    const double added =
        signal.weight * std::min(1.0, (x - signal.from) / (signal.to - signal.from));
    value += added;
    add_reason(decision, in_words(signal.feature, x), part.name, added * part.weight);
  }
  value = std::min(value, 1.0);
  decision.parts.push_back({part.name, value, part.weight, value * part.weight});
  score += value * part.weight;
}

Decision Decider::decide(const Event& event, const FeatureVector& features) {
  const Configuration& configuration = *versions_->configuration;
  Decision decision;
  decision.transaction = event.transaction;
  decision.model_version = versions_->model_version;
  decision.configuration_version = versions_->decision_version;
  std::copy(features.begin(), features.end(), values_.begin());
  values_.back() = static_cast<double>(event.type);

  double score = 0;
  add_rules(decision, score);
  const ModelScore judged = versions_->model->score(features);
  const double of_model = configuration.model_weight * judged.score;
  decision.parts.push_back({"model", judged.score, configuration.model_weight, of_model});
  score += of_model;
  for (const SignalPart& part : configuration.parts) add_signals(decision, part, score, features);

  // The action of the rule of highest priority holds the score on its side.
  const RuleSet& rules = *versions_->rules;
  for (const int hit : hits_) {
    const Rule& rule = rules.rules()[static_cast<std::size_t>(hit)];
    if (rule.dry_run || rule.action == RuleAction::none) continue;
    if (rule.action == RuleAction::decline) score = std::max(score, critical);
    if (rule.action == RuleAction::review) score = std::max(score, high);
    if (rule.action == RuleAction::approve) score = std::min(score, below_medium);
    break;
  }
  decision.risk_score = rounded(std::clamp(score, 0.0, 1.0), 1e6);
  decision.level = level_of(decision.risk_score);
  decision.action = action_of(decision.level);
  decision.confidence =
      rounded(decision.level == Level::low ? 1 - judged.probability : judged.probability, 1e4);
  if (decision.action == Action::decline && event.amount <= configuration.explore_most_amount &&
      draw_of(event.transaction) < configuration.explore_share) {
    decision.action = Action::approve;
    decision.explored = true;
  }
  if (decision.level != Level::low && of_model >= least_explained) {
    // What speaks for fraud shares the model's part in proportion to its log-odds.
    const auto contributions = versions_->model->explain(features, configuration.most_reasons);
    double positive = 0;
    for (const Contribution& one : contributions) positive += std::max(0.0, one.value);
    for (const Contribution& one : contributions) {
      // That something is not known is no reason that a person could weigh.
      if (!(one.value > 0) || std::isnan(features[one.feature])) continue;
      add_reason(decision, in_words(one.feature, features[one.feature]), "model",
                 of_model * one.value / positive);
    }
  }
  std::stable_sort(decision.reasons.begin(), decision.reasons.end(),
                   [](const Reason& a, const Reason& b) { return a.weight > b.weight; });
  if (decision.reasons.size() > configuration.most_reasons) {
    decision.reasons.resize(configuration.most_reasons);
  }
  return decision;
}

double draw_of(Key transaction) {
  // The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the key is drawn already, and
  // its bits are mixed so that other uses of the key say nothing of this one.
  std::uint64_t z = transaction + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

std::string answer_tail(const Decision& decision) {
  std::string json;
  json.reserve(320);
  json += ",\"risk_score\":";
  append_json_number(json, decision.risk_score);
  json += ",\"risk_level\":\"";
  json += to_string(decision.level);
  json += "\",\"action\":\"";
  json += to_string(decision.action);
  json += "\",\"reasons\":[";
  for (std::size_t i = 0; i < decision.reasons.size(); ++i) {
    const Reason& reason = decision.reasons[i];
    json += i == 0 ? "{\"text\":" : ",{\"text\":";
    append_json_text(json, reason.text);
    json += ",\"source\":";
    append_json_text(json, reason.source);
    json += ",\"weight\":";
    append_json_number(json, rounded(reason.weight, 1e4));
    json += '}';
  }
  json += "],\"confidence\":";
  append_json_number(json, decision.confidence);
  json += ",\"parts\":{";
  for (std::size_t i = 0; i < decision.parts.size(); ++i) {
    if (i > 0) json += ',';
    append_json_text(json, decision.parts[i].name);
    json += ':';
    append_json_number(json, rounded(decision.parts[i].contribution, 1e6));
  }
  json += "},\"model_version\":";
  append_json_text(json, decision.model_version);
  json += ",\"decided_by\":";
  append_json_text(json, decision.configuration_version);
  if (decision.explored) json += ",\"explored\":true";
  if (decision.from_similar) json += ",\"from_similar\":true";
  return json;
}

std::string answer_text(std::string_view transaction_id, std::string_view tail,
                        std::int64_t microseconds) {
  std::string json = "{\"transaction_id\":";
  append_json_text(json, transaction_id);
  json += tail;
  if (microseconds >= 0) {
    json += ",\"processing_time_ms\":";
    append_json_number(json, static_cast<double>(microseconds) / 1000);
  }
  json += '}';
  return json;
}

}  // namespace tandem::fraud
