#include "systems/recommend/likeness.hpp"

#include <algorithm>
#include <numeric>

namespace tandem::recommend {
namespace {

// The slot of each term of a catalogue, 0: none yet. All but empty between two uses.
std::vector<std::uint32_t>& slot_table() {
  thread_local std::vector<std::uint32_t> table;
  return table;
}

}  // namespace

Likeness::Likeness(const Catalogue& catalogue, std::span<const ItemNumber> items)
    : catalogue_(catalogue), items_(items), sums_(items.size(), 0.0F) {
  std::vector<std::uint32_t>& table = slot_table();
  if (table.size() < catalogue.term_count()) table.resize(catalogue.term_count(), 0);
  std::uint32_t slots = 0;
  firsts_.reserve(items.size() + 1);
  starts_.assign(1, 0);
  for (const ItemNumber item : items) {
    firsts_.push_back(slots_.size());
    for (const Term& term : catalogue.terms(item)) {
      std::uint32_t& slot = table[term.number];
      if (slot == 0) {
        slot = ++slots;
        starts_.push_back(0);
      }
      slots_.push_back(slot - 1);
      ++starts_[slot];
    }
  }
  firsts_.push_back(slots_.size());
  std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
  postings_.resize(slots_.size());
  std::vector<std::size_t> next(starts_.begin(), starts_.end() - 1);
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::size_t at = firsts_[i];
    for (const Term& term : catalogue.terms(items[i])) {
      postings_[next[slots_[at++]]++] = {static_cast<std::uint32_t>(i), term.weight};
      table[term.number] = 0;
    }
  }
}

void Likeness::raise(std::size_t of, std::span<float> likeness) {
  // Terms by ascending number, so that each sum is added up as Catalogue::similarity() does it.
  std::size_t at = firsts_[of];
  for (const Term& term : catalogue_.terms(items_[of])) {
    const std::uint32_t slot = slots_[at++];
    for (std::size_t k = starts_[slot]; k < starts_[slot + 1]; ++k) {
      const Posting& posting = postings_[k];
      if (!(sums_[posting.item] > 0)) touched_.push_back(posting.item);
      sums_[posting.item] += term.weight * posting.weight;
    }
  }
  for (const std::uint32_t item : touched_) {
    likeness[item] = std::max(likeness[item], std::min(sums_[item], 1.0F));
    sums_[item] = 0;
  }
  touched_.clear();
}

}  // namespace tandem::recommend
