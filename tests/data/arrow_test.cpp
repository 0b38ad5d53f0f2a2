// Record batches through Arrow's C data interface, made by hand as its page describes them
// (arrow.apache.org/docs/format/CDataInterface.html).
#include "tandem/data/arrow.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

// A producer: keeps buffers, structs and names of what it hands out, and counts how often each
// struct is released.
class Producer {
 public:
  struct Column {
    ArrowSchema* schema;
    ArrowArray* array;
  };

  // An array of any type. `buffers` have the order that the format asks for; the first is the
  // validity bitmap, or empty.
  Column column(const char* name, const char* format, std::int64_t length,
                std::vector<std::vector<std::uint8_t>> buffers, std::int64_t null_count = 0,
                std::int64_t offset = 0) {
    Array& held = arrays_.emplace_back();
    held.buffers = std::move(buffers);
    for (std::size_t i = 0; i < held.buffers.size(); ++i) {
      const bool none = i == 0 && held.buffers[i].empty();
      held.pointers.push_back(none ? nullptr : held.buffers[i].data());
    }
    held.array = {length,
                  null_count,
                  offset,
                  static_cast<std::int64_t>(held.pointers.size()),
                  0,
                  held.pointers.data(),
                  nullptr,
                  nullptr,
                  release_array,
                  &array_releases};
    held.schema = {format,  name,    nullptr,        ARROW_FLAG_NULLABLE, 0,
                   nullptr, nullptr, release_schema, &schema_releases};
    return {&held.schema, &held.array};
  }
  template <class T>
  Column numbers(const char* name, const char* format, const std::vector<T>& values,
                 std::vector<std::uint8_t> validity = {}, std::int64_t null_count = 0,
                 std::int64_t offset = 0) {
    std::vector<std::uint8_t> bytes(values.size() * sizeof(T) + 1);  // not null where it is empty
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), values.size() * sizeof(T));
    return column(name, format, static_cast<std::int64_t>(values.size()) - offset,
                  {std::move(validity), std::move(bytes)}, null_count, offset);
  }
  template <class Offset>
  Column texts(const char* name, const char* format, const std::vector<std::string>& words,
               std::vector<std::uint8_t> validity = {}, std::int64_t null_count = 0,
               std::int64_t offset = 0) {
    std::vector<Offset> offsets{0};
    std::string all;
    for (const std::string& word : words) {
      all += word;
      offsets.push_back(static_cast<Offset>(all.size()));
    }
    std::vector<std::uint8_t> places(offsets.size() * sizeof(Offset));
    std::memcpy(places.data(), offsets.data(), places.size());
    return column(name, format, static_cast<std::int64_t>(words.size()) - offset,
                  {std::move(validity), std::move(places), {all.begin(), all.end()}}, null_count,
                  offset);
  }
  // Codes of the words.
  Column dictionary(Column codes, Column words) {
    codes.schema->dictionary = words.schema;
    codes.array->dictionary = words.array;
    return codes;
  }
  // A record batch of `length` rows of the columns, from row `offset` on.
  Column batch(const std::vector<Column>& columns, std::int64_t length, std::int64_t offset = 0) {
    Column all = column("", "+s", length, {{}}, 0, offset);
    Array& held = arrays_.back();
    for (const Column& one : columns) {
      held.schemas.push_back(one.schema);
      held.children.push_back(one.array);
    }
    all.schema->n_children = all.array->n_children = static_cast<std::int64_t>(columns.size());
    all.schema->children = held.schemas.data();
    all.array->children = held.children.data();
    return all;
  }

  int array_releases = 0;
  int schema_releases = 0;

 private:
  struct Array {
    std::vector<std::vector<std::uint8_t>> buffers;
    std::vector<const void*> pointers;
    std::vector<ArrowSchema*> schemas;
    std::vector<ArrowArray*> children;
    ArrowSchema schema{};
    ArrowArray array{};
  };
  static void release_array(ArrowArray* array) {
    ++*static_cast<int*>(array->private_data);
    array->release = nullptr;
  }
  static void release_schema(ArrowSchema* schema) {
    ++*static_cast<int*>(schema->private_data);
    schema->release = nullptr;
  }

  std::deque<Array> arrays_;  // their places are handed out
};

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

template <Real T>
Dataset<T> read(const Producer::Column& batch, const ArrowOptions& options = {}) {
  return dataset_from_arrow<T>(*batch.array, *batch.schema, options);
}

