// How alike the items of a list of candidates are to one of them, for all of them at once.
#pragma once

#include <span>
#include <vector>

#include "systems/recommend/catalogue.hpp"

namespace tandem::recommend {

// Candidates by the terms that they have: items that share none are alike by nothing, and are not
// looked at.
class Likeness {
 public:
  Likeness(const Catalogue& catalogue, std::span<const ItemNumber> items);

  // likeness[i] ← max(likeness[i], the cosine of items[i] and items[of]); one number for each item.
  // The numbers are those of Catalogue::similarity().
  void raise(std::size_t of, std::span<float> likeness);

 private:
  struct Posting {
    std::uint32_t item = 0;  // its place in the list
    float weight = 0;
  };
  const Catalogue& catalogue_;
  std::span<const ItemNumber> items_;
  std::vector<std::uint32_t> slots_;  // of each term of each item, in their order
  std::vector<std::size_t> firsts_;   // of each item in slots_
  std::vector<std::size_t> starts_;   // of each slot in postings_
  std::vector<Posting> postings_;
  std::vector<float> sums_;
  std::vector<std::uint32_t> touched_;
};

}  // namespace tandem::recommend
