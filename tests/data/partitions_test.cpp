// Tables in folders that are named after values of columns, and what pandas and polars say of
// columns beyond their types.
#include "core/data/partitions.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/data/pandas_metadata.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;
using ::testing::Not;

std::string file(const std::string& name) {
  return std::string(TANDEM_DATA_DIR) + "/../tests/data/files/" + name;
}

class Partitions : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::path(::testing::TempDir()) / "tandem-parts-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A hundred rows of count, small, real, flag and name.
  void put(const std::string& place) {
    fs::create_directories((folder_ / place).parent_path());
    fs::copy_file(file("dictionary.parquet"), folder_ / place);
  }
  void write(const std::string& place, const std::string& text) {
    fs::create_directories((folder_ / place).parent_path());
    std::ofstream(folder_ / place) << text;
  }
  [[nodiscard]] std::string path(const std::string& place = "") const {
    return (folder_ / place).string();
  }
  [[nodiscard]] std::string message_of(const std::string& place = "",
                                       const ReadOptions& options = {}) const {
    try {
      (void)read_dataset<double>(path(place), options);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no InputError";
  }
  fs::path folder_;
};

std::vector<std::string> names(const Dataset<double>& data) {
  std::vector<std::string> all;
  for (const Column& column : data.columns) all.push_back(column.name);
  return all;
}

std::vector<std::string> notices(const Dataset<double>& data) {
  std::vector<std::string> all;
  for (const auto& notice : data.reading->notices) all.emplace_back(Error(notice).what());
  return all;
}

TEST_F(Partitions, FoldersAreTheFirstColumns) {
  put("year=2023/part-0.parquet");
  put("year=2023/part-1.parquet");
  put("year=2024/part-0.parquet");
  write("_SUCCESS", "");
  write("year=2024/_metadata", "");
  write(".hidden/x", "x");
  for (const int threads : {1, 3}) {
    ReadOptions options;
    options.threads = threads;
    const auto data = read_dataset<double>(path(), options);
    EXPECT_EQ(data.rows(), 300);
    EXPECT_THAT(names(data), ElementsAre("year", "count", "small", "real", "flag", "name"));
    EXPECT_EQ(data.features(0, 0), 2023);
    EXPECT_EQ(data.features(199, 0), 2023);
    EXPECT_EQ(data.features(200, 0), 2024);
    EXPECT_EQ(data.features(250, 2), 0);
  }
}

// The last column of the files is the target that nobody names, whatever folders say.
TEST_F(Partitions, TheLastColumnIsThatOfTheFiles) {
  put("year=2023/a.parquet");
  put("year=2024/a.parquet");
  ReadOptions options;
  options.last_column_is_target = true;
  const auto data = read_dataset<double>(path(), options);
  EXPECT_EQ(data.target_column.name, "name");
  options.target = "year";
  const auto years = read_dataset<double>(path(), options);
  EXPECT_EQ(years.target_column.name, "year");
  EXPECT_EQ(years.target.back(), 2024);
}

TEST_F(Partitions, SeveralLevelsTextsEscapesAndMissingValues) {
  put("country=CH/city=Z%C3%BCrich%20West/a.parquet");
  put("country=DE/city=__HIVE_DEFAULT_PARTITION__/a.parquet");
  const auto data = read_dataset<double>(path());
  ASSERT_EQ(names(data)[1], "city");
  EXPECT_THAT(data.columns[0].categories, ElementsAre("CH", "DE"));
  EXPECT_THAT(data.columns[1].categories, ElementsAre("Z\xC3\xBCrich West"));
  EXPECT_EQ(data.features(100, 0), 1);
  EXPECT_TRUE(std::isnan(data.features(100, 1)));
}

TEST_F(Partitions, DatesAndIdentifiersAreTakenAsTheyAre) {
  put("day=2024-01-31/zip=02139/a.parquet");
  put("day=2024-02-01/zip=10001/a.parquet");
  const auto data = read_dataset<double>(path());
  EXPECT_EQ(data.features(0, 0), 1706659200);
  EXPECT_THAT(data.columns[1].categories, ElementsAre("02139", "10001"));
}

