#include "systems/serving/watch/drift.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "systems/serving/watch/kolmogorov.hpp"
#include "systems/statistics/distributions.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::watch {
namespace {

constexpr std::size_t most_bins = 10;
constexpr double fewest_expected = 5;  // rows in a bin of the chi-squared test

// The index of stability and the test by Kolmogorov and Smirnov see the same rows: the smaller of
// their p values is as small as that of this many independent checks. Measured by `tandem
// experiment simulate` (docs/drift.md).
constexpr double effective_shape_checks = 1.6;

struct Bin {
  double before = 0;
  double now = 0;
};

// Neighbouring intervals joined until a bin has a tenth of the training rows.
std::vector<Bin> bins_of_numbers(const ColumnSummary& before, const ColumnSummary& now) {
  std::vector<Bin> bins(1);
  const double share = static_cast<double>(before.present()) / most_bins;
  double reached = 0;
  for (std::size_t k = 0; k < before.counts.size(); ++k) {
    if (reached >= share * static_cast<double>(bins.size()) - 1e-9 && bins.back().before > 0) {
      bins.emplace_back();
    }
    bins.back().before += static_cast<double>(before.counts[k]);
    bins.back().now += static_cast<double>(now.counts[k]);
    reached += static_cast<double>(before.counts[k]);
  }
  return bins;
}

// A bin for each category that is not rare, and the rare ones together with the rows of unseen
// ones. Had each category a bin of its own, the training data would have the more of the rare ones,
// for it is by having come there that they are known at all. Rare is what would have come later
// alone with a probability of more than a thousandth.
std::vector<Bin> bins_of_categories(const ColumnSummary& before, const ColumnSummary& now) {
  const auto n = static_cast<double>(before.present());
  const auto m = static_cast<double>(now.present() + now.unseen);
  const double rare = std::log(1e-3) / std::log(m / (n + m));
  std::vector<Bin> bins(1);
  bins[0].now = static_cast<double>(now.unseen);
  for (std::size_t k = 0; k < before.counts.size(); ++k) {
    const Bin bin{static_cast<double>(before.counts[k]), static_cast<double>(now.counts[k])};
    if (bin.before + bin.now > rare) {
      bins.push_back(bin);
    } else {
      bins[0].before += bin.before;
      bins[0].now += bin.now;
    }
  }
  return bins;
}

// Bins too small for a chi-squared test are joined: the smallest with the next smallest, by the
// rows of both sides together, so that the choice knows nothing of their difference.
std::vector<Bin> with_enough_rows(std::vector<Bin> bins, double before, double now) {
  const double smaller_share = std::min(before, now) / (before + now);
  std::sort(bins.begin(), bins.end(),
            [](const Bin& a, const Bin& b) { return a.before + a.now < b.before + b.now; });
  std::vector<Bin> joined;
  Bin gathered;
  for (const Bin& bin : bins) {
    gathered.before += bin.before;
    gathered.now += bin.now;
    if ((gathered.before + gathered.now) * smaller_share >= fewest_expected) {
      joined.push_back(gathered);
      gathered = {};
    }
  }
  if (gathered.before + gathered.now > 0) {
    if (joined.empty()) joined.emplace_back();
    joined.back().before += gathered.before;
    joined.back().now += gathered.now;
  }
  return joined;
}

double psi_of(const std::vector<Bin>& bins) {
  double before = 0;
  double now = 0;
  for (const Bin& bin : bins) {
    before += bin.before + 0.5;
    now += bin.now + 0.5;
  }
  double psi = 0;
  for (const Bin& bin : bins) {
    const double p = (bin.before + 0.5) / before;
    const double q = (bin.now + 0.5) / now;
    psi += (q - p) * std::log(q / p);
  }
  return psi;
}

void compare_shapes(ColumnDrift& result, const ColumnSummary& before, const ColumnSummary& now,
                    double level) {
  const auto n = static_cast<double>(before.present());
  const auto m = static_cast<double>(now.present() + now.unseen);
  if (n == 0 || m == 0) return;
  const std::vector<Bin> tested = with_enough_rows(
      before.categorical ? bins_of_categories(before, now) : bins_of_numbers(before, now), n, m);
  result.psi = psi_of(tested);
  if (tested.size() > 1) {
    double chi_squared = 0;
    for (const Bin& bin : tested) {
      const double all = bin.before + bin.now;
      const double expected = all * m / (n + m);
      const double difference = bin.now - expected;
      chi_squared += difference * difference * (1 / expected + 1 / (all - expected));
    }
    const auto degrees = static_cast<double>(tested.size() - 1);
    result.p_psi = statistics::chi_squared_tail(chi_squared, degrees);
    result.psi_limit = statistics::chi_squared_quantile(1 - level, degrees) * (1 / n + 1 / m);
  }
  if (before.categorical) return;
  std::vector<double> shares;
  std::vector<double> differences;
  double up_to_before = 0;
  double up_to_now = 0;
  for (std::size_t k = 0; k + 1 < before.counts.size(); ++k) {
    up_to_before += static_cast<double>(before.counts[k]);
    up_to_now += static_cast<double>(now.counts[k]);
    shares.push_back((up_to_before + up_to_now) / (n + m));
    differences.push_back(std::abs(up_to_before / n - up_to_now / m));
  }
  std::vector<double> places;
  for (const std::size_t k : spread_places(shares)) {
    places.push_back(shares[k]);
    result.ks = std::max(result.ks, differences[k]);
  }
  if (!places.empty()) {
    result.p_ks = kolmogorov_tail(result.ks * std::sqrt(n * m / (n + m)), places);
  }
}

// Of `marked` rows among n + m, how surprising it is that m hold `now` of them: two-sided, by the
// mid-p value of the hypergeometric distribution (Fisher's exact test; Lancaster, "Significance
// Tests in Discrete Distributions", 1961), and for many rows by the normal one.
double p_of_shares(double before, double n, double now, double m) {
  const double marked = before + now;
  const double all = n + m;
  if (marked == 0 || marked == all || n == 0 || m == 0) return 1;
  const double share = marked / all;
  const double variance = n * m / all * share * (1 - share) * all / (all - 1);
  const double expected = m * share;
  if (variance > 200) return statistics::normal_two_sided((now - expected) / std::sqrt(variance));
  const auto log_choose = [](double a, double b) {
    return statistics::log_gamma(a + 1) - statistics::log_gamma(b + 1) -
           statistics::log_gamma(a - b + 1);
  };
  const double base = log_choose(all, m);
  const auto probability = [&](double k) {
    return std::exp(log_choose(marked, k) + log_choose(all - marked, m - k) - base);
  };
  const double lowest = std::max(0.0, m - (all - marked));
  const double highest = std::min(marked, m);
  double below = 0;
  double above = 0;
  // Beyond twelve deviations there is nothing to add.
  const double far = 12 * std::sqrt(variance) + 12;
  for (double k = std::max(lowest, std::floor(expected - far));
       k <= std::min(highest, expected + far); k += 1) {
    const double p = probability(k);
    below += k < now ? p : k == now ? p / 2 : 0;
    above += k > now ? p : k == now ? p / 2 : 0;
  }
  return std::min(1.0, 2 * std::min(below, above));
}

// Categories that the training data lacks. Had each row of the training data come last, it would
// have been of an unseen category where its category has no other row; so the training rows that
// are alone in their category, of n, are what m new rows are compared with. The two counts are
// taken as those of rare events, and joined by a binomial test; an unseen category that comes
// several times counts as often, which a new sample that is large against the training data makes
// likely, and which the division allows for.
double p_of_unseen(double alone, double n, double unseen, double m) {
  if (unseen == 0) return 1;
  const double spread = 1 + m / n;
  const double a = std::floor(alone / spread);
  const double u = std::floor(unseen / spread);
  if (u == 0) return 1;
  const double share = m / (n + m);
  return 0.5 * (statistics::binomial_at_least(u, a + u, share) +
                statistics::binomial_at_least(u + 1, a + u, share));
}

// The p value of the smallest of several checks, which stand for `count` independent ones.
double of_several(double smallest, double count) {
  return -std::expm1(count * std::log1p(-std::min(smallest, 1 - 1e-16)));
}

// The independent checks that a column's checks stand for.
double checks_of(const ColumnDrift& drift) {
  double count = 0;
  const bool psi = drift.p_psi < 1;
  const bool ks = drift.p_ks < 1;
  if (psi || ks) count += psi && ks ? effective_shape_checks : 1;
  if (drift.missing_before > 0 || drift.missing_now > 0) count += 1;
  if (drift.unseen_now > 0 || drift.unseen_expected > 0) count += 1;
  return count;
}

double smallest_of(const ColumnDrift& drift) {
  return std::min({drift.p_psi, drift.p_ks, drift.p_missing, drift.p_unseen});
}

ColumnDrift compare_column(const ColumnSummary& before, const ColumnSummary& now,
                           const DriftOptions& options) {
  if (before.name != now.name || before.edges != now.edges ||
      before.counts.size() != now.counts.size()) {
    throw InputError("drift: " + now.name + " was not counted as " + before.name + " was");
  }
  ColumnDrift drift;
  drift.name = before.name;
  drift.categorical = before.categorical;
  const auto n = static_cast<double>(before.rows());
  const auto m = static_cast<double>(now.rows());
  drift.rows_before = n;
  drift.rows_now = m;
  compare_shapes(drift, before, now, options.level);
  drift.missing_before = n > 0 ? static_cast<double>(before.missing) / n : 0;
  drift.missing_now = m > 0 ? static_cast<double>(now.missing) / m : 0;
  drift.p_missing =
      p_of_shares(static_cast<double>(before.missing), n, static_cast<double>(now.missing), m);
  if (before.categorical && n > 0 && m > 0) {
    const auto alone =
        static_cast<double>(std::count(before.counts.begin(), before.counts.end(), Index{1}));
    drift.unseen_now = static_cast<double>(now.unseen) / m;
    drift.unseen_expected = alone / n;
    drift.p_unseen = p_of_unseen(alone, n, static_cast<double>(now.unseen), m);
  }
  drift.judged = n >= options.fewest_rows && m >= options.fewest_rows;
  if (!drift.judged) drift.why_not = "fewer than " + shortest(options.fewest_rows) + " rows";
  const double checks = checks_of(drift);
  drift.p = checks > 0 ? of_several(smallest_of(drift), checks) : 1;
  return drift;
}

std::string percent(double share) { return significant(100 * share, 3) + " %"; }

void explain(ColumnDrift& drift, double limit) {
  const auto add = [&](const std::string& text) {
    drift.reason += (drift.reason.empty() ? "" : "; ") + text;
  };
  if (std::min(drift.p_psi, drift.p_ks) <= limit) {
    add("other values (PSI " + significant(drift.psi, 3) +
        (drift.categorical ? "" : ", KS " + significant(drift.ks, 3)) + ")");
  }
  if (drift.p_missing <= limit) {
    add("missing " + percent(drift.missing_now) + ", was " + percent(drift.missing_before));
  }
  if (drift.p_unseen <= limit) add("unseen categories " + percent(drift.unseen_now));
  drift.alarm = !drift.reason.empty();
}

}  // namespace

