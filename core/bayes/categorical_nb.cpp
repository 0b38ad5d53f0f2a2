#include "tandem/bayes/categorical_nb.hpp"

#include <algorithm>
#include <cmath>

#include "core/bayes/bayes_math.hpp"
#include "core/bayes/bayes_steps.hpp"
#include "core/bayes/class_rows.hpp"
#include "core/bayes/feature_weights.hpp"
#include "core/json_text.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

// Codes above this are quantities rather than categories.
constexpr Index most_categories = Index{1} << 24;

// How many categories each feature has: those that its column declares, or up to the largest code.
// Throws InputError that names the first value that is no code.
template <Real T>
std::vector<Index> categories_of(const DatasetView<T>& data, Index least) {
  std::vector<Index> counts(static_cast<std::size_t>(data.cols()), std::max<Index>(1, least));
  for (Index j = 0; j < data.cols() && !data.columns.empty(); ++j) {
    const auto declared =
        static_cast<Index>(data.columns[static_cast<std::size_t>(j)].categories.size());
    Index& count = counts[static_cast<std::size_t>(j)];
    count = std::max(count, declared);
  }
  for (Index i = 0; i < data.rows(); ++i) {
    if (i % sum_block == 0) StopScope::check();
    const auto row = data.features.row(i);
    for (Index j = 0; j < data.cols(); ++j) {
      const T value = row[static_cast<std::size_t>(j)];
      // Missing, or of a category that the training part does not have.
      if (std::isnan(value)) continue;
      const Index code = bayes::code_of(value, most_categories);
      if (code < 0) {
        throw InputError(data.source + ": row " + std::to_string(i + 1) + ", column " +
                         data.feature_name(j) + ": " + shortest(value) +
                         " is no category; expected the whole numbers 0, 1, ... (up to " +
                         std::to_string(most_categories - 1) +
                         "), or texts in a file; for quantities take gaussian-nb");
      }
      Index& count = counts[static_cast<std::size_t>(j)];
      count = std::max(count, code + 1);
    }
  }
  return counts;
}

std::vector<Index> begins_of(const std::vector<Index>& categories) {
  std::vector<Index> first{0};
  for (const Index count : categories) first.push_back(first.back() + count);
  return first;
}

}  // namespace

void CategoricalNBOptions::visit(OptionVisitor& visitor) {
  visit_alpha(visitor, alpha);
  visitor.integer("min_categories", min_categories,
                  "categories that every feature has at least; 0: those that the data has", 0,
                  most_categories);
  prior.visit(visitor);
}

template <Real T>
CategoricalNBModel<T> fit(Engine& engine, const DatasetView<T>& data,
                          const CategoricalNBOptions& options,
                          const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  require_dense(setting.data(), "categorical naive Bayes");
  check_options(options);
  const ClassRows<T> rows(engine, setting.data(), "categorical naive Bayes", true);
  CategoricalNBModel<T> model;
  begin_model(rows,
              class_log_priors(data.source, rows.names(), rows.weights(), options.prior.priors,
                               options.prior.uniform_prior),
              model);
  model.categories = categories_of(setting.data(), options.min_categories);
  const std::vector<Index> first = begins_of(model.categories);
  // Counts, their logarithms, and the same again while they are made.
  require_memory(data.source + ": the counts of " + std::to_string(first.back()) +
                     " categories in " + std::to_string(rows.classes()) + " classes",
                 saturating_product(saturating_product(first.back(), rows.classes()), 4 * 8),
                 "leave out columns with many categories");
  model.category_counts = rows.code_counts(first);
  model.category_log_prob = Matrix<double>(rows.classes(), first.back());
  for (Index c = 0; c < rows.classes(); ++c) {
    for (Index j = 0; j < data.cols(); ++j) {
      const auto begin = static_cast<std::size_t>(first[static_cast<std::size_t>(j)]);
      const auto count = static_cast<std::size_t>(model.categories[static_cast<std::size_t>(j)]);
      log_shares(std::as_const(model.category_counts).row(c).subspan(begin, count), options.alpha,
                 model.category_log_prob.row(c).subspan(begin, count));
    }
  }
  return model;
}

