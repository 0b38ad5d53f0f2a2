#include "systems/fraud/model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>

#include "tandem/core/error.hpp"
#include "tandem/tree/gradient_boosting.hpp"
#include "tandem/tree/tree_explainer.hpp"
#include "tandem/tree/tree_scorer.hpp"

namespace tandem::fraud {

// --- Calibration ---------------------------------------------------------------------------------

// Pool adjacent violators: Ayer, Brunk, Ewing, Reid and Silverman, Annals of Mathematical
// Statistics 26 (1955); for probabilities, Zadrozny and Elkan, KDD 2002.
Calibration Calibration::fit(std::span<const double> scores, std::span<const std::uint8_t> fraud) {
  if (scores.size() != fraud.size() || scores.empty()) {
    throw InputError("a calibration is fitted on pairs of a score and what came out");
  }
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  struct Block {
    double score = 0;  // sums
    double fraud = 0;
    double count = 0;
    [[nodiscard]] double rate() const { return fraud / count; }
  };
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < order.size();) {
    Block block;
    const double score = scores[order[i]];
    if (!(score >= 0 && score <= 1)) throw InputError("scores to calibrate are from 0 to 1");
    for (; i < order.size() && scores[order[i]] == score; ++i) {
      block.score += score;
      block.fraud += fraud[order[i]] != 0 ? 1 : 0;
      block.count += 1;
    }
    blocks.push_back(block);
    while (blocks.size() > 1 && blocks[blocks.size() - 2].rate() >= blocks.back().rate()) {
      const Block last = blocks.back();
      blocks.pop_back();
      blocks.back().score += last.score;
      blocks.back().fraud += last.fraud;
      blocks.back().count += last.count;
    }
  }
  Calibration made;
  for (const Block& block : blocks) {
    double rate = block.rate();
    if (block.fraud == 0) rate = 0.5 / (block.count + 1);
    if (block.fraud == block.count) rate = (block.count + 0.5) / (block.count + 1);
    made.from_.push_back(block.score / block.count);
    // Half a case more may set a block above the next: the order is kept.
    made.to_.push_back(made.to_.empty() ? rate : std::max(rate, made.to_.back()));
  }
  return made;
}

double Calibration::operator()(double score) const {
  if (from_.empty()) return std::clamp(score, 0.0, 1.0);
  const auto after = std::upper_bound(from_.begin(), from_.end(), score);
  if (after == from_.begin()) return to_.front();
  if (after == from_.end()) return to_.back();
  const auto i = static_cast<std::size_t>(after - from_.begin());
  const double share = (score - from_[i - 1]) / (from_[i] - from_[i - 1]);
  return to_[i - 1] + share * (to_[i] - to_[i - 1]);
}

void Calibration::save(Archive& archive) const {
  archive.set("calibration/from", from_);
  archive.set("calibration/to", to_);
}

Calibration Calibration::load(const Archive& archive) {
  Calibration made;
  made.from_ = archive.get_doubles("calibration/from");
  made.to_ = archive.get_doubles("calibration/to");
  bool right = made.from_.size() == made.to_.size();
  for (std::size_t i = 0; right && i < made.from_.size(); ++i) {
    right = made.from_[i] >= 0 && made.from_[i] <= 1 && made.to_[i] >= 0 && made.to_[i] <= 1 &&
            (i == 0 || (made.from_[i] > made.from_[i - 1] && made.to_[i] >= made.to_[i - 1]));
  }
  if (!right) archive.fail("calibration", "is no non-decreasing map of [0, 1]");
  return made;
}

// --- FraudModel ----------------------------------------------------------------------------------

struct FraudModel::Ready {
  Pipeline<float> pipeline;
  Settings settings;
  std::vector<std::size_t> columns;  // of the model, as features of this program
  TreeEnsemble<float> trees;
  std::unique_ptr<TreeScorer<float>> scorer;
  std::unique_ptr<TreeExplainer<float>> explainer;

  [[nodiscard]] std::vector<float> row(const FeatureVector& features) const {
    std::vector<float> row(columns.size());
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(features[columns[i]]);
    return row;
  }
};

