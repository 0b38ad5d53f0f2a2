#include "systems/recommend/state.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <istream>
#include <ostream>

#include "systems/recommend/record.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

constexpr std::string_view magic = "tandem recommend state 1\n";
constexpr std::size_t write_at = 1 << 16;  // bytes that are collected before they are written

// The same on every machine and in every run: FNV-1a with 64 bits.
std::uint64_t key_of(const Event& event) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto take = [&](std::string_view text) {
    for (const char c : text) {
      hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    hash = (hash ^ 0xFFU) * 0x100000001b3ULL;
  };
  take(event.user);
  take(event.id);
  return hash;
}

class Input {
 public:
  explicit Input(std::istream& in) : in_(in) {}
  std::uint64_t number(int count) {
    char bytes[8];
    read(bytes, static_cast<std::size_t>(count));
    std::uint64_t value = 0;
    for (int i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }
  std::string text() {
    const auto length = static_cast<std::size_t>(number(2));
    if (length > longest_name) throw InputError("a snapshot has a name that is too long");
    std::string text(length, '\0');
    read(text.data(), length);
    return text;
  }
  void expect(std::string_view text) {
    std::string found(text.size(), '\0');
    read(found.data(), found.size());
    if (found != text) throw InputError("is no snapshot of recommendations, or of a later format");
  }
  // A count that the rest of the file must be able to hold is not known; what is allocated grows
  // with what is read.
  std::uint64_t count(std::uint64_t most) {
    const std::uint64_t value = number(8);
    if (value > most) throw InputError("a snapshot has a count out of range");
    return value;
  }
  void end() {
    if (in_.peek() != std::istream::traits_type::eof()) {
      throw InputError("a snapshot has bytes behind it");
    }
  }

 private:
  void read(char* to, std::size_t bytes) {
    in_.read(to, static_cast<std::streamsize>(bytes));
    if (static_cast<std::size_t>(in_.gcount()) != bytes) {
      throw InputError("a snapshot ends too early");
    }
  }
  std::istream& in_;
};

}  // namespace

