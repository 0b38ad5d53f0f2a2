// The log of predictions: what is kept, what survives, what can be trained on.
#include "systems/serving/watch/prediction_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <thread>

#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem::watch {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

class PredictionLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::path(::testing::TempDir()) / "log-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    options_.folder = folder_ + "/log";
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(options_.folder)) {
      if (entry.path().extension() == ".zst") names.push_back(entry.path().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  void append(PredictionLog& log, int from, int count) const {
    for (int i = from; i < from + count; ++i) {
      const std::string id = "r" + std::to_string(i);
      const std::vector<double> row{i + 0.5, static_cast<double>(i % 2),
                                    i % 3 == 0 ? missing : 1.0};
      (void)log.append({.time = 1000 * i, .id = id, .arm = "a", .answer = "yes", .score = 0.25},
                       row.data());
    }
  }
  [[nodiscard]] std::string joined(JoinOptions join, JoinResult* result = nullptr) const {
    join.log = options_.folder;
    join.outcomes = folder_ + "/outcomes.csv";
    join.out = folder_ + "/joined.csv";
    const JoinResult found = join_outcomes(join, 1);
    if (result != nullptr) *result = found;
    std::ifstream file(join.out);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write_outcomes(const std::string& text) const {
    std::ofstream(folder_ + "/outcomes.csv") << text;
  }

  std::string folder_;
  PredictionLogOptions options_;
  std::vector<Column> columns_{{"age", {}}, {"city", {"Oslo", "Ber,\"gen"}}, {"secret", {}}};
};

TEST_F(PredictionLogTest, IsReadAsDataByItsColumns) {
  {
    options_.leave_out = {"secret"};
    PredictionLog log(options_, "model", "3", columns_);
    append(log, 1, 5);
    log.flush();
    append(log, 6, 5);
  }
  ASSERT_EQ(files().size(), 1U);
  EXPECT_THAT(files()[0], HasSubstr("model-3-000001.csv.zst"));
  const Dataset<double> data = read_dataset<double>(files()[0]);
  EXPECT_EQ(data.rows(), 10);
  std::vector<std::string> names;
  for (const Column& column : data.columns) names.push_back(column.name);
  EXPECT_EQ(names, (std::vector<std::string>{"tandem_time", "tandem_id", "tandem_arm",
                                             "tandem_answer", "tandem_score", "age", "city"}));
  EXPECT_EQ(data.features(0, 0), 1000);
  EXPECT_EQ(data.features(9, 5), 10.5);
  EXPECT_EQ(data.columns[6].categories, (std::vector<std::string>{"Ber,\"gen", "Oslo"}));
}

TEST_F(PredictionLogTest, BeginsANewFileBySizeAndWhenItIsOpenedAgain) {
  options_.rotate_bytes = 1;
  options_.flush_rows = 10;
  {
    PredictionLog log(options_, "model", "3", columns_);
    append(log, 0, 35);
  }
  EXPECT_EQ(files().size(), 4U);
  {
    PredictionLog log(options_, "model", "3", columns_);
    append(log, 35, 1);
  }
  EXPECT_EQ(files().size(), 5U);
  Index rows = 0;
  for (const std::string& file : files()) rows += read_dataset<double>(file).rows();
  EXPECT_EQ(rows, 36);
}

TEST_F(PredictionLogTest, KeepsTheSameIdsEverywhere) {
  int kept = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = std::to_string(i);
    kept += PredictionLog::sampled(id, 0.1) ? 1 : 0;
    EXPECT_TRUE(!PredictionLog::sampled(id, 0.1) || PredictionLog::sampled(id, 0.2));
    EXPECT_TRUE(PredictionLog::sampled(id, 1));
    EXPECT_FALSE(PredictionLog::sampled(id, 0));
  }
  EXPECT_NEAR(kept, 1000, 100);
}

TEST_F(PredictionLogTest, IsWholeAfterAProcessWasKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    PredictionLog log(options_, "model", "3", columns_);
    append(log, 0, 20);
    log.flush();
    append(log, 20, 20);  // never flushed
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(files().size(), 1U);
  EXPECT_EQ(read_dataset<double>(files()[0]).rows(), 20);
  // As if it had been killed within a write.
  const auto whole = fs::file_size(files()[0]);
  std::ofstream(files()[0], std::ios::app | std::ios::binary) << "\x28\xB5\x2F\xFD half";
  {
    PredictionLog log(options_, "model", "3", columns_);
    EXPECT_EQ(fs::file_size(files()[0]), whole);
  }
  EXPECT_EQ(read_dataset<double>(files()[0]).rows(), 20);
}

// Files may have so many bytes while it lives, as on a disk that is full.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) : before_(std::signal(SIGXFSZ, SIG_IGN)) {
    (void)::getrlimit(RLIMIT_FSIZE, &limit_);
    const rlimit now{bytes, limit_.rlim_max};
    (void)::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileLimit() {
    (void)::setrlimit(RLIMIT_FSIZE, &limit_);
    std::signal(SIGXFSZ, before_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  void (*before_)(int);
  rlimit limit_{};
};

TEST_F(PredictionLogTest, AFullDiskLeavesWholeFilesOrNone) {
  PredictionLog log(options_, "m", "1", columns_);
  append(log, 0, 100);
  {
    const FileLimit full(10);
    EXPECT_THROW(log.flush(), SystemError);
    EXPECT_TRUE(files().empty());
  }
  log.flush();
  ASSERT_EQ(files().size(), 1U);
  EXPECT_THAT(files()[0], ::testing::EndsWith("m-1-000001.csv.zst"));
  const auto size = fs::file_size(files()[0]);
  append(log, 100, 100);
  {
    const FileLimit full(size + 10);
    EXPECT_THROW(log.flush(), SystemError);
    EXPECT_EQ(fs::file_size(files()[0]), size);
  }
  log.flush();
  // Each row once.
  EXPECT_EQ(read_dataset<double>(files()[0]).rows(), 200);
}

TEST_F(PredictionLogTest, AnEmptyFileOfAKilledProcessIsTakenAway) {
  fs::create_directories(options_.folder);
  std::ofstream(options_.folder + "/m-1-000001.csv.zst").close();
  PredictionLog log(options_, "m", "1", columns_);
  EXPECT_TRUE(files().empty());
}

TEST_F(PredictionLogTest, TakesRowsOfSeveralThreads) {
  options_.flush_rows = 7;
  {
    PredictionLog log(options_, "model", "3", columns_);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] { append(log, 1000 * t, 50); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(read_dataset<double>(files()[0]).rows(), 200);
}

TEST_F(PredictionLogTest, RefusesNamesAndColumnsThatAreNone) {
  EXPECT_THROW(PredictionLog(options_, "../x", "3", columns_), InputError);
  EXPECT_THROW(PredictionLog(options_, "", "3", columns_), InputError);
  EXPECT_THROW(PredictionLog(options_, "m", ".", columns_), InputError);
  const PredictionLog open(options_, "m", "3", columns_);
  EXPECT_THROW(PredictionLog(options_, "m", "3", columns_), InputError);
  options_.leave_out = {"name"};
  EXPECT_THROW(PredictionLog(options_, "m", "4", columns_), InputError);
}

TEST_F(PredictionLogTest, JoinsOutcomesAsOfTheirTime) {
  {
    PredictionLog log(options_, "model", "3", columns_);
    append(log, 1, 5);  // at 1 to 5 seconds
  }
  write_outcomes("id,value,time\nr1,bad,1\nr1,good,2\nr2,bad,0.5\nr3,good,100\nr4,good,4.5\n");
  JoinResult found;
  const std::string all = joined({}, &found);
  EXPECT_EQ(all,
            "age,city,secret,outcome\n1.5,\"Ber,\"\"gen\",1,bad\n3.5,\"Ber,\"\"gen\",,good\n"
            "4.5,Oslo,1,good\n");
  EXPECT_EQ(found.predictions, 5);
  EXPECT_EQ(found.without, 2);  // r2's came before it, r5 has none

  JoinOptions then;
  then.as_of = 5000;
  then.horizon = 2000;
  then.missing_value = "none";
  EXPECT_EQ(joined(then, &found),
            "age,city,secret,outcome\n1.5,\"Ber,\"\"gen\",1,bad\n2.5,Oslo,1,none\n"
            "3.5,\"Ber,\"\"gen\",,none\n");
  EXPECT_EQ(found.unfinished, 2);
  EXPECT_EQ(found.filled, 2);
}

// Of models whose names begin alike: shop in versions 2 and 3, shop-2 in version 1.
TEST_F(PredictionLogTest, JoinsTheModelThatIsNamedAndNoOther) {
  const auto keep = [&](const std::string& model, const std::string& version, double value) {
    PredictionLog log(options_, model, version, {{"age", {}}});
    (void)log.append({.time = 1, .id = model + version}, &value);
  };
  keep("shop", "2", 2);
  keep("shop", "3", 3);
  keep("shop-2", "1", 21);
  write_outcomes("id,value\nshop2,a\nshop3,b\nshop-21,c\n");
  const auto of = [&](const std::string& model, const std::string& version) {
    JoinOptions named;
    named.model = model;
    named.version = version;
    return joined(named);
  };
  EXPECT_EQ(of("", ""), "age,outcome\n2,a\n21,c\n3,b\n");
  EXPECT_EQ(of("shop", ""), "age,outcome\n2,a\n3,b\n");
  EXPECT_EQ(of("shop", "2"), "age,outcome\n2,a\n");
  EXPECT_EQ(of("shop-3", ""), "age,outcome\n3,b\n");
  EXPECT_EQ(of("shop-2", "1"), "age,outcome\n21,c\n");
  EXPECT_EQ(of("shop-2-1", ""), "age,outcome\n21,c\n");
  // A model, and a version of another.
  try {
    (void)of("shop-2", "");
    FAIL() << "shop-2 means two things";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("shop"));
    EXPECT_THAT(error.what(), HasSubstr("version 2"));
  }
  for (const auto& [model, version] :
       std::vector<std::pair<std::string, std::string>>{{"sho", ""},
                                                        {"shop", "1"},
                                                        {"shop-", ""},
                                                        {"shop-2", "2"},
                                                        {"", "2"},
                                                        {"shop-2-1", "1"}}) {
    EXPECT_THROW((void)of(model, version), InputError) << model << " " << version;
  }
}

TEST_F(PredictionLogTest, JoinRefusesWhatItCannotRead) {
  {
    PredictionLog log(options_, "model", "3", columns_);
    append(log, 1, 5);
  }
  write_outcomes("key,value\nr1,1\n");
  EXPECT_THROW((void)joined({}), InputError);
  write_outcomes("id,value\nr1,1\n");
  EXPECT_THAT(joined({}), HasSubstr("1.5,\"Ber,\"\"gen\",1,1\n"));
  JoinOptions timed;
  timed.as_of = 3;
  EXPECT_THROW((void)joined(timed), InputError);
  JoinOptions other;
  other.model = "other";
  EXPECT_THROW((void)joined(other), InputError);
  {
    PredictionLog log(options_, "model", "4", {{"height", {}}});
    const double row = 1;
    (void)log.append({.time = 1, .id = "x"}, &row);
  }
  EXPECT_THROW((void)joined({}), InputError);
  other.model = "model-3";
  EXPECT_THAT(joined(other), HasSubstr("1.5"));
  std::ofstream(files()[0], std::ios::app) << "damage";
  EXPECT_THROW((void)joined(other), InputError);
}

}  // namespace
}  // namespace tandem::watch
