// The readers of .npy, .npz, libsvm and IDX, on files that NumPy and Python wrote
// (tests/data/make_files.py) and on damaged ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/data/readers.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Values = std::vector<double>;

std::string file(const std::string& name) {
  return std::string(TANDEM_DATA_DIR) + "/../tests/data/files/" + name;
}

std::string content(const std::string& name) {
  std::ifstream stream(file(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

Dataset<double> read_bytes(const std::string& bytes, ReadOptions options = {}) {
  if (options.memory_limit == 0) options.memory_limit = Index{1} << 30;
  return read_input<double>(
      Input::memory("input", {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}),
      options);
}

std::string message_of(const std::string& bytes, const ReadOptions& options = {}) {
  try {
    (void)read_bytes(bytes, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

// A header of version 1 with any text, then bytes.
std::string npy(const std::string& header, const std::string& bytes) {
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size() & 0xFF);
  text += static_cast<char>(header.size() >> 8);
  return text + header + bytes;
}

// Whole numbers beyond 2^53: labels stay what they are, and of features it is said.
TEST(Npy, NumbersThatNoDoubleHolds) {
  const auto bytes_of = [](const auto& values) {
    return std::string(reinterpret_cast<const char*>(values.data()),
                       values.size() * sizeof(values[0]));
  };
  const std::array<std::int64_t, 6> rows{
      1, 9007199254740993, 2, 9007199254740992, -9007199254740993, 7};
  for (const bool fortran : {false, true}) {
    // Two columns of three rows; in Fortran order column by column.
    const std::string text = npy(std::string("{'descr': '<i8', 'fortran_order': ") +
                                     (fortran ? "True" : "False") + ", 'shape': (3, 2)}",
                                 bytes_of(rows));
    ReadOptions options;
    options.target = "1";
    const auto data = read_bytes(text, options);
    ASSERT_EQ(data.target_texts.labels.size(), 3U);
    const auto label = [&](std::size_t row) {
      return data.target_texts.names[static_cast<std::size_t>(data.target_texts.labels[row])];
    };
    EXPECT_EQ(label(0), fortran ? "9007199254740992" : "9007199254740993");
    EXPECT_EQ(label(1), fortran ? "-9007199254740993" : "9007199254740992");
    EXPECT_EQ(label(2), "7");
    const auto features = read_bytes(text).reading;
    ASSERT_EQ(features->notices.size(), 1U);
    EXPECT_THAT(Error(features->notices.front()).what(), HasSubstr("9007199254740993"));
    EXPECT_EQ(features->format, FormatName("npy"));
  }
  const std::array<std::uint64_t, 3> large{std::uint64_t{1} << 63, ~std::uint64_t{0}, 0};
  const auto data =
      read_bytes(npy("{'descr': '<u8', 'fortran_order': False, 'shape': (3, 1)}", bytes_of(large)));
  EXPECT_EQ(data.features(0, 0), 9223372036854775808.0);
  ASSERT_EQ(data.reading->notices.size(), 1U);
  EXPECT_THAT(data.reading->notices.front(), HasSubstr("18446744073709551615"));
  const std::array<std::int32_t, 2> small{16777217, 16777216};
  const std::string ints =
      npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1)}", bytes_of(small));
  EXPECT_TRUE(read_bytes(ints).reading->notices.empty());
  const auto narrow = read_input<float>(
      Input::memory("input", {reinterpret_cast<const std::uint8_t*>(ints.data()), ints.size()}),
      {});
  EXPECT_EQ(narrow.reading->notices.size(), 1U);
}

// More labels than there may be classes are not rounded in silence, wherever the first one stands
// that no double holds.
TEST(Npy, MoreLabelsThanClasses) {
  constexpr std::int64_t rows = (std::int64_t{1} << 20) + 10;
  const auto table = [&](bool features, bool target) {
    std::string bytes;
    bytes.reserve(static_cast<std::size_t>(16 * rows));
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t large = (std::int64_t{1} << 53) + 1 + 2 * i;
      const std::array<std::int64_t, 2> row{features ? large : i,
                                            target && (!features || i > rows - 3) ? large : i % 7};
      bytes.append(reinterpret_cast<const char*>(row.data()), sizeof row);
    }
    return npy(
        "{'descr': '<i8', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", 2)}",
        bytes);
  };
  ReadOptions options;
  options.target = "1";
  EXPECT_THAT(message_of(table(false, true), options), HasSubstr("the target has more than"));
  EXPECT_THAT(message_of(table(true, true), options), HasSubstr("the target has more than"));
  EXPECT_EQ(read_bytes(table(true, false), options).target[8], 1);
}