DriftReport compare(const TrainingSummary& before, const std::vector<ColumnSummary>& features,
                    const std::vector<ColumnSummary>& scores, const DriftOptions& options) {
  if (features.size() != before.features.size() ||
      (!scores.empty() && scores.size() != before.scores.size())) {
    throw InputError("drift: the rows were counted for another model");
  }
  DriftReport report;
  report.level = options.level;
  report.features = features.size();
  for (std::size_t j = 0; j < features.size(); ++j) {
    report.columns.push_back(compare_column(before.features[j], features[j], options));
  }
  for (std::size_t j = 0; j < scores.size(); ++j) {
    report.columns.push_back(compare_column(before.scores[j], scores[j], options));
    if (!before.scores_held_out) {
      report.columns.back().judged = false;
      report.columns.back().why_not = "the summary is of rows that the model was trained on";
    }
  }
  // One limit for every check of every column, so that all together are wrong as often as the level
  // says where columns are independent, and less often where they are alike (Sidak, 1967).
  double checks = 0;
  double smallest = 1;
  for (const ColumnDrift& column : report.columns) {
    if (!column.judged) continue;
    checks += checks_of(column);
    smallest = std::min(smallest, smallest_of(column));
  }
  if (checks == 0) return report;
  report.p = of_several(smallest, checks);
  const double limit = -std::expm1(std::log1p(-options.level) / checks);
  for (ColumnDrift& column : report.columns) {
    if (column.judged) explain(column, limit);
    report.alarm = report.alarm || column.alarm;
  }
  return report;
}