template <Real T>
BayesTerms CategoricalNBModel<T>::terms() const {
  BayesTerms terms = terms_of_weights(category_log_prob);
  terms.likelihood = BayesLikelihood::coded;
  terms.features = features();
  terms.bias = this->class_log_prior;
  terms.first = begins_of(categories);
  return terms;
}

template <Real T>
auto CategoricalNBModel<T>::numbers() const -> std::vector<typename NaiveBayesModel<T>::Numbers> {
  // How much a feature tells: the largest difference that one of its categories makes between this
  // class and the others, in logarithms.
  Matrix<double> most(category_log_prob.rows(), features());
  const std::vector<Index> first = begins_of(categories);
  for (Index c = 0; c < most.rows(); ++c) {
    for (Index j = 0; j < features(); ++j) {
      for (Index k = first[static_cast<std::size_t>(j)]; k < first[static_cast<std::size_t>(j) + 1];
           ++k) {
        for (Index other = 0; other < most.rows(); ++other) {
          most(c, j) = std::max(most(c, j), category_log_prob(c, k) - category_log_prob(other, k));
        }
      }
    }
  }
  return {{"largest_log_ratio", most}};
}

template <Real T>
std::string CategoricalNBModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  auto json = nlohmann::json::parse(NaiveBayesModel<T>::to_json(feature_names));
  const std::vector<Index> first = begins_of(categories);
  json["categories"] = categories;
  json["category_log_prob"] = nlohmann::json::array();
  for (Index j = 0; j < features(); ++j) {
    nlohmann::json classes = nlohmann::json::array();
    for (Index c = 0; c < category_log_prob.rows(); ++c) {
      const auto row = category_log_prob.row(c);
      classes.push_back(std::vector<double>(row.begin() + first[static_cast<std::size_t>(j)],
                                            row.begin() + first[static_cast<std::size_t>(j) + 1]));
    }
    json["category_log_prob"].push_back(std::move(classes));
  }
  return json_text(json);
}

template <Real T>
void CategoricalNBModel<T>::save(Archive& archive) const {
  NaiveBayesModel<T>::save(archive);
  archive.set_tensor("categories", categories);
  archive.set_matrix("category_counts", category_counts);
  archive.set_matrix("category_log_prob", category_log_prob);
}

template <Real T>
CategoricalNBModel<T> CategoricalNBModel<T>::load(const Archive& archive) {
  CategoricalNBModel model;
  model.load_common(archive);
  const auto classes = static_cast<Index>(model.class_names.size());
  model.categories = archive.get_tensor<Index>("categories");
  if (model.categories.empty()) archive.fail("categories", "expected at least one feature");
  for (const Index count : model.categories) {
    if (count < 1 || count > most_categories) {
      archive.fail("categories", "expected numbers from 1 to " + std::to_string(most_categories));
    }
  }
  const Index codes = begins_of(model.categories).back();
  model.category_counts = archive.get_matrix<double>("category_counts", classes);
  model.category_log_prob = archive.get_matrix<double>("category_log_prob", classes);
  if (model.category_counts.cols() != codes || model.category_log_prob.cols() != codes) {
    archive.fail("category_log_prob", "is not as wide as there are categories");
  }
  for (const double count : model.category_counts.values()) {
    if (!(count >= 0) || !std::isfinite(count)) {
      archive.fail("category_counts", "expected finite numbers, 0 or more");
    }
  }
  for (const double value : model.category_log_prob.values()) {
    if (!(value <= 1e-6) || !std::isfinite(value)) {
      archive.fail("category_log_prob", "expected logarithms of probabilities");
    }
  }
  return model;
}

template class CategoricalNBModel<float>;
template class CategoricalNBModel<double>;
template CategoricalNBModel<float> fit(Engine&, const DatasetView<float>&,
                                       const CategoricalNBOptions&, const FitContext<float>&);
template CategoricalNBModel<double> fit(Engine&, const DatasetView<double>&,
                                        const CategoricalNBOptions&, const FitContext<double>&);

}  // namespace tandem
