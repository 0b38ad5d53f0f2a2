// The program's manners towards the files, terminals and processes around it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "app/program.hpp"

namespace tandem::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string case_file(const std::string& name) {
  return std::string(TANDEM_DATA_DIR) + "/../tests/app/cases/" + name;
}

class Manners : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    if (IsSkipped()) return;
    write_text(path("in.csv"), rows_);
  }
  // A model of in.csv.
  [[nodiscard]] std::string model() const {
    const std::string name = path("model");
    if (!fs::exists(name)) {
      EXPECT_EQ(run({"train", "decision-tree", "--data", path("in.csv"), "--model", name}).status,
                0);
    }
    return name;
  }
  // The command is refused with this in its message, and every file is as it was.
  void expect_refused(const std::vector<std::string>& arguments, const std::string& said) const {
    std::map<std::string, std::string> before;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      std::error_code ignored;
      if (entry.is_regular_file(ignored)) {
        before[entry.path().string()] = read_text(entry.path().string());
      }
    }
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(outcome.err, HasSubstr(said));
    for (const auto& [name, text] : before) {
      if (name.ends_with("stdout.txt") || name.ends_with("stderr.txt")) continue;
      EXPECT_EQ(read_text(name), text) << name;
    }
  }

  std::string rows_ = "a,b,y\n1,2,yes\n2,1,no\n3,5,yes\n4,0,no\n5,9,yes\n6,1,no\n";
};

// --- an output never harms an input --------------------------------------------------------------