TEST_F(Partitions, APartOfATableHasWhatTheModelNeeds) {
  put("year=2023/a.parquet");
  put("year=2024/a.parquet");
  const auto trained = read_dataset<double>(path());
  const Schema schema{trained.columns, trained.target_column, *trained.reading};
  ReadOptions later;
  later.schema = &schema;
  for (const char* part : {"year=2024", "year=2024/", "year=2024/a.parquet"}) {
    const auto data = read_dataset<double>(path(part), later);
    EXPECT_EQ(data.rows(), 100) << part;
    EXPECT_EQ(data.features(0, 0), 2024) << part;
  }
  // A file that lies elsewhere does not have it.
  put("other/a.parquet");
  EXPECT_THAT(message_of("other/a.parquet", later), HasSubstr("lacks the column year"));
}

TEST_F(Partitions, WhatAFolderSaysIsNotDroppedInSilence) {
  put("year=2024/a.parquet");
  write("year=2024/b/table.csv", "a,y\n1,2\n3,4\n");
  const auto data = read_dataset<double>(path("year=2024/a.parquet"));
  EXPECT_THAT(notices(data), Contains(AllOf(HasSubstr("lies in the folder year=2024"),
                                            HasSubstr("name the folder above"))));
  EXPECT_THAT(names(data), Not(Contains("year")));
  write("month=1/table.csv", "a,y\n1,2\n3,4\n");
  EXPECT_THAT(notices(read_dataset<double>(path("month=1/table.csv"))),
              Contains(HasSubstr("lies in the folder month=1")));
}

TEST_F(Partitions, WhatDoesNotFitIsRefusedByName) {
  put("year=2023/a.parquet");
  put("month=1/a.parquet");
  EXPECT_THAT(message_of(), HasSubstr("all say the value of the same column"));
  fs::remove_all(folder_ / "month=1");
  put("b.parquet");
  EXPECT_THAT(message_of(), AllOf(HasSubstr("b.parquet: stands beside the folder year=2023"),
                                  HasSubstr("move it out")));
  fs::remove(folder_ / "b.parquet");
  put("year=2024/month=1/a.parquet");
  EXPECT_THAT(message_of(), HasSubstr("other columns than those of"));
  fs::remove_all(folder_ / "year=2024");
  fs::create_directories(folder_ / "extra");
  EXPECT_THAT(message_of(), HasSubstr("the folders"));
  fs::remove_all(folder_ / "extra");
  fs::create_directory_symlink(folder_, folder_ / "year=2023" / "year=1");
  EXPECT_THAT(message_of(), Not(HasSubstr("no InputError")));
  fs::remove_all(folder_ / "year=2023");
  fs::create_directories(folder_ / "year=2025");
  EXPECT_THAT(message_of(), HasSubstr("hold no files"));
}

TEST_F(Partitions, TextFilesInSuchFoldersAreRefused) {
  write("year=2023/part.csv", "a,y\n1,2\n");
  write("year=2024/part.csv", "a,y\n3,4\n");
  EXPECT_THAT(message_of(), AllOf(HasSubstr("such as year"), HasSubstr("write the table as "
                                                                       "Parquet")));
  EXPECT_THAT(message_of("year=*/part.csv"), HasSubstr("name the folder above"));
}

TEST_F(Partitions, FoldersBesideFilesAreSaid) {
  put("part-0.parquet");
  put("part-1.parquet");
  put("old/part-0.parquet");
  EXPECT_EQ(read_dataset<double>(path()).rows(), 200);
  EXPECT_EQ(read_dataset<double>(path("part-*.parquet")).rows(), 200);
  EXPECT_THAT(message_of("nothing-*.parquet"), HasSubstr("no file has such a name"));
  EXPECT_THAT(message_of("nowhere/*.parquet"), HasSubstr("there is no folder"));
}

TEST_F(Partitions, AColumnThatTheFilesHaveThemselvesIsTaken) {
  put("small=9/a.parquet");
  put("small=8/a.parquet");
  const auto data = read_dataset<double>(path());
  EXPECT_THAT(names(data), ElementsAre("count", "small", "real", "flag", "name"));
  EXPECT_EQ(data.features(1, 1), 1);
  EXPECT_THAT(notices(data), Contains(HasSubstr("what the files have is taken")));
}

