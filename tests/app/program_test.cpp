// Exit statuses, messages, and what is left on disk.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TandemProgram : public Program {
 protected:
  // Expects the status and one line "tandem: error: ..." that has `part` in it, and nothing on
  // standard output.
  void expect_error(const std::vector<std::string>& arguments, int status,
                    const std::string& part) const {
    const Outcome outcome = run(arguments);
    std::string command;
    for (const auto& word : arguments) command += word + " ";
    EXPECT_EQ(outcome.status, status) << command << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("tandem: error: ")) << command;
    EXPECT_THAT(outcome.err, HasSubstr(part)) << command;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_EQ(outcome.out, "") << command;
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
};

TEST_F(TandemProgram, AloneItIntroducesItself) {
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("Usage: tandem COMMAND"));
  EXPECT_EQ(run({"--help"}).out, outcome.out);
  EXPECT_EQ(run({"help"}).out, outcome.out);
  EXPECT_THAT(run({"--version"}).out, StartsWith("tandem "));
}

TEST_F(TandemProgram, HelpListsOptionsWithDefaults) {
  const Outcome outcome = run({"help", "train", "kmeans"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("--k N"));
  EXPECT_THAT(outcome.out, HasSubstr("(default: 8)"));
  EXPECT_EQ(run({"train", "kmeans", "--help"}).out, outcome.out);
  for (const char* command :
       {"train", "evaluate", "predict", "inspect", "cross-validate", "learning-curve", "select",
        "compare", "generate", "devices", "demo"}) {
    EXPECT_EQ(run({"help", command}).status, 0) << command;
    EXPECT_EQ(run({command, "--help"}).status, 0) << command;
  }
}

TEST_F(TandemProgram, NamesTheNearestWord) {
  expect_error({"trian", "kmeans"}, 2, "did you mean train?");
  expect_error({"train", "k-means"}, 2, "did you mean kmeans?");
  expect_error({"evaluate", "--model", "x.tandem", "--data", "y"}, 2,
               "--model is no option here: MODEL stands without it, as the first argument: "
               "tandem evaluate MODEL");
  expect_error({"train", "kmeans", "--dta", "x"}, 2, "unknown option --dta; did you mean --data?");
  expect_error({"train", "kmeans", "--device", "gpu", "--data", "x"}, 2, "--device");
  expect_error({"help", "tree"}, 2, "unknown command");
  expect_error({"--json"}, 2, "expected a command");
}

TEST_F(TandemProgram, RefusesWrongUsage) {
  expect_error({"train"}, 2, "expected an algorithm");
  expect_error({"train", "kmeans"}, 2, "--data");
  expect_error({"train", "kmeans", "--data"}, 2, "--data");
  expect_error({"train", "kmeans", "--data", data_file("iris.csv"), "--k", "three"}, 2,
               "--k: 'three' is not a whole number");
  expect_error({"train", "kmeans", "--data", data_file("iris.csv"), "--k", "0"}, 2, "--k: 0");
  expect_error({"train", "kmeans", "--data", data_file("iris.csv"), "--k", "1000"}, 2, "distinct");
  expect_error({"train", "kmeans", "--data", data_file("iris.csv"), "stray"}, 2, "'stray'");
  expect_error({"train", "kmeans", "--data", data_file("iris.csv"), "--test-fraction", "1.5"}, 2,
               "--test-fraction");
  expect_error({"train", "kmeans", "--data", "/nowhere/x.csv"}, 2, "/nowhere/x.csv");
  expect_error(
      {"train", "linear-regression", "--data", data_file("diabetes.csv"), "--target", "sugar"}, 2,
      "sugar");
  expect_error({"evaluate"}, 2, "MODEL");
  expect_error({"predict", data_file("iris.csv"), "--data", data_file("iris.csv")}, 2,
               "not a Tandem model");
  expect_error({"generate", "spiral"}, 2, "spiral");
  expect_error({"demo"}, 2, "--report");
}

TEST_F(TandemProgram, OptionsHaveAllTheirNames) {
  const std::string iris = data_file("iris.csv");
  for (const std::vector<std::string>& way : std::vector<std::vector<std::string>>{
           {"--k", "3"}, {"--clusters=3"}, {"--n-clusters", "3"}, {"--n_clusters=3"}}) {
    std::vector<std::string> arguments{"train", "kmeans", "--data", iris, "--max_iterations", "7"};
    arguments.insert(arguments.end(), way.begin(), way.end());
    const auto json = result(arguments);
    EXPECT_EQ(json["options"]["clusters"], 3) << way.front();
    EXPECT_EQ(json["options"]["max_iterations"], 7) << way.front();
    EXPECT_FALSE(json["options"].contains("k"));
  }
  // The seed goes to the algorithm too.
  const auto inertia = [&](const char* seed) {
    return result({"train", "kmeans", "--data", iris, "--init", "random", "--starts", "1", "--seed",
                   seed})["metrics"]["inertia"];
  };
  EXPECT_EQ(inertia("0"), inertia("0"));
  EXPECT_NE(inertia("0"), inertia("4"));
  // The help page and the model call the option by its short name.
  ASSERT_EQ(run({"train", "kmeans", "--data", iris, "--k", "3", "--model", path("m")}).status, 0);
  EXPECT_THAT(run({"inspect", path("m")}).out, HasSubstr("--k 3 "));
  EXPECT_EQ(result({"inspect", path("m")})["options"]["clusters"], 3);
}

// The library marks the names of options in its messages; the program spells them.
TEST_F(TandemProgram, MessagesSpellOptionsWithDashes) {
  const std::string iris = data_file("iris.csv");
  expect_error({"train", "logistic-regression", "--data", iris, "--l1", "1"}, 2,
               "--l1 is not smooth, which lbfgs needs; add --solver gradient");
  expect_error({"train", "decision-tree", "--data", iris, "--max-features", "9"}, 2,
               "--max-features 9");
  expect_error({"train", "decision-tree", "--data", iris, "--max_features", "some"}, 2,
               "--max-features: 'some': expected all");
  expect_error({"train", "kmeans", "--data", iris, "--n-clusters", "0"}, 2,
               "--k: 0 is out of range; expected a whole number from 1");
  // In a remark as well.
  write_text(path("mixed.csv"), "a,b\n1,1\n2,2\nabc,10\n11,11\n");
  const Outcome outcome =
      run({"train", "linear-regression", "--data", path("mixed.csv"), "--l2", "1"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("say so with --missing"));
  EXPECT_EQ(outcome.err.find_first_of("\x0e\x0f"), std::string::npos);
}

TEST_F(TandemProgram, SelectTakesWhatHasANumberOfClusters) {
  const std::string iris = data_file("iris.csv");
  expect_error({"select", "decision-tree", "--data", iris}, 2, "has none");
  expect_error({"select", "kmeans", "--data", iris, "--k", "0..3"}, 2, "--k: 0 is out of range");
  expect_error({"select", "kmeans", "--data", iris, "--k", "5..3"}, 2, "--k: 5..3 is empty");
  expect_error({"select", "kmeans", "--data", iris, "--k", "2-3"}, 2,
               "--k: '2-3' is not a range of whole numbers");
  expect_error({"select", "kmeans", "--data", iris, "--init", "given"}, 2, "choose another --init");
  const auto json =
      result({"select", "kmeans", "--data", iris, "--k", "2..3", "--no-gap", "--n-init", "3"});
  EXPECT_EQ(json["candidates"].size(), 2U);
  EXPECT_EQ(json["algorithm"], "kmeans");
}

TEST_F(TandemProgram, CompareTakesWhatAnOptimizerTrains) {
  const std::string diabetes = data_file("diabetes.csv");
  expect_error({"compare", "optimizers", "--data", diabetes, "--algorithm", "decision-tree"}, 2,
               "--algorithm: decision-tree is not trained by an optimiser; expected one of "
               "linear-regression, logistic-regression, mlp");
  expect_error({"compare", "optimizers", "--data", diabetes, "--optimizers", "adm"}, 2,
               "did you mean adam?");
  expect_error({"compare", "optimizers", "--data", diabetes, "--algorithm", "mlp", "--batch-size",
                "0", "--epochs", "1"},
               2, "--batch-size: 0 is out of range");
  const auto json = result({"compare", "optimizers", "--data", diabetes, "--optimizers",
                            "adam,nesterov", "--epochs", "5", "--momentum", "0.5"});
  EXPECT_EQ(json["algorithm"], "linear-regression");
  ASSERT_EQ(json["optimizers"].size(), 2U);
  EXPECT_EQ(json["optimizers"][1]["cost"].size(), 5U);
}

TEST_F(TandemProgram, RefusesBadData) {
  const auto file = [&](const char* name, const std::string& text) {
    write_text(path(name), text);
    return path(name);
  };
  expect_error({"train", "linear-regression", "--data", file("a.csv", "a,b\n1,2\n3,\n")}, 2,
               "missing");
  expect_error({"train", "linear-regression", "--data", file("b.csv", "a,b\n,2\n3,4\n")}, 2,
               "--impute");
  expect_error({"train", "linear-regression", "--data", file("c.csv", "a,b\ninf,2\n3,4\n")}, 2,
               "c.csv");
  expect_error({"train", "linear-regression", "--data", file("d.csv", "a,b\n1,2,3\n3,4\n")}, 2,
               "d.csv");
  expect_error({"train", "linear-regression", "--data", file("e.csv", "")}, 2, "e.csv");
  expect_error({"train", "linear-regression", "--data", file("f.csv", "a,b\n")}, 2, "f.csv");
  expect_error({"train", "kmeans", "--k", "2", "--data", file("g.csv", "a,b\n1,2\n1,2\n1,2\n")}, 2,
               "distinct");
}

TEST_F(TandemProgram, SaysWhichDeviceIsMissing) {
  expect_error({"train", "kmeans", "--data", data_file("iris.csv"), "--device", "cuda"}, 1, "cuda");
  const auto json = result({"devices"});
  ASSERT_EQ(json["devices"].size(), 4U);
  EXPECT_EQ(json["devices"][0]["device"], "reference");
  EXPECT_EQ(json["devices"][0]["available"], true);
  EXPECT_EQ(json["devices"][1]["available"], true);
}

TEST_F(TandemProgram, JsonHasWhatWasPromised) {
  const auto json =
      result({"train", "decision-tree", "--data", data_file("iris.csv"), "--test-fraction", "0.3",
              "--seed", "5", "--threads", "2", "--model", path("m")});
  for (const char* name :
       {"algorithm", "device", "numerics", "precision", "threads", "seed", "rows", "features",
        "seconds", "metrics", "stopped_because", "options", "model"}) {
    EXPECT_TRUE(json.contains(name)) << name;
  }
  EXPECT_EQ(json["seed"], 5);
  EXPECT_EQ(json["numerics"], "exact");
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["rows"], 105);
  EXPECT_EQ(json["test_rows"], 45);
  for (const char* name : {"load", "train", "evaluate"}) {
    EXPECT_GE(json["seconds"][name].get<double>(), 0) << name;
  }
  for (const char* part : {"train", "test"}) {
    for (const char* name : {"accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss"}) {
      EXPECT_TRUE(json["metrics"][part].contains(name)) << part << " " << name;
    }
  }
  const auto inspected = result({"inspect", path("m")});
  EXPECT_EQ(inspected["algorithm"], "decision-tree");
  EXPECT_EQ(inspected["target"], "species");
  EXPECT_THAT(run({"inspect", path("m"), "--graphviz"}).out, StartsWith("digraph"));
  EXPECT_THAT(run({"inspect", path("m")}).out, HasSubstr("petal"));
}

TEST_F(TandemProgram, AKMeansTargetIsOnlySetAside) {
  // A numeric last column is a feature, a text column is not, and one that is named never is.
  write_text(path("n.csv"), "a,b\n1,1\n2,2\n10,10\n11,11\n");
  EXPECT_EQ(result({"train", "kmeans", "--k", "2", "--data", path("n.csv")})["features"], 2);
  EXPECT_EQ(
      result({"train", "kmeans", "--k", "2", "--data", path("n.csv"), "--target", "b"})["features"],
      1);
  EXPECT_EQ(result({"train", "kmeans", "--k", "2", "--data", data_file("iris.csv")})["features"],
            4);
}

TEST_F(TandemProgram, PredictsInOrder) {
  ASSERT_EQ(
      run({"train", "decision-tree", "--data", data_file("iris.csv"), "--model", path("m")}).status,
      0);
  ASSERT_EQ(run({"predict", path("m"), "--data", data_file("iris.csv"), "--out", path("p.csv"),
                 "--probabilities"})
                .status,
            0);
  const std::string table = read_text(path("p.csv"));
  EXPECT_THAT(table, StartsWith("species,probability_setosa,probability_versicolor,"
                                "probability_virginica\nsetosa,1,0,0\n"));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 151);
  const Outcome shown = run({"predict", path("m"), "--data", data_file("iris.csv"), "--quiet"});
  EXPECT_THAT(shown.out, StartsWith("species\nsetosa\n"));
  // Columns are found by name, and others are left out.
  write_text(path("other.csv"),
             "petal_width_cm,note,petal_length_cm,sepal_width_cm,sepal_length_cm\n"
             "0.2,x,1.4,3.5,5.1\n2.5,y,6.0,3.3,6.3\n");
  EXPECT_EQ(run({"predict", path("m"), "--data", path("other.csv"), "--quiet"}).out,
            "species\nsetosa\nvirginica\n");
  expect_error({"predict", path("m"), "--data", data_file("diabetes.csv")}, 2, "petal_length_cm");
}