TEST_F(Manners, AnOutputThatIsAnInputIsRefused) {
  const std::string in = path("in.csv");
  fs::create_hard_link(in, path("hard"));
  fs::create_symlink("in.csv", path("soft"));
  fs::create_directory(path("sub"));
  const std::string m = model();
  const auto mlp = [&](std::vector<std::string> more) {
    std::vector<std::string> all{"train", "mlp", "--data", in, "--epochs", "2"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  for (const std::string& same : {in, path("hard"), path("soft"), path("./sub/../in.csv")}) {
    expect_refused(mlp({"--model", same}), "is the file that --data");
    expect_refused(mlp({"--checkpoint", same, "--checkpoint-every", "0"}),
                   "is the file that --data");
    expect_refused({"predict", m, "--data", in, "--out", same}, "is the file that --data");
    // Not even where the user insists.
    expect_refused({"predict", m, "--data", in, "--out", same, "--force"},
                   "is the file that --data");
  }
  expect_refused({"predict", m, "--data", in, "--out", m, "--force"}, "is the file that the model");
  write_text(path("test.csv"), rows_);
  write_text(path("y.csv"), "y\n1\n");
  expect_refused(mlp({"--test", path("test.csv"), "--model", path("test.csv")}),
                 "is the file that --test");
  expect_refused(mlp({"--validation", path("test.csv"), "--checkpoint", path("test.csv")}),
                 "is the file that --validation");
  fs::create_hard_link(in, path("x.checkpoint"));
  expect_refused(mlp({"--model", path("x")}), "is the file that --data");
}

// The next reading of the folder would have it in the table, or it was in it already.
TEST_F(Manners, AnOutputAmongTheFilesOfATableIsRefused) {
  const std::string m = model();
  fs::create_directory(path("table"));
  write_text(path("table/a.csv"), rows_);
  write_text(path("table/b.csv"), rows_);
  fs::create_directory_symlink("table", path("link"));
  fs::create_symlink("table/b.csv", path("soft"));
  fs::create_hard_link(path("table/b.csv"), path("hard"));
  const std::string said = "would be one of the files that";
  for (const char* data : {"table", "link", "table/*.csv"}) {
    for (const char* out : {"table/a.csv", "link/b.csv", "table/new.csv", "soft", "hard"}) {
      expect_refused({"predict", m, "--data", path(data), "--out", path(out), "--force"}, said);
      expect_refused(
          {"train", "decision-tree", "--data", path(data), "--model", path(out), "--force"}, said);
    }
  }
  expect_refused({"cross-validate", "decision-tree", "--data", path("table"), "--report",
                  path("table"), "--folds", "2"},
                 "--data");
  EXPECT_EQ(run({"predict", m, "--data", path("table/*.csv"), "--out", path("table/p.txt")}).status,
            0);
  fs::remove(path("table/p.txt"));
  EXPECT_EQ(run({"predict", m, "--data", path("table"), "--out", path("p.csv")}).status, 0);
  const std::string command = "'" + program_ + "' predict '" + m + "' --data '" + path("table") +
                              "' > '" + path("table/out.csv") + "' 2> '" + path("err") + "'";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 2);
  EXPECT_THAT(read_text(path("err")), HasSubstr("standard output goes to"));
}

TEST_F(Manners, AnEmptyNameOfAFileIsRefused) {
  for (const char* option : {"--model", "--test", "--checkpoint"}) {
    const Outcome outcome = run({"train", "decision-tree", "--data", path("in.csv"), option, ""});
    EXPECT_EQ(outcome.status, 2) << option;
    EXPECT_THAT(outcome.err, HasSubstr("the text is empty")) << option;
  }
}

// A file that is opened where standard error was would have in it what is said there.
TEST_F(Manners, ClosedStandardStreamsHarmNothing) {
  for (const char* closed : {"2>&-", ">&-", "<&-", "<&- >&- 2>&-"}) {
    const std::string command = "'" + program_ + "' train mlp --epochs 3 --data '" +
                                path("in.csv") + "' --checkpoint-every 0 --force --model '" +
                                path("closed") + "' " + closed + " >> '" + path("said") + "'";
    (void)std::system(("bash -c \"" + command + "\"").c_str());
    EXPECT_EQ(run({"inspect", path("closed")}).status, 0) << closed;
  }
  const std::string none =
      "'" + program_ + "' train decision-tree --data - <&- 2> '" + path("err") + "'";
  EXPECT_EQ(WEXITSTATUS(std::system(none.c_str())), 2);
  EXPECT_THAT(read_text(path("err")), HasSubstr("standard input: is closed"));
  EXPECT_EQ(
      WEXITSTATUS(std::system(("'" + program_ + "' look - <&- 2> '" + path("err") + "'").c_str())),
      2);
  EXPECT_THAT(read_text(path("err")), HasSubstr("standard input: is closed"));
  // One that can only be written to is as good as closed.
  const std::string written =
      "'" + program_ + "' look - 0> '" + path("out") + "' 2> '" + path("err") + "'";
  EXPECT_EQ(WEXITSTATUS(std::system(written.c_str())), 2);
  EXPECT_THAT(read_text(path("err")), HasSubstr("cannot be read from"));
}

TEST_F(Manners, TwoOutputsThatAreOneFileAreRefused) {
  const std::vector<std::string> mlp{"train", "mlp", "--data", path("in.csv"), "--epochs", "2"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = mlp;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_refused(
      with({"--model", path("same"), "--checkpoint", path("same"), "--checkpoint-every", "0"}),
      "are one file");
  EXPECT_FALSE(fs::exists(path("same")));
  fs::create_directory(path("sub"));
  expect_refused(with({"--model", path("same"), "--checkpoint", path("sub/../same")}),
                 "are one file");
  expect_refused(with({"--model", path("r/report.html"), "--report", path("r")}), "are one file");
  write_text(path("one"), "");
  fs::create_hard_link(path("one"), path("two"));
  expect_refused(with({"--model", path("one"), "--checkpoint", path("two")}), "are one file");
  // A checkpoint that is resumed from may be written again, and /dev/null is everybody's.
  EXPECT_EQ(run(with({"--model", "/dev/null", "--checkpoint", "/dev/null"})).status, 0);
}

TEST_F(Manners, AFileOfAnotherKindIsReplacedOnlyByForce) {
  const std::string m = model();
  write_text(path("notes.txt"), "do not lose this\n");
  write_text(path("labels.csv"), "id,y\n1,yes\n");
  const std::vector<std::string> train{"train", "decision-tree", "--data", path("in.csv"),
                                       "--model"};
  const auto to = [&](std::vector<std::string> words, const std::string& name,
                      std::vector<std::string> more = {}) {
    words.push_back(name);
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  expect_refused(to(train, path("notes.txt")), "add --force");
  expect_refused(to({"predict", m, "--data", path("in.csv"), "--out"}, path("labels.csv")),
                 "add --force");
  expect_refused(to({"generate", "blobs", "--out"}, path("labels.csv")), "add --force");
  write_text(path("new.checkpoint"), "mine");
  expect_refused(to(train, path("new")), "new.checkpoint: exists");
  fs::create_directory(path("page"));
  write_text(path("page/report.html"), "<html>my own page</html>");
  expect_refused(to({"train", "decision-tree", "--data", path("in.csv"), "--report"}, path("page")),
                 "add --force");
  EXPECT_EQ(read_text(path("page/report.html")), "<html>my own page</html>");
  // A model replaces a model, and an empty file is nobody's loss.
  EXPECT_EQ(run(to(train, m)).status, 0);
  write_text(path("empty"), "");
  EXPECT_EQ(run(to(train, path("empty"))).status, 0);
  EXPECT_EQ(run(to(train, path("notes.txt"), {"--force"})).status, 0);
}

// The labels of somebody's data look as predictions do: a table or an array is replaced where it is
// what the program itself wrote, which the file system remembers.
TEST_F(Manners, OnlyItsOwnTablesAreReplaced) {
  const std::string m = model();
  const bool remembers = ::setxattr(path("in.csv").c_str(), "user.tandem.test", "1", 1, 0) == 0;
  for (const std::string name : {"p.csv", "p.npy"}) {
    const std::vector<std::string> predict{"predict",      m,       "--data",
                                           path("in.csv"), "--out", path(name)};
    write_text(path(name), run({"predict", m, "--data", path("in.csv")}).out);
    expect_refused(predict, "add --force");  // the same bytes, of somebody else
    fs::remove(path(name));
    ASSERT_EQ(run(predict).status, 0);
    if (remembers) {
      EXPECT_EQ(run(predict).status, 0);
      std::ofstream(path(name), std::ios::app) << "3\n";
    }
    expect_refused(predict, "add --force");  // changed since
    std::vector<std::string> forced = predict;
    forced.emplace_back("--force");
    EXPECT_EQ(run(forced).status, 0);
    fs::copy_file(path(name), path("copy" + name));
    expect_refused({"predict", m, "--data", path("in.csv"), "--out", path("copy" + name)},
                   "add --force");
  }
  const std::vector<std::string> generate{"generate", "blobs", "--out", path("g.csv")};
  EXPECT_EQ(run(generate).status, 0);
  if (remembers) {
    EXPECT_EQ(run(generate).status, 0);
  }
  write_text(path("g.csv"), read_text(path("g.csv")) + "\n");
  expect_refused(generate, "add --force");
}

// What the program wrote is not all of one kind: data that it generated is no room for predictions.
TEST_F(Manners, OneKindOfOutputDoesNotReplaceAnother) {
  const std::string m = path("trees");
  ASSERT_EQ(
      run({"train", "gradient-boosting", "--data", path("in.csv"), "--rounds", "2", "--model", m})
          .status,
      0);
  const std::vector<std::vector<std::string>> writers{
      {"generate", "blobs", "--rows", "20"},
      {"predict", m, "--data", path("in.csv")},
      {"explain", m, "--data", path("in.csv")},
      {"fraud", "simulate", "--days", "1", "--users", "10"},
      {"recommend", "simulate", "--users", "10", "--items", "5"}};
  for (std::size_t first = 0; first < writers.size(); ++first) {
    const std::string out = path("out" + std::to_string(first) + ".csv");
    std::vector<std::string> words = writers[first];
    words.insert(words.end(), {"--out", out});
    const Outcome made = run(words);
    ASSERT_EQ(made.status, 0) << made.err;
    for (std::size_t k = 0; k < writers.size(); ++k) {
      if (k == first) continue;
      std::vector<std::string> other = writers[k];
      other.insert(other.end(), {"--out", out});
      expect_refused(other, "add --force");
    }
  }
  // Two formats of one model.
  ASSERT_EQ(run({"export", m, "--out", path("e.json")}).status, 0);
  expect_refused({"export", m, "--onnx", path("e.json")}, "promises another format");
  fs::rename(path("e.json"), path("e.onnx"));
  expect_refused({"export", m, "--onnx", path("e.onnx")}, "add --force");
  EXPECT_EQ(run({"export", m, "--onnx", path("e.onnx"), "--force"}).status, 0);
}

// Pages of the manual go to a folder that may be anybody's.
TEST_F(Manners, OnlyItsOwnManualPagesAreReplaced) {
  const std::string folder = path("man1");
  ASSERT_EQ(run({"man", "--out", folder}).status, 0);
  EXPECT_EQ(run({"man", "--out", folder}).status, 0);
  fs::remove(folder + "/tandem-train.1");
  write_text(folder + "/tandem-train.1", "my own notes\n");
  expect_refused({"man", "--out", folder}, "tandem-train.1: exists");
  fs::remove(folder + "/tandem-train.1");
  fs::create_symlink(path("in.csv"), folder + "/tandem-train.1");
  const std::string before = read_text(path("in.csv"));
  expect_refused({"man", "--out", folder}, "add --force");
  EXPECT_EQ(read_text(path("in.csv")), before);
}

// A log is added to, and so has to be one.
TEST_F(Manners, ALogIsNoDataFile) {
  const std::string before = read_text(path("in.csv"));
  fs::create_directory(path("models"));
  expect_refused({"serve", path("models"), "--http", "127.0.0.1:0", "--log", path("in.csv")},
                 "is no log");
  EXPECT_EQ(read_text(path("in.csv")), before);
}

TEST_F(Manners, OnlyACheckpointIsRemoved) {
  const std::string checkpoint = path("c");
  ASSERT_EQ(run({"train", "mlp", "--data", path("in.csv"), "--epochs", "3", "--checkpoint",
                 checkpoint, "--checkpoint-every", "0"})
                .status,
            0);
  EXPECT_FALSE(fs::exists(checkpoint));
}

TEST_F(Manners, LinksThatLeadNowhereAreRefused) {
  fs::create_symlink("missing", path("dangling"));
  fs::create_symlink("loop", path("loop"));
  for (const char* name : {"dangling", "loop"}) {
    expect_refused({"train", "decision-tree", "--data", path("in.csv"), "--model", path(name)},
                   "is a symbolic link");
    expect_refused({"train", "decision-tree", "--data", path(name)}, "is a symbolic link");
    expect_refused({"inspect", path(name)}, "is a symbolic link");
  }
  EXPECT_FALSE(fs::exists(path("missing")));
}

TEST_F(Manners, StandardOutputIsNotAppendedToWhatIsRead) {
  const std::string m = model();
  const std::string command = "'" + program_ + "' predict '" + m + "' --data '" + path("in.csv") +
                              "' >> '" + path("in.csv") + "' 2> '" + path("err") + "'";
  EXPECT_NE(std::system(command.c_str()), 0);
  EXPECT_EQ(read_text(path("in.csv")), rows_);
  EXPECT_THAT(read_text(path("err")), HasSubstr("standard output goes to"));
}

// --- text from files -----------------------------------------------------------------------------

bool has_control(const std::string& text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 32 && c != '\n' && c != '\t') || byte == 127) return true;
  }
  return text.find("\xc2\x9b") != std::string::npos;
}