FraudModel::FraudModel(Pipeline<float> pipeline, Settings settings)
    : ready_(std::make_unique<Ready>()) {
  ready_->pipeline = std::move(pipeline);
  ready_->settings = std::move(settings);
  const auto fail = [](const std::string& what) { throw InputError("the fraud model " + what); };
  const auto* const boosted =
      dynamic_cast<const GradientBoostingModel<float>*>(ready_->pipeline.model.get());
  if (boosted == nullptr || boosted->class_names != std::vector<std::string>{"0", "1"}) {
    fail("is no gradient boosting of the classes 0 and 1");
  }
  const auto& columns = ready_->pipeline.schema.columns;
  const std::vector<std::string> made = ready_->pipeline.feature_names();
  if (made.size() != columns.size()) fail("has steps that change its columns");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const int feature = feature_index(columns[i].name);
    if (feature < 0 || columns[i].name != made[i]) {
      fail("takes a column '" + columns[i].name +
           "', which is no feature of this version of the program: train it anew");
    }
    ready_->columns.push_back(static_cast<std::size_t>(feature));
  }
  if (!(ready_->settings.threshold > 0 && ready_->settings.threshold < 1)) {
    fail("has a threshold that is not between 0 and 1");
  }
  ready_->trees = boosted->trees;
  ready_->scorer = std::make_unique<TreeScorer<float>>(boosted->trees);
  ready_->explainer = std::make_unique<TreeExplainer<float>>(boosted->trees);
}
FraudModel::~FraudModel() = default;
FraudModel::FraudModel(FraudModel&&) noexcept = default;
FraudModel& FraudModel::operator=(FraudModel&&) noexcept = default;

FraudModel FraudModel::with(Settings settings) && {
  return {std::move(ready_->pipeline), std::move(settings)};
}

FraudModel FraudModel::load(const std::string& path) {
  const Archive archive = read_archive(path, "model");
  if (!archive.has_part("fraud")) {
    throw InputError(path + ": is a model, but none that tandem fraud train wrote");
  }
  Archive part = archive.part("fraud");
  part.set_origin(path);
  AnyModel any = model_from_archive(archive);
  auto* const pipeline = std::get_if<Pipeline<float>>(&any);
  if (pipeline == nullptr) throw InputError(path + ": is no model of 32-bit numbers");
  Settings settings;
  settings.threshold = part.get_double("threshold");
  settings.reviews_per_day = part.get_double("reviews_per_day");
  settings.calibration = Calibration::load(part);
  settings.configuration_version = part.get_string("configuration_version");
  settings.card = part.get_string("card");
  settings.trained_until = part.get_int("trained_until");
  try {
    return {std::move(*pipeline), std::move(settings)};
  } catch (const InputError& error) {
    throw InputError(path + ": " + error.what());
  }
}

void FraudModel::save(const std::string& path) const {
  Archive archive;
  ready_->pipeline.save(archive);
  Archive part;
  part.set("threshold", ready_->settings.threshold);
  part.set("reviews_per_day", ready_->settings.reviews_per_day);
  ready_->settings.calibration.save(part);
  part.set("configuration_version", ready_->settings.configuration_version);
  part.set("card", ready_->settings.card);
  part.set("trained_until", ready_->settings.trained_until);
  archive.set_part("fraud", part);
  write_archive(path, archive, "model");
}

ModelScore FraudModel::score(const FeatureVector& features) const {
  const std::vector<float> row = ready_->row(features);
  float margin = 0;
  ready_->scorer->score(row, {&margin, 1});
  ModelScore score;
  score.raw = 1 / (1 + std::exp(-static_cast<double>(margin)));
  score.probability = ready_->settings.calibration(score.raw);
  const double threshold = ready_->settings.threshold;
  score.score = score.raw < threshold
                    ? review_score * score.raw / threshold
                    : review_score + (1 - review_score) * (score.raw - threshold) / (1 - threshold);
  return score;
}

std::vector<Contribution> FraudModel::explain(const FeatureVector& features,
                                              std::size_t most) const {
  const std::vector<float> row = ready_->row(features);
  std::vector<double> shap(row.size());
  ready_->explainer->explain(row, shap);
  std::vector<Contribution> all;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double value = shap[i];
    if (value != 0) all.push_back({ready_->columns[i], value});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Contribution& a, const Contribution& b) { return a.value > b.value; });
  if (all.size() > most) all.resize(most);
  return all;
}

const FraudModel::Settings& FraudModel::settings() const noexcept { return ready_->settings; }
const Pipeline<float>& FraudModel::pipeline() const noexcept { return ready_->pipeline; }

}  // namespace tandem::fraud
