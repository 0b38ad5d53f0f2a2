#include "core/tree/quantile_sketch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/tree/split_gain.hpp"

namespace tandem::tree {
namespace {

// Sorts by key, stably, by digits of 8 bits from the lowest; digits that all keys share are passed
// over. `other` is as long; the result is in `items`.
template <class Item, class KeyOf>
void radix_sort(std::vector<Item>& items, std::vector<Item>& other, KeyOf&& key_of) {
  using Key = std::decay_t<decltype(key_of(items[0]))>;
  constexpr std::size_t digits = sizeof(Key);
  std::array<std::array<std::uint32_t, 256>, digits> counts{};
  for (const Item& item : items) {
    Key key = key_of(item);
    for (std::size_t d = 0; d < digits; ++d) {
      ++counts[d][key & 255U];
      key = static_cast<Key>(key >> 8);
    }
  }
  other.resize(items.size());
  for (std::size_t d = 0; d < digits && !items.empty(); ++d) {
    auto& start = counts[d];
    const auto digit = [&](const Item& item) {
      return static_cast<std::size_t>((key_of(item) >> (8 * d)) & 255U);
    };
    if (start[digit(items[0])] == items.size()) continue;
    std::uint32_t total = 0;
    for (auto& count : start) total += std::exchange(count, total);
    for (const Item& item : items) other[start[digit(item)]++] = item;
    items.swap(other);
  }
}

template <Real T>
QuantileSummary<T> merged(const QuantileSummary<T>& a, const QuantileSummary<T>& b) {
  QuantileSummary<T> result;
  result.keys.resize(a.size() + b.size());
  result.weights.resize(a.size() + b.size());
  std::size_t i = 0;
  std::size_t j = 0;
  std::size_t n = 0;
  while (i < a.size() && j < b.size()) {
    const auto ka = a.keys[i];
    const auto kb = b.keys[j];
    const bool take_a = ka <= kb;
    const bool take_b = kb <= ka;
    result.keys[n] = take_a ? ka : kb;
    result.weights[n] = (take_a ? a.weights[i] : 0) + (take_b ? b.weights[j] : 0);
    i += take_a ? 1 : 0;
    j += take_b ? 1 : 0;
    ++n;
  }
  for (; i < a.size(); ++i, ++n) {
    result.keys[n] = a.keys[i];
    result.weights[n] = a.weights[i];
  }
  for (; j < b.size(); ++j, ++n) {
    result.keys[n] = b.keys[j];
    result.weights[n] = b.weights[j];
  }
  result.keys.resize(n);
  result.weights.resize(n);
  return result;
}

// Values whose middle ranks fall into the same of `capacity` equal parts of the weight become one,
// the value at which half of their weight is reached.
template <Real T>
void compact(QuantileSummary<T>& summary, Index capacity) {
  if (static_cast<Index>(summary.size()) <= capacity) return;
  std::int64_t total = 0;
  for (const std::int64_t w : summary.weights) total += w;
  const double parts_per_weight =
      static_cast<double>(capacity) / (2.0 * static_cast<double>(total));
  std::size_t n = 0;
  std::int64_t before = 0;
  std::size_t begin = 0;
  std::int64_t weight = 0;
  double part = -1;
  const auto close = [&](std::size_t end) {
    if (begin == end) return;
    std::size_t middle = begin;
    for (std::int64_t reached = summary.weights[begin]; 2 * reached < weight;) {
      reached += summary.weights[++middle];
    }
    // n <= begin: nothing that is still to be read is overwritten.
    summary.keys[n] = summary.keys[middle];
    summary.weights[n] = weight;
    ++n;
  };
  const std::size_t size = summary.size();
  for (std::size_t i = 0; i < size; ++i) {
    const std::int64_t w = summary.weights[i];
    const double here =
        std::floor((2.0 * static_cast<double>(before) + static_cast<double>(w)) * parts_per_weight);
    if (here != part) {
      close(i);
      begin = i;
      weight = 0;
      part = here;
    }
    weight += w;
    before += w;
  }
  close(size);
  summary.keys.resize(n);
  summary.weights.resize(n);
}

template <Real T>
QuantileSummary<T> parent_of(const QuantileSummary<T>& left, const QuantileSummary<T>& right,
                             Index capacity) {
  QuantileSummary<T> parent = merged(left, right);
  compact(parent, capacity);
  return parent;
}

}  // namespace

template <Real T>
void QuantileSketch<T>::add(std::span<const T> values, std::span<const std::int64_t> weights) {
  QuantileSummary<T> summary;
  if (weights.empty()) {
    keys_.clear();
    for (const T value : values) {
      if (value == value) keys_.push_back(order_key(value));
    }
    radix_sort(keys_, other_keys_, [](OrderKey<T> key) { return key; });
    for (std::size_t i = 0; i < keys_.size();) {
      std::size_t end = i + 1;
      while (end < keys_.size() && keys_[end] == keys_[i]) ++end;
      summary.keys.push_back(keys_[i]);
      summary.weights.push_back(static_cast<std::int64_t>(end - i));
      i = end;
    }
  } else {
    pairs_.clear();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] == values[i] && weights[i] > 0) {
        pairs_.push_back({order_key(values[i]), weights[i]});
      }
    }
    radix_sort(pairs_, other_pairs_, [](const Weighted& pair) { return pair.key; });
    for (const Weighted& pair : pairs_) {
      if (!summary.keys.empty() && summary.keys.back() == pair.key) {
        summary.weights.back() += pair.weight;
      } else {
        summary.keys.push_back(pair.key);
        summary.weights.push_back(pair.weight);
      }
    }
  }
  std::size_t level = 0;
  for (; ((nodes_ >> level) & 1) != 0; ++level) {
    summary = parent_of(roots_[level], summary, capacity);
    roots_[level] = {};
  }
  if (roots_.size() <= level) roots_.resize(level + 1);
  roots_[level] = std::move(summary);
  ++nodes_;
}

