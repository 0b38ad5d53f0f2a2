// The recommendation service apart from its sockets: questions to answers, events to what is known.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/http/message.hpp"
#include "systems/http/metrics.hpp"
#include "systems/recommend/cache.hpp"
#include "systems/recommend/choice_journal.hpp"
#include "systems/recommend/event_log.hpp"
#include "systems/recommend/experiment_desk.hpp"
#include "systems/recommend/interleaving.hpp"
#include "systems/recommend/monitor.hpp"
#include "systems/recommend/personaliser.hpp"
#include "systems/recommend/sharing.hpp"

namespace tandem::recommend {

struct ModelFile {
  std::string name;  // "main"
  std::string path;
};

struct ServiceOptions {
  std::vector<ModelFile> models;  // the first is "main"
  std::string items;              // a table of items; empty: their ids are all that is known
  std::string configurations;     // a file; empty: the standard one
  std::string history;            // interactions that viewers begin with, where the state is new
  std::string experiment;         // a definition; empty: none
  std::string experiment_store;   // a file or postgresql://; empty: STATE/experiments.sqlite
  std::chrono::milliseconds guard_every{5'000};
  bool interleave = false;       // answers of its viewers mix the first two arms
  std::string state;             // the folder of what is kept
  EventLogOptions log;           // but for its folder, STATE/events
  ChoiceJournalOptions choices;  // the same, STATE/choices
  std::size_t cache_bytes = std::size_t{64} << 20;
  std::chrono::seconds cache_life{300};
  ListsOptions lists;
  double trending_half_life_hours = 6;
  std::optional<SharingOptions> sharing;  // but for its file, STATE/shared-removals
  std::uint64_t seed = 0;                 // of exploration and interleaving; 0: one that is drawn
};

// What became of an answer: which of its items was an exploration's, and whose team each is of.
struct GivenAnswer {
  ItemNumber explored = no_item;
  bool rewarded = false;
  bool interleaved = false;
  std::vector<std::pair<ItemNumber, std::uint8_t>> teams;
  std::int64_t clicks[2] = {0, 0};
};

// Several threads may use one at once.
class Service {
 public:
  // Throws InputError for files that are not what they should be.
  Service(ServiceOptions options, http::Metrics& metrics, http::Log& log);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Calls `send` with the JSON of the answer, or null where whoever worked it out failed: at once
  // where it is in the cache, later where somebody is working it out. Throws InputError for a
  // question that is none.
  void answer(const Question& question, const std::function<void(const AnswerCache::Text&)>& send);
  // Throws HttpError with 400 for an item that the catalogue does not have; SystemError where the
  // log has failed.
  void take(std::vector<Event> events, EventLog::Done done);
  // What is known of the viewer goes; `done` is called once that is on the disk, and once the other
  // replicas are told of it or cannot be.
  using Forgotten = std::function<void(bool kept, bool told)>;
  void forget(const std::string& user, Forgotten done);
  // Brings what other replicas know of the viewer; false where Redis did not say.
  [[nodiscard]] bool look_elsewhere(const std::string& user);
  // Whether events of Kafka's do not come; answers say so.
  void set_kafka_away(bool away) noexcept { kafka_away_ = away; }

  // Reads models, items and configurations anew. Throws InputError where one of them is wrong; what
  // was there stays then.
  void reload();

  // Removes what is older than is to be kept; to be called every few seconds.
  void tend();
  // Why events cannot be taken; empty where they can.
  [[nodiscard]] std::string not_ready() const;

  [[nodiscard]] std::shared_ptr<const Served> served() const;
  [[nodiscard]] std::string status_json();
  [[nodiscard]] std::string viewer_json(const std::string& user);
  [[nodiscard]] std::string items_json(std::string_view text, std::size_t n);
  [[nodiscard]] std::string experiment_json();
  [[nodiscard]] Advice advice() const;
  [[nodiscard]] Monitor& monitor() noexcept { return monitor_; }
  [[nodiscard]] State& state() noexcept { return state_; }

 private:
  struct Places;  // which configuration, arm and second configuration answer a viewer
  [[nodiscard]] std::shared_ptr<const Served> load();
  void read_history();
  [[nodiscard]] Places place(const Served& served, const Question& question) const;
  [[nodiscard]] std::string work_out(const Served& served, const Question& question,
                                     const Places& places, const std::vector<std::string>& away);
  void forget_here(const std::string& user, EventLog::Done done);
  void choose(const Served& served, const Question& question, const Configuration& configuration,
              std::vector<Ranked>& list, const std::string& answer, std::uint64_t number,
              ItemNumber& explored);
  void calibrate(const Served& served) const;
  void note(const std::string& answer, GivenAnswer given);
  void count(const Ranking& ranking);
  void count(const Stages& stages);
  void applied(const Event& event);
  void measure();

  ServiceOptions options_;
  http::Metrics& metrics_;
  http::Log& log_;
  mutable std::mutex served_mutex_;
  std::shared_ptr<const Served> served_;
  std::mutex reload_mutex_;

  State state_;
  AnswerCache cache_;
  Monitor monitor_;
  std::atomic<std::uint64_t> answers_{0};
  std::uint64_t nonce_ = 0;

  std::mutex given_mutex_;
  std::unordered_map<std::string, GivenAnswer> given_;
  std::deque<std::string> given_order_;
  std::int64_t wins_[2] = {0, 0};  // interleaved answers with a click, by the team that leads
  std::int64_t ties_ = 0;

  // By source: "collaborative", "content".
  struct SourceMetrics {
    http::Counter& missing;
    http::Histogram& seconds;
  };
  [[nodiscard]] SourceMetrics metrics_of(const std::string& source) const;
  SourceMetrics collaborative_metrics_;
  SourceMetrics content_metrics_;
  std::array<http::Histogram*, stage_count> stage_metrics_{};

  std::unique_ptr<ChoiceJournal> choices_;
  std::unique_ptr<ExperimentDesk> desk_;
  std::atomic<bool> kafka_away_{false};
  std::unique_ptr<Sharing> sharing_;     // null where nothing is shared
  std::unique_ptr<EventLog> event_log_;  // the last: it calls applied() until it is gone
};

}  // namespace tandem::recommend