TEST(Npy, EveryElementTypeInBothByteOrders) {
  for (const char* type : {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}) {
    for (const char* order : {"le", "be"}) {
      const std::string name = std::string(type) + order + ".npy";
      const double last = type[0] == 'f' ? -100.5 : type[0] == 'i' ? -100 : 200;
      const auto data = read_dataset<double>(file(name));
      EXPECT_EQ(data.features.values(), (Values{0, 1, 2, 3, 4, last})) << name;
      EXPECT_EQ(data.rows(), 2) << name;
      EXPECT_EQ(read_dataset<float>(file(name)).features(1, 2), static_cast<float>(last)) << name;
    }
  }
  EXPECT_EQ(read_dataset<double>(file("b1.npy")).features.values(), (Values{1, 0, 0, 1}));
}

TEST(Npy, HalfPrecisionIncludesSubnormalsAndInfinity) {
  // binary16: smallest subnormal 2^-24, smallest normal 2^-14, largest 65504, infinity, NaN.
  const std::string bytes("\x01\x00\x00\x04\xff\x7b\x00\xfc\x00\x7e", 10);
  const auto data =
      read_bytes(npy("{'descr': '<f2', 'fortran_order': False, 'shape': (5,), }\n", bytes));
  EXPECT_EQ(data.features(0, 0), 0x1p-24);
  EXPECT_EQ(data.features(1, 0), 0x1p-14);
  EXPECT_EQ(data.features(2, 0), 65504);
  EXPECT_EQ(data.features(3, 0), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(data.features(4, 0)));
}

TEST(Npy, OrdersAxesAndVersions) {
  Values ascending(24);
  for (std::size_t i = 0; i < 24; ++i) ascending[i] = static_cast<double>(i);
  for (const char* name : {"cube_c.npy", "cube_fortran.npy"}) {
    const auto data = read_dataset<double>(file(name));
    EXPECT_EQ(data.rows(), 2) << name;
    EXPECT_EQ(data.cols(), 12) << name;
    EXPECT_EQ(data.features.values(), ascending) << name;
  }
  for (const char* name : {"matrix_fortran.npy", "version2.npy", "version3.npy", "matrix.npy.gz"}) {
    EXPECT_EQ(read_dataset<double>(file(name)).features.values(), (Values{0, 1, 2, 3, 4, 5}))
        << name;
  }
}

TEST(Npy, TargetsFromAColumnOrAnotherFile) {
  ReadOptions options;
  options.target = "-1";
  options.weights = "x0";
  const auto data = read_dataset<double>(file("version2.npy"), options);
  EXPECT_EQ(data.target, (Values{2, 5}));
  EXPECT_EQ(data.weights, (Values{0, 3}));
  EXPECT_EQ(data.features.values(), (Values{1, 4}));

  options = {};
  options.target_file = file("target.npy");
  const auto other = read_dataset<double>(file("version2.npy"), options);
  EXPECT_EQ(other.target, (Values{7, 8}));
  EXPECT_EQ(other.cols(), 3);
  options.target_file = file("texts.npy");
  EXPECT_THROW((void)read_dataset<double>(file("version2.npy"), options), InputError);  // 3 rows
  EXPECT_THROW((void)read_dataset<double>(file("texts.npy")), InputError);
}

TEST(Npy, DamageIsRefused) {
  const std::string good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }\n";
  EXPECT_EQ(read_bytes(npy(good, std::string(16, '\0'))).rows(), 2);
  EXPECT_THAT(message_of(npy(good, std::string(15, '\0'))), HasSubstr("16 bytes, but 15 follow"));
  const auto with = [](const std::string& type, const std::string& shape) {
    return message_of(npy("{'descr': " + type + ", 'fortran_order': False, 'shape': " + shape + "}",
                          std::string(64, '\0')));
  };
  EXPECT_THAT(with("'<f8'", "(4611686018427387904, 4611686018427387904)"), HasSubstr("claims"));
  EXPECT_THAT(with("'<f8'", "(99999999999999999999,)"), HasSubstr("shape is not sizes"));
  EXPECT_THAT(with("'<f8'", "(-1,)"), HasSubstr("shape is not sizes"));
  EXPECT_THAT(with("'<f8'", "(0, 3)"), HasSubstr("is empty"));
  EXPECT_THAT(with("'<f8'", "()"), HasSubstr("single number"));
  EXPECT_THAT(with("'<c16'", "(1,)"), HasSubstr("elements of type '<c16'"));
  EXPECT_THAT(with("'|O'", "(1,)"), HasSubstr("elements of type '|O'"));
  EXPECT_THAT(with("[('a', '<f8')]", "(1,)"), HasSubstr("several fields"));
  EXPECT_THAT(with("''", "(1,)"), HasSubstr("elements of type"));
  EXPECT_THAT(message_of(npy("{'descr': '<f8'}", "")), HasSubstr("lacks"));
  EXPECT_THAT(message_of(npy("", "")), HasSubstr("header is damaged"));
  EXPECT_THAT(message_of(npy(good, "").substr(0, 40)), HasSubstr("ends inside the header"));
  EXPECT_THAT(message_of(std::string("\x93NUMPY\x09\x00", 8)), HasSubstr("version 9"));
  // 16 terabytes that are claimed to come out of a small compressed file, and 4 GiB of header.
  EXPECT_THAT(message_of("\x93NUMPY\x02" + std::string("\x00\xff\xff\xff\xff", 5) + "{"),
              HasSubstr("header claims 4294967295 bytes"));
}