template <Real T>
QuantileSummary<T> QuantileSketch<T>::finish() const {
  QuantileSummary<T> total;
  bool any = false;
  for (std::size_t level = 0; level < roots_.size(); ++level) {
    if (((nodes_ >> level) & 1) == 0) continue;
    total = any ? parent_of(roots_[level], total, capacity) : roots_[level];
    any = true;
  }
  return total;
}

template <Real T>
std::vector<T> thresholds_of(const QuantileSummary<T>& summary, Index max_bins) {
  std::vector<T> thresholds;
  const std::size_t size = summary.size();
  const auto cut_after = [&](std::size_t i) {
    thresholds.push_back(
        threshold_between(value_of_key<T>(summary.keys[i]), value_of_key<T>(summary.keys[i + 1])));
  };
  if (static_cast<Index>(size) <= max_bins) {
    for (std::size_t i = 0; i + 1 < size; ++i) cut_after(i);
    return thresholds;
  }
  // A bin is closed where it is nearer to its share of what is left than it would be with the next
  // value; values of great weight leave less for the others, which then have smaller shares.
  double left = 0;
  for (const std::int64_t w : summary.weights) left += static_cast<double>(w);
  double share = left / static_cast<double>(max_bins);
  double weight = 0;
  for (std::size_t i = 0; i + 1 < size; ++i) {
    weight += static_cast<double>(summary.weights[i]);
    const double next = static_cast<double>(summary.weights[i + 1]);
    if (weight + next / 2 < share) continue;
    cut_after(i);
    left -= weight;
    weight = 0;
    const Index bins = max_bins - static_cast<Index>(thresholds.size());
    if (bins <= 1) break;
    share = left / static_cast<double>(bins);
  }
  return thresholds;
}

template class QuantileSketch<float>;
template class QuantileSketch<double>;
template std::vector<float> thresholds_of(const QuantileSummary<float>&, Index);
template std::vector<double> thresholds_of(const QuantileSummary<double>&, Index);

}  // namespace tandem::tree
