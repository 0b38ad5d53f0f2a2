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

constexpr std::string_view magic = "tandem recommend state 2\n";

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

void Tallies::put(ItemNumber item, Tally tally) {
  const std::scoped_lock lock(mutex_);
  tallies_[item] = tally;
}

std::vector<std::pair<ItemNumber, Tally>> Tallies::list() const {
  const std::scoped_lock lock(mutex_);
  return {tallies_.begin(), tallies_.end()};
}

Tally Tallies::of(ItemNumber item) const {
  const std::scoped_lock lock(mutex_);
  const auto found = tallies_.find(item);
  return found == tallies_.end() ? Tally{} : found->second;
}

bool State::apply(const Event& event, const Catalogue& catalogue, bool viewer) {
  if (event.kind == EventKind::forget) {
    if (viewer) viewers.forget(event.user);
    return true;
  }
  const ItemNumber item = catalogue.find(event.item);
  if (item == no_item) return false;
  if (!event.id.empty() && !known.add(key_of(event))) return false;
  ++feedback;
  if (viewer) viewers.apply(event, item, feedback);
  trending.add(item, event.time, strength(event));
  return true;
}

// The mark; the ids of the items by number; trending: its number of events, landmark, value and
// total of each item; known events. Then of each shard: ids of items that came meanwhile, its
// number of events, and its viewers: user, revision, history, hidden.
SnapshotWriter::SnapshotWriter(const State& state,
                               std::function<std::shared_ptr<const Catalogue>()> catalogue,
                               AtRest at_rest)
    : state_(state), catalogue_(std::move(catalogue)), at_rest_(std::move(at_rest)) {
  Trending::State trending;
  std::vector<std::uint64_t> known;
  std::shared_ptr<const Catalogue> items;
  sequence_ = at_rest_([&] {
    trending = state_.trending.state();
    known = state_.known.list();
    items = catalogue_();
  });
  counters_ = magic;
  append_new_items(*items, counters_);
  append_number(counters_, sequence_, 8);
  append_number(counters_, static_cast<std::uint64_t>(trending.landmark), 8);
  append_number(counters_, trending.values.size(), 8);
  for (std::size_t i = 0; i < trending.values.size(); ++i) {
    append_number(counters_, std::bit_cast<std::uint64_t>(trending.values[i]), 8);
    append_number(counters_, std::bit_cast<std::uint32_t>(trending.totals[i]), 4);
  }
  append_number(counters_, known.size(), 8);
  for (const std::uint64_t key : known) append_number(counters_, key, 8);
}

void SnapshotWriter::append_new_items(const Catalogue& catalogue, std::string& bytes) {
  append_number(bytes, catalogue.size() - items_, 8);
  for (; items_ < catalogue.size(); ++items_) {
    append_text(bytes, catalogue.item(static_cast<ItemNumber>(items_)).id);
  }
}

void SnapshotWriter::write(std::ostream& out) {
  out.write(counters_.data(), static_cast<std::streamsize>(counters_.size()));
  for (std::size_t shard = 0; shard < Viewers::shard_count; ++shard) {
    std::string viewers;
    std::uint64_t count = 0;
    std::shared_ptr<const Catalogue> items;
    const std::uint64_t sequence = at_rest_([&] {
      items = catalogue_();
      state_.viewers.for_each(shard, [&](const std::string& user, const ViewerView& viewer) {
        ++count;
        append_text(viewers, user);
        append_number(viewers, viewer.revision, 4);
        append_number(viewers, viewer.history.size(), 2);
        for (const Watched& one : viewer.history) {
          append_number(viewers, one.item, 4);
          append_number(viewers, one.time, 4);
          append_number(viewers, std::bit_cast<std::uint32_t>(one.strength), 4);
        }
        append_number(viewers, viewer.hidden.size(), 2);
        for (const ItemNumber item : viewer.hidden) append_number(viewers, item, 4);
      });
    });
    std::string head;
    append_new_items(*items, head);
    append_number(head, sequence, 8);
    append_number(head, count, 8);
    out.write(head.data(), static_cast<std::streamsize>(head.size()));
    out.write(viewers.data(), static_cast<std::streamsize>(viewers.size()));
  }
}

