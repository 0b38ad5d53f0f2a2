// Data sets from bytes in memory and from streams: the same as from the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <Real T>
void expect_same(const Dataset<T>& a, const Dataset<T>& b) {
  EXPECT_EQ(a.source, b.source);
  EXPECT_EQ(a.features.rows(), b.features.rows());
  EXPECT_EQ(a.features.values(), b.features.values());
  EXPECT_EQ(a.columns, b.columns);
  EXPECT_EQ(a.target, b.target);
  EXPECT_EQ(a.target_column, b.target_column);
}

// Every format that there is, as it is stored and compressed.
class ReadMemory : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Files, ReadMemory,
                         ::testing::Values("two_members.csv.gz", "two_streams.csv.bz2",
                                           "rows.libsvm", "rows.libsvm.gz", "f8le.npy",
                                           "matrix.npy.gz", "stored.npz", "deflated.npz",
                                           "tiny-images-idx3-ubyte", "packed-images-idx3-ubyte.gz"),
                         [](const auto& one) {
                           std::string name = one.param;
                           for (char& c : name) {
                             if (c == '.' || c == '-') c = '_';
                           }
                           return name;
                         });

TEST_P(ReadMemory, IsAsFromTheFile) {
  const std::string path = std::string(TANDEM_DATA_DIR) + "/../tests/data/files/" + GetParam();
  const auto expected = read_dataset<double>(path);
  const std::string content = content_of(path);
  expect_same(read_dataset<double>(std::as_bytes(std::span(content)), path), expected);
  std::istringstream stream(content);
  expect_same(read_dataset<double>(stream, path), expected);
}

TEST(ReadMemoryOptions, AreThoseOfFiles) {
  const std::string path = std::string(TANDEM_DATA_DIR) + "/iris.csv";
  const auto expected = read_dataset<float>(path, {.target = "species"});
  ASSERT_TRUE(expected.has_target());
  std::ifstream in(path, std::ios::binary);
  expect_same(read_dataset<float>(in, path, {.target = "species"}), expected);
}

TEST(ReadMemoryOptions, AStreamIsReadFromWhereItStands) {
  std::istringstream in("a line before\nx,y\n1,2\n3,4\n");
  std::string line;
  std::getline(in, line);
  const auto data = read_dataset<double>(in, "rest");
  EXPECT_EQ(data.source, "rest");
  EXPECT_EQ(data.rows(), 2);
  EXPECT_EQ(data.columns[1].name, "y");
}

TEST(ReadMemoryErrors, NameWhatWasGiven) {
  const auto message = [](auto&& read) -> std::string {
    try {
      read();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(message([] { (void)read_dataset<float>(std::span<const std::byte>(), "upload"); }),
              HasSubstr("upload"));
  EXPECT_THAT(message([] {
                std::istringstream in("a,b\n1\n");
                (void)read_dataset<float>(in, "body.csv");
              }),
              HasSubstr("body.csv"));
  // More than may be held is refused while it comes.
  EXPECT_THAT(message([] {
                std::istringstream in(std::string(std::size_t{1} << 20, '1'));
                (void)read_dataset<float>(in, "long", {.memory_limit = 200'000});
              }),
              HasSubstr("long: the stream needs"));
  try {
    std::ifstream in("/proc/self/mem", std::ios::binary);  // address 0 cannot be read
    (void)read_dataset<float>(in, "broken");
    FAIL() << "no SystemError";
  } catch (const SystemError& error) {
    EXPECT_THAT(error.what(), HasSubstr("broken: the stream cannot be read"));
  }
}

}  // namespace
}  // namespace tandem
