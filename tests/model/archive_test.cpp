// The file format of archives: docs/model-format.md.
#include "tandem/core/archive.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <limits>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

double from_bits(std::uint64_t bits) { return std::bit_cast<double>(bits); }

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

Archive one_of_everything() {
  Archive archive;
  archive.set("yes", true);
  archive.set("lowest", std::numeric_limits<std::int64_t>::min());
  archive.set("highest", std::numeric_limits<std::int64_t>::max());
  archive.set("third", 1.0 / 3);
  archive.set("text", "naïve \"quoted\"\n");
  archive.set("not utf-8", std::string("\xff\x00\xc3", 3));
  archive.set("texts", std::vector<std::string>{"", "a", "\xe9"});
  archive.set("numbers", std::vector<double>{0.1, -0.0, 1e308});
  archive.set_tensor("f", std::vector<float>{1.5F, -2.25F}, {2});
  archive.set_tensor("d", std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3});
  archive.set_tensor("i", std::vector<std::int32_t>{-1, 7, 9, 11}, {2, 1, 2});
  archive.set_tensor("l", std::vector<std::int64_t>{std::int64_t{1} << 40}, {1});
  archive.set_tensor("u", std::vector<std::uint8_t>{0, 255, 3}, {3});
  archive.set_tensor("scalar", std::vector<double>{2.5}, {});
  archive.set_tensor("none", std::vector<float>{}, {0, 4});
  return archive;
}

std::string message_of(const Bytes& bytes, const char* kind = "model") {
  try {
    (void)decode_archive(bytes, kind, "a.model");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// CRC-32 of zlib, bit by bit.
std::uint32_t crc32_of(const std::uint8_t* bytes, std::size_t size) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

void put(Bytes& bytes, std::size_t at, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) {
    bytes[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
  }
}

// A file with the given header and payload bytes and a right checksum: what a hostile writer makes.
Bytes forge(const std::string& header, const Bytes& payload = {}, std::uint32_t version = 2) {
  std::size_t end = 48 + header.size();
  if (!payload.empty()) end = (end + 63) / 64 * 64 + payload.size();
  Bytes bytes(end + 4, 0);
  const std::string mark = "\x89TANDEM\n";
  std::copy(mark.begin(), mark.end(), bytes.begin());
  put(bytes, 8, version, 4);
  const std::string kind = "model";
  std::copy(kind.begin(), kind.end(), bytes.begin() + 16);
  put(bytes, 32, header.size(), 8);
  put(bytes, 40, bytes.size(), 8);
  std::copy(header.begin(), header.end(), bytes.begin() + 48);
  std::copy(payload.begin(), payload.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(end - payload.size()));
  put(bytes, end, crc32_of(bytes.data(), end), 4);
  return bytes;
}

TEST(ArchiveFile, KeepsEveryTypeOfEntry) {
  const Archive archive = one_of_everything();
  const Archive read = decode_archive(encode_archive(archive, "model"), "model", "a.model");
  EXPECT_EQ(read, archive);
  EXPECT_EQ(read.origin(), "a.model");
  EXPECT_EQ(read.get_matrix<double>("d")(1, 2), 6);
}

TEST(ArchiveFile, KeepsEveryBitOfNumbers) {
  const std::uint64_t patterns[] = {
      0x7ff8000000000000U, 0x7ff4dead0000beefU,  // quiet and signalling NaN with a payload
      0xfff8000000000001U, 0x7ff0000000000000U, 0xfff0000000000000U, 0x8000000000000000U, 1U,
      0x3fb999999999999aU};
  for (const auto pattern : patterns) {
    Archive archive;
    archive.set("x", from_bits(pattern));
    archive.set("xs", std::vector<double>{from_bits(pattern)});
    const Archive read = decode_archive(encode_archive(archive, "model"), "model", "");
    EXPECT_EQ(bits_of(read.get_double("x")), pattern);
    EXPECT_EQ(bits_of(read.get_doubles("xs")[0]), pattern);
  }
}

TEST(ArchiveFile, TheSameArchiveHasTheSameBytes) {
  EXPECT_EQ(encode_archive(one_of_everything(), "model"),
            encode_archive(one_of_everything(), "model"));
}

TEST(ArchiveFile, PayloadsAreAligned) {
  Archive archive;
  archive.set_tensor("a", std::vector<std::uint8_t>{0xAB}, {1});
  archive.set_tensor("b", std::vector<std::uint8_t>{0xCD}, {1});
  const Bytes bytes = encode_archive(archive, "model");
  const auto a = std::find(bytes.begin(), bytes.end(), 0xAB) - bytes.begin();
  const auto b = std::find(bytes.begin(), bytes.end(), 0xCD) - bytes.begin();
  EXPECT_EQ(a % 64, 0);
  EXPECT_EQ(b, a + 64);
  EXPECT_EQ(bytes.size(), static_cast<std::size_t>(b) + 1 + 4);
}

TEST(ArchiveFile, AnEmptyArchiveIsAFile) {
  const Bytes bytes = encode_archive(Archive{}, "checkpoint");
  EXPECT_EQ(decode_archive(bytes, "checkpoint", ""), Archive{});
}

TEST(ArchiveFile, RefusesEveryTruncation) {
  const Bytes bytes = encode_archive(one_of_everything(), "model");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THAT(message_of(cut), HasSubstr(size == 0 ? "is empty" : "is truncated")) << size;
  }
}

TEST(ArchiveFile, RefusesTrailingBytes) {
  Bytes bytes = encode_archive(one_of_everything(), "model");
  bytes.push_back(0);
  EXPECT_THAT(message_of(bytes), HasSubstr("1 bytes more"));
}

TEST(ArchiveFile, DetectsEveryChangedByte) {
  const Bytes bytes = encode_archive(one_of_everything(), "model");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int change : {0x01, 0x80, 0xff}) {
      Bytes altered = bytes;
      altered[i] = static_cast<std::uint8_t>(altered[i] ^ change);
      EXPECT_NE(message_of(altered), "") << "byte " << i << " ^ " << change;
    }
  }
}

