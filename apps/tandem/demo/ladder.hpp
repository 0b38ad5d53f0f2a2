// The demo's last section: one kernel improved step by step.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tandem/report/page.hpp"

namespace tandem::program {

// Runs a lesson of the kernel lab, whose kernels are compiled, checked and counted, and puts its
// figures under "ladder". Where there is no compiler of CUDA, or no software GPU, the page says so
// and the figure is null.
void add_ladder(report::Page& page, nlohmann::json& figures);

}  // namespace tandem::program
