#include "tandem/data/split.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <unordered_map>

#include "core/random.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem {
namespace {

// The rows of each label that occurs, in order of label; rows ascending.
std::vector<std::vector<Index>> rows_by_label(std::span<const std::int32_t> labels) {
  std::map<std::int32_t, std::vector<Index>> by_label;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) {
      throw InputError("row " + std::to_string(i + 1) + ": the class label is " +
                       std::to_string(labels[i]) +
                       "; a stratified split needs a class for each row");
    }
    by_label[labels[i]].push_back(static_cast<Index>(i));
  }
  std::vector<std::vector<Index>> rows;
  for (auto& [label, members] : by_label) rows.push_back(std::move(members));
  return rows;
}

// Fisher-Yates. Draws number first, first + 1, ... of `random`, and returns the next unused.
std::uint64_t shuffle(std::vector<Index>& rows, const Random& random, std::uint64_t first) {
  for (Index i = static_cast<Index>(rows.size()) - 1; i > 0; --i) {
    std::swap(rows[static_cast<std::size_t>(i)],
              rows[static_cast<std::size_t>(random.below(i + 1, first++))]);
  }
  return first;
}

// The groups numbered 0, 1, ... in the order in which they first occur.
struct NumberedGroups {
  explicit NumberedGroups(std::span<const Index> groups) {
    std::unordered_map<Index, Index> numbers;
    of_row.reserve(groups.size());
    for (const Index group : groups) {
      of_row.push_back(
          numbers.try_emplace(group, static_cast<Index>(numbers.size())).first->second);
    }
    count = static_cast<Index>(numbers.size());
  }

  Index count = 0;
  std::vector<Index> of_row;
};

// `what`, where it is not "row", is what the rows belong to.
Index test_rows(Index rows, double fraction, const std::string& what = "row") {
  if (!(fraction > 0 && fraction < 1)) {
    throw InputError("the test fraction is " + std::to_string(fraction) +
                     ", expected a number between 0 and 1");
  }
  if (rows < 2) {
    throw InputError(std::to_string(rows) + " " + what + (rows == 1 ? " cannot" : "s cannot") +
                     " be split into a training and a test part; at least 2 are needed");
  }
  const auto wanted = static_cast<Index>(std::floor(fraction * static_cast<double>(rows) + 0.5));
  return std::clamp(wanted, Index{1}, rows - 1);
}

Split split_by_mask(const std::vector<bool>& is_test, Index test_count) {
  Split split;
  split.test.reserve(static_cast<std::size_t>(test_count));
  split.train.reserve(is_test.size() - static_cast<std::size_t>(test_count));
  for (std::size_t i = 0; i < is_test.size(); ++i) {
    (is_test[i] ? split.test : split.train).push_back(static_cast<Index>(i));
  }
  return split;
}

void check_folds(Index rows, Index folds, const std::string& what = "row") {
  if (folds < 2 || folds > std::numeric_limits<std::int32_t>::max()) {
    throw InputError(std::to_string(folds) + " folds were asked for, expected 2 or more");
  }
  if (rows < folds) {
    throw InputError(std::to_string(rows) + " " + what + "s cannot be split into " +
                     std::to_string(folds) + " folds; ask for fewer folds");
  }
}

std::uint32_t check_repeats(Index repeats) {
  if (repeats < 1 || repeats > 1'000'000) {
    throw InputError(std::to_string(repeats) + " repeats were asked for, expected 1 to 1000000");
  }
  return static_cast<std::uint32_t>(repeats);
}

}  // namespace

std::vector<Index> random_order(Index rows, std::uint64_t seed, std::uint32_t stream) {
  std::vector<Index> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), Index{0});
  shuffle(order, Random(seed, Purpose::split, stream), 0);
  return order;
}

Split train_test_split(Index rows, double test_fraction, std::uint64_t seed) {
  const Index count = test_rows(rows, test_fraction);
  const std::vector<Index> order = random_order(rows, seed);
  std::vector<bool> is_test(static_cast<std::size_t>(rows), false);
  for (Index i = 0; i < count; ++i) {
    is_test[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = true;
  }
  return split_by_mask(is_test, count);
}

Split stratified_train_test_split(std::span<const std::int32_t> labels, double test_fraction,
                                  std::uint64_t seed) {
  const auto rows = static_cast<Index>(labels.size());
  const Index count = test_rows(rows, test_fraction);
  auto classes = rows_by_label(labels);

  // The largest remainder method. A share is members · count / rows; 128 bits for the product.
  std::vector<Index> quota(classes.size(), 0);
  std::vector<Index> remainder(classes.size(), 0);
  Index given = 0;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto members = static_cast<Index>(classes[c].size());
    __extension__ using Wide = __int128;
    const Wide product = static_cast<Wide>(members) * count;
    quota[c] = static_cast<Index>(product / rows);
    remainder[c] = static_cast<Index>(product % rows);
    given += quota[c];
  }
  std::vector<std::size_t> order(classes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  for (const std::size_t c : order) {
    if (given == count) break;
    if (remainder[c] == 0 || quota[c] + 1 >= static_cast<Index>(classes[c].size())) continue;
    ++quota[c];
    ++given;
  }
  if (given != count) {
    throw InputError("the classes have too few rows for a stratified test part of " +
                     std::to_string(count) + " of " + std::to_string(rows) +
                     " rows that leaves one row of each class for training; ask for a smaller test "
                     "fraction, or do not stratify");
  }
  const Random random(seed, Purpose::split);
  std::uint64_t drawn = 0;
  std::vector<bool> is_test(labels.size(), false);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    drawn = shuffle(classes[c], random, drawn);
    for (Index i = 0; i < quota[c]; ++i) {
      is_test[static_cast<std::size_t>(classes[c][static_cast<std::size_t>(i)])] = true;
    }
  }
  return split_by_mask(is_test, count);
}

