// What is remembered of each user, card, merchant, address and device.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "systems/fraud/distinct.hpp"
#include "systems/fraud/event.hpp"
#include "systems/fraud/window.hpp"

namespace tandem::fraud {

// The order of the kinds is that of snapshots and of the feature table.
enum class Kind : std::uint8_t { user, card, merchant, ip, device };
inline constexpr std::size_t kinds = 5;

// Frauds that came to be known, by the hour.
struct FraudHour {
  Second hour;  // its beginning
  std::uint32_t count;
};

// Of all that was seen since the first sighting (Welford, Technometrics 4, 1962).
struct Amounts {
  double mean = 0;
  double squares = 0;  // sum of squared differences from the mean
  double greatest = 0;

  void add(double amount, std::uint32_t count) {
    const double difference = amount - mean;
    mean += difference / count;
    squares += difference * (amount - mean);
    greatest = amount > greatest ? amount : greatest;
  }
  template <class Archive>
  void visit(Archive& archive) {
    archive(mean, squares, greatest);
  }
};

struct Entity {
  Key key = 0;  // 0: nobody has this place
  Time first_seen = 0;
  std::uint32_t events = 0;
  Window window;
  DistinctSet merchants;  // but of merchants
  DistinctSet places;
  Pack<FraudHour> frauds;

  [[nodiscard]] Time last_seen() const noexcept { return window.newest(); }
  void add_fraud(Time known_at);
  // Undoes it; false where it counts no more anyway.
  bool take_back_fraud(Time known_at);
  // Known in (time − 30 days, time].
  [[nodiscard]] std::uint32_t frauds_known(Time time) const;
  [[nodiscard]] std::size_t heap_bytes() const {
    return window.heap_bytes() + merchants.heap_bytes() + places.heap_bytes() + frauds.heap_bytes();
  }
  template <class Archive>
  void visit(Archive& archive) {
    archive(key, first_seen, events, window, merchants, places, frauds);
  }
  [[nodiscard]] bool sound() const {
    return window.sound() && merchants.sound() && places.sound() && first_seen >= 0;
  }
};

struct User : Entity {
  DistinctSet cards;
  DistinctSet ips;
  DistinctSet devices;
  Amounts amounts;
  // Of the latest transaction with a location.
  Time located_at = 0;
  float latitude = 0;
  float longitude = 0;
  // The mean of all locations, each step by step; by this the user has a home.
  float home_latitude = 0;
  float home_longitude = 0;
  std::uint32_t located = 0;
  std::array<std::uint16_t, 8> hours{};  // transactions by three hours of the local day
  std::array<std::uint16_t, 4> types{};

  [[nodiscard]] std::size_t heap_bytes() const {
    return Entity::heap_bytes() + cards.heap_bytes() + ips.heap_bytes() + devices.heap_bytes();
  }
  template <class Archive>
  void visit(Archive& archive) {
    Entity::visit(archive);
    archive(cards, ips, devices, amounts, located_at, latitude, longitude, home_latitude,
            home_longitude, located, hours, types);
  }
  [[nodiscard]] bool sound() const {
    return Entity::sound() && cards.sound() && ips.sound() && devices.sound();
  }
};

// A card, merchant, address or device.
struct Shared : Entity {
  DistinctSet users;
  Amounts amounts;  // of merchants

  [[nodiscard]] std::size_t heap_bytes() const { return Entity::heap_bytes() + users.heap_bytes(); }
  template <class Archive>
  void visit(Archive& archive) {
    Entity::visit(archive);
    archive(users, amounts);
  }
  [[nodiscard]] bool sound() const { return Entity::sound() && users.sound(); }
};

// Entities of one kind by key and by number. Numbers begin with 1 and stay; one is given to another
// entity 62 days after its last owner was seen last, when no window and no component knows it any
// more. Nothing is ever moved as a whole: adding one takes microseconds at most.
template <class E>
class Table {
 public:
  // 0 where there is none.
  [[nodiscard]] Id find(Key key) const;
  // `newest`: of all events, by which numbers are given anew.
  Id add(Key key, Time newest);
  void remove(Id id);

  [[nodiscard]] E& operator[](Id id) { return (*chunks_[id / chunk])[id % chunk]; }
  [[nodiscard]] const E& operator[](Id id) const { return (*chunks_[id / chunk])[id % chunk]; }
  // One more than the greatest number.
  [[nodiscard]] Id end() const noexcept { return end_; }
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  // All of it: tables, index, and what entities hold.
  [[nodiscard]] std::size_t bytes() const;

  template <class Archive>
  void visit(Archive& archive);
  [[nodiscard]] bool sound() const;

 private:
  static constexpr Id chunk = 1024;
  static constexpr std::size_t shards = 256;
  using Chunk = std::array<E, chunk>;

  struct Free {
    Id id;
    Time last_seen;
  };
  // Open addressing with linear probing, for each shard of the keys.
  struct Shard {
    std::vector<Id> slots;  // a power of two, or none; 0: free
    std::size_t used = 0;
  };

  void index(Id id);
  void unindex(Id id);

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::array<Shard, shards> index_;
  std::deque<Free> free_;
  Id end_ = 1;
  std::int64_t size_ = 0;
};

extern template class Table<User>;
extern template class Table<Shared>;

}  // namespace tandem::fraud