TEST(ArchiveFile, NamesBothVersions) {
  const std::string message = message_of(forge("[]", {}, 7));
  EXPECT_THAT(message, HasSubstr("a.model: "));
  EXPECT_THAT(message, HasSubstr("version 7"));
  EXPECT_THAT(message, HasSubstr("version 2"));
}

TEST(ArchiveFile, TellsAModelFromACheckpoint) {
  const Bytes bytes = encode_archive(one_of_everything(), "checkpoint");
  EXPECT_THAT(message_of(bytes), HasSubstr("is a checkpoint, expected a model"));
}

TEST(ArchiveFile, RefusesOtherFiles) {
  const std::string csv = "sepal,petal\n1,2\n";
  EXPECT_THAT(message_of(Bytes(csv.begin(), csv.end())), HasSubstr("not a Tandem model"));
}

TEST(ArchiveFile, AForgedFileIsReadLikeAnyOther) {
  const Bytes bytes = forge(R"([{"name":"x","type":"uint8","shape":[2]}])", {5, 6});
  EXPECT_EQ(decode_archive(bytes, "model", "").get_tensor<std::uint8_t>("x"),
            (std::vector<std::uint8_t>{5, 6}));
}

TEST(ArchiveFile, RefusesHostileHeaders) {
  const std::vector<std::string> headers{
      "",
      "{}",
      "[",
      "[1]",
      "[[[[[[]]]]]]",
      std::string(100000, '['),
      std::string("[\"") + std::string(1000, '\\'),
      R"([{"name":"x"}])",
      R"([{"name":1,"type":"bool","value":true}])",
      R"([{"name":"x","type":"bool"}])",
      R"([{"name":"x","type":"bool","value":1}])",
      R"([{"name":"x","type":"bool","value":true},{"name":"x","type":"bool","value":true}])",
      R"([{"name":"x","type":"integer","value":9223372036854775808}])",
      R"([{"name":"x","type":"integer","value":1.5}])",
      R"([{"name":"x","type":"number","value":"7ff"}])",
      R"([{"name":"x","type":"number","value":"7ff800000000000g"}])",
      R"([{"name":"x","type":"text","value":{"hex":"abc"}}])",
      R"([{"name":"x","type":"text","value":{"hex":"zz"}}])",
      R"([{"name":"x","type":"texts","value":"a"}])",
      R"([{"name":"x","type":"complex","shape":[0]}])",
      R"([{"name":"x","type":"float32"}])",
      R"([{"name":"x","type":"float32","shape":3}])",
      R"([{"name":"x","type":"float32","shape":[-1]}])",
      R"([{"name":"x","type":"float32","shape":[1.0]}])",
      R"([{"name":"x","type":"float32","shape":[1]}])",
      R"([{"name":"x","type":"float32","shape":[9223372036854775807]}])",
      R"([{"name":"x","type":"float32","shape":[4294967296,4294967296]}])",
      R"([{"name":"x","type":"float32","shape":[0,4611686018427387904]}])",
      R"([{"name":"x","type":"float32","shape":[1,1,1,1,1,1,1,1,1]}])",
      R"([{"name":"x","type":"numbers","shape":[0,0]}])",
      "[{\"name\":\"\xff\",\"type\":\"bool\",\"value\":true}]",
  };
  for (const auto& header : headers) EXPECT_NE(message_of(forge(header)), "") << header;
}

