// Gradient boosting with an objective and a metric that the library does not have: the focal loss
// (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017), by which rows that are
// classified well already count less, and the worst loss of a row. Argument:
// data/breast_cancer.csv.
#include <tandem/tandem.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

using tandem::Index;
using tandem::MatrixView;
using tandem::ScoredRows;

// With q the probability of a row's own class, −(1 − q)² ln q; its derivatives by the score.
void focal_loss(const ScoredRows<float>& rows, MatrixView<float> gradients,
                MatrixView<float> hessians) {
  for (Index i = 0; i < rows.scores.rows; ++i) {
    const float sign = rows.target[static_cast<std::size_t>(i)] > 0 ? 1.0F : -1.0F;
    const float q = 1 / (1 + std::exp(-sign * rows.scores(i, 0)));
    const float u = 1 - q;
    const float log_q = std::log(std::max(q, 1e-30F));
    gradients(i, 0) = sign * u * u * (2 * q * log_q - u);
    hessians(i, 0) = std::max(q * u * u * (5 * u + 2 * (1 - 3 * q) * log_q), 1e-6F);
  }
}

double worst_log_loss(const ScoredRows<float>& rows) {
  double worst = 0;
  for (Index i = 0; i < rows.scores.rows; ++i) {
    const double sign = rows.target[static_cast<std::size_t>(i)] > 0 ? 1 : -1;
    worst = std::max(worst, std::log1p(std::exp(-sign * rows.scores(i, 0))));
  }
  return worst;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto engine = tandem::Engine::create();
    const auto data = tandem::read_dataset<float>(argv[1], {.target = "diagnosis"});

    tandem::GradientBoostingOptions options;
    options.objective = tandem::BoostingObjective::logistic;  // scores are log-odds
    options.validation_fraction = 0.25;
    options.patience = 10;
    tandem::FitContext<float> context;
    context.objective = tandem::CustomObjective<float>{.derivatives = focal_loss};
    context.metric = tandem::CustomMetric<float>{.name = "worst_log_loss", .value = worst_log_loss};
    const auto model = tandem::fit(*engine, data, options, context);

    const auto& history = model.log.history.at("validation_worst_log_loss");
    const double best = *std::min_element(history.begin(), history.end());
    const double right = tandem::evaluate(model, *engine, data).metrics.at("accuracy");
    std::printf("%zu trees, worst loss %.3f after %.3f, accuracy %.3f\n", model.trees.trees.size(),
                best, history.front(), right);
    return best < history.front() && right > 0.9 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "custom_objective: %s\n", error.what());
    return 1;
  }
}
