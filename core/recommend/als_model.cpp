// A trained ALS model: folding a user in, reasons, its file.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/json_text.hpp"
#include "core/recommend/als_steps.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/selection.hpp"
#include "core/steps.hpp"
#include "cpu/recommend/als_row.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/recommend/als.hpp"

namespace tandem {
namespace {

// An engine of one thread for the one Gram matrix of a model that was just made or loaded. Its bits
// are those of every engine.
Matrix<float> gram_of(const float* padded, Index items, Index factors, double regularization) {
  EngineOptions options;
  options.threads = 1;
  const auto engine = Engine::create(options);
  const auto steps = make_steps<AlsSteps, float>(*engine);
  const Index pitch = als_pitch(factors);
  const Buffer<float> y =
      to_engine(*engine, std::span<const float>(padded, static_cast<std::size_t>(items * pitch)));
  Buffer<float> gram(*engine, pitch * pitch);
  steps->gram(y, items, factors, static_cast<float>(regularization), gram);
  return {pitch, pitch, gram.to_host()};
}

// Confidence − 1 of an event.
float extra_of(double weight, double alpha) {
  return static_cast<float>(alpha * static_cast<double>(static_cast<float>(weight)));
}

NumericalError singular(const std::string& whose) {
  return NumericalError("als: the equations of " + whose +
                        " are singular to working precision; train with a larger " +
                        option("regularization"));
}

// A x = b by Cholesky, in double; A is f × f, its upper triangle.
void solve_in_double(std::vector<double>& a, std::vector<double>& b) {
  const std::size_t f = b.size();
  for (std::size_t j = 0; j < f; ++j) {
    const double root = std::sqrt(a[j * f + j]);
    for (std::size_t k = j; k < f; ++k) a[j * f + k] /= root;
    for (std::size_t m = j + 1; m < f; ++m) {
      for (std::size_t k = m; k < f; ++k) a[m * f + k] -= a[j * f + m] * a[j * f + k];
    }
  }
  for (std::size_t j = 0; j < f; ++j) {
    b[j] /= a[j * f + j];
    for (std::size_t k = j + 1; k < f; ++k) b[k] -= a[j * f + k] * b[j];
  }
  for (std::size_t j = f; j-- > 0;) {
    b[j] /= a[j * f + j];
    for (std::size_t k = 0; k < j; ++k) b[k] -= a[k * f + j] * b[j];
  }
}

}  // namespace

void AlsModel::prepare() {
  prepare_factors();
  gram_ = gram_of(padded(), item_factors.rows(), item_factors.cols(), regularization);
}

std::vector<float> AlsModel::fold_in(UserHistory history) const {
  check_history(history);
  std::vector<std::int32_t> columns;
  std::vector<float> extra;
  for (const HistoryItem& one : sorted_history(history)) {
    if (!(static_cast<float>(one.weight) > 0)) continue;
    columns.push_back(one.item);
    extra.push_back(extra_of(one.weight, alpha));
    if (!std::isfinite(extra.back())) {
      throw InputError("the weight of the history's item " +
                       items()[static_cast<std::size_t>(one.item)] +
                       " is beyond what a number of 32 bits holds");
    }
  }
  const Index factors = item_factors.cols();
  std::vector<float> x(static_cast<std::size_t>(als_pitch(factors)), 0.0F);
  if (!columns.empty()) {
    thread_local std::vector<float> scratch;
    if (!cpu::als_solve_row(padded(), columns.data(), extra.data(),
                            static_cast<Index>(columns.size()), gram_.data(), factors, x.data(),
                            scratch)) {
      throw singular("this history");
    }
  }
  x.resize(static_cast<std::size_t>(factors));
  return x;
}

std::unique_ptr<FactorRecommender::Folder> AlsModel::folder(Engine& engine,
                                                            const Buffer<float>& items) const {
  class Als final : public Folder {
   public:
    Als(Engine& engine, const AlsModel& model, const Buffer<float>& items)
        : engine_(engine),
          model_(model),
          items_(items),
          gram_(to_engine(engine, model.gram_.values())),
          steps_(make_steps<AlsSteps, float>(engine)) {}
    void fold_in(EngineHistories histories, Buffer<float>& x) override {
      std::vector<float> extra;
      extra.reserve(histories.weights.size());
      for (const double weight : histories.weights) extra.push_back(extra_of(weight, model_.alpha));
      const AlsRatings<float> ratings{histories.rows, model_.item_count(),
                                      std::move(histories.offsets), std::move(histories.columns),
                                      to_engine(engine_, extra)};
      x.fill_zero();
      if (steps_->solve(ratings, items_, gram_, model_.item_factors.cols(), AlsSolver::cholesky, 1,
                        x) > 0) {
        throw singular("a history");
      }
    }

   private:
    Engine& engine_;
    const AlsModel& model_;
    const Buffer<float>& items_;
    Buffer<float> gram_;
    std::unique_ptr<AlsSteps<float>> steps_;
  };
  return std::make_unique<Als>(engine, *this, items);
}

Explanation AlsModel::because(UserHistory history, std::int32_t item, Index most) const {
  check_item(item);
  const std::int32_t items[] = {item};
  const double score = score_items(history, items).front();
  const std::vector<HistoryItem> sorted = sorted_history(history);
  const auto f = static_cast<std::size_t>(item_factors.cols());
  const auto pitch = static_cast<std::size_t>(gram_.cols());
  std::vector<double> a(f * f);
  for (std::size_t j = 0; j < f; ++j) {
    for (std::size_t k = j; k < f; ++k)
      a[j * f + k] = static_cast<double>(gram_.values()[j * pitch + k]);
  }
  for (const HistoryItem& one : sorted) {
    const auto row = item_factors.row(one.item);
    for (std::size_t j = 0; j < f; ++j) {
      for (std::size_t k = j; k < f; ++k) {
        a[j * f + k] +=
            alpha * one.weight * static_cast<double>(row[j]) * static_cast<double>(row[k]);
      }
    }
  }
  // z = A⁻¹ y_i; the part of item j is c_j · zᵀ y_j.
  std::vector<double> z(item_factors.row(item).begin(), item_factors.row(item).end());
  solve_in_double(a, z);
  std::vector<Contribution> parts;
  for (const HistoryItem& one : sorted) {
    if (!(static_cast<float>(one.weight) > 0)) continue;
    const auto row = item_factors.row(one.item);
    double sum = 0;
    for (std::size_t j = 0; j < f; ++j) sum += z[j] * static_cast<double>(row[j]);
    parts.push_back({one.item, (1 + alpha * one.weight) * sum});
  }
  return explanation_of(score, std::move(parts), most);
}

void AlsModel::save(Archive& archive) const {
  archive.set_matrix("item_factors", item_factors);
  archive.set("regularization", regularization);
  archive.set("alpha", alpha);
}

std::unique_ptr<AlsModel> AlsModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<AlsModel>();
  model->load_factors(archive, items, 1024);
  model->regularization = archive.get_double("regularization");
  model->alpha = archive.get_double("alpha");
  if (!(model->regularization >= 0) || !std::isfinite(model->regularization)) {
    archive.fail("regularization", "is negative or not finite");
  }
  if (!(model->alpha >= 0) || !std::isfinite(model->alpha)) {
    archive.fail("alpha", "is negative or not finite");
  }
  model->prepare();
  return model;
}

std::string AlsModel::to_json() const {
  return json_text({{"algorithm", algorithm()},
                    {"items", item_count()},
                    {"factors", item_factors.cols()},
                    {"regularization", regularization},
                    {"alpha", alpha},
                    {"iterations", training().iterations}});
}

std::string AlsModel::to_text() const {
  std::ostringstream out;
  out << "implicit ALS, " << item_factors.cols() << " factors of " << item_count()
      << " items, regularization " << regularization << ", alpha " << alpha << ", "
      << training().iterations << " iterations\n";
  return out.str();
}

}  // namespace tandem