TEST(Arrow, EveryTypeOfNumber) {
  Producer producer;
  const auto batch = producer.batch(
      {producer.numbers<std::int8_t>("c", "c", {-128, 127}),
       producer.numbers<std::uint8_t>("C", "C", {0, 255}),
       producer.numbers<std::int16_t>("s", "s", {-32768, 1}),
       producer.numbers<std::uint16_t>("S", "S", {65535, 2}),
       producer.numbers<std::int32_t>("i", "i", {-2147483647, 3}),
       producer.numbers<std::uint32_t>("I", "I", {4294967295U, 4}),
       producer.numbers<std::int64_t>("l", "l", {std::int64_t{1} << 53, -(std::int64_t{1} << 60)}),
       producer.numbers<std::uint64_t>("L", "L", {std::uint64_t{1} << 63, 6}),
       producer.numbers<float>("f", "f", {0.1F, -1.5F}),
       producer.numbers<double>("g", "g", {0.1, 1e300}),
       // 1/3 to half precision, and the smallest subnormal number, 2^-24.
       producer.numbers<std::uint16_t>("e", "e", {0x3555, 0x0001}),
       producer.column("b", "b", 2, {{}, {0b10}})},
      2);
  const Dataset<double> data = read<double>(batch);
  EXPECT_EQ(data.source, "arrow");
  ASSERT_EQ(data.rows(), 2);
  ASSERT_EQ(data.cols(), 12);
  EXPECT_THAT(data.features.row(0),
              ElementsAre(-128, 0, -32768, 65535, -2147483647, 4294967295.0, 0x1p53, 0x1p63,
                          static_cast<double>(0.1F), 0.1, 0x1.554p-2, 0));
  EXPECT_THAT(data.features.row(1),
              ElementsAre(127, 255, 1, 2, 3, 4, -0x1p60, 6, -1.5, 1e300, 0x1p-24, 1));
  EXPECT_EQ(data.columns[4].name, "i");
  EXPECT_FALSE(data.columns[4].categorical());
  EXPECT_EQ(read<float>(batch).features(0, 9), 0.1F);
}

TEST(Arrow, NullsAreMissing) {
  Producer producer;
  const float untouched = std::numeric_limits<float>::infinity();
  const auto batch =
      producer.batch({producer.numbers<float>("number", "f", {1, untouched, 3}, {0b101}, 1),
                      producer.column("flag", "b", 3, {{0b011}, {0b111}}, 1),
                      producer.texts<std::int32_t>("text", "u", {"no", "yes", "no"}, {0b110}, 1),
                      // A null count that the producer has not computed.
                      producer.numbers<std::int32_t>("unknown", "i", {7, 8, 9}, {0b110}, -1)},
                     3);
  const Dataset<float> data = read<float>(batch);
  EXPECT_THAT(data.features.row(0), ElementsAre(1.0F, 1.0F, IsNan(), IsNan()));
  EXPECT_THAT(data.features.row(1), ElementsAre(IsNan(), 1.0F, 1.0F, 8.0F));
  EXPECT_THAT(data.features.row(2), ElementsAre(3.0F, IsNan(), 0.0F, 9.0F));
  EXPECT_THAT(data.columns[2].categories, ElementsAre("no", "yes"));
}

TEST(Arrow, TextsAreCategoriesInOrderOfBytes) {
  Producer producer;
  const auto batch = producer.batch(
      {producer.texts<std::int32_t>("short", "u", {"b", "", "a", "b"}),
       producer.texts<std::int64_t>("large", "U", {"é", "z", "e", "z"}),
       producer.dictionary(
           producer.numbers<std::int8_t>("codes", "c", {2, 0, 0, 1}),
           producer.texts<std::int32_t>("", "u", {"red", "blue", "green", "unused"}))},
      4);
  const Dataset<double> data = read<double>(batch);
  EXPECT_THAT(data.columns[0].categories, ElementsAre("", "a", "b"));
  EXPECT_THAT(data.columns[1].categories, ElementsAre("e", "z", "é"));
  EXPECT_THAT(data.columns[2].categories, ElementsAre("blue", "green", "red"));
  EXPECT_THAT(data.features.row(0), ElementsAre(2, 2, 1));
  EXPECT_THAT(data.features.row(1), ElementsAre(0, 1, 2));
  EXPECT_THAT(data.features.row(2), ElementsAre(1, 0, 2));
  EXPECT_THAT(data.features.row(3), ElementsAre(2, 1, 0));
}

TEST(Arrow, OffsetsOfColumnsAndOfTheBatch) {
  Producer producer;
  // The batch begins at row 1 of columns that begin at element 0, 2 and 9 of their buffers; the
  // bits of the last cross a byte.
  const auto batch = producer.batch(
      {producer.numbers<double>("x", "g", {-1, 10, 20}),
       producer.texts<std::int32_t>("t", "u", {"?", "?", "?", "one", "two"}, {0b01111}, 1, 2),
       producer.column("b", "b", 3, {{0xff, 0b1011}, {0, 0b1100}}, 1, 9)},
      2, 1);
  const Dataset<double> data = read<double>(batch);
  ASSERT_EQ(data.rows(), 2);
  EXPECT_THAT(data.columns[1].categories, ElementsAre("?", "one"));
  EXPECT_THAT(data.features.row(0), ElementsAre(10, 1, IsNan()));
  EXPECT_THAT(data.features.row(1), ElementsAre(20, IsNan(), 1));
}

