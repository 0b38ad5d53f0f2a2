// tandem fraud serve and replay
#include <chrono>
#include <nlohmann/json.hpp>

#include "systems/fraud/service/replay.hpp"
#include "systems/fraud/service/serve.hpp"
#include "systems/http/service.hpp"
#include "tandem/core/error.hpp"
#include "tandem/fraud/action.hpp"
#include "tandem/fraud/demo.hpp"
#include "tandem/fraud/fleet_settings.hpp"
#include "tandem/output.hpp"
#include "tandem/service_flags.hpp"

namespace tandem::program {
namespace {

class Serve final : public FraudAction {
 public:
  [[nodiscard]] std::string_view name() const override { return "serve"; }
  [[nodiscard]] std::string_view summary() const override {
    return "decide transactions over HTTP";
  }
  [[nodiscard]] std::vector<std::string> shared() const override {
    return {"model", "state", "demo"};
  }

  void add_options(OptionSet& options) override {
    service_.add_options(options, options_);
    options.choice("durability", options_.service.durability,
                   "when a decision is answered: sync, once the log is on the disk; os, once it is "
                   "written, which survives the end of the program and not that of the machine");
    options.text("rules", options_.service.rules, "a file of rules; STATE/rules.txt if left out");
    options.text("configuration", options_.service.configuration,
                 "a file that says how the parts of a score are put together; "
                 "STATE/configuration.json if left out");
    options.written("history", history_,
                    "past transactions that a new state begins with, a CSV file as simulate "
                    "writes it, in order of time",
                    "FILE");
    options.text("registry", options_.service.registry,
                 "of REPOSITORY/NAME: where names, versions and stages are kept; registry.sqlite "
                 "in the repository if left out");
    options.real("keep_hours", keep_hours_,
                 "for how long the id of a transaction gives its first answer again", 0.001, 8760);
    options.integer("keep_transactions", keep_most_, "of how many transactions at most", 1000,
                    1'000'000'000);
    options.integer("snapshot_records", options_.service.snapshot_records,
                    "records of the log from one snapshot of the state to the next", 100,
                    1'000'000'000'000);
    options.integer("longest_wait_ms", longest_wait_ms_,
                    "transactions that would wait longer for their decision are refused with 503",
                    1, 60'000);
    options.integer("least_free_mb", least_free_mb_,
                    "transactions are refused while the disk of the state has less room", 0,
                    1'000'000'000);
    options.integer("io_threads", io_threads_, "threads that read requests and write answers", 1,
                    256);
    options.integer("max_connections", connections_, "open connections", 1, 1'000'000);
    fleet_.add_options(options);
  }

  int run(const OptionSet& options, const FraudSettings& settings) override {
    service_.finish(options_);
    options_.http.threads = static_cast<int>(io_threads_);
    options_.http.connections = static_cast<int>(connections_);
    options_.http.connections_per_client = static_cast<int>(connections_);
    fraud::ServiceOptions& service = options_.service;
    service.ledger.keep_milliseconds = static_cast<std::int64_t>(keep_hours_ * 3.6e6);
    service.ledger.keep_most = static_cast<std::size_t>(keep_most_);
    service.longest_wait = std::chrono::milliseconds(longest_wait_ms_);
    service.least_free_bytes = static_cast<std::uint64_t>(least_free_mb_) << 20;
    service.history = history_.path;
    service.fleet = fleet_.read();
    if (settings.demo) return demo(options, settings);
    if (settings.state.empty() || settings.model.empty()) {
      throw InputError("expected " + option("model") + " FILE or REPOSITORY/NAME and " +
                       option("state") + " FOLDER; tandem fraud " + option("demo") +
                       " needs neither");
    }
    service.state = settings.state;
    service.model = settings.model;
    return fraud::serve(options_, [](const std::string& url) { print("ready " + url + "\n"); });
  }

 private:
  int demo(const OptionSet& options, const FraudSettings& settings) {
    if (!settings.model.empty()) {
      throw InputError(option("demo") + " trains a model of its own: leave out " + option("model"));
    }
    // What works beside this thread must not take the signals that stop the server.
    const http::ServiceSignals signals;
    FraudDemo demo(settings.state);
    options_.service.state = demo.folder() + "/state";
    options_.service.model = demo.model();
    // What is read beside the commands is what goes wrong.
    if (!options.given("log_level") && options_.log.empty()) {
      options_.log_level = http::LogLevel::warning;
    }
    return fraud::serve(options_, [&](const std::string& url) {
      print("ready " + url + "\n" + demo.commands(url));
      demo.start_clients(url);
    });
  }

  fraud::ServeOptions options_;
  FileName history_;
  ServiceFlags service_{8080};
  FleetSettings fleet_;
  double keep_hours_ = 24;
  std::int64_t keep_most_ = 2'000'000;
  std::int64_t longest_wait_ms_ = 100;
  std::int64_t io_threads_ = 1;
  std::int64_t least_free_mb_ = 64;
  std::int64_t connections_ = 20'000;
};

class Replay final : public FraudAction {
 public:
  [[nodiscard]] std::string_view name() const override { return "replay"; }
  [[nodiscard]] std::string_view summary() const override {
    return "decide once more what the log of a state holds";
  }
  [[nodiscard]] std::vector<std::string> shared() const override { return {"state", "json"}; }

  void add_options(OptionSet& options) override {
    options.text("ids", options_.ids,
                 "a file with a transaction_id per line: the log has keyed hashes of them only");
    options.text("by_rules", options_.rules,
                 "a file of rules to decide by, in place of those that were in force");
    options.text("by_configuration", options_.configuration,
                 "a configuration to decide by, in place of those that were in force");
  }

  int run(const OptionSet& /*options*/, const FraudSettings& settings) override {
    if (settings.state.empty()) throw InputError("expected " + option("state") + " FOLDER");
    options_.state = settings.state;
    // The decisions are a line of JSON each; with --json there is one object, of counts.
    std::string lines;
    const fraud::ReplaySummary replayed = fraud::replay(options_, [&](std::string_view line) {
      if (settings.json) return;
      lines += line;
      if (lines.size() < (1 << 16)) return;
      print_data(lines);
      lines.clear();
    });
    print_data(lines);
    if (replayed.erased_users + replayed.erased_records > 0) {
      note(
          "tandem: " + counted(replayed.erased_records, "record") + " of " +
          counted(replayed.erased_users, "erased user") +
          " are gone from the log: what they changed for others is missing here, so that decisions "
          "about those may differ from what was answered");
    }
    if (!settings.json) return 0;
    print_json({{"action", "replay"},
                {"state", options_.state},
                {"transactions", replayed.transactions},
                {"labels", replayed.labels},
                {"history", replayed.history},
                {"version_changes", replayed.version_changes},
                {"erased_users", replayed.erased_users},
                {"erased_records", replayed.erased_records},
                {"actions",
                 {{"approve", replayed.approve},
                  {"manual_review", replayed.manual_review},
                  {"decline", replayed.decline}}}});
    return 0;
  }

 private:
  fraud::ReplayOptions options_;
};

}  // namespace

std::unique_ptr<FraudAction> make_fraud_serve() { return std::make_unique<Serve>(); }
std::unique_ptr<FraudAction> make_fraud_replay() { return std::make_unique<Replay>(); }

}  // namespace tandem::program
