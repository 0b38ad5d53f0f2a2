#include "tandem/nn/mlp.hpp"
#include "core/data/base_margin.hpp"
#include "core/engine_backend.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include "core/data/class_weighted.hpp"
#include "core/data/finite_rows.hpp"
#include "core/host_engine.hpp"
#include "core/memory.hpp"
#include "core/nn/first_order.hpp"
#include "core/nn/mlp_network.hpp"
#include "core/parallel.hpp"
#include "core/rows_on_engine.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/data/split.hpp"

namespace tandem {
namespace {

// Rows of one pass over validation rows: enough for the products to run at their best.
constexpr Index evaluation_rows = 1024;

std::string number(double value) {
  // Devices differ in the sign of a NaN.
  if (std::isnan(value)) return "nan";
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// --- first weights -------------------------------------------------------------------------------

template <Real T>
std::vector<MlpLayer<T>> initial_layers(const MlpDesign& design, MlpInitialization method,
                                        std::uint64_t seed) {
  std::vector<MlpLayer<T>> layers;
  for (std::size_t l = 0; l < design.layers(); ++l) {
    const Index inputs = design.widths[l];
    const Index outputs = design.widths[l + 1];
    const auto n = static_cast<double>(inputs);
    const auto m = static_cast<double>(outputs);
    const Random random(seed, Purpose::initial_weights, static_cast<std::uint32_t>(l));
    MlpLayer<T> layer;
    layer.weights = Matrix<T>(inputs, outputs);
    const bool he =
        method == MlpInitialization::he_uniform || method == MlpInitialization::he_normal;
    const bool uniform =
        method == MlpInitialization::xavier_uniform || method == MlpInitialization::he_uniform;
    // The variance of a weight; that of the uniform distribution on ±r is r²/3.
    const double variance = he ? 2 / n : 2 / (n + m);
    const double size = std::sqrt(uniform ? 3 * variance : variance);
    std::uint64_t index = 0;
    for (T& weight : layer.weights.values()) {
      const double value = uniform ? 2 * random.uniform(index) - 1 : random.normal(index);
      weight = static_cast<T>(size * value);
      ++index;
    }
    layer.bias.assign(static_cast<std::size_t>(outputs), T{0});
    if (design.normalised(l)) {
      layer.scale.assign(static_cast<std::size_t>(outputs), T{1});
      layer.running_mean.assign(static_cast<std::size_t>(outputs), T{0});
      layer.running_variance.assign(static_cast<std::size_t>(outputs), T{1});
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

// --- data ----------------------------------------------------------------------------------------

// The data set on the engine, which must not outlive it, with weights divided by their mean.
template <Real T>
MlpRows<T> upload(Engine& engine, const DatasetView<T>& data,
                  const std::vector<std::int32_t>& labels, double mean_weight) {
  MlpRows<T> rows;
  rows.rows = data.rows();
  rows.cols = data.cols();
  if (reads_host_memory(engine) && data.features.contiguous()) {
    rows.x = data.features.data;
  } else {
    rows.uploaded = rows_on_engine(engine, data.features, Placement::rows);
    rows.x = rows.uploaded.data();
  }
  if (labels.empty()) {
    rows.values = to_engine(engine, data.target);
  } else {
    rows.labels = to_engine(engine, labels);
  }
  if (data.has_weights()) {
    std::vector<T> weights(data.weights.size());
    for (std::size_t i = 0; i < weights.size(); ++i) {
      weights[i] = static_cast<T>(static_cast<double>(data.weights[i]) / mean_weight);
    }
    rows.weights = to_engine(engine, weights);
  }
  return rows;
}

template <Real T>
double mean_weight(const DatasetView<T>& data, const std::vector<Index>& rows) {
  if (!data.has_weights()) return 1;
  const double sum = long_sum(static_cast<Index>(rows.size()), [&](Index i) {
    return data.weights[static_cast<std::size_t>(rows[static_cast<std::size_t>(i)])];
  });
  if (!(sum > 0) || !std::isfinite(sum)) {
    throw InputError(data.source + ": the sample weights add up to " + number(sum) +
                     "; at least one row needs a weight above 0");
  }
  return sum / static_cast<double>(rows.size());
}

template <Real T>
void check_data(const DatasetView<T>& data, int threads) {
  require_dense(data, "a perceptron");
  refuse_base_margin(data, "a perceptron");
  if (data.rows() == 0) throw InputError(data.source + ": has no rows; expected at least one");
  if (data.cols() == 0)
    throw InputError(data.source +
                     ": has no feature columns; leave at least one beside the target");
  if (!data.has_target()) {
    throw InputError(data.source + ": has no target column; name one with " + option("target"));
  }
  require_finite_rows(data, true, false, threads);
  for (std::size_t i = 0; i < data.weights.size(); ++i) {
    if (!(data.weights[i] >= 0) || !std::isfinite(data.weights[i])) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the weight is " +
                       number(static_cast<double>(data.weights[i])) +
                       ", expected a finite number of at least 0");
    }
  }
}

// --- training ------------------------------------------------------------------------------------

template <Real T>
class Training {
 public:
  Training(Engine& engine, const MlpOptions& options, const MlpDesign& design,
           const DatasetView<T>& train, const std::vector<std::int32_t>& labels,
           const DatasetView<T>* validation, const std::vector<std::int32_t>& validation_labels,
           RunControl& control)
      : engine_(engine),
        options_(options),
        design_(design),
        control_(control),
        classification_(!labels.empty()) {
    train_rows_.resize(static_cast<std::size_t>(train.rows()));
    std::iota(train_rows_.begin(), train_rows_.end(), Index{0});
    if (validation == nullptr && options.validation_fraction > 0) {
      Split split =
          classification_
              ? stratified_train_test_split(labels, options.validation_fraction, options.seed)
              : train_test_split(train.rows(), options.validation_fraction, options.seed);
      train_rows_ = std::move(split.train);
      validation_rows_ = std::move(split.test);
    } else if (validation != nullptr) {
      validation_rows_.resize(static_cast<std::size_t>(validation->rows()));
      std::iota(validation_rows_.begin(), validation_rows_.end(), Index{0});
    }
    const double weight = mean_weight(train, train_rows_);
    const auto rows = static_cast<Index>(train_rows_.size());
    design_.batch_size = std::min<Index>(options.batch_size, rows);
    if (design_.batch_norm && design_.batch_size < 2) {
      throw InputError(train.source + ": " + option("batch_norm") +
                       " needs at least 2 rows in a batch; raise " + option("batch_size") +
                       " or train on more rows");
    }
    batches_ = pieces(rows, design_.batch_size);
    // The variance of a single row is 0: with batch normalisation a last batch of one row is left
    // out. Rows are shuffled, so that it is another row in each epoch.
    rows_used_ = rows;
    if (design_.batch_norm && rows % design_.batch_size == 1) {
      --batches_;
      --rows_used_;
    }
    weights_.assign(train.weights.begin(), train.weights.end());
    mean_weight_ = weight;
    data_ = upload(engine, train, labels, weight);
    if (validation != nullptr) {
      own_validation_ = upload(engine, *validation, validation_labels, weight);
    }
    if (!validation_rows_.empty()) {
      validation_order_ = to_engine(engine, validation_rows_);
      const auto host = validation != nullptr ? validation->weights : train.weights;
      validation_weight_ = total_weight(host, validation_rows_, validation_rows_.size());
      if (!(validation_weight_ > 0)) {
        throw InputError(
            "the validation rows have no sample weight above 0; give some row a positive weight, "
            "or take others");
      }
    }
    order_ = Buffer<Index>(engine, rows);
    // Without a validation part the training rows are all rows, in their order.
    if (train_rows_.size() < static_cast<std::size_t>(train.rows())) {
      rows_of_training_ = to_engine(engine, train_rows_);
    }
    weight_of_rows_ = total_weight(train.weights, train_rows_, train_rows_.size());
    if (is_external(data_.x) && !options.keep_order) write_in_first_order();
    const Index capacity =
        std::max(design_.batch_size,
                 std::min<Index>(evaluation_rows, static_cast<Index>(validation_rows_.size())));
    // The parameters, their gradient and what an optimiser keeps of each are there at once.
    const MlpLayout layout(design_);
    require_memory(
        train.source + ": training a perceptron of " + std::to_string(layout.parameters) +
            " parameters",
        saturating_product(layout.parameters, 3 * static_cast<Index>(sizeof(T))),
        "take fewer or smaller layers with " + option("hidden") + ", or fewer features or classes");
    network_.emplace(engine, design_, capacity, true);
    optimizer_.emplace(
        engine, options.optimizer, network_->layout().parameters, options.epochs,
        Penalty{.l1 = 0, .l2 = options.l2, .begin = 0, .end = network_->layout().weights_end});
  }

  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;
  ~Training() { backend(engine_).forget_repeated(this); }

  MlpModel<T> run(MlpInitialization initialization) {
    network_->set_layers(initial_layers<T>(design_, initialization, options_.seed));
    if (has_validation()) {
      best_parameters_ = Buffer<T>(engine_, network_->parameters().size());
      best_running_ = Buffer<T>(engine_, network_->running().size());
      best_parameters_.copy_from(network_->parameters());
      best_running_.copy_from(network_->running());
    }
    if (const Archive* state = control_.resume_state(); state != nullptr) resume(*state);
    const Index before = epoch_ * batches_ + batch_;
    WatchedFit watched(static_cast<double>(options_.epochs * batches_ - before), true);
    while (epoch_ < options_.epochs && !out_of_patience()) {
      run_epoch(watched, before);
      watched.done_at(static_cast<double>(epoch_ * batches_ - before));
      end_iteration(control_,
                    Progress{.stage = "epoch",
                             .done = epoch_,
                             .total = options_.epochs,
                             .objective_name = "loss",
                             .objective = log_.history["loss"].back()},
                    [&] { return state(); });
    }
    return finish();
  }

 private:
  [[nodiscard]] bool has_validation() const { return !validation_rows_.empty(); }
  [[nodiscard]] bool out_of_patience() const {
    return options_.patience > 0 && stale_ >= options_.patience;
  }

  static std::size_t place_of(Index row) { return static_cast<std::size_t>(row); }
  [[nodiscard]] double weight_of(Index row) const {
    return weights_.empty() ? 1 : static_cast<double>(weights_[place_of(row)]) / mean_weight_;
  }

  double total_weight(std::span<const T> weights, const std::vector<Index>& rows,
                      std::size_t count) const {
    if (weights.empty()) return static_cast<double>(count);
    return long_sum(static_cast<Index>(count),
                    [&](Index i) {
                      const Index row = rows[static_cast<std::size_t>(i)];
                      return weights[static_cast<std::size_t>(row)];
                    }) /
           mean_weight_;
  }

  // For rows on disk. The validation rows stand together then, too.
  void write_in_first_order() {
    if (!own_validation_ && !validation_rows_.empty()) {
      own_validation_ = rows_in_places(engine_, data_, std::span<const Index>(validation_rows_),
                                       [](Index i) { return i; });
      std::vector<Index> all(validation_rows_.size());
      std::iota(all.begin(), all.end(), Index{0});
      validation_order_ = to_engine(engine_, all);
    }
    const RowOrder order(order_.size(), true, options_.seed, 0);
    const std::span<const Index> chosen =
        rows_of_training_.empty() ? std::span<const Index>() : train_rows_;
    data_ = rows_in_places(engine_, data_, chosen,
                           [&](Index i) { return order.place_in_first_order(i); });
    rows_of_training_ = Buffer<Index>();
    written_in_first_order_ = true;
  }

  // `watched` counts the batches from number `before` on.
  void run_epoch(WatchedFit& watched, Index before) {
    const RowOrder order(order_.size(), !options_.keep_order, options_.seed, epoch_);
    network_->order_rows(written_in_first_order_ ? order.of_written_rows() : order,
                         rows_of_training_.empty() ? nullptr : rows_of_training_.data(), order_);
    optimizer_->begin_epoch(epoch_);
    if (batch_ == 0) network_->totals().fill_zero();
    const auto prepare = [&](Index batch) {
      if (batch == batches_) return;
      const Piece piece = piece_of(rows_used_, design_.batch_size, batch);
      network_->prepare_batch(data_, order_.data() + piece.begin, piece.size());
    };
    prepare(batch_);
    while (batch_ < batches_) {
      prepare(batch_ + 1);
      const Piece piece = piece_of(rows_used_, design_.batch_size, batch_);
      if (batches_take_time()) watched.begin_fit(1);
      repeated(training_part, piece.size(), [&] {
        network_->train_batch(data_, order_.data() + piece.begin, piece.size(),
                              static_cast<std::uint64_t>(epoch_ * batches_ + batch_));
        optimizer_->step(network_->parameters(), network_->gradient());
      });
      ++batch_;
      if (batches_take_time()) {
        watched.done_at(static_cast<double>(epoch_ * batches_ + batch_ - before));
      }
      if (batch_ < batches_) poll();
    }
    double weight = weight_of_rows_;
    if (rows_used_ < order.rows()) weight -= weight_of(train_rows_[place_of(order(rows_used_))]);
    const double loss = record("", weight, rows_used_);
    batch_ = 0;
    ++epoch_;
    log_.history["learning_rate"].push_back(optimizer_->learning_rate());
    double monitored = loss;
    if (has_validation()) {
      network_->totals().fill_zero();
      const MlpRows<T>& data = own_validation_ ? *own_validation_ : data_;
      const auto rows = static_cast<Index>(validation_rows_.size());
      const auto prepare_evaluation = [&](Index begin) {
        if (begin >= rows) return;
        network_->prepare_batch(data, validation_order_.data() + begin,
                                std::min(evaluation_rows, rows - begin));
      };
      prepare_evaluation(0);
      for (Index begin = 0; begin < rows; begin += evaluation_rows) {
        prepare_evaluation(begin + evaluation_rows);
        const Index size = std::min(evaluation_rows, rows - begin);
        repeated(evaluation_part, size,
                 [&] { network_->evaluate_batch(data, validation_order_.data() + begin, size); });
      }
      monitored = record("validation_", validation_weight_, rows);
    }
    stale_ = monitored < best_loss_ - options_.tolerance ? 0 : stale_ + 1;
    if (monitored < best_loss_) {
      best_loss_ = monitored;
      best_epoch_ = epoch_;
      if (has_validation()) {
        best_parameters_.copy_from(network_->parameters());
        best_running_.copy_from(network_->running());
      }
    }
  }

  // The two parts of an epoch that are enqueued again and again. Their key also tells the sizes of
  // batches apart, of which there are two at most: a full batch and the last one.
  static constexpr std::uint64_t training_part = 0;
  static constexpr std::uint64_t evaluation_part = 1;
  template <class Enqueue>
  void repeated(std::uint64_t part, Index rows, Enqueue&& enqueue) {
    // In fast numerics products are a library's, which enqueues by itself.
    if (engine_.numerics() == Numerics::exact) {
      const Repeated scope(engine_, this, 2 * static_cast<std::uint64_t>(rows) + part);
      enqueue();
    } else {
      enqueue();
    }
  }

  // Reads the totals back and appends them to the history; returns the mean loss.
  double record(const std::string& prefix, double weight, Index rows) {
    const std::vector<double> totals = network_->totals().to_host();
    const double loss = totals[MlpTotals::loss] / weight;
    if (!std::isfinite(loss))
      diverged("the " + std::string(prefix.empty() ? "" : "validation ") + "loss is " +
               number(loss));
    log_.history[prefix + "loss"].push_back(loss);
    if (classification_) {
      log_.history[prefix + "accuracy"].push_back(totals[MlpTotals::correct] /
                                                  static_cast<double>(rows));
    }
    return loss;
  }

  [[noreturn]] void diverged(const std::string& what) const {
    throw NumericalError(
        "mlp: training diverged in epoch " + std::to_string(epoch_ + 1) + ": " + what + "; lower " +
        option("learning_rate") + " (now " + number(options_.optimizer.learning_rate) +
        ") or bring the features to one scale with " + option("scale") + " standard" +
        (classification_ ? "" : ", and check the size of the target"));
  }

  // Elsewhere batches are only enqueued here, and say nothing of the time they take.
  [[nodiscard]] bool batches_take_time() const {
    return engine_.device() == Device::cpu || engine_.device() == Device::reference;
  }

  // Between two batches of an epoch: a long epoch can be stopped, and continued, in its middle.
  void poll() {
    if (batches_take_time()) {
      control_.report({"batch", epoch_ * batches_ + batch_, options_.epochs * batches_, {}, 0});
    }
    const bool stop = control_.stop_requested();
    if (control_.keeps_checkpoints() && (stop || control_.checkpoint_due())) {
      control_.save_checkpoint(state());
    }
    if (stop) {
      throw Interrupted("stopped in epoch " + std::to_string(epoch_ + 1) + " after " +
                        std::to_string(batch_) + " of " + std::to_string(batches_) +
                        " batches because an interrupt was received");
    }
  }

  [[nodiscard]] Archive state() {
    Archive archive;
    archive.set("epoch", epoch_);
    archive.set("batch", batch_);
    archive.set("stale", stale_);
    archive.set("best_epoch", best_epoch_);
    archive.set("best_loss", best_loss_);
    archive.set("totals", network_->totals().to_host());
    archive.set_tensor("parameters", network_->parameters().to_host());
    archive.set_tensor("running", network_->running().to_host());
    if (has_validation()) {
      archive.set_tensor("best_parameters", best_parameters_.to_host());
      archive.set_tensor("best_running", best_running_.to_host());
    }
    optimizer_->save(archive);
    log_.save(archive);
    return archive;
  }

  void resume(const Archive& archive) {
    epoch_ = archive.get_int("epoch", 0, options_.epochs);
    batch_ = archive.get_int("batch", 0, batches_);
    stale_ = archive.get_int("stale", 0, epoch_);
    best_epoch_ = archive.get_int("best_epoch", 0, epoch_);
    best_loss_ = archive.get_double("best_loss");
    const auto load = [&](const char* name, Buffer<T>& buffer) {
      buffer.upload(archive.get_tensor<T>(name, buffer.size()));
    };
    load("parameters", network_->parameters());
    load("running", network_->running());
    if (has_validation()) {
      load("best_parameters", best_parameters_);
      load("best_running", best_running_);
    }
    const std::vector<double>& totals = archive.get_doubles("totals");
    if (totals.size() != static_cast<std::size_t>(MlpTotals::count)) {
      archive.fail("totals", "has another length");
    }
    network_->totals().upload(totals);
    optimizer_->load(archive);
    log_ = TrainingLog::load(archive);
    for (const auto& [name, series] : log_.history) {
      if (series.size() != static_cast<std::size_t>(epoch_)) {
        archive.fail("training/history/" + name, "does not have one entry per epoch");
      }
    }
  }

  MlpModel<T> finish() {
    log_.iterations = epoch_;
    log_.converged = out_of_patience();
    const std::string part = has_validation() ? "validation loss" : "training loss";
    if (log_.converged) {
      log_.stopped_because = "the " + part + " did not improve by more than " +
                             number(options_.tolerance) + " for " +
                             std::to_string(options_.patience) + " epochs";
    } else {
      log_.stopped_because = "all " + std::to_string(options_.epochs) + " epochs allowed were done";
    }
    if (has_validation()) {
      network_->parameters().copy_from(best_parameters_);
      network_->running().copy_from(best_running_);
      log_.stopped_because +=
          "; the weights are those of epoch " + std::to_string(best_epoch_) + ", the best";
    }
    MlpModel<T> model;
    model.layers = network_->layers();
    for (const auto& layer : model.layers) {
      const auto finite = [](const std::vector<T>& values) {
        return std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); });
      };
      if (!finite(layer.weights.values()) || !finite(layer.bias) || !finite(layer.scale) ||
          !finite(layer.running_mean) || !finite(layer.running_variance)) {
        --epoch_;
        diverged("a weight is not finite");
      }
    }
    model.activation = design_.activation;
    model.output = design_.output;
    model.loss = design_.loss;
    model.batch_norm_epsilon = design_.batch_norm_epsilon;
    model.log = std::move(log_);
    return model;
  }

