// What a fraud service has acknowledged is there after power was lost, after the disk has failed
// and after both, at many moments: the service itself over a disk in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/random.hpp"
#include "small_model.hpp"
#include "systems/fraud/service/service.hpp"
#include "systems/journal/memory_storage.hpp"

namespace tandem::fraud {
namespace {

using journal::MemoryStorage;
using nlohmann::json;

class Asked final : public http::Exchange {
 public:
  void send(http::Response response) override {
    if (sent_.exchange(true)) return;
    if (on_sent) on_sent(response);
    response_.set_value(std::move(response));
  }
  [[nodiscard]] bool wanted() const override { return !sent_; }
  http::Response wait() { return response_.get_future().get(); }

  std::function<void(const http::Response&)> on_sent;

 private:
  std::atomic<bool> sent_{false};
  std::promise<http::Response> response_;
};

// The files beside the log, once for all tests.
class Folder {
 public:
  Folder() : path_(testing::TempDir() + "fraud-power-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(path_);
    small_model().save(path_ + "/model.tandem");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class PowerLoss : public testing::Test {
 protected:
  static void SetUpTestSuite() { folder_ = new Folder; }
  static void TearDownTestSuite() { delete folder_; }

  // A service over a disk, and what it was asked.
  struct Life {
    Life(std::shared_ptr<MemoryStorage> on, journal::Durability durability)
        : disk(std::move(on)), log("", http::LogLevel::off) {
      ServiceOptions options;
      options.model = folder_->path() + "/model.tandem";
      options.state = folder_->path() + "/state";
      options.durability = durability;
      options.storage = disk;
      options.ledger.keep_most = 1000;
      // A snapshot by a process of its own would be lost with that process's memory.
      options.snapshot_records = 1'000'000'000;
      options.least_free_bytes = 0;
      service = std::make_unique<DecisionService>(options, metrics, log);
    }

    // Sends it; the answers of 200 are kept in `acknowledged` by the time at which they are sent.
    std::shared_ptr<Asked> send(const std::string& id, const std::string& body) {
      auto asked = std::make_shared<Asked>();
      asked->request.body = body;
      asked->request.arrived = http::Clock::now();
      asked->on_sent = [this, id](const http::Response& response) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (response.status == 200) acknowledged[id] = response.body;
      };
      try {
        service->decide(asked);
      } catch (...) {
        asked->send(http::response_of_exception());
      }
      return asked;
    }
    std::shared_ptr<Asked> erase(const std::string& user) {
      auto asked = std::make_shared<Asked>();
      asked->on_sent = [this, user](const http::Response& response) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (response.status == 200) erased.insert(user);
      };
      service->erase(asked, service->identities().key(KeyKind::user, user),
                     [](const DecisionService::Erased&) { return http::Response{}; });
      return asked;
    }

    std::shared_ptr<MemoryStorage> disk;
    http::Log log;
    http::Metrics metrics;
    std::mutex mutex;
    std::map<std::string, std::string> acknowledged;
    std::set<std::string> erased;
    std::unique_ptr<DecisionService> service;
  };

