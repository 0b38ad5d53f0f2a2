// Which fits are made from sparse rows, so that indicators of thousands of categories do not become
// a dense table.
#pragma once

#include "tandem/core/export.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model/pipeline_options.hpp"

namespace tandem {

// True where fit() takes rows in compressed sparse row form (DatasetView::sparse).
[[nodiscard]] TANDEM_API bool takes_sparse_rows(const Algorithm& algorithm);

// Whether fit_pipeline() makes indicators of these columns' categories as sparse rows, for an
// algorithm that takes them: where written out they would be far more than the rows are, and more
// than 64 MiB. It does so where PipelineContext::prepared is null, since there are no prepared rows
// to hand out then; the model is the same, bit for bit.
template <Real T>
[[nodiscard]] TANDEM_API bool trains_on_sparse_rows(const PipelineOptions& options,
                                                    const DatasetView<T>& train);

}  // namespace tandem
