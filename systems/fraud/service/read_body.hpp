// The body of POST /v1/transactions.
#pragma once

#include <string>
#include <vector>

#include "systems/fraud/service/configuration.hpp"
#include "systems/fraud/service/service.hpp"

namespace tandem::fraud {

inline constexpr std::size_t most_transactions = 1'000;

// Reads one transaction or a list of them; true where it is a list. Throws HttpError with 400 that
// names the transaction and the member where something is wrong, and with 413 for more than
// most_transactions. `now` is the server's time.
bool read_body(const std::string& body, const Identities& identities,
               const Configuration& configuration, Time now, std::vector<Incoming>& transactions);

}  // namespace tandem::fraud
