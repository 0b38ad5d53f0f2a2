// Ways to part a data set into training and test rows. Every split is a function of its arguments
// and the seed. Row numbers are returned in ascending order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct Split {
  std::vector<Index> train;
  std::vector<Index> test;
};

// round(test_fraction · rows) test rows, at least 1 and at most rows − 1. Throws InputError unless
// 0 < test_fraction < 1 and rows >= 2.
[[nodiscard]] TANDEM_API Split train_test_split(Index rows, double test_fraction,
                                                std::uint64_t seed);

// The same number of test rows, shared among the classes in proportion (largest remainders, ties
// to the lower label), so that each class is within 1 of its share; at least one row of each class
// stays in the training part. labels: one per row, >= 0. Throws InputError as above, for a negative
// label, and where the classes are so small that the test rows cannot be found.
[[nodiscard]] TANDEM_API Split stratified_train_test_split(std::span<const std::int32_t> labels,
                                                           double test_fraction,
                                                           std::uint64_t seed);

// The same for rows that belong together, such as those of one query: round(test_fraction · groups)
// groups become test rows, whole, at least 1 and at most all but one. groups: the number of the
// group of each row, any number. Throws InputError for a fraction out of range and fewer than two
// groups.
[[nodiscard]] TANDEM_API Split group_train_test_split(std::span<const Index> groups,
                                                      double test_fraction, std::uint64_t seed);

// A partition of the rows into folds: each row is a test row of exactly one.
struct TANDEM_API Folds {
  Index count = 0;
  std::vector<std::int32_t> of_row;  // one per row: 0 .. count − 1

  // Fold f as the test part, the rest as the training part.
  [[nodiscard]] Split split(Index f) const;
};

// Fold sizes differ by at most 1. `repeat` tells apart the partitions of a repeated k-fold. Throws
// InputError where folds < 2 or there are fewer rows than folds.
[[nodiscard]] TANDEM_API Folds k_fold(Index rows, Index folds, std::uint64_t seed,
                                      std::uint32_t repeat = 0);

// In addition the rows of one class are shared so that folds differ by at most 1 in each class. A
// class with fewer rows than folds is missing from some test parts: that is a warning in the log;
// InputError where it is so for every class, and for a negative label.
[[nodiscard]] TANDEM_API Folds stratified_k_fold(std::span<const std::int32_t> labels, Index folds,
                                                 std::uint64_t seed, std::uint32_t repeat = 0);

// Whole groups: the rows of one stand in the same fold, and the numbers of groups differ by at most
// 1 between folds. Throws InputError where folds < 2 or there are fewer groups than folds.
[[nodiscard]] TANDEM_API Folds group_k_fold(std::span<const Index> groups, Index folds,
                                            std::uint64_t seed, std::uint32_t repeat = 0);

// `repeats` independent partitions.
[[nodiscard]] TANDEM_API std::vector<Folds> repeated_k_fold(Index rows, Index folds, Index repeats,
                                                            std::uint64_t seed);
[[nodiscard]] TANDEM_API std::vector<Folds> repeated_stratified_k_fold(
    std::span<const std::int32_t> labels, Index folds, Index repeats, std::uint64_t seed);
[[nodiscard]] TANDEM_API std::vector<Folds> repeated_group_k_fold(std::span<const Index> groups,
                                                                  Index folds, Index repeats,
                                                                  std::uint64_t seed);

// 0 .. rows − 1 in random order (Fisher-Yates). `stream` tells apart several orders of one seed.
[[nodiscard]] TANDEM_API std::vector<Index> random_order(Index rows, std::uint64_t seed,
                                                         std::uint32_t stream = 0);

}  // namespace tandem
