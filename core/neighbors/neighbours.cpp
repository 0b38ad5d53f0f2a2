#include "tandem/neighbors/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/data/base_margin.hpp"
#include "core/data/finite_rows.hpp"
#include "core/json_text.hpp"
#include "core/linear/rows.hpp"
#include "core/load_enum.hpp"
#include "core/memory.hpp"
#include "core/neighbors/kept_rows.hpp"
#include "core/neighbors/neighbour_search.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

void NeighbourOptions::visit(OptionVisitor& visitor) {
  visitor.integer({"neighbours", "k", {"n_neighbors"}}, neighbours, "neighbours that have a say", 1,
                  most_neighbours);
  visitor.choice({"weighting", {"weights"}}, weighting,
                 "what a neighbour's say is: the same for all, or the reciprocal of its distance");
  visitor.choice({"distance", {"metric"}}, distance, "how far two rows are from each other");
}

template <Real T>
std::vector<Index> rows_to_keep(const DatasetView<T>& data, Index neighbours,
                                NeighbourMetric metric, std::string_view algorithm, int threads) {
  require_dense(data, algorithm);
  refuse_base_margin(data, algorithm);
  if (data.rows() == 0 || data.cols() == 0) {
    throw InputError(data.source + ": has " + std::to_string(data.rows()) + " rows and " +
                     std::to_string(data.cols()) +
                     " feature columns; expected at least one of each");
  }
  constexpr Index most_rows = (Index{1} << 31) - 1;
  if (data.rows() > most_rows) {
    throw InputError(data.source + ": " + std::to_string(data.rows()) + " rows; " +
                     std::string(algorithm) + " take at most " + std::to_string(most_rows));
  }
  require_finite_rows(data, false, false, threads);
  require_distances(data.features, data.source, metric, threads);
  std::vector<Index> kept;
  for (Index i = 0; i < data.rows(); ++i) {
    if (!data.has_weights() || data.weights[static_cast<std::size_t>(i)] > T{0}) kept.push_back(i);
  }
  if (static_cast<Index>(kept.size()) < neighbours) {
    throw InputError(data.source + ": has " + std::to_string(kept.size()) + " rows" +
                     (data.has_weights() ? " of weight above 0" : "") + " to be neighbours; " +
                     option("neighbours") + " asks for " + std::to_string(neighbours) +
                     "; ask for fewer");
  }
  return kept;
}

template <Real T>
void keep_rows(const DatasetView<T>& data, const std::vector<Index>& kept,
               const NeighbourOptions& options, NeighbourModel<T>& model) {
  const auto count = static_cast<Index>(kept.size());
  require_memory(
      "a model that keeps " + std::to_string(count) + " rows of " + std::to_string(data.cols()) +
          " features",
      saturating_product(saturating_product(count, data.cols()), static_cast<Index>(sizeof(T))),
      "train on fewer rows");
  model.rows = Matrix<T>(count, data.cols());
  for (Index i = 0; i < count; ++i) {
    const auto row = data.features.row(kept[static_cast<std::size_t>(i)]);
    std::copy(row.begin(), row.end(), model.rows.row(i).begin());
  }
  if (data.has_weights()) model.weights = kept_of(data.weights, kept);
  model.options = options;
  model.log.iterations = 1;
  model.log.converged = true;
  model.log.stopped_because = "the rows are the model";
}

template <Real T>
void say_of(const NeighbourModel<T>& model, const std::int32_t* nearest, const T* distances,
            Index k, double* say) {
  const auto first = static_cast<double>(distances[0]);
  for (Index r = 0; r < k; ++r) {
    const double weight =
        model.weights.empty()
            ? 1.0
            : static_cast<double>(model.weights[static_cast<std::size_t>(nearest[r])]);
    double share = 1;
    if (model.options.weighting == NeighbourWeights::distance) {
      const auto distance = static_cast<double>(distances[r]);
      share = first > 0 ? first / distance : distance > 0 ? 0.0 : 1.0;
    }
    say[r] = weight * share;
  }
}

template <Real T>
Predictions<T> NeighbourModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return this->ready_on(engine)->predict(x);
}

template <Real T>
void NeighbourModel<T>::save(Archive& archive) const {
  archive.set_matrix("rows", rows);
  if (!weights.empty()) archive.set_tensor("weights", weights);
  archive.set("neighbours", options.neighbours);
  archive.set("weighting", to_string(options.weighting));
  archive.set("metric", to_string(options.distance));
  log.save(archive);
}

template <Real T>
void NeighbourModel<T>::load_rows(const Archive& archive) {
  rows = archive.get_matrix<T>("rows");
  if (rows.rows() < 1 || rows.cols() < 1) archive.fail("rows", "has no rows or no features");
  options.weighting = load_enum<NeighbourWeights>(archive, "weighting");
  options.distance = load_enum<NeighbourMetric>(archive, "metric");
  options.neighbours =
      archive.get_int("neighbours", 1, std::min<std::int64_t>(most_neighbours, rows.rows()));
  require_distances(MatrixView<const T>(rows.view()), archive.origin() + ": rows", options.distance,
                    1);
  weights.clear();
  if (archive.has("weights")) weights = archive.get_tensor<T>("weights", rows.rows());
  for (const T weight : weights) {
    if (!(weight > T{0}) || !std::isfinite(weight)) {
      archive.fail("weights", "expected finite numbers above 0");
    }
  }
  log = TrainingLog::load(archive);
}

template <Real T>
std::string NeighbourModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  nlohmann::json json = {
      {"neighbours", options.neighbours},      {"weighting", to_string(options.weighting)},
      {"metric", to_string(options.distance)}, {"rows", rows.rows()},
      {"weighted", !weights.empty()},          {"features", feature_names}};
  if (!this->classes().empty()) json["classes"] = this->classes();
  return json_text(json);
}

template <Real T>
std::string NeighbourModel<T>::to_text(const std::vector<std::string>& feature_names) const {
  std::string text = std::string(this->algorithm()) + ": the " +
                     std::to_string(options.neighbours) + " nearest of " +
                     std::to_string(rows.rows()) + (weights.empty() ? "" : " weighted") +
                     " rows by " + std::string(to_string(options.distance)) + " distance, with " +
                     (options.weighting == NeighbourWeights::uniform ? "the same say each"
                                                                     : "a say of 1 / distance") +
                     "\nfeatures:";
  for (const auto& name : feature_names) text += " " + name;
  if (!this->classes().empty()) {
    text += "\nclasses:";
    for (const auto& name : this->classes()) text += " " + name;
  }
  return text + "\n";
}

template class NeighbourModel<float>;
template class NeighbourModel<double>;
template std::vector<Index> rows_to_keep(const DatasetView<float>&, Index, NeighbourMetric,
                                         std::string_view, int);
template std::vector<Index> rows_to_keep(const DatasetView<double>&, Index, NeighbourMetric,
                                         std::string_view, int);
template void keep_rows(const DatasetView<float>&, const std::vector<Index>&,
                        const NeighbourOptions&, NeighbourModel<float>&);
template void keep_rows(const DatasetView<double>&, const std::vector<Index>&,
                        const NeighbourOptions&, NeighbourModel<double>&);
template void say_of(const NeighbourModel<float>&, const std::int32_t*, const float*, Index,
                     double*);
template void say_of(const NeighbourModel<double>&, const std::int32_t*, const double*, Index,
                     double*);

}  // namespace tandem
