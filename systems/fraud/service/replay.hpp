// Decisions once more, from what the log says came in: it holds no decision, and none is read.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "systems/fraud/service/ledger.hpp"

namespace tandem::fraud {

struct ReplayOptions {
  std::string state;  // the folder; it is read only, and a server may be running on it
  std::string ids;    // a file with a transaction_id per line: the log itself has keyed hashes
  // Decide by these in place of what was in force; empty: as it was.
  std::string rules;
  std::string configuration;
};

struct ReplaySummary {
  std::int64_t transactions = 0;
  std::int64_t labels = 0;
  std::int64_t history = 0;  // past transactions that the state began with
  std::int64_t version_changes = 0;
  std::int64_t erased_users = 0;
  std::int64_t erased_records = 0;  // that are gone from the log
  std::int64_t named = 0;           // transactions whose id the file of ids has
  std::int64_t approve = 0;
  std::int64_t manual_review = 0;
  std::int64_t decline = 0;
};

// Gives `take` a line of JSON for each transaction, in the order in which they were decided: the
// answer without its processing time, and for one whose id is not known `transaction_key` in place
// of it. A record that was erased is {"erased": true, "record": N}. Throws InputError where the
// folder is no state, or its beginning is missing.
[[nodiscard]] ReplaySummary replay(const ReplayOptions& options,
                                   const std::function<void(std::string_view line)>& take);

}  // namespace tandem::fraud
