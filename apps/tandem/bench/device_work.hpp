// Counts what fits do on a GPU.
#pragma once

#include <string>

#include "tandem/bench/case.hpp"
#include "tandem/bench/counted_work.hpp"

namespace tandem::program {

// Runs a fit of the case under the profiler, in a process of its own, with all time that it needs
// up to `timeout` seconds.
[[nodiscard]] DeviceWork work_of(const BenchCase& one, const std::string& name, Index rows,
                                 const std::string& device, double timeout);

}  // namespace tandem::program
