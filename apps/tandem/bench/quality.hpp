// How good the predictions of an arm are, judged alike for all.
#pragma once

#include <string>
#include <vector>

#include "tandem/core/matrix.hpp"

namespace tandem::program {

// What predictions are held against.
struct Truth {
  Matrix<double> rows;         // those predicted
  std::vector<double> target;  // of them: classes 0, 1, ... or values; empty: there is none
};

[[nodiscard]] bool lower_is_better(const std::string& metric);

// The metric of the predictions in a .npy file, which `holds` "probabilities" (rows × classes),
// "labels" or "values". Inertia is that of the means of the labels' rows. Throws InputError where
// the file does not fit the rows or the metric.
[[nodiscard]] double quality_of(const std::string& metric, const std::string& file,
                                const std::string& holds, const Truth& truth);

}  // namespace tandem::program
