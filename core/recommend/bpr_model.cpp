// A trained BPR model: folding a user in, reasons, its file.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/json_text.hpp"
#include "core/recommend/bpr_steps.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/selection.hpp"
#include "core/steps.hpp"
#include "cpu/recommend/bpr_row.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/recommend/bpr.hpp"

namespace tandem {
namespace {

// Items of the history that count, ascending.
std::vector<std::int32_t> items_of(UserHistory history) {
  std::vector<std::int32_t> items;
  for (const HistoryItem& one : sorted_history(history)) {
    if (static_cast<float>(one.weight) > 0) items.push_back(one.item);
  }
  return items;
}

// How this model folds in; the pointers are the caller's.
BprFoldIn<float> fold_in_of(const BprModel& model, const float* y, const float* biases,
                            const std::int32_t* panel, Index x_pitch) {
  const Index factors = model.item_factors.cols() - 1;
  return {y,
          biases,
          panel,
          static_cast<std::uint32_t>(model.panel.size()),
          static_cast<int>(factors),
          static_cast<int>(als_pitch(factors)),
          static_cast<int>(x_pitch),
          model.fold_in_passes,
          model.seed,
          static_cast<float>(model.learning_rate),
          static_cast<float>(1 - model.learning_rate * model.regularization)};
}

}  // namespace

void BprModel::prepare() {
  prepare_factors();
  const Index factors = item_factors.cols() - 1;
  factors_ = Matrix<float>(item_factors.rows(), als_pitch(factors), 0.0F);
  biases_.clear();
  for (Index i = 0; i < item_factors.rows(); ++i) {
    const auto row = item_factors.row(i);
    std::copy_n(row.begin(), factors, factors_.row(i).begin());
    biases_.push_back(row.back());
  }
}

std::vector<float> BprModel::fold_in(UserHistory history) const {
  check_history(history);
  const std::vector<std::int32_t> items = items_of(history);
  const auto factors = static_cast<std::size_t>(item_factors.cols() - 1);
  std::vector<float> x(static_cast<std::size_t>(factors_.cols()));
  cpu::bpr_fold_in_row(fold_in_of(*this, factors_.data(), biases_.data(), panel.data(), 0),
                       items.data(), static_cast<Index>(items.size()), x.data());
  x.resize(factors);
  x.push_back(1);
  return x;
}

std::unique_ptr<FactorRecommender::Folder> BprModel::folder(Engine& engine,
                                                            const Buffer<float>& /*items*/) const {
  class Bpr final : public Folder {
   public:
    Bpr(Engine& engine, const BprModel& model)
        : model_(model),
          y_(to_engine(engine, model.factors_.values())),
          biases_(to_engine(engine, model.biases_)),
          panel_(to_engine(engine, model.panel)),
          steps_(make_steps<BprSteps, float>(engine)) {}
    void fold_in(EngineHistories histories, Buffer<float>& x) override {
      steps_->fold_in(fold_in_of(model_, y_.data(), biases_.data(), panel_.data(),
                                 als_pitch(model_.item_factors.cols())),
                      histories.rows, histories.offsets, histories.columns, x);
    }

   private:
    const BprModel& model_;
    Buffer<float> y_, biases_;
    Buffer<std::int32_t> panel_;
    std::unique_ptr<BprSteps<float>> steps_;
  };
  return std::make_unique<Bpr>(engine, *this);
}

Explanation BprModel::because(UserHistory history, std::int32_t item, Index most) const {
  check_item(item);
  const std::int32_t named[] = {item};
  const double score = score_items(history, named).front();
  const std::vector<std::int32_t> items = items_of(history);
  std::vector<float> x(static_cast<std::size_t>(factors_.cols()));
  std::vector<cpu::BprFoldInStep> steps;
  const BprFoldIn<float> in = fold_in_of(*this, factors_.data(), biases_.data(), panel.data(), 0);
  cpu::bpr_fold_in_row(in, items.data(), static_cast<Index>(items.size()), x.data(), &steps);
  // x = Σ over steps of keep^(steps after it) · g · (y_item − y_drawn).
  const auto target = factors_.row(item);
  const auto product = [&](std::int32_t with) {
    const auto row = factors_.row(with);
    double sum = 0;
    for (std::size_t f = 0; f < row.size(); ++f) {
      sum += static_cast<double>(row[f]) * static_cast<double>(target[f]);
    }
    return sum;
  };
  std::vector<double> own;
  for (const std::int32_t one : items) own.push_back(product(one));
  std::vector<Contribution> parts;
  for (const std::int32_t one : items) parts.push_back({one, 0});
  double kept = 1;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const auto place = static_cast<std::size_t>(step->place);
    parts[place].part += kept * static_cast<double>(step->g) * (own[place] - product(step->drawn));
    kept *= static_cast<double>(in.keep);
  }
  return explanation_of(score, std::move(parts), most);
}

void BprModel::save(Archive& archive) const {
  archive.set_matrix("item_factors", item_factors);
  archive.set("learning_rate", learning_rate);
  archive.set("regularization", regularization);
  archive.set("fold_in_passes", fold_in_passes);
  archive.set("seed", static_cast<std::int64_t>(seed));
  archive.set_tensor("panel", std::vector<std::int32_t>(panel));
}

std::unique_ptr<BprModel> BprModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<BprModel>();
  model->load_factors(archive, items, 1024);
  if (model->item_factors.cols() < 2) archive.fail("item_factors", "has no column of biases");
  model->learning_rate = archive.get_double("learning_rate");
  model->regularization = archive.get_double("regularization");
  if (!(model->learning_rate > 0) || !(model->regularization >= 0) ||
      !(model->learning_rate * model->regularization < 1)) {
    archive.fail("learning_rate", "or regularization is out of range");
  }
  model->fold_in_passes = archive.get_int("fold_in_passes", 1, 100000);
  model->seed = static_cast<std::uint64_t>(archive.get_int("seed"));
  model->panel = archive.get_tensor<std::int32_t>("panel");
  if (model->panel.empty() || model->panel.size() > 1'000'000) {
    archive.fail("panel", "is empty or too long");
  }
  for (const std::int32_t item : model->panel) {
    if (item < 0 || item >= items) archive.fail("panel", "names an item that there is not");
  }
  model->prepare();
  return model;
}

std::string BprModel::to_json() const {
  return json_text({{"algorithm", algorithm()},
                    {"items", item_count()},
                    {"factors", item_factors.cols() - 1},
                    {"learning_rate", learning_rate},
                    {"regularization", regularization},
                    {"fold_in_passes", fold_in_passes},
                    {"iterations", training().iterations}});
}

std::string BprModel::to_text() const {
  std::ostringstream out;
  out << "BPR, " << item_factors.cols() - 1 << " factors of " << item_count()
      << " items, learning rate " << learning_rate << ", regularization " << regularization << ", "
      << training().iterations << " iterations\n";
  return out.str();
}

}  // namespace tandem