nlohmann::json to_json(const DriftReport& report) {
  nlohmann::json columns = nlohmann::json::array();
  for (std::size_t j = 0; j < report.columns.size(); ++j) {
    const ColumnDrift& one = report.columns[j];
    nlohmann::json entry{{"name", one.name},
                         {"of", j < report.features ? "feature" : "model"},
                         {"categorical", one.categorical},
                         {"rows_before", one.rows_before},
                         {"rows_now", one.rows_now},
                         {"psi", one.psi},
                         {"psi_limit", one.psi_limit},
                         {"p_psi", one.p_psi},
                         {"missing_before", one.missing_before},
                         {"missing_now", one.missing_now},
                         {"p_missing", one.p_missing},
                         {"p", one.p},
                         {"judged", one.judged},
                         {"alarm", one.alarm}};
    if (one.categorical) {
      entry["unseen_now"] = one.unseen_now;
      entry["unseen_expected"] = one.unseen_expected;
      entry["p_unseen"] = one.p_unseen;
    } else {
      entry["ks"] = one.ks;
      entry["p_ks"] = one.p_ks;
    }
    if (!one.judged) entry["why_not"] = one.why_not;
    if (one.alarm) entry["reason"] = one.reason;
    columns.push_back(std::move(entry));
  }
  return {{"alarm", report.alarm}, {"p", report.p}, {"level", report.level}, {"columns", columns}};
}

}  // namespace tandem::watch
