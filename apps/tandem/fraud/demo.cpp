#include "tandem/fraud/demo.hpp"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "systems/fraud/service/replay.hpp"
#include "systems/http/client.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds between{25};
constexpr std::size_t most_past = 4'000;
constexpr std::size_t a_request = 200;
// Transactions later, what a fraud was is known.
constexpr std::size_t label_delay = 200;

std::string temporary_folder() {
  std::string pattern = (fs::temp_directory_path() / "tandem-fraud-demo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw SystemError(pattern + ": cannot be made");
  return pattern;
}

// Another command of this program, to its end.
void run(const std::vector<std::string>& words) {
  std::vector<char*> arguments{const_cast<char*>("tandem")};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // What it prints is not what the demo shows.
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1 /* O_WRONLY */, 0);
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed != 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
      WEXITSTATUS(status) != 0) {
    throw SystemError("tandem fraud " + words[1] + " failed");
  }
}

fraud::Time now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string without_time(const std::string& answer) {
  return answer.substr(0, answer.find(",\"processing_time_ms\":")) + "}";
}

}  // namespace

FraudDemo::FraudDemo(std::string folder) : folder_(std::move(folder)) {
  if (folder_.empty()) {
    folder_ = temporary_folder();
    temporary_ = true;
  }
  fs::create_directories(folder_);
  if (fs::exists(folder_ + "/state")) {
    throw InputError(folder_ +
                     ": holds a state already; name another folder, or serve it with "
                     "tandem fraud serve");
  }
  const std::string seen = folder_ + "/simulated.csv";
  const std::string unseen = folder_ + "/sent.csv";
  run({"fraud", "simulate", "--days", "30", "--users", "1000", "--fraud", "5", "--seed", "1",
       "--out", seen});
  run({"fraud", "train", "--data", seen, "--model", model(), "--label-delay-days", "3", "--rounds",
       "80", "--quiet"});
  run({"fraud", "simulate", "--days", "20", "--users", "1000", "--fraud", "5", "--seed", "2",
       "--out", unseen});
  std::ifstream in(unseen);
  fraud::TransactionReader reader(in, unseen);
  std::vector<fraud::TransactionRow> rows;
  for (fraud::TransactionRow row; reader.next(row);) rows.push_back(row);
  const std::size_t past = std::min(most_past, rows.size() / 2);
  past_.assign(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(past));
  present_.assign(rows.begin() + static_cast<std::ptrdiff_t>(past), rows.end());
}

FraudDemo::~FraudDemo() {
  stopping_ = true;
  if (clients_.joinable()) clients_.join();
  std::error_code ignored;
  if (temporary_) fs::remove_all(folder_, ignored);
}

std::string FraudDemo::commands(const std::string& url) const {
  fraud::Transaction example = present_.front().transaction;
  example.id = "tried-by-hand";
  example.time = now();
  return "\nA model was trained on 1,000 simulated customers, and transactions of 1,000 others "
         "come "
         "in.\n"
         "The page, with the decisions, their reasons and those that wait for you: " +
         url + "/\n\n# A decision, twice: the second is the first answer again\ncurl " + url +
         "/v1/transactions -d '" + fraud::canonical(example) + "'\ncurl " + url +
         "/v1/transactions/tried-by-hand\n\n# It turned out to be fraud\ncurl " + url +
         "/v1/labels -d '{\"transaction_id\": \"tried-by-hand\", \"fraud\": true}'\n\n# What waits "
         "for a person; the rules and how often they held; all figures\ncurl '" +
         url + "/v1/reviews?most=3'\ncurl " + url + "/v1/rules\ncurl " + url +
         "/metrics\n\n# A user's data go, from state, snapshots and log\ncurl -X DELETE " + url +
         "/v1/users/" + example.user + "\n\nCtrl-C ends it.\n";
}

void FraudDemo::start_clients(const std::string& url) {
  clients_ =
      std::thread([this, place = url.substr(std::string("http://").size())] { send(place); });
}

void FraudDemo::send(const std::string& place) {
  try {
    http::Client client(http::Endpoint::parse(place));
    send_past(client);
    if (!stopping_) replay_past();
    send_present(client);
  } catch (const SystemError&) {
    // The server stops.
  } catch (const std::exception& error) {
    note(std::string("tandem: the simulated customers end: ") + error.what());
  }
}

void FraudDemo::send_past(http::Client& client) {
  const fraud::Time shift = now() - 1000 - past_.back().transaction.time;
  for (std::size_t begin = 0; begin < past_.size() && !stopping_; begin += a_request) {
    std::string body = "[";
    const std::size_t end = std::min(begin + a_request, past_.size());
    for (std::size_t i = begin; i < end; ++i) {
      past_[i].transaction.time += shift;
      body += (i > begin ? "," : "") + fraud::canonical(past_[i].transaction);
    }
    const http::Response response = client.post("/v1/transactions", body + "]");
    if (response.status != 200) throw Error("a decision was refused: " + response.body);
    // An answer per line, after a bracket and with a comma behind.
    std::size_t i = begin;
    for (std::size_t at = 1; at < response.body.size() && i < end; ++i) {
      const std::size_t line = std::min(response.body.find('\n', at), response.body.size());
      answers_[past_[i].transaction.id] = without_time(response.body.substr(at, line - at));
      at = line + 1;
    }
  }
}

void FraudDemo::replay_past() {
  fraud::ReplayOptions options;
  options.state = folder_ + "/state";
  options.ids = folder_ + "/ids.txt";
  {
    std::ofstream ids(options.ids);
    for (const auto& [id, answer] : answers_) ids << id << '\n';
  }
  std::size_t same = 0;
  const auto begin = Clock::now();
  (void)fraud::replay(options, [&](std::string_view line) {
    line.remove_suffix(1);
    const auto json = nlohmann::json::parse(line);
    const auto found = answers_.find(json.value("transaction_id", ""));
    if (found != answers_.end() && found->second == line) ++same;
  });
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  print("Replayed from the log in " + readable_seconds(seconds) + " s: " + std::to_string(same) +
        " of " + std::to_string(answers_.size()) +
        " decisions have the bytes that were answered.\n");
}

void FraudDemo::send_present(http::Client& client) {
  std::deque<std::pair<std::size_t, std::string>> frauds;  // to be found out
  for (std::size_t i = 0; !stopping_; ++i) {
    fraud::TransactionRow row = present_[i % present_.size()];
    row.transaction.id += "-" + std::to_string(i);
    row.transaction.time = now();
    const http::Response response =
        client.post("/v1/transactions", fraud::canonical(row.transaction));
    if (response.status == 200 && row.truth.fraud.value_or(false)) {
      frauds.emplace_back(i + label_delay, row.transaction.id);
    }
    while (!frauds.empty() && frauds.front().first <= i) {
      (void)client.post(
          "/v1/labels",
          nlohmann::json{{"transaction_id", frauds.front().second}, {"fraud", true}}.dump());
      frauds.pop_front();
    }
    std::this_thread::sleep_for(between);
  }
}

}  // namespace tandem::program
