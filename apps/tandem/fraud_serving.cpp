#include "tandem/fraud_serving.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "systems/http/service.hpp"
#include "tandem/core/error.hpp"
#include "tandem/fraud_demo.hpp"
#include "tandem/output.hpp"

namespace tandem::program {

void FraudServing::add_options(OptionSet& options) {
  options.group("Service (serve, demo)");
  options.text("state", options_.service.state,
               "serve, replay: the folder of the log, the snapshots, the rules and the "
               "configuration; it is made where it is missing");
  options.written("http", http_,
                  "the address and port of HTTP; port 0 is any free one, which the line `ready "
                  "http://...` tells",
                  "ADDRESS:PORT");
  options.choice("durability", options_.service.durability,
                 "when a decision is answered: sync, once the log is on the disk; os, once it is "
                 "written, which survives the end of the program and not that of the machine");
  options.text("rules", options_.service.rules,
               "a file of rules; STATE/rules.txt if left out. replay: decide by these in place of "
               "those that were in force");
  options.text("configuration", options_.service.configuration,
               "a file that says how the parts of a score are put together; "
               "STATE/configuration.json if left out. replay: as with rules");
  options.text("registry", options_.service.registry,
               "of REPOSITORY/NAME: where names, versions and stages are kept");
  options.text("tokens", options_.tokens,
               "a file with a line `predict TOKEN` or `admin TOKEN` for each token that is taken; "
               "without it no token is asked for");
  options.text("log", options_.log,
               "a file for the log of the service, a JSON object per line; standard error if left "
               "out");
  options.choice("log_level", options_.log_level, "the least important events that are logged");
  options.real("keep_hours", keep_hours_,
               "for how long the id of a transaction gives its first answer again", 0.001, 8760);
  options.integer("keep_transactions", keep_most_, "of how many transactions at most", 1000,
                  1'000'000'000);
  options.integer("snapshot_records", options_.service.snapshot_records,
                  "records of the log from one snapshot of the state to the next", 100,
                  1'000'000'000'000);
  options.integer("longest_wait_ms", longest_wait_ms_,
                  "transactions that would wait longer for their decision are refused with 503", 1,
                  60'000);
  options.integer("least_free_mb", least_free_mb_,
                  "transactions are refused while the disk of the state has less room", 0,
                  1'000'000'000);
  options.integer("io_threads", io_threads_, "threads that read requests and write answers", 1,
                  256);
  options.integer("max_connections", connections_, "open connections", 1, 1'000'000);
  options.real("stop_seconds", stop_seconds_, "time for what is under way when it is stopped", 0,
               3600);
  options.flag("demo", demo_,
               "simulate, train, serve and send transactions, from nothing; and say what can be "
               "tried");
  options.group("Replay (replay)");
  options.text("ids", replay_.ids,
               "a file with a transaction_id per line: the log has keyed hashes of them only");
  options.flag("summary", summary_, "print counts in place of the decisions");
}

fraud::ServeOptions FraudServing::serve_options() const {
  fraud::ServeOptions made = options_;
  made.http.endpoint = *http_.endpoint;
  made.http.threads = static_cast<int>(io_threads_);
  made.http.connections = static_cast<int>(connections_);
  made.http.connections_per_client = static_cast<int>(connections_);
  made.patience = std::chrono::milliseconds(static_cast<std::int64_t>(stop_seconds_ * 1000));
  made.service.ledger.keep_milliseconds = static_cast<std::int64_t>(keep_hours_ * 3.6e6);
  made.service.ledger.keep_most = static_cast<std::size_t>(keep_most_);
  made.service.longest_wait = std::chrono::milliseconds(longest_wait_ms_);
  made.service.least_free_bytes = static_cast<std::uint64_t>(least_free_mb_) << 20;
  return made;
}

int FraudServing::serve(const OptionSet& /*options*/, const std::string& model) {
  if (options_.service.state.empty() || model.empty()) {
    throw InputError("expected " + option("model") + " FILE or REPOSITORY/NAME and " +
                     option("state") + " FOLDER; tandem fraud demo needs neither");
  }
  fraud::ServeOptions made = serve_options();
  made.service.model = model;
  return fraud::serve(made, [](const std::string& url) { print("ready " + url + "\n"); });
}

int FraudServing::replay(const OptionSet& /*options*/) {
  if (options_.service.state.empty()) throw InputError("expected " + option("state") + " FOLDER");
  replay_.state = options_.service.state;
  replay_.rules = options_.service.rules;
  replay_.configuration = options_.service.configuration;
  std::string lines;
  const auto take = [&](std::string_view line) {
    if (summary_) return;
    lines += line;
    if (lines.size() < (1 << 16)) return;
    print_data(lines);
    lines.clear();
  };
  const fraud::ReplaySummary summary = fraud::replay(replay_, take);
  if (!summary_) {
    print_data(lines);
    if (summary.erased_users + summary.erased_records > 0) {
      note(
          "tandem: " + counted(summary.erased_records, "record", "records") + " of " +
          counted(summary.erased_users, "erased user", "erased users") +
          " are gone from the log: what they changed for others is missing here, so that decisions "
          "about those may differ from what was answered");
    }
    return 0;
  }
  print_json({{"state", replay_.state},
              {"transactions", summary.transactions},
              {"labels", summary.labels},
              {"version_changes", summary.version_changes},
              {"erased_users", summary.erased_users},
              {"erased_records", summary.erased_records},
              {"actions",
               {{"approve", summary.approve},
                {"manual_review", summary.manual_review},
                {"decline", summary.decline}}}});
  return 0;
}

int FraudServing::demo(const OptionSet& options) {
  // Training leaves threads behind, which must not take the signals that stop the server.
  const http::ServiceSignals signals;
  FraudDemo demo(options_.service.state);
  fraud::ServeOptions made = serve_options();
  made.service.state = demo.folder() + "/state";
  made.service.model = demo.model();
  if (!options.given("log_level") && made.log.empty()) made.log_level = http::LogLevel::warning;
  return fraud::serve(made, [&](const std::string& url) {
    print("ready " + url + "\n" + demo.commands(url));
    demo.start_clients(url);
  });
}

}  // namespace tandem::program