TEST_F(TandemProgram, GeneratesTheSameRowsForAnyThreads) {
  for (const char* threads : {"1", "2"}) {
    ASSERT_EQ(run({"generate", "moons", "--rows", "5000", "--seed", "3", "--threads", threads,
                   "--out", path(std::string("m") + threads + ".csv")})
                  .status,
              0);
  }
  EXPECT_TRUE(read_text(path("m1.csv")) == read_text(path("m2.csv")));
  EXPECT_EQ(run({"generate", "moons", "--rows", "5000", "--seed", "3"}).out,
            read_text(path("m1.csv")));
}

TEST_F(TandemProgram, NamesWhatCannotBeWritten) {
  const std::string iris = data_file("iris.csv");
  expect_error({"train", "kmeans", "--data", iris, "--k", "3", "--model", "/nowhere/m"}, 2,
               "/nowhere");
  expect_error({"train", "kmeans", "--data", iris, "--k", "3", "--model", "/dev/full"}, 1,
               "/dev/full: cannot be written: No space left on device");
  struct stat status {};
  ASSERT_EQ(::stat("/dev/full", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
  expect_error({"train", "kmeans", "--data", iris, "--k", "3", "--model", folder_}, 2,
               "is a folder");
  expect_error({"train", "kmeans", "--data", iris, "--k", "3", "--report", "/dev/null/x"}, 1,
               "/dev/null/x");
  // A full standard output is an error too.
  const Outcome outcome =
      run({"train", "kmeans", "--data", iris, "--k", "3", "--json"}, {}, "/dev/full");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("standard output cannot be written"));
}

TEST_F(TandemProgram, RefusesATruncatedModel) {
  ASSERT_EQ(
      run({"train", "kmeans", "--data", data_file("iris.csv"), "--k", "3", "--model", path("m")})
          .status,
      0);
  const std::string model = read_text(path("m"));
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{47}, model.size() / 2, model.size() - 1}) {
    write_text(path("cut"), model.substr(0, size));
    expect_error({"inspect", path("cut")}, 2, size == 0 ? "is empty" : "is truncated");
  }
  std::string other = model;
  other[8] = 9;
  write_text(path("other"), other);
  expect_error({"evaluate", path("other"), "--data", data_file("iris.csv")}, 2, "version 9");
  std::string damaged = model;
  damaged[model.size() / 2] = static_cast<char>(damaged[model.size() / 2] ^ 1);
  write_text(path("damaged"), damaged);
  expect_error({"inspect", path("damaged")}, 2, "checksum");
}

