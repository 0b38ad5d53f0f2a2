#include "core/linear/predict.hpp"
#include "core/engine_backend.hpp"

#include <algorithm>
#include <string>

#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

template <Real T>
LinearPredictor<T>::LinearPredictor(Engine& engine, LinearLoss loss, Index outputs, Index features,
                                    const std::vector<double>& parameters, std::string_view model)
    : engine_(&engine),
      loss_(loss),
      outputs_(outputs),
      features_(features),
      model_(model),
      steps_(make_steps<LinearSteps, T>(engine)),
      parameters_(to_engine(engine, parameters)) {}

template <Real T>
std::vector<T> LinearPredictor<T>::predict(MatrixView<const T> x) {
  if (x.cols != features_) {
    throw InputError("the " + model_ + " model was trained on " + std::to_string(features_) +
                     " features but the data has " + std::to_string(x.cols) +
                     "; give the columns that it was trained on");
  }
  const Index columns = loss_ == LinearLoss::logistic ? 2 : outputs_;
  require_memory(
      "a table of " + std::to_string(x.rows) + " rows and " + std::to_string(columns) +
          " results of " + model_,
      saturating_product(saturating_product(x.rows, columns), static_cast<Index>(sizeof(T))),
      "take fewer rows at a time");
  std::vector<T> results(static_cast<std::size_t>(x.rows * columns));
  if (works_in_host_memory(*engine_)) {
    steps_->predict(loss_, {x.rows, x.cols, x.stride, x.data}, outputs_, parameters_,
                    results.data());
    return results;
  }
  constexpr Index chunk_bytes = Index{4} << 20;
  const Index row_bytes = std::max<Index>(1, features_) * static_cast<Index>(sizeof(T));
  const Index chunk = std::min(std::max<Index>(1, chunk_bytes / row_bytes / sum_block) * sum_block,
                               PackedRows<T>::blocks(x.rows) * sum_block);
  RowSource<T> source(*engine_, x, {}, {}, chunk);
  Buffer<T> output(*engine_, chunk * columns);
  for (Index begin = 0; begin < x.rows; begin += chunk) {
    const Index count = std::min(chunk, x.rows - begin);
    steps_->predict(loss_, source.rows(begin, count), outputs_, parameters_, output.data());
    backend(*engine_).copy_to_host(results.data() + begin * columns, output.data(),
                                   static_cast<std::size_t>(count * columns) * sizeof(T));
  }
  return results;
}

template class LinearPredictor<float>;
template class LinearPredictor<double>;

}  // namespace tandem
