// The matrix of users and items, and its transpose: of events that do not fit into memory by blocks
// of users and of items, each of which is put in order in memory after a pass over all events.
#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "core/external_memory.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem {
namespace {

// Elements that are passed at once.
constexpr Index stretch = Index{1} << 16;

// So many elements of so many bytes are put in order at once; all where they stand in memory.
Index elements_at_once(std::size_t bytes) {
  if (!uses_external_memory()) return std::numeric_limits<Index>::max();
  return std::max(stretch, external_memory_window() / static_cast<Index>(bytes));
}

// Groups first .. last − 1 have `most` elements or fewer, or are one group. starts: of all groups.
Index last_of_block(const std::vector<Index>& starts, Index first, Index most) {
  const auto groups = static_cast<Index>(starts.size()) - 1;
  const auto start = [&](Index group) { return starts[static_cast<std::size_t>(group)]; };
  Index last = first + 1;
  if (most > start(groups) - start(first)) return groups;
  while (last < groups && start(last + 1) - start(first) <= most) ++last;
  return last;
}

// Events of users first .. first + users − 1, in the order of the file.
struct Part {
  std::span<const std::int32_t> user, item;
  std::span<const double> weight, time;  // or empty
  Index first = 0;
  Index users = 0;
};

// Two passes of counting: by item, then by user, so that items ascend within a user; both keep the
// order of what is equal, which is that of time.
template <Real T>
void append_users(const Part& events, Index items, SparseMatrix<T>& made) {
  const auto count = events.user.size();
  std::vector<Index> order(count);
  std::iota(order.begin(), order.end(), Index{0});
  // Without weights sums are counts, and exact in any order.
  if (!events.weight.empty() && !events.time.empty() &&
      !std::is_sorted(events.time.begin(), events.time.end())) {
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
      return events.time[static_cast<std::size_t>(a)] < events.time[static_cast<std::size_t>(b)];
    });
  }
  const auto sort_by = [&](std::span<const std::int32_t> keys, Index least, Index groups) {
    std::vector<std::size_t> next(static_cast<std::size_t>(groups) + 1, 0);
    const auto group = [&](Index event) {
      return static_cast<std::size_t>(keys[static_cast<std::size_t>(event)] - least);
    };
    for (const std::int32_t key : keys) ++next[static_cast<std::size_t>(key - least) + 1];
    for (std::size_t g = 1; g < next.size(); ++g) next[g] += next[g - 1];
    std::vector<Index> sorted(count);
    for (const Index event : order) sorted[next[group(event)]++] = event;
    order.swap(sorted);
  };
  sort_by(events.item, 0, items);
  sort_by(events.user, events.first, events.users);
  const auto weight_of = [&](std::size_t event) {
    return events.weight.empty() ? 1.0 : events.weight[event];
  };
  double sum = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const auto event = static_cast<std::size_t>(order[k]);
    const bool again = k > 0 && events.item[event] == made.columns.back() &&
                       events.user[static_cast<std::size_t>(order[k - 1])] == events.user[event];
    if (again) {
      sum += weight_of(event);
      made.values.back() = static_cast<T>(sum);
    } else {
      sum = weight_of(event);
      made.columns.push_back(events.item[event]);
      made.values.push_back(static_cast<T>(sum));
      ++made.offsets[static_cast<std::size_t>(events.user[event]) + 1];
    }
  }
}

// Calls use(begin, end) for stretches of the events, which are in memory then.
template <class Use>
void for_stretches(const Interactions& events, Use&& use) {
  for (Index begin = 0; begin < events.size(); begin += stretch) {
    const Index end = std::min(begin + stretch, events.size());
    visit_elements(events.user.data() + begin, end - begin);
    visit_elements(events.item.data() + begin, end - begin);
    if (events.has_weights()) visit_elements(events.weight.data() + begin, end - begin);
    if (events.has_times()) visit_elements(events.time.data() + begin, end - begin);
    use(static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
  }
}

}  // namespace

