// Times of programs that ran in turn, compared pair by pair.
#pragma once

#include <vector>

namespace tandem::program {

// NaN of no values.
[[nodiscard]] double median_of(std::vector<double> values);

// Of the ratios of paired runs: their median, and an interval for the median of all such ratios, by
// order statistics, that is right with the stated probability whatever their distribution.
struct PairedRatio {
  double median = 0;
  double low = 0;
  double high = 0;
  double confidence = 0;
};
// ours and theirs: one each per round. theirs / ours: above 1, ours is the faster one.
[[nodiscard]] PairedRatio paired_ratio(const std::vector<double>& ours,
                                       const std::vector<double>& theirs);

// How a cost grows: cost ~ size^exponent, by least squares of logarithms, with the 95 % interval of
// the slope by Student's t. Three sizes or more.
struct Growth {
  double exponent = 0;
  double low = 0;
  double high = 0;
};
[[nodiscard]] Growth growth_of(const std::vector<double>& sizes, const std::vector<double>& costs);

}  // namespace tandem::program
