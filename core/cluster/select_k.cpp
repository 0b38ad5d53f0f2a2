#include "tandem/cluster/select_k.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <set>
#include <sstream>

#include "core/json_text.hpp"
#include "core/random.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/metrics/clustering.hpp"

namespace tandem {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// Interruption passes through, progress and checkpoints of the single fits do not.
class InterruptionOnly final : public RunControl {
 public:
  explicit InterruptionOnly(const RunControl& control) : control_(control) {}
  [[nodiscard]] bool stop_requested() const noexcept override { return control_.stop_requested(); }

 private:
  const RunControl& control_;
};

// Some of the rows, ascending: all of them where `limit` is 0 or there are no more.
std::vector<Index> rows_to_judge(Index rows, Index limit, std::uint64_t seed) {
  std::vector<Index> chosen(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i) chosen[static_cast<std::size_t>(i)] = i;
  if (limit == 0 || rows <= limit) return chosen;
  const Random random(seed, Purpose::sampling);
  for (Index i = 0; i < limit; ++i) {
    const Index other = i + random.below(rows - i, static_cast<std::uint64_t>(i));
    std::swap(chosen[static_cast<std::size_t>(i)], chosen[static_cast<std::size_t>(other)]);
  }
  chosen.resize(static_cast<std::size_t>(limit));
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

template <Real T>
Matrix<T> take_rows(MatrixView<const T> x, const std::vector<Index>& rows) {
  Matrix<T> taken(static_cast<Index>(rows.size()), x.cols);
  for (Index i = 0; i < taken.rows(); ++i) {
    const auto row = x.row(rows[static_cast<std::size_t>(i)]);
    std::copy(row.begin(), row.end(), taken.row(i).begin());
  }
  return taken;
}

template <Real T>
double silhouette_of(Engine& engine, const KMeansModel<T>& model, const Matrix<T>& rows) {
  const auto labels = model.predict(engine, rows.view()).labels;
  const auto clusters =
      static_cast<Index>(std::set<std::int32_t>(labels.begin(), labels.end()).size());
  if (clusters < 2 || clusters >= rows.rows()) return unknown;
  return silhouette<T>(engine, rows.view(), labels);
}

// As many rows as x, each feature uniform between its least and its largest value in x.
template <Real T>
Matrix<T> reference_set(MatrixView<const T> x, std::uint64_t seed, Index number) {
  std::vector<double> low(static_cast<std::size_t>(x.cols),
                          std::numeric_limits<double>::infinity());
  std::vector<double> high(static_cast<std::size_t>(x.cols),
                           -std::numeric_limits<double>::infinity());
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) {
      const auto at = static_cast<std::size_t>(j);
      low[at] = std::min(low[at], static_cast<double>(x(i, j)));
      high[at] = std::max(high[at], static_cast<double>(x(i, j)));
    }
  }
  const Random random(seed, Purpose::reference_distribution, static_cast<std::uint32_t>(number));
  Matrix<T> set(x.rows, x.cols);
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const double u = random.uniform(static_cast<std::uint64_t>(i * x.cols + j));
      set(i, j) = static_cast<T>(low[at] + u * (high[at] - low[at]));
    }
  }
  return set;
}

// The statistic of each candidate: the mean over the reference sets of log W*, less log W, and its
// error s_k.
template <Real T>
void add_gaps(Engine& engine, MatrixView<const T> x, const SelectKOptions& options,
              std::span<const T> weights, RunControl& control, WatchedFit& watched, Index& done,
              Index total, std::vector<KCandidate>& candidates) {
  InterruptionOnly inner(control);
  const auto sets = static_cast<double>(options.reference_sets);
  std::vector<std::vector<double>> logs(candidates.size());
  for (Index b = 0; b < options.reference_sets; ++b) {
    const Matrix<T> reference = reference_set(x, options.kmeans.seed, b);
    for (std::size_t at = 0; at < candidates.size(); ++at) {
      KMeansOptions kmeans = options.kmeans;
      kmeans.clusters = candidates[at].k;
      kmeans.starts = options.reference_starts;
      DatasetView<T> data;
      data.features = reference.view();
      data.weights = weights;
      watched.begin_fit(static_cast<double>(kmeans.clusters * kmeans.starts));
      logs[at].push_back(math::log(fit(engine, data, kmeans, {.control = &inner}).inertia));
      done += kmeans.clusters * kmeans.starts;
      watched.done_at(static_cast<double>(done));
      control.report({"centre", done, total, {}, 0});
      if (control.stop_requested()) throw Interrupted("stopped because an interrupt was received");
    }
  }
  for (std::size_t at = 0; at < candidates.size(); ++at) {
    double mean = 0;
    for (const double value : logs[at]) mean += value;
    mean /= sets;
    double variance = 0;
    for (const double value : logs[at]) variance += (value - mean) * (value - mean);
    variance /= sets;
    candidates[at].gap = mean - math::log(candidates[at].inertia);
    candidates[at].gap_error = std::sqrt(variance) * std::sqrt(1 + 1 / sets);
  }
}

