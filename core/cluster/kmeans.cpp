#include "tandem/cluster/kmeans.hpp"
#include "core/data/base_margin.hpp"
#include "core/engine_backend.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "core/cluster/kmeans_init.hpp"
#include "core/cluster/kmeans_math.hpp"
#include "core/cluster/kmeans_steps.hpp"
#include "core/cluster/weighted_inertia.hpp"
#include "core/model/ready_by.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/engine_table.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

// Doubles as a message writes them.
std::string text(double value) { return significant(value, 6); }

// --- checks -------------------------------------------------------------------------------------

template <Real T>
void check_given_centres(MatrixView<const T> centres, Index clusters, Index features) {
  if (centres.rows != clusters) {
    throw InputError(option("clusters") + " is " + std::to_string(clusters) + " but " +
                     std::to_string(centres.rows) + " centres are given; expected one per cluster");
  }
  if (centres.cols != features) {
    throw InputError("the given centres have " + std::to_string(centres.cols) +
                     " coordinates but the data has " + std::to_string(features) + " features");
  }
  for (Index c = 0; c < centres.rows; ++c) {
    for (const T value : centres.row(c)) {
      if (!std::isfinite(value)) throw InputError("a given centre has a value that is not finite");
    }
  }
}

// The centres of the file, as option `centres` names it.
template <Real T>
Matrix<T> read_centres(const std::string& path, Index clusters, Index features) {
  Dataset<T> file = read_dataset<T>(path);
  require_finite(file, false);
  if (file.rows() != clusters || file.cols() != features) {
    throw InputError(path + ": has " + std::to_string(file.rows()) + " rows of " +
                     std::to_string(file.cols()) + " values; expected " + std::to_string(clusters) +
                     " centres (" + option("clusters") + ") of " + std::to_string(features) +
                     " features");
  }
  return std::move(file.features);
}

// For values that a sum over all rows has shown not to be finite: names the first one.
template <Real T>
void require_finite_values(MatrixView<const T> x) {
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) {
      if (std::isfinite(x(i, j))) continue;
      throw InputError(
          "k-means: row " + std::to_string(i + 1) + ", column " + std::to_string(j + 1) + " is " +
          (std::isnan(x(i, j)) ? "missing or not a number; fill it with " + option("impute")
                               : std::string("infinite; expected a finite number")));
    }
  }
}

// Squares of the values must stay inside the range of T.
template <Real T>
void require_range(double largest, Index features) {
  if (largest <= largest_magnitude<T>(features) &&
      (largest == 0 || largest >= least_magnitude<T>())) {
    return;
  }
  throw InputError("k-means: values are as far as " + text(largest) +
                   " from their mean, and squares of that leave the range of " +
                   std::string(to_string(precision_of<T>)) + "; scale the features (" +
                   option("scale") + " standard) or use double precision (" + option("precision") +
                   " float64)");
}

template <Real T>
void require_more_rows_than_clusters(MatrixView<const T> x, std::span<const double> weights,
                                     Index clusters) {
  const auto hash = [&](Index row) {
    std::size_t h = 0x9E3779B97F4A7C15U;
    for (const T value : x.row(row)) {
      h ^= std::hash<T>{}(value) + 0x9E3779B97F4A7C15U + (h << 6) + (h >> 2);
    }
    return h;
  };
  // std::hash gives 0.0 and −0.0, which are equal, one value.
  const auto equal = [&](Index a, Index b) {
    return std::equal(x.row(a).begin(), x.row(a).end(), x.row(b).begin());
  };
  std::unordered_set<Index, decltype(hash), decltype(equal)> distinct(
      static_cast<std::size_t>(std::min(clusters, x.rows)), hash, equal);
  for (Index i = 0; i < x.rows && static_cast<Index>(distinct.size()) < clusters; ++i) {
    if (weights.empty() || weights[static_cast<std::size_t>(i)] > 0) distinct.insert(i);
  }
  if (static_cast<Index>(distinct.size()) < clusters) {
    throw InputError("k-means: k is " + std::to_string(clusters) + " but the data has only " +
                     std::to_string(distinct.size()) + " distinct row" +
                     (distinct.size() == 1 ? "" : "s") +
                     (weights.empty() ? "" : " of positive weight") + "; choose " +
                     option("clusters") + " " + std::to_string(distinct.size()) + " or less");
  }
}