TEST_F(TandemProgram, OutOfMemoryIsAMessage) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer itself reserves more address space than the limit set here";
#endif
  const std::string command = std::string("ulimit -v 600000; '") + TANDEM_PROGRAM +
                              "' generate blobs --rows 100000000 --features 50 --out " +
                              path("x.csv") + " 2> " + path("err");
  const int status = std::system(command.c_str());
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_THAT(WEXITSTATUS(status), ::testing::AnyOf(1, 2));
  EXPECT_THAT(read_text(path("err")), HasSubstr("tandem: error: "));
}

// --- interruption --------------------------------------------------------------------------------

struct Long {
  const char* name;
  std::vector<std::string> arguments;  // a run of a second or more, in parts
};

class Interrupted : public TandemProgram, public ::testing::WithParamInterface<Long> {};

TEST_P(Interrupted, ResumedGivesTheSameBytes) {
  auto arguments = GetParam().arguments;
  arguments[3] = data_file(arguments[3]);
  auto whole = arguments;
  whole.insert(whole.end(), {"--model", path("whole")});
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(run(whole).status, 0);
  const auto length = std::chrono::steady_clock::now() - begin;
  auto parts = arguments;
  parts.insert(parts.end(), {"--model", path("parts")});
  const Outcome stopped = run(parts, [&](pid_t process) {
    std::this_thread::sleep_for(length / 2);
    ::kill(process, SIGINT);
  });
  if (stopped.status == 0) GTEST_SKIP() << "the run was over before the signal came";
  EXPECT_EQ(stopped.status, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("--resume " + path("parts.checkpoint")));
  EXPECT_TRUE(std::filesystem::exists(path("parts.checkpoint")));
  EXPECT_FALSE(std::filesystem::exists(path("parts")));
  // Another run must not be continued from it.
  auto other = parts;
  other.insert(other.end(), {"--resume", path("parts.checkpoint"), "--seed", "99"});
  const Outcome refused = run(other);
  EXPECT_EQ(refused.status, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("--seed differs"));
  other.back() = "0";
  other.insert(other.end(), {"--scale", "minmax"});
  EXPECT_THAT(run(other).err, HasSubstr("--scale differs"));

  parts.insert(parts.end(), {"--resume", path("parts.checkpoint")});
  const Outcome resumed = run(parts);
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_TRUE(read_text(path("whole")) == read_text(path("parts")));
  EXPECT_FALSE(std::filesystem::exists(path("parts.checkpoint")));
}