TEST_F(Manners, ControlCharactersAreShownAndNotObeyed) {
  const std::string red = "\x1b[31mRED\x1b[0m";
  write_text(path("esc.csv"), "a\x1b[2J,y\x1b]0;t\x07\n1," + red +
                                  "\n2,ok\n3,\xc2\x9b"
                                  "5m\n4," +
                                  red + "\n5,de\x7fl\n6,ok\n");
  const std::vector<std::string> train{"train",         "decision-tree", "--data",
                                       path("esc.csv"), "--model",       path("esc.m")};
  const Outcome trained = run(train);
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.out, HasSubstr("\\x1b[31mRED"));
  EXPECT_FALSE(has_control(trained.out));
  EXPECT_FALSE(has_control(trained.err));
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"inspect", path("esc.m")},
        {"inspect", path("esc.m"), "--json"},
        {"inspect", path("esc.m"), "--graphviz"},
        {"evaluate", path("esc.m"), "--data", path("esc.csv")},
        {"evaluate", path("esc.m"), "--data", path("esc.csv"), "--json"},
        {"cross-validate", "decision-tree", "--data", path("esc.csv"), "--folds", "2"}}) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_FALSE(has_control(outcome.out)) << command.front();
    EXPECT_FALSE(has_control(outcome.err)) << command.front();
  }
  // JSON reads back as it was.
  EXPECT_THAT(run({"inspect", path("esc.m"), "--json"}).json()["classes"].dump(),
              HasSubstr("\\u001b[31mRED"));
  // Errors name options, columns and files.
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"train", "decision-tree", "--data", path("no\x1b[31m.csv")},
        {"train", "decision-tree", "--data", path("esc.csv"), "--target", "\x1b[31mz"},
        {"train", "decision-tree\x1b[31m"},
        {"train", "decision-tree", "--\x1b[31mdata", "x"},
        {"\x1b]0;x\x07"}}) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_FALSE(has_control(outcome.err)) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("\\x1b"));
  }
  // A file and a pipe get the bytes.
  ASSERT_EQ(
      run({"predict", path("esc.m"), "--data", path("esc.csv"), "--out", path("p.csv")}).status, 0);
  EXPECT_THAT(read_text(path("p.csv")), HasSubstr(red));
  EXPECT_THAT(run({"predict", path("esc.m"), "--data", path("esc.csv")}).out, HasSubstr(red));
}