// Weights as whole multiples of one unit, so that sums of them are exact. A positive one stays
// positive.
template <Real T>
std::vector<double> quantised_weights(std::span<const T> weights, Index rows) {
  if (weights.empty()) return {};
  if (static_cast<Index>(weights.size()) != rows) {
    throw InputError("k-means: " + std::to_string(weights.size()) + " weights for " +
                     std::to_string(rows) + " rows; expected one per row");
  }
  double heaviest = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] >= 0) || !std::isfinite(weights[i])) {
      throw InputError("k-means: the weight of row " + std::to_string(i + 1) + " is " +
                       text(static_cast<double>(weights[i])) +
                       "; expected a finite number, 0 or more");
    }
    heaviest = std::max(heaviest, static_cast<double>(weights[i]));
  }
  if (!(heaviest > 0)) throw InputError("k-means: all weights are 0; expected a positive one");
  const FixedPoint fixed = FixedPoint::for_sum(rows, heaviest);
  std::vector<double> quantised;
  quantised.reserve(weights.size());
  for (const T weight : weights) {
    const std::int64_t units = fixed.encode(static_cast<double>(weight));
    quantised.push_back(fixed.decode(weight > T{0} ? std::max<std::int64_t>(units, 1) : 0));
  }
  return quantised;
}

// The inertia of the labels of the last assign, good to ten digits: the cost that follows from the
// sums where that is, else from the rows. `next` is scratch memory.
template <Real T>
double inertia_of(KMeansSteps<T>& steps, const Buffer<T>& centres, Buffer<T>& next) {
  constexpr double relative_error = 1e-10;
  steps.recentre(centres, next);
  const KMeansTotals totals = steps.totals();
  if (totals.cost_error <= relative_error * totals.cost) return totals.cost;
  return steps.inertia(centres);
}

// --- Lloyd's algorithm --------------------------------------------------------------------------

// The result of one start, with its own initial centres.
template <Real T>
struct Start {
  std::vector<T> centres;
  std::vector<Index> counts;
  double inertia = std::numeric_limits<double>::infinity();
  Index number = 0;
  TrainingLog log;

  void save(Archive& archive) const {
    archive.set_tensor("centres", centres);
    archive.set_tensor("counts", counts);
    archive.set("inertia", inertia);
    archive.set("number", number);
    log.save(archive, "training");
  }
  static Start load(const Archive& archive, Index clusters, Index features) {
    Start start;
    start.centres = archive.get_tensor<T>("centres", clusters * features);
    start.counts = archive.get_tensor<Index>("counts", clusters);
    start.inertia = archive.get_double("inertia");
    start.number = archive.get_int("number", 0, std::numeric_limits<std::int64_t>::max());
    start.log = TrainingLog::load(archive, "training");
    return start;
  }
};

// Where a start stands between two iterations.
template <Real T>
struct Position {
  Index start = 0;
  std::vector<T> centres;
  std::vector<std::int32_t> labels;
  std::vector<double> costs;
};

template <Real T>
class Lloyd {
 public:
  // `centres` are the first ones, or none.
  Lloyd(Engine& engine, MatrixView<const T> x, const KMeansOptions& options,
        MatrixView<const T> centres, std::span<const double> weights, RunControl& control)
      : engine_(engine),
        x_(x),
        options_(options),
        given_(centres),
        weights_(weights),
        control_(control),
        steps_(make_steps<KMeansSteps, T>(engine)) {
    steps_->expect_centres(options.clusters);
    const KMeansColumns columns = steps_->measure(x, weights);
    for (const double mean : columns.mean) {
      if (!std::isfinite(mean)) require_finite_values(x);
      origin_.push_back(static_cast<T>(mean));
    }
    const KMeansSpread spread = steps_->load(x, weights, origin_);
    double largest = 0;
    double square_sum = 0;
    for (Index j = 0; j < x.cols; ++j) {
      const auto at = static_cast<std::size_t>(j);
      largest = std::max(largest, spread.largest[at]);
      square_sum += spread.square_sum[at];
    }
    for (Index c = 0; c < given_.rows; ++c) {
      for (Index j = 0; j < x.cols; ++j) {
        const double origin = static_cast<double>(origin_[static_cast<std::size_t>(j)]);
        largest = std::max(largest, std::abs(static_cast<double>(given_(c, j)) - origin));
      }
    }
    require_range<T>(largest, x.cols);
    mean_variance_ = square_sum / columns.weight / static_cast<double>(x.cols);
  }

  Lloyd(const Lloyd&) = delete;
  Lloyd& operator=(const Lloyd&) = delete;
  ~Lloyd() { backend(engine_).forget_repeated(steps_.get()); }

