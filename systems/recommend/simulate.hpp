// Viewers whose tastes are known, and what they watch: data to train on, and people to ask.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "systems/recommend/catalogue.hpp"

namespace tandem::recommend {

struct SimulationOptions {
  std::int64_t users = 1000;
  std::int64_t items = 500;
  double watched_per_user = 20;  // in the mean
  std::uint64_t seed = 0;
  Time end = Time{1'790'000'000} * 1000;  // of the last event; 2026-09-21
  double days = 90;                       // in which the events lie
};

// A viewer as the simulation knows them, and nobody else.
struct Taste {
  std::vector<float> genres;         // how likely each is to be taken, sums to 1
  std::vector<std::uint8_t> themes;  // of each genre, the theme that is liked
  double novelty = 0;                // share of choices by popularity alone
};

// The world: items of 12 genres, each with 8 themes, and creators who keep to a genre. A theme
// lends its words to titles. Popularity within a theme falls by Zipf's law; items come out over a
// year. A viewer likes one to three genres, and one theme in each, and takes them 7 times as often
// as the others. All of it is a function of the seed and the numbers, so that the same options give
// the same bytes on every machine.
class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options);

  [[nodiscard]] const std::vector<Item>& items() const noexcept { return items_; }
  [[nodiscard]] static const std::vector<std::string>& genres();
  [[nodiscard]] Taste taste(std::int64_t user) const;
  [[nodiscard]] static std::string user_name(std::int64_t user);

  struct Event {
    std::int64_t user = 0;
    std::int64_t item = 0;
    double weight = 0;  // share that was watched, two decimals
    Time time = 0;
  };
  // What the viewer watches, in the order of time; each item once.
  [[nodiscard]] std::vector<Event> history(std::int64_t user) const;
  // The probability that the viewer watches the item when it is shown: from 0.02 for one of no
  // interest to about 0.6 for one of the liked genre and theme that is popular.
  [[nodiscard]] double interest(const Taste& taste, std::int64_t item) const;

  // "user,item,weight,time" of all viewers, in the order of their numbers. `made` is called after
  // each thousand of them.
  void write_events(std::ostream& out, const std::function<void(std::int64_t users)>& made) const;
  // "item,title,genre,creator,time,age,thumbnail_url"
  void write_items(std::ostream& out) const;
  // The same into files, which appear whole or not at all.
  void write_events(const std::string& path,
                    const std::function<void(std::int64_t users)>& made) const;
  void write_items(const std::string& path) const;

 private:
  struct Kind {  // of an item
    std::uint8_t genre = 0;
    std::uint8_t theme = 0;
    float popularity = 0;  // within its theme, the greatest is 1
  };
  // Items of one genre and theme and the sums of their popularity.
  struct Shelf {
    std::vector<std::int64_t> items;
    std::vector<double> sums;
  };
  [[nodiscard]] std::int64_t draw_from(const Shelf& shelf, double place) const;

  SimulationOptions options_;
  std::vector<Item> items_;
  std::vector<Kind> kinds_;
  std::vector<Shelf> shelves_;  // genre · themes + theme
  Shelf all_;
};

}  // namespace tandem::recommend