// --- metrics -------------------------------------------------------------------------------------

// The classes overlap in x, and far from the border every probability is 1: by those, all rows of a
// side are tied. x itself ranks the test rows with an area of 0.846.
TEST_F(Manners, RankingUsesMarginsWhereProbabilitiesAreAllOne) {
  for (const char* precision : {"float64", "float32"}) {
    ASSERT_EQ(run({"train", "logistic-regression", "--data", case_file("auc_train.csv"), "--c",
                   "100", "--scale", "none", "--precision", precision, "--model", path("m")})
                  .status,
              0);
    for (const char* device : {"reference", "cpu"}) {
      const auto metrics = result({"evaluate", path("m"), "--data", case_file("auc_test.csv"),
                                   "--device", device})["metrics"];
      EXPECT_NEAR(metrics["roc_auc"].get<double>(), 0.846, 5e-4) << precision << " " << device;
      EXPECT_GT(metrics["average_precision"].get<double>(), 0.6) << precision << " " << device;
    }
  }
}

TEST_F(Manners, EqualSplitsGoToTheFirstFeature) {
  for (const char* device : {"reference", "cpu"}) {
    ASSERT_EQ(run({"train", "decision-tree", "--data", case_file("tree_tie.csv"), "--weights", "w",
                   "--task", "regression", "--device", device, "--model", path("m")})
                  .status,
              0);
    EXPECT_THAT(run({"inspect", path("m")}).out, HasSubstr("x0 <= 0.5"));
  }
}

