// Transactions of simulated customers, some of them fraud, whose truth is known. After the
// scenarios of Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit
// Card Fraud Detection: Practical Handbook" (2022), chapter 3, with identities, devices, addresses,
// takeovers and rings beside cards and terminals.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "systems/fraud/transaction.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem::fraud {

struct SimulationOptions {
  std::int64_t days = 30;
  std::int64_t users = 10'000;
  std::int64_t merchants = 0;  // 0: one for 20 users, 50 at least
  std::uint64_t seed = 0;
  Time start = 1'767'225'600'000;  // 2026-01-01, UTC; a midnight
  double fraud = 1;                // how many cases of fraud, times what is usual
};

struct SimulationSummary {
  std::int64_t transactions = 0;
  std::int64_t frauds = 0;
  std::map<std::string, std::int64_t> scenarios;  // transactions by scenario
  double amount = 0;
  double fraud_amount = 0;
};

// Gives every transaction, in order of time. A function of the options alone, bit for bit; memory
// is that of a day's transactions. Throws InputError for options out of range, Interrupted.
//
// Scenarios, in Truth::scenario:
//   stolen_card           a card used elsewhere, from a device and an address of another's, for one
//                         to three days: small amounts, then large ones
//   compromised_terminal  a merchant whose payers' cards are charged again for some days
//   account_takeover      transfers from an account within hours, from a new device, which serves
//                         for several accounts
//   mule_ring             five to twelve new accounts with two or three devices and addresses
//                         between them, that pass money on
// Honest users do what looks alike: they travel, buy dear things, change devices, share a
// household's address and device, come by a provider's address that thousands have, and are new.
//
// A fraud becomes known after half a day to 45 days, five in the median.
SimulationSummary simulate_transactions(const SimulationOptions& options,
                                        const std::function<void(const TransactionRow&)>& take,
                                        RunControl& control);

// The same into a CSV file, which appears whole or not at all.
SimulationSummary write_simulation(const std::string& path, const SimulationOptions& options,
                                   RunControl& control);

}  // namespace tandem::fraud