TEST(ArchiveFile, RefusesPayloadsThatDoNotFillTheFile) {
  const std::string header = R"([{"name":"x","type":"uint8","shape":[2]}])";
  EXPECT_NE(message_of(forge(header, {1})), "");
  EXPECT_EQ(message_of(forge(header, {1, 2})), "");
  EXPECT_NE(message_of(forge(header, {1, 2, 3})), "");
  EXPECT_NE(message_of(forge("[]", {1})), "");
}

TEST(ArchiveFile, RefusesAHeaderLongerThanTheFile) {
  Bytes bytes = forge("[]");
  for (const std::uint64_t size : {std::uint64_t{3}, std::uint64_t{1} << 40, UINT64_MAX}) {
    put(bytes, 32, size, 8);
    put(bytes, bytes.size() - 4, crc32_of(bytes.data(), bytes.size() - 4), 4);
    EXPECT_NE(message_of(bytes), "") << size;
  }
}

class ArchiveFileOnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("tandem_archive_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

TEST_F(ArchiveFileOnDisk, IsWrittenWholeAndReadBack) {
  write_archive(path("a.model"), one_of_everything(), "model");
  EXPECT_EQ(read_archive(path("a.model"), "model"), one_of_everything());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ArchiveFileOnDisk, NamesTheFileInMessages) {
  EXPECT_THROW((void)read_archive(path("missing.model"), "model"), InputError);
  {
    std::ofstream(path("b.model"), std::ios::binary)
        << "hello, this is no model at all, only some text";
  }
  try {
    (void)read_archive(path("b.model"), "model");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("b.model: is not a Tandem model"));
  }
}

TEST_F(ArchiveFileOnDisk, AnEndlessFileOfAnotherKindIsRefusedAtItsStart) {
  EXPECT_THROW((void)read_archive("/dev/zero", "model"), InputError);
}

TEST_F(ArchiveFileOnDisk, AFullDeviceIsAnErrorAndStaysADevice) {
  EXPECT_THROW(write_archive("/dev/full", one_of_everything(), "model"), SystemError);
  struct stat status {};
  ASSERT_EQ(::stat("/dev/full", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST_F(ArchiveFileOnDisk, ASymbolicLinkStaysOne) {
  write_archive(path("a.model"), Archive{}, "model");
  std::filesystem::create_symlink(path("a.model"), path("link.model"));
  write_archive(path("link.model"), one_of_everything(), "model");
  EXPECT_TRUE(std::filesystem::is_symlink(path("link.model")));
  EXPECT_EQ(read_archive(path("a.model"), "model"), one_of_everything());
}

}  // namespace
}  // namespace tandem
