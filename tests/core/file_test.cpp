#include "core/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

namespace fs = std::filesystem;

class File : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tandem-file-test-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }
  fs::path folder_;
};

TEST_F(File, ReadsBackWhatWasWritten) {
  std::string text(700'000, 'x');
  text[123'456] = '\0';
  write_file(path("a"), text);
  const auto bytes = read_file(path("a"));
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), text);
  EXPECT_EQ(entries(), 1U);
}

TEST_F(File, AStreamedFileIsWhole) {
  write_file(path("b"), [](std::ostream& out) {
    for (int i = 0; i < 200'000; ++i) out << i << '\n';
  });
  const auto bytes = read_file(path("b"));
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_EQ(text.substr(0, 6), "0\n1\n2\n");
  EXPECT_EQ(text.substr(text.size() - 7), "199999\n");
}

TEST_F(File, AFailureInTheMiddleLeavesTheOldFileAndNothingElse) {
  write_file(path("c"), std::string_view("old"));
  EXPECT_THROW(write_file(path("c"),
                          [](std::ostream& out) {
                            out << std::string(1'000'000, 'n');
                            throw InputError("row 7 is bad");
                          }),
               InputError);
  const auto bytes = read_file(path("c"));
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "old");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(File, ErrorsNameThePath) {
  const auto message = [](auto&& action) -> std::string {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(message([&] { (void)read_file(path("none")); }).find(path("none") + ": no such file"),
            std::string::npos);
  EXPECT_NE(message([&] { (void)read_file(folder_.string()); }).find("is a folder"),
            std::string::npos);
  EXPECT_NE(
      message([&] { write_file(path("no/folder"), std::string_view("x")); }).find("does not exist"),
      std::string::npos);
  fs::create_directory(path("taken"));
  EXPECT_NE(message([&] { write_file(path("taken"), std::string_view("x")); }).find(path("taken")),
            std::string::npos);
  EXPECT_EQ(entries(), 1U);
}

}  // namespace
}  // namespace tandem
