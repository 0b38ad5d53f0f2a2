// Pictures of principal components, for pages about models with such a step.
#pragma once

#include "tandem/data/dataset.hpp"
#include "tandem/decompose/principal_axes.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/result_page.hpp"

namespace tandem::program {

// The share of the variance of each component, and, where there are two, a biplot: the rows of
// `prepared`, as the model sees them, along the first two, and what the columns weigh in these.
// Nothing where the pipeline has no such step.
template <Real T>
void add_components(Figures& figures, const Pipeline<T>& model, const Dataset<T>& prepared);

}  // namespace tandem::program