  Engine& engine_;
  const MlpOptions& options_;
  MlpDesign design_;
  RunControl& control_;
  bool classification_;

  std::vector<Index> train_rows_;
  std::vector<Index> validation_rows_;
  std::vector<T> weights_;  // of all rows, as given; may be empty
  double mean_weight_ = 1;
  double weight_of_rows_ = 0;  // of all training rows together
  double validation_weight_ = 0;
  MlpRows<T> data_;
  std::optional<MlpRows<T>> own_validation_;
  Buffer<Index> rows_of_training_;  // empty where they are all rows
  Buffer<Index> order_;             // of the current epoch
  Buffer<Index> validation_order_;
  bool written_in_first_order_ = false;
  std::optional<MlpNetwork<T>> network_;
  std::optional<Optimizer<T>> optimizer_;
  Buffer<T> best_parameters_;
  Buffer<T> best_running_;

  Index batches_ = 0;
  Index rows_used_ = 0;
  Index epoch_ = 0;  // epochs that are done
  Index batch_ = 0;  // batches of the current epoch that are done
  Index stale_ = 0;  // epochs since the monitored loss last improved by more than the tolerance
  Index best_epoch_ = 0;
  double best_loss_ = std::numeric_limits<double>::infinity();
  TrainingLog log_;
};

}  // namespace

