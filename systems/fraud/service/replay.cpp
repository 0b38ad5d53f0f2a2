#include "systems/fraud/service/replay.hpp"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include "core/file.hpp"
#include "systems/fraud/service/versions.hpp"
#include "systems/journal/journal.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem::fraud {
namespace {

std::string text_of(const std::string& path) {
  const auto bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::unordered_map<Key, std::string> read_ids(const std::string& path,
                                              const Identities& identities) {
  std::unordered_map<Key, std::string> ids;
  const std::string text = text_of(path);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string id = text.substr(at, end - at);
    if (!id.empty() && id.back() == '\r') id.pop_back();
    if (!id.empty()) ids.emplace(identities.key(KeyKind::transaction, id), id);
    at = end + 1;
  }
  return ids;
}

class Replayer {
 public:
  Replayer(const ReplayOptions& options, const std::function<void(std::string_view)>& take)
      : options_(options), take_(take), models_(options.state), ledger_(ledger_options()) {
    if (!options.ids.empty()) ids_ = read_ids(options.ids, Identities::of_folder(options.state));
    if (!options.rules.empty()) {
      rules_ = RuleSet::parse(text_of(options.rules), options.rules, rule_variables());
    }
    if (!options.configuration.empty()) {
      configuration_ = Configuration::parse(text_of(options.configuration), options.configuration);
    }
  }

  void read(const journal::Record& record) {
    if (record.gone) {
      ++summary.erased_records;
      take_("{\"erased\":true,\"record\":" + std::to_string(record.sequence) + "}\n");
      return;
    }
    switch (static_cast<RecordKind>(record.kind)) {
      case RecordKind::versions:
        ++summary.version_changes;
        ledger_.set_versions(versions(text_record(record.bytes)));
        return;
      case RecordKind::transaction: transaction(transaction_record(record.bytes)); return;
      case RecordKind::label:
        ++summary.labels;
        ledger_.apply(label_record(record.bytes));
        return;
      case RecordKind::erase:
        ++summary.erased_users;
        (void)ledger_.apply(erase_record(record.bytes));
        return;
      case RecordKind::past:
        ++summary.history;
        ledger_.apply(past_record(record.bytes));
        return;
      case RecordKind::erase_done:
      case RecordKind::past_done: return;
      default:
        if (ledger_.apply_of_fleet(record)) return;
    }
    throw InputError(options_.state +
                     ": the log has a record that this version of the program does not know");
  }

  ReplaySummary summary;

 private:
  static LedgerOptions ledger_options() {
    LedgerOptions options;
    options.keep_answers = false;
    return options;
  }

  [[nodiscard]] std::shared_ptr<const Versions> versions(const std::string& text) {
    const auto written = read_versions(text, models_);
    if (!rules_ && !configuration_) return written;
    return make_versions(rules_ ? *rules_ : *written->rules,
                         configuration_ ? *configuration_ : *written->configuration,
                         written->model_version, written->model_file, models_);
  }

  void transaction(const TransactionRecord& record) {
    if (ledger_.versions() == nullptr) {
      throw InputError(options_.state + ": the log has a transaction before any versions");
    }
    Decided decided = ledger_.decide(record.event);
    ++summary.transactions;
    std::int64_t& count = decided.action == Action::approve         ? summary.approve
                          : decided.action == Action::manual_review ? summary.manual_review
                                                                    : summary.decline;
    ++count;
    const auto id = ids_.find(record.event.transaction);
    if (id != ids_.end()) {
      ++summary.named;
      take_(answer_text(id->second, decided.tail, -1) + "\n");
    } else {
      std::array<char, 48> key{};
      std::snprintf(key.data(), key.size(), "{\"transaction_key\":\"%016llx\"",
                    static_cast<unsigned long long>(record.event.transaction));
      take_(key.data() + decided.tail + "}\n");
    }
    ledger_.apply(record, std::move(decided));
  }

  const ReplayOptions& options_;
  const std::function<void(std::string_view)>& take_;
  ModelFiles models_;
  Ledger ledger_;
  std::unordered_map<Key, std::string> ids_;
  std::optional<RuleSet> rules_;
  std::optional<Configuration> configuration_;
};

}  // namespace

ReplaySummary replay(const ReplayOptions& options,
                     const std::function<void(std::string_view line)>& take) {
  const std::string folder = options.state + "/log";
  if (!std::filesystem::is_directory(folder)) {
    throw InputError(options.state +
                     ": expected the folder that tandem fraud serve was given as "
                     "its state");
  }
  Replayer replayer(options, take);
  journal::Sequence expected = 0;
  (void)journal::read_journal(folder, 0, [&](const journal::Record& record) {
    if (record.sequence != expected) {
      throw InputError(folder + ": the log begins with record " + std::to_string(record.sequence) +
                       "; what was before it is needed to decide as it was decided");
    }
    ++expected;
    if (expected % 4096 == 0) StopScope::check();
    replayer.read(record);
  });
  return replayer.summary;
}

}  // namespace tandem::fraud
