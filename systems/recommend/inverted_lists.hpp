// The items of greatest inner product with a vector, without looking at all of them: vectors are
// kept in lists by the nearest of some centres of directions, and only the lists whose centres
// answer best are looked at, the longest vectors first and no further than their lengths can bring
// something better (Jégou, Douze and Schmid, "Product Quantization for Nearest Neighbor Search",
// PAMI 33, 2011, section 4). Lists hold a byte per number of a vector; what is best by these is
// looked at again in full.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "systems/recommend/coded_rows.hpp"
#include "systems/recommend/trending.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem::recommend {

using SteadyTime = std::chrono::steady_clock::time_point;

struct ListsOptions {
  // 0: about 2·sqrt(vectors).
  std::int64_t lists = 0;
  double recall = 0.97;         // of the 100 best, that the number of lists is chosen for
  std::int64_t iterations = 8;  // of k-means
  std::uint64_t seed = 0;
  int threads = 0;
};

// Does not change once it is calibrated; several threads may search at once.
class InvertedLists {
 public:
  // vectors: a row per item, whose number is the row's; they must outlive the lists. The centres
  // are k-means ones of a sample.
  InvertedLists(const PaddedRows& vectors, const ListsOptions& options);

  // Chooses how many lists are looked at: the least number with which the mean share of the 100
  // best that is found, over the queries (rows), is `options.recall`; all lists where none is
  // enough.
  void calibrate(const PaddedRows& queries);

  // Up to `count` items with their inner products, the best first; ties to the lowest number. False
  // where `deadline` came before all lists were looked at: the items are the best of those that
  // were. query: as many numbers as a vector, and zeros up to the vectors' stride.
  bool search(std::span<const float> query, std::size_t count, SteadyTime deadline,
              std::vector<Scored>& best) const;
  // The exact answer, by a look at every vector.
  void search_all(std::span<const float> query, std::size_t count, std::vector<Scored>& best) const;

  [[nodiscard]] std::size_t lists() const noexcept { return starts_.size() - 1; }
  [[nodiscard]] std::size_t looked_at() const noexcept { return looked_at_; }
  // Mean share of the 100 best that search() finds, over the queries of calibrate(); 1 before.
  [[nodiscard]] double recall() const noexcept { return recall_; }
  // Share of the vectors that a search looks at, over the same queries.
  [[nodiscard]] double share() const noexcept { return share_; }
  // Processor time of the 100 best by search() and by search_all(), over the same queries, in
  // microseconds; 0 before.
  [[nodiscard]] double search_us() const noexcept { return search_us_; }
  [[nodiscard]] double exact_us() const noexcept { return exact_us_; }
  // Beside the vectors themselves.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return centres_.bytes() + codes_.bytes() + lengths_.size() * sizeof(float) +
           items_.size() * sizeof(ItemNumber);
  }

 private:
  bool search_lists(std::span<const float> query, std::size_t count, std::size_t lists,
                    SteadyTime deadline, std::vector<Scored>& best, std::size_t& seen) const;

  const PaddedRows& vectors_;
  PaddedRows centres_;
  CodedRows codes_;  // of the vectors, list by list
  std::vector<ItemNumber> items_;
  std::vector<float> lengths_;       // of the vectors, descending within a list
  std::vector<std::size_t> starts_;  // of each list, and where the last one's room ends
  std::vector<std::size_t> ends_;    // of each list; up to the next one's start there is nothing
  std::size_t looked_at_ = 0;
  double wanted_ = 0;
  double recall_ = 1;
  double share_ = 1;
  double search_us_ = 0;
  double exact_us_ = 0;
};

}  // namespace tandem::recommend
