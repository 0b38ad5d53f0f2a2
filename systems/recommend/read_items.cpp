#include <charconv>
#include <cmath>

#include "systems/recommend/catalogue.hpp"
#include "systems/serving/experiments/experiment.hpp"
#include "tandem/core/error.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem::recommend {
namespace {

double number_of(const std::string& text, bool& whole) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  whole = read.ec == std::errc{} && read.ptr == end && std::isfinite(value);
  return value;
}

}  // namespace

std::vector<Item> read_items(const std::string& path) {
  const ItemAttributes table = read_item_attributes(path);
  std::vector<Item> items(table.items.size());
  const auto fail = [&](std::size_t row, const char* column, const std::string& what) {
    throw InputError(path + ": item '" + table.items[row] + "' (row " + std::to_string(row + 1) +
                     "), column " + column + ": " + what);
  };
  const auto column = [&](const char* name) -> const std::vector<std::string>* {
    const Index at = table.attribute(name);
    return at < 0 ? nullptr : &table.values[static_cast<std::size_t>(at)];
  };
  const auto* const titles = column("title");
  const auto* const genres = column("genre");
  const auto* const creators = column("creator");
  const auto* const thumbnails = column("thumbnail_url");
  const auto* const times = column("time");
  const auto* const ages = column("age");
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item& item = items[i];
    item.id = table.items[i];
    if (item.id.size() > 256) fail(i, "item", "is longer than 256 bytes");
    if (titles != nullptr) item.title = (*titles)[i];
    if (genres != nullptr) item.genre = (*genres)[i];
    if (creators != nullptr) item.creator = (*creators)[i];
    if (thumbnails != nullptr) item.thumbnail = (*thumbnails)[i];
    bool whole = false;
    if (times != nullptr && !(*times)[i].empty()) {
      const std::string& text = (*times)[i];
      const double seconds = number_of(text, whole);
      if (whole && seconds >= 0 && seconds < 1e11) {
        item.released = static_cast<Time>(seconds * 1000);
      } else {
        try {
          item.released = experiments::parse_time(text);
        } catch (const InputError&) {
          fail(i, "time", "'" + text + "' is neither a date as 2026-11-30 nor seconds since 1970");
        }
        // A whole number is milliseconds there; of items it would be a date far away.
        if (whole) fail(i, "time", "'" + text + "' seconds lie after the year 5000");
      }
    }
    if (ages != nullptr && !(*ages)[i].empty()) {
      const double age = number_of((*ages)[i], whole);
      if (!whole || age < 0 || age > 120 || age != std::floor(age)) {
        fail(i, "age", "'" + (*ages)[i] + "' is no number of years from 0 to 120");
      }
      item.age = static_cast<int>(age);
    }
  }
  return items;
}

}  // namespace tandem::recommend