  KMeansModel<T> fit() {
    const Index starts = given_.rows > 0 ? 1 : options_.starts;
    std::optional<Start<T>> best;
    std::optional<Position<T>> resumed = resume(best);
    for (Index s = resumed ? resumed->start : 0; s < starts; ++s) {
      Position<T> position;
      if (resumed) {
        position = std::move(*resumed);
        resumed.reset();
        steps_->begin(options_.clusters, position.labels);
      } else {
        position.start = s;
        position.centres = first_centres(engine_, *steps_, x_, weights_,
                                         std::span<const T>(origin_), options_, given_, s);
        steps_->begin(options_.clusters);
      }
      Start<T> start = run(std::move(position), best);
      if (!best || start.inertia < best->inertia) best = std::move(start);
    }
    KMeansModel<T> model;
    model.centres = Matrix<T>(options_.clusters, x_.cols, std::move(best->centres));
    model.origin = origin_;
    model.counts = std::move(best->counts);
    model.inertia = best->inertia;
    model.start = best->number;
    model.log = std::move(best->log);
    return model;
  }

 private:
  Start<T> run(Position<T> position, const std::optional<Start<T>>& best) {
    Start<T> result;
    result.number = position.start;
    TrainingLog& log = result.log;
    std::vector<double>& costs = log.history["inertia"];
    costs = std::move(position.costs);
    Buffer<T> centres = to_engine(engine_, position.centres);
    Buffer<T> next(engine_, centres.size());
    bool labelled = false;  // whether the labels are those of `centres`
    // The starts after this one are taken to be like it.
    const Index starts = given_.rows > 0 ? 1 : options_.starts;
    const auto before = static_cast<Index>(costs.size());
    WatchedFit watched(
        static_cast<double>((starts - result.number) * options_.max_iterations - before), true);

    while (!log.converged && static_cast<Index>(costs.size()) < options_.max_iterations) {
      {
        // Centres and next change places from one iteration to the next.
        const Repeated part(engine_, steps_.get(), costs.size() % 2);
        watched.begin_loop(1);
        // Assign each row to its nearest centre,
        steps_->assign(centres);
        // and move each centre to the mean of its rows.
        steps_->recentre(centres, next);
      }
      KMeansTotals totals = steps_->totals();
      const double cost = totals.cost;
      const double cost_before = costs.empty() ? cost : costs.back();
      const bool first = costs.empty();
      costs.push_back(cost);
      watched.done_at(static_cast<double>(static_cast<Index>(costs.size()) - before));
      if (totals.changed == 0) {
        labelled = true;
        stop(log, "no label changed");
        break;
      }
      if (totals.empty > 0) {
        fill_empty_centres(centres);
        steps_->recentre(centres, next);
        totals = steps_->totals();
      }
      std::swap(centres, next);
      if (totals.shift_squared <= options_.tolerance * mean_variance_) {
        stop(log, "the centres moved by no more than the tolerance " + text(options_.tolerance));
      } else if (options_.inertia_tolerance > 0 && !first &&
                 std::abs(cost_before - cost) <= options_.inertia_tolerance * cost_before) {
        stop(log, "the inertia changed by no more than " + text(options_.inertia_tolerance) +
                      " of itself");
      }
      if (log.converged) break;
      end_iteration(control_,
                    Progress{"iteration", static_cast<Index>(costs.size()), options_.max_iterations,
                             "inertia", cost},
                    [&] { return state(result.number, centres, costs, best); });
    }
    if (!log.converged) {
      log.stopped_because =
          "reached the " + std::to_string(options_.max_iterations) + " iterations allowed";
    }
    if (!labelled) steps_->assign(centres);
    log.iterations = static_cast<Index>(costs.size());
    result.inertia = inertia_of(*steps_, centres, next);
    result.centres = centres.to_host();
    result.counts = steps_->counts();
    return result;
  }

  static void stop(TrainingLog& log, std::string why) {
    log.converged = true;
    log.stopped_because = std::move(why);
  }

  // A centre without rows takes the row that is farthest from its own centre, ties to the lowest
  // row; several take them in ascending order, each row's distance then being that to its own
  // centre or to a row just taken, whichever is nearer. No centre loses its only row. Where all
  // rows lie on centres the empty ones stay.
  void fill_empty_centres(const Buffer<T>& centres) {
    steps_->distances_to_own_centres(centres);
    const std::vector<Index> counts = steps_->counts();
    for (std::size_t c = 0; c < counts.size(); ++c) {
      if (counts[c] > 0) continue;
      const KMeansFarthest farthest = steps_->farthest();
      if (farthest.row < 0 || !(farthest.distance > 0)) return;
      steps_->move_row(farthest.row, static_cast<std::int32_t>(c));
      steps_->distances_to_rows(std::span<const Index>(&farthest.row, 1), false);
    }
  }

