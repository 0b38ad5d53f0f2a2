#include "tandem/neighbors/knn_regressor.hpp"

#include <cmath>

#include "core/data/finite_rows.hpp"
#include "core/linear/rows.hpp"
#include "core/model/ready_by.hpp"
#include "core/neighbors/kept_rows.hpp"
#include "core/neighbors/neighbour_search.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {

template <Real T>
KNNRegressorModel<T> fit(Engine& engine, const DatasetView<T>& data,
                         const KNNRegressorOptions& options,
                         const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  check_options(options);
  const DatasetView<T>& train = setting.data();
  check_rows(train);
  require_numeric_target(train);
  const std::vector<Index> kept = rows_to_keep(train, options.neighbours, options.distance,
                                               "nearest neighbours", engine.threads());
  require_finite_rows(train, true, false, engine.threads());
  KNNRegressorModel<T> model;
  keep_rows(train, kept, options, model);
  model.target = kept_of(train.target, kept);
  return model;
}

template <Real T>
std::unique_ptr<ReadyModel<T>> KNNRegressorModel<T>::ready_on(Engine& engine) const {
  return ready_by<T>([this, threads = engine.threads(),
                      search = std::make_shared<NeighbourSearch<T>>(
                          engine, this->rows.view(), this->options.distance,
                          "the nearest-neighbours model")](MatrixView<const T> x) {
    Predictions<T> predictions;
    predictions.values.resize(static_cast<std::size_t>(x.rows));
    search->for_each_piece(
        x, this->options.neighbours, Own::no, [&](const NeighbourLists<T>& lists) {
          parallel_pieces(threads, lists.rows, 1024, [&](Piece piece) {
            std::vector<double> say(static_cast<std::size_t>(lists.k));
            for (Index i = piece.begin; i < piece.end; ++i) {
              const std::int32_t* const nearest = lists.nearest + i * lists.k;
              say_of(*this, nearest, lists.distances + i * lists.k, lists.k, say.data());
              // From the nearest one's target on, so that the mean of equal ones is theirs.
              const auto at = [&](Index r) {
                return static_cast<double>(target[static_cast<std::size_t>(nearest[r])]);
              };
              const double origin = at(0);
              double sum = 0;
              double total = 0;
              for (Index r = 0; r < lists.k; ++r) {
                const double one = say[static_cast<std::size_t>(r)];
                sum = math::fma(one, at(r) - origin, sum);
                total += one;
              }
              predictions.values[static_cast<std::size_t>(lists.begin + i)] =
                  static_cast<T>(origin + sum / total);
            }
          });
        });
    return predictions;
  });
}

template <Real T>
void KNNRegressorModel<T>::save(Archive& archive) const {
  NeighbourModel<T>::save(archive);
  archive.set_tensor("target", target);
}

template <Real T>
KNNRegressorModel<T> KNNRegressorModel<T>::load(const Archive& archive) {
  KNNRegressorModel model;
  model.load_rows(archive);
  model.target = archive.get_tensor<T>("target", model.rows.rows());
  for (const T value : model.target) {
    if (!std::isfinite(value)) archive.fail("target", "expected finite numbers");
  }
  return model;
}

template class KNNRegressorModel<float>;
template class KNNRegressorModel<double>;
template KNNRegressorModel<float> fit(Engine&, const DatasetView<float>&,
                                      const KNNRegressorOptions&, const FitContext<float>&);
template KNNRegressorModel<double> fit(Engine&, const DatasetView<double>&,
                                       const KNNRegressorOptions&, const FitContext<double>&);

}  // namespace tandem