template <Real T>
SparseMatrix<T> interaction_matrix(const Interactions& events) {
  SparseMatrix<T> made;
  made.rows = static_cast<Index>(events.users.size());
  made.cols = static_cast<Index>(events.items.size());
  made.offsets.assign(static_cast<std::size_t>(made.rows) + 1, 0);
  made.columns.reserve(static_cast<std::size_t>(events.size()));
  made.values.reserve(static_cast<std::size_t>(events.size()));
  // What is gathered of an event, and its places in three orders.
  const Index most =
      elements_at_once(2 * sizeof(std::int32_t) + 2 * sizeof(double) + 3 * sizeof(Index));
  if (events.size() <= most) {
    append_users<T>({events.user, events.item, events.weight, events.time, 0, made.rows}, made.cols,
                    made);
  } else {
    std::vector<Index> starts(static_cast<std::size_t>(made.rows) + 1, 0);
    for_stretches(events, [&](std::size_t begin, std::size_t end) {
      for (std::size_t e = begin; e < end; ++e) {
        ++starts[static_cast<std::size_t>(events.user[e]) + 1];
      }
    });
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    std::vector<std::int32_t> user;
    std::vector<std::int32_t> item;
    std::vector<double> weight;
    std::vector<double> time;
    for (Index first = 0; first < made.rows;) {
      const Index last = last_of_block(starts, first, most);
      user.clear();
      item.clear();
      weight.clear();
      time.clear();
      for_stretches(events, [&](std::size_t begin, std::size_t end) {
        for (std::size_t e = begin; e < end; ++e) {
          if (events.user[e] < first || events.user[e] >= last) continue;
          user.push_back(events.user[e]);
          item.push_back(events.item[e]);
          if (events.has_weights()) weight.push_back(events.weight[e]);
          if (events.has_times()) time.push_back(events.time[e]);
        }
      });
      append_users<T>({user, item, weight, time, first, last - first}, made.cols, made);
      first = last;
    }
  }
  std::partial_sum(made.offsets.begin(), made.offsets.end(), made.offsets.begin());
  return made;
}

template <Real T>
SparseMatrix<T> transposed(const SparseView<T>& matrix) {
  SparseMatrix<T> made;
  made.rows = matrix.cols;
  made.cols = matrix.rows;
  made.offsets.assign(static_cast<std::size_t>(matrix.cols) + 1, 0);
  made.columns.resize(matrix.columns.size());
  made.values.resize(matrix.columns.size());
  const auto count = static_cast<Index>(matrix.columns.size());
  for (Index begin = 0; begin < count; begin += stretch) {
    const Index end = std::min(begin + stretch, count);
    visit_elements(matrix.columns.data() + begin, end - begin);
    for (Index p = begin; p < end; ++p) {
      ++made.offsets[static_cast<std::size_t>(matrix.columns[static_cast<std::size_t>(p)]) + 1];
    }
  }
  std::partial_sum(made.offsets.begin(), made.offsets.end(), made.offsets.begin());
  std::vector<Index> next(made.offsets.begin(), made.offsets.end() - 1);
  const Index most = elements_at_once(sizeof(std::int32_t) + sizeof(T));
  for (Index first = 0; first < matrix.cols;) {
    const Index last = last_of_block(made.offsets, first, most);
    Index seen = 0;
    for (Index r = 0; r < matrix.rows; ++r) {
      const auto row = static_cast<std::size_t>(r);
      if (matrix.offsets[row] >= seen) {
        const Index end = std::min(matrix.offsets[row] + stretch, count);
        visit_elements(matrix.columns.data() + matrix.offsets[row], end - matrix.offsets[row]);
        if (!matrix.values.empty()) {
          visit_elements(matrix.values.data() + matrix.offsets[row], end - matrix.offsets[row]);
        }
        seen = end;
      }
      for (Index p = matrix.offsets[row]; p < matrix.offsets[row + 1]; ++p) {
        const auto from = static_cast<std::size_t>(p);
        const Index c = matrix.columns[from];
        if (c < first || c >= last) continue;
        const auto to = static_cast<std::size_t>(next[static_cast<std::size_t>(c)]++);
        made.columns[to] = static_cast<std::int32_t>(r);
        made.values[to] = matrix.values.empty() ? T{1} : matrix.values[from];
      }
    }
    first = last;
  }
  return made;
}

template SparseMatrix<float> transposed(const SparseView<float>&);
template SparseMatrix<double> transposed(const SparseView<double>&);
template SparseMatrix<float> interaction_matrix(const Interactions&);
template SparseMatrix<double> interaction_matrix(const Interactions&);

}  // namespace tandem
