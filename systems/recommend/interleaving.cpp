#include "systems/recommend/interleaving.hpp"

#include <algorithm>

#include "core/random.hpp"
#include "systems/statistics/distributions.hpp"

namespace tandem::recommend {

Interleaved interleave(std::span<const ItemNumber> first, std::span<const ItemNumber> second,
                       std::size_t count, std::uint64_t key, std::uint64_t counter) {
  const Random random(key ^ counter * 0x9E3779B97F4A7C15ULL, Purpose::sampling, 8);
  Interleaved made;
  const std::span<const ItemNumber> rankings[2]{first, second};
  std::size_t next[2]{0, 0};
  const auto add = [&](std::size_t team) {
    const auto& ranking = rankings[team];
    std::size_t& at = next[team];
    while (at < ranking.size() &&
           std::find(made.items.begin(), made.items.end(), ranking[at]) != made.items.end()) {
      ++at;
    }
    if (at == ranking.size() || made.items.size() >= count) return false;
    made.items.push_back(ranking[at++]);
    made.teams.push_back(static_cast<std::uint8_t>(team));
    return true;
  };
  for (std::uint64_t round = 0; made.items.size() < count; ++round) {
    const std::size_t begins = random.bits(round) & 1;
    const bool one = add(begins);
    const bool other = add(1 - begins);
    if (!one && !other) break;
  }
  return made;
}

InterleavingResult judge(std::int64_t first_wins, std::int64_t second_wins, std::int64_t ties) {
  InterleavingResult result{first_wins, second_wins, ties, 1};
  const auto trials = static_cast<double>(first_wins + second_wins);
  if (trials > 0) {
    const auto less = static_cast<double>(std::min(first_wins, second_wins));
    result.p = std::min(1.0, 2 * statistics::binomial_at_most(less, trials, 0.5));
  }
  return result;
}

}  // namespace tandem::recommend