std::int64_t read_snapshot(std::istream& stream, State& state, const Catalogue& catalogue,
                           SnapshotParts& parts) {
  SnapshotReader in(stream, "a snapshot of recommendations");
  const auto wrong = [](const char* what) {
    throw InputError("a snapshot of recommendations has " + std::string(what));
  };
  std::int64_t left_out = 0;
  in.expect(magic);
  std::vector<ItemNumber> numbers;
  const auto read_items = [&] {
    const std::uint64_t items = in.count(no_item);
    for (std::uint64_t i = 0; i < items; ++i) numbers.push_back(catalogue.find(in.text()));
  };
  const auto number_of = [&](std::uint64_t item) {
    if (item >= numbers.size()) wrong("an item that is not in its list");
    return numbers[static_cast<std::size_t>(item)];
  };
  read_items();
  parts.counters = in.number(8);
  Trending::State trending;
  trending.landmark = static_cast<Time>(in.number(8));
  if (trending.landmark < 0) wrong("a time before 1970");
  const std::uint64_t counters = in.count(numbers.size());
  trending.values.resize(catalogue.size());
  trending.totals.resize(catalogue.size());
  bool any = false;
  for (std::uint64_t i = 0; i < counters; ++i) {
    const auto value = std::bit_cast<double>(in.number(8));
    const auto total = std::bit_cast<float>(static_cast<std::uint32_t>(in.number(4)));
    if (!(value >= 0) || !(total >= 0.0F) || std::isinf(value) || std::isinf(total)) {
      wrong("a counter that is none");
    }
    const ItemNumber item = number_of(i);
    if (item == no_item) continue;
    trending.values[item] = value;
    trending.totals[item] = total;
    any = true;
  }
  const std::uint64_t known = in.count(std::uint64_t{1} << 20);
  for (std::uint64_t i = 0; i < known; ++i) state.known.add(in.number(8));
  for (std::size_t shard = 0; shard < Viewers::shard_count; ++shard) {
    read_items();
    parts.shards[shard] = in.number(8);
    if (parts.shards[shard] < parts.counters) wrong("a part from before its beginning");
    const std::uint64_t viewers = in.count(std::uint64_t{1} << 40);
    for (std::uint64_t v = 0; v < viewers; ++v) {
      const std::string user = in.text();
      ViewerView view;
      view.revision = static_cast<std::uint32_t>(in.number(4));
      const std::uint64_t watched = in.number(2);
      if (user.empty() || watched > longest_history) wrong("a viewer out of range");
      if (Viewers::shard_of(user) != shard) wrong("a viewer who belongs elsewhere");
      for (std::uint64_t i = 0; i < watched; ++i) {
        const ItemNumber item = number_of(in.number(4));
        Watched one{item, static_cast<std::uint32_t>(in.number(4)),
                    std::bit_cast<float>(static_cast<std::uint32_t>(in.number(4)))};
        if (!(one.strength > 0 && one.strength <= 1000)) wrong("a strength out of range");
        if (item == no_item) {
          ++left_out;
        } else {
          view.history.push_back(one);
        }
      }
      const std::uint64_t hidden = in.number(2);
      if (hidden > most_hidden) wrong("a viewer out of range");
      for (std::uint64_t i = 0; i < hidden; ++i) {
        const ItemNumber item = number_of(in.number(4));
        if (item != no_item) view.hidden.push_back(item);
      }
      std::sort(view.hidden.begin(), view.hidden.end());
      view.feedback = ++state.feedback;
      state.viewers.put(user, std::move(view));
    }
  }
  in.end();
  if (any) state.trending.restore(std::move(trending));
  return left_out;
}

}  // namespace tandem::recommend
