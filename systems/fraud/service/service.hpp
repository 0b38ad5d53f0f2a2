// Decides transactions one after the other, writes each down before it is answered, and answers
// once that is safe.
//
// One thread decides: it has the ledger to itself, so that the order of the log is the order of the
// decisions. The journal's thread writes and syncs whole groups, and sends what has become safe.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "systems/fraud/service/fleet.hpp"
#include "systems/fraud/service/follower.hpp"
#include "systems/fraud/service/followers.hpp"
#include "systems/fraud/service/ledger.hpp"
#include "systems/fraud/service/monitor.hpp"
#include "systems/fraud/service/versions.hpp"
#include "systems/http/log.hpp"
#include "systems/http/message.hpp"
#include "systems/http/metrics.hpp"
#include "systems/journal/journal.hpp"

namespace tandem::serving {
class Registry;
}

namespace tandem::fraud {

struct ServiceOptions {
  std::string model;          // a file, or REPOSITORY/NAME
  std::string registry;       // of the repository; empty: its registry.sqlite
  std::string state;          // the folder
  std::string rules;          // empty: STATE/rules.txt
  std::string configuration;  // empty: STATE/configuration.json
  std::string history;        // a CSV file that a new state begins with; empty: none
  journal::Durability durability = journal::Durability::sync;
  std::shared_ptr<journal::Storage> storage;  // of the log; null: the disk. For tests
  LedgerOptions ledger;
  std::int64_t snapshot_records = 500'000;      // from one snapshot to the next
  std::chrono::milliseconds longest_wait{100};  // beyond it, transactions are refused with 503
  std::uint64_t least_free_bytes = 64 << 20;    // of the disk; below it the same
  FleetOptions fleet;
};

// A transaction that was read and checked.
struct Incoming {
  std::string id;
  Event event;
  std::uint64_t digest = 0;
  std::uint32_t sum = 0;  // user_sum(), by which users are parted
};

// A primary decides; a standby follows one; one that has stepped down did what it had to, and
// another decides now.
enum class ServiceRole { primary, standby, stepped_down };

class DecisionService {
 public:
  // Reads the state, and the log behind it. Throws InputError for a model, rules, a configuration
  // or a state that cannot be used.
  DecisionService(ServiceOptions options, http::Metrics& metrics, http::Log& log);
  // Answers what waits, writes a snapshot.
  ~DecisionService();
  DecisionService(const DecisionService&) = delete;
  DecisionService& operator=(const DecisionService&) = delete;

  // Throws HttpError: 400 for what is no transaction, 503 where too much waits or nothing can be
  // written down. Answers later.
  void decide(const http::ExchangePtr& exchange);
  // `work` is called by the thread that decides, with the ledger as it is then; what it returns is
  // sent once all that it may have seen or written is safe.
  using Work = std::function<http::Response(Ledger& ledger)>;
  void ask(const http::ExchangePtr& exchange, Work work);

  // Of a `work`: write down and do.
  void label(const Kept& kept, bool fraud, Time known_at, bool by_review);

  // A user's data go: from memory between two transactions, then from snapshots and log, while
  // decisions go on. Answers with what `done` makes of it once they are gone from the disk too.
  struct Erased {
    bool known = false;        // the state had the user
    std::size_t answers = 0;   // that are gone
    std::int64_t records = 0;  // of the log that are gone
  };
  using ErasedResponse = std::function<http::Response(const Erased& erased)>;
  void erase(const http::ExchangePtr& exchange, Key user, ErasedResponse done);

  // Reads rules, configuration and model anew; from some transaction on they decide. Throws
  // InputError where one of them cannot be used: all stay as they are.
  void reload();
  // The same, where the registry has another version in production than before.
  void reload_if_changed();
  // Rules that are no file yet: checked, and written to it.
  void replace_rules(const std::string& text);

  [[nodiscard]] Time now() const;
  [[nodiscard]] const Identities& identities() const noexcept { return identities_; }
  [[nodiscard]] std::shared_ptr<const Versions> versions() const;
  [[nodiscard]] Monitor& monitor() noexcept { return monitor_; }
  // Empty while transactions are taken; else why they are not.
  [[nodiscard]] std::string refusal() const;
  // To be called now and then: the disk's free space, snapshots that have come to their end.
  void look_after();
  // Of a `work`: how often each rule has held since these rules decide, in their order.
  [[nodiscard]] const std::vector<std::uint64_t>& rule_hits() const noexcept {
    return hits_of_rule_;
  }
  // Of a `work`: the id of a transaction that waits for a person, where the server has seen it
  // since it was started; the log and the snapshots have no ids. Empty else.
  [[nodiscard]] std::string id_of(Key transaction) const;
  // Of a `work`: how many records the log has.
  [[nodiscard]] std::uint64_t records() const noexcept { return journal_->next(); }