TEST(Npy, RefusesWhatDoesNotFitIntoMemory) {
  ReadOptions options;
  options.memory_limit = 1000;
  EXPECT_THAT(message_of(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000, 1), }",
                             std::string(1000, '\1')),
                         options),
              HasSubstr("1000 rows of 1 columns in float64 needs 7.9 KiB of memory"));
}

// More elements than 32 bits count, in a file of holes.
TEST(LongNpy, MoreThanTwoToThe31Elements) {
  constexpr Index cols = 7;
  constexpr Index rows = (Index{1} << 31) / cols + 1;
  if (available_memory() < Index{10} << 30) GTEST_SKIP() << "needs 10 GiB of memory";
  const auto path = std::filesystem::temp_directory_path() /
                    ("tandem-long-" + std::to_string(::getpid()) + ".npy");
  {
    std::ofstream stream(path, std::ios::binary);
    stream << npy(
        "{'descr': '|u1', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", 7), }\n",
        "");
    stream.seekp(rows * cols - 2, std::ios::cur);
    stream << '\x05' << '\x06';
  }
  const auto data = read_dataset<float>(path.string());
  std::filesystem::remove(path);
  EXPECT_EQ(data.rows(), rows);
  EXPECT_EQ(data.features(rows - 1, 4), 0);
  EXPECT_EQ(data.features(rows - 1, 5), 5);
  EXPECT_EQ(data.features(rows - 1, 6), 6);
}

TEST(Npz, StoredDeflatedAnd64Bit) {
  const Values x{0, 1, 2, 3, 4, 5};
  auto data = read_dataset<double>(file("stored.npz"));
  EXPECT_EQ(data.features.values(), x);
  EXPECT_EQ(data.target, (Values{0, 1, 1}));
  data = read_dataset<double>(file("deflated.npz"));
  EXPECT_EQ(data.features.values(), x);
  EXPECT_EQ(data.target, (Values{1, 0, 1}));
  EXPECT_THAT(data.target_column.categories, ElementsAre("a", "b"));
  data = read_dataset<double>(file("zip64.npz"));
  EXPECT_EQ(data.features.values(), x);
  EXPECT_EQ(data.target, (Values{4, 5, 6}));
}

TEST(Npz, TargetByNameOfTheArrayOrPosition) {
  ReadOptions options;
  options.target = "y";
  EXPECT_EQ(read_dataset<double>(file("stored.npz"), options).target, (Values{0, 1, 1}));
  options.target = "last";
  const auto data = read_dataset<double>(file("stored.npz"), options);
  EXPECT_EQ(data.target, (Values{1, 3, 5}));
  EXPECT_EQ(data.cols(), 1);
  EXPECT_THAT(message_of(content("other_names.npz")), HasSubstr("it has first, second"));
  EXPECT_THAT(message_of(content("sparse.npz")), HasSubstr("a sparse matrix of SciPy"));
}

TEST(Npz, DamageIsRefused) {
  const std::string good = content("stored.npz");
  ASSERT_EQ(read_bytes(good).rows(), 3);
  EXPECT_THAT(message_of(good.substr(0, good.size() - 30)), HasSubstr("directory at its end"));
  std::string flipped = good;
  flipped[flipped.find("NUMPY") + 130] ^= 1;  // an element
  EXPECT_THAT(message_of(flipped), HasSubstr("checksum is wrong"));
  // Every truncation and every single changed byte: an error or a data set, nothing else.
  for (std::size_t size = 0; size < good.size(); size += 7) (void)message_of(good.substr(0, size));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = static_cast<char>(changed[i] ^ 0xFF);
    (void)message_of(changed);
  }
}

