// How text files are read: how they are cut, what their columns hold, what is remembered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/data/class_names.hpp"
#include "core/data/field_values.hpp"
#include "core/data/readers.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/class_weights.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Values = std::vector<double>;

template <Real T = double>
Dataset<T> read(const std::string& text, const ReadOptions& options = {}) {
  return read_input<T>(
      Input::memory("input.csv", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}),
      options);
}

std::string message_of(const std::string& text, const ReadOptions& options = {}) {
  try {
    (void)read(text, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

std::vector<std::string> names(const Dataset<double>& data) {
  std::vector<std::string> all;
  for (const auto& column : data.columns) all.push_back(column.name);
  return all;
}

// As the library calls options.
std::vector<std::string> notices(const Dataset<double>& data) {
  std::vector<std::string> all;
  for (const auto& notice : data.reading->notices) all.emplace_back(Error(notice).what());
  return all;
}

ReadOptions with_target(const std::string& target) {
  ReadOptions options;
  options.target = target;
  return options;
}

// A later file, read as the first one was.
template <Real T = double>
Dataset<T> read_later(const Dataset<T>& first, const std::string& text, ReadOptions options = {}) {
  Schema schema{first.columns, first.target_column, *first.reading};
  options.schema = &schema;
  return read<T>(text, options);
}

// --- what could be meant otherwise ---------------------------------------------------------------

// Several hands write one category in several ways.
TEST(Reading, TextsThatDifferInCaseOrBlanksAloneAreSaid) {
  const auto said = [](const std::string& text) { return notices(read(text)); };
  const auto of_case = HasSubstr("differ in case or blanks alone");
  for (const char* texts : {"ja,1\nnein,2\nJa,3\n", "New York,1\nNewYork,2\n", "a,1\nA,2\nb,3\n",
                            "\"x \",1\n\"x\",2\n", "red,1\nRED,2\nred,3\n"}) {
    EXPECT_THAT(said(std::string("t,y\n") + texts), Contains(of_case)) << texts;
  }
  for (const char* texts : {"ja,1\nnein,2\n", "a1,1\na2,2\n", "x y,1\nx-y,2\n"}) {
    EXPECT_THAT(said(std::string("t,y\n") + texts), Not(Contains(of_case))) << texts;
  }
}

// Article numbers such as 12E5 look as numbers do.
TEST(Reading, CodesThatLookAsNumbersWithExponentsAreSaid) {
  const auto said = [](const std::string& values) {
    std::string text = "sku,y\n";
    int i = 0;
    for (std::size_t at = 0; at < values.size(); ++i) {
      const std::size_t end = std::min(values.find(' ', at), values.size());
      text += values.substr(at, end - at) + "," + std::to_string(i * i % 7) + "\n";
      at = end + 1;
    }
    return notices(read(text));
  };
  const auto codes = HasSubstr("where they are codes");
  for (const char* values : {"1E1 2E2 3E3 4E4 5E5", "12E5 1234 5678 9012 3456 7890",
                             "7e2 15 16 17 1e9 22", "001E2 1E3 1E4 2E4 3E5"}) {
    EXPECT_THAT(said(values), Contains(codes)) << values;
  }
  // As programs write numbers.
  for (const char* values : {"1e+05 2e+05 3 4 5 6", "1.5e3 2e3 3e3 4e3 5e3", "1e-3 2e-3 3 4 5 6",
                             "1 2 3 4 7 9", "1E1 2E2"}) {
    EXPECT_THAT(said(values), Not(Contains(codes))) << values;
  }
}

// --- how a file is cut ---------------------------------------------------------------------------

TEST(Dialect, TheDelimiterGivesWholeValues) {
  const auto shape = [](const std::string& text) {
    const auto data = read(text);
    return std::pair{data.rows(), data.cols()};
  };
  using Shape = std::pair<Index, Index>;
  EXPECT_EQ(shape("10,69;101,08;-16,94\n11,64;105,46;-19,32\n10,66;80,36;-10,66\n"), Shape(3, 3));
  EXPECT_EQ(shape("1,5;2,5\n3,5;4,25\n5,0;1,5\n"), Shape(3, 2));
  EXPECT_EQ(shape("a;b\n\"x;1\";2\n\"y;2\";3\n"), Shape(2, 2));
  EXPECT_EQ(shape("when\tv\n2024-01-31 12:30\t1,5\n2024-02-01 13:00\t2,5\n"), Shape(2, 2));
  EXPECT_EQ(shape("name|a|b\nDoe, John|1|2\nRoe, Jane|3|4\n"), Shape(2, 3));
  EXPECT_EQ(shape("id,tags,n\n1,a;b;c,2\n2,d;e,3\n3,f,4\n"), Shape(3, 3));
  EXPECT_EQ(shape("city\nNew York\nLos Angeles\nSan Jose\n"), Shape(3, 1));
  EXPECT_EQ(shape("when\n2024-01-31 12:30:05\n2024-01-31 12:30:06\n"), Shape(2, 1));
}

TEST(Dialect, BlanksSeparateWhereNothingElseDoes) {
  const auto data =
      read("  0.0629  -0.0661   0.3202\n  0.0525  -0.2678\t 0.1808\n -0.63 -0.3 0.02  \n");
  EXPECT_EQ(data.rows(), 3);
  EXPECT_EQ(data.cols(), 3);
  EXPECT_EQ(data.features(1, 1), -0.2678);
  EXPECT_EQ(data.features(2, 0), -0.63);
  const auto cars = read(
      "18.0   8   307.0\t\"chevrolet chevelle\"\n15.0   8   350.0\t\"buick skylark\"\n"
      "18.0   4   318.0\t\"plymouth satellite\"\n");
  EXPECT_EQ(cars.cols(), 4);
  EXPECT_THAT(cars.columns[3].categories, Contains("buick skylark"));
  ReadOptions options;
  options.reading.delimiter = Delimiter::parse("whitespace");
  EXPECT_EQ(read("a b\n1 x\n2 y\n", options).cols(), 2);
  EXPECT_EQ(read("x y z\r\n1 2 3\r\n4 5 6\r\n").rows(), 2);
}

TEST(Dialect, RowNamesAsRWritesThem) {
  const auto table = read("\"mpg\" \"cyl\"\n\"Mazda RX4\" 21 6\n\"Datsun 710\" 22.8 4\n");
  EXPECT_THAT(names(table), ElementsAre("mpg", "cyl"));
  EXPECT_EQ(table.features.values(), (Values{21, 6, 22.8, 4}));
  EXPECT_THAT(names(read("\"\",\"a\",\"b\"\n\"1\",5,6\n\"2\",7,8\n")), ElementsAre("a", "b"));
  EXPECT_THAT(names(read(",a,b\n0,5,6\n1,7,8\n2,9,9\n")), ElementsAre("a", "b"));
  EXPECT_THAT(names(read("Unnamed: 0,a,b\n0,5,6\n1,7,8\n2,9,9\n")), ElementsAre("a", "b"));
  EXPECT_THAT(names(read("id,a,b\n0,5,6\n1,7,8\n2,9,9\n")), ElementsAre("id", "a", "b"));
  ReadOptions keep;
  keep.reading.columns = ColumnReadings::parse("column0:number");
  EXPECT_THAT(names(read(",a,b\n0,5,6\n1,7,8\n2,9,9\n", keep)), ElementsAre("column0", "a", "b"));
}

TEST(Dialect, DelimitersAtTheEndsOfLines) {
  for (const std::string text :
       {"a,b,\n1,2,\n3,4,\n", "a,b\n1,2,\n3,4,\n", "a\tb\t\n1\t2\t\n3\t4\t\n"}) {
    const auto data = read(text);
    EXPECT_THAT(names(data), ElementsAre("a", "b")) << text;
    EXPECT_EQ(data.features.values(), (Values{1, 2, 3, 4})) << text;
  }
  std::string text = "a,b,\n";
  for (int i = 0; i < 1100; ++i) text += "1,2,\n";
  EXPECT_THAT(message_of(text + "1,2,3\n"), HasSubstr("has '3' behind the last column"));
}

TEST(Dialect, SeparatorLinesCommentsTitlesAndFooters) {
  EXPECT_THAT(names(read("sep=;\na;b\n1,5;2\n3,5;4\n")), ElementsAre("a", "b"));
  EXPECT_THAT(names(read("# made by x\n# on monday\na,b\n1,2\n3,4\n")), ElementsAre("a", "b"));
  const auto plot = read("# x y z\n1 2 3\n4 5 6\n");
  EXPECT_THAT(names(plot), ElementsAre("x", "y", "z"));
  EXPECT_EQ(plot.rows(), 2);
  const auto titled = read("Sales of 2024\n\nregion,a,b\nnorth,1,2\nsouth,3,4\neast,5,6\n");
  EXPECT_THAT(names(titled), ElementsAre("region", "a", "b"));
  EXPECT_EQ(titled.rows(), 3);
  EXPECT_EQ(titled.reading->skip_lines, 2);
  EXPECT_EQ(read("Sales,,\n,,\nregion,a,b\nnorth,1,2\nsouth,3,4\neast,5,6\n").rows(), 3);
  const auto noted = read("year,a,b\n2001,1,2\n2002,3,4\n2003,5,6\n\nSource: the bank\n");
  EXPECT_EQ(noted.rows(), 3);
  EXPECT_THAT(notices(noted), Contains(HasSubstr("line 6")));
  // A record that the end of the file cuts is no footer.
  EXPECT_THAT(message_of("a,b,c\n1,2,3\n4,5,6\n7,8\n"), HasSubstr("line 4: has 2 fields"));
  EXPECT_THAT(message_of("a,b,c\n1,2,3\nx\n7,8,9\n"), HasSubstr("line 3: has 1 field"));
  ReadOptions options;
  options.reading.comment = '%';
  options.reading.skip_lines = 1;
  EXPECT_EQ(read("junk,1\n% c\na,b\n1,2 % why\n3,4\n", options).features.values(),
            (Values{1, 2, 3, 4}));
}

TEST(Dialect, EncodingsAndLineEnds) {
  const std::string text = "Länge;b\n1;2\n";
  std::string utf16 = "\xFF\xFE";
  for (const char32_t c : U"L\u00E4nge;b\n1;2\n") {
    if (c == 0) break;
    utf16 += static_cast<char>(c & 0xFF);
    utf16 += static_cast<char>(c >> 8);
  }
  EXPECT_THAT(names(read(utf16)), ElementsAre("Länge", "b"));
  EXPECT_THAT(names(read(utf16.substr(2))), ElementsAre("Länge", "b"));
  ReadOptions options;
  options.reading.encoding = "windows-1252";
  EXPECT_THAT(names(read("L\xE4nge;b\n1;2\n", options)), ElementsAre("Länge", "b"));
  EXPECT_THAT(message_of("L\xE4nge;b\n1;2\n"), HasSubstr("encoding"));
  options.reading.encoding = "klingon";
  EXPECT_THAT(message_of(text, options), HasSubstr("no encoding that iconv knows"));
  EXPECT_EQ(read("a,b\r1,2\r3,4\r").features.values(), (Values{1, 2, 3, 4}));
  EXPECT_THAT(names(read("\xEF\xBB\xBF" + text)), ElementsAre("Länge", "b"));
}

TEST(Dialect, HeadersOfNumbers) {
  const auto rows = [](const std::string& text) { return read(text).rows(); };
  EXPECT_EQ(rows("0,1,2,3,4\n100.19,99.48,99.59,97.56,988.16\n101.8,101.14,99.67,100.77,1006.17\n"),
            2);
  EXPECT_EQ(rows(",0,1,2\n0,5.5,6.5,7\n1,5,6,7\n2,5,6,8\n"), 3);
  EXPECT_EQ(rows("0,1,2,target\n5.5,6.5,7,1\n5,6,7,2\n"), 2);
  EXPECT_EQ(rows("country,1990,1991,1992\nchile,5.5,6,7\nperu,7,8,9\n"), 2);
  EXPECT_EQ(rows("1990,1991,1992\n5.5,6,7\n7,8,9\n"), 2);
  EXPECT_EQ(rows("0,1,2,3\n4,5,6,7\n8,9,10,11\n"), 3);  // numpy.arange
  EXPECT_EQ(rows("1,2\n5,9\n3,4\n"), 3);
  EXPECT_EQ(rows("5,3,2,1\n4,9,3,1\n"), 2);
  const auto data = read("0,1,2,3,4\n1.5,1,1,1,1\n2,2,2,2,2\n");
  EXPECT_THAT(notices(data), Contains(HasSubstr("header no says otherwise")));
}

// Lines that are one value, a row or a name too many, or stand where nobody looks for them.
TEST(Dialect, NamesAndRowsThatCouldBeMeantOtherwise) {
  const auto said = [](const std::string& text) { return notices(read(text)); };
  EXPECT_THAT(said("a,b\n1,2\n3,4\n,\n,\n"), Contains(HasSubstr("the last 2 rows hold no value")));
  EXPECT_THAT(said("a,b\n1,2\n,\n3,4\n"), IsEmpty());
  EXPECT_THAT(said("a,b\n1,2\na,b\n3,4\n"), Contains(HasSubstr("is the header in the file twice")));
  EXPECT_THAT(said("a,a,b\n1,2,3\n4,5,6\n"),
              Contains(HasSubstr("several columns are called a; the first keeps its name, and the "
                                 "next is called a.1")));
  EXPECT_THAT(said("400,410,420,430\n0.12,0.15,0.11,0.1\n0.13,0.14,0.1,0.09\n"),
              Contains(HasSubstr("is taken as data, though its numbers have equal distances")));
  EXPECT_THAT(names(read("id,2024-01-31,2024-02-29\n1,5,6\n2,7,8\n")),
              ElementsAre("id", "2024-01-31", "2024-02-29"));
  EXPECT_THAT(names(read("name,2024Q1,2024Q2\nx,5,6\ny,7,8\n")),
              ElementsAre("name", "2024Q1", "2024Q2"));
  EXPECT_EQ(read("2024-01-31,5\n2024-02-01,6\n").rows(), 2);
  // The code of Indonesia is ID.
  std::string codes = "Country,Group,ID\n";
  for (int i = 0; i < 60; ++i) {
    codes += "c" + std::to_string(i) + ",g," + (i == 40 ? "ID" : "X" + std::to_string(i)) + "\n";
  }
  EXPECT_THAT(names(read(codes)), ElementsAre("Country", "Group", "ID"));
  EXPECT_THAT(said(codes), Contains(HasSubstr("though ID also stands in its column; header no")));
  EXPECT_THAT(names(read("\"\",\"a\",\"b\"\n\"1\",\"u\",\"v\"\n\"\",\"w\",\"x\"\n")),
              ElementsAre("column0", "a", "b"));
  EXPECT_EQ(read("red,small,yes\nblue,big,no\nred,big,no\nblue,small,yes\n").rows(), 4);
  // Indexes of tables.
  EXPECT_THAT(said(",a,b\n2,1,2\n0,3,4\n1,5,6\n"),
              Contains(HasSubstr("another number in each row and is a feature nevertheless")));
  EXPECT_THAT(names(read("Unnamed: 0.1,Unnamed: 0,a\n0,0,5\n1,1,7\n2,2,9\n")), ElementsAre("a"));
  EXPECT_THAT(names(read("\"a\" \"s\"\n\"1\" 5.1 \"x\"\n\"2\" 4.9 \"y\"\n\"10\" 4 \"y\"\n")),
              ElementsAre("a", "s"));
  // Nobody sees these.
  EXPECT_THAT(names(read("a\u200B,\u00A0b\n1,2\n3,4\n")), ElementsAre("a", "b"));
  EXPECT_THAT(names(read("\xEF\xBB\xBF\xEF\xBB\xBF"
                         "a,b\n1,2\n3,4\n")),
              ElementsAre("a", "b"));
  EXPECT_THAT(message_of("a,b\u20281,2\u20283,4"), HasSubstr("U+2028"));
  // Not cut.
  EXPECT_THAT(said("1:0.5 2:1\n1:0.2\n2:3\n"), Contains(HasSubstr("libsvm without their labels")));
  EXPECT_THAT(said("a，b\n1，2\n3，4\n"), Contains(HasSubstr("a delimiter is one character")));
  EXPECT_THAT(said("10.0.0.1 - [12:30:05] \"GET\"\n10.0.0.2 - [12:30:06] \"GET\"\n"),
              Contains(AllOf(HasSubstr("one column of texts"), Not(HasSubstr("':'")))));
}

// A later file may write a column otherwise, but not make another feature of it.
TEST(Dialect, LaterFilesKeepTheFeaturesOfTheModel) {
  const auto refused = [](const Dataset<double>& first, const std::string& later,
                          const ReadOptions& options) {
    try {
      (void)read_later(first, later, options);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no InputError");
  };
  const auto dates = read("d,y\n2024-01-31,1\n2024-02-04,2\n");
  EXPECT_THAT(refused(dates, "d,y\n01/02/2024,1\n", {}), HasSubstr("expected a date"));
  EXPECT_THAT(refused(dates, "d,y\n31/01/2024,1\n", {}), HasSubstr("no InputError"));
  ReadOptions parts;
  parts.reading.dates = DateUse::parts;
  EXPECT_THAT(refused(dates, "d,y\n2024-01-31,1\n", parts), HasSubstr("takes dates as seconds"));
  const auto numbers = read("a,c\n1,x\n2,y\n");
  ReadOptions options;
  options.reading.columns = ColumnReadings::parse("a:category");
  EXPECT_THAT(refused(numbers, "a,c\n1,x\n", options), HasSubstr("the model takes it as values"));
  options.reading.columns = ColumnReadings::parse("c:number");
  EXPECT_THAT(refused(numbers, "a,c\n1,x\n", options), HasSubstr("takes it as categories"));
  options.reading.columns = ColumnReadings::parse("z:number");
  EXPECT_THAT(refused(numbers, "a,c\n1,x\n", options), HasSubstr("no column that the model takes"));
  options.reading.columns = ColumnReadings::parse("a:number/,.");
  EXPECT_THAT(refused(numbers, "a,c\n\"1,5\",x\n", options), HasSubstr("no InputError"));
  options = {};
  options.ignore = {"a"};
  EXPECT_THAT(refused(numbers, "a,c\n1,x\n", options), HasSubstr("trained on"));
}

// --- what columns hold ---------------------------------------------------------------------------

// The first column of a file of two.
Values column(const std::vector<std::string>& fields, char delimiter = ';') {
  std::string text = std::string("v") + delimiter + "n\n";
  for (const auto& field : fields) text += field + delimiter + "1\n";
  const auto data = read(text);
  Values values;
  if (data.columns[0].categorical()) return {-12345};
  for (Index i = 0; i < data.rows(); ++i) values.push_back(data.features(i, 0));
  return values;
}

TEST(Columns, NumbersInEverySpelling) {
  EXPECT_EQ(column({"10,69", "101,08"}), (Values{10.69, 101.08}));
  EXPECT_EQ(column({"1.234.567,89", "2,5"}), (Values{1234567.89, 2.5}));
  EXPECT_EQ(column({"1,234,567.89", "2.5"}), (Values{1234567.89, 2.5}));
  EXPECT_EQ(column({"\"1,200\"", "\"1,350\""}, ','), (Values{1200, 1350}));
  EXPECT_EQ(column({"1 234,5", "12,25"}), (Values{1234.5, 12.25}));
  EXPECT_EQ(column({"1\xC2\xA0"
                    "234,5",
                    "12\xE2\x80\xAF"
                    "345,25"}),
            (Values{1234.5, 12345.25}));
  EXPECT_EQ(column({"1'234.5", "12"}), (Values{1234.5, 12}));
  EXPECT_EQ(column({"$1,200.50", "$3.25"}), (Values{1200.5, 3.25}));
  EXPECT_EQ(column({"12,50 \xE2\x82\xAC", "3,25 \xE2\x82\xAC"}), (Values{12.5, 3.25}));
  EXPECT_EQ(column({"12%", "3.5 %"}), (Values{12, 3.5}));
  EXPECT_EQ(column({"\xE2\x88\x92"
                    "1.5",
                    "2"}),
            (Values{-1.5, 2}));
  EXPECT_EQ(column({"(1,200)", "3.5"}), (Values{-1200, 3.5}));
  EXPECT_EQ(column({"12,34,567.5", "1"}), (Values{1234567.5, 1}));
  EXPECT_EQ(column({"1e5", "2E-3"}), (Values{1e5, 2e-3}));
  EXPECT_EQ(column({"1.5D+02", "-2.5d-01"}), (Values{150, -0.25}));  // of Fortran
  EXPECT_EQ(column({"0.1D3", "1D-5"}), (Values{100, 1e-5}));
  EXPECT_EQ(column({"12D5", "3D1"}), (Values{-12345}));  // doors, not numbers
  EXPECT_EQ(column({"1.200", "2.350"}), (Values{1.2, 2.35}));
  EXPECT_EQ(column({"0,500", "1,250"}), (Values{0.5, 1.25}));
  EXPECT_EQ(column({"1.2.3", "4.5.6"}), (Values{-12345}));
  EXPECT_EQ(column({"₺1.200,50", "₺3,25"}), (Values{1200.5, 3.25}));
  EXPECT_EQ(column({"\"￥1,200\"", "\"￥3,500\"", "￥999"}, ','), (Values{1200, 3500, 999}));
  EXPECT_EQ(column({"1 200,50 Kč", "3,25 Kč"}), (Values{1200.5, 3.25}));
  EXPECT_EQ(column({"₿0.5", "₿1.25"}), (Values{0.5, 1.25}));
  EXPECT_EQ(column({"１２３", "４５．６", "－７"}), (Values{123, 45.6, -7}));
  EXPECT_EQ(possible_numbers("\xEF\xBC"), 0U);  // the beginning of a character
}

// What is read as a number, a date or a name though it may be another, in one line each.
TEST(Columns, QuantitiesThatAreTextsAreSaid) {
  for (const char* const value : {"12 kg", "21.5°C",     "0x1F",     "1_000",
                                  "1.2M",  "3/4",        "3:1",      "10-20",
                                  "1st",   "1.5±0.2",    "10.0.0.1", "120 km/h",
                                  "12‰",   "2024-02-30", "1.5+102",  "978-3-16-148410-0",
                                  "~5",    "<0.05",      "'123",     "=\"00123\""}) {
    std::string text = "v;n\n";
    for (int i = 0; i < 3; ++i) text += std::string(value) + "x;" + std::to_string(i * 5) + "\n";
    const auto data = read(text);
    EXPECT_TRUE(data.columns[0].categorical()) << value;
    EXPECT_THAT(notices(data),
                Contains(AllOf(HasSubstr("the column v holds texts that begin with numbers"),
                               HasSubstr("are quantities or dates"))))
        << value;
  }
  EXPECT_THAT(notices(read("v;n\nA1;5\nB2;7\n")), Not(Contains(HasSubstr("begin with numbers"))));
  EXPECT_THAT(notices(read("v;n\n$12;5\n€13;7\n")), Contains(HasSubstr("several currencies")));
  EXPECT_THAT(notices(read("a;b\n1.000;2\n2.500;3\n")),
              Contains(HasSubstr("read as 1, though its point may separate thousands")));
  EXPECT_THAT(notices(read("a,b\n1.000,2\n2.500,3\n")), IsEmpty());
}

TEST(Columns, WhatOtherProgramsWriteForAMissingNumber) {
  for (const char* const value : {".A", ".z", "._", "#NULL!", "#BEZUG!", "#WERT!", "#NAME?"}) {
    const auto data = read(std::string("a,b\n1,2\n") + value + ",3\n2.5,4\n");
    EXPECT_FALSE(data.columns[0].categorical()) << value;
    EXPECT_TRUE(std::isnan(data.features(1, 0))) << value;
    EXPECT_THAT(notices(data), Contains(HasSubstr("1 field of the column a that is no value")));
  }
  const auto dates = read("d,b\n2024-01-31,1\n0000-00-00,2\n0000-00-00 00:00:00,3\n");
  EXPECT_EQ(dates.features(0, 0), 1706659200);
  EXPECT_TRUE(std::isnan(dates.features(1, 0)) && std::isnan(dates.features(2, 0)));
}

TEST(Columns, MarksBelowTheHead) {
  std::string text = "a,b\n";
  for (int i = 0; i < 2000; ++i) text += "1,2\n";
  const auto data = read(text + "\"1,234\",3\n");
  EXPECT_FALSE(data.columns[0].categorical());
  EXPECT_EQ(data.features(2000, 0), 1234);
  EXPECT_EQ(read(text + "12%,3\n").features(2000, 0), 12);
  EXPECT_TRUE(read(text + "007,3\n").columns[0].categorical());
  EXPECT_TRUE(std::isnan(read(text + "-,3\n").features(2000, 0)));
}

TEST(Columns, PlaceholdersInNumbersAreMissing) {
  const auto data = read("a,b,c\n1,x,5\n-,unknown,.\n3,-,6\n");
  EXPECT_TRUE(std::isnan(data.features(1, 0)));
  EXPECT_TRUE(std::isnan(data.features(1, 2)));
  EXPECT_THAT(data.columns[1].categories, ElementsAre("-", "unknown", "x"));
  EXPECT_THAT(notices(data), Contains(HasSubstr("of the column a")));
  ReadOptions options;
  options.reading.missing = {"?"};
  EXPECT_TRUE(read("a,b\n1,2\n-,3\n", options).columns[0].categorical());
}

TEST(Columns, Dates) {
  constexpr double day = 86400;
  EXPECT_EQ(column({"1970-01-02", "2000-01-01"}), (Values{day, 946684800}));
  EXPECT_EQ(column({"2024-01-31T12:30:05Z", "2024-01-31 13:30:05+01:00"}),
            (Values{1706704205, 1706704205}));
  EXPECT_EQ(column({"31.01.2024", "01.02.2024"}), (Values{1706659200, 1706745600}));
  EXPECT_EQ(column({"01/31/2024", "02/01/2024"}), (Values{1706659200, 1706745600}));
  EXPECT_EQ(column({"31-Jan-2024", "1 February 2024", "Feb 1, 2024"}),
            (Values{1706659200, 1706745600, 1706745600}));
  EXPECT_EQ(column({"1969-12-31 23:59:59.5", "1970-01-01"}), (Values{-0.5, 0}));
  EXPECT_EQ(column({"30.02.2024", "01.02.2024"}), (Values{-12345}));  // no such day
  // ctime and date(1); web servers; days in words; parts without marks; names of zones.
  const Values two{1704880800, 1704967205};
  EXPECT_EQ(column({"Wed Jan 10 10:00:00 2024", "Thu Jan 11 10:00:05 2024"}), two);
  EXPECT_EQ(column({"Wed Jan 10 10:00:00 UTC 2024", "Thu Jan 11 11:00:05 +0100 2024"}), two);
  EXPECT_EQ(column({"Jan  10 10:00:00 2024", "Thursday Jan 11 10:00:05 2024"}), two);
  EXPECT_EQ(column({"[10/Jan/2024:11:00:00 +0100]", "11/Jan/2024:10:00:05 +0000"}), two);
  EXPECT_EQ(column({"20240110 10:00:00", "20240111 100005"}), two);
  EXPECT_EQ(column({"2024-01-10_10:00:00", "2024-01-11 at 10:00:05"}), two);
  EXPECT_EQ(column({"Wed, 10 Jan 2024 05:00:00 EST", "Thu, 11 Jan 2024 11:00:05 CET"}), two);
  EXPECT_EQ(column({"January 31st, 2024", "1st of February 2024"}),
            (Values{1706659200, 1706745600}));
  EXPECT_EQ(column({"3rd March 2024", "22nd April 2024"}), (Values{1709424000, 1713744000}));
  // Months in other languages, weeks, quarters, and what SAS, Stata, Oracle, Java and JavaScript
  // write.
  const Values days{1706659200, 1706745600, 1710460800};  // January 31st, February 1st, March 15th
  for (const auto& texts : std::vector<std::vector<std::string>>{
           {"31. Januar 2024", "1. Februar 2024", "15. März 2024"},
           {"31. Jan. 2024", "1. Feb. 2024", "15. MÄR. 2024"},
           {"31 janvier 2024", "1er février 2024", "15 mars 2024"},
           {"31 de enero de 2024", "1 de febrero de 2024", "15 de marzo del 2024"},
           {"31 de janeiro de 2024", "1º de fevereiro de 2024", "15 de março de 2024"},
           {"31 gennaio 2024", "1 febbraio 2024", "15 marzo 2024"},
           {"31 januari 2024", "1 februari 2024", "15 maart 2024"},
           {"31 января 2024", "1 февраля 2024", "15 марта 2024"},
           {"2024年1月31日", "2024年2月1日", "2024년 3월 15일"},
           {"2024. 1. 31.", "2024. 2. 1.", "2024. 3. 15."},
           {"2024-W05-3", "2024-W05-4", "2024W115"},
           {"31JAN2024:00:00:00", "01FEB2024:00:00:00", "15MAR2024:00:00:00"},
           {"31-JAN-24 12.00.00.000000 AM", "01-FEB-24 12.00.00 AM", "15-MAR-24 00.00.00"},
           {"31/01/2024 12:00 a. m.", "01/02/2024 12:00 a.m.", "15/03/2024 00:00"},
           {"2024-01-31T01:00:00+01:00[Europe/Berlin]", "2024-02-01T00:00Z[UTC]",
            "2024-03-15T02:00:00+02:00[Africa/Cairo]"},
           {"Wed Jan 31 2024 01:00:00 GMT+0100 (Central European Standard Time)",
            "2024-02-01 02:00:00 UTC+2", "2024-03-14 23:00:00 GMT-1"}}) {
    EXPECT_EQ(column(texts), days) << texts[0];
  }
  const Values quarters{1704067200, 1711929600};
  EXPECT_EQ(column({"2024Q1", "2024-Q2"}), quarters);
  EXPECT_EQ(column({"Q1 2024", "q2/2024"}), quarters);
  EXPECT_EQ(column({"01/2024", "4/2024"}), quarters);
  EXPECT_EQ(column({"2024/01", "2024m4"}), quarters);
  EXPECT_EQ(column({"2020-W53", "2021-W01"}), (Values{1609113600, 1609718400}));
  EXPECT_EQ(column({"2021-W53", "2021-W01"}), (Values{-12345}));  // a year of 52 weeks
  EXPECT_EQ(column({"2024-001", "2024-002"}), (Values{-12345}));  // numbers of invoices
  EXPECT_EQ(column({"12/1500", "3/2000"}), (Values{-12345}));
  // Years of two digits in front.
  const auto short_years = read("d;y\n24-01-31;1\n24-02-01;2\n24-03-15;3\n");
  EXPECT_TRUE(short_years.columns[0].categorical());
  EXPECT_THAT(notices(short_years), Contains(HasSubstr("seem to begin with years of two digits")));
  EXPECT_EQ(column({"31-01-24", "01-02-24", "15-03-24"}), days);
  // No dates: a clock without a year, a day that there is not, words behind it.
  EXPECT_EQ(column({"Jan 10 10:00:00", "Jan 11 10:00:05"}), (Values{-12345}));
  EXPECT_EQ(column({"Wed Jan 32 10:00:00 2024", "Thu Jan 11 10:00:05 2024"}), (Values{-12345}));
  EXPECT_EQ(column({"10/Jan/2024:10:00 left", "11/Jan/2024:10:00 right"}), (Values{-12345}));
  const auto ambiguous = read("d,y\n01/02/2024,1\n03/04/2024,2\n");
  EXPECT_EQ(ambiguous.features(0, 0), 1704153600);
  EXPECT_THAT(notices(ambiguous), Contains(HasSubstr("month first; columns d:date/dmy")));
  ReadOptions parts;
  parts.reading.dates = DateUse::parts;
  const auto data = read("d,y\n2024-01-31 12:30:05,1\n2024-02-04,2\n", parts);
  EXPECT_THAT(names(data), ElementsAre("d.year", "d.month", "d.weekday", "d.hour", "y"));
  EXPECT_EQ(data.features.values(), (Values{2024, 1, 2, 12, 1, 2024, 2, 6, 0, 2}));
  const auto later = read_later(data, "y,d\n7,2023-12-25 08:00\n");
  EXPECT_EQ(later.features.values(), (Values{2023, 12, 0, 8, 7}));
}

TEST(Columns, TimesDurationsAndTruth) {
  EXPECT_EQ(column({"12:30:05", "00:00:01.5"}), (Values{45005, 1.5}));
  EXPECT_EQ(column({"1:30 pm", "12:00 AM"}), (Values{48600, 0}));
  EXPECT_EQ(column({"36:15:00", "0:01:00"}), (Values{130500, 60}));
  EXPECT_EQ(column({"2 days 03:00:00", "0 days 00:00:01"}), (Values{183600, 1}));
  EXPECT_EQ(column({"PT1H30M", "P1DT1S"}), (Values{5400, 86401}));
  EXPECT_EQ(column({"12h30", "0h05"}), (Values{45000, 300}));
  EXPECT_EQ(column({"12:30 Uhr", "00:05 Uhr"}), (Values{45000, 300}));
  EXPECT_EQ(column({"1:23.5", "0:59.25"}), (Values{83.5, 59.25}));
  EXPECT_EQ(column({"350ms", "1m2s", "1s 500ms"}), (Values{0.35, 62, 1.5}));
  EXPECT_EQ(column({"2 weeks", "1 week 1 d"}), (Values{1209600, 691200}));
  EXPECT_EQ(column({"10US", "11US"}), (Values{-12345}));  // sizes of shoes
  EXPECT_EQ(column({"10 months", "1 year"}), (Values{-12345}));
  EXPECT_EQ(column({"True", "FALSE", "true"}), (Values{1, 0, 1}));
  EXPECT_EQ(column({"yes", "No", "YES", "no"}), (Values{1, 0, 1, 0}));
  EXPECT_EQ(column({"yes", "no", "yes"}), (Values{-12345}));
  const auto target = read("a,y\n1,True\n2,False\n", with_target("y"));
  EXPECT_THAT(target.target_column.categories, ElementsAre("False", "True"));
}

TEST(Columns, IdentifiersAreCategories) {
  const auto data = read("zip,y\n02139,1\n10001,2\n02139,3\n");
  EXPECT_THAT(data.columns[0].categories, ElementsAre("02139", "10001"));
  EXPECT_THAT(notices(data), Contains(HasSubstr("begin with zeros")));
  ReadOptions options;
  options.reading.columns = ColumnReadings::parse("zip:number");
  EXPECT_EQ(read("zip,y\n02139,1\n10001,2\n", options).features(0, 0), 2139);
  options.reading.columns = ColumnReadings::parse("y:category");
  EXPECT_THAT(read("zip,y\n1,3\n2,4\n", options).columns[1].categories, ElementsAre("3", "4"));
  options.reading.columns = ColumnReadings::parse("zip:number");
  EXPECT_THAT(message_of("zip,y\nx,1\n5,2\n", options),
              HasSubstr("expected a number as columns says"));
  options.reading.columns = ColumnReadings::parse("zap:number");
  EXPECT_THAT(message_of("zip,y\nx,1\n5,2\n", options), HasSubstr("has no column 'zap'"));
}

TEST(Columns, TheWrittenFormReadsBack) {
  for (const std::string text :
       {"age:number,zip:category,when:date", "price:number/,.,n:number/,",
        "\"a,b\":time,c:date/dmy", "p:number/,_", "q:number/.,,r:boolean"}) {
    const auto parsed = ColumnReadings::parse(text);
    EXPECT_EQ(ColumnReadings::parse(parsed.to_string()), parsed)
        << text << " " << parsed.to_string();
  }
  EXPECT_THROW((void)ColumnReadings::parse("age"), InputError);
  EXPECT_THROW((void)ColumnReadings::parse("age:numbre"), InputError);
  EXPECT_THROW((void)ColumnReadings::parse("age:date/.."), InputError);
  EXPECT_EQ(MissingTexts::parse("a,\"b,c\",").texts, (std::vector<std::string>{"a", "b,c", ""}));
  EXPECT_EQ(MissingTexts::parse(MissingTexts().to_string()), MissingTexts());
}

TEST(Columns, EmptyLinesOfOneColumnAreMissingValues) {
  const auto data = read("temp\n20.0\n\n22.0\n");
  ASSERT_EQ(data.rows(), 3);
  EXPECT_TRUE(std::isnan(data.features(1, 0)));
  EXPECT_EQ(read("temp\n20\n21\n\n\n").rows(), 2);  // at the end they are none
  EXPECT_EQ(read("temp\r\n20\r\n\r\n21\r\n").rows(), 3);
  EXPECT_EQ(read("a,b\n1,2\n\n3,4\n").rows(), 2);
}

// --- files of other programs, as people have them ------------------------------------------------

TEST(OtherPrograms, ExcelInEurope) {
  const auto data = read(
      "\xEF\xBB\xBF"
      "Datum;Menge;Preis;Ort\r\n01.03.2024;10;1.001,50 €;Köln\r\n"
      "28.03.2024;7;1.002,50 €;Bonn\r\n15.03.2024;8;3,00 €;Bonn\r\n",
      with_target("Ort"));
  EXPECT_THAT(names(data), ElementsAre("Datum", "Menge", "Preis"));
  EXPECT_EQ(data.features(0, 2), 1001.5);
  EXPECT_EQ(data.features(2, 2), 3);
  EXPECT_EQ(data.features(0, 0), 1709251200);
  EXPECT_THAT(data.target_column.categories, ElementsAre("Bonn", "Köln"));
}

TEST(OtherPrograms, TablesOfR) {
  // write.table(): a header of one name fewer, blanks, quotes.
  std::string text = "\"x\" \"y\"\n";
  for (int i = 1; i <= 6; ++i) {
    text += "\"" + std::to_string(i) + "\" " + std::to_string(0.5 * i) + " \"" +
            (i % 2 == 0 ? "u" : "v w") + "\"\n";
  }
  const auto data = read(text, with_target("y"));
  EXPECT_THAT(names(data), ElementsAre("x"));
  EXPECT_EQ(data.rows(), 6);
  EXPECT_EQ(data.features(5, 0), 3);
  EXPECT_THAT(data.target_column.categories, ElementsAre("u", "v w"));
}

TEST(OtherPrograms, LinesOfBlanksAloneAreNone) {
  EXPECT_EQ(read("a,b\n\n1,2\n  \n3,4\n \t \r\n5,6\n\n  \n").rows(), 3);
  // A tab separates there, and both fields are missing.
  EXPECT_EQ(read("a\tb\n1\t2\n\t\n3\t4\n").rows(), 3);
  EXPECT_EQ(read("a\tb\n1\t2\n  \n3\t4\n").rows(), 2);
  // In a file of one column they are missing values.
  const auto one = read("v\n1\n  \n3\n \n");
  EXPECT_EQ(one.rows(), 3);
  EXPECT_TRUE(std::isnan(one.features(1, 0)));
}

// Whatever stands below a table leaves nothing in it: no category, no class, no kind of a column.
TEST(OtherPrograms, FootersLeaveNothing) {
  std::string names_first = "name,b,y\n";
  std::string numbers_first = "a,b,y\n";
  std::string classes_first = "y,a,b\n";
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    names_first += "n" + n + "," + n + "," + std::to_string(i % 2) + "\n";
    numbers_first += n + "," + n + "," + std::to_string(i % 2) + "\n";
    classes_first += std::string(i % 2 == 0 ? "yes" : "no") + "," + n + "," + n + "\n";
  }
  const auto texts = read(names_first + "\n(20 rows affected)\n");
  EXPECT_EQ(texts.rows(), 20);
  EXPECT_EQ(texts.columns.front().categories.size(), 20U);
  EXPECT_THAT(texts.columns.front().categories, Not(Contains("(20 rows affected)")));
  const auto numbers = read(numbers_first + "Total: 20 rows\n", with_target("y"));
  EXPECT_EQ(numbers.rows(), 20);
  EXPECT_FALSE(numbers.columns.front().categorical());
  const auto classes = read(classes_first + "\nSource: the bank\n", with_target("y"));
  EXPECT_EQ(classes.rows(), 20);
  EXPECT_THAT(classes.target_column.categories, ElementsAre("no", "yes"));
  // Far below what the first records show.
  std::string many = "a,b,y\n";
  for (int i = 0; i < 3000; ++i) many += std::to_string(i) + ",1.5," + std::to_string(i % 2) + "\n";
  const auto late = read(many + "3000 rows in set\n", with_target("y"));
  EXPECT_EQ(late.rows(), 3000);
  EXPECT_FALSE(late.columns.front().categorical());
}

// Namibia's code is what pandas takes for a missing value.
TEST(OtherPrograms, WordsForMissingValuesAreSaid) {
  std::string text = "country,alcohol,y\n";
  for (int i = 0; i < 4; ++i) text += "NA,None,1\nDE,low,0\nZA,high,1\n";
  const auto data = read(text, with_target("y"));
  EXPECT_TRUE(std::isnan(data.features(0, 0)));
  EXPECT_THAT(notices(data), Contains(HasSubstr("columns country, alcohol have words such as")));
  ReadOptions options = with_target("y");
  options.reading.missing = MissingTexts::parse("");
  const auto kept = read(text, options);
  EXPECT_THAT(kept.columns[0].categories, ElementsAre("DE", "NA", "ZA"));
  EXPECT_THAT(kept.columns[1].categories, ElementsAre("None", "high", "low"));
  EXPECT_THAT(notices(kept), Not(Contains(HasSubstr("words such as"))));
  const auto question = read("a,y\n?,1\nx,0\nz,1\n", with_target("y"));
  EXPECT_THAT(notices(question), Not(Contains(HasSubstr("words such as"))));
}

TEST(OtherPrograms, ColumnsWithoutValuesAreSaid) {
  const auto data = read("a,b,c\n1,,3\n2,NA,4\n3,,5\n");
  EXPECT_THAT(notices(data), Contains(HasSubstr("column b holds no values")));
  EXPECT_THAT(notices(read("a,b\n1,\n2,7\n")), Not(Contains(HasSubstr("holds no values"))));
}

TEST(OtherPrograms, DatesWrittenTogether) {
  std::string text = "when,y\n";
  for (int i = 10; i < 20; ++i)
    text += "202401" + std::to_string(i) + "," + std::to_string(i) + "\n";
  const auto numbers = read(text, with_target("y"));
  EXPECT_EQ(numbers.features(0, 0), 20240110);
  EXPECT_THAT(notices(numbers), Contains(HasSubstr("could be dates")));
  ReadOptions options = with_target("y");
  options.reading.columns = ColumnReadings::parse("when:date");
  EXPECT_EQ(read(text, options).features(1, 0) - read(text, options).features(0, 0), 86400);
  EXPECT_THAT(message_of("when,y\n20241399,1\n", options), HasSubstr("20241399"));
}

// Labels whose texts say more than their numbers, between many that do not.
TEST(OtherPrograms, LabelsAmongManyNumbers) {
  std::string text = "x,y\n";
  for (int i = 0; i < 100; ++i) text += "1," + std::to_string(i % 7 - 3) + "\n";
  EXPECT_TRUE(read(text, with_target("y")).target_texts.names.empty());
  const auto odd = read(text + "1,007\n1,-0\n1,9007199254740993\n1,\n", with_target("y"));
  EXPECT_EQ(odd.target_texts.names.size(), 10U);
  ASSERT_EQ(odd.target_texts.labels.size(), 104U);
  const auto name = [&](std::size_t row) {
    return odd.target_texts.names[static_cast<std::size_t>(odd.target_texts.labels[row])];
  };
  EXPECT_EQ(name(0), "-3");
  EXPECT_EQ(name(99), "-2");
  EXPECT_EQ(name(100), "007");
  EXPECT_EQ(name(101), "-0");
  EXPECT_EQ(name(102), "9007199254740993");
  EXPECT_EQ(odd.target_texts.labels[103], -1);
}

TEST(OtherPrograms, WeightsBeyondTheRange) {
  ReadOptions options = with_target("y");
  options.weights = "w";
  const std::string text = "x,w,y\n1,1,2\n2,1e300,3\n";
  EXPECT_EQ(read<double>(text, options).weights[1], 1e300);
  try {
    (void)read<float>(text, options);
    FAIL() << "no InputError";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("scale all weights"));
    EXPECT_THAT(error.what(), HasSubstr("float64"));
  }
}

TEST(OtherPrograms, NumbersOfSwitzerlandAndOfSap) {
  const auto swiss = read("a;y\n1’200.50;1\n12’300.00;2\n1’234’567.25;3\n900.00;4\n");
  EXPECT_EQ(swiss.features(2, 0), 1234567.25);
  EXPECT_EQ(swiss.features(1, 0), 12300);
  const auto sap = read("a;y\n1.200,50-;1\n3,25;2\n0,75-;3\n10,00;4\n");
  EXPECT_EQ(sap.features(0, 0), -1200.5);
  EXPECT_EQ(sap.features(1, 0), 3.25);
  EXPECT_EQ(sap.features(2, 0), -0.75);
  // Marks at school are no negative numbers.
  const auto marks = read("mark;y\n2-;1\n1;2\n2-;3\n3;4\n");
  EXPECT_EQ(marks.columns[0].categories.size(), 3U);
}

TEST(OtherPrograms, BlanksInsideFieldsDoNotSeparate) {
  for (const char* zone : {" +0530", " -08:00", " CEST", " Europe/Berlin", ""}) {
    std::string text = "when,speed\n";
    for (int i = 10; i < 50; ++i) {
      text += "2024-01-05 12:00:" + std::to_string(i) + zone + "," + std::to_string(i) + "\n";
    }
    const auto data = read(text, with_target("speed"));
    EXPECT_THAT(names(data), ElementsAre("when")) << zone;
    EXPECT_EQ(data.target[3], 13) << zone;
    EXPECT_EQ(data.rows(), 40) << zone;
  }
}

TEST(OtherPrograms, MissingValuesInOtherLanguages) {
  for (const char* word : {"\\N", "#NV", "#N/D", "k.A.", "-nan(ind)", "#N/B"}) {
    const auto data = read("a,y\n1.5," + std::string("1\n") + word + ",2\n2.5,3\n3.5,4\n");
    ASSERT_TRUE(data.columns[0].categories.empty()) << word;
    EXPECT_TRUE(std::isnan(data.features(1, 0))) << word;
    EXPECT_EQ(data.features(2, 0), 2.5) << word;
  }
}

TEST(OtherPrograms, OneColumnThatMayBeSeveralSaysSo) {
  const auto said = [](const std::string& mark, const std::string& header = "") {
    std::string text = header;
    for (const char* word : {"ab", "cd", "ef", "gh"})
      text += word + mark + word + "x" + mark + "z\n";
    return notices(read(text));
  };
  EXPECT_THAT(said(":"), Contains(HasSubstr("holds ':' 2 times; delimiter ':' cuts there")));
  EXPECT_THAT(said("~"), Contains(HasSubstr("delimiter '~'")));
  EXPECT_THAT(said("^", "a^b^c\n"), Contains(HasSubstr("delimiter '^'")));
  EXPECT_THAT(said("\x01"), Contains(HasSubstr("delimiter $'\\x01'")));
  EXPECT_THAT(said("::"), Contains(HasSubstr("a delimiter is one character")));
  EXPECT_THAT(said("   "), Contains(HasSubstr("tables of fixed widths")));
  EXPECT_THAT(notices(read("name\nab\ncd\nef\ngh\n")), IsEmpty());
  EXPECT_THAT(notices(read("url\na:b\ncd\ne:f\nghi\n")), Not(Contains(HasSubstr("cuts there"))));
}

TEST(OtherPrograms, WhatTurnsNumbersIntoTextsIsNamed) {
  const std::string rows = "1,2\n3,4\n5,6\n";
  EXPECT_THAT(notices(read("a,y\n" + rows + "# calibration,again\n" + rows)),
              Contains(HasSubstr("comment '#' leaves such lines out")));
  EXPECT_THAT(notices(read("time,speed\ns,km/h\n" + rows)),
              Contains(HasSubstr("if it is a unit or belongs to the header")));
  EXPECT_THAT(notices(read("a,y\n" + rows + "sensor off,7\n")),
              Contains(HasSubstr("if it stands for a missing value")));
}

TEST(OtherPrograms, WhatIsNoTableIsNamed) {
  using namespace std::string_literals;
  EXPECT_THAT(message_of("| a | y |\n|---|---|\n| 1 | 2 |\n"), HasSubstr("a table drawn"));
  EXPECT_THAT(message_of("| a | y |\n|:--|--:|\n| 1 | 2 |\n"), HasSubstr("a table drawn"));
  EXPECT_THAT(message_of(" a | y\n---+---\n 1 | 2\n"), HasSubstr("a table drawn"));
  EXPECT_THAT(message_of("+---+---+\n| a | y |\n+---+---+\n"), HasSubstr("a table drawn"));
  EXPECT_THAT(message_of("a|y\n-|-\n1|2\n3|4\n"), HasSubstr("no InputError"));
  EXPECT_THAT(message_of("SIMPLE  =                    T / FITS\nEND\n"), HasSubstr("FITS"));
  EXPECT_THAT(message_of("GGUF\3\0\0\0\0"s), HasSubstr("GGUF"));
  EXPECT_THAT(message_of("LZIP\1\f\0\0\0\0"s), HasSubstr("an lzip file"));
  EXPECT_THAT(message_of("\x5D\0\0\x80\0\0\0"s), HasSubstr("an lzma file"));
  EXPECT_THAT(message_of("x\x9C\1\2\3\4"), HasSubstr("a zlib stream"));
  EXPECT_THAT(message_of("RIFF$\0\0\0WAVEfmt "s), HasSubstr("a sound"));
}

TEST(OtherPrograms, LinesThatEndInTwoReturns) {
  const auto data = read("a,b\r\r\n1,2\r\r\n3,\"x\"\r\r\n");
  EXPECT_THAT(names(data), ElementsAre("a", "b"));
  EXPECT_THAT(data.columns[1].categories, ElementsAre("2", "x"));
  EXPECT_EQ(read("a;b\r\r\n1;2\r\r\n").features(0, 1), 2);
  // Where the two returns fall into two pieces of the file.
  std::string text = "a,b\r\r\n";
  for (int i = 0; i < 400000; ++i) text += "1,2\r\r\n";
  const auto many = read(text);
  EXPECT_EQ(many.rows(), 400000);
  EXPECT_EQ(many.features(399999, 1), 2);
}

TEST(OtherPrograms, CommentsOfMatlabAndMatricesOfMatrixMarket) {
  const auto data = read("% matlab export\n1 2 3\n4 5 6\n7 8 9\n");
  EXPECT_EQ(data.rows(), 3);
  EXPECT_EQ(data.features(2, 2), 9);
  EXPECT_THAT(names(read("%change,b\n1,2\n3,4\n")), ElementsAre("%change", "b"));
  EXPECT_THAT(message_of("%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 1.0\n"),
              AllOf(HasSubstr("Matrix Market"), HasSubstr("scipy.io.mmread")));
}

TEST(OtherPrograms, LinesOfLogsAreSaidToBeOneColumn) {
  for (const char* text :
       {"Jan 10 10:00:00 host app[1]: started\nJan 10 10:00:01 host app[1]: value=3 of 4\n"
        "Jan 10 10:00:02 host app[1]: ended\n",
        "total 8\n-rw-r--r-- 1 root root  486 Nov 30 08:55 README\n"
        "-rw-r--r-- 1 root root 8956 Nov 30 test.csv\n",
        "note\nno table at all\nbut some sentences in three lines\nof different length\n"}) {
    EXPECT_THAT(notices(read(text)), Contains(HasSubstr("is read as one column of texts"))) << text;
  }
  EXPECT_THAT(notices(read("colour\nred\nblue\nred\nblue\n")),
              Not(Contains(HasSubstr("one column of texts"))));
}

TEST(OtherPrograms, ARowOfTotalsIsSaid) {
  const auto said = Contains(HasSubstr("if it sums them up"));
  EXPECT_THAT(notices(read("item,b\nx,2\ny,5\nz,8\nTotal,15\n")), said);
  EXPECT_THAT(notices(read("item;b\nx;2\ny;5\nz;8\nSumme;15\n")), said);
  EXPECT_THAT(notices(read("b,item\n2,x\n5,y\n8,z\n15,GRAND TOTAL\n")), said);
  EXPECT_THAT(notices(read("item,b\nTotal,2\ny,5\nz,8\nx,15\n")), Not(said));
  EXPECT_THAT(notices(read("item,b\nx,2\ny,5\nz,8\nTotalled,15\n")), Not(said));
}

TEST(Columns, DurationsInUnits) {
  const auto seconds = [](const std::string& text) {
    return read("t,x\n" + text + ",1\n" + text + ",2\n").features(0, 0);
  };
  EXPECT_EQ(seconds("1h30m"), 5400);
  EXPECT_EQ(seconds("45m0s"), 2700);
  EXPECT_EQ(seconds("2 hours 5 min"), 7500);
  EXPECT_EQ(seconds("1h 2m 3.5s"), 3723.5);
  EXPECT_EQ(seconds("-90 sec"), -90);
  EXPECT_EQ(seconds("2d 3h"), 183600);
  EXPECT_EQ(seconds("3 days 2h"), 266400);
  // Metres, seconds and decades are written so too.
  for (const char* text : {"12m", "12s", "3d", "30m2h", "1h2h", "h", "1x2h"}) {
    EXPECT_EQ(
        read("t,x\n" + std::string(text) + ",1\n" + text + ",2\n").columns[0].categories.size(), 1U)
        << text;
  }
}

// pandas writes whole numbers of a column with missing values as 1.0.
TEST(Columns, NumbersThatStandForMissingValuesAreComparedByValue) {
  ReadOptions options;
  options.reading.missing = MissingTexts::parse("-999");
  const auto data = read("x,y\n-999,1\n-999.0,2\n-9.99e2,3\n-998,4\n", options);
  for (Index i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(data.features(i, 0))) << i;
  EXPECT_EQ(data.features(3, 0), -998);
  const auto later = read_later(data, "x,y\n-999.00,1\n5,2\n");
  EXPECT_TRUE(std::isnan(later.features(0, 0)));
  EXPECT_EQ(later.features(1, 0), 5);
  const auto comma = read("x;y\n-999,0;1\n1,5;2\n", options);
  EXPECT_TRUE(std::isnan(comma.features(0, 0)));
}

// --- what is remembered --------------------------------------------------------------------------

TEST(Record, LaterFilesAreReadAsTheFirst) {
  ReadOptions options = with_target("last");
  options.reading.header = HeaderChoice::no;
  const auto first = read("vhigh,small,unacc\nmed,big,acc\nhigh,big,acc\n", options);
  EXPECT_EQ(read_later(first, "vhigh,small\nmed,big\nhigh,big\n").rows(), 3);

  ReadOptions missing = with_target("y");
  missing.reading.missing = {"-999"};
  const auto cold = read("temp,y\n-999,1\n20.5,2\n21.5,3\n", missing);
  const auto later = read_later(cold, "temp\n20.0\n-999\n");
  EXPECT_TRUE(std::isnan(later.features(1, 0)));

  const auto comma = read("a;b\n1,5;2\n2,5;3\n");
  EXPECT_EQ(read_later(comma, "a;b\n4;5,5\n").features.values(), (Values{4, 5.5}));
  EXPECT_THAT([&] { (void)read_later(comma, "a,b\n4,5\n"); },
              ::testing::ThrowsMessage<InputError>(HasSubstr("delimiter")));
  ReadOptions said;
  said.reading.delimiter = ',';
  EXPECT_EQ(read_later(comma, "a,b\n4,5\n", said).features.values(), (Values{4, 5}));

  const auto us = read("d,y\n01/31/2024,1\n02/01/2024,2\n");
  EXPECT_EQ(read_later(us, "d,y\n02/01/2024,2\n").features(0, 0), 1706745600);
  const auto truth = read("t,y\nTrue,1\nFalse,2\n");
  EXPECT_EQ(read_later(truth, "t,y\nFALSE,1\n").features(0, 0), 0);
  // Numbers stay numbers, whatever the new file's first rows look like.
  const auto plain = read("a,b\n1,2\n3,4\n");
  EXPECT_EQ(read_later(plain, "a,b\n007,4\n").features(0, 0), 7);
  EXPECT_THAT([&] { (void)read_later(plain, "a,b\nx,4\n"); },
              ::testing::ThrowsMessage<InputError>(HasSubstr("expected a number as in the data")));
}

TEST(Record, TheFirstIndexOfLibsvm) {
  ReadOptions options;
  options.reading.format = "libsvm";
  const auto zero = read("1 0:5 1:1\n0 0:1 1:5 2:1\n", options);
  EXPECT_EQ(zero.reading->index_base, IndexBase::zero);
  EXPECT_EQ(read_later(zero, "0 1:6 2:1\n", options).features.values(), (Values{0, 6, 1}));
  const auto one = read("1 1:5 2:1\n0 1:1 3:5\n", options);
  EXPECT_EQ(one.cols(), 3);
  EXPECT_THAT([&] { (void)read_later(one, "0 0:6 2:1\n", options); },
              ::testing::ThrowsMessage<InputError>(HasSubstr("has the index 0")));
}

TEST(Record, MissingTargetsCanBeLeftOut) {
  ReadOptions options = with_target("y");
  options.drop_missing_target = true;
  const auto data = read("a,y\n1,2\n3,\n5,6\n", options);
  EXPECT_EQ(data.features.values(), (Values{1, 5}));
  EXPECT_EQ(data.target, (Values{2, 6}));
  EXPECT_TRUE(data.reading);
}

// --- classes -------------------------------------------------------------------------------------

std::vector<std::string> classes_of(const std::string& labels) {
  std::string text = "x,y\n";
  std::string_view rest = labels;
  for (int i = 0; !rest.empty(); ++i) {
    const auto at = std::min(rest.find(' '), rest.size());
    text += std::to_string(i * 0.5) + "," + std::string(rest.substr(0, at)) + "\n";
    rest.remove_prefix(std::min(at + 1, rest.size()));
  }
  return encode_classes(read(text, with_target("y"))).names;
}

TEST(ClassNames, AreTheTextsOfTheFile) {
  EXPECT_THAT(classes_of("9007199254740992 9007199254740993"),
              ElementsAre("9007199254740992", "9007199254740993"));
  EXPECT_THAT(classes_of("100000 200000"), ElementsAre("100000", "200000"));
  EXPECT_THAT(classes_of("01 1 01"), ElementsAre("01", "1"));
  EXPECT_THAT(classes_of("02139 10001"), ElementsAre("02139", "10001"));
  EXPECT_THAT(classes_of("1.0 2.0 1.0"), ElementsAre("1.0", "2.0"));
  EXPECT_THAT(classes_of("3.1 3.10"), ElementsAre("3.1", "3.10"));
  EXPECT_THAT(classes_of("1e5 2e5"), ElementsAre("1e5", "2e5"));
  EXPECT_THAT(classes_of("10 9 8"), ElementsAre("8", "9", "10"));
  EXPECT_THAT(classes_of("-1 1 0"), ElementsAre("-1", "0", "1"));
  const auto single = read<float>("x,y\n1,16777216\n2,16777217\n", with_target("y"));
  EXPECT_THAT(encode_classes(single).names, ElementsAre("16777216", "16777217"));
  EXPECT_EQ(class_name(100000.0F), "100000");
  EXPECT_EQ(class_name(0.5), "0.5");
}

TEST(ClassNames, OfDatesAndTimesAreTheirTexts) {
  for (const auto& [first, second] : {std::pair{"2024-01-01", "2024-01-02"},
                                      {"31/01/2024", "01/02/2024"},
                                      {"12:00", "13:30"},
                                      {"1h30m", "2h"},
                                      {"2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"}}) {
    const std::string text =
        "x,y\n1," + std::string(first) + "\n2," + second + "\n3," + first + "\n";
    const auto data = read(text, with_target("y"));
    const Classes classes = encode_classes(data);
    ASSERT_EQ(classes.names.size(), 2U);
    const auto name = [&](std::size_t row) {
      return classes.names[static_cast<std::size_t>(classes.labels[row])];
    };
    EXPECT_EQ(name(0), first);
    EXPECT_EQ(name(1), second);
    EXPECT_EQ(name(2), first);
  }
}

TEST(ClassNames, StayWithTheirRows) {
  const auto data = read("x,y\n1,1.0\n2,2.0\n3,1.0\n4,3.0\n", with_target("y"));
  const auto part = select_rows(data, {1, 3});
  EXPECT_THAT(encode_classes(part).names, ElementsAre("2.0", "3.0"));
  EXPECT_EQ(part.target, (Values{2, 3}));
  EXPECT_EQ(part.reading, data.reading);
}

TEST(ClassNames, AreMatchedByTextThenByValue) {
  const std::vector<std::string> known{"1", "2", "03", "yes"};
  const ClassMatcher matcher(known);
  EXPECT_EQ(matcher.find("1").name, 0);
  EXPECT_FALSE(matcher.find("1").by_value);
  EXPECT_EQ(matcher.find("1.0").name, 0);
  EXPECT_TRUE(matcher.find("1.0").by_value);
  EXPECT_EQ(matcher.find("3").name, 2);
  EXPECT_EQ(matcher.find("20e-1").name, 1);
  EXPECT_EQ(matcher.find("4").name, -1);
  EXPECT_EQ(matcher.find("yes.").name, -1);
  const std::vector<std::string> twice{"1", "1.0"};
  EXPECT_EQ(ClassMatcher(twice).find("1.00").name, -1);
  EXPECT_EQ(decimal_form("-00.50e1"), decimal_form("-5"));
  EXPECT_NE(decimal_form("9007199254740993"), decimal_form("9007199254740992"));
  EXPECT_EQ(decimal_form("1e"), std::nullopt);
  EXPECT_EQ(decimal_form("0.0"), decimal_form("-0"));

  const auto data = read("x,y\n1,1.0\n2,2.0\n3,7.0\n", with_target("y"));
  const Classes matched = encode_classes(data, {"1", "2"});
  EXPECT_EQ(matched.labels, (std::vector<std::int32_t>{0, 1, -1}));
  const auto weights = ClassWeights::parse("1=2,2=3").of({"1.0", "2.0"}, matched.labels);
  EXPECT_EQ(weights, (Values{2, 3}));
  EXPECT_THROW((void)ClassWeights::parse("5=2").of({"1.0", "2.0"}, matched.labels), InputError);
}

// --- streams -------------------------------------------------------------------------------------

TEST(Streams, APipeGivesWhatTheFileGives) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < 150000; ++i) text += std::to_string(i * 0.37) + ",1,t\n";
  text += "odd,2,u\n";  // far below: the data are read twice
  const auto folder =
      std::filesystem::temp_directory_path() / ("tandem-" + std::to_string(::getpid()));
  const std::string path = folder.string() + ".csv";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(path) << text; });
  const auto data = read_dataset<double>(path, with_target("y"));
  writer.join();
  std::filesystem::remove(path);
  const auto expected = read(text, with_target("y"));
  EXPECT_EQ(data.rows(), 150001);
  EXPECT_EQ(data.columns, expected.columns);
  EXPECT_EQ(data.features.values(), expected.features.values());
}

