// Training from rows that tandem bin has put into bins.
#pragma once

#include "tandem/model/binned_training.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {

// The rows without their features, and what is to be read beside them: by the columns that they
// were made of. Throws InputError for options that say how rows are to be read.
template <Real T>
[[nodiscard]] LoadedData<T> load_beside_bins(const RunSettings& run, const DataSettings& data,
                                             const TestSettings& test,
                                             const BinnedTraining<T>& training,
                                             const Algorithm& algorithm);

}  // namespace tandem::program
