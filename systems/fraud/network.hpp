// Who shares cards, merchants, addresses and devices with whom: connected components of the graph
// of users and identifiers, kept as edges come.
//
// Tarjan, "Efficiency of a Good But Not Linear Set Union Algorithm", JACM 22 (1975). Edges cannot
// be taken out of a union-find, so that components are built anew once a day, of the edges of the
// last 30 days, a few entities with each event: until that is done the ones of before answer. They
// cover 30 to 31 days, and so long a merchant that has become too common goes on joining whom it
// has joined.
//
// A ring. A component with E edges and V users and identifiers has E - V + 1 independent cycles.
// Users of their own, whatever they own, make none; a device that several users share makes none
// either; two users who share two identifiers make one. From ring_users users and ring_cycles
// cycles on a component is called a ring.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "systems/fraud/entities.hpp"

namespace tandem::fraud {

inline constexpr std::uint32_t ring_users = 3;
inline constexpr std::uint32_t ring_cycles = 2;

// What is known of a component.
struct Component {
  std::uint32_t users = 0;
  std::uint32_t shared = 0;  // identifiers that two or more of its users have
  std::uint32_t cycles = 0;
  std::uint32_t frauds = 0;  // of its users, that came to be known
  Second first = 0;          // the first sighting of its oldest user
  // Users by the day of their first sighting: young[i] on the day `day - i`.
  std::uint32_t day = 0;
  std::array<std::uint32_t, 8> young{};

  void add_user(Second first_seen);
  void add(const Component& other);
  // Users first seen in the seven days before, whole days of UTC, today's among them.
  [[nodiscard]] std::uint32_t new_users(Time time) const;
  [[nodiscard]] bool ring() const { return users >= ring_users && cycles >= ring_cycles; }
};

class Network {
 public:
  struct Node {
    Kind kind;
    Id id;
  };

  // An edge that is not there yet. `second`: the identifier has one other user.
  void join(Id user, Second user_first_seen, Node identifier, bool second);
  void add_fraud(Id user, Second user_first_seen);
  void take_back_fraud(Id user);
  void remove_user(Id user);

  // The component of a node, or null where nothing joins it; root() tells components apart.
  [[nodiscard]] const Component* find(Node node) const;
  [[nodiscard]] std::uint32_t root(Node node) const;

  [[nodiscard]] std::size_t bytes() const;
  void clear() { *this = Network(); }

  template <class Archive>
  void visit(Archive& archive);
  [[nodiscard]] bool sound() const;

 private:
  [[nodiscard]] static std::uint32_t number(Node node) {
    return node.id * static_cast<std::uint32_t>(kinds) + static_cast<std::uint32_t>(node.kind);
  }
  void reserve(std::uint32_t number);
  std::uint32_t find_and_shorten(std::uint32_t number);
  Component& of_user(Id user, Second first_seen);

  std::vector<std::uint32_t> parents_;  // a node without one has its own number
  std::vector<std::uint8_t> ranks_;
  std::unordered_map<std::uint32_t, Component> components_;  // by root
};

}  // namespace tandem::fraud
