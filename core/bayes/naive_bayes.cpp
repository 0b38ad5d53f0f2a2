#include "tandem/bayes/naive_bayes.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>

#include "core/bayes/bayes_steps.hpp"
#include "core/bayes/class_rows.hpp"
#include "core/json_text.hpp"
#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/model/largest_of_rows.hpp"
#include "core/model/log_odds.hpp"
#include "core/model/ready_by.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

Buffer<double> padded(Engine& engine, const std::vector<double>& values, Index classes,
                      Index pitch) {
  const auto rows = static_cast<Index>(values.size()) / classes;
  std::vector<double> wide(static_cast<std::size_t>(rows * pitch), 0.0);
  for (Index r = 0; r < rows; ++r) {
    std::copy_n(values.begin() + r * classes, classes, wide.begin() + r * pitch);
  }
  return to_engine(engine, wide);
}

// A model's likelihood on an engine, which must outlive it.
template <Real T>
class BayesPredictor {
 public:
  BayesPredictor(Engine& engine, const BayesTerms& terms)
      : engine_(&engine), steps_(make_steps<BayesSteps, T>(engine)), terms_(engine, terms) {}

  [[nodiscard]] Matrix<T> probabilities(MatrixView<const T> x) {
    return in_pieces<T>(x, [&](const RowsView<T>& rows, Buffer<double>& joint, T* results) {
      steps_->joint(terms_, rows, joint.data());
      steps_->probabilities(joint.data(), rows.rows, terms_.classes, results);
    });
  }
  [[nodiscard]] Matrix<double> joint(MatrixView<const T> x) {
    return in_pieces<double>(x, [&](const RowsView<T>& rows, Buffer<double>&, double* results) {
      steps_->joint(terms_, rows, results);
    });
  }

 private:
  // rows × classes of R; f(rows, scratch of as many doubles, where the results go).
  template <class R, class F>
  [[nodiscard]] Matrix<R> in_pieces(MatrixView<const T> x, F&& f) {
    if (x.cols != terms_.features) {
      throw InputError("the naive Bayes model was trained on " + std::to_string(terms_.features) +
                       " features but the data has " + std::to_string(x.cols) +
                       "; give the columns that it was trained on");
    }
    const Index classes = terms_.classes;
    require_memory(
        "a table of " + std::to_string(x.rows) + " rows and " + std::to_string(classes) +
            " results of naive Bayes",
        saturating_product(saturating_product(x.rows, classes), static_cast<Index>(sizeof(R))),
        "take fewer rows at a time");
    Matrix<R> results(x.rows, classes);
    const bool here = works_in_host_memory(*engine_);
    constexpr Index piece_bytes = Index{4} << 20;
    const Index row_bytes = std::max<Index>(1, std::max(x.cols, classes) * 8);
    const Index blocks = std::max<Index>(1, piece_bytes / row_bytes / sum_block);
    const Index piece = std::min(blocks, std::max<Index>(1, sum_blocks(x.rows))) * sum_block;
    RowSource<T> source(*engine_, x, {}, {}, piece);
    Buffer<double> joint(*engine_, piece * classes);
    Buffer<R> output(*engine_, here ? 0 : piece * classes);
    for (Index begin = 0; begin < x.rows; begin += piece) {
      const Index count = std::min(piece, x.rows - begin);
      R* const to = results.data() + begin * classes;
      f(source.rows(begin, count), joint, here ? to : output.data());
      if (here) continue;
      backend(*engine_).copy_to_host(to, output.data(),
                                     static_cast<std::size_t>(count * classes) * sizeof(R));
    }
    return results;
  }

  Engine* engine_;
  std::unique_ptr<BayesSteps<T>> steps_;
  BayesTermsOn terms_;
};

}  // namespace

BayesTermsOn::BayesTermsOn(Engine& engine, const BayesTerms& terms)
    : likelihood(terms.likelihood),
      features(terms.features),
      classes(terms.classes),
      pitch((terms.classes + multiple - 1) / multiple * multiple),
      threshold(terms.threshold),
      bias(padded(engine, terms.bias, classes, pitch)),
      weights(padded(engine, terms.weights, classes, pitch)),
      means(padded(engine, terms.means, classes, pitch)),
      first(to_engine(engine, terms.first)) {}

void BayesPriorOptions::visit(OptionVisitor& visitor) {
  visitor.flag({"uniform_prior", {"no_fit_prior"}}, uniform_prior,
               "take every class to be as frequent as every other");
  visitor.reals({"priors", {"class_prior"}}, priors,
                "how frequent the classes are, in their order, summing to 1; none: as in the data",
                0, 1);
}

void BayesPriorOptions::check() const {
  check_priors(priors);
  if (uniform_prior && !priors.empty()) {
    throw InputError(option("uniform_prior") + " and " + option("priors") +
                     " contradict each other; give one of them");
  }
}

template <Real T>
Predictions<T> NaiveBayesModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return ready_on(engine)->predict(x);
}

template <Real T>
std::unique_ptr<ReadyModel<T>> NaiveBayesModel<T>::ready_on(Engine& engine) const {
  return ready_by<T>([on = BayesPredictor<T>(engine, terms()),
                      threads = engine.threads()](MatrixView<const T> x) mutable {
    Predictions<T> predictions;
    predictions.probabilities = on.probabilities(x);
    predictions.labels =
        largest_of_rows<T>(std::as_const(predictions.probabilities).view(), threads);
    return predictions;
  });
}