nlohmann::json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

}  // namespace

void SelectKOptions::visit(OptionVisitor& visitor) {
  constexpr std::int64_t most = std::int64_t{1} << 30;
  visitor.integer("lowest", lowest, "the smallest number of clusters that is tried", 1, most);
  visitor.integer("highest", highest, "the largest number of clusters that is tried", 1, most);
  visitor.flag("silhouette", silhouette, "the silhouette (rows squared work)");
  visitor.integer("silhouette_rows", silhouette_rows,
                  "of more rows than this, that many are drawn for the silhouette; 0: all", 0,
                  std::numeric_limits<std::int64_t>::max());
  visitor.flag("gap", gap, "the gap statistic");
  visitor.integer({"reference_sets", "references", {}}, reference_sets,
                  "sets of uniform random rows for the gap statistic", 1, 10000);
  visitor.integer("reference_starts", reference_starts, "starts of a fit to such a set", 1,
                  1000000);
  WithoutOptions fits(visitor, {"clusters", "centres"});
  kmeans.visit(fits);
}

void SelectKOptions::check() const {
  if (highest < lowest) {
    throw InputError(option("highest") + " is " + std::to_string(highest) + ", below " +
                     option("lowest") + ", " + std::to_string(lowest));
  }
  kmeans.check();
}

Index elbow(const std::vector<Index>& k, const std::vector<double>& inertia) {
  if (k.size() < 3) return 0;
  const double drop = inertia.front() - inertia.back();
  if (!(drop > 0)) return 0;
  const auto width = static_cast<double>(k.back() - k.front());
  Index best = 0;
  double largest = 0;
  for (std::size_t at = 0; at < k.size(); ++at) {
    const double across = static_cast<double>(k[at] - k.front()) / width;
    const double below = 1 - across - (inertia[at] - inertia.back()) / drop;
    if (below > largest) {
      largest = below;
      best = k[at];
    }
  }
  return best;
}

Index first_gap_within_error(const std::vector<Index>& k, const std::vector<double>& gap,
                             const std::vector<double>& error) {
  for (std::size_t at = 0; at + 1 < k.size(); ++at) {
    if (gap[at] >= gap[at + 1] - error[at + 1]) return k[at];
  }
  return 0;
}