  static std::string body_of(const std::string& id, int user, const Random& random,
                             std::uint64_t at) {
    const auto below = [&](Index n, std::uint64_t k) {
      return std::to_string(random.below(n, at * 8 + k));
    };
    return json{{"transaction_id", id},
                {"user_id", "u" + std::to_string(user)},
                {"amount", static_cast<double>(random.below(30'000, at * 8)) / 100},
                {"currency", "EUR"},
                {"transaction_type", "purchase"},
                {"merchant_id", "m" + below(5, 1)},
                {"timestamp", "2024-02-03T10:" + std::to_string(10 + at % 50) + ":00Z"},
                {"card_last_four", "1234"},
                {"ip_address", "192.0.2." + below(9, 2)},
                {"device_id", "d" + below(6, 3)}}
        .dump();
  }

  // Everything that was acknowledged is answered as it was; who was erased is not there.
  static void check(const std::shared_ptr<MemoryStorage>& disk,
                    const std::map<std::string, std::string>& acknowledged,
                    const std::map<std::string, std::string>& bodies,
                    const std::map<std::string, int>& users, const std::set<std::string>& erased) {
    Life life(disk, journal::Durability::sync);
    for (const auto& [id, answer] : acknowledged) {
      if (erased.contains("u" + std::to_string(users.at(id)))) continue;
      const http::Response again = life.send(id, bodies.at(id))->wait();
      ASSERT_EQ(again.status, 200) << id;
      ASSERT_EQ(again.body, answer) << id;
    }
    for (const std::string& user : erased) {
      const Key key = life.service->identities().key(KeyKind::user, user);
      const std::string_view bytes(reinterpret_cast<const char*>(&key), sizeof(key));
      for (const std::string& name : disk->list(folder_->path() + "/state/log")) {
        // What says that the user was erased has the key: a record, and while that is not whole, a
        // snapshot.
        const auto content = disk->content(folder_->path() + "/state/log/" + name);
        const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
        std::size_t found = 0;
        for (auto at = text.find(bytes); at != text.npos; at = text.find(bytes, at + 1)) ++found;
        EXPECT_LE(found, 1U) << name;
      }
    }
  }

  struct Moment {
    std::shared_ptr<MemoryStorage> disk;
    std::map<std::string, std::string> acknowledged;
    std::set<std::string> erased;
  };

  // Transactions of a seed, with power lost at the n-th sync from where they begin; `disk_fails`
  // is called at some point among them.
  static Moment run(std::uint64_t seed, journal::Durability durability, std::int64_t power_at,
                    bool with_erasure, const std::function<void(MemoryStorage&)>& disk_fails,
                    std::map<std::string, std::string>& bodies, std::map<std::string, int>& users) {
    const Random random(seed, Purpose::test);
    const auto disk = std::make_shared<MemoryStorage>();
    Moment moment;
    {
      Life life(disk, durability);
      std::int64_t left = power_at;
      const auto torn = seed % 2 == 0 ? MemoryStorage::Torn::prefix : MemoryStorage::Torn::pages;
      const auto lose_power = [&] {
        const std::lock_guard<std::mutex> lock(life.mutex);
        moment.acknowledged = life.acknowledged;
        moment.erased = life.erased;
        moment.disk = durability == journal::Durability::sync ? disk->after_power_loss(seed, torn)
                                                              : disk->after_kill();
      };
      disk->before_sync([&] {
        if (left-- == 0) lose_power();
      });
      std::vector<std::shared_ptr<Asked>> asked;
      const auto count = static_cast<std::uint64_t>(20 + random.below(40, 1));
      const auto fails_at = static_cast<std::uint64_t>(random.below(static_cast<Index>(count), 2));
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::string id = std::to_string(seed) + "-" + std::to_string(i);
        users[id] = static_cast<int>(random.below(6, 100 + i));
        // Who was erased does not come back.
        if (with_erasure && i > count / 2 && users[id] == 3) users[id] = 4;
        bodies[id] = body_of(id, users[id], random, 1000 + i);
        if (i == fails_at && disk_fails) disk_fails(*disk);
        asked.push_back(life.send(id, bodies[id]));
        if (random.below(3, 200 + i) == 0) (void)asked.back()->wait(), asked.pop_back();
        if (with_erasure && i == count / 2) asked.push_back(life.erase("u3"));
      }
      for (const auto& one : asked) (void)one->wait();
      disk->before_sync({});
      if (!moment.disk) lose_power();
    }
    return moment;
  }

  static Folder* folder_;
};
Folder* PowerLoss::folder_ = nullptr;

TEST_F(PowerLoss, WhatWasAcknowledgedIsAnsweredAgainInItsBytes) {
  std::int64_t acknowledged = 0;
  std::int64_t torn = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::map<std::string, std::string> bodies;
    std::map<std::string, int> users;
    const Random random(seed, Purpose::test, 1);
    const Moment moment =
        run(seed, journal::Durability::sync, random.below(25, 0), false, {}, bodies, users);
    acknowledged += static_cast<std::int64_t>(moment.acknowledged.size());
    torn += moment.acknowledged.size() < bodies.size() ? 1 : 0;
    check(moment.disk, moment.acknowledged, bodies, users, {});
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(acknowledged, 1500);
  EXPECT_GT(torn, 150) << "power was lost when all was answered";
}

TEST_F(PowerLoss, AnErasureIsWholeOrDoneAgain) {
  std::int64_t acknowledged = 0;
  for (std::uint64_t seed = 1000; seed < 1200; ++seed) {
    std::map<std::string, std::string> bodies;
    std::map<std::string, int> users;
    const Random random(seed, Purpose::test, 1);
    const Moment moment =
        run(seed, journal::Durability::sync, 5 + random.below(40, 0), true, {}, bodies, users);
    acknowledged += moment.erased.empty() ? 0 : 1;
    // Where it was not acknowledged, the user's answers may be there or not, but nobody else's may
    // be gone.
    std::map<std::string, std::string> others = moment.acknowledged;
    std::erase_if(others, [&](const auto& one) { return users.at(one.first) == 3; });
    check(moment.disk, others, bodies, users, moment.erased);
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(acknowledged, 10);
  EXPECT_LT(acknowledged, 190) << "power was always lost after the erasure";
}

TEST_F(PowerLoss, AfterAFailedSyncNothingIsAcknowledged) {
  std::int64_t refused = 0;
  for (std::uint64_t seed = 2000; seed < 2100; ++seed) {
    std::map<std::string, std::string> bodies;
    std::map<std::string, int> users;
    // Power is lost when all is over, long after the disk has failed.
    const Moment moment = run(
        seed, journal::Durability::sync, 1'000'000, false,
        [&](MemoryStorage& disk) { disk.fail_sync_after(0); }, bodies, users);
    refused += static_cast<std::int64_t>(bodies.size() - moment.acknowledged.size());
    check(moment.disk, moment.acknowledged, bodies, users, {});
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(refused, 200);
}

TEST_F(PowerLoss, AFullDiskLosesNothingThatWasAcknowledged) {
  std::int64_t refused = 0;
  for (std::uint64_t seed = 3000; seed < 3100; ++seed) {
    std::map<std::string, std::string> bodies;
    std::map<std::string, int> users;
    const auto durability = seed % 2 == 0 ? journal::Durability::sync : journal::Durability::os;
    const Moment moment = run(
        seed, durability, 1'000'000, false,
        [&](MemoryStorage& disk) { disk.fail_write_after(static_cast<std::int64_t>(seed % 3)); },
        bodies, users);
    refused += static_cast<std::int64_t>(bodies.size() - moment.acknowledged.size());
    check(moment.disk, moment.acknowledged, bodies, users, {});
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(refused, 200);
}

}  // namespace
}  // namespace tandem::fraud
