#include "systems/recommend/configuration.hpp"

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "core/file.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

using nlohmann::json;

// One object of the file: members are taken one by one, and what is left is unknown.
class Members {
 public:
  Members(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) throw InputError(where_ + "expected a JSON object");
  }
  [[noreturn]] void fail(const std::string& member, const std::string& what) const {
    throw InputError(where_ + "'" + member + "' " + what);
  }
  const json* find(const char* member) {
    taken_.insert(member);
    const auto at = object_.find(member);
    return at == object_.end() ? nullptr : &*at;
  }
  void text(const char* member, std::string& value) {
    const json* const found = find(member);
    if (found == nullptr) return;
    if (!found->is_string() || found->get_ref<const std::string&>().empty()) {
      fail(member, "is no text");
    }
    value = found->get<std::string>();
    if (value.size() > 256) fail(member, "is longer than 256 bytes");
  }
  void real(const char* member, double& value, double lowest, double highest) {
    const json* const found = find(member);
    if (found == nullptr) return;
    if (!found->is_number()) fail(member, "is no number");
    value = found->get<double>();
    if (!(value >= lowest && value <= highest)) out_of_range(member, lowest, highest);
  }
  void integer(const char* member, std::int64_t& value, std::int64_t lowest, std::int64_t highest) {
    const json* const found = find(member);
    if (found == nullptr) return;
    if (!found->is_number_integer()) fail(member, "is no whole number");
    // A number beyond 2^63 is told apart before it is taken for a negative one.
    if (found->is_number_unsigned() &&
        found->get<std::uint64_t>() > static_cast<std::uint64_t>(highest)) {
      out_of_range(member, static_cast<double>(lowest), static_cast<double>(highest));
    }
    value = found->get<std::int64_t>();
    if (value < lowest || value > highest) {
      out_of_range(member, static_cast<double>(lowest), static_cast<double>(highest));
    }
  }
  void flag(const char* member, bool& value) {
    const json* const found = find(member);
    if (found == nullptr) return;
    if (!found->is_boolean()) fail(member, "is neither true nor false");
    value = found->get<bool>();
  }
  void part(const char* member, const std::function<void(Members&)>& read) {
    const json* const found = find(member);
    if (found == nullptr) return;
    Members members(*found, where_ + member + ": ");
    read(members);
    members.check_all_taken();
  }
  void check_all_taken() const {
    for (const auto& [name, value] : object_.items()) {
      if (!taken_.contains(name)) fail(name, "is not known");
    }
  }

 private:
  [[noreturn]] void out_of_range(const char* member, double lowest, double highest) const {
    fail(member,
         "is out of range: expected " + json(lowest).dump() + " to " + json(highest).dump());
  }
  const json& object_;
  std::string where_;
  std::set<std::string, std::less<>> taken_;
};

void parse_boosts(const json& list, Members& members, Configuration& made) {
  if (!list.is_array()) members.fail("boosts", "is no list");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = "boosts[" + std::to_string(i) + "]: ";
    Members one(list[i], where);
    Boost boost;
    int named = 0;
    for (const char* const attribute : {"item", "genre", "creator"}) {
      if (one.find(attribute) == nullptr) continue;
      one.text(attribute, boost.value);
      boost.attribute = attribute;
      ++named;
    }
    if (named != 1) throw InputError(where + "expected one of item, genre and creator");
    one.real("times", boost.times, 0, 1000);
    one.check_all_taken();
    made.boosts.push_back(std::move(boost));
  }
}

void parse_blocked(const json& list, Members& members, Configuration& made) {
  if (!list.is_array()) members.fail("blocked", "is no list");
  for (const json& item : list) {
    if (!item.is_string()) members.fail("blocked", "holds what is no text");
    made.blocked.push_back(item.get<std::string>());
  }
}

}  // namespace

