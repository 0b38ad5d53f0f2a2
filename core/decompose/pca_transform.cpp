// Compiled by itself, so that the files after it keep their places among six.
#include <algorithm>

#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/transform/pca.hpp"
#include "tandem/transform/transform_of.hpp"

namespace tandem {
namespace {

// Transforms run on the host for every engine; so do the steps that this one needs. In exact mode
// they have the bits of all others.
std::unique_ptr<Engine> engine_on_host(int threads) {
  return Engine::create({.device = Device::cpu, .threads = threads});
}

std::vector<Feature> components_as_features(Index count) {
  std::vector<Feature> features;
  for (Index k = 0; k < count; ++k) {
    features.push_back({"pc" + std::to_string(k + 1), FeatureKind::number});
  }
  return features;
}

}  // namespace

void PcaStepOptions::visit(OptionVisitor& visitor) {
  visitor.integer({"dimensions", "pca", {"n_components"}}, dimensions,
                  "turn the columns into so many principal components; 0: leave them", 0,
                  std::numeric_limits<std::int32_t>::max());
  visitor.flag({"unit_variance", "pca_whiten", {"whiten"}}, unit_variance,
               "bring principal components to variance 1");
}

bool PcaStepOptions::applies_to(std::span<const Feature> features) const {
  return dimensions > 0 && !features.empty();
}

template <Real T>
PcaTransform<T>::PcaTransform(std::vector<Feature> inputs, PrincipalAxes axes)
    : Transform<T>(std::move(inputs)), axes_(std::move(axes)) {
  this->set_outputs(components_as_features(axes_.count()));
}

template <Real T>
std::vector<std::string> PcaTransform<T>::input_names() const {
  std::vector<std::string> names;
  for (const Feature& feature : this->inputs()) names.push_back(feature.name);
  return names;
}

template <Real T>
PcaTransform<T> PcaTransform<T>::fit(const TrainingRows<T>& train, const PcaStepOptions& options) {
  const std::string& source = train.data.source;
  const std::vector<Index> texts = train.of_kind(FeatureKind::category);
  if (!texts.empty()) {
    throw InputError(source + ": column " +
                     train.features[static_cast<std::size_t>(texts.front())].name +
                     " holds categories, of which there are no principal components; " +
                     option("encode") + " one-hot makes numbers of them");
  }
  const Index most = std::min(train.counting_rows(), train.cols());
  if (options.dimensions > most) {
    throw InputError(
        source + ": " + option("pca") + " asks for " + std::to_string(options.dimensions) +
        " principal components, but " + std::to_string(train.counting_rows()) + " rows of " +
        std::to_string(train.cols()) + " columns have at most " + std::to_string(most));
  }
  for (Index j = 0; j < train.cols(); ++j) {
    if (train.range(j).missing == 0) continue;
    throw InputError(source + ": column " + train.features[static_cast<std::size_t>(j)].name +
                     ": has missing values, and principal components are made of all columns; "
                     "fill them with " +
                     option("impute"));
  }
  // The rows as the steps before leave them, which may not have been carried out yet.
  DatasetView<T> seen = train.data.view();
  Matrix<T> made;
  const std::vector<Column> columns = columns_of(train.features);
  if (!train.plan.changes_nothing()) {
    made = train.plan.apply(train.data.features, source, train.threads);
    seen.features = std::as_const(made).view();
  }
  seen.columns = columns;
  const auto engine = engine_on_host(train.threads);
  return {train.features,
          principal_axes(*engine, seen,
                         {.components = options.dimensions, .whiten = options.unit_variance})};
}

template <Real T>
Matrix<T> PcaTransform<T>::transform_rows(const Matrix<T>& rows, int threads) const {
  return project(*engine_on_host(threads), axes_, rows.view(), input_names());
}

template <Real T>
Index PcaTransform<T>::input_of(Index /*j*/) const {
  return -1;  // of all of them
}

template <Real T>
void PcaTransform<T>::save(Archive& archive) const {
  axes_.save(archive);
}

template <Real T>
PcaTransform<T> PcaTransform<T>::load(const Archive& archive, std::vector<Feature> inputs) {
  PrincipalAxes axes = PrincipalAxes::load(archive);
  if (axes.features() != static_cast<Index>(inputs.size())) {
    archive.fail("components", "are of " + std::to_string(axes.features()) + " columns, expected " +
                                   std::to_string(inputs.size()));
  }
  for (const Feature& feature : inputs) {
    if (feature.kind == FeatureKind::category) {
      archive.fail("components", "are of column " + feature.name + ", which holds categories");
    }
  }
  return {std::move(inputs), std::move(axes)};
}

template <Real T>
std::string PcaTransform<T>::to_json() const {
  return axes_.to_json(input_names());
}

template <Real T>
std::string PcaTransform<T>::to_text() const {
  double share = 0;
  for (const double one : axes_.explained_variance_ratio()) share += one;
  return std::to_string(axes_.count()) + (axes_.count() == 1 ? " component" : " components") +
         (axes_.whitened ? " of variance 1" : "") + ", " + significant(100 * share, 4) +
         " % of the variance";
}

std::unique_ptr<TransformStep> make_pca_transform() {
  return transform_of<PcaStepOptions, PcaTransform>(
      {.name = "pca", .summary = "Turns columns into their principal components", .place = 600});
}

template class PcaTransform<float>;
template class PcaTransform<double>;

}  // namespace tandem
