#include "systems/fraud/feature_rows.hpp"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <unordered_set>

#include "systems/fraud/transaction.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

void tell(RunControl& control, std::string_view stage, std::size_t done, std::size_t total) {
  Progress progress;
  progress.stage = stage;
  progress.done = static_cast<Index>(done);
  progress.total = static_cast<Index>(total);
  control.report(progress);
  if (control.stop_requested()) {
    throw Interrupted("stopped after " + std::to_string(done) +
                      " transactions because an interrupt " + "was received");
  }
}

constexpr std::size_t told_every = 4096;

}  // namespace

Past read_past(const std::string& path, std::uint64_t seed, Time label_delay,
               const Currencies& currencies, RunControl& control) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw InputError(path + ": cannot be read");
  TransactionReader reader(in, path);
  const Identities identities = Identities::of_seed(seed);
  Past past;
  past.source = path;
  std::unordered_set<Key> seen;
  TransactionRow row;
  while (reader.next(row)) {
    PastTransaction one;
    try {
      one.event = make_event(row.transaction, identities, currencies);
    } catch (const InputError& error) {
      throw InputError(path + ": row " + std::to_string(past.transactions.size() + 2) +
                       ", column " + error.what());
    }
    if (!seen.insert(one.event.transaction).second) {
      throw InputError(path + ": row " + std::to_string(past.transactions.size() + 2) +
                       ", column transaction_id: stands in the file twice");
    }
    one.fraud = row.truth.fraud.value_or(false);
    if (one.fraud) one.known_at = row.truth.known_at.value_or(row.transaction.time + label_delay);
    if (!row.truth.scenario.empty()) {
      const auto found =
          std::find(past.scenarios.begin(), past.scenarios.end(), row.truth.scenario);
      if (found == past.scenarios.end()) {
        if (past.scenarios.size() >= 1000) {
          throw InputError(path + ": has more than 1,000 different scenarios; expected a few");
        }
        past.scenarios.push_back(row.truth.scenario);
      }
      one.scenario = static_cast<std::uint16_t>(
          std::find(past.scenarios.begin(), past.scenarios.end(), row.truth.scenario) -
          past.scenarios.begin());
    }
    past.transactions.push_back(one);
    if (past.transactions.size() % told_every == 0) {
      tell(control, "transactions read", past.transactions.size(), 0);
    }
  }
  if (past.transactions.empty()) throw InputError(path + ": has no transactions");
  std::stable_sort(past.transactions.begin(), past.transactions.end(),
                   [](const PastTransaction& a, const PastTransaction& b) {
                     return a.event.time < b.event.time;
                   });
  return past;
}

Matrix<float> feature_rows(const Past& past, const StateOptions& options, RunControl& control) {
  const auto& all = past.transactions;
  // Frauds in the order in which they become known; of equal times in that of the transactions.
  std::vector<std::size_t> labels;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].fraud && all[i].known_at != PastTransaction::never) labels.push_back(i);
  }
  std::stable_sort(labels.begin(), labels.end(),
                   [&](std::size_t a, std::size_t b) { return all[a].known_at < all[b].known_at; });
  std::size_t next_label = 0;
  State state(options);
  Matrix<float> rows(static_cast<Index>(all.size()), static_cast<Index>(feature_count));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Event& event = all[i].event;
    while (next_label < labels.size() && all[labels[next_label]].known_at <= event.time) {
      const PastTransaction& known = all[labels[next_label++]];
      state.apply(make_label(known.event, true, known.known_at));
    }
    const FeatureVector features = compute(event, state);
    std::transform(features.begin(), features.end(), rows.row(static_cast<Index>(i)).begin(),
                   [](double value) { return static_cast<float>(value); });
    state.apply(event);
    if (i % told_every == 0) tell(control, "transactions", i, all.size());
  }
  return rows;
}

}  // namespace tandem::fraud
