// A training set in bins together with what a pipeline needs to be fitted to it: the raw columns
// and the transforms that the rows went through. What `tandem bin` writes.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/model/pipeline_options.hpp"
#include "tandem/tree/binned_dataset.hpp"

namespace tandem {

template <Real T>
struct TANDEM_API BinnedTraining {
  // Without a model. provenance says which rows, and by which options of the steps and which
  // options and seed of the algorithm they were prepared.
  Pipeline<T> pipeline;
  BinnedDataset<T> data;  // the target is in its own units
};

// Fits the steps on `train`, as fit_pipeline() does, and puts what they make of it into bins by the
// options of the algorithm, which must be gradient boosting.
template <Real T>
[[nodiscard]] TANDEM_API BinnedTraining<T> bin_training(Engine& engine, Dataset<T> train,
                                                        const PipelineOptions& options);

// As save_binned() and load_binned(), which read the data of such a file too.
template <Real T>
TANDEM_API void save_binned_training(const std::string& path, const BinnedTraining<T>& training);
// Throws InputError also for a file of save_binned(), which says nothing of the raw columns.
template <Real T>
[[nodiscard]] TANDEM_API BinnedTraining<T> load_binned_training(const std::string& path);

// The pipeline that fit_pipeline() makes of the raw rows with the same options: see BinnedDataset.
// options.max_bins and max_cat_bins become those of the bins; the options of the steps must be
// those that the rows were prepared by. validation: raw rows, which are prepared in place, or null.
template <Real T>
[[nodiscard]] TANDEM_API Pipeline<T> fit_pipeline(
    Engine& engine, const BinnedTraining<T>& training, const PipelineOptions& options,
    RunControl* control = nullptr, Dataset<std::type_identity_t<T>>* validation = nullptr);

// Predictions and metrics of the rows in bins, in the units of the target, as of the rows.
template <Real T>
[[nodiscard]] TANDEM_API Evaluation evaluate_binned(const Pipeline<T>& pipeline, Engine& engine,
                                                    const BinnedDataset<T>& data,
                                                    const EvaluateOptions& options = {});

// As fingerprint() of rows.
template <Real T>
[[nodiscard]] TANDEM_API std::uint64_t fingerprint(const BinnedDataset<T>& data);

}  // namespace tandem
