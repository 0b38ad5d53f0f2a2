#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <thread>

#include "support/messages.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/quiet_log.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem {
namespace {

class InteractionFiles : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const auto path = folder_ / name;
    std::ofstream(path) << text;
    return path.string();
  }
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("tandem_interactions_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(InteractionFiles, NamesAreTextsAndAscend) {
  const Interactions events = read_interactions(write("e.csv",
                                                      "user_id,movieId,rating,timestamp\n"
                                                      "7,b,4.5,100\n"
                                                      "007,a,1,50\n"
                                                      "10,b,2,60\n"));
  EXPECT_EQ(events.users, (std::vector<std::string>{"007", "10", "7"}));
  EXPECT_EQ(events.items, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(events.user, (std::vector<std::int32_t>{2, 0, 1}));
  EXPECT_EQ(events.item, (std::vector<std::int32_t>{1, 0, 1}));
  EXPECT_EQ(events.weight, (std::vector<double>{4.5, 1, 2}));
  EXPECT_EQ(events.time, (std::vector<double>{100, 50, 60}));
  EXPECT_EQ(events.user_number("7"), 2);
  EXPECT_EQ(events.item_number("c"), -1);
}

TEST_F(InteractionFiles, DatesAreSecondsAndOtherColumnsAreLeftOut) {
  const std::string path = write("e.csv",
                                 "who,what,note,when\n"
                                 "u,x,\"one, two\",2024-01-01\n"
                                 "v,y,,2024-01-02\n");
  InteractionColumns columns;
  columns.user = "who";
  columns.item = "what";
  columns.time = "when";
  const Interactions events = read_interactions(path, columns);
  ASSERT_EQ(events.size(), 2);
  EXPECT_FALSE(events.has_weights());
  EXPECT_EQ(events.time[1] - events.time[0], 86400);
}

TEST_F(InteractionFiles, MistakesNameTheirPlace) {
  const auto message = [&](const std::string& text, const InteractionColumns& columns = {}) {
    const std::string path = write("bad.csv", text);
    try {
      (void)read_interactions(path, columns);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_NE(message("user,item\nu,\nv,x\n").find("row 1, column item: the item is missing"),
            std::string::npos);
  EXPECT_NE(message("user,item,rating\nu,x,-1\nv,y,2\n").find("is negative"), std::string::npos);
  EXPECT_NE(message("user,thing\nu,x\n").find("has no column of the items"), std::string::npos);
  InteractionColumns columns;
  columns.weight = "user";
  EXPECT_NE(message("user,item\nu,x\n", columns).find("cannot be two"), std::string::npos);
  columns = {};
  columns.min_weight = 3;
  EXPECT_NE(message("user,item\nu,x\n", columns).find("has no weights"), std::string::npos);
}

TEST_F(InteractionFiles, PublicFormatsAreReadAsTheyAre) {
  const log::QuietThread quiet;
  const auto check = [](const Interactions& events) {
    EXPECT_EQ(events.users, (std::vector<std::string>{"1", "12", "2"}));
    EXPECT_EQ(events.items, (std::vector<std::string>{"1193", "661"}));
    EXPECT_EQ(events.user, (std::vector<std::int32_t>{0, 0, 2, 1}));
    EXPECT_EQ(events.item, (std::vector<std::int32_t>{0, 1, 0, 1}));
    EXPECT_EQ(events.weight, (std::vector<double>{5, 3, 4, 1}));
    EXPECT_EQ(events.time, (std::vector<double>{978300760, 978302109, 978298413, 978220179}));
  };
  // MovieLens 100K, 1M, 20M and 25M; RecBole's atomic files; milliseconds.
  check(read_interactions(write("u.data",
                                "1\t1193\t5\t978300760\n1\t661\t3\t978302109\n"
                                "2\t1193\t4\t978298413\n12\t661\t1\t978220179\n")));
  check(read_interactions(write("ratings.dat",
                                "1::1193::5::978300760\n1::661::3::978302109\n"
                                "2::1193::4::978298413\n12::661::1::978220179\n")));
  check(read_interactions(write("ratings.csv",
                                "userId,movieId,rating,timestamp\n1,1193,5.0,978300760\n"
                                "1,661,3.0,978302109\n2,1193,4.0,978298413\n"
                                "12,661,1.0,978220179\n")));
  check(read_interactions(write("ml.inter",
                                "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
                                "1\t1193\t5\t978300760\n1\t661\t3\t978302109\n"
                                "2\t1193\t4\t978298413\n12\t661\t1\t978220179\n")));
  check(read_interactions(write("events.csv",
                                "\"User-ID\";\"ISBN\";\"Book-Rating\";\"Timestamp\"\n"
                                "1;1193;5;978300760000\n1;661;3;978302109000\n"
                                "2;1193;4;978298413000\n12;661;1;978220179000\n")));
  check(read_interactions(write("windows.dat",
                                "1::1193::5::978300760\r\n1::661::3::978302109\r\n"
                                "2::1193::4::978298413\r\n12::661::1::978220179")));
}

TEST_F(InteractionFiles, ColumnsWithoutNamesAreWhatTheyUsuallyAre) {
  const log::QuietThread quiet;
  const Interactions two = read_interactions(write("two.csv", "a,x\nb,y\na,y\n"));
  EXPECT_FALSE(two.has_weights());
  EXPECT_FALSE(two.has_times());
  const Interactions rated = read_interactions(write("rated.csv", "a,x,4\nb,y,2\na,y,5\n"));
  EXPECT_EQ(rated.weight, (std::vector<double>{4, 2, 5}));
  EXPECT_FALSE(rated.has_times());
  const Interactions timed =
      read_interactions(write("timed.csv", "a,x,1396656000\nb,y,1396656100\na,y,1396656200\n"));
  EXPECT_FALSE(timed.has_weights());
  EXPECT_EQ(timed.time, (std::vector<double>{1396656000, 1396656100, 1396656200}));
  // Columns that are named by their numbers, with others between them.
  InteractionColumns columns;
  columns.user = "1";
  columns.item = "4";
  columns.weight = "3";
  columns.time = "none";
  const Interactions some =
      read_interactions(write("five.csv", "9,a,8,4,x\n9,b,8,2,y\n9,a,8,5,y\n"), columns);
  EXPECT_EQ(some.users, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(some.items, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(some.weight, (std::vector<double>{4, 2, 5}));
}

TEST_F(InteractionFiles, TitlesMayHaveColonsAndQuotes) {
  const log::QuietThread quiet;
  const ItemAttributes items = read_item_attributes(
      write("movies.dat",
            "1::Star Wars: Episode IV (1977)::Action|Sci-Fi\n"
            "2::\"Great Performances\" Cats (1998)::Musical\n3::Say \"Aah\"::Comedy\n"));
  EXPECT_EQ(items.items, (std::vector<std::string>{"1", "2", "3"}));
  ASSERT_EQ(items.values.size(), 2U);
  EXPECT_EQ(items.values[0],
            (std::vector<std::string>{"Star Wars: Episode IV (1977)",
                                      "\"Great Performances\" Cats (1998)", "Say \"Aah\""}));
}

// The level of the log is everybody's: reading must not change it, not even for a while.
TEST_F(InteractionFiles, TheLogIsLeftAlone) {
  const std::string path = write("e.csv", "user,item\na,x\nb,y\n");
  const log::Level before = log::level();
  std::vector<std::string> said;
  log::set_sink([&](log::Level, std::string_view text) { said.emplace_back(text); });
  const auto restore = [](void*) { log::set_sink({}); };
  const std::unique_ptr<void, decltype(restore)> guard(&said, restore);
  std::atomic<bool> changed{false};
  std::atomic<bool> stop{false};
  std::thread watcher([&] {
    while (!stop) changed = changed || log::level() != before;
  });
  for (int k = 0; k < 50; ++k) (void)read_interactions(path);
  stop = true;
  watcher.join();
  EXPECT_FALSE(changed);
  EXPECT_EQ(said, std::vector<std::string>());
  {
    const log::QuietThread quiet(log::Level::error);
    log::warning("unheard");
    std::thread([] { log::warning("heard"); }).join();
  }
  log::warning("heard again");
  EXPECT_EQ(said, (std::vector<std::string>{"heard", "heard again"}));
}

TEST_F(InteractionFiles, SmallWeightsAreLeftOut) {
  InteractionColumns columns;
  columns.min_weight = 3;
  const Interactions events = read_interactions(
      write("e.csv", "user,item,rating,time\na,x,5,1\na,y,2,2\nb,x,3,3\n"), columns);
  EXPECT_EQ(events.size(), 2);
  EXPECT_EQ(events.weight, (std::vector<double>{5, 3}));
  EXPECT_EQ(events.time, (std::vector<double>{1, 3}));
}

TEST_F(InteractionFiles, AttributesAreTexts) {
  const ItemAttributes items = read_item_attributes(
      write("i.csv", "item_id,title,genre,year\nx,\"A, b\",drama,1999\ny,C,,2001\n"));
  EXPECT_EQ(items.items, (std::vector<std::string>{"x", "y"}));
  ASSERT_EQ(items.attributes, (std::vector<std::string>{"title", "genre", "year"}));
  EXPECT_EQ(items.values[0], (std::vector<std::string>{"A, b", "C"}));
  EXPECT_EQ(items.values[1], (std::vector<std::string>{"drama", ""}));
  EXPECT_EQ(items.values[2], (std::vector<std::string>{"1999", "2001"}));
  EXPECT_THROW((void)read_item_attributes(write("twice.csv", "item,a\nx,1\nx,2\n")), InputError);
}

Interactions some() {
  Interactions events;
  events.users = {"a", "b", "c"};
  events.items = {"p", "q", "r"};
  events.user = {0, 1, 0, 0, 1, 2};
  events.item = {1, 0, 1, 2, 2, 0};
  events.weight = {1, 2, 4, 8, 16, 32};
  events.time = {5, 1, 3, 4, 6, 2};
  return events;
}

TEST(InteractionMatrix, AddsWeightsOfOnePair) {
  const SparseMatrix<double> matrix = interaction_matrix<double>(some());
  EXPECT_EQ(matrix.offsets, (std::vector<Index>{0, 2, 4, 5}));
  EXPECT_EQ(matrix.columns, (std::vector<std::int32_t>{1, 2, 0, 2, 0}));
  EXPECT_EQ(matrix.values, (std::vector<double>{5, 8, 2, 16, 32}));
  const SparseMatrix<double> turned = transposed(matrix.view());
  EXPECT_EQ(turned.columns, (std::vector<std::int32_t>{1, 2, 0, 0, 1}));
  EXPECT_EQ(turned.values, (std::vector<double>{2, 32, 5, 8, 16}));
  EXPECT_EQ(transposed(turned.view()), matrix);
}

TEST(InteractionSplits, ByTimeNothingThatIsKnownIsLater) {
  const InteractionSplit split = split_by_time(some(), 1.0 / 3);
  EXPECT_EQ(split.boundary, 5);
  EXPECT_EQ(split.test.size(), 2);
  for (const double time : split.train.time) EXPECT_LT(time, split.boundary);
  for (const double time : split.test.time) EXPECT_GE(time, split.boundary);
  EXPECT_EQ(split.train.users, some().users);
}

TEST(InteractionSplits, EventsAsLateAsTheFirstTestEventAreTestEvents) {
  Interactions events = some();
  events.time = {1, 2, 2, 2, 2, 2};
  EXPECT_EQ(split_by_time(events, 0.2).test.size(), 5);
  events.time.assign(6, 2.0);
  EXPECT_THROW((void)split_by_time(events, 0.2), InputError);
  events.time.clear();
  EXPECT_THROW((void)split_by_time(events, 0.2), InputError);
}

TEST(InteractionSplits, LastOfEachUser) {
  const InteractionSplit split = leave_last_out(some());
  // c has one event, which stays.
  EXPECT_EQ(split.test.user, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(split.test.time, (std::vector<double>{5, 6}));
  EXPECT_EQ(split.train.size(), 4);
  EXPECT_EQ(leave_last_out(some(), 2).test.size(), 2);
}

}  // namespace
}  // namespace tandem
