// Two rankings in one list: whose items are taken tells which is better with far fewer viewers than
// two groups of them do. Team-draft interleaving: Radlinski, Kurup and Joachims, CIKM 2008.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "systems/recommend/catalogue.hpp"

namespace tandem::recommend {

struct Interleaved {
  std::vector<ItemNumber> items;
  std::vector<std::uint8_t> teams;  // 0: of the first ranking, 1: of the second
};

// Up to `count` items: in each round the rankings take turns in an order that is drawn, each adding
// its best item that is not there. `key` and `counter` give the draws.
[[nodiscard]] Interleaved interleave(std::span<const ItemNumber> first,
                                     std::span<const ItemNumber> second, std::size_t count,
                                     std::uint64_t key, std::uint64_t counter);

struct InterleavingResult {
  std::int64_t first_wins = 0;  // answers with more clicks on items of the first
  std::int64_t second_wins = 0;
  std::int64_t ties = 0;
  // Two-sided sign test of the answers that are no ties; 1 where there is none.
  double p = 1;
};
[[nodiscard]] InterleavingResult judge(std::int64_t first_wins, std::int64_t second_wins,
                                       std::int64_t ties);

}  // namespace tandem::recommend