TEST(Streams, AFolderIsOneTable) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("tandem-parts-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream((folder / name).string()) << text;
  };
  write("part-1.csv", "a,b\n1,x\n2,y");
  write("part-2.csv", "a,b\n3,z\n");
  write("notes.md", "a,b\n9,w\n");
  const auto data = read_dataset<double>((folder / "part-*.csv").string());
  EXPECT_EQ(data.rows(), 3);
  EXPECT_THAT(data.columns[1].categories, ElementsAre("x", "y", "z"));
  EXPECT_EQ(read_dataset<double>(folder.string()).rows(), 4);
  write("part-3.csv", "b,a\nx,1\n");
  EXPECT_THAT([&] { (void)read_dataset<double>(folder.string()); },
              ::testing::ThrowsMessage<InputError>(HasSubstr("is not that of")));
  EXPECT_THROW((void)read_dataset<double>((folder / "none-*.csv").string()), InputError);
  std::filesystem::remove_all(folder);
}

TEST(Streams, BytesBehindCompressedDataAreDamage) {
  const std::string path = std::string(TANDEM_DATA_DIR) + "/../tests/data/files/two_members.csv.gz";
  std::ifstream stream(path, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  ASSERT_THAT(message_of(good), HasSubstr("no InputError"));
  EXPECT_THAT(message_of(good + std::string(512, '\0')), HasSubstr("no InputError"));
  EXPECT_THAT(message_of(good + "x"), HasSubstr("the compressed data ends at byte"));
  std::string changed = good;
  const auto second = good.find("\x1f\x8b", 2);
  ASSERT_NE(second, std::string::npos);
  changed[second] = 0x1e;
  EXPECT_THAT(message_of(changed), HasSubstr("the compressed data ends at byte"));
}

// What a format takes no notice of is refused by name, whoever sets it.
TEST(Reading, SettingsOfOtherFormatsAreRefused) {
  const std::string table = "a,b\n1,2\n3,4\n";
  const std::string pairs = "1 1:2 2:3\n0 1:4\n";
  const auto with = [](const char* format, auto&& set) {
    ReadOptions options;
    options.reading.format = std::string(format);
    set(options.reading);
    return options;
  };
  const auto message = [&](const std::string& text, const char* format, auto&& set) {
    return message_of(text, with(format, set));
  };
  EXPECT_THAT(message(table, "csv", [](Reading& r) { r.features = 5; }),
              HasSubstr("input.csv: is read as csv, where features changes nothing"));
  EXPECT_THAT(message(table, "csv", [](Reading& r) { r.index_base = IndexBase::zero; }),
              HasSubstr("index_base changes nothing"));
  EXPECT_THAT(message(pairs, "libsvm", [](Reading& r) { r.header = HeaderChoice::no; }),
              HasSubstr("is read as libsvm, where header changes nothing"));
  EXPECT_THAT(message(pairs, "libsvm", [](Reading& r) { r.missing = MissingTexts{"-1"}; }),
              HasSubstr("missing changes nothing"));
  EXPECT_THAT(message(pairs, "libsvm", [](Reading& r) { r.skip_lines = 0; }),
              HasSubstr("skip_lines changes nothing"));
  for (const char* format : {"npy", "npz", "idx"}) {
    const auto refused = [&](const char* name, auto&& set) {
      EXPECT_THAT(message("anything", format, set),
                  HasSubstr(std::string("is read as ") + format + ", where " + name + " changes"));
    };
    refused("columns", [](Reading& r) { r.columns.list = {{"x0", ColumnKind::category}}; });
    refused("decimal", [](Reading& r) { r.decimal = DecimalMark::comma; });
    refused("thousands", [](Reading& r) { r.thousands = ThousandsMark::none; });
    refused("dates", [](Reading& r) { r.dates = DateUse::parts; });
    refused("encoding", [](Reading& r) { r.encoding = "utf-16"; });
    refused("comment", [](Reading& r) { r.comment = '#'; });
    refused("delimiter", [](Reading& r) { r.delimiter = ';'; });
    refused("features", [](Reading& r) { r.features = 2; });
  }
  EXPECT_THAT(message("anything", "parquet", [](Reading& r) { r.header = HeaderChoice::yes; }),
              HasSubstr("is read as parquet, where header changes nothing"));
  // What has an effect there goes on to the reader.
  EXPECT_THAT(message("anything", "parquet", [](Reading& r) { r.dates = DateUse::parts; }),
              Not(HasSubstr("changes nothing")));
  EXPECT_THAT(message(table, "csv", [](Reading& r) { r.dates = DateUse::parts; }),
              HasSubstr("no InputError"));
  EXPECT_THAT(message(pairs, "libsvm", [](Reading& r) { r.features = 5; }),
              HasSubstr("no InputError"));
}

}  // namespace
}  // namespace tandem
