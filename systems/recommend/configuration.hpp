// How answers are ranked, as a file says it; each configuration has a version that answers name.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "systems/recommend/catalogue.hpp"
#include "tandem/core/names.hpp"

namespace tandem::recommend {

enum class Exploration { none, epsilon, thompson };

}  // namespace tandem::recommend

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 3> enum_names<recommend::Exploration>{
    "none", "epsilon", "thompson"};
}  // namespace tandem

namespace tandem::recommend {

// The parts of a score, in the order in which they are written.
inline constexpr std::size_t part_count = 4;
inline constexpr std::array<std::string_view, part_count> part_names{"collaborative", "content",
                                                                     "trending", "diversity"};

struct Boost {
  std::string attribute;  // "item", "genre" or "creator"
  std::string value;
  double times = 1;
};

struct Configuration {
  std::string version = "default";
  std::string model = "main";  // which of the service's models is asked
  std::array<double, part_count> weights{0.4, 0.3, 0.2, 0.1};

  // Candidates that each source is asked for.
  std::int64_t collaborative_candidates = 300;
  std::int64_t content_candidates = 150;
  std::int64_t trending_candidates = 100;
  // The best of them by the first three parts, among which diversity chooses.
  std::int64_t diversity_pool = 100;

  std::int64_t max_per_genre = 0;  // of one answer; 0: any number
  std::int64_t max_per_creator = 0;
  bool seen_again = false;  // items of the history may be answered
  std::vector<Boost> boosts;
  std::vector<std::string> blocked;  // items
  // An item just released counts (1 + freshness) times, one released `half-life` ago half of that
  // more.
  double freshness = 0;
  double freshness_half_life_days = 14;
  std::int64_t viewer_age = 0;  // of viewers whose age the question does not say; 0: adults

  Exploration exploration = Exploration::epsilon;
  double exploration_share = 0.05;
  double exploration_answers = 1;  // the share of answers that explore and are logged, at random
  std::int64_t exploration_pool = 20;

  std::int64_t history_items = 30;     // the latest that are folded in
  double history_half_life_days = 30;  // their weights halve in it
  double session_minutes = 30;         // younger events are of the session
  double session_times = 2;            // and count so many times

  std::int64_t trending_leaders = 20;  // the type "trending" is theirs
  double similar = 0.35;               // the least cosine of "similar_to_watched"

  // Milliseconds after the question came, beyond which a source is not waited for.
  double collaborative_deadline_ms = 50;
  double content_deadline_ms = 80;

  // Throws InputError that names the member for what is unknown, of a wrong type or out of range.
  [[nodiscard]] static Configuration parse(const nlohmann::json& definition);
  [[nodiscard]] nlohmann::json to_json() const;
};

// The first is what viewers outside of experiments get.
using Configurations = std::vector<Configuration>;

// A file with one object, or {"configurations": [...]}. Throws InputError that names the file and
// the member; versions must differ.
[[nodiscard]] Configurations read_configurations(const std::string& path);
[[nodiscard]] Configurations parse_configurations(std::string_view text, const std::string& name);

}  // namespace tandem::recommend