TEST(Libsvm, PlainAndCompressed) {
  for (const char* name : {"rows.libsvm", "rows.libsvm.gz", "rows.libsvm.bz2"}) {
    const auto data = read_dataset<double>(file(name));
    EXPECT_EQ(data.rows(), 3) << name;
    EXPECT_EQ(data.features.values(), (Values{0.5, 0, 0.01, 0, -1, 0, 0, 0, 0})) << name;
    EXPECT_EQ(data.target, (Values{1, -1, 0.5})) << name;
  }
}

TEST(Libsvm, FirstIndexIsFoundOrGiven) {
  EXPECT_EQ(read_bytes("1 0:2 1:3\n").features.values(), (Values{2, 3}));
  EXPECT_EQ(read_bytes("1 1:2 2:3\n").features.values(), (Values{2, 3}));
  ReadOptions options;
  options.reading.index_base = IndexBase::zero;
  EXPECT_EQ(read_bytes("1 1:2 2:3\n", options).features.values(), (Values{0, 2, 3}));
  options.reading.index_base = IndexBase::one;
  EXPECT_THAT(message_of("1 0:2\n", options),
              HasSubstr("has the index 0, expected indices from 1"));
}

TEST(Libsvm, WidthOfTheModel) {
  Schema schema;
  schema.columns = numbered_columns(4);
  ReadOptions options;
  options.schema = &schema;
  EXPECT_EQ(read_bytes("1 1:2\n", options).cols(), 4);
  EXPECT_THAT(message_of("1 5:2\n", options), HasSubstr("has the index 5, expected 4 at most"));
  options = {};
  options.reading.features = 6;
  EXPECT_EQ(read_bytes("1 1:2\n", options).cols(), 6);
}

TEST(Libsvm, DamageIsRefused) {
  ReadOptions options;
  options.reading.format = "libsvm";
  EXPECT_THAT(message_of("1 1:2\nx 1:2\n", options), HasSubstr("line 2: the label 'x'"));
  EXPECT_THAT(message_of("1 1:2\n# c\n1 1:2 2\n", options),
              HasSubstr("line 3: '2' is not index:value"));
  EXPECT_THAT(message_of("1 2:1 2:1\n", options), HasSubstr("'2:1' is not above"));
  EXPECT_THAT(message_of("1 1:a\n", options), HasSubstr("the value of '1:a'"));
  EXPECT_THAT(message_of("1 99999999999999999999:1\n", options), HasSubstr("is too large"));
  EXPECT_THAT(message_of("# nothing\n", options), HasSubstr("has no rows"));
  EXPECT_THAT(message_of("1\n2\n", options), HasSubstr("no features"));
  options.memory_limit = 1 << 20;
  EXPECT_THAT(message_of("1 2000000000:1\n", options), HasSubstr("as a dense matrix needs"));
  options.weights = "w";
  EXPECT_THAT(message_of("1 1:1\n", options), HasSubstr("weights and ignore"));
}

TEST(Libsvm, ThreadsDoNotChangeTheResult) {
  std::string text;
  for (int i = 0; i < 120000; ++i) {
    text +=
        std::to_string(i % 3) + " " + std::to_string(1 + i % 5) + ":" + std::to_string(i) + "\n";
  }
  ReadOptions options;
  options.threads = 1;
  const auto one = read_bytes(text, options);
  EXPECT_EQ(one.rows(), 120000);
  EXPECT_EQ(one.features(119999, 119999 % 5), 119999);
  options.threads = 7;
  const auto many = read_bytes(text, options);
  EXPECT_EQ(one.features, many.features);
  EXPECT_EQ(one.target, many.target);
}