INSTANTIATE_TEST_SUITE_P(Algorithms, Interrupted,
                         ::testing::Values(Long{"Mlp",
                                                {"train", "mlp", "--data", "digits.csv", "--epochs",
                                                 "100", "--patience", "0", "--threads", "1"}},
                                           Long{"LinearGradient",
                                                {"train", "linear-regression", "--data",
                                                 "diabetes.csv", "--solver", "gradient", "--epochs",
                                                 "20000", "--batch-size", "32", "--patience", "0",
                                                 "--threads", "1"}},
                                           Long{"Kmeans",
                                                {"train", "kmeans", "--data", "digits.csv", "--k",
                                                 "40", "--starts", "60", "--threads", "1"}}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST_F(TandemProgram, WithoutACheckpointItSaysHowToKeepOne) {
  const Outcome outcome = run({"train", "mlp", "--data", data_file("digits.csv"), "--epochs",
                               "1000000", "--patience", "0", "--threads", "1"},
                              [](pid_t process) {
                                std::this_thread::sleep_for(std::chrono::milliseconds(700));
                                ::kill(process, SIGTERM);
                              });
  EXPECT_EQ(outcome.status, 130);
  EXPECT_THAT(outcome.err, HasSubstr("--checkpoint FILE"));
}

TEST_F(TandemProgram, AReportIsOnePage) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  for (const std::vector<std::string>& what :
       {std::vector<std::string>{"train", "decision-tree", "--data", data_file("iris.csv")},
        {"train", "linear-regression", "--data", data_file("diabetes.csv"), "--solver", "gradient"},
        {"train", "kmeans", "--k", "3", "--data", data_file("iris.csv")}}) {
    auto arguments = what;
    arguments.insert(arguments.end(), {"--report", path("report")});
    ASSERT_EQ(run(arguments).status, 0);
    const std::string page = read_text(path("report/report.html"));
    EXPECT_EQ(page.rfind("<!doctype html>", 0), 0U);
    EXPECT_NE(page.find("</html>\n"), std::string::npos);
    EXPECT_NE(page.find("<svg"), std::string::npos);
    EXPECT_EQ(page.find("http:"), std::string::npos);
    EXPECT_EQ(page.find("https:"), std::string::npos);
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path("report")), {}), 1);
}

