// The readers of Parquet and Arrow files, on files that pyarrow, polars, DuckDB and fastparquet
// wrote (tests/data/make_declared_files.py) and on damaged ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "core/data/block_codec.hpp"
#include "core/data/parquet_values.hpp"
#include "core/data/readers.hpp"
#include "core/data/typed_values.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"
#include "tandem/data/write.hpp"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;
using ::testing::Not;

std::string file(const std::string& name) {
  return std::string(TANDEM_DATA_DIR) + "/../tests/data/files/" + name;
}

std::string content(const std::string& name) {
  std::ifstream stream(file(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::string message_of(const std::string& path, const ReadOptions& options = {}) {
  try {
    (void)read_dataset<double>(path, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

template <Real T>
std::vector<T> column(const Dataset<T>& data, const std::string& name) {
  std::vector<T> values;
  for (Index j = 0; j < data.cols(); ++j) {
    if (data.columns[static_cast<std::size_t>(j)].name != name) continue;
    for (Index i = 0; i < data.rows(); ++i) values.push_back(data.features(i, j));
  }
  return values;
}

const Column& description(const Dataset<double>& data, const std::string& name) {
  for (const Column& column : data.columns) {
    if (column.name == name) return column;
  }
  throw std::out_of_range(name);
}

std::string notices_of(const Dataset<double>& data) {
  std::string all;
  for (const std::string& notice : data.reading->notices) all += notice + "\n";
  return all;
}

class DeclaredTypes : public ::testing::TestWithParam<std::string> {};

TEST_P(DeclaredTypes, EveryTypeOfEveryWriter) {
  for (const int threads : {1, 3}) {
    ReadOptions options;
    options.threads = threads;
    const auto data = read_dataset<double>(file(GetParam()), options);
    ASSERT_EQ(data.rows(), 4);
    ASSERT_EQ(data.cols(), 15);
    EXPECT_THAT(column(data, "i64"), ElementsAre(1, IsNan(), -3, 4));
    EXPECT_THAT(column(data, "u8"), ElementsAre(0, 255, IsNan(), 7));
    EXPECT_THAT(column(data, "u64"), ElementsAre(0x1p63, 1, 2, IsNan()));
    EXPECT_THAT(column(data, "f16"), ElementsAre(0.5, IsNan(), -2, 65504));
    EXPECT_THAT(column(data, "f32"), ElementsAre(0.25, -1.5, IsNan(), IsNan()));
    EXPECT_THAT(column(data, "f64"), ElementsAre(IsNan(), 0.1, 1e300, 0));
    EXPECT_TRUE(std::signbit(column(data, "f64")[3]));
    EXPECT_THAT(column(data, "flag"), ElementsAre(1, 0, IsNan(), 1));
    EXPECT_THAT(column(data, "price"), ElementsAre(1.25, -0.5, IsNan(), 99999.99));
    EXPECT_THAT(column(data, "wide"), ElementsAre(12345678901234567890.125, IsNan(), -0.5, 0));
    EXPECT_THAT(column(data, "day"), ElementsAre(1706659200, IsNan(), -86400, 0));
    EXPECT_THAT(column(data, "stamp"), ElementsAre(1706704205.123456, IsNan(), -0.000001, 0));
    EXPECT_THAT(column(data, "clock"), ElementsAre(45005, IsNan(), 0, 0.001));
    EXPECT_THAT(column(data, "word"), ElementsAre(1, 0, IsNan(), 1));
    EXPECT_THAT(description(data, "word").categories, ElementsAre("apple", "pear"));
    EXPECT_THAT(column(data, "coded"), ElementsAre(0, IsNan(), 1, 0));
    EXPECT_THAT(description(data, "coded").categories, ElementsAre("x", "y"));
    EXPECT_THAT(column(data, "none"), ElementsAre(IsNan(), IsNan(), IsNan(), IsNan()));
    EXPECT_THAT(notices_of(data), HasSubstr("the column none holds no values"));
    EXPECT_THAT(notices_of(data), HasSubstr("the columns day, stamp hold dates"));
  }
}

INSTANTIATE_TEST_SUITE_P(Files, DeclaredTypes,
                         ::testing::Values("types.parquet", "types_v2.parquet",
                                           "types_gzip.parquet", "types_int96.parquet",
                                           "types.arrow", "types_lz4.arrow", "types_zstd.arrows"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '.', '_');
                           return text;
                         });

class DeclaredRuns : public ::testing::TestWithParam<std::string> {};

TEST_P(DeclaredRuns, EveryEncoding) {
  const auto data = read_dataset<double>(file(GetParam()));
  ASSERT_EQ(data.rows(), 100);
  ASSERT_EQ(data.cols(), 5);
  const auto& names = description(data, "name").categories;
  ASSERT_EQ(names.size(), 25U);
  for (Index i = 0; i < 100; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (i % 9 == 4) {
      EXPECT_TRUE(std::isnan(column(data, "count")[at]));
    } else {
      EXPECT_EQ(column(data, "count")[at], static_cast<double>(i * i)) << i;
    }
    EXPECT_EQ(column(data, "small")[at], static_cast<double>(i % 5)) << i;
    EXPECT_EQ(column(data, "real")[at], static_cast<double>(i) / 8) << i;
    EXPECT_EQ(column(data, "flag")[at], i / 30 % 2 == 0 ? 1 : 0) << i;
    EXPECT_EQ(names[static_cast<std::size_t>(column(data, "name")[at])],
              "item " + std::to_string(i / 4));
  }
}

INSTANTIATE_TEST_SUITE_P(Files, DeclaredRuns,
                         ::testing::Values("delta.parquet", "delta_length.parquet",
                                           "dictionary.parquet", "polars.parquet", "duckdb.parquet",
                                           "fastparquet.parquet", "polars.arrow", "runs.feather"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '.', '_');
                           return text;
                         });

TEST(DeclaredFiles, TheFormatIsFoundByContent) {
  EXPECT_EQ(detect_format(file("types.parquet")), "parquet");
  EXPECT_EQ(detect_format(file("types.arrow")), "arrow");
  EXPECT_EQ(detect_format(file("runs.feather")), "arrow");
  EXPECT_EQ(detect_format(file("types_zstd.arrows")), "arrow");
  EXPECT_EQ(read_dataset<float>(file("types.parquet")).reading->format.to_string(), "parquet");
}

// A model keeps the columns' names and kinds, so that each format can stand for the other.
TEST(DeclaredFiles, AModelOfOneFormatReadsTheOther) {
  const std::string csv = ::testing::TempDir() + "declared-" + std::to_string(::getpid()) + ".csv";
  std::ofstream(csv) << "word,day,flag,price,f64\npear,2024-01-31,True,1.25,\n"
                        "apple,1969-12-31,False,-0.5,1e300\nplum,1970-01-01,True,3,0\n";
  const auto schema_of = [](const Dataset<double>& data) {
    return Schema{data.columns, data.target_column, *data.reading};
  };
  ReadOptions keep;
  keep.ignore = {"i64", "u8", "u64", "f16", "f32", "wide", "stamp", "clock", "coded", "none"};
  keep.target = "f64";
  const auto parquet = read_dataset<double>(file("types.parquet"), keep);
  const Schema of_parquet = schema_of(parquet);
  ReadOptions later;
  later.schema = &of_parquet;
  const auto from_csv = read_dataset<double>(csv, later);
  EXPECT_THAT(column(from_csv, "word"), ElementsAre(1, 0, IsNan()));  // no plums in training
  EXPECT_THAT(column(from_csv, "day"), ElementsAre(1706659200, -86400, 0));
  EXPECT_THAT(column(from_csv, "flag"), ElementsAre(1, 0, 1));
  EXPECT_THAT(column(from_csv, "price"), ElementsAre(1.25, -0.5, 3));
  EXPECT_THAT(from_csv.target, ElementsAre(IsNan(), 1e300, 0));

  ReadOptions named;
  named.target = "f64";
  const auto text = read_dataset<double>(csv, named);
  const Schema of_csv = schema_of(text);
  later.schema = &of_csv;
  for (const char* name : {"types.parquet", "types.arrow"}) {
    const auto back = read_dataset<double>(file(name), later);
    ASSERT_EQ(back.columns, text.columns);
    EXPECT_THAT(column(back, "word"), ElementsAre(1, 0, IsNan(), 1)) << name;
    EXPECT_THAT(column(back, "day"), ElementsAre(1706659200, IsNan(), -86400, 0));
    EXPECT_THAT(column(back, "flag"), ElementsAre(1, 0, IsNan(), 1));
    EXPECT_THAT(back.target, ElementsAre(IsNan(), 0.1, 1e300, 0));
  }
  fs::remove(csv);
}

TEST(DeclaredFiles, DatesAsParts) {
  ReadOptions options;
  options.reading.dates = DateUse::parts;
  options.ignore = {"stamp"};
  const auto data = read_dataset<double>(file("types.parquet"), options);
  EXPECT_THAT(column(data, "day.year"), ElementsAre(2024, IsNan(), 1969, 1970));
  EXPECT_THAT(column(data, "day.weekday"), ElementsAre(2, IsNan(), 2, 3));
  const Schema schema{data.columns, {}, *data.reading};
  ReadOptions later;
  later.schema = &schema;
  EXPECT_THAT(column(read_dataset<double>(file("types.arrow"), later), "day.month"),
              ElementsAre(1, IsNan(), 12, 1));
}

// Dates and times as classes are called by what they are, to the last digit of a second; a
// regression takes their seconds.
TEST(DeclaredFiles, DatesAndTimesOfATarget) {
  const auto labels = [](const Dataset<double>& data) {
    const Classes classes = encode_classes(data);
    std::vector<std::string> texts;
    for (const std::int32_t label : classes.labels) {
      texts.push_back(label < 0 ? "" : classes.names[static_cast<std::size_t>(label)]);
    }
    return texts;
  };
  for (const char* name : {"types.parquet", "types_int96.parquet", "types_zstd.arrows"}) {
    ReadOptions options;
    options.drop_missing_target = true;
    options.target = "day";
    const auto days = read_dataset<double>(file(name), options);
    EXPECT_THAT(labels(days), ElementsAre("2024-01-31", "1969-12-31", "1970-01-01"));
    EXPECT_THAT(days.target, ElementsAre(1706659200, -86400, 0));
    options.target = "stamp";
    const auto stamps = read_dataset<double>(file(name), options);
    EXPECT_THAT(labels(stamps), ElementsAre("2024-01-31 12:30:05.123456",
                                            "1969-12-31 23:59:59.999999", "1970-01-01"));
    EXPECT_THAT(stamps.target, ElementsAre(1706704205.123456, -0.000001, 0));
    options.target = "clock";
    const auto clocks = read_dataset<double>(file(name), options);
    EXPECT_THAT(labels(clocks), ElementsAre("12:30:05", "00:00:00", "00:00:00.001"));
    EXPECT_THAT(clocks.target, ElementsAre(45005, 0, 0.001));
  }
}

TEST(TypedValues, MomentsAsTexts) {
  EXPECT_EQ(date_text(moment_of(-1, 1000000000)), "1969-12-31 23:59:59.999999999");
  EXPECT_EQ(date_text(moment_of(1500, 1000)), "1970-01-01 00:00:01.5");
  EXPECT_EQ(date_text(moment_of(10, 1000)), "1970-01-01 00:00:00.01");
  EXPECT_EQ(date_text(moment_of(-1, 0)), "1969-12-31");
  EXPECT_EQ(time_text(moment_of(-1500, 1000)), "-00:00:01.5");
  EXPECT_EQ(time_text(moment_of(-500, 1000)), "-00:00:00.5");
  EXPECT_EQ(time_text(moment_of(std::numeric_limits<std::int64_t>::min(), 1)),
            "-2562047788015215:30:08");
  EXPECT_EQ(moment_of(1706704205123456, 1000000).seconds(), 1706704205.123456);
}

// A class is a name: whole numbers that no double holds keep their digits, truth values their
// words.
TEST(DeclaredFiles, ClassesOfATarget) {
  ReadOptions options;
  options.target = "flag";
  const auto flags = read_dataset<double>(file("types.parquet"), options);
  EXPECT_THAT(flags.target_column.categories, ElementsAre("false", "true"));
  EXPECT_THAT(flags.target, ElementsAre(1, 0, IsNan(), 1));
  options.target = "u64";
  for (const char* name : {"types.parquet", "types_gzip.parquet", "types_zstd.arrows"}) {
    const auto wide = read_dataset<float>(file(name), options);
    EXPECT_THAT(wide.target, ElementsAre(0x1p63F, 1, 2, IsNan())) << name;
  }
  options.target = "count";
  options.ignore = {};
  const auto rounded = read_dataset<float>(file("types.parquet"), {.target = "i64"});
  EXPECT_TRUE(rounded.target_texts.names.empty());
}

// Truth values are classes of one name, however a program spells them.
TEST(DeclaredFiles, TruthValuesInEverySpelling) {
  ReadOptions kept;
  kept.drop_missing_target = true;
  kept.target = "flag";
  const auto rows = read_dataset<double>(file("types.parquet"), kept);
  EXPECT_THAT(encode_classes(rows, {"False", "True"}).labels, ElementsAre(1, 0, 1));
  EXPECT_THAT(encode_classes(rows, {"FALSE", "TRUE", "unknown"}).labels, ElementsAre(1, 0, 1));
  EXPECT_THAT(encode_classes(rows, {"true", "TRUE"}).labels, ElementsAre(0, -1, 0));
  EXPECT_THAT(encode_classes(rows, {"Tru", "f"}).labels, ElementsAre(-1, -1, -1));
}

TEST(DeclaredFiles, WhatIsSaidOfColumns) {
  ReadOptions options;
  options.reading.columns = ColumnReadings::parse("u8:category,word:category");
  const auto data = read_dataset<double>(file("types.parquet"), options);
  EXPECT_THAT(description(data, "u8").categories, ElementsAre("0", "255", "7"));
  options.reading.columns = ColumnReadings::parse("word:number");
  EXPECT_THAT(message_of(file("types.parquet"), options),
              HasSubstr("row 1: the column word has 'pear', expected a number as"));
  options.reading.columns = {};
  options.reading.missing = {"255", "pear"};
  const auto fewer = read_dataset<double>(file("types.parquet"), options);
  EXPECT_THAT(column(fewer, "u8"), ElementsAre(0, IsNan(), IsNan(), 7));
  EXPECT_THAT(description(fewer, "word").categories, ElementsAre("apple"));
}

TEST(DeclaredFiles, WhatIsNotReadIsNamed) {
  for (const char* name : {"nested.parquet", "nested.arrow"}) {
    EXPECT_THAT(message_of(file(name)), HasSubstr("the column list holds lists"));
    EXPECT_THAT(message_of(file(name)), HasSubstr("leave it out with"));
    const auto data = read_dataset<double>(file(name), {.ignore = {"list", "struct"}});
    EXPECT_THAT(column(data, "x"), ElementsAre(1, 2)) << name;
    EXPECT_THAT(column(data, "y"), ElementsAre(0, 1)) << name;
  }
  EXPECT_THAT(message_of(file("brotli.parquet")),
              HasSubstr(": is compressed with brotli, which is not read; write it again"));
  EXPECT_THAT(message_of(file("types.parquet"), {.memory_limit = 200}), HasSubstr("memory"));
}

TEST(DeclaredFiles, DictionariesThatGrow) {
  const auto data = read_dataset<double>(file("dictionary_delta.arrows"));
  EXPECT_THAT(description(data, "k").categories, ElementsAre("a", "b", "c"));
  EXPECT_THAT(column(data, "k"), ElementsAre(1, 0, IsNan(), 2, 1));
}

TEST(DeclaredFiles, TextsInViews) {
  const auto data = read_dataset<double>(file("views.arrow"));
  EXPECT_THAT(description(data, "t").categories, ElementsAre("longer than twelve bytes", "short"));
  EXPECT_THAT(column(data, "t"), ElementsAre(1, IsNan(), 0, IsNan()));
  EXPECT_THAT(notices_of(data), HasSubstr("1 text of the column t is empty"));
}

TEST(DeclaredFiles, AFolderIsOneTable) {
  const fs::path folder = ::testing::TempDir() + "declared-" + std::to_string(::getpid());
  fs::create_directories(folder);
  fs::copy_file(file("dictionary.parquet"), folder / "part-0.parquet");
  fs::copy_file(file("delta.parquet"), folder / "part-1.parquet");
  std::ofstream(folder / "_SUCCESS") << "";
  const auto data = read_dataset<double>(folder.string());
  EXPECT_EQ(data.rows(), 200);
  EXPECT_EQ(column(data, "small")[150], 0);
  EXPECT_EQ(description(data, "name").categories.size(), 25U);
  fs::copy_file(file("types.parquet"), folder / "part-2.parquet");
  EXPECT_THAT(message_of(folder.string()), HasSubstr("part-2.parquet: has 15 columns"));
  fs::copy_file(file("runs.feather"), folder / "part-2.parquet",
                fs::copy_options::overwrite_existing);
  EXPECT_THAT(message_of(folder.string()),
              HasSubstr("files that are read as one are of one format"));
  fs::remove_all(folder);
}

// Every cut and every changed byte is an error or a table; a checksum finds what it covers.
TEST(DeclaredFiles, DamagedFilesAreRefused) {
  for (const char* name : {"types.parquet", "delta.parquet", "types_v2.parquet", "types_lz4.arrow",
                           "dictionary_delta.arrows", "views.arrow"}) {
    const std::string whole = content(name);
    ReadOptions options;
    options.memory_limit = Index{2} << 20;
    options.reading.format = fs::path(name).extension() == ".parquet" ? "parquet" : "arrow";
    const auto read = [&](const std::string& bytes) {
      try {
        (void)read_input<float>(
            Input::memory("input",
                          {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}),
            options);
        return true;
      } catch (const InputError&) {
        return false;
      }
    };
    ASSERT_TRUE(read(whole));
    for (std::size_t size = 0; size + 1 < whole.size(); size += 1 + whole.size() / 200) {
      const bool cut = read(whole.substr(0, size));
      // A stream may end between two batches; a file may not.
      EXPECT_TRUE(!cut || std::string(name) == "dictionary_delta.arrows") << name << " " << size;
    }
    for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 500) {
      for (const int change : {0x01, 0x80, 0xFF}) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ change);
        (void)read(bytes);
      }
    }
  }
  // The pages of this file have checksums: any change of its data is found.
  std::string damaged = content("types.parquet");
  damaged[40] = static_cast<char>(damaged[40] ^ 1);
  EXPECT_THROW((void)read_input<float>(
                   Input::memory("input", {reinterpret_cast<const std::uint8_t*>(damaged.data()),
                                           damaged.size()}),
                   {}),
               InputError);
}

TEST(DeclaredValues, HybridRunsAndGroups) {
  using namespace parquet;
  // Four times 5, then eight numbers of three bits: 0 to 7.
  const std::vector<std::uint8_t> bytes{8, 5, 3, 0x88, 0xC6, 0xFA};
  HybridDecoder decoder(bytes, 3);
  std::vector<std::uint32_t> values(12);
  ASSERT_TRUE(decoder.next(values.data(), 12));
  EXPECT_THAT(values, ElementsAre(5, 5, 5, 5, 0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_FALSE(decoder.next(values.data(), 1));
  HybridDecoder wide(bytes, 32);
  EXPECT_FALSE(wide.next(values.data(), 12));
}

TEST(DeclaredValues, DeltasOfTheSpecification) {
  using namespace parquet;
  // 1, 2, 3, 4, 5: a block of 128 in four parts, five values, the first of which is 1; the least
  // difference is 1, and none has bits.
  const std::vector<std::uint8_t> bytes{128, 1, 4, 5, 2, 2, 0, 0, 0, 0};
  DeltaDecoder decoder;
  ASSERT_TRUE(decoder.begin(bytes));
  std::vector<std::int64_t> values(5);
  ASSERT_TRUE(decoder.next(values.data(), 5));
  EXPECT_THAT(values, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_TRUE(decoder.rest().empty());
  EXPECT_FALSE(decoder.next(values.data(), 1));
}

TEST(DeclaredValues, DecimalsAreRoundedOnce) {
  EXPECT_EQ(decimal_value<double>(std::int64_t{123456789012345678}, 5), 1234567890123.45678);
  EXPECT_EQ(decimal_value<float>(std::int64_t{16777217}, 1), 1677721.7F);
  EXPECT_EQ(decimal_value<double>(std::int64_t{-1}, 30), -1e-30);
  EXPECT_EQ(decimal_value<double>(std::int64_t{7}, -3), 7000);
  EXPECT_EQ(decimal_value<float>(whole_digits(std::int64_t{1}), -400),
            std::numeric_limits<float>::infinity());
  const std::string least("\x80\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(whole_digits(least).digits, "9223372036854775808");
  EXPECT_TRUE(whole_digits(least).negative);
  EXPECT_EQ(decimal_text(whole_digits(std::int64_t{-5}), 3), "-0.005");
  EXPECT_EQ(decimal_text(whole_digits(std::int64_t{5}), -2), "500");
}

// A claim beyond what a codec can make of the bytes is refused before memory is taken.
TEST(DeclaredValues, BlocksAreBounded) {
  EXPECT_EQ(largest_block(BlockCodec::snappy, 10), 220);
  EXPECT_EQ(largest_block(BlockCodec::none, 10), 10);
  std::vector<std::uint8_t> to(4);
  const std::vector<std::uint8_t> junk{9, 9, 9, 9};
  for (const BlockCodec codec : {BlockCodec::snappy, BlockCodec::gzip, BlockCodec::zstd,
                                 BlockCodec::lz4_block, BlockCodec::lz4_frame}) {
    EXPECT_FALSE(decompress_block(codec, junk, to));
  }
}

}  // namespace
}  // namespace tandem