  // Everything that later iterations depend on.
  Archive state(Index start, const Buffer<T>& centres, const std::vector<double>& costs,
                const std::optional<Start<T>>& best) {
    Archive archive;
    archive.set("rows", x_.rows);
    archive.set("features", x_.cols);
    archive.set("clusters", options_.clusters);
    archive.set("start", start);
    archive.set_tensor("centres", centres.to_host());
    archive.set_tensor("labels", steps_->labels());
    archive.set("costs", costs);
    if (best) {
      Archive part;
      best->save(part);
      archive.set_part("best", part);
    }
    return archive;
  }

  std::optional<Position<T>> resume(std::optional<Start<T>>& best) {
    const Archive* archive = control_.resume_state();
    if (archive == nullptr) return {};
    const auto expect = [&](std::string_view name, Index value) {
      if (archive->get_int(name) != value) {
        archive->fail(name, "is of another fit: " + std::to_string(archive->get_int(name)) +
                                ", expected " + std::to_string(value));
      }
    };
    expect("rows", x_.rows);
    expect("features", x_.cols);
    expect("clusters", options_.clusters);
    Position<T> position;
    position.start = archive->get_int("start", 0, options_.starts - 1);
    position.centres = archive->get_tensor<T>("centres", options_.clusters * x_.cols);
    for (const T value : position.centres) {
      if (!std::isfinite(value)) archive->fail("centres", "has a value that is not finite");
    }
    position.labels = archive->get_tensor<std::int32_t>("labels", x_.rows);
    for (const std::int32_t label : position.labels) {
      if (label < 0 || label >= options_.clusters) {
        archive->fail("labels", "has a label that is not a cluster");
      }
    }
    position.costs = archive->get_doubles("costs");
    if (archive->has_part("best")) {
      best = Start<T>::load(archive->part("best"), options_.clusters, x_.cols);
    }
    return position;
  }

  Engine& engine_;
  MatrixView<const T> x_;
  const KMeansOptions& options_;
  MatrixView<const T> given_;
  std::span<const double> weights_;
  RunControl& control_;
  std::unique_ptr<KMeansSteps<T>> steps_;
  std::vector<T> origin_;
  double mean_variance_ = 0;
};

}  // namespace

void KMeansOptions::visit(OptionVisitor& visitor) {
  constexpr std::int64_t many = std::int64_t{1} << 40;
  visitor.integer({"clusters", "k", {"n_clusters"}}, clusters, "number of clusters", 1,
                  std::int64_t{1} << 30);
  visitor.choice("init", init,
                 "how the first centres are found; a file of centres alone means given");
  visitor.text("centres", centres,
               "file of the first centres, a row each, in the features that the clustering sees");
  visitor.integer({"starts", {"n_init"}}, starts,
                  "runs from different first centres, of which the best is kept", 1, 1000000);
  visitor.integer({"max_iterations", {"max_iter"}}, max_iterations, "most iterations of a start", 1,
                  many);
  visitor.real({"tolerance", {"tol"}}, tolerance,
               "stop when the squared moves of the centres, added up, are at most this part of "
               "the mean variance of the features",
               0, 1e300);
  visitor.real("inertia_tolerance", inertia_tolerance,
               "stop when the inertia changes by at most this part of itself; 0 never", 0, 1);
  visitor.real({"oversampling", {"oversampling", "oversampling_factor"}}, oversampling,
               "k-means||: rows drawn per round, in multiples of the clusters", 1e-3, 1e3);
  visitor.integer("rounds", rounds, "k-means||: rounds of drawing", 1, 1000);
  visitor.seed(seed);
}

void KMeansOptions::check() const {
  if (!centres.empty() && init != KMeansInit::given && init != KMeansInit::plus_plus) {
    throw InputError(option("centres") + " and " + option("init") + " " +
                     std::string(to_string(init)) +
                     " exclude each other: both say where the first centres come from");
  }
}