template <Real T>
Matrix<double> NaiveBayesModel<T>::margins(Engine& engine, MatrixView<const T> x) const {
  Matrix<double> odds = BayesPredictor<T>(engine, terms()).joint(x);
  for (Index i = 0; i < odds.rows(); ++i) log_odds_of_softmax(odds.row(i));
  return odds;
}

template <Real T>
void NaiveBayesModel<T>::save(Archive& archive) const {
  archive.set("classes", class_names);
  archive.set_tensor("class_weights", class_weights);
  archive.set_tensor("class_log_prior", class_log_prior);
  log.save(archive);
}

template <Real T>
void NaiveBayesModel<T>::load_common(const Archive& archive) {
  class_names = archive.get_strings("classes");
  const auto count = static_cast<Index>(class_names.size());
  if (count < 2) archive.fail("classes", "expected at least two");
  class_weights = archive.get_tensor<double>("class_weights", count);
  for (const double weight : class_weights) {
    if (!(weight >= 0) || !std::isfinite(weight)) {
      archive.fail("class_weights", "expected finite numbers, 0 or more");
    }
  }
  class_log_prior = archive.get_tensor<double>("class_log_prior", count);
  bool some = false;
  for (const double prior : class_log_prior) {
    // Rounding may leave a prior of all but one above 0.
    if (!(prior <= 1e-6)) archive.fail("class_log_prior", "expected logarithms of probabilities");
    some = some || std::isfinite(prior);
  }
  if (!some) archive.fail("class_log_prior", "has no class that is possible");
  log = TrainingLog::load(archive);
}

template <Real T>
std::string NaiveBayesModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  nlohmann::json json = {{"classes", class_names},
                         {"class_weights", class_weights},
                         {"class_log_prior", class_log_prior}};
  json["features"] = feature_names;
  for (const Numbers& each : numbers()) {
    nlohmann::json rows = nlohmann::json::array();
    for (Index c = 0; c < each.values.rows(); ++c) {
      const auto row = each.values.row(c);
      rows.push_back(std::vector<double>(row.begin(), row.end()));
    }
    json[each.title] = std::move(rows);
  }
  return json_text(json);
}

template <Real T>
std::string NaiveBayesModel<T>::to_text(const std::vector<std::string>& feature_names) const {
  const auto number = [](double value) {
    std::array<char, 40> text{};
    (void)std::snprintf(text.data(), text.size(), " %14.7g", value);
    return std::string(text.data());
  };
  std::string head = "ln P(class)";
  std::size_t width = head.size();
  for (const auto& name : feature_names) width = std::max(width, name.size());
  const auto padded_name = [&](std::string name) {
    name.resize(width, ' ');
    return name;
  };
  std::string text = std::string(this->algorithm()) + ", " + std::to_string(class_names.size()) +
                     " classes\n" + padded_name("");
  for (const auto& name : class_names) {
    text += " " + std::string(name.size() < 14 ? 14 - name.size() : 0, ' ') + name;
  }
  text += "\n" + padded_name(head);
  for (const double prior : class_log_prior) text += number(prior);
  text += "\n";
  for (const Numbers& each : numbers()) {
    text += "\n" + each.title + "\n";
    for (Index j = 0; j < each.values.cols(); ++j) {
      text += padded_name(feature_names[static_cast<std::size_t>(j)]);
      for (Index c = 0; c < each.values.rows(); ++c) text += number(each.values(c, j));
      text += "\n";
    }
  }
  return text;
}

template <Real T>
void FeatureWeightsModel<T>::save(Archive& archive) const {
  NaiveBayesModel<T>::save(archive);
  archive.set_matrix("feature_counts", feature_counts);
  archive.set_matrix("feature_log_prob", feature_log_prob);
}

template <Real T>
void FeatureWeightsModel<T>::load_weights(const Archive& archive) {
  this->load_common(archive);
  const auto classes = static_cast<Index>(this->class_names.size());
  feature_counts = archive.get_matrix<double>("feature_counts", classes);
  if (feature_counts.cols() < 1) archive.fail("feature_counts", "expected at least one feature");
  for (const double count : feature_counts.values()) {
    if (!(count >= 0) || !std::isfinite(count)) {
      archive.fail("feature_counts", "expected finite numbers, 0 or more");
    }
  }
  feature_log_prob = archive.get_matrix<double>("feature_log_prob", classes);
  if (feature_log_prob.cols() != feature_counts.cols()) {
    archive.fail("feature_log_prob", "is of another width than the counts");
  }
  for (const double value : feature_log_prob.values()) {
    if (!std::isfinite(value)) archive.fail("feature_log_prob", "expected finite numbers");
  }
}

template <Real T>
auto FeatureWeightsModel<T>::numbers() const -> std::vector<typename NaiveBayesModel<T>::Numbers> {
  return {{"feature_log_prob", feature_log_prob}, {"feature_counts", feature_counts}};
}

template class NaiveBayesModel<float>;
template class NaiveBayesModel<double>;
template class FeatureWeightsModel<float>;
template class FeatureWeightsModel<double>;

}  // namespace tandem
