// tandem serve REPOSITORY
#include "systems/serving/serve.hpp"

#include <algorithm>
#include <thread>

#include "systems/http/service.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/serve_demo.hpp"
#include "tandem/service_flags.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

class Serve final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positionals("REPOSITORY", repositories_,
                        "the folder of the models, which tandem models register makes");
    options.group("Service");
    options.flag(
        "demo", demo_,
        "train two versions of a model, serve them with simulated clients, and say what can "
        "be tried; the repository is a temporary folder if left out");
    service_.add_options(options, options_);
    options.written("grpc", grpc_,
                    "the address and port of gRPC, beside HTTP; there is none if left out",
                    "ADDRESS:PORT");
    options.text("registry", options_.registry,
                 "where names, versions and stages are kept: a file of SQLite's or "
                 "postgresql://...; registry.sqlite in the repository if left out");
    options.group("Batches");
    options.integer("batch_rows", options_.schedule.batch_rows,
                    "rows that are predicted together at most", 1, 1 << 20);
    options.integer("batch_delay_us", batch_delay_us_,
                    "microseconds that a request may wait for others", 0, 1'000'000);
    options.integer("queue_rows", options_.schedule.queue_rows,
                    "rows that may wait for a model's replica; beyond them requests are refused "
                    "with 503",
                    1, 1 << 30);
    options.integer("longest_wait_ms", longest_wait_ms_,
                    "requests that would wait longer for a batch are refused with 503", 1, 600'000);
    options.integer("replicas", replicas_, "threads that predict, for each version of a model", 1,
                    1024);
    options.group("Limits");
    options.integer("io_threads", io_threads_,
                    "threads that read requests and write answers; 0 "
                    "takes one per four cores",
                    0, 256);
    options.written("max_body", max_body_, "bytes of a request's body, as in 64M", "BYTES");
    options.integer("max_rows", options_.limits.rows, "rows of a request", 1, 1 << 30);
    options.integer("max_connections", connections_, "open connections", 1, 1'000'000);
    options.integer("max_connections_per_client", connections_per_client_,
                    "open connections of one address", 1, 1'000'000);
    options.real("answer_seconds", answer_seconds_, "time until a request is answered with 504",
                 0.001, 3600);
    options.group("Traffic");
    options.text(
        "experiments", options_.experiments.place,
        "where experiments are kept: a file of SQLite's or postgresql://...; left out, the "
        "registry's PostgreSQL, or experiments.sqlite in the repository");
    options.real("guard_seconds", guard_seconds_,
                 "time between two looks at the guards of the experiments", 0.05, 86'400);
    options.real("canary_share", options_.settings.canary_share,
                 "share of the units whose requests the canary answers", 0, 1);
    options.real("shadow_share", options_.settings.shadow_share,
                 "share of the requests that the newest candidate is asked too; its answers are "
                 "compared and thrown away",
                 0, 1);
    options.text("settings", options_.settings_file,
                 "a file of JSON with shares of single models, drift and the log of predictions, "
                 "which SIGHUP reads anew; what it names wins over the options");
    options.group("Watch");
    options.integer("drift_rows", options_.settings.drift.rows,
                    "rows of a window that are compared with the training data; 0: none are", 0,
                    1'000'000'000);
    options.real("drift_hours", drift_hours_,
                 "hours after which a window is judged with the rows that it has", 0.0001, 10'000);
    options.real("drift_level", options_.settings.drift.level,
                 "share of windows without drift that raise an alarm", 1e-9, 0.5);
    options.text("prediction_log", options_.settings.log.folder,
                 "a folder for a log of what was asked and answered; none if left out");
    options.real("prediction_log_share", options_.settings.log.sample,
                 "share of the predictions that are logged, by their ids", 0, 1);
    options.written("prediction_log_leave_out", leave_out_, "columns that must not be logged",
                    "NAME,...");
    options.written("prediction_log_size", log_file_size_,
                    "bytes of a compressed file of the log, after which a new one is begun",
                    "BYTES");
    options.real("prediction_log_hours", log_file_hours_, "hours after which a new file is begun",
                 0.001, 100'000);
    options.group("Run");
    options.choice("device", options_.engine.device, "where the models run");
    options.choice("numerics", options_.engine.numerics,
                   "exact: an answer does not depend on the batch that it was in; fast: agreement "
                   "within a bound");
    options.integer("threads", threads_, "threads of the CPU for each replica", 1, 1024);
  }

  int run(const OptionSet& options) override {
    service_.finish(options_);
    options_.grpc = grpc_.endpoint;
    options_.schedule.batch_delay = std::chrono::microseconds(batch_delay_us_);
    options_.schedule.longest_wait = std::chrono::milliseconds(longest_wait_ms_);
    options_.schedule.replicas = static_cast<int>(replicas_);
    options_.http.threads =
        io_threads_ > 0 ? static_cast<int>(io_threads_)
                        : std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 4);
    if (max_body_.count > 0) options_.http.limits.body = max_body_.count;
    options_.http.connections = static_cast<int>(connections_);
    options_.http.connections_per_client = static_cast<int>(connections_per_client_);
    options_.http.answer = milliseconds(answer_seconds_);
    options_.engine.threads = static_cast<int>(threads_);
    options_.experiments.check_every = milliseconds(guard_seconds_);
    options_.settings.drift.longest = std::chrono::seconds(
        std::max<std::int64_t>(1, static_cast<std::int64_t>(drift_hours_ * 3'600)));
    options_.settings.log.leave_out = leave_out_.list;
    if (log_file_size_.count > 0) {
      options_.settings.log.rotate_bytes = static_cast<std::int64_t>(log_file_size_.count);
    }
    options_.settings.log.rotate_seconds =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(log_file_hours_ * 3'600));
    if (demo_) return serve_demo(options);
    if (repositories_.size() != 1) {
      throw InputError(
          "expected one repository: tandem serve REPOSITORY; tandem models register REPOSITORY "
          "NAME "
          "FILE makes one, and tandem serve --demo needs none");
    }
    options_.repository = repositories_.front();
    return serving::serve(options_,
                          [](const std::string& addresses) { print("ready " + addresses + "\n"); });
  }

 private:
  static std::chrono::milliseconds milliseconds(double seconds) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  }

  int serve_demo(const OptionSet& options) {
    if (repositories_.size() > 1) throw InputError("expected one repository");
    // Training leaves threads behind, which must not take the signals that stop the server.
    const http::ServiceSignals signals;
    ServeDemo demo(repositories_.empty() ? "" : repositories_.front());
    options_.repository = demo.folder();
    // Short windows and looks, so that there is something to see within a minute.
    if (!options.given("drift_rows")) options_.settings.drift.rows = 2'000;
    if (!options.given("shadow_share")) options_.settings.shadow_share = 1;
    if (!options.given("guard_seconds")) {
      options_.experiments.check_every = std::chrono::milliseconds(1'000);
    }
    // What is read beside the commands is what goes wrong.
    if (options_.log.empty()) options_.log_level = http::LogLevel::warning;
    return serving::serve(options_, [&](const std::string& addresses) {
      const std::string url = addresses.substr(0, addresses.find(' '));
      print("ready " + addresses + "\n" + demo.commands(url));
      demo.start_customers(url);
    });
  }

  serving::ServeOptions options_;
  std::vector<std::string> repositories_;
  bool demo_ = false;
  ServiceFlags service_{8000};
  Place grpc_;
  std::int64_t batch_delay_us_ = 0;
  std::int64_t longest_wait_ms_ = 1'000;
  std::int64_t replicas_ = 1;
  std::int64_t io_threads_ = 0;
  Bytes max_body_{std::size_t{64} << 20};
  std::int64_t connections_ = 20'000;
  std::int64_t connections_per_client_ = 20'000;
  std::int64_t threads_ = 1;
  double answer_seconds_ = 60;
  double guard_seconds_ = 5;
  double drift_hours_ = 1;
  Words leave_out_;
  Bytes log_file_size_{std::size_t{64} << 20};
  double log_file_hours_ = 24;
};

}  // namespace

std::unique_ptr<Command> make_serve(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Serve>();
}

}  // namespace tandem::program