  // --- one of several servers: standby.cpp
  [[nodiscard]] ServiceRole role() const noexcept { return role_; }
  // Called once when it decides: at once, or when it has taken over. Set before serving begins.
  void when_primary(std::function<void()> call);
  // What /v1/standby says.
  [[nodiscard]] http::Response standing();
  [[nodiscard]] Followers& followers() noexcept { return *followers_; }
  [[nodiscard]] http::Response snapshot_for_follower() const;
  [[nodiscard]] http::Response model_for_follower(const std::string& file) const;
  // Decides nothing from now on; returns when all it has acknowledged is safe. Throws HttpError.
  [[nodiscard]] http::Response step_down();
  // Becomes the primary: asks the one that it follows to step down, and where that answers has all
  // that it had. Throws HttpError where it follows none or has nothing yet.
  [[nodiscard]] http::Response take_over();
  // Nobody waits for the log or for a takeover any more; before the server stops.
  void end_waiting();
  // What another partition has seen is written down and done.
  void take_elsewhere(const std::vector<ElsewhereRecord>& records);
  // Decisions say from now on that they were made without it, or do not any more.
  void set_away(Outside part, bool away);
  // How far other partitions were read, and with which records others took over here.
  struct SharedState {
    std::vector<SharedPosition> positions;  // by partition
    std::vector<SharedPosition> takeovers;
    journal::Sequence records = 0;
  };
  [[nodiscard]] SharedState shared_state();
  // Says that two servers hash identifiers alike, and nothing else.
  [[nodiscard]] std::string identity() const;
  [[nodiscard]] const ServiceOptions& options() const noexcept { return options_; }

 private:
  struct Item {
    http::ExchangePtr exchange;
    std::vector<Incoming> transactions;
    bool list = false;
    std::size_t decided = 0;  // of the transactions
    std::string body;         // what is answered for them
    Work work;
  };
  struct Erasure {
    Key user = 0;
    Erased erased;
    http::ExchangePtr exchange;
    ErasedResponse done;
  };
  struct Waiting {
    journal::Sequence needed = 0;  // durable() from which on it may be sent
    http::ExchangePtr exchange;
    http::Response response;
  };

  void recover();
  void read_history();
  void begin_erasure(Erasure erasure);
  void begin_cleaning();
  void end_cleaning(journal::Sequence below, const std::string& failure);
  void erase_from_log(std::vector<Erasure>& erasures, journal::Sequence below);
  void note_erased(journal::Sequence below);
  journal::Sequence clean_at_once();
  void apply_record(const journal::Record& record);
  std::shared_ptr<const Versions> load_versions(const std::string& text);
  void begin_to_follow();
  void follow(std::span<const std::byte> records, bool apply);
  bool hold(const http::ExchangePtr& exchange);
  void let_go_of_held(bool all);
  void keep_versions_files();
  void run();
  bool answer(Item& item);
  std::string decide_one(const Incoming& incoming, http::Clock::time_point arrived, int& status);
  void do_work(Item& item);
  void write_down();
  void release(journal::Sequence durable);
  void fail(const std::string& why);
  void refuse_if_behind();  // throws HttpError with 503
  void put(Item item);
  void put_own(Work work);                       // also while it stops
  void call(const std::function<void()>& work);  // on the thread that decides, and waits
  std::shared_ptr<const Versions> read_files();
  void swap(std::shared_ptr<const Versions> versions);
  void write_snapshot();
  int fork_snapshot(journal::Sequence sequence);
  void wait_snapshot(int child);
  void begin_snapshot();
  void end_snapshot(bool wait);

  ServiceOptions options_;
  http::Metrics& metrics_;
  http::Log& log_;
  Identities identities_;
  ModelFiles models_;
  std::mutex files_mutex_;  // of models_ and registry_
  std::unique_ptr<serving::Registry> registry_;
  std::int64_t registry_revision_ = 0;
  Ledger ledger_;
  bool is_new_ = false;  // the log had nothing but versions
  Monitor monitor_;
  std::unique_ptr<Followers> followers_;
  std::unique_ptr<journal::Journal> journal_;

  std::atomic<ServiceRole> role_{ServiceRole::primary};
  std::mutex takeover_mutex_;
  std::unique_ptr<Follower> follower_;
  std::function<void()> when_primary_;
  // Of a standby, that wait for the case that it takes over.
  std::mutex held_mutex_;
  struct Held {
    http::ExchangePtr exchange;
    http::Clock::time_point since;
    http::Clock::time_point until;
  };
  std::deque<Held> held_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::atomic<std::size_t> queued_{0};  // transactions
  bool stopping_ = false;
  bool full_ = false;  // the disk
  std::string failure_;
  std::shared_ptr<const Versions> versions_;

  // Decided and not written down yet, and their answers; of the thread that decides.
  std::vector<std::vector<std::byte>> unwritten_;
  std::vector<std::pair<http::ExchangePtr, http::Response>> answered_;

  std::mutex waiting_mutex_;
  std::deque<Waiting> waiting_;

  std::atomic<double> seconds_each_{50e-6};  // that a transaction takes, of late
  std::uint64_t since_snapshot_ = 0;
  int snapshot_process_ = -1;
  std::vector<Erasure> erasures_;  // that wait until those of before are done
  std::vector<Erasure> cleaning_;  // whose data the cleaner takes from the disk
  bool cleans_ = false;            // with mutex_
  std::thread cleaner_;
  std::vector<std::uint64_t> hits_of_rule_;          // of the versions that decide
  std::unordered_map<Key, std::string> review_ids_;  // of the newest that wait for a person
  std::deque<Key> review_order_;
  std::atomic<Time> clock_base_{0};
  http::Clock::time_point clock_start_;
  std::thread thread_;
};

}  // namespace tandem::fraud
