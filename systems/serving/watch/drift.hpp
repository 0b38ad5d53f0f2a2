// Whether rows still are what a model was trained on: each column's counts against the summary of
// the training data that the model file holds. docs/drift.md says what each check is, and how often
// it is wrong.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tandem/model/training_summary.hpp"

namespace tandem::watch {

struct DriftOptions {
  // The share of reports about rows that have not drifted that raise an alarm.
  double level = 0.01;
  // Columns with fewer rows are not judged.
  double fewest_rows = 100;
};

// One column now against the training data. The p values are those of single checks: how often data
// that have not drifted differ as much; 1 where a check has nothing to say.
struct ColumnDrift {
  std::string name;
  bool categorical = false;
  double rows_before = 0;
  double rows_now = 0;
  // Population stability index: the sum over bins of (q − p) ln(q/p), with half a row added to each
  // bin, of which numbers have at most 10 and categories one each, rare ones one together; the
  // value that it exceeds with probability `level` where nothing drifts; and its p value, that of
  // the chi-squared test of homogeneity over the same bins.
  double psi = 0;
  double psi_limit = 0;
  double p_psi = 1;
  // Of numbers: the largest difference of the two distribution functions at the edges.
  double ks = 0;
  double p_ks = 1;
  double missing_before = 0;  // shares of the rows
  double missing_now = 0;
  double p_missing = 1;
  double unseen_now = 0;  // share of the rows
  double unseen_expected =
      0;  // by Good and Turing: of the training rows, those of a category alone
  double p_unseen = 1;
  double p = 1;  // of all checks of this column together
  bool judged = false;
  std::string why_not;  // where it is not judged
  bool alarm = false;
  std::string reason;  // of an alarm, one clause per check
};

struct DriftReport {
  std::vector<ColumnDrift> columns;  // features, then what the model says
  std::size_t features = 0;
  double level = 0;
  double p = 1;  // of all columns together
  bool alarm = false;
};

// `now` are counts by the same edges and categories: ColumnSummary::without_rows() and count().
// Throws InputError where columns differ.
[[nodiscard]] DriftReport compare(const TrainingSummary& before,
                                  const std::vector<ColumnSummary>& features,
                                  const std::vector<ColumnSummary>& scores,
                                  const DriftOptions& options = {});

[[nodiscard]] nlohmann::json to_json(const DriftReport& report);

}  // namespace tandem::watch
