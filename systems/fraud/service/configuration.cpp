#include "systems/fraud/service/configuration.hpp"

#include <zlib.h>

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "tandem/core/error.hpp"
#include "tandem/core/options.hpp"
#include "tandem/core/text.hpp"

namespace tandem::fraud {
namespace {

using nlohmann::json;

// Reads members of one object, and knows which it has not asked for.
class Members {
 public:
  Members(const json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) throw InputError(place_ + ": expected an object");
  }

  [[nodiscard]] const json* find(const std::string& name) {
    known_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  void number(const std::string& name, double& value, double lowest, double highest,
              bool needed = false) {
    const json* found = find(name);
    if (found == nullptr && !needed) return;
    if (found == nullptr || !found->is_number() || !(found->get<double>() >= lowest) ||
        !(found->get<double>() <= highest)) {
      throw InputError(place_ + "." + name + ": expected a number from " + significant(lowest, 6) +
                       " to " + significant(highest, 6));
    }
    value = found->get<double>();
  }

  void whole(const std::string& name, std::int64_t& value, std::int64_t lowest,
             std::int64_t highest, bool needed = false) {
    auto read = static_cast<double>(value);
    number(name, read, static_cast<double>(lowest), static_cast<double>(highest), needed);
    if (read != std::floor(read)) throw InputError(place_ + "." + name + ": expected no fraction");
    value = static_cast<std::int64_t>(read);
  }

  // Throws InputError for a member that nobody has asked for.
  void end() const {
    for (const auto& [name, value] : object_.items()) {
      if (known_.contains(name)) continue;
      const std::string meant = nearest_name(name, {known_.begin(), known_.end()});
      throw InputError(place_ + ": there is no member '" + name + "'" +
                       (meant.empty() ? "" : "; did you mean " + meant + "?"));
    }
  }

  [[nodiscard]] const std::string& place() const noexcept { return place_; }

 private:
  const json& object_;
  std::string place_;
  std::set<std::string> known_;
};

Signal read_signal(const json& object, const std::string& place) {
  Members members(object, place);
  Signal signal;
  const json* feature = members.find("feature");
  if (feature == nullptr || !feature->is_string()) {
    throw InputError(place + ".feature: expected the name of a feature");
  }
  const auto name = feature->get<std::string>();
  const int index = feature_index(name);
  if (index < 0) {
    std::vector<std::string> names;
    for (const FeatureInfo& info : feature_table()) names.push_back(info.name);
    const std::string meant = nearest_name(name, names);
    throw InputError(place + ".feature: there is no feature '" + name + "'" +
                     (meant.empty() ? "" : "; did you mean " + meant + "?"));
  }
  signal.feature = static_cast<std::size_t>(index);
  members.number("from", signal.from, -1e12, 1e12, true);
  members.number("to", signal.to, -1e12, 1e12, true);
  members.number("weight", signal.weight, 0, 1, true);
  members.end();
  if (!(signal.from < signal.to)) throw InputError(place + ": expected 'from' below 'to'");
  return signal;
}

SignalPart read_part(const json& object, const std::string& name, const std::string& place) {
  Members members(object, place);
  SignalPart part;
  part.name = name;
  members.number("weight", part.weight, 0, 1, true);
  const json* signals = members.find("signals");
  if (signals == nullptr || !signals->is_array() || signals->size() > 64) {
    throw InputError(place + ".signals: expected a list of at most 64 signals");
  }
  for (std::size_t i = 0; i < signals->size(); ++i) {
    part.signals.push_back(
        read_signal((*signals)[i], place + ".signals[" + std::to_string(i) + "]"));
  }
  members.end();
  return part;
}

Currencies read_currencies(const json& object, const std::string& place) {
  Members members(object, place);
  Currencies currencies;
  const json* base = members.find("base");
  const json* rates = members.find("rates");
  if (base == nullptr || !base->is_string() || rates == nullptr || !rates->is_object()) {
    throw InputError(place + R"(: expected {"base": "EUR", "rates": {"EUR": 1, ...}})");
  }
  currencies.base = base->get<std::string>();
  currencies.rates.clear();
  for (const auto& [name, rate] : rates->items()) {
    if (!rate.is_number() || !(rate.get<double>() > 0) || !(rate.get<double>() < 1e9)) {
      throw InputError(place + ".rates." + name + ": expected a number above 0");
    }
    currencies.rates[name] = rate.get<double>();
  }
  const auto own = currencies.rates.find(currencies.base);
  if (own == currencies.rates.end() || own->second != 1) {
    throw InputError(place + ": the rate of the base currency must be there, and be 1");
  }
  members.end();
  return currencies;
}

}  // namespace

Configuration Configuration::parse(const std::string& text, const std::string& name) {
  json object;
  try {
    object = json::parse(text);
  } catch (const json::exception& error) {
    throw InputError(name + ": this is not JSON: " + error.what());
  }
  Members members(object, name);
  Configuration read;
  members.whole("version", read.version, 1, 2'000'000'000, true);
  members.number("rules_weight", read.rules_weight, 0, 1);
  members.number("model_weight", read.model_weight, 0, 1);
  members.number("explore_share", read.explore_share, 0, 1);
  members.number("explore_most_amount", read.explore_most_amount, 0, 1e12);
  members.whole("similar_seconds", read.similar_seconds, 0, 60);
  members.whole("longest_ahead_seconds", read.longest_ahead_seconds, 0, 86'400);
  auto reasons = static_cast<std::int64_t>(read.most_reasons);
  members.whole("most_reasons", reasons, 0, 20);
  read.most_reasons = static_cast<std::size_t>(reasons);
  for (const char* part : {"velocity", "device", "network"}) {
    if (const json* found = members.find(part)) {
      read.parts.push_back(read_part(*found, part, name + "." + part));
    }
  }
  if (const json* found = members.find("currencies")) {
    read.currencies = read_currencies(*found, name + ".currencies");
  }
  members.end();
  read.text = text;
  std::array<char, 40> id{};
  std::snprintf(id.data(), id.size(), "%lld-%08x", static_cast<long long>(read.version),
                static_cast<unsigned>(
                    crc32_z(0, reinterpret_cast<const unsigned char*>(text.data()), text.size())));
  read.id = id.data();
  return read;
}

const std::vector<RuleVariable>& rule_variables() {
  static const std::vector<RuleVariable> variables = [] {
    std::vector<RuleVariable> made;
    for (const FeatureInfo& info : feature_table()) {
      made.push_back({info.name, info.unit == "flag" ? RuleType::truth : RuleType::number});
    }
    RuleVariable type{"transaction_type", RuleType::choice};
    for (const std::string_view name : enum_names<TransactionType>) {
      type.choices.emplace_back(name);
    }
    made.push_back(std::move(type));
    return made;
  }();
  return variables;
}

}  // namespace tandem::fraud