TEST(Arrow, TargetAndWeights) {
  Producer producer;
  const auto batch = producer.batch({producer.numbers<float>("w", "f", {1, 0, 2}),
                                     producer.texts<std::int32_t>("kind", "u", {"b", "a", "b"}),
                                     producer.numbers<std::int64_t>("x", "l", {4, 5, 6})},
                                    3);
  const Dataset<float> data =
      read<float>(batch, {.target = "kind", .weights = "w", .source = "frame"});
  EXPECT_EQ(data.source, "frame");
  ASSERT_EQ(data.cols(), 1);
  EXPECT_EQ(data.columns[0].name, "x");
  EXPECT_EQ(data.target_column.name, "kind");
  EXPECT_THAT(data.target_column.categories, ElementsAre("a", "b"));
  EXPECT_THAT(data.target, ElementsAre(1.0F, 0.0F, 1.0F));
  EXPECT_THAT(data.weights, ElementsAre(1.0F, 0.0F, 2.0F));
}

// The caller keeps the structs: reading releases neither, and they can be read again.
TEST(Arrow, TheCallerReleasesOnce) {
  Producer producer;
  const auto batch = producer.batch({producer.numbers<double>("x", "g", {1, 2})}, 2);
  const Dataset<double> once = read<double>(batch);
  const Dataset<double> twice = read<double>(batch);
  EXPECT_EQ(producer.array_releases, 0);
  EXPECT_EQ(producer.schema_releases, 0);
  batch.array->release(batch.array);
  batch.schema->release(batch.schema);
  EXPECT_EQ(producer.array_releases, 1);
  EXPECT_EQ(producer.schema_releases, 1);
  // What was read is a copy.
  EXPECT_EQ(once.features.values(), twice.features.values());
  EXPECT_THAT(message_of([&] { (void)read<double>(batch); }), HasSubstr("released before"));
  EXPECT_EQ(producer.array_releases, 1);
}

TEST(Arrow, DatesAndDictionariesOfNumbers) {
  Producer producer;
  const auto batch =
      producer.batch({producer.numbers<std::int32_t>("day", "tdD", {1, -1}),
                      producer.numbers<std::int64_t>("stamp", "tsm:UTC", {1500, -1500}),
                      producer.numbers<std::int32_t>("clock", "tts", {60, 61}),
                      producer.dictionary(producer.numbers<std::int32_t>("d", "i", {1, 0}),
                                          producer.numbers<double>("", "g", {2.5, 1}))},
                     2);
  const Dataset<double> data = read<double>(batch);
  EXPECT_THAT(data.features.values(), ElementsAre(86400, 1.5, 60, 0, -86400, -1.5, 61, 1));
  EXPECT_THAT(data.columns[3].categories, ElementsAre("1", "2.5"));
}

TEST(Arrow, RefusesByName) {
  Producer producer;
  const auto numbers = producer.numbers<double>("x", "g", {1, 2});
  const auto refused = [&](const Producer::Column& column, const ArrowOptions& options = {}) {
    return message_of([&] { (void)read<double>(producer.batch({column}, 2), options); });
  };
  EXPECT_THAT(refused(producer.numbers<std::int32_t>("span", "tiM", {1, 2})),
              HasSubstr("arrow: column span: holds intervals of months"));
  EXPECT_THAT(refused(producer.numbers<std::int32_t>("odd", "q", {1, 2})),
              HasSubstr("arrow: column odd: has the Arrow format 'q'"));
  EXPECT_THAT(refused(producer.numbers<std::int64_t>("id", "l", {1, (std::int64_t{1} << 53) + 1})),
              HasSubstr("arrow: column id: row 2: 9007199254740993"));
  EXPECT_THAT(refused(producer.dictionary(producer.numbers<std::int32_t>("d", "i", {0, 2}),
                                          producer.texts<std::int32_t>("", "u", {"a", "b"}))),
              HasSubstr("column d: row 2: its code has no text"));
  EXPECT_THAT(refused(producer.dictionary(producer.numbers<std::int32_t>("d", "i", {0, 1}),
                                          producer.numbers<std::int32_t>("", "+l", {1, 2}))),
              HasSubstr("column d: is a dictionary of other things"));
  EXPECT_THAT(refused(numbers, {.target = "y"}), HasSubstr("has no column 'y'"));
  EXPECT_THAT(refused(producer.numbers<double>("w", "g", {1, -1}), {.weights = "w"}),
              HasSubstr("column w: row 2: the weight"));
  EXPECT_THAT(refused(producer.numbers<double>("x", "g", {1})), HasSubstr("shorter than"));
  EXPECT_THAT(refused(producer.column("x", "g", 2, {{}})), HasSubstr("column x"));
  EXPECT_THAT(message_of([&] { (void)read<double>(numbers); }), HasSubstr("no record batch"));
  auto rows_missing = producer.batch({numbers}, 2);
  const std::uint8_t validity = 0b01;
  const void* buffers[] = {&validity};
  rows_missing.array->buffers = buffers;
  rows_missing.array->null_count = 1;
  EXPECT_THAT(message_of([&] { (void)read<double>(rows_missing); }),
              HasSubstr("whole rows are null"));
}

}  // namespace
}  // namespace tandem
