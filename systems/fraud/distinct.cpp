#include "systems/fraud/distinct.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace tandem::fraud {
namespace {

// Members are kept for two days more than the longest window: whoever comes back within them is
// still joined in the components of before, or will be in the next ones (network.hpp).
constexpr Second kept_seconds = 32 * 24 * 3600;

// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
std::uint64_t mixed(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

Second older(Second newest) { return newest > kept_seconds ? newest - kept_seconds : 0; }

}  // namespace

void Sketch::add(Id member, Second seen, Second oldest) {
  const std::uint64_t hash = mixed(member);
  Pack<Rank>& ranks = registers_[hash % registers];
  const auto rank = static_cast<std::uint32_t>(std::countl_zero(hash | 1)) + 1;
  // What was seen no earlier with no lower rank says all.
  std::uint32_t kept = 0;
  std::uint32_t place = 0;
  for (const Rank& other : ranks) {
    if (other.seen >= seen && other.rank >= rank) return;
  }
  for (const Rank& other : ranks) {
    if (other.seen <= oldest || (other.seen <= seen && other.rank <= rank)) continue;
    if (other.seen > seen) place = kept + 1;
    ranks[kept++] = other;
  }
  ranks.shrink(kept);
  ranks.insert(place, {seen, rank});
}

void Sketch::count(std::span<const Second> after, std::span<double> counts) const {
  constexpr auto m = static_cast<double>(registers);
  constexpr double alpha = 0.7213 / (1 + 1.079 / m);
  static const std::array<double, 66> powers = [] {
    std::array<double, 66> made{};
    for (int rank = 0; rank < 66; ++rank) {
      made[static_cast<std::size_t>(rank)] = std::ldexp(1.0, -rank);
    }
    return made;
  }();
  struct Seen {
    double sum = 0;
    int empty = 0;
  };
  std::array<Seen, most_windows> windows{};
  // Each register is looked up once for all windows: that is what it costs.
  for (const Pack<Rank>& ranks : registers_) {
    for (std::size_t w = 0; w < after.size(); ++w) {
      std::uint32_t rank = 0;
      for (const Rank& one : ranks) {
        if (one.seen <= after[w]) break;
        rank = one.rank;
      }
      windows[w].sum += powers[rank];
      windows[w].empty += rank == 0 ? 1 : 0;
    }
  }
  for (std::size_t w = 0; w < after.size(); ++w) {
    const double estimate = alpha * m * m / windows[w].sum;
    const int empty = windows[w].empty;
    // For few members, the share of empty registers (linear counting).
    counts[w] = estimate <= 2.5 * m && empty > 0 ? m * std::log(m / empty) : estimate;
  }
}

std::size_t Sketch::heap_bytes() const {
  std::size_t bytes = sizeof(Sketch) + 16;
  for (const auto& ranks : registers_) bytes += ranks.heap_bytes();
  return bytes;
}

bool Sketch::sound() const {
  for (const auto& ranks : registers_) {
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      if (ranks[i].rank == 0 || ranks[i].rank > 65) return false;
      if (i > 0 && (ranks[i].seen > ranks[i - 1].seen || ranks[i].rank <= ranks[i - 1].rank)) {
        return false;
      }
    }
  }
  return true;
}

Second DistinctSet::seen(Id member) const {
  for (const Member& one : members_) {
    if (one.id == member) return one.seen;
  }
  return 0;
}

void DistinctSet::drop_old(Second newest) {
  const Second oldest = older(newest);
  std::uint32_t kept = 0;
  for (const Member& one : members_) {
    if (one.seen > oldest) members_[kept++] = one;
  }
  members_.shrink(kept);
}

bool DistinctSet::see(Id member, Time time, std::int64_t most) {
  const Second now = second_of(time);
  if (sketch_) {
    sketch_->add(member, now, older(now));
    return false;
  }
  for (Member& one : members_) {
    if (one.id != member) continue;
    const bool back = one.seen <= older(now);
    one.seen = std::max(one.seen, now);
    return back;
  }
  // Dropping the old ones at every 16th keeps that cheap.
  if (members_.size() % 16 == 15 || members_.size() >= most) {
    Second newest = now;
    for (const Member& one : members_) newest = std::max(newest, one.seen);
    drop_old(newest);
  }
  if (members_.size() >= most) {
    sketch_ = std::make_unique<Sketch>();
    for (const Member& one : members_) sketch_->add(one.id, one.seen, 0);
    members_.clear();
    sketch_->add(member, now, older(now));
    return true;
  }
  members_.push_back({member, now});
  return true;
}

void DistinctSet::count(std::span<const Second> after, Id with, std::span<double> counts) const {
  if (sketch_) {
    sketch_->count(after, counts);
    for (double& count : counts) count = std::max(count, with != 0 ? 1.0 : 0.0);
    return;
  }
  for (std::size_t w = 0; w < after.size(); ++w) {
    int count = with != 0 ? 1 : 0;
    for (const Member& one : members_) {
      count += static_cast<int>(one.seen > after[w]) & static_cast<int>(one.id != with);
    }
    counts[w] = count;
  }
}

void DistinctSet::remove(Id member) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].id != member) continue;
    members_.erase(i);
    return;
  }
}

std::size_t DistinctSet::heap_bytes() const {
  return members_.heap_bytes() + (sketch_ ? sketch_->heap_bytes() : 0);
}

bool DistinctSet::sound() const { return !sketch_ || (members_.empty() && sketch_->sound()); }

Id place_of(float latitude, float longitude) {
  const auto row = static_cast<Id>(std::floor((static_cast<double>(latitude) + 90) * 10));
  // 180 degrees east are 180 degrees west, and a pole is one place whatever its longitude.
  auto column = static_cast<Id>(std::floor((static_cast<double>(longitude) + 180) * 10)) % 3600;
  if (latitude == 90 || latitude == -90) column = 0;
  return row * 3601 + column + 1;
}

}  // namespace tandem::fraud
