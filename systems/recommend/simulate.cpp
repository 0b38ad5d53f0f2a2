#include "systems/recommend/simulate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ostream>

#include "core/file.hpp"
#include "core/random.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::recommend {
namespace {

constexpr std::size_t themes = 8;  // of a genre
constexpr double favourite = 7;    // times as often as another
constexpr Time day = 86'400'000;
constexpr double item_days = 365;  // in which items come out

enum Stream : std::uint32_t { of_items = 1, of_users = 2, of_events = 3 };

// Of each theme, in every genre: an adjective and a noun that its titles take.
constexpr std::array<std::array<const char*, 4>, themes> theme_words{{
    {"harbour", "tide", "island", "lighthouse"},
    {"forest", "valley", "winter", "wolf"},
    {"city", "street", "neon", "night"},
    {"kitchen", "garden", "summer", "neighbours"},
    {"orbit", "signal", "comet", "station"},
    {"crown", "castle", "dynasty", "sword"},
    {"band", "stage", "melody", "tour"},
    {"case", "witness", "verdict", "secret"},
}};
constexpr std::array<const char*, 16> adjectives{
    "silent", "golden", "broken", "hidden", "last",  "first",    "long",  "bright",
    "lost",   "quiet",  "wild",   "second", "small", "northern", "empty", "open"};
constexpr std::array<const char*, 16> given_names{"Ada",  "Bo",   "Chidi", "Dana", "Emre", "Freja",
                                                  "Gita", "Hugo", "Ines",  "Jun",  "Kofi", "Lena",
                                                  "Mina", "Noor", "Olav",  "Pia"};
constexpr std::array<const char*, 16> family_names{
    "Aalto", "Berg",   "Costa",    "Diaz", "Eriksen", "Fofana",   "Garcia", "Haddad",
    "Ito",   "Jansen", "Kowalski", "Lund", "Moreau",  "Nakamura", "Okafor", "Petrov"};

std::string capital(std::string word) {
  word[0] = static_cast<char>(word[0] - 'a' + 'A');
  return word;
}

// Random numbers of one item or user, one after the other.
class Draws {
 public:
  Draws(std::uint64_t seed, Stream stream, std::int64_t number)
      : random_(seed ^ static_cast<std::uint64_t>(number + 1) * 0x9E3779B97F4A7C15ULL,
                Purpose::generated_value, stream) {}
  double uniform() { return random_.uniform<double>(next_++); }
  std::size_t below(std::size_t count) {
    return static_cast<std::size_t>(random_.below(static_cast<Index>(count), next_++));
  }

 private:
  Random random_;
  std::uint64_t next_ = 0;
};

}  // namespace

const std::vector<std::string>& Simulation::genres() {
  static const std::vector<std::string> names{
      "drama",     "comedy", "thriller", "documentary", "science fiction", "romance",
      "animation", "music",  "history",  "sport",       "family",          "horror"};
  return names;
}

std::string Simulation::user_name(std::int64_t user) { return "u" + std::to_string(user + 1); }

Simulation::Simulation(const SimulationOptions& options) : options_(options) {
  if (options.users < 1 || options.items < 1) {
    throw InputError("a simulation needs at least one user and one item");
  }
  const std::size_t genre_count = genres().size();
  shelves_.resize(genre_count * themes);
  for (std::int64_t i = 0; i < options.items; ++i) {
    Draws draws(options.seed, of_items, i);
    Kind kind;
    kind.genre = static_cast<std::uint8_t>(draws.below(genre_count));
    kind.theme = static_cast<std::uint8_t>(draws.below(themes));
    Item item;
    item.id = "i" + std::to_string(i + 1);
    item.genre = genres()[kind.genre];
    const auto& words = theme_words[kind.theme];
    const std::size_t noun = draws.below(words.size());
    item.title =
        "The " + capital(adjectives[draws.below(adjectives.size())]) + " " + capital(words[noun]);
    if (draws.uniform() < 0.5) {
      item.title += std::string(" and the ") + capital(words[(noun + 1 + draws.below(3)) % 4]);
    }
    if (draws.uniform() < 0.3) item.title += " " + std::to_string(2 + draws.below(8));
    // Creators of a genre: about one for every eight of its items.
    const std::size_t creators = static_cast<std::size_t>(options.items) / genre_count / 8 + 1;
    const std::size_t creator = draws.below(creators) * genre_count + kind.genre;
    item.creator = std::string(given_names[creator % 16]) + " " + family_names[creator / 16 % 16];
    if (creator >= 256) item.creator += " " + std::to_string(creator / 256 + 1);
    const double age = draws.uniform() * item_days;
    item.released = options.end - static_cast<Time>(age * static_cast<double>(day));
    item.released -= item.released % 1000;
    const double rating = draws.uniform();
    if (item.genre == "horror" || item.genre == "thriller") {
      item.age = rating < 0.3 ? 18 : rating < 0.8 ? 16 : 12;
    } else if (rating < 0.15) {
      item.age = 12;
    }
    Shelf& shelf = shelves_[kind.genre * themes + kind.theme];
    kind.popularity =
        static_cast<float>(1 / math::sqrt(static_cast<double>(shelf.items.size() + 1)));
    for (Shelf* const of : {&shelf, &all_}) {
      of->items.push_back(i);
      of->sums.push_back((of->sums.empty() ? 0 : of->sums.back()) +
                         static_cast<double>(kind.popularity));
    }
    kinds_.push_back(kind);
    items_.push_back(std::move(item));
  }
}

