// Trees that stand on an engine, so that a call brings rows and takes scores.
#pragma once

#include <memory>
#include <utility>

#include "core/model/ready_by.hpp"
#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/tree_ensemble_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem::tree {

// predictions_of(scores): what raw scores (rows × outputs) stand for. `trees` and `engine` must
// outlive the result.
template <Real T, class PredictionsOf>
[[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_trees(Engine& engine,
                                                         const TreeEnsemble<T>& trees,
                                                         PredictionsOf predictions_of) {
  return ready_by<T>([&engine, &trees, predictions_of = std::move(predictions_of),
                      on_engine = to_engine(engine, trees),
                      steps = make_steps<TreeEnsembleSteps, T>(engine)](MatrixView<const T> x) {
    trees.check_columns(x.cols);
    Matrix<T> scores(x.rows, trees.outputs);
    if (x.rows > 0) {
      Buffer<T> sums(engine, scores.size());
      steps->set_base(on_engine, x.rows, sums);
      const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
      steps->add_trees(on_engine, 0, on_engine.trees, rows, x.rows, sums);
      sums.download(scores.values());
    }
    return predictions_of(scores);
  });
}

}  // namespace tandem::tree