TEST_F(Manners, RowsOfWeightZeroAreAsIfTheyWereNotThere) {
  for (const char* algorithm : {"logistic-regression", "decision-tree", "mlp"}) {
    const auto loss = [&](const char* name) {
      return result({"train", algorithm, "--data", case_file(name), "--weights", "w", "--threads",
                     "1"})["metrics"]["log_loss"]
          .get<double>();
    };
    // Batches of a perceptron are of other rows.
    const double near = std::string(algorithm) == "mlp" ? 0.1 : 1e-9;
    EXPECT_NEAR(loss("weights_all.csv"), loss("weights_removed.csv"), near) << algorithm;
  }
}

TEST_F(Manners, RankIsJudgedByTheSizeOfEachColumn) {
  EXPECT_GT(
      result({"train", "linear-regression", "--data", case_file("timestamps.csv")})["metrics"]["r2"]
          .get<double>(),
      0.999);
  for (const char* solver : {"auto", "qr"}) {
    ASSERT_EQ(run({"train", "linear-regression", "--data", case_file("sum.npy"), "--target", "last",
                   "--solver", solver, "--model", path("m")})
                  .status,
              0);
    const auto sum = run({"inspect", path("m"), "--json"}).json()["model"];
    EXPECT_EQ(sum["rank"], 2) << solver;
    for (const auto& [name, weight] : sum["coefficients"].items()) {
      EXPECT_LT(std::abs(weight.get<double>()), 3) << solver << " " << name;
    }
    ASSERT_EQ(run({"train", "linear-regression", "--data", case_file("wide.npy"), "--target",
                   "last", "--solver", solver, "--model", path("m")})
                  .status,
              0);
    EXPECT_LE(run({"inspect", path("m"), "--json"}).json()["model"]["rank"].get<int>(), 19);
  }
}