TEST(Idx, ImagesAndTheirLabels) {
  auto data = read_dataset<double>(file("tiny-images-idx3-ubyte"));
  EXPECT_EQ(data.features.values(), (Values{250, 251, 252, 253, 254, 255, 0, 1}));
  EXPECT_EQ(data.cols(), 4);
  EXPECT_EQ(data.target, (Values{3, 9}));
  data = read_dataset<double>(file("packed-images-idx3-ubyte.gz"));
  EXPECT_EQ(data.features.values(), (Values{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(data.target, (Values{1, 0}));
  ReadOptions options;
  options.target_file = file("tiny-labels-idx1-ubyte");
  EXPECT_EQ(read_dataset<double>(file("packed-images-idx3-ubyte.gz"), options).target,
            (Values{3, 9}));
}

TEST(Idx, EveryElementType) {
  for (const char* name : {"type9.idx", "type11.idx", "type12.idx", "type13.idx", "type14.idx"}) {
    EXPECT_EQ(read_dataset<double>(file(name)).features.values(), (Values{1, -2, 3, 100})) << name;
  }
}

TEST(Idx, DamageIsRefused) {
  const auto idx = [](std::initializer_list<int> bytes) {
    std::string text;
    for (const int byte : bytes) text += static_cast<char>(byte);
    return text;
  };
  ReadOptions options;
  options.reading.format = "idx";
  EXPECT_THAT(message_of(idx({1, 0, 8, 1}), options), HasSubstr("two zero bytes"));
  EXPECT_THAT(message_of(idx({0, 0, 7, 1}), options), HasSubstr("unknown type 7"));
  EXPECT_THAT(message_of(idx({0, 0, 8, 0}), options), HasSubstr("no axes"));
  EXPECT_THAT(message_of(idx({0, 0, 8, 1, 0, 0}), options), HasSubstr("ends inside the header"));
  EXPECT_THAT(message_of(idx({0, 0, 8, 1, 0, 0, 0, 3, 1, 2}), options), HasSubstr("but 2 follow"));
  EXPECT_THAT(
      message_of(idx({0, 0, 14, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}),
                 options),
      HasSubstr("its header claims"));
}

TEST(Compressed, SeveralMembersAreOneFile) {
  for (const char* name : {"two_members.csv.gz", "two_streams.csv.bz2"}) {
    EXPECT_EQ(read_dataset<double>(file(name)).features.values(), (Values{1, 2, 3, 4})) << name;
  }
}

TEST(Compressed, DamageIsRefused) {
  for (const char* name : {"rows.libsvm.gz", "rows.libsvm.bz2", "matrix.npy.gz"}) {
    const std::string good = content(name);
    ReadOptions options;
    options.reading.format = std::string(name) == "matrix.npy.gz" ? "npy" : "libsvm";
    ASSERT_NO_THROW((void)read_bytes(good, options)) << name;
    if (options.reading.format == "libsvm") {
      EXPECT_THAT(message_of(good.substr(0, good.size() - 9), options),
                  HasSubstr("ends in the middle"));
    }
    for (std::size_t i = 2; i < good.size(); ++i) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ 0xFF);
      (void)message_of(changed, options);
      (void)message_of(good.substr(0, i), options);
    }
  }
}

// A file whose first block is damaged gives nothing, and is not empty.
TEST(Compressed, DamageInTheFirstBlockIsNoEmptyFile) {
  for (const char* name : {"rows.libsvm.gz", "rows.libsvm.bz2", "two_members.csv.gz",
                           "two_streams.csv.bz2", "matrix.npy.gz"}) {
    const std::string good = content(name);
    for (std::size_t i = 10; i < good.size(); ++i) {
      std::string changed = good;
      changed[i] = static_cast<char>(changed[i] ^ 0xFF);
      EXPECT_THAT(message_of(changed, {}), Not(HasSubstr("is empty"))) << name << " " << i;
    }
  }
}

// 64 MiB of zeros in 64 KiB: the claim of the header does not fit, the memory is never taken.
TEST(Compressed, AnExpandingFileIsBoundByTheMemoryLimit) {
  const std::string good = content("matrix.npy.gz");
  ReadOptions options;
  options.memory_limit = 40;
  EXPECT_THAT(message_of(good, options), HasSubstr("of memory, but 40 bytes are left"));
}

TEST(Formats, AreToldApartByContent) {
  EXPECT_EQ(detect_format(file("f4le.npy")), "npy");
  EXPECT_EQ(detect_format(file("matrix.npy.gz")), "npy");
  EXPECT_EQ(detect_format(file("stored.npz")), "npz");
  EXPECT_EQ(detect_format(file("tiny-images-idx3-ubyte")), "idx");
  EXPECT_EQ(detect_format(file("rows.libsvm.bz2")), "libsvm");
  EXPECT_EQ(detect_format(file("two_members.csv.gz")), "csv");
  const auto format = [](const std::string& text) {
    return format_of(
        Input::memory("input", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  };
  EXPECT_EQ(format("1 1:2 5:3\n"), FileFormat::libsvm);
  EXPECT_EQ(format("# c\n\n-1 qid:3 1:2"), FileFormat::libsvm);
  EXPECT_EQ(format("1,2\n"), FileFormat::csv);
  EXPECT_EQ(format("a 1:2\n"), FileFormat::csv);
  EXPECT_EQ(format(""), FileFormat::csv);
  ReadOptions options;
  options.reading.format = "orc";
  EXPECT_THAT(message_of("", options), HasSubstr("expected one of auto, csv, tsv, npy"));
}

}  // namespace
}  // namespace tandem
