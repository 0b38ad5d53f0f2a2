// The parts of a pipeline but for its model.
#pragma once

#include "tandem/core/archive.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem {

// A pipeline whose steps are fitted on `train`, which is transformed in place. Throws InputError
// for options that do not fit.
template <Real T>
[[nodiscard]] Pipeline<T> fit_steps(Engine& engine, Dataset<T>& train,
                                    const PipelineOptions& options);
// Transforms rows for validation in place. Throws InputError for rows that the algorithm cannot
// take.
template <Real T>
void prepare_validation(const TransformChain<T>& transforms, const Algorithm& algorithm,
                        Dataset<T>& validation, int threads);

template <Real T>
void save_parts(const Pipeline<T>& pipeline, Archive& archive);
// Throws InputError for what save_parts() cannot have written.
template <Real T>
[[nodiscard]] Pipeline<T> load_parts(const Archive& archive);

}  // namespace tandem