TEST_F(Manners, WhatIsNotDefinedIsSaidSo) {
  write_text(path("r.csv"), "x,y\n1,1\n2,2.5\n3,2.9\n4,4.2\n5,5\n6,5.5\n");
  const std::vector<std::string> folds{"cross-validate", "linear-regression", "--data",
                                       path("r.csv"),    "--folds",           "6"};
  EXPECT_TRUE(result({"cross-validate", "linear-regression", "--data", case_file("rare.csv"),
                      "--folds", "40"})["summary"]["r2"]["mean"]
                  .is_null());
  const Outcome outcome = run(folds);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("undefined"));
  EXPECT_THAT(outcome.out, HasSubstr("r2 is not defined on 6 of 6 test parts"));
  const auto json = result(folds);
  EXPECT_TRUE(json["summary"]["r2"]["mean"].is_null());
  EXPECT_EQ(json["summary"]["r2"]["count"], 0);
  EXPECT_TRUE(json["folds_detail"][0]["test"]["r2"].is_null());
  EXPECT_GT(json["summary"]["mse"]["mean"], 0);
  // One class in the data that is evaluated.
  write_text(path("one.csv"), "a,b,y\n1,2,yes\n3,5,yes\n");
  const auto one = result({"evaluate", model(), "--data", path("one.csv")});
  EXPECT_TRUE(one["metrics"]["roc_auc"].is_null());
  EXPECT_TRUE(one["classes"][0]["recall"].is_null());
}