void MlpOptions::visit(OptionVisitor& visitor) {
  constexpr std::int64_t many = std::int64_t{1} << 40;
  visitor.integers({"hidden", {"hidden_layer_sizes"}}, hidden,
                   "widths of the hidden layers, from the inputs on", 1, 1 << 24);
  visitor.choice("activation", activation, "what follows the sums of a hidden layer");
  visitor.choice("task", task, "what to predict; auto: classes where the target looks like them");
  visitor.choice("output", output,
                 "last layer: an output per class, one for two classes, or a value; auto: softmax "
                 "for classes, identity for values");
  visitor.choice("loss", loss, "what training lowers; auto: cross-entropy for classes");
  visitor.choice("initialization", initialization,
                 "distribution of the first weights; auto: he-uniform for relu and gelu, else "
                 "xavier-uniform");
  optimizer.visit(visitor);
  visitor.written("class_weight", class_weight,
                  "none, balanced, or weights by class such as yes=2,no=1", "TEXT");
  visitor.real("l2", l2, "penalty l2/2 times the sum of the squared weights", 0, 1e6);
  visitor.real("dropout", dropout, "share of each hidden layer's outputs dropped in training", 0,
               0.99);
  visitor.flag("batch_norm", batch_norm, "batch normalisation after the sums of hidden layers");
  visitor.real("batch_norm_momentum", batch_norm_momentum,
               "part of the running averages that a batch leaves", 0, 0.999999);
  visitor.real("batch_norm_epsilon", batch_norm_epsilon, "added to a batch's variance", 1e-12, 1);
  visitor.integer("batch_size", batch_size, "rows per step of the optimizer", 1, many);
  visitor.integer({"epochs", {"max_iter"}}, epochs, "most passes over the training rows", 1,
                  1LL << 31);
  visitor.flag("keep_order", keep_order, "take the rows in the same order in every epoch");
  visitor.real("validation_fraction", validation_fraction,
               "share of the training rows kept to watch the loss on; the best weights on them win",
               0, 0.9);
  visitor.integer({"patience", {"n_iter_no_change"}}, patience,
                  "stop after so many epochs without improvement of the loss; 0: never", 0, many);
  visitor.real({"tolerance", {"tol"}}, tolerance, "how much of an improvement counts for patience",
               0, 1e6);
  visitor.seed(seed);
}