Taste Simulation::taste(std::int64_t user) const {
  Draws draws(options_.seed, of_users, user);
  Taste taste;
  const std::size_t count = genres().size();
  taste.genres.assign(count, 1.0F);
  const std::size_t liked = 1 + draws.below(3);
  for (std::size_t k = 0; k < liked; ++k) {
    taste.genres[draws.below(count)] =
        static_cast<float>(favourite * static_cast<double>(count) / 2);
  }
  float sum = 0;
  for (const float one : taste.genres) sum += one;
  for (float& one : taste.genres) one /= sum;
  for (std::size_t g = 0; g < count; ++g) {
    taste.themes.push_back(static_cast<std::uint8_t>(draws.below(themes)));
  }
  taste.novelty = 0.05 + 0.2 * draws.uniform();
  return taste;
}

std::int64_t Simulation::draw_from(const Shelf& shelf, double place) const {
  const double at = place * shelf.sums.back();
  const auto found = std::upper_bound(shelf.sums.begin(), shelf.sums.end(), at);
  const std::size_t index = std::min<std::size_t>(
      static_cast<std::size_t>(found - shelf.sums.begin()), shelf.items.size() - 1);
  return shelf.items[index];
}

std::vector<Simulation::Event> Simulation::history(std::int64_t user) const {
  const Taste of = taste(user);
  Draws draws(options_.seed, of_events, user);
  // An exponential number of events, at least one: most watch little, some very much.
  const double wanted = -math::log(1 - draws.uniform()) * options_.watched_per_user;
  const auto count = static_cast<std::size_t>(std::clamp(
      wanted, 1.0,
      std::min(20.0 * options_.watched_per_user, static_cast<double>(options_.items) / 2 + 1)));
  std::vector<Event> events;
  std::vector<std::int64_t> taken;
  const auto span = options_.days * static_cast<double>(day);
  for (std::size_t tries = 0; events.size() < count && tries < 4 * count + 8; ++tries) {
    std::int64_t item = 0;
    if (draws.uniform() < of.novelty) {
      item = draw_from(all_, draws.uniform());
    } else {
      double place = draws.uniform();
      std::size_t genre = 0;
      while (genre + 1 < of.genres.size() && place >= static_cast<double>(of.genres[genre])) {
        place -= static_cast<double>(of.genres[genre++]);
      }
      const bool liked = draws.uniform() < favourite / (favourite + themes - 1);
      const std::size_t theme = liked ? of.themes[genre] : draws.below(themes);
      const Shelf& shelf = shelves_[genre * themes + theme];
      item = shelf.items.empty() ? draw_from(all_, draws.uniform())
                                 : draw_from(shelf, draws.uniform());
    }
    const auto at = std::lower_bound(taken.begin(), taken.end(), item);
    if (at != taken.end() && *at == item) continue;
    taken.insert(at, item);
    Event event;
    event.user = user;
    event.item = item;
    const double interest_of = interest(of, item);
    const double watched = std::min(1.0, 0.1 + interest_of + 0.4 * draws.uniform());
    event.weight = std::floor(watched * 100 + 0.5) / 100;
    const double back = draws.uniform() * span;
    event.time = options_.end - static_cast<Time>(back);
    // Nobody watches what is not out; what comes out later is watched in its first day.
    const Time released = items_[static_cast<std::size_t>(item)].released;
    if (event.time < released) {
      event.time = std::min(
          options_.end, released + static_cast<Time>(draws.uniform() * static_cast<double>(day)));
    }
    event.time -= event.time % 1000;
    events.push_back(event);
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.time < b.time; });
  return events;
}

double Simulation::interest(const Taste& taste, std::int64_t item) const {
  const Kind& kind = kinds_[static_cast<std::size_t>(item)];
  float most = 0;
  for (const float one : taste.genres) most = std::max(most, one);
  const double of_genre = static_cast<double>(taste.genres[kind.genre] / most);
  const double of_theme = taste.themes[kind.genre] == kind.theme ? 1.0 : 0.25;
  return 0.02 + of_genre * of_theme * (0.4 + 0.18 * static_cast<double>(kind.popularity));
}

void Simulation::write_events(std::ostream& out,
                              const std::function<void(std::int64_t users)>& made) const {
  std::string text = "user,item,weight,time\n";
  for (std::int64_t user = 0; user < options_.users; ++user) {
    for (const Event& event : history(user)) {
      text += user_name(user);
      text += ',';
      text += items_[static_cast<std::size_t>(event.item)].id;
      text += ',';
      append_shortest(text, event.weight);
      text += ',';
      append_shortest(text, event.time / 1000);
      text += '\n';
    }
    if ((user + 1) % 1000 == 0 || user + 1 == options_.users) {
      out.write(text.data(), static_cast<std::streamsize>(text.size()));
      text.clear();
      made(user + 1);
    }
  }
}

void Simulation::write_items(std::ostream& out) const {
  std::string text = "item,title,genre,creator,time,age,thumbnail_url\n";
  for (const Item& item : items_) {
    text += item.id + ',' + item.title + ',' + item.genre + ',' + item.creator + ',';
    append_shortest(text, item.released / 1000);
    text += ',';
    append_shortest(text, item.age);
    text += ",\n";
  }
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
}

void Simulation::write_events(const std::string& path,
                              const std::function<void(std::int64_t users)>& made) const {
  write_file(path, [&](std::ostream& out) { write_events(out, made); });
}

void Simulation::write_items(const std::string& path) const {
  write_file(path, [&](std::ostream& out) { write_items(out); });
}

}  // namespace tandem::recommend
