#include "tandem/neighbors/knn_classifier.hpp"

#include <algorithm>

#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/model/largest_of_rows.hpp"
#include "core/model/ready_by.hpp"
#include "core/neighbors/kept_rows.hpp"
#include "core/neighbors/neighbour_search.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {

template <Real T>
KNNClassifierModel<T> fit(Engine& engine, const DatasetView<T>& data,
                          const KNNClassifierOptions& options,
                          const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  check_options(options);
  const DatasetView<T>& train = setting.data();
  check_rows(train);
  const std::vector<Index> kept = rows_to_keep(train, options.neighbours, options.distance,
                                               "nearest neighbours", engine.threads());
  Classes classes = encode_classes(train);
  if (classes.names.size() < 2) {
    throw InputError(train.source + ": every row has the class " + classes.names.front() + " in " +
                     train.target_column().name + "; expected at least two classes");
  }
  KNNClassifierModel<T> model;
  keep_rows(train, kept, options, model);
  model.class_names = std::move(classes.names);
  model.labels = kept_of(std::span<const std::int32_t>(classes.labels), kept);
  return model;
}

template <Real T>
std::unique_ptr<ReadyModel<T>> KNNClassifierModel<T>::ready_on(Engine& engine) const {
  return ready_by<T>([this, threads = engine.threads(),
                      search = std::make_shared<NeighbourSearch<T>>(
                          engine, this->rows.view(), this->options.distance,
                          "the nearest-neighbours model")](MatrixView<const T> x) {
    const auto count = static_cast<Index>(class_names.size());
    require_memory(
        "a table of " + std::to_string(x.rows) + " rows and " + std::to_string(count) +
            " probabilities",
        saturating_product(saturating_product(x.rows, count), static_cast<Index>(sizeof(T))),
        "take fewer rows at a time");
    Predictions<T> predictions;
    predictions.probabilities = Matrix<T>(x.rows, count);
    search->for_each_piece(
        x, this->options.neighbours, Own::no, [&](const NeighbourLists<T>& lists) {
          parallel_pieces(threads, lists.rows, 1024, [&](Piece piece) {
            std::vector<double> say(static_cast<std::size_t>(lists.k));
            std::vector<double> votes(static_cast<std::size_t>(count));
            for (Index i = piece.begin; i < piece.end; ++i) {
              const std::int32_t* const nearest = lists.nearest + i * lists.k;
              say_of(*this, nearest, lists.distances + i * lists.k, lists.k, say.data());
              std::fill(votes.begin(), votes.end(), 0.0);
              double total = 0;
              for (Index r = 0; r < lists.k; ++r) {
                const double one = say[static_cast<std::size_t>(r)];
                votes[static_cast<std::size_t>(labels[static_cast<std::size_t>(nearest[r])])] +=
                    one;
                total += one;
              }
              T* const row = predictions.probabilities.data() + (lists.begin + i) * count;
              for (Index c = 0; c < count; ++c) {
                row[c] = static_cast<T>(votes[static_cast<std::size_t>(c)] / total);
              }
            }
          });
        });
    predictions.labels =
        largest_of_rows<T>(std::as_const(predictions.probabilities).view(), threads);
    return predictions;
  });
}

template <Real T>
void KNNClassifierModel<T>::save(Archive& archive) const {
  NeighbourModel<T>::save(archive);
  archive.set("classes", class_names);
  archive.set_tensor("labels", labels);
}

template <Real T>
KNNClassifierModel<T> KNNClassifierModel<T>::load(const Archive& archive) {
  KNNClassifierModel model;
  model.load_rows(archive);
  model.class_names = archive.get_strings("classes");
  if (model.class_names.size() < 2) archive.fail("classes", "expected at least two");
  model.labels = archive.get_tensor<std::int32_t>("labels", model.rows.rows());
  for (const std::int32_t label : model.labels) {
    if (label < 0 || static_cast<std::size_t>(label) >= model.class_names.size()) {
      archive.fail("labels", "has a class that the model does not have");
    }
  }
  return model;
}

template class KNNClassifierModel<float>;
template class KNNClassifierModel<double>;
template KNNClassifierModel<float> fit(Engine&, const DatasetView<float>&,
                                       const KNNClassifierOptions&, const FitContext<float>&);
template KNNClassifierModel<double> fit(Engine&, const DatasetView<double>&,
                                        const KNNClassifierOptions&, const FitContext<double>&);

}  // namespace tandem
