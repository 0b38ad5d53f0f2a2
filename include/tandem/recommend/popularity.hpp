// What most people take, and what they take now: events weighted by their age.
// docs/algorithms/popularity.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/recommender.hpp"

namespace tandem {

struct TANDEM_API PopularityOptions {
  // An event counts half as much for every so many days before the last event; 0: all alike.
  double half_life_days = 0;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// The same scores for everybody.
class TANDEM_API PopularityModel final : public Recommender {
 public:
  std::vector<double> scores;  // one per item: Σ weight · 2^(−age / half-life)
  double half_life_days = 0;
  double as_of = 0;  // the time of the last event; 0 where times are unknown

  [[nodiscard]] std::string_view algorithm() const override { return "popularity"; }
  void score(UserHistory history, std::span<double> to) const override;
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  // Nobody's likeness is known: the most popular others.
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<PopularityModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;
};

// Throws InputError where a half-life is asked for and the events have no times.
[[nodiscard]] TANDEM_API std::unique_ptr<PopularityModel> fit(Engine& engine,
                                                              const RecommenderData& data,
                                                              const PopularityOptions& options,
                                                              RunControl* control = nullptr);

}  // namespace tandem