Split group_train_test_split(std::span<const Index> groups, double test_fraction,
                             std::uint64_t seed) {
  const NumberedGroups numbered(groups);
  const Index count = test_rows(numbered.count, test_fraction, "group");
  const std::vector<Index> order = random_order(numbered.count, seed);
  std::vector<bool> tested(static_cast<std::size_t>(numbered.count), false);
  for (Index g = 0; g < count; ++g) {
    tested[static_cast<std::size_t>(order[static_cast<std::size_t>(g)])] = true;
  }
  Split split;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    (tested[static_cast<std::size_t>(numbered.of_row[i])] ? split.test : split.train)
        .push_back(static_cast<Index>(i));
  }
  return split;
}

Split Folds::split(Index f) const {
  Split split;
  for (std::size_t i = 0; i < of_row.size(); ++i) {
    (of_row[i] == f ? split.test : split.train).push_back(static_cast<Index>(i));
  }
  return split;
}

Folds k_fold(Index rows, Index folds, std::uint64_t seed, std::uint32_t repeat) {
  check_folds(rows, folds);
  Folds result{folds, std::vector<std::int32_t>(static_cast<std::size_t>(rows))};
  const std::vector<Index> order = random_order(rows, seed, repeat);
  for (Index i = 0; i < rows; ++i) {
    result.of_row[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] =
        static_cast<std::int32_t>(i % folds);
  }
  return result;
}

Folds stratified_k_fold(std::span<const std::int32_t> labels, Index folds, std::uint64_t seed,
                        std::uint32_t repeat) {
  check_folds(static_cast<Index>(labels.size()), folds);
  auto classes = rows_by_label(labels);
  Index largest = 0;
  Index small = 0;  // classes with fewer rows than folds
  Index least = 0;  // rows of the smallest of them
  for (const auto& members : classes) {
    const auto size = static_cast<Index>(members.size());
    largest = std::max(largest, size);
    if (size > 0 && size < folds) {
      least = small == 0 ? size : std::min(least, size);
      ++small;
    }
  }
  if (largest < folds) {
    throw InputError("every class has fewer rows than the " + std::to_string(folds) +
                     " folds (at most " + std::to_string(largest) +
                     "); ask for fewer folds, or do not stratify");
  }
  if (small > 0 && repeat == 0) {
    log::warning(std::to_string(small) + (small == 1 ? " class has" : " classes have") +
                 " fewer rows (" + std::to_string(least) + " at least) than there are folds (" +
                 std::to_string(folds) + "): some test parts lack " + (small == 1 ? "it" : "them"));
  }
  // Each class is dealt out like cards, beginning where the previous one ended: then both the
  // classes and the whole are even to within 1.
  Folds result{folds, std::vector<std::int32_t>(labels.size())};
  const Random random(seed, Purpose::split, repeat);
  std::uint64_t drawn = 0;
  Index next = 0;
  for (auto& members : classes) {
    drawn = shuffle(members, random, drawn);
    for (const Index row : members) {
      result.of_row[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(next);
      next = next + 1 == folds ? 0 : next + 1;
    }
  }
  return result;
}

Folds group_k_fold(std::span<const Index> groups, Index folds, std::uint64_t seed,
                   std::uint32_t repeat) {
  const NumberedGroups numbered(groups);
  check_folds(numbered.count, folds, "group");
  const Folds of_groups = k_fold(numbered.count, folds, seed, repeat);
  Folds result{folds, {}};
  result.of_row.reserve(groups.size());
  for (const Index group : numbered.of_row) {
    result.of_row.push_back(of_groups.of_row[static_cast<std::size_t>(group)]);
  }
  return result;
}

std::vector<Folds> repeated_k_fold(Index rows, Index folds, Index repeats, std::uint64_t seed) {
  const std::uint32_t count = check_repeats(repeats);
  std::vector<Folds> all;
  for (std::uint32_t r = 0; r < count; ++r) all.push_back(k_fold(rows, folds, seed, r));
  return all;
}

std::vector<Folds> repeated_stratified_k_fold(std::span<const std::int32_t> labels, Index folds,
                                              Index repeats, std::uint64_t seed) {
  const std::uint32_t count = check_repeats(repeats);
  std::vector<Folds> all;
  for (std::uint32_t r = 0; r < count; ++r) {
    all.push_back(stratified_k_fold(labels, folds, seed, r));
  }
  return all;
}

std::vector<Folds> repeated_group_k_fold(std::span<const Index> groups, Index folds, Index repeats,
                                         std::uint64_t seed) {
  const std::uint32_t count = check_repeats(repeats);
  std::vector<Folds> all;
  for (std::uint32_t r = 0; r < count; ++r) all.push_back(group_k_fold(groups, folds, seed, r));
  return all;
}

}  // namespace tandem
