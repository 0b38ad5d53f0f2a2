// The CSV reader on shipped files and on texts in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/data/readers.hpp"
#include "core/data/records.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Texts = std::vector<std::string>;

template <Real T = double>
Dataset<T> read(const std::string& text, ReadOptions options = {}) {
  if (options.reading.format == "auto") options.reading.format = "csv";
  return read_input<T>(
      Input::memory("input.csv", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}),
      options);
}

ReadOptions with_target(const std::string& target) {
  ReadOptions options;
  options.target = target;
  return options;
}

std::string message_of(const std::string& text, const ReadOptions& options = {}) {
  try {
    (void)read(text, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

Texts names(const Dataset<double>& data) {
  Texts all;
  for (const auto& column : data.columns) all.push_back(column.name);
  return all;
}

TEST(ShippedData, HasTheShapesAndClassesOfItsReadme) {
  struct Expected {
    const char* file;
    const char* target;
    Index rows;
    Index features;
    std::vector<Index> class_sizes;
  };
  const std::vector<Expected> sets{
      {"iris.csv", "species", 150, 4, {50, 50, 50}},
      {"wine.csv", "class", 178, 13, {59, 71, 48}},
      {"breast_cancer.csv", "diagnosis", 569, 30, {357, 212}},
      {"digits.csv", "digit", 1797, 64, {178, 182, 177, 183, 181, 182, 181, 179, 174, 180}},
  };
  for (const auto& set : sets) {
    const auto data =
        read_dataset<float>(std::string(TANDEM_DATA_DIR) + "/" + set.file, with_target("last"));
    EXPECT_EQ(data.rows(), set.rows) << set.file;
    EXPECT_EQ(data.cols(), set.features) << set.file;
    EXPECT_EQ(data.target_column.name, set.target);
    const Classes classes = encode_classes(data);
    std::vector<Index> sizes(classes.names.size(), 0);
    for (const auto label : classes.labels) ++sizes[static_cast<std::size_t>(label)];
    EXPECT_EQ(sizes, set.class_sizes) << set.file;
    EXPECT_NO_THROW(require_finite(data, true));
  }
  const auto diabetes = read_dataset<double>(std::string(TANDEM_DATA_DIR) + "/diabetes.csv",
                                             with_target("progression"));
  EXPECT_EQ(diabetes.rows(), 442);
  EXPECT_THAT(names(diabetes),
              ElementsAre("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"));
  EXPECT_EQ(diabetes.features(0, 8), 4.8598);
  EXPECT_EQ(diabetes.target[441], 57);
}

TEST(Csv, QuotesFollowRfc4180) {
  const auto data = read("name,\"x, y\",z\r\n\"a \"\"b\"\"\",1,\"2\"\r\n\"line\nfeed\",\"3\",4\n");
  EXPECT_THAT(names(data), ElementsAre("name", "x, y", "z"));
  EXPECT_THAT(data.columns[0].categories, ElementsAre("a \"b\"", "line\nfeed"));
  EXPECT_EQ(data.features.values(), (std::vector<double>{0, 1, 2, 1, 3, 4}));
}

TEST(Csv, LinesAreCountedThroughQuotedLineFeeds) {
  EXPECT_THAT(message_of("a,b\n\"x\ny\",1\n\nz\n"),
              HasSubstr("input.csv: line 5: has 1 field, expected 2 as in the header"));
  EXPECT_THAT(message_of("1,2\n3,4,5\n"), HasSubstr("line 2: has 3 fields, expected 2"));
  EXPECT_THAT(message_of("a,b\n1,\"x\n"), HasSubstr("line 2: a quoted field is never closed"));
  EXPECT_THAT(message_of("a,b\n1,\"x\"y\n"), HasSubstr("line 2: text follows a closing quote"));
}

TEST(Csv, ByteOrderMarkCarriageReturnsAndALastLineWithoutEnd) {
  const auto data = read("\xEF\xBB\xBFu,v\r\n1,2\r\n\r\n3,4");
  EXPECT_THAT(names(data), ElementsAre("u", "v"));
  EXPECT_EQ(data.features.values(), (std::vector<double>{1, 2, 3, 4}));
}

TEST(Csv, MissingValuesAreNaN) {
  const auto data = read("a,b,c\n?,NA,x\n1, nan ,\n,N/A,y\n");
  ASSERT_EQ(data.rows(), 3);
  EXPECT_TRUE(std::isnan(data.features(0, 0)));
  EXPECT_EQ(data.features(1, 0), 1);
  EXPECT_TRUE(std::isnan(data.features(2, 0)));
  for (Index i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(data.features(i, 1)));
  EXPECT_FALSE(data.columns[1].categorical());
  EXPECT_THAT(data.columns[2].categories, ElementsAre("x", "y"));
  EXPECT_TRUE(std::isnan(data.features(1, 2)));
}

TEST(Csv, NumbersCanStandForMissingValues) {
  ReadOptions options;
  options.reading.missing = {"-999"};
  const auto data = read("a\n-999\n1\n-999.0\n", options);
  EXPECT_TRUE(std::isnan(data.features(0, 0)));
  EXPECT_TRUE(std::isnan(data.features(2, 0)));  // compared by value
  EXPECT_EQ(data.features(1, 0), 1);
}

TEST(Csv, CategoriesAreSortedAndCounted) {
  const auto data = read("pet,n\ndog,1\ncat,2\nant,3\ndog,4\n", with_target("pet"));
  EXPECT_THAT(data.target_column.categories, ElementsAre("ant", "cat", "dog"));
  EXPECT_EQ(data.target, (std::vector<double>{2, 1, 0, 2}));
  EXPECT_THAT(names(data), ElementsAre("n"));
}

TEST(Csv, FindsTheDelimiter) {
  for (const char delimiter : {',', ';', '\t', '|'}) {
    std::string text = "a,b,c\n1.5,2,3\n4,5,6\n";
    for (char& c : text) c = c == ',' ? delimiter : c;
    EXPECT_EQ(read(text).cols(), 3) << delimiter;
  }
  // Decimal commas do not make it a comma-separated file; they are texts, and said to be.
  EXPECT_EQ(read("a;b\n1,5;2\n2,5;3\n").cols(), 2);
  EXPECT_EQ(read("1\n2\n3\n").cols(), 1);
  ReadOptions options;
  options.reading.delimiter = ' ';
  EXPECT_EQ(read("1 2 3\n4 5 6\n", options).cols(), 3);
}

TEST(Csv, FindsTheHeader) {
  EXPECT_EQ(read("a,b\n1,2\n").rows(), 1);
  EXPECT_EQ(read("5.1,3.5,setosa\n4.9,3.0,setosa\n").rows(), 2);
  EXPECT_EQ(read("colour,size\nred,big\nblue,small\n").rows(), 2);  // nothing recurs
  EXPECT_EQ(read("red,big\nblue,small\nred,small\n").rows(), 3);    // "red" recurs
  ReadOptions options;
  options.reading.header = HeaderChoice::yes;
  EXPECT_THAT(names(read("1,2\n3,4\n", options)), ElementsAre("1", "2"));
  options.reading.header = HeaderChoice::no;
  EXPECT_EQ(read("a,b\nc,d\n", options).rows(), 2);
  EXPECT_THAT(names(read("1,2\n3,4\n")), ElementsAre("x0", "x1"));
}

TEST(Csv, NamesAreMadeDistinct) {
  EXPECT_THAT(names(read("a,a,,a.1\n1,2,3,4\n")), ElementsAre("a", "a.2", "column2", "a.1"));
}

TEST(Csv, TargetByNamePositionAndLast) {
  const std::string text = "a,b,c\n1,2,3\n4,5,6\n";
  EXPECT_EQ(read(text, with_target("b")).target, (std::vector<double>{2, 5}));
  EXPECT_EQ(read(text, with_target("0")).target, (std::vector<double>{1, 4}));
  EXPECT_EQ(read(text, with_target("-1")).target, (std::vector<double>{3, 6}));
  EXPECT_EQ(read(text, with_target("last")).target, (std::vector<double>{3, 6}));
  EXPECT_FALSE(read(text).has_target());
  EXPECT_THAT(message_of(text, with_target("d")),
              HasSubstr("has no column 'd', which target names; it has 3: a, b, c"));
  EXPECT_THAT(message_of(text, with_target("3")), HasSubstr("has no column '3'"));
  // A name wins over a position.
  EXPECT_EQ(read("1,0\n3,4\n",
                 [] {
                   auto options = with_target("0");
                   options.reading.header = HeaderChoice::yes;
                   return options;
                 }())
                .target,
            (std::vector<double>{4}));
}

TEST(Csv, WeightsAndIgnoredColumns) {
  ReadOptions options = with_target("y");
  options.weights = "w";
  options.ignore = {"id"};
  const std::string text = "id,w,a,y\nr1,0.5,1,2\nr2,2,3,4\n";
  const auto data = read(text, options);
  EXPECT_EQ(data.weights, (std::vector<double>{0.5, 2}));
  EXPECT_EQ(data.target, (std::vector<double>{2, 4}));
  EXPECT_THAT(names(data), ElementsAre("a"));
  EXPECT_THAT(message_of("w,a,y,id\n-1,1,2,3\n", options), HasSubstr("line 2: the weight is"));
  EXPECT_THAT(message_of("w,a,y,id\n,1,2,3\n", options), HasSubstr("line 2: the weight is"));
  EXPECT_THAT(message_of("w,a,y,id\nx,1,2,3\n", options),
              HasSubstr("line 2: the column w has 'x', expected a number"));
}

TEST(Csv, TextFarBelowTheHeadMakesTheColumnText) {
  // Past the 1000 records that are looked at first, and past the first chunk.
  std::string text = "a,b\n";
  for (int i = 0; i < 300000; ++i) text += std::to_string(i % 7) + ",1\n";
  text += "odd,2\n";
  const auto data = read<double>(text);
  EXPECT_THAT(data.columns[0].categories, ElementsAre("0", "1", "2", "3", "4", "5", "6", "odd"));
  EXPECT_EQ(data.rows(), 300001);
  EXPECT_EQ(data.features(300000, 0), 7);
  EXPECT_EQ(data.features(299999, 0), 299999 % 7);
  EXPECT_EQ(data.features(300000, 1), 2);
}

TEST(Csv, ThreadsDoNotChangeTheResult) {
  std::string text = "n,t,q\n";
  for (int i = 0; i < 200000; ++i) {
    text += std::to_string(i * 0.37) + ",t" + std::to_string((i * 7919) % 1013) +
            (i % 5 == 0 ? ",\"a\nb,c\"\n" : ",\"d\"\"e\"\n");
  }
  ReadOptions options = with_target("t");
  options.threads = 1;
  const auto one = read<float>(text, options);
  EXPECT_EQ(one.rows(), 200000);
  EXPECT_EQ(one.target_column.categories.size(), 1013U);
  EXPECT_THAT(one.columns[1].categories, ElementsAre("a\nb,c", "d\"e"));
  for (const int threads : {2, 7}) {
    options.threads = threads;
    const auto many = read<float>(text, options);
    EXPECT_TRUE(test::same_bits(one.features.values(), many.features.values()));
    EXPECT_TRUE(test::same_bits(one.target, many.target));
    EXPECT_EQ(one.target_column, many.target_column);
  }
}

TEST(Csv, TheEarliestMistakeIsReportedWhateverTheThreads) {
  std::string text = "a,b\n";
  for (int i = 0; i < 600000; ++i) text += i % 150000 == 149999 ? "1\n" : "1,2\n";
  for (const int threads : {1, 2, 7}) {
    ReadOptions options;
    options.threads = threads;
    EXPECT_THAT(message_of(text, options), HasSubstr("line 150001: has 1 field"));
  }
}

TEST(Csv, ASchemaFixesColumnsAndCategories) {
  Schema schema;
  schema.columns = {{"b", {}}, {"colour", {"red", "green"}}};
  schema.target = {"y", {"no", "yes"}};
  ReadOptions options;
  options.schema = &schema;
  const auto data =
      read("y,extra,colour,b\nyes,0,green,1\nno,0,blue,2\nperhaps,0,red,?\n", options);
  EXPECT_EQ(data.columns, schema.columns);
  EXPECT_EQ(data.features(0, 0), 1);
  EXPECT_EQ(data.features(0, 1), 1);  // the model's order, not the sorted one
  EXPECT_TRUE(std::isnan(data.features(1, 1)));
  EXPECT_EQ(data.features(2, 1), 0);
  EXPECT_THAT(data.target_column.categories, ElementsAre("no", "yes", "perhaps"));
  EXPECT_EQ(data.target, (std::vector<double>{1, 0, 2}));

  EXPECT_FALSE(read("colour,b\nred,1\n", options).has_target());
  EXPECT_THAT(message_of("colour,c\nred,1\n", options), HasSubstr("lacks the column b"));
  EXPECT_THAT(message_of("colour,b\nred,x1\n", options),
              HasSubstr("line 2: the column b has 'x1', expected a number"));
  // Categories that look like numbers are compared as texts.
  schema.columns = {{"code", {"01", "1"}}};
  schema.target = {};
  EXPECT_EQ(read("code\n1\n01\n", options).features.values(), (std::vector<double>{1, 0}));
}

// A program passes on a target that was given as "last" in training.
TEST(Csv, ASchemaKnowsItsTargetBetterThanAPosition) {
  Schema schema;
  schema.columns = {{"a", {}}, {"b", {}}};
  schema.target.name = "y";
  ReadOptions options = with_target("last");
  options.schema = &schema;
  EXPECT_EQ(read("y,a,b\n9,1,2\n", options).target, (std::vector<double>{9}));
  EXPECT_FALSE(read("a,b\n1,2\n", options).has_target());
  EXPECT_FALSE(read("a,b,other\n1,2,3\n", options).has_target());
  options.target = "other";
  EXPECT_EQ(read("a,b,other\n1,2,3\n", options).target, (std::vector<double>{3}));
  EXPECT_THAT(message_of("a,b\n1,2\n", options), HasSubstr("has no column 'other'"));
}

TEST(Csv, ASchemaWithoutNamesGoesByPosition) {
  Schema schema;
  schema.columns = numbered_columns(2);
  schema.target.name = "target";
  ReadOptions options;
  options.schema = &schema;
  EXPECT_EQ(read("1,2\n3,4\n", options).rows(), 2);
  EXPECT_EQ(read("p,q\n1,2\n", options).features.values(), (std::vector<double>{1, 2}));
  EXPECT_THAT(message_of("1,2,3\n", options), HasSubstr("name the target's position with target"));
  options.target = "0";
  const auto data = read("1,2,3\n", options);
  EXPECT_EQ(data.target, (std::vector<double>{1}));
  EXPECT_EQ(data.features.values(), (std::vector<double>{2, 3}));
  EXPECT_EQ(read("p,q,r\n1,2,3\n", options).target, (std::vector<double>{1}));
}

TEST(Csv, RefusesWhatIsNotText) {
  EXPECT_THAT(message_of(""), HasSubstr("is empty"));
  EXPECT_THAT(message_of("\n\n"), HasSubstr("is empty"));
  EXPECT_THAT(message_of("a,b\n"), HasSubstr("has no rows"));
  EXPECT_THAT(message_of(std::string("a,b\n1,\0\n", 8)), HasSubstr("zero bytes"));
  EXPECT_THAT(message_of("k,v\ncaf\xE9,1\nx,2\n"), HasSubstr("is not UTF-8"));
  EXPECT_THAT(message_of("y\n1\n", with_target("y")), HasSubstr("no column is left"));
}

TEST(Csv, RefusesWhatDoesNotFitIntoMemory) {
  std::string text = "a,b\n";
  for (int i = 0; i < 100000; ++i) text += "1,2\n";
  ReadOptions options;
  options.memory_limit = 500000;  // the data needs 100000 · 2 · 8 bytes
  EXPECT_THAT(message_of(text, options), HasSubstr("of memory, but 488.3 KiB are left"));
}

TEST(Csv, RefusesARecordWithoutEnd) {
  ReadOptions options;
  options.memory_limit = 1 << 20;
  EXPECT_THAT(message_of(std::string(6 << 20, '7'), options), HasSubstr("record is longer than"));
  EXPECT_THAT(message_of("a,b\n1,\"" + std::string(6 << 20, '\n'), options),
              HasSubstr("the record that starts at byte 4 is longer than 1.0 MiB"));
  // As long as that is, one that fits is read.
  const std::string wide(3 << 20, 'w');
  EXPECT_EQ(read("a,b\n1,\"" + wide + "\"\n").columns[1].categories[0].size(), wide.size());
}

TEST(Csv, ManyColumnsOfText) {
  // Text below the head in every column, so that all are found in one more reading.
  std::string text;
  const auto add_row = [&](const char* cell) {
    for (int c = 0; c < 3000; ++c) text += std::string(c > 0 ? "," : "") + cell;
    text += '\n';
  };
  for (int r = 0; r < 60; ++r) add_row("1");
  for (int r = 0; r < 3; ++r) add_row("x");
  const auto data = read(text);
  EXPECT_EQ(data.rows(), 63);
  for (const auto& column : data.columns) {
    EXPECT_THAT(column.categories, ElementsAre("1", "x"));
  }
  EXPECT_EQ(data.features(62, 2999), 1);
}

TEST(Csv, AFileThatIsNotThere) {
  EXPECT_THROW((void)read_dataset<double>("/nonexistent/a.csv"), InputError);
  EXPECT_THROW((void)read_dataset<double>("/sys"), InputError);  // a folder without files
}

TEST(Csv, InfinityIsANumber) {
  const auto data = read("a\ninf\n-Infinity\n1e999\n1e-999\n");
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(data.features.values(), (std::vector<double>{infinity, -infinity, infinity, 0}));
}

TEST(Records, EndsAreFoundOutsideQuotes) {
  const auto end_of = [](std::string_view text) -> Index {
    const char* end = last_record_end(text.data(), text.data() + text.size(), ',', '"');
    return end == nullptr ? -1 : end - text.data();
  };
  EXPECT_EQ(end_of("a\nb\nc"), 4);
  EXPECT_EQ(end_of("a,\"x\ny"), -1);
  EXPECT_EQ(end_of("a\n\"x\ny"), 2);
  EXPECT_EQ(end_of("a\n\"x\ny\"\n"), 8);
  EXPECT_EQ(end_of("a\n\"x\n\""), 2);  // the quote may be doubled by the next byte
  EXPECT_EQ(end_of("a\n\"x\n\"\"\n"), 2);
  EXPECT_EQ(end_of("5\" pipe\n6\" pipe\n"), 16);  // quotes inside a field open nothing
}

}  // namespace
}  // namespace tandem