template <Real T>
KSelection<T> select_k(Engine& engine, const DatasetView<T>& data, const SelectKOptions& options,
                       const FitContext<std::type_identity_t<T>>& context) {
  check_options(options);
  if (options.kmeans.init == KMeansInit::given || !options.kmeans.centres.empty() ||
      context.initial_centres.rows > 0) {
    throw InputError("choosing " + option("clusters") +
                     " needs centres for each number; they cannot be given, choose another " +
                     option("init"));
  }
  require_dense(data, "k-means");
  const FitSetting<T> setting(data, context);
  const MatrixView<const T> x = data.features;
  const std::span<const T> weights = setting.data().weights;
  RunControl& control = setting.control();
  const StopScope stop(context.control);
  InterruptionOnly inner(control);
  const std::vector<Index> judged =
      rows_to_judge(x.rows, options.silhouette_rows, options.kmeans.seed);
  const Matrix<T> rows = options.silhouette ? take_rows(x, judged) : Matrix<T>();
  // Progress is counted in centres, since a fit takes as long as it has of them.
  const Index centres =
      (options.lowest + options.highest) * (options.highest - options.lowest + 1) / 2;
  const Index total =
      centres * (options.kmeans.starts +
                 (options.gap ? options.reference_sets * options.reference_starts : 0));
  Index done = 0;
  WatchedFit watched(static_cast<double>(total), true);

  KSelection<T> selection;
  // The largest first, so that too large a range is refused at once.
  for (Index k = options.highest; k >= options.lowest; --k) {
    KMeansOptions kmeans = options.kmeans;
    kmeans.clusters = k;
    watched.begin_fit(static_cast<double>(k * kmeans.starts));
    KMeansModel<T> model = fit(engine, setting.data(), kmeans, {.control = &inner});
    KCandidate candidate;
    candidate.k = k;
    candidate.inertia = model.inertia;
    candidate.iterations = model.log.iterations;
    candidate.stopped_because = model.log.stopped_because;
    candidate.silhouette = options.silhouette ? silhouette_of(engine, model, rows) : unknown;
    candidate.gap = candidate.gap_error = unknown;
    done += k * kmeans.starts;
    watched.done_at(static_cast<double>(done));
    control.report({"centre", done, total, "inertia", model.inertia});
    if (control.stop_requested()) throw Interrupted("stopped because an interrupt was received");
    selection.candidates.push_back(std::move(candidate));
    selection.models.push_back(std::move(model));
  }
  std::reverse(selection.candidates.begin(), selection.candidates.end());
  std::reverse(selection.models.begin(), selection.models.end());
  if (options.gap) {
    add_gaps(engine, x, options, weights, control, watched, done, total, selection.candidates);
  }

  std::vector<Index> ks;
  std::vector<double> inertias;
  std::vector<double> gaps;
  std::vector<double> errors;
  double best = -std::numeric_limits<double>::infinity();
  for (const KCandidate& candidate : selection.candidates) {
    ks.push_back(candidate.k);
    inertias.push_back(candidate.inertia);
    gaps.push_back(candidate.gap);
    errors.push_back(candidate.gap_error);
    if (candidate.silhouette > best) {
      best = candidate.silhouette;
      selection.by_silhouette = candidate.k;
    }
  }
  selection.by_elbow = elbow(ks, inertias);
  selection.by_gap = first_gap_within_error(ks, gaps, errors);
  return selection;
}

template <Real T>
std::string KSelection<T>::to_json() const {
  nlohmann::json json;
  json["candidates"] = nlohmann::json::array();
  for (const KCandidate& candidate : candidates) {
    json["candidates"].push_back({{"k", candidate.k},
                                  {"inertia", number_or_null(candidate.inertia)},
                                  {"iterations", candidate.iterations},
                                  {"stopped_because", candidate.stopped_because},
                                  {"silhouette", number_or_null(candidate.silhouette)},
                                  {"gap", number_or_null(candidate.gap)},
                                  {"gap_error", number_or_null(candidate.gap_error)}});
  }
  const auto choice = [](Index k) { return k > 0 ? nlohmann::json(k) : nlohmann::json(nullptr); };
  json["by_elbow"] = choice(by_elbow);
  json["by_silhouette"] = choice(by_silhouette);
  json["by_gap"] = choice(by_gap);
  return json_text(json);
}

template <Real T>
std::string KSelection<T>::to_text() const {
  std::ostringstream out;
  const auto column = [&](double value, int digits) {
    out << std::setw(12);
    if (std::isfinite(value)) {
      out << std::fixed << std::setprecision(digits) << value;
    } else {
      out << "-";
    }
  };
  out << "    k" << std::setw(16) << "inertia" << std::setw(12) << "silhouette" << std::setw(12)
      << "gap" << std::setw(12) << "gap error" << '\n';
  for (const KCandidate& candidate : candidates) {
    out << std::setw(5) << candidate.k << std::setw(16) << std::defaultfloat << std::setprecision(8)
        << candidate.inertia;
    column(candidate.silhouette, 4);
    column(candidate.gap, 4);
    column(candidate.gap_error, 4);
    out << '\n';
  }
  const auto rule = [&](std::string_view name, Index k) {
    out << name << ": ";
    if (k > 0) {
      out << "k = " << k << '\n';
    } else {
      out << "no answer in this range\n";
    }
  };
  out << '\n';
  rule("elbow (farthest below the chord)", by_elbow);
  rule("silhouette (largest)", by_silhouette);
  rule("gap statistic (first within one error of the next)", by_gap);
  return out.str();
}

template struct KSelection<float>;
template struct KSelection<double>;
template KSelection<float> select_k(Engine&, const DatasetView<float>&, const SelectKOptions&,
                                    const FitContext<float>&);
template KSelection<double> select_k(Engine&, const DatasetView<double>&, const SelectKOptions&,
                                     const FitContext<double>&);

}  // namespace tandem