void MlpOptions::check() const {
  optimizer.check();
  const auto named = [](std::string_view name, auto value) {
    return option(name) + " " + std::string(to_string(value));
  };
  if (task == TaskChoice::regression) {
    if (output != MlpOutput::automatic && output != MlpOutput::identity) {
      throw InputError(named("output", output) + " belongs to classification; leave it out with " +
                       named("task", task));
    }
    if (loss == MlpLoss::cross_entropy) {
      throw InputError(named("loss", loss) +
                       " belongs to classification; use squared-error for a regression");
    }
  }
  if (task == TaskChoice::classification && output == MlpOutput::identity) {
    throw InputError(named("output", output) + " belongs to regression; use softmax or sigmoid");
  }
}

template <Real T>
Task MlpOptions::task_for(const DatasetView<T>& data) const {
  if (task == TaskChoice::classification) return Task::classification;
  if (task == TaskChoice::regression || output == MlpOutput::identity) {
    require_numeric_target(data);
    return Task::regression;
  }
  return task_of_target(data);
}

template <Real T>
MlpModel<T> fit(Engine& engine, const DatasetView<T>& data, const MlpOptions& options,
                const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  DatasetView<T> train = setting.data();
  std::optional<DatasetView<T>> watched = context.validation;
  DatasetView<T>* validation = watched ? &*watched : nullptr;
  check_options(options);
  check_data(train, engine.threads());
  if (validation != nullptr) {
    check_data(*validation, engine.threads());
    if (validation->cols() != train.cols()) {
      throw InputError(validation->source + ": has " + std::to_string(validation->cols()) +
                       " features, expected " + std::to_string(train.cols()) + " as in " +
                       train.source);
    }
  }
  const bool classification = options.task_for(train) == Task::classification;

  MlpDesign design;
  design.activation = options.activation;
  design.batch_norm = options.batch_norm;
  design.batch_norm_momentum = options.batch_norm_momentum;
  design.batch_norm_epsilon = options.batch_norm_epsilon;
  design.dropout = options.dropout;
  design.seed = options.seed;

  Classes classes;
  Classes validation_classes;
  std::vector<T> weights;  // where classes are weighted
  std::vector<T> watched_weights;
  Index outputs = 1;
  if (classification) {
    classes = encode_classes(train);
    const auto count = classes.names.size();
    if (count < 2) {
      throw InputError(train.source + ": the target " + train.target_column().name +
                       " has one class only, '" + classes.names.front() +
                       "'; expected at least two");
    }
    if (options.output == MlpOutput::sigmoid && count != 2) {
      throw InputError(option("output") + " sigmoid is for two classes, but the target " +
                       train.target_column().name + " has " + std::to_string(count) + "; use " +
                       option("output") + " softmax");
    }
    design.output = options.output == MlpOutput::sigmoid ? MlpOutput::sigmoid : MlpOutput::softmax;
    design.loss =
        options.loss == MlpLoss::squared_error ? MlpLoss::squared_error : MlpLoss::cross_entropy;
    if (design.output == MlpOutput::softmax) outputs = static_cast<Index>(count);
    if (validation != nullptr) {
      validation_classes = encode_classes(*validation, classes.names);
      for (std::size_t i = 0; i < validation_classes.labels.size(); ++i) {
        if (validation_classes.labels[i] >= 0) continue;
        throw InputError(validation->source + ": row " + std::to_string(i + 1) +
                         ": its class does not occur in the training rows; leave such rows out of "
                         "the validation set");
      }
    }
    if (options.class_weight.rule != ClassWeights::Rule::none) {
      const auto by_class = weights_of_classes(train, classes, options.class_weight);
      weights = class_weighted(train, classes.labels, by_class);
      train.weights = weights;
      if (validation != nullptr) {
        watched_weights = class_weighted(*validation, validation_classes.labels, by_class);
        validation->weights = watched_weights;
      }
    }
  } else {
    if (options.class_weight.rule != ClassWeights::Rule::none) {
      throw InputError(option("class_weight") +
                       " is for classification, and this perceptron regresses; use none");
    }
    const bool of_classes =
        options.output != MlpOutput::automatic && options.output != MlpOutput::identity;
    if (of_classes || options.loss == MlpLoss::cross_entropy) {
      throw InputError(train.source + ": the target " + train.target_column().name +
                       " holds values and not classes, but " +
                       (of_classes ? option("output") + " " + std::string(to_string(options.output))
                                   : option("loss") + " " + std::string(to_string(options.loss))) +
                       " needs classes; leave it out, or use " + option("task") +
                       " classification");
    }
    design.output = MlpOutput::identity;
    design.loss = MlpLoss::squared_error;
  }
  design.widths.push_back(train.cols());
  design.widths.insert(design.widths.end(), options.hidden.begin(), options.hidden.end());
  design.widths.push_back(outputs);

  MlpInitialization initialization = options.initialization;
  if (initialization == MlpInitialization::automatic) {
    const bool rectified =
        design.activation == Activation::relu || design.activation == Activation::gelu;
    initialization = rectified ? MlpInitialization::he_uniform : MlpInitialization::xavier_uniform;
  }

  Training<T> training(engine, options, design, train, classes.labels, validation,
                       validation_classes.labels, setting.control());
  MlpModel<T> model = training.run(initialization);
  model.class_names = std::move(classes.names);
  return model;
}

template Task MlpOptions::task_for(const DatasetView<float>&) const;
template Task MlpOptions::task_for(const DatasetView<double>&) const;
template MlpModel<float> fit(Engine&, const DatasetView<float>&, const MlpOptions&,
                             const FitContext<float>&);
template MlpModel<double> fit(Engine&, const DatasetView<double>&, const MlpOptions&,
                              const FitContext<double>&);

}  // namespace tandem
