// Runs the real program and keeps what it said.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tandem::test {

inline std::string data_file(const std::string& name) {
  return std::string(TANDEM_DATA_DIR) + "/" + name;
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// What a command line prints that a shell runs; fails where it does not end with 0.
inline std::string output_of(const std::string& command) {
  FILE* shell = ::popen((command + " 2>&1").c_str(), "r");
  if (shell == nullptr) {
    ADD_FAILURE() << "no shell for " << command;
    return "";
  }
  std::string said;
  std::array<char, 200> line{};
  while (std::fgets(line.data(), line.size(), shell) != nullptr) said += line.data();
  EXPECT_EQ(::pclose(shell), 0) << command << "\n" << said;
  return said;
}

struct Outcome {
  int status = -1;  // exit status; 128 + signal where one killed it
  std::string out;
  std::string err;

  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
};

// A folder of its own for each test, and the program run in it.
class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::string(TANDEM_PROGRAM).empty()) GTEST_SKIP() << "the program is not built";
    std::string pattern =
        (std::filesystem::path(::testing::TempDir()) / "tandem-app-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // `meanwhile`, where given, is called with the process's number once it runs. `out` is where
  // standard output goes; a file in the folder unless given.
  [[nodiscard]] Outcome run(const std::vector<std::string>& arguments,
                            const std::function<void(pid_t)>& meanwhile = {},
                            const std::string& out = {}) const {
    const std::string out_path = out.empty() ? path("stdout.txt") : out;
    const std::string err_path = path("stderr.txt");
    std::vector<std::string> words{program_};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      const int to_out = ::open(out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      const int to_err = ::open(err_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(to_out, STDOUT_FILENO);
      ::dup2(to_err, STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    if (meanwhile) meanwhile(child);
    int status = 0;
    ::waitpid(child, &status, 0);
    Outcome outcome;
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (out.empty()) outcome.out = read_text(out_path);
    outcome.err = read_text(err_path);
    return outcome;
  }

  // Runs with --json, expects success and returns what was printed.
  [[nodiscard]] nlohmann::json result(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    if (outcome.status != 0) return nlohmann::json::object();
    return outcome.json();
  }

  std::string program_ = TANDEM_PROGRAM;
  std::string folder_;
};

}  // namespace tandem::test
