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
std::vector<T> predict_linear(Engine& engine, LinearLoss loss, Index outputs, Index features,
                              const std::vector<double>& parameters, MatrixView<const T> x,
                              std::string_view model) {
  if (x.cols != features) {
    throw InputError("the " + std::string(model) + " model was trained on " +
                     std::to_string(features) + " features but the data has " +
                     std::to_string(x.cols));
  }
  const Index columns = loss == LinearLoss::logistic ? 2 : outputs;
  require_memory(
      "a table of " + std::to_string(x.rows) + " rows and " + std::to_string(columns) +
          " results of " + std::string(model),
      saturating_product(saturating_product(x.rows, columns), static_cast<Index>(sizeof(T))),
      "take fewer rows at a time");
  const auto steps = make_steps<LinearSteps, T>(engine);
  const auto model_parameters = to_engine(engine, parameters);
  constexpr Index chunk_bytes = Index{4} << 20;
  const Index row_bytes = std::max<Index>(1, features) * static_cast<Index>(sizeof(T));
  const Index chunk = std::min(std::max<Index>(1, chunk_bytes / row_bytes / sum_block) * sum_block,
                               PackedRows<T>::blocks(x.rows) * sum_block);
  std::vector<T> results(static_cast<std::size_t>(x.rows * columns));
  RowSource<T> source(engine, x, {}, {}, chunk);
  PackedRows<T> packed(engine, chunk, features, false, Placement::rows);
  Buffer<T> output(engine, chunk * columns);
  for (Index begin = 0; begin < x.rows; begin += chunk) {
    const Index count = std::min(chunk, x.rows - begin);
    packed.rows = count;
    steps->pack(source.rows(begin, count), count, 0, packed);
    steps->predict(loss, packed, outputs, model_parameters, output);
    backend(engine).copy_to_host(results.data() + begin * columns, output.data(),
                                 static_cast<std::size_t>(count * columns) * sizeof(T));
  }
  return results;
}

template std::vector<float> predict_linear(Engine&, LinearLoss, Index, Index,
                                           const std::vector<double>&, MatrixView<const float>,
                                           std::string_view);
template std::vector<double> predict_linear(Engine&, LinearLoss, Index, Index,
                                            const std::vector<double>&, MatrixView<const double>,
                                            std::string_view);

}  // namespace tandem