TEST_F(TandemProgram, TheDemoTellsEightStories) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  const auto json =
      result({"demo", "--report", path("demo"), "--data-dir", TANDEM_DATA_DIR, "--quiet"});
  EXPECT_NEAR(json["1 line"]["r2"].get<double>(), 0.34392, 1e-4);
  EXPECT_NEAR(json["4 clusters"]["inertia"]["3"].get<double>(), 78.8514, 1e-4);
  EXPECT_GE(json["5 xor"]["accuracy"].get<double>(), 0.97);
  EXPECT_GE(json["6 boosting"]["accuracy"].get<double>(), 0.97);
  EXPECT_GT(json["7 forest"]["oob_score"], json["7 forest"]["accuracy_of_one_tree"]);
  EXPECT_EQ(json["8 explanation"]["most_important"], "s5");
  EXPECT_EQ(std::count_if(json.items().begin(), json.items().end(),
                          [](const auto& story) { return story.value().contains("bound"); }),
            8);
  for (const auto& [name, story] : json.items()) {
    if (story.is_object() && story.contains("bound")) {
      EXPECT_LE(story["difference"].get<double>(), story["bound"].get<double>()) << name;
    }
  }
  const std::string page = read_text(path("demo/report.html"));
  EXPECT_EQ(page.find("http:"), std::string::npos);
  EXPECT_EQ(page.find("https:"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

}  // namespace
}  // namespace tandem::test
