// Shared by the kernels of gradient boosting.
#pragma once

#include "core/tree/gradient_boosting_steps.hpp"
#include "cuda/core/engine.hpp"

namespace tandem::cuda {
// Of the one file that includes this.
namespace {  // NOLINT(google-build-namespaces)

using Word = unsigned long long;

// Rows of a tile of a partition: a warp goes over them 32 at a time.
constexpr Index tile_rows = 1024;
// Threads for each feature in a search over bins of 16 bits.
constexpr unsigned search_threads = 256;

}  // namespace
}  // namespace tandem::cuda
