// Help pages, completion and manual pages, which are made from one description; and what happens
// when nobody reads the output to its end.
#include <gmock/gmock.h>

#include <sstream>
#include <string>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class HelpPages : public Program {
 protected:
  static std::size_t widest(const std::string& text) {
    std::size_t most = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) most = std::max(most, line.size());
    return most;
  }
  // The commands that the overview lists.
  [[nodiscard]] std::vector<std::string> listed_commands() const {
    const std::string all = run({"help"}).out;
    std::istringstream lines(all.substr(0, all.find("\nAlgorithms:")));
    std::vector<std::string> names;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("  ") && line[2] != ' ') {
        names.push_back(line.substr(2, line.find(' ', 2) - 2));
      }
    }
    EXPECT_GT(names.size(), 30U);
    return names;
  }
  // The completions of the last of the words that a shell is given.
  [[nodiscard]] std::string completed(std::vector<std::string> words) const {
    std::vector<std::string> arguments{"completion", "words", "--"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return "\n" + outcome.out;
  }
};

TEST_F(HelpPages, FitTheTerminal) {
  ::unsetenv("COLUMNS");
  for (const char* width : {"", "60", "80"}) {
    if (*width != 0) ::setenv("COLUMNS", width, 1);
    const std::size_t most = *width != 0 ? std::stoul(width) : 80;
    // But for the last lines of the overview, which are to be copied.
    for (const std::string& command : listed_commands()) {
      EXPECT_LE(widest(run({"help", command}).out), most) << command;
    }
    EXPECT_LE(widest(run({"help", "train", "mlp"}).out), most);
    EXPECT_LE(widest(run({"help"}).out), 80U);
  }
  ::setenv("COLUMNS", "70", 1);
  const std::string narrow = run({"help", "train", "mlp"}).out;
  ::setenv("COLUMNS", "1000", 1);
  const std::string wide = run({"help", "train", "mlp"}).out;
  ::setenv("COLUMNS", "wide", 1);
  const std::string unknown = run({"help", "train", "mlp"}).out;
  ::unsetenv("COLUMNS");
  EXPECT_LE(widest(narrow), 70U);
  EXPECT_LE(widest(wide), 100U);
  EXPECT_GT(widest(wide), 80U);
  EXPECT_EQ(unknown, run({"help", "train", "mlp"}).out);
}

TEST_F(HelpPages, CompletionKnowsCommandsAlgorithmsOptionsAndWords) {
  EXPECT_THAT(completed({"tr"}), HasSubstr("\ntrain\ttrain a model"));
  EXPECT_THAT(completed({"train", ""}), HasSubstr("\nkmeans\t"));
  EXPECT_THAT(completed({"train", "kmeans", "--"}), HasSubstr("\n--max-iterations\t"));
  EXPECT_THAT(completed({"train", "kmeans", "--"}), Not(HasSubstr("\n--hidden\t")));
  EXPECT_EQ(completed({"train", "kmeans", "--init", ""}),
            "\nk-means++\nk-means||\nrandom\ngiven\n");
  EXPECT_EQ(completed({"train", "kmeans", "--init", "=", "r"}),
            completed({"train", "kmeans", "--init", "r"}));
  EXPECT_THAT(completed({"train", "kmeans", "--init=r"}), HasSubstr("\n--init=random\n"));
  EXPECT_EQ(completed({"train", "kmeans", "--data", "x"}), "\n:files\n");
  EXPECT_EQ(completed({"train", "kmeans", "--k", ""}), "\n");
  EXPECT_EQ(completed({"predict", ""}), "\n:files\n");
  EXPECT_THAT(completed({"generate", "--rows", "5", ""}), HasSubstr("\nmoons\n"));
  EXPECT_EQ(completed({"nonsense", ""}), "\n");
  // Of commands with actions, these, and what comes after them.
  EXPECT_EQ(completed({"fraud", ""}), "\nsimulate\ntrain\nretrain\nserve\nreplay\n");
  EXPECT_THAT(completed({"recommend", ""}), HasSubstr("\npolicies\n"));
  EXPECT_THAT(completed({"recommend", "train", ""}), HasSubstr("\nitem-knn\n"));
  EXPECT_EQ(completed({"bench", ""}), "\ncompare\nhistory\n:files\n");
  EXPECT_THAT(completed({"bench", "compare", ""}), HasSubstr("\n:files\n"));
  EXPECT_THAT(completed({"models", ""}), HasSubstr("\npromote\n"));
  EXPECT_EQ(completed({"models", "list", ""}), "\n:files\n");
  EXPECT_THAT(completed({"experiment", ""}), HasSubstr("\nanalyse\n"));
  EXPECT_THAT(completed({"fraud", "serve", "--st"}), HasSubstr("\n--state\t"));
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(run({"completion", shell}).out, HasSubstr("completion words --")) << shell;
  }
  const Outcome other = run({"completion", "tcsh"});
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("expected bash, zsh or fish"));
}