TEST_F(Manners, ALearningCurveOfClustersStartsWhereTheyFit) {
  const Outcome outcome = run(
      {"learning-curve", "kmeans", "--data", data_file("iris.csv"), "--k", "40", "--starts", "1"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
}

TEST_F(Manners, ClassWeightsAreWeightsOfRows) {
  write_text(path("w.csv"), "a,y,w\n1,p,1\n2,q,3\n3,p,1\n4,q,3\n2.5,q,3\n0,p,1\n3.5,p,1\n");
  write_text(path("v.csv"), "a,y\n1,p\n2,q\n3,p\n4,q\n2.5,q\n0,p\n3.5,p\n");
  for (const char* algorithm : {"logistic-regression", "mlp"}) {
    std::vector<std::string> by_rows{"train", algorithm, "--data", path("w.csv"), "--weights", "w"};
    std::vector<std::string> by_class{"train",       algorithm,        "--data",
                                      path("v.csv"), "--class-weight", "q=3"};
    for (auto* one : {&by_rows, &by_class}) {
      one->insert(one->end(), {"--target", "y", "--scale", "none", "--model",
                               path(one == &by_rows ? "rows" : "class")});
    }
    ASSERT_EQ(run(by_rows).status, 0);
    ASSERT_EQ(run(by_class).status, 0);
    const auto rows = run({"inspect", path("rows"), "--json"}).json();
    const auto classes = run({"inspect", path("class"), "--json"}).json();
    EXPECT_EQ(rows["model"], classes["model"]) << algorithm;
  }
  expect_refused(
      {"train", "mlp", "--data", data_file("diabetes.csv"), "--class-weight", "balanced"},
      "classification");
}

// --- processes -----------------------------------------------------------------------------------

TEST_F(Manners, EveryCommandEndsWithinASecondOfASignal) {
  std::string wide = "y";
  for (int j = 0; j < 700; ++j) wide += ",x" + std::to_string(j);
  wide += "\n";
  unsigned state = 1;
  for (int i = 0; i < 900; ++i) {
    wide += std::to_string(i % 17);
    for (int j = 0; j < 700; ++j) {
      state = state * 1664525U + 1013904223U;
      wide += "," + std::to_string(state >> 20);
    }
    wide += "\n";
  }
  write_text(path("wide.csv"), wide);
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"train", "linear-regression", "--solver", "qr", "--data",
                                 path("wide.csv"), "--target", "y"},
        {"train", "decision-tree", "--data", path("fifo")},
        {"cross-validate", "mlp", "--data", path("wide.csv"), "--target", "y", "--task",
         "classification", "--epochs", "100000", "--patience", "0"},
        {"inspect", path("fifo")}}) {
    std::chrono::steady_clock::time_point sent;
    const Outcome outcome = run(command, [&](pid_t process) {
      std::this_thread::sleep_for(std::chrono::milliseconds(900));
      sent = std::chrono::steady_clock::now();
      ::kill(process, SIGINT);
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - sent;
    EXPECT_THAT(outcome.status, AnyOf(130, 0)) << command[1] << outcome.err;
    // A second, and what a machine with much else to do adds.
    EXPECT_LT(took.count(), 4) << command[1];
  }
}

// An iteration of seconds is left in its middle, and the state before it is what is kept.
TEST_F(Manners, ALongIterationIsLeftAndTheStateBeforeItKept) {
  constexpr int classes = 2500;
  std::string text = "y";
  for (int j = 0; j < 100; ++j) text += ",x" + std::to_string(j);
  text += "\n";
  unsigned state = 1;
  for (int i = 0; i < 2 * classes; ++i) {
    text += "c" + std::to_string(i % classes);
    for (int j = 0; j < 100; ++j) {
      state = state * 1664525U + 1013904223U;
      text += "," + std::to_string(state >> 24);
    }
    text += "\n";
  }
  write_text(path("many.csv"), text);
  // Until the first iteration is over, which takes as long as the machine has others to serve.
  for (const int wait : {3, 9, 27}) {
    std::chrono::steady_clock::time_point sent;
    const Outcome outcome = run({"train", "logistic-regression", "--data", path("many.csv"),
                                 "--target", "y", "--tolerance", "0", "--max-iterations", "100000",
                                 "--checkpoint", path("kept"), "--checkpoint-every", "10000"},
                                [&](pid_t process) {
                                  std::this_thread::sleep_for(std::chrono::seconds(wait));
                                  sent = std::chrono::steady_clock::now();
                                  ::kill(process, SIGINT);
                                });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - sent;
    ASSERT_EQ(outcome.status, 130) << outcome.err;
    EXPECT_LT(took.count(), 4);
    // Stopped before there was a state, while the table was read perhaps.
    if (!fs::exists(path("kept"))) {
      EXPECT_THAT(outcome.err, Not(HasSubstr("--resume")));
      continue;
    }
    EXPECT_THAT(outcome.err, HasSubstr("--resume " + path("kept")));
    return;
  }
  FAIL() << "no iteration ended in time";
}

// Signals are kept for the server, which is not there yet.
TEST_F(Manners, AServiceThatWaitsAtAPipeIsEnded) {
  ASSERT_EQ(
      run({"train", "decision-tree", "--data", path("in.csv"), "--model", path("tree")}).status, 0);
  ASSERT_EQ(run({"models", "register", path("repository"), "tree", path("tree")}).status, 0);
  for (const std::string option : {"--tokens", "--log"}) {
    const std::string pipe = path("pipe" + option);
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    bool ended = false;
    (void)run(
        {"serve", path("repository"), "--http", "127.0.0.1:0", option, pipe}, [&](pid_t process) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1500));
          ::kill(process, SIGTERM);
          for (int i = 0; i < 600 && !ended; ++i) {
            siginfo_t info{};
            (void)::waitid(P_PID, static_cast<id_t>(process), &info, WEXITED | WNOHANG | WNOWAIT);
            ended = info.si_pid == process;
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
          }
          if (!ended) ::kill(process, SIGKILL);
        });
    EXPECT_TRUE(ended) << option;
  }
}

