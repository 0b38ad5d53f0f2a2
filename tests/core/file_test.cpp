#include "core/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

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

TEST_F(File, TemporaryFilesOfProcessesThatAreGoneAreRemoved) {
  // A process that has ended, whose number nobody has.
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
  const auto put = [&](const std::string& name) {
    write_file(path(name), std::string_view("part"));
  };
  const std::string old = "m.tmp-" + std::to_string(gone) + "-0";
  put(old);
  put("m.tmp-" + std::to_string(gone) + "-17");
  // None of these is such a file of this name, or its process lives.
  const std::vector<std::string> kept{"m.tmp-" + std::to_string(::getppid()) + "-0",
                                      "other.tmp-" + std::to_string(gone) + "-0",
                                      "m.tmp-" + std::to_string(gone),
                                      "m.tmp-x-0",
                                      "m.tmp-12-3-4",
                                      "m.tmp"};
  for (const auto& name : kept) put(name);
  fs::create_directory(path("m.tmp-" + std::to_string(gone) + "-2"));
  write_file(path("m"), std::string_view("new"));
  EXPECT_FALSE(fs::exists(path(old)));
  EXPECT_FALSE(fs::exists(path("m.tmp-" + std::to_string(gone) + "-17")));
  for (const auto& name : kept) EXPECT_TRUE(fs::exists(path(name))) << name;
  EXPECT_EQ(entries(), kept.size() + 2);
}

TEST_F(File, AFileThatSomebodyHoldsIsNotRemoved) {
  const pid_t gone = ::fork();
  if (gone == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(gone, nullptr, 0), gone);
  // As if a process of another container, with a number of its own, were writing it.
  const std::string held = path("m.tmp-" + std::to_string(gone) + "-0");
  write_file(held, std::string_view("part"));
  const int descriptor = ::open(held.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::flock(descriptor, LOCK_EX), 0);
  write_file(path("m"), std::string_view("new"));
  EXPECT_TRUE(fs::exists(held));
  ::close(descriptor);
  write_file(path("m"), std::string_view("new"));
  EXPECT_FALSE(fs::exists(held));
}

TEST_F(File, OverwritingKeepsTheMode) {
  for (const mode_t mode : {0600U, 0640U, 0664U, 0755U, 0444U | 0200U}) {
    write_file(path("m"), std::string_view("old"));
    ASSERT_EQ(::chmod(path("m").c_str(), mode), 0);
    write_file(path("m"), std::string_view("new"));
    struct stat status {};
    ASSERT_EQ(::stat(path("m").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, mode);
    const auto bytes = read_file(path("m"));
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "new");
  }
}

TEST_F(File, LinksThatLeadNowhereAreErrors) {
  fs::create_symlink("missing", path("dangling"));
  fs::create_symlink("b", path("a"));
  fs::create_symlink("a", path("b"));
  fs::create_symlink("self", path("self"));
  const auto message_of = [](const std::function<void()>& call) -> std::string {
    try {
      call();
    } catch (const InputError& error) {
      return error.what();
    }
    return "no InputError";
  };
  for (const bool reads : {false, true}) {
    const auto access = [&](const std::string& name) {
      return message_of([&] {
        if (reads)
          (void)read_file(path(name));
        else
          write_file(path(name), std::string_view("x"));
      });
    };
    EXPECT_NE(access("dangling").find("symbolic link to missing, which does not exist"),
              std::string::npos);
    EXPECT_NE(access("a").find("leads back to itself"), std::string::npos);
    EXPECT_NE(access("self").find("leads back to itself"), std::string::npos);
  }
  // Nothing was made of them, and a link that leads somewhere stays one.
  EXPECT_EQ(entries(), 4U);
  write_file(path("file"), std::string_view("old"));
  fs::create_symlink("file", path("link"));
  write_file(path("link"), std::string_view("new"));
  EXPECT_TRUE(fs::is_symlink(path("link")));
  const auto bytes = read_file(path("file"));
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "new");
}

// As where the disk is full, but for one process.
TEST_F(File, AFileThatMayNotGrowLeavesNothing) {
  write_file(path("m"), std::string_view("old"));
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{10'000, 10'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int status = 1;
    try {
      write_file(path("m"), std::string(100'000, 'x'));
    } catch (const SystemError& error) {
      status =
          std::string(error.what()).find("nothing was left behind") == std::string::npos ? 2 : 0;
    }
    ::_exit(status);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(entries(), 1U);
  const auto bytes = read_file(path("m"));
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "old");
}

}  // namespace
}  // namespace tandem
