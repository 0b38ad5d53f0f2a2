#include "systems/fraud/service/read_body.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using http::HttpError;
using nlohmann::json;

constexpr int deepest = 4;

// A list of objects is as deep as it gets; a member that is there twice could mean two things.
json parse(const std::string& body) {
  using Event = json::parse_event_t;
  std::vector<std::string> members;  // of the transaction that is being read
  const auto check = [&](int depth, Event event, json& parsed) {
    if ((event == Event::object_start || event == Event::array_start) && depth >= deepest) {
      throw HttpError(400, "the JSON is nested deeper than " + std::to_string(deepest));
    }
    if (event == Event::object_start) members.clear();
    if (event == Event::key) {
      const auto& name = parsed.get_ref<const std::string&>();
      if (std::find(members.begin(), members.end(), name) != members.end()) {
        throw HttpError(400, "the member \"" + name + "\" is there twice");
      }
      if (members.size() > 64) throw HttpError(400, "a transaction has no more than 64 members");
      members.push_back(name);
    }
    return true;
  };
  try {
    return json::parse(body, check);
  } catch (const json::exception& error) {
    throw HttpError(400, std::string("the body is not JSON: ") + error.what());
  }
}

Incoming read_one(const json& object, const Identities& identities,
                  const Configuration& configuration, Time now) {
  const Transaction transaction = parse_transaction(object);
  if (transaction.time > now + configuration.longest_ahead_seconds * 1000) {
    throw InputError("timestamp: " + timestamp_text(transaction.time, transaction.offset_minutes) +
                     " is more than " + std::to_string(configuration.longest_ahead_seconds) +
                     " s ahead of the server's clock");
  }
  Incoming incoming;
  incoming.event = make_event(transaction, identities, configuration.currencies);
  incoming.digest = identities.key(KeyKind::transaction, canonical(transaction));
  incoming.id = transaction.id;
  incoming.sum = user_sum(transaction.user);
  return incoming;
}

}  // namespace

bool read_body(const std::string& body, const Identities& identities,
               const Configuration& configuration, Time now, std::vector<Incoming>& transactions) {
  const json parsed = parse(body);
  if (!parsed.is_array()) {
    transactions.push_back(read_one(parsed, identities, configuration, now));
    return false;
  }
  if (parsed.empty()) throw HttpError(400, "expected at least one transaction");
  if (parsed.size() > most_transactions) {
    throw HttpError(413,
                    "a request may have " + std::to_string(most_transactions) + " transactions");
  }
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    try {
      transactions.push_back(read_one(parsed[i], identities, configuration, now));
    } catch (const InputError& error) {
      throw HttpError(400, "transaction " + std::to_string(i) + ": " + error.what());
    }
  }
  return true;
}

}  // namespace tandem::fraud