TEST_F(Manners, AFileThatMayNotGrowIsAnErrorAndLeavesNothing) {
  const std::string command = "ulimit -f 1; '" + program_ +
                              "' generate blobs --rows 100000 --out '" + path("g.csv") + "' 2> '" +
                              path("err") + "'";
  const int status = std::system(("bash -c \"" + command + "\"").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_THAT(read_text(path("err")), HasSubstr("g.csv: cannot be written"));
  for (const auto& entry : fs::directory_iterator(folder_)) {
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("g.csv")));
  }
}

TEST_F(Manners, ResumingWithAnotherPrecisionSaysSo) {
  const std::vector<std::string> mlp{"train",    "mlp",    "--data",     data_file("digits.csv"),
                                     "--epochs", "100000", "--patience", "0"};
  auto first = mlp;
  first.insert(first.end(), {"--checkpoint", path("c"), "--checkpoint-every", "0"});
  (void)run(first, [&](pid_t process) {
    for (int i = 0; i < 200 && !fs::exists(path("c")); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    ::kill(process, SIGTERM);
  });
  ASSERT_TRUE(fs::exists(path("c")));
  auto other = mlp;
  other.insert(other.end(), {"--precision", "float32", "--resume", path("c")});
  expect_refused(other, "--precision differs");
}

TEST_F(Manners, WeightsBeyondTheRangeSayToScale) {
  write_text(path("tiny.csv"), "x,y\n1e-38,10\n2e-38,20\n3e-38,30.5\n4e-38,40\n");
  const Outcome outcome = run({"train", "linear-regression", "--data", path("tiny.csv"),
                               "--precision", "float32", "--scale", "none"});
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("scale"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("not a finite number")));
}

// --- memory --------------------------------------------------------------------------------------

TEST_F(Manners, MemoryIsSaidBeforeItIsTaken) {
  std::string text = "id,y\n";
  for (int i = 0; i < 3000; ++i)
    text += "name" + std::to_string(i) + "," + std::to_string(i % 2) + "\n";
  write_text(path("ids.csv"), text);
  const Outcome outcome =
      run({"train", "logistic-regression", "--data", path("ids.csv"), "--memory-limit", "16M"});
  EXPECT_EQ(outcome.status, 2) << outcome.out;
  EXPECT_THAT(outcome.err, HasSubstr("3000 of them for the categories of id"));
  EXPECT_THAT(outcome.err, HasSubstr("--ignore"));
}

}  // namespace
}  // namespace tandem::test
