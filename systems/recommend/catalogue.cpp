#include "systems/recommend/catalogue.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>

#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

// Numbers of texts in the order of their first coming; the empty one is 0.
class Numbering {
 public:
  std::uint32_t of(std::string_view text) {
    if (text.empty()) return 0;
    if (const auto found = numbers_.find(text); found != numbers_.end()) return found->second;
    const auto number = static_cast<std::uint32_t>(numbers_.size() + 1);
    numbers_.emplace(std::string(text), number);
    return number;
  }
  [[nodiscard]] std::uint32_t count() const {
    return static_cast<std::uint32_t>(numbers_.size() + 1);
  }

 private:
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> numbers_;
};

// Words of letters and digits in lower case; every byte beyond ASCII counts as a letter.
template <class Use>
void for_each_word(std::string_view title, Use&& use) {
  std::string word;
  for (std::size_t i = 0; i <= title.size(); ++i) {
    const auto c = i < title.size() ? static_cast<unsigned char>(title[i]) : ' ';
    if (c >= 0x80 || std::isalnum(c) != 0) {
      word += static_cast<char>(std::tolower(c));
    } else if (!word.empty()) {
      use(word);
      word.clear();
    }
  }
}

}  // namespace

Catalogue::Catalogue(std::vector<Item> items, const Catalogue* before) {
  if (before != nullptr) {
    items_ = before->items_;
    numbers_ = before->numbers_;
    for (Item& item : items_) item.listed = false;
  }
  for (Item& item : items) {
    if (item.id.empty()) throw InputError("an item has no id");
    const auto [at, added] = numbers_.try_emplace(item.id, static_cast<ItemNumber>(items_.size()));
    if (added) {
      if (items_.size() >= no_item) throw InputError("more items than a catalogue can number");
      items_.push_back(std::move(item));
    } else {
      Item& known = items_[at->second];
      if (known.listed) throw InputError("the item '" + item.id + "' stands twice");
      known = std::move(item);
      known.listed = true;
    }
  }
  Numbering genres;
  Numbering creators;
  for (const Item& item : items_) {
    genres_.push_back(genres.of(item.genre));
    if (genres_.back() != 0) genre_numbers_.try_emplace(item.genre, genres_.back());
    creators_.push_back(creators.of(item.creator));
  }
  make_terms();
}

ItemNumber Catalogue::find(std::string_view id) const {
  const auto found = numbers_.find(id);
  return found == numbers_.end() ? no_item : found->second;
}

std::uint32_t Catalogue::find_genre(std::string_view name) const {
  const auto found = genre_numbers_.find(name);
  return found == genre_numbers_.end() ? 0 : found->second;
}

void Catalogue::make_terms() {
  // Kinds of terms are kept apart by a first character that no word has.
  Numbering names;
  std::vector<std::vector<std::uint32_t>> of_item(items_.size());
  std::vector<std::uint32_t> documents;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    auto& list = of_item[i];
    const auto add = [&](const std::string& name) { list.push_back(names.of(name) - 1); };
    if (!items_[i].genre.empty()) {
      add("\1" + items_[i].genre);
      if (genre_terms_.size() <= genres_[i]) genre_terms_.resize(std::size_t{genres_[i]} + 1);
      genre_terms_[genres_[i]] = list.back();
      list.push_back(list.back());
    }
    if (!items_[i].creator.empty()) add("\2" + items_[i].creator);
    for_each_word(items_[i].title, add);
    std::sort(list.begin(), list.end());
    documents.resize(names.count() - 1);
    for (std::size_t k = 0; k < list.size(); ++k) {
      if (k == 0 || list[k] != list[k - 1]) ++documents[list[k]];
    }
  }
  term_count_ = names.count() - 1;
  term_starts_.push_back(0);
  const auto n = static_cast<double>(items_.size());
  for (const auto& list : of_item) {
    const std::size_t first = terms_.size();
    double squares = 0;
    for (std::size_t k = 0; k < list.size();) {
      std::size_t end = k;
      while (end < list.size() && list[end] == list[k]) ++end;
      const double idf = std::log((1 + n) / (1 + static_cast<double>(documents[list[k]]))) + 1;
      const double weight = static_cast<double>(end - k) * idf;
      squares += weight * weight;
      terms_.push_back({list[k], static_cast<float>(weight)});
      k = end;
    }
    const double length = std::sqrt(squares);
    for (std::size_t k = first; k < terms_.size(); ++k) {
      terms_[k].weight = static_cast<float>(static_cast<double>(terms_[k].weight) / length);
    }
    term_starts_.push_back(terms_.size());
  }
  // The latest first, so that the head of a list is what a new viewer of the term is shown.
  std::vector<ItemNumber> order(items_.size());
  std::iota(order.begin(), order.end(), ItemNumber{0});
  std::stable_sort(order.begin(), order.end(), [&](ItemNumber a, ItemNumber b) {
    return items_[a].released > items_[b].released;
  });
  posting_starts_.assign(std::size_t{term_count_} + 1, 0);
  for (const Term& term : terms_) ++posting_starts_[term.number + 1];
  std::partial_sum(posting_starts_.begin(), posting_starts_.end(), posting_starts_.begin());
  postings_.resize(terms_.size());
  std::vector<std::size_t> next(posting_starts_.begin(), posting_starts_.end());
  for (const ItemNumber number : order) {
    for (const Term& term : terms(number)) postings_[next[term.number]++] = number;
  }
}

float Catalogue::similarity(ItemNumber a, ItemNumber b) const {
  const auto x = terms(a);
  const auto y = terms(b);
  float sum = 0;
  for (std::size_t i = 0, j = 0; i < x.size() && j < y.size();) {
    if (x[i].number == y[j].number) {
      sum += x[i++].weight * y[j++].weight;
    } else if (x[i].number < y[j].number) {
      ++i;
    } else {
      ++j;
    }
  }
  return std::min(sum, 1.0F);
}

}  // namespace tandem::recommend
