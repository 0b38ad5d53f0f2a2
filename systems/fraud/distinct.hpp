// How many different members (merchants, places, users, ...) were seen in a window of time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "systems/fraud/pack.hpp"
#include "systems/fraud/window.hpp"

namespace tandem::fraud {

// Names of entities within their kind, and of places: see Entities and place_of().
using Id = std::uint32_t;

// Seconds since 1970, until 2106.
using Second = std::uint32_t;

[[nodiscard]] constexpr Second second_of(Time time) {
  return static_cast<Second>(time < 0 ? 0 : time / second_ms);
}

// Sliding HyperLogLog: Flajolet, Fusy, Gandouet and Meunier, "HyperLogLog", AofA 2007, whose
// registers keep, for any window, what its maximum is (Chabchoub and Hébrail, "Sliding
// HyperLogLog", ICDM Workshops 2010): of each register the ranks that no later one reaches. 1,024
// registers: a standard error of 3.3 %.
class Sketch {
 public:
  static constexpr std::size_t registers = 1024;
  static constexpr std::size_t most_windows = 8;
  void add(Id member, Second seen, Second oldest);
  // Per beginning of a window (at most most_windows), the estimate of members seen after it.
  void count(std::span<const Second> after, std::span<double> counts) const;
  [[nodiscard]] std::size_t heap_bytes() const;

  template <class Archive>
  void visit(Archive& archive) {
    for (auto& ranks : registers_) archive(ranks);
  }
  [[nodiscard]] bool sound() const;

 private:
  struct Rank {
    Second seen;
    std::uint32_t rank;
  };
  // The latest first: ranks rise towards older ones.
  std::array<Pack<Rank>, registers> registers_;
};

// When each member was seen last, for 32 days back from the newest sighting; beyond `most` members
// a sketch, which stays one.
class DistinctSet {
 public:
  struct Member {
    Id id;
    Second seen;
  };

  // 0 where it was not seen, or where a sketch has taken the members' place.
  [[nodiscard]] Second seen(Id member) const;
  // True where the member was not seen in the 32 days before; a sketch does not know, and answers
  // false.
  bool see(Id member, Time time, std::int64_t most);
  // Per beginning of a window: members seen after it. `with` is counted as seen now.
  void count(std::span<const Second> after, Id with, std::span<double> counts) const;
  // The members seen after a moment, while they are known.
  template <class F>
  void each(Second after, F&& f) const {
    for (const Member& member : members_) {
      if (member.seen > after) f(member.id);
    }
  }
  [[nodiscard]] bool exact() const noexcept { return !sketch_; }
  // Members, those of more than 32 days ago among them where they have not been dropped yet; of a
  // sketch 2^32 − 1.
  [[nodiscard]] std::uint32_t size() const noexcept {
    return sketch_ ? 0xFFFFFFFF : members_.size();
  }
  void remove(Id member);
  [[nodiscard]] std::size_t heap_bytes() const;

  template <class Archive>
  void visit(Archive& archive) {
    archive(members_);
    bool has_sketch = sketch_ != nullptr;
    archive(has_sketch);
    if (has_sketch && !sketch_) sketch_ = std::make_unique<Sketch>();
    if (sketch_) sketch_->visit(archive);
  }
  [[nodiscard]] bool sound() const;

 private:
  void drop_old(Second newest);

  Pack<Member> members_;
  std::unique_ptr<Sketch> sketch_;
};

// A square of a tenth of a degree, some 11 km from south to north; never 0.
[[nodiscard]] Id place_of(float latitude, float longitude);

}  // namespace tandem::fraud