template <Real T>
KMeansModel<T> fit(Engine& engine, const DatasetView<T>& data, const KMeansOptions& options,
                   const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  require_dense(data, "k-means");
  refuse_base_margin(data, "k-means");
  const MatrixView<const T> x = data.features;
  if (x.rows < 1) throw InputError("k-means: the data has no rows; expected at least one");
  if (x.cols < 1) throw InputError("k-means: the data has no features; expected at least one");
  check_options(options);
  Matrix<T> of_file;
  MatrixView<const T> centres = context.initial_centres;
  if (centres.rows == 0 && !options.centres.empty()) {
    of_file = read_centres<T>(options.centres, options.clusters, x.cols);
    centres = std::as_const(of_file).view();
  }
  if (centres.rows > 0) {
    check_given_centres(centres, options.clusters, x.cols);
  } else if (options.init == KMeansInit::given) {
    throw InputError(option("init") + " given needs the first centres: " + option("centres") +
                     " FILE");
  }
  // Measuring and loading both read the rows.
  const EngineTable<T> table(engine, setting.data());
  const std::vector<double> quantised = quantised_weights(setting.data().weights, x.rows);
  Lloyd<T> lloyd(engine, x, options, centres, quantised, setting.control());
  require_more_rows_than_clusters(x, std::span<const double>(quantised), options.clusters);
  return lloyd.fit();
}

// --- the model ----------------------------------------------------------------------------------

namespace {

// Steps that hold rows x of data that a model is applied to.
template <Real T>
std::unique_ptr<KMeansSteps<T>> load_rows(Engine& engine, const KMeansModel<T>& model,
                                          MatrixView<const T> x,
                                          std::span<const double> weights = {}) {
  auto steps = make_steps<KMeansSteps, T>(engine);
  steps->expect_centres(model.centres.rows());
  for (const double mean : steps->measure(x, weights).mean) {
    if (!std::isfinite(mean)) require_finite_values(x);
  }
  const KMeansSpread spread = steps->load(x, weights, model.origin);
  const double largest = *std::max_element(spread.largest.begin(), spread.largest.end());
  if (largest > largest_magnitude<T>(x.cols)) require_range<T>(largest, x.cols);
  return steps;
}

template <Real T>
void check_columns(const KMeansModel<T>& model, MatrixView<const T> x) {
  if (x.cols != model.features()) {
    throw InputError("the data has " + std::to_string(x.cols) +
                     " features but the k-means model was trained on " +
                     std::to_string(model.features()) +
                     "; give the columns that it was trained on");
  }
}

}  // namespace

template <Real T>
const std::vector<std::string>& KMeansModel<T>::classes() const {
  static const std::vector<std::string> none;
  return none;
}

template <Real T>
Predictions<T> KMeansModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return ready_on(engine)->predict(x);
}

template <Real T>
std::unique_ptr<ReadyModel<T>> KMeansModel<T>::ready_on(Engine& engine) const {
  return ready_by<T>(
      [this, &engine, on_engine = to_engine(engine, centres.values())](MatrixView<const T> x) {
        check_columns(*this, x);
        Predictions<T> predictions;
        predictions.labels.reserve(static_cast<std::size_t>(x.rows));
        // A part at a time: the steps keep a copy of the rows.
        constexpr Index rows_at_once = Index{1} << 20;
        for (Index begin = 0; begin < x.rows; begin += rows_at_once) {
          const Index count = std::min(rows_at_once, x.rows - begin);
          const auto steps = load_rows(engine, *this, x.rows_from(begin, count));
          steps->label(on_engine, centres.rows());
          const auto labels = steps->labels();
          predictions.labels.insert(predictions.labels.end(), labels.begin(), labels.end());
        }
        return predictions;
      });
}

template <Real T>
std::map<std::string, double> KMeansModel<T>::own_metrics(Engine& engine,
                                                          MatrixView<const T> x) const {
  return {{"inertia", weighted_inertia<T>(engine, *this, x, {})}};
}

template <Real T>
double weighted_inertia(Engine& engine, const KMeansModel<T>& model, MatrixView<const T> x,
                        std::span<const T> weights) {
  check_columns(model, x);
  if (x.rows == 0) return 0;
  const std::vector<double> quantised = quantised_weights(weights, x.rows);
  const Buffer<T> on_engine = to_engine(engine, model.centres.values());
  Buffer<T> scratch(engine, on_engine.size());
  const auto steps = load_rows(engine, model, x, quantised);
  steps->begin(model.centres.rows());
  steps->assign(on_engine);
  return inertia_of(*steps, on_engine, scratch);
}

template double weighted_inertia(Engine&, const KMeansModel<float>&, MatrixView<const float>,
                                 std::span<const float>);
template double weighted_inertia(Engine&, const KMeansModel<double>&, MatrixView<const double>,
                                 std::span<const double>);

template class KMeansModel<float>;
template class KMeansModel<double>;
template KMeansModel<float> fit(Engine&, const DatasetView<float>&, const KMeansOptions&,
                                const FitContext<float>&);
template KMeansModel<double> fit(Engine&, const DatasetView<double>&, const KMeansOptions&,
                                 const FitContext<double>&);

}  // namespace tandem