TEST_F(HelpPages, BashTakesTheScript) {
  write_text(path("script"), run({"completion", "bash"}).out);
  write_text(path("ask"), "source '" + path("script") + "'\nCOMP_WORDS=('" +
                              std::string(TANDEM_PROGRAM) +
                              "' train decision-tree --criterion g)\nCOMP_CWORD=4\n_tandem\n"
                              "echo \"${COMPREPLY[@]}\"\n");
  EXPECT_EQ(output_of("bash '" + path("ask") + "'"), "gini\n");
}

TEST_F(HelpPages, ZshTakesTheScript) {
  if (std::system("zsh --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no zsh";
  write_text(path("script"), run({"completion", "zsh"}).out);
  // In place of the functions of zsh's completion: what the script hands to them.
  write_text(path("ask"),
             "compdef() { : }\n_describe() { print -rl -- \"${(@P)2}\" }\n"
             "_files() { print files }\nsource '" +
                 path("script") + "'\nwords=('" + std::string(TANDEM_PROGRAM) +
                 "' train decision-tree --criterion g)\nCURRENT=5\n_tandem\n"
                 "words=('" +
                 std::string(TANDEM_PROGRAM) + "' predict m)\nCURRENT=3\n_tandem\n");
  EXPECT_EQ(output_of("zsh -f '" + path("ask") + "'"),
            "entropy\ngini\nsquared-error\nauto\nfiles\n");
}

TEST_F(HelpPages, FishTakesTheScript) {
  if (std::system("fish --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no fish";
  write_text(path("script"), run({"completion", "fish"}).out);
  const std::filesystem::path program(TANDEM_PROGRAM);
  write_text(path("ask"), "set -x HOME '" + path("") + "'\nset -x PATH '" +
                              program.parent_path().string() + "' $PATH\nsource '" +
                              path("script") +
                              "'\ncomplete -C 'tandem train decision-tree --criterion g'\n"
                              "complete -C 'tandem train dec'\n");
  const std::string said = output_of("fish '" + path("ask") + "'");
  EXPECT_THAT(said, ::testing::StartsWith("gini\n"));
  EXPECT_THAT(said, HasSubstr("decision-tree\tclassification"));
}

TEST_F(HelpPages, ManualPagesHaveEveryOptionOfTheHelpPage) {
  const Outcome outcome = run({"man", "--out", path("man1")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string page = read_text(path("man1") + "/tandem-train-mlp.1");
  EXPECT_THAT(page, HasSubstr(".TH \"TANDEM-TRAIN-MLP\" 1"));
  EXPECT_THAT(page, HasSubstr(".B \\-\\-batch\\-size N"));
  std::istringstream lines(run({"help", "train", "mlp"}).out);
  int options = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  --")) continue;
    std::string name = line.substr(2, line.find(' ', 2) - 2);
    std::string escaped;
    for (const char c : name) escaped += c == '-' ? "\\-" : std::string(1, c);
    EXPECT_THAT(page, HasSubstr(".B " + escaped)) << name;
    ++options;
  }
  EXPECT_GT(options, 30);
  EXPECT_TRUE(std::filesystem::exists(path("man1") + "/tandem.1"));
  EXPECT_FALSE(std::filesystem::exists(path("man1") + "/tandem-select-mlp.1"));
}

TEST_F(HelpPages, AReaderThatStopsEndsTheProgramQuietly) {
  const std::string command = std::string("bash -c \"'") + TANDEM_PROGRAM +
                              "' generate blobs --rows 200000 2>'" + path("err") +
                              "' | head -n 1; echo \\${PIPESTATUS[0]}\"";
  EXPECT_THAT(output_of(command), HasSubstr("\n141\n"));
  EXPECT_EQ(read_text(path("err")), "");
}

}  // namespace
}  // namespace tandem::test
