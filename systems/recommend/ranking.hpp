// From candidates with a score by source to a list: normalised, weighted, boosted, capped, and
// diverse by maximal marginal relevance.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "systems/recommend/configuration.hpp"

namespace tandem::recommend {

enum PartIndex : std::size_t { collaborative_part, content_part, trending_part, diversity_part };

struct Candidate {
  ItemNumber item = 0;
  // By source, as it gave it; NaN where the source does not know the item. That of diversity is
  // worked out by rank().
  std::array<float, part_count> raw{};
};

struct Ranked {
  ItemNumber item = 0;
  double score = 0;  // boost · Σ parts
  // weight · normalised score: what each source carries.
  std::array<double, part_count> parts{};
  double boost = 1;
};

// The boosts of a configuration by the numbers of a catalogue.
class BoostTable {
 public:
  BoostTable() = default;
  BoostTable(const Configuration& configuration, const Catalogue& catalogue);
  // All boosts of the item multiplied, and its freshness at `now`.
  [[nodiscard]] double of(const Catalogue& catalogue, ItemNumber item, Time now) const;
  [[nodiscard]] bool blocked(ItemNumber item) const;

 private:
  std::unordered_map<ItemNumber, double> items_;
  std::unordered_map<std::uint32_t, double> genres_;
  std::unordered_map<std::uint32_t, double> creators_;
  std::vector<ItemNumber> blocked_;  // ascending
  double freshness_ = 0;
  double half_life_ = 1;  // milliseconds
};

// The `count` best, in order, of distinct candidates. Each source's scores are brought to [0, 1] by
// its least and greatest among the candidates (all equal: to 1 where they are above 0, else 0; not
// known: 0). The first three parts rank the candidates; among the best `diversity_pool` of them the
// next of the list is the one of greatest boost · (parts + w_diversity · (1 − s)), s the greatest
// likeness to those that were taken: Carbonell and Goldstein, "The Use of MMR, Diversity-Based
// Reranking", SIGIR 1998. Ties to the lowest item. Caps per genre and creator hold throughout;
// where the pool cannot fill the list, it goes on with the rest.
[[nodiscard]] std::vector<Ranked> rank(std::span<const Candidate> candidates, std::size_t count,
                                       const Configuration& configuration, const BoostTable& boosts,
                                       const Catalogue& catalogue, Time now);

}  // namespace tandem::recommend
