// One answer: candidates from every source, one ranking, and what is true of each item of it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "systems/recommend/collaborative.hpp"
#include "systems/recommend/configuration.hpp"
#include "systems/recommend/ranking.hpp"
#include "systems/recommend/stages.hpp"
#include "systems/recommend/trending.hpp"
#include "systems/recommend/viewers.hpp"

namespace tandem::recommend {

// A model of the service.
struct NamedModel {
  std::string name;     // as configurations call it: "main"
  std::string version;  // changes with the file's bytes
  std::shared_ptr<CollaborativeSource> source;
};

// What answers are made with; does not change, and is replaced as a whole.
struct Served {
  std::shared_ptr<const Catalogue> catalogue;
  std::vector<NamedModel> models;
  Configurations configurations;
  std::vector<BoostTable> boosts;  // of each configuration
  std::uint64_t number = 0;        // of how many there were before

  // nullptr where there is none of this name.
  [[nodiscard]] const NamedModel* model(std::string_view name) const;
  // −1 where there is none of this version.
  [[nodiscard]] int configuration(std::string_view version) const;
};

struct Question {
  std::string user;
  std::size_t n = 10;
  std::string genre;                // this genre only; empty: all
  std::optional<std::int64_t> age;  // of the viewer
  Time now = 0;
  SteadyTime asked{};  // deadlines count from here
};

enum class RecommendationType { trending, similar_to_watched, collaborative, discovery };

}  // namespace tandem::recommend

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 4> enum_names<recommend::RecommendationType>{
    "trending", "similar_to_watched", "collaborative", "discovery"};
}  // namespace tandem

namespace tandem::recommend {

struct Recommendation {
  Ranked ranked;
  RecommendationType type = RecommendationType::discovery;
  std::string explanation;
  std::vector<ItemNumber> because;  // items that the explanation names
  int team = -1;                    // of an interleaved answer: whose item it is
};

// What a configuration makes of a question, before anything is explored or explained.
struct Ranking {
  std::vector<Ranked> list;
  std::vector<std::string> missing;  // sources that did not answer in time
  bool cold = false;                 // nothing is known of the viewer that the model could go by
  double collaborative_seconds = 0;
  double content_seconds = 0;
};

// Works out answers to one question of one viewer. Used by one thread.
class Personaliser {
 public:
  Personaliser(const Served& served, const Trending& trending, const Question& question,
               const ViewerView& viewer);

  // Of the work so far.
  [[nodiscard]] Stages& stages() noexcept { return stages_; }

  // The `count` best by the configuration of this index.
  [[nodiscard]] Ranking rank_by(std::size_t configuration, std::size_t count);
  // Types and reasons of items of a ranking by that configuration, which must be the last asked.
  // `explored` is an item that is there for exploration; no_item: none.
  [[nodiscard]] Recommendation explain(const Ranked& ranked, std::size_t configuration,
                                       ItemNumber explored);

 private:
  [[nodiscard]] bool eligible(ItemNumber item, const Configuration& configuration,
                              const BoostTable& boosts) const;
  void weigh_history(const Configuration& configuration);
  void find_collaborative(const Configuration& configuration, Ranking& ranking);
  void find_content(const Configuration& configuration, Ranking& ranking);
  void find_trending(const Configuration& configuration, bool cold);
  // collaborative: the model's score, or NaN where it has not said it yet.
  void add(ItemNumber item, const Configuration& configuration, const BoostTable& boosts,
           float collaborative);
  void score(Ranking& ranking);

  const Served& served_;
  const Catalogue& catalogue_;
  const Trending& trending_;
  const Question& question_;
  const ViewerView& viewer_;
  Stages stages_;
  std::uint32_t genre_;                // that is asked for; 0: any
  std::vector<ItemNumber> seen_;       // ascending
  std::vector<WeightedItem> history_;  // the latest, weighted by age and session
  std::vector<Scored> leaders_;        // of Trending
  std::vector<Candidate> candidates_;
  const BoostTable* boosts_ = nullptr;
  std::unique_ptr<CollaborativeSource::Asked> asked_;
};

}  // namespace tandem::recommend