bool KnownEvents::add(std::uint64_t key) {
  const std::scoped_lock lock(mutex_);
  if (!keys_.insert(key).second) return false;
  order_.push_back(key);
  if (order_.size() > most) {
    keys_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

std::vector<std::uint64_t> KnownEvents::list() const {
  const std::scoped_lock lock(mutex_);
  return {order_.begin(), order_.end()};
}

void Tallies::add_shown(ItemNumber item) {
  const std::scoped_lock lock(mutex_);
  tallies_[item].shown += 1;
}

void Tallies::add_click(ItemNumber item) {
  const std::scoped_lock lock(mutex_);
  tallies_[item].clicks += 1;
}

Tally Tallies::of(ItemNumber item) const {
  const std::scoped_lock lock(mutex_);
  const auto found = tallies_.find(item);
  return found == tallies_.end() ? Tally{} : found->second;
}

bool State::apply(const Event& event, const Catalogue& catalogue) {
  if (event.kind == EventKind::forget) {
    viewers.forget(event.user);
    return true;
  }
  const ItemNumber item = catalogue.find(event.item);
  if (item == no_item) return false;
  if (!event.id.empty() && !known.add(key_of(event))) return false;
  viewers.apply(event, item, ++feedback);
  trending.add(item, event.time, strength(event));
  return true;
}

// The mark; items: their ids by number; trending: landmark, value and total of each item; known
// events; viewers: user, history, hidden.
void write_snapshot(std::ostream& out, const State& state, const Catalogue& catalogue) {
  std::string bytes(magic);
  const auto flush = [&](std::size_t at) {
    if (bytes.size() < at) return;
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.clear();
  };
  append_number(bytes, catalogue.size(), 8);
  for (ItemNumber i = 0; i < catalogue.size(); ++i) {
    append_text(bytes, catalogue.item(i).id);
    flush(write_at);
  }
  const Trending::State trending = state.trending.state();
  append_number(bytes, static_cast<std::uint64_t>(trending.landmark), 8);
  append_number(bytes, trending.values.size(), 8);
  for (std::size_t i = 0; i < trending.values.size(); ++i) {
    append_number(bytes, std::bit_cast<std::uint64_t>(trending.values[i]), 8);
    append_number(bytes, std::bit_cast<std::uint32_t>(trending.totals[i]), 4);
    flush(write_at);
  }
  const auto known = state.known.list();
  append_number(bytes, known.size(), 8);
  for (const std::uint64_t key : known) append_number(bytes, key, 8);
  append_number(bytes, state.viewers.size(), 8);
  state.viewers.for_each([&](const std::string& user, const ViewerView& viewer) {
    append_text(bytes, user);
    append_number(bytes, viewer.history.size(), 2);
    for (const Watched& one : viewer.history) {
      append_number(bytes, one.item, 4);
      append_number(bytes, one.time, 4);
      append_number(bytes, std::bit_cast<std::uint32_t>(one.strength), 4);
    }
    append_number(bytes, viewer.hidden.size(), 2);
    for (const ItemNumber item : viewer.hidden) append_number(bytes, item, 4);
    flush(write_at);
  });
  flush(0);
}

std::int64_t read_snapshot(std::istream& stream, State& state, const Catalogue& catalogue) {
  Input in(stream);
  std::int64_t left_out = 0;
  in.expect(magic);
  const std::uint64_t items = in.count(no_item);
  std::vector<ItemNumber> numbers;
  for (std::uint64_t i = 0; i < items; ++i) numbers.push_back(catalogue.find(in.text()));
  const auto number_of = [&](std::uint64_t item) {
    if (item >= numbers.size()) throw InputError("a snapshot has an item that is not in its list");
    return numbers[static_cast<std::size_t>(item)];
  };
  Trending::State trending;
  trending.landmark = static_cast<Time>(in.number(8));
  if (trending.landmark < 0) throw InputError("a snapshot has a time before 1970");
  const std::uint64_t counters = in.count(items);
  trending.values.resize(catalogue.size());
  trending.totals.resize(catalogue.size());
  bool any = false;
  for (std::uint64_t i = 0; i < counters; ++i) {
    const auto value = std::bit_cast<double>(in.number(8));
    const auto total = std::bit_cast<float>(static_cast<std::uint32_t>(in.number(4)));
    if (!(value >= 0) || !(total >= 0.0F) || std::isinf(value) || std::isinf(total)) {
      throw InputError("a snapshot has a counter that is none");
    }
    const ItemNumber item = number_of(i);
    if (item == no_item) continue;
    trending.values[item] = value;
    trending.totals[item] = total;
    any = true;
  }
  const std::uint64_t known = in.count(std::uint64_t{1} << 20);
  for (std::uint64_t i = 0; i < known; ++i) state.known.add(in.number(8));
  const std::uint64_t viewers = in.count(std::uint64_t{1} << 40);
  for (std::uint64_t v = 0; v < viewers; ++v) {
    const std::string user = in.text();
    ViewerView view;
    const std::uint64_t watched = in.number(2);
    if (user.empty() || watched > longest_history) {
      throw InputError("a snapshot has a viewer out of range");
    }
    for (std::uint64_t i = 0; i < watched; ++i) {
      const ItemNumber item = number_of(in.number(4));
      Watched one{item, static_cast<std::uint32_t>(in.number(4)),
                  std::bit_cast<float>(static_cast<std::uint32_t>(in.number(4)))};
      if (!(one.strength > 0 && one.strength <= 1000)) {
        throw InputError("a snapshot has a strength out of range");
      }
      if (item == no_item) {
        ++left_out;
      } else {
        view.history.push_back(one);
      }
    }
    const std::uint64_t hidden = in.number(2);
    if (hidden > most_hidden) throw InputError("a snapshot has a viewer out of range");
    for (std::uint64_t i = 0; i < hidden; ++i) {
      const ItemNumber item = number_of(in.number(4));
      if (item != no_item) view.hidden.push_back(item);
    }
    std::sort(view.hidden.begin(), view.hidden.end());
    view.feedback = ++state.feedback;
    state.viewers.put(user, std::move(view));
  }
  in.end();
  if (any) state.trending.restore(std::move(trending));
  return left_out;
}

}  // namespace tandem::recommend
