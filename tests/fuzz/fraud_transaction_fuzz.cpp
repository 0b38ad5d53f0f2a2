// Transactions as JSON and as CSV. Whatever is taken is written in one form, which is read back to
// the same transaction; all else is an InputError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "systems/fraud/event.hpp"
#include "systems/fraud/transaction.hpp"
#include "tandem/core/error.hpp"

namespace {

void check(const tandem::fraud::Transaction& transaction) {
  using namespace tandem::fraud;
  const std::string text = canonical(transaction);
  if (!(parse_transaction(nlohmann::json::parse(text)) == transaction)) std::abort();
  std::string csv = csv_header();
  append_csv(csv, {transaction, {}});
  std::istringstream in(csv);
  TransactionReader reader(in, "written");
  TransactionRow row;
  if (!reader.next(row) || !(row.transaction == transaction)) std::abort();
  try {
    const Event event = make_event(transaction, Identities::of_seed(1), Currencies{});
    std::vector<std::byte> bytes;
    append_bytes(bytes, event);
    std::span<const std::byte> rest(bytes);
    if (!(take_event(rest) == event)) std::abort();
  } catch (const tandem::InputError&) {
    // A currency without a rate.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::fraud;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_discarded()) {
    try {
      check(parse_transaction(json));
    } catch (const tandem::InputError&) {
    }
  }
  std::istringstream in(text);
  try {
    TransactionReader reader(in, "input");
    TransactionRow row;
    while (reader.next(row)) check(row.transaction);
  } catch (const tandem::InputError&) {
  }
  std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    (void)take_event(bytes);
    (void)take_label(bytes);
  } catch (const tandem::InputError&) {
  }
  return 0;
}