Configuration Configuration::parse(const json& definition) {
  Members all(definition, "");
  Configuration made;
  if (all.find("version") == nullptr) all.fail("version", "is missing; answers name it");
  all.text("version", made.version);
  all.text("model", made.model);
  all.part("weights", [&](Members& of) {
    double sum = 0;
    for (std::size_t k = 0; k < part_count; ++k) {
      made.weights[k] = 0;
      of.real(std::string(part_names[k]).c_str(), made.weights[k], 0, 1);
      sum += made.weights[k];
    }
    if (std::abs(sum - 1) > 1e-9) throw InputError("'weights' do not sum to 1");
  });
  all.part("candidates", [&](Members& of) {
    of.integer("collaborative", made.collaborative_candidates, 0, 10'000);
    of.integer("content", made.content_candidates, 0, 10'000);
    of.integer("trending", made.trending_candidates, 0, 1'000);
    of.integer("diversity", made.diversity_pool, 1, 10'000);
  });
  all.integer("max_per_genre", made.max_per_genre, 0, 1000);
  all.integer("max_per_creator", made.max_per_creator, 0, 1000);
  all.flag("seen_again", made.seen_again);
  if (const json* const list = all.find("boosts")) parse_boosts(*list, all, made);
  if (const json* const list = all.find("blocked")) parse_blocked(*list, all, made);
  all.part("freshness", [&](Members& of) {
    of.real("boost", made.freshness, 0, 100);
    of.real("half_life_days", made.freshness_half_life_days, 0.01, 10'000);
  });
  all.integer("viewer_age", made.viewer_age, 0, 120);
  all.part("exploration", [&](Members& of) {
    std::string method(enum_names<Exploration>[static_cast<std::size_t>(made.exploration)]);
    of.text("method", method);
    try {
      made.exploration = parse_enum<Exploration>("method", method);
    } catch (const InputError&) {
      of.fail("method", "is '" + method + "'; expected none, epsilon or thompson");
    }
    // Less than all, so that what the ranking would have shown keeps a propensity.
    of.real("share", made.exploration_share, 0, 1);
    of.real("answers", made.exploration_answers, 0, 1);
    of.integer("pool", made.exploration_pool, 2, 100);
  });
  all.part("history", [&](Members& of) {
    of.integer("items", made.history_items, 1, 200);
    of.real("half_life_days", made.history_half_life_days, 0.01, 100'000);
    of.real("session_minutes", made.session_minutes, 0, 100'000);
    of.real("session_times", made.session_times, 1, 100);
  });
  all.integer("trending_leaders", made.trending_leaders, 0, 200);
  all.real("similar", made.similar, 0.01, 1);
  all.part("deadlines_ms", [&](Members& of) {
    of.real("collaborative", made.collaborative_deadline_ms, 0, 60'000);
    of.real("content", made.content_deadline_ms, 0, 60'000);
  });
  all.check_all_taken();
  return made;
}

json Configuration::to_json() const {
  json weights_of = json::object();
  for (std::size_t k = 0; k < part_count; ++k) weights_of[std::string(part_names[k])] = weights[k];
  json boost_list = json::array();
  for (const Boost& boost : boosts) {
    boost_list.push_back({{boost.attribute, boost.value}, {"times", boost.times}});
  }
  return {{"version", version},
          {"model", model},
          {"weights", weights_of},
          {"candidates",
           {{"collaborative", collaborative_candidates},
            {"content", content_candidates},
            {"trending", trending_candidates},
            {"diversity", diversity_pool}}},
          {"max_per_genre", max_per_genre},
          {"max_per_creator", max_per_creator},
          {"seen_again", seen_again},
          {"boosts", boost_list},
          {"blocked", blocked},
          {"freshness", {{"boost", freshness}, {"half_life_days", freshness_half_life_days}}},
          {"viewer_age", viewer_age},
          {"exploration",
           {{"method", enum_names<Exploration>[static_cast<std::size_t>(exploration)]},
            {"share", exploration_share},
            {"answers", exploration_answers},
            {"pool", exploration_pool}}},
          {"history",
           {{"items", history_items},
            {"half_life_days", history_half_life_days},
            {"session_minutes", session_minutes},
            {"session_times", session_times}}},
          {"trending_leaders", trending_leaders},
          {"similar", similar},
          {"deadlines_ms",
           {{"collaborative", collaborative_deadline_ms}, {"content", content_deadline_ms}}}};
}

Configurations parse_configurations(std::string_view text, const std::string& name) {
  try {
    const json definition = json::parse(text);
    Configurations all;
    if (definition.is_object() && definition.contains("configurations")) {
      Members members(definition, "");
      const json& list = *members.find("configurations");
      members.check_all_taken();
      if (!list.is_array() || list.empty()) members.fail("configurations", "is no list, or empty");
      for (std::size_t i = 0; i < list.size(); ++i) {
        try {
          all.push_back(Configuration::parse(list[i]));
        } catch (const InputError& error) {
          throw InputError("configurations[" + std::to_string(i) + "]: " + error.what());
        }
      }
    } else {
      all.push_back(Configuration::parse(definition));
    }
    std::set<std::string> versions;
    for (const Configuration& one : all) {
      if (!versions.insert(one.version).second) {
        throw InputError("the version '" + one.version + "' stands twice");
      }
    }
    return all;
  } catch (const json::exception& error) {
    throw InputError(name + ": is no JSON: " + error.what());
  } catch (const InputError& error) {
    throw InputError(name + ": " + error.what());
  }
}

Configurations read_configurations(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  return parse_configurations({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace tandem::recommend