TEST(PartitionNames, SayAColumnAndAValue) {
  PartitionValue value;
  EXPECT_FALSE(parse_partition("data", value));
  EXPECT_FALSE(parse_partition("=5", value));
  ASSERT_TRUE(parse_partition("a=b=c", value));
  EXPECT_EQ(value.column, "a");
  EXPECT_EQ(value.value, "b=c");
  ASSERT_TRUE(parse_partition("x%3Dy=100%25%zz", value));
  EXPECT_EQ(value.column, "x=y");
  EXPECT_EQ(value.value, "100%%zz");
  EXPECT_FALSE(value.missing);
  ASSERT_TRUE(parse_partition("x=", value));
  EXPECT_TRUE(value.missing);
}

// --- what pandas and polars say ------------------------------------------------------------------

class FromPandas : public ::testing::TestWithParam<std::string> {};

TEST_P(FromPandas, IndexAndCategoriesAreWhatTheyAre) {
  ReadOptions options;
  options.last_column_is_target = true;
  const auto data = read_dataset<double>(file(GetParam()), options);
  EXPECT_EQ(data.target_column.name, "y");
  EXPECT_THAT(data.target, ElementsAre(1.5, 2.5, 3.5, 4.5));
  ASSERT_GE(data.cols(), 2);
  EXPECT_EQ(data.columns[0].name, "grade");
  EXPECT_THAT(data.columns[0].categories, ElementsAre("1", "3"));
  EXPECT_EQ(data.features(0, 0), 1);
  EXPECT_TRUE(std::isnan(data.features(3, 0)));
  EXPECT_THAT(data.columns[1].categories, ElementsAre("10", "2"));
  EXPECT_THAT(notices(data), Contains(AllOf(HasSubstr("the column key holds the names of the rows"),
                                            HasSubstr("columns key:number keeps it"))));
  if (data.cols() > 2) {
    EXPECT_EQ(data.columns[2].name, "lasted");
    EXPECT_EQ(data.features(0, 2), 3600);
    EXPECT_EQ(data.features(1, 2), 90);
    EXPECT_TRUE(std::isnan(data.features(2, 2)));
    EXPECT_EQ(data.features(3, 2), -1.5);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, FromPandas,
                         ::testing::Values("pandas.parquet", "pandas.arrow",
                                           "pandas_fastparquet.parquet"),
                         [](const auto& each) {
                           std::string name = each.param;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

TEST(FromPandasAndPolars, WhatIsAskedForIsKept) {
  ReadOptions options;
  options.target = "key";
  EXPECT_THAT(read_dataset<double>(file("pandas.parquet"), options).target,
              ElementsAre(7, 9, 8, 6));
  options.target = "y";
  options.reading.columns = ColumnReadings::parse("key:number,grade:number");
  const auto data = read_dataset<double>(file("pandas.parquet"), options);
  EXPECT_THAT(names(data), ElementsAre("grade", "size", "lasted", "key"));
  EXPECT_EQ(data.features(0, 0), 3);
  EXPECT_EQ(data.features(3, 3), 6);
}

TEST(FromPandasAndPolars, PolarsCategoriesAndDurations) {
  const auto data = read_dataset<double>(file("polars_categories.parquet"));
  EXPECT_THAT(data.columns[0].categories, ElementsAre("10", "2"));
  EXPECT_EQ(data.features(0, 1), 3600);
  EXPECT_EQ(data.features(3, 1), -1.5);
}

TEST(PandasMetadataText, AnythingElseSaysNothing) {
  for (const char* text :
       {"", "{", "[]", "null", "{\"index_columns\": 5, \"columns\": {}}",
        "{\"index_columns\": [{\"kind\": \"range\"}, 7], \"columns\": [1, {}]}", "\xFF\xFE"}) {
    const PandasMetadata metadata = parse_pandas_metadata(text);
    EXPECT_TRUE(metadata.index.empty()) << text;
    EXPECT_TRUE(metadata.categorical.empty()) << text;
  }
  const PandasMetadata metadata = parse_pandas_metadata(
      R"({"index_columns": ["k"], "columns": [{"name": "a", "pandas_type": "categorical"},
          {"name": null, "field_name": "b", "pandas_type": "categorical"}]})");
  EXPECT_THAT(metadata.index, ElementsAre("k"));
  EXPECT_THAT(metadata.categorical, ElementsAre("a", "b"));
  EXPECT_EQ(from_base64("aGVsbG8="), "hello");
  EXPECT_EQ(from_base64("aGVsbG8h"), "hello!");
  EXPECT_EQ(from_base64("not base64"), "");
}

}  // namespace
}  // namespace tandem
