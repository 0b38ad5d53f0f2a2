// What can be recommended: items with what is known of them, and how alike two of them are by it.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tandem::recommend {

// Milliseconds since 1970-01-01T00:00:00Z.
using Time = std::int64_t;
// The number of an item within a service. It stays for as long as the service runs: catalogues that
// are read later have the items of earlier ones at the same numbers.
using ItemNumber = std::uint32_t;
inline constexpr ItemNumber no_item = std::numeric_limits<ItemNumber>::max();

struct Item {
  std::string id;
  std::string title;      // empty: not known, and the id stands for it
  std::string genre;      // empty: not known
  std::string creator;    // empty: not known
  std::string thumbnail;  // a URL; empty: not known
  Time released = 0;      // 0: not known
  int age = 0;            // years that a viewer must have; 0: everybody
  bool listed = true;     // false: an earlier catalogue had it and the latest does not
};

// One attribute of an item: its genre, its creator or a word of its title.
struct Term {
  std::uint32_t number = 0;
  float weight = 0;
};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

// Does not change once it is made, so that several threads may use one.
class Catalogue {
 public:
  // `before`, where given, is the catalogue that this one takes the place of. Throws InputError for
  // an id that is empty or stands twice.
  explicit Catalogue(std::vector<Item> items, const Catalogue* before = nullptr);

  [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
  [[nodiscard]] const Item& item(ItemNumber number) const { return items_[number]; }
  [[nodiscard]] std::string_view name(ItemNumber number) const {
    const Item& one = items_[number];
    return one.title.empty() ? one.id : one.title;
  }
  // no_item where there is none of this id.
  [[nodiscard]] ItemNumber find(std::string_view id) const;
  // Equal numbers for equal texts; 0 for items whose genre or creator is not known.
  [[nodiscard]] std::uint32_t genre(ItemNumber number) const { return genres_[number]; }
  [[nodiscard]] std::uint32_t creator(ItemNumber number) const { return creators_[number]; }
  // The genre of this name; 0 where no item has it.
  [[nodiscard]] std::uint32_t find_genre(std::string_view name) const;
  // The items of a genre (not 0), the latest released first.
  [[nodiscard]] std::span<const ItemNumber> items_of_genre(std::uint32_t genre) const {
    return items_with(genre_terms_[genre]);
  }

  // The item's terms by ascending number: tf-idf with smooth idf ln((1 + n) / (1 + df)) + 1, a
  // genre counted twice, scaled to length 1 (Manning, Raghavan and Schütze, Introduction to
  // Information Retrieval, 2008, chapter 6). None where nothing is known.
  [[nodiscard]] std::span<const Term> terms(ItemNumber number) const {
    return {terms_.data() + term_starts_[number], term_starts_[number + 1] - term_starts_[number]};
  }
  [[nodiscard]] std::uint32_t term_count() const noexcept { return term_count_; }
  // The items that have a term, the latest released first.
  [[nodiscard]] std::span<const ItemNumber> items_with(std::uint32_t term) const {
    return {postings_.data() + posting_starts_[term],
            posting_starts_[term + 1] - posting_starts_[term]};
  }
  // The cosine of two items' terms, in [0, 1].
  [[nodiscard]] float similarity(ItemNumber a, ItemNumber b) const;

 private:
  void make_terms();

  std::vector<Item> items_;
  std::unordered_map<std::string, ItemNumber, TextHash, std::equal_to<>> numbers_;
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> genre_numbers_;
  std::vector<std::uint32_t> genre_terms_;  // of each genre, the term that its items have
  std::vector<std::uint32_t> genres_;
  std::vector<std::uint32_t> creators_;
  std::vector<Term> terms_;
  std::vector<std::size_t> term_starts_;
  std::vector<ItemNumber> postings_;
  std::vector<std::size_t> posting_starts_;
  std::uint32_t term_count_ = 0;
};

// Reads a table of items with the columns item (or content_id, item_id, id) and, where they are
// there, title, genre, creator, time (of release: a date, or seconds since 1970), age and
// thumbnail_url. Throws InputError that names file, row and column.
[[nodiscard]] std::vector<Item> read_items(const std::string& path);

}  // namespace tandem::recommend
