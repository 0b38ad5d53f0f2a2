// More files and manners of the kinds that files_test.cpp and manners_test.cpp hold an example of
// each: what a tester of the program tried, and what is right.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>

#include "app/program.hpp"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using test::Outcome;
using test::read_text;
using ::testing::HasSubstr;
using ::testing::Not;

class Members : public test::Program {
 protected:
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    test::write_text(path(name), text);
    return path(name);
  }
  // Rows of x, z and the classes a, b and c.
  [[nodiscard]] static std::string table(const std::string& header, const std::string& order,
                                         char delimiter = ',') {
    std::string text = header + (header.empty() ? "" : "\n");
    for (int i = 0; i < 60; ++i) {
      const std::map<char, std::string> values{
          {'x', std::to_string(i)},
          {'z', std::to_string((i * 7) % 13)},
          {'y', std::string(1, static_cast<char>('a' + i % 3))},
          {'k', "q" + std::to_string(i)}};
      for (std::size_t k = 0; k < order.size(); ++k) {
        if (k > 0) text += delimiter;
        text += values.at(order[k]);
      }
      text += "\n";
    }
    return text;
  }
  void train(const std::string& data, std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"train",   "decision-tree", "--data", data,
                                 "--model", path("model"),   "--force"};
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run(all);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  [[nodiscard]] Outcome evaluate(const std::string& data) const {
    return run({"evaluate", path("model"), "--data", data, "--json"});
  }
};

// Decided once: a later file is read as the first was, or refused with what differs.
TEST_F(Members, LaterFilesOfAModel) {
  train(file("t.csv", table("x,z,y", "xzy")));
  const std::map<std::string, std::string> same{
      {"reordered", table("y,z,x", "yzx")},
      {"with more columns", table("k,x,z,y", "kxzy")},
      {"with a mark", "\xEF\xBB\xBF" + table("x,z,y", "xzy")},
      {"quoted names", table("\"x\",\"z\",\"y\"", "xzy")},
      {"blanks", table("x , z,y", "xzy")}};
  for (const auto& [what, text] : same) {
    const Outcome outcome = evaluate(file("later.csv", text));
    ASSERT_EQ(outcome.status, 0) << what << ": " << outcome.err;
    EXPECT_EQ(outcome.json()["rows"], 60) << what;
    EXPECT_EQ(outcome.json()["metrics"]["accuracy"], 1) << what;
  }
  std::string comma = table("x,z,y", "xzy");
  std::replace(comma.begin(), comma.end(), ',', ';');
  const std::map<std::string, std::string> refused{
      {comma, "--delimiter"},
      {table("x,y", "xy"), "lacks the column z"},
      {table("x,k,y", "xky"), "lacks the column z"},
      {table("x,z,y", "xky"), "expected a number"},
      {table("", "xzy"), "lacks the columns x, z"},
      {table("X,Z,Y", "xzy"), "lacks the columns x, z"}};
  for (const auto& [text, said] : refused) {
    const Outcome outcome = evaluate(file("later.csv", text));
    EXPECT_EQ(outcome.status, 2) << text.substr(0, 20);
    EXPECT_THAT(outcome.err, HasSubstr(said));
  }
}

// A stream gives what the file gives, to every command that reads data.
TEST_F(Members, StreamsOfEveryCommand) {
  const std::string data = file("t.csv", table("x,z,y", "xzy"));
  train(data);
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  const std::vector<std::vector<std::string>> commands{
      {"predict", path("model"), "--data"},
      {"evaluate", path("model"), "--json", "--data"},
      {"cross-validate", "decision-tree", "--json", "--data"},
      {"train", "decision-tree", "--json", "--data"},
      {"look", "--json"}};
  for (const auto& command : commands) {
    const auto with = [&](const std::string& name) {
      std::vector<std::string> all = command;
      all.push_back(name);
      return all;
    };
    const auto figures = [&](const Outcome& outcome) {
      if (command[0] == "predict") return outcome.out;
      const auto json = outcome.json();
      return json.value("metrics", nlohmann::json()).dump() +
             json.value("rows", nlohmann::json()).dump() +
             json.value("summary", nlohmann::json()).dump() +
             json.value("columns", nlohmann::json()).dump();
    };
    const Outcome plain = run(with(data));
    ASSERT_EQ(plain.status, 0) << plain.err;
    const Outcome through =
        run(with(path("fifo")), [&](pid_t) { test::write_text(path("fifo"), read_text(data)); });
    ASSERT_EQ(through.status, 0) << command[0] << through.err;
    EXPECT_EQ(figures(through), figures(plain)) << command[0];
    // The last begins with a frame that decoders pass over, as parallel packers write it.
    for (const char* const packer :
         {"cat", "gzip -c", "bzip2 -c", "xz -c", "zstd -qc",
          R"(sh -c 'printf "\120\052\115\030\004\000\000\000abcd"; zstd -qc "$0"')"}) {
      std::string line = std::string(packer) + " '" + data + "' | '" + program_ + "'";
      for (const auto& word : with("-")) line += " '" + word + "'";
      const int status =
          std::system((line + " > '" + path("out") + "' 2> '" + path("err") + "'").c_str());
      ASSERT_EQ(status, 0) << line << read_text(path("err"));
      EXPECT_EQ(figures({0, read_text(path("out")), ""}), figures(plain)) << line;
    }
  }
}

TEST_F(Members, StandardInputIsNotTwoFiles) {
  const std::string data = file("t.csv", table("x,z,y", "xzy"));
  for (const std::string second : {"-", "/dev/stdin"}) {
    const std::string line = "'" + program_ + "' train decision-tree --data - --test " + second +
                             " < '" + data + "' 2> '" + path("err") + "'";
    EXPECT_EQ(WEXITSTATUS(std::system(line.c_str())), 2);
    EXPECT_THAT(read_text(path("err")), HasSubstr("both name standard input"));
  }
}

// A class is called what the file calls it, in the answers too.
TEST_F(Members, NamesOfClasses) {
  const std::vector<std::vector<std::string>> names{
      {"0.0", "1.0"},
      {"True", "False"},
      {"1", "01", "001"},
      {"-1", "+1"},
      {"1e5", "2E5"},
      {"no.", "yes."},
      {"18446744073709551615", "18446744073709551616"},
      {"1,5", "2,5"},
      {"<=50K", ">50K"},
      {"\xC3\xA4", "a\xCC\x88"},
      {"1_000", "0x10"}};
  for (const auto& classes : names) {
    std::string text = "x,y\n";
    std::string question = "x\n";
    for (std::size_t i = 0; i < 40 * classes.size(); ++i) {
      const std::size_t c = i % classes.size();
      text += std::to_string(10 * c) + ",\"" + classes[c] + "\"\n";
    }
    std::string expected = "y\n";
    for (std::size_t c = 0; c < classes.size(); ++c) {
      question += std::to_string(10 * c) + "\n";
      expected +=
          (classes[c].find(',') == std::string::npos ? classes[c] : "\"" + classes[c] + "\"") +
          "\n";
    }
    train(file("t.csv", text), {"--task", "classification"});
    const Outcome outcome = run({"predict", path("model"), "--data", file("q.csv", question)});
    EXPECT_EQ(outcome.out, expected) << outcome.err;
  }
}

// Whatever name an input goes by, no output takes its place.
TEST_F(Members, OutputsByOtherNames) {
  const std::string text = table("x,z,y", "xzy");
  const std::string data = file("t.csv", text);
  fs::create_symlink("t.csv", path("link"));
  fs::create_hard_link(data, path("hard"));
  fs::create_directory(path("sub"));
  fs::create_symlink("..", path("sub/up"));
  train(data);
  const std::string model_bytes = read_text(path("model"));
  for (const std::string name :
       {"link", "hard", "./t.csv", "sub/../t.csv", "sub/up/t.csv", "sub/up/link"}) {
    for (const std::string option : {"--model", "--checkpoint"}) {
      const Outcome outcome = run({"train", "mlp", "--data", data, option, path(name), "--force"});
      EXPECT_EQ(outcome.status, 2) << name;
      EXPECT_THAT(outcome.err, HasSubstr("it would be lost"));
    }
    const Outcome outcome =
        run({"predict", path("model"), "--data", data, "--out", path(name), "--force"});
    EXPECT_EQ(outcome.status, 2) << name;
  }
  for (const std::string name : {"model", "sub/up/model"}) {
    EXPECT_EQ(
        run({"predict", path("model"), "--data", data, "--out", path(name), "--force"}).status, 2);
  }
  EXPECT_EQ(run({"train", "mlp", "--data", data, "--model", path("sub/../both"), "--checkpoint",
                 path("both")})
                .status,
            2);
  EXPECT_EQ(run({"train", "mlp", "--data", data, "--resume", path("model")}).status, 2);
  EXPECT_EQ(run({"train", "mlp", "--data", data, "--report", data, "--force"}).status, 2);
  EXPECT_EQ(read_text(data), text);
  EXPECT_EQ(read_text(path("model")), model_bytes);
}

// Folders, devices and other files where data or a model is expected, and the other way round.
TEST_F(Members, OtherThingsThanFiles) {
  const std::string data = file("t.csv", table("x,z,y", "xzy"));
  train(data);
  fs::create_directory(path("empty"));
  const auto refused = [&](const std::vector<std::string>& command, int status,
                           const std::string& said) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.status, status) << ::testing::PrintToString(command);
    EXPECT_THAT(outcome.err, HasSubstr(said));
  };
  refused({"train", "mlp", "--data", path("empty")}, 2, "folder without files");
  refused({"predict", path("empty"), "--data", data}, 2, "is a folder");
  refused({"predict", data, "--data", data}, 2, "not a Tandem model");
  refused({"look", path("model")}, 2, "a model, checkpoint or binned table of Tandem");
  refused({"train", "mlp", "--data", data, "--model", path("empty")}, 2, "is a folder");
  refused({"train", "mlp", "--data", data, "--model", path("no/such/folder")}, 2, "does not exist");
  refused({"predict", path("model"), "--data", data, "--out", "/dev/full"}, 1, "No space left");
  refused({"train", "decision-tree", "--data", data, "--model", "/dev/full"}, 1, "No space left");
  refused({"train", "mlp", "--data", data, "--model", path(std::string(300, 'a'))}, 1,
          "File name too long");
  refused({"look", file("nothing.csv", "")}, 2, "is empty");
  const Outcome full = run({"predict", path("model"), "--data", data}, {}, "/dev/full");
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.err, HasSubstr("standard output"));
}

// What a JSON object says is said in the words of the command line.
TEST_F(Members, WarningsInJsonNameOptions) {
  const Outcome outcome =
      run({"look", "--json", file("t.csv", "id,x,y\n0,5,a\n1,7,b\n2,9,a\n3,4,b\n4,5,a\n")});
  ASSERT_EQ(outcome.status, 0);
  const auto warnings = outcome.json()["warnings"];
  ASSERT_FALSE(warnings.empty());
  EXPECT_THAT(warnings.front().get<std::string>(), HasSubstr("--ignore id"));
}

// What one part knows, all know: a row of weight 3 is that row three times, in filling missing
// values, scaling, fitting and scoring.
TEST_F(Members, WeightsAreRowsAsOftenAsTheySay) {
  std::map<char, std::pair<std::string, std::string>> tables;
  for (const char target : {'y', 'k'}) {
    auto& [weighted, repeated] = tables[target];
    weighted = "x,z,c,w,t\n";
    repeated = "x,z,c,t\n";
    for (int i = 0; i < 60; ++i) {
      const std::string x = i % 5 == 2 ? "" : std::to_string((i * 37) % 50);
      const std::string z = std::to_string((i * i) % 23);
      const std::string c = i % 7 == 3 ? "" : std::string(1, static_cast<char>('a' + i * i % 3));
      const std::string t = target == 'y'
                                ? std::to_string((i * 37) % 50 - i * i % 23 + i % 3)
                                : std::string(1, static_cast<char>('p' + (i * 5) % 11 / 6));
      const int weight = 1 + (i * 13) % 4;
      weighted += x + "," + z + "," + c + "," + std::to_string(weight) + "," + t + "\n";
      for (int k = 0; k < weight; ++k) repeated += x + "," + z + "," + c + "," + t + "\n";
    }
  }
  const std::vector<std::pair<std::string, char>> members{{"linear-regression", 'y'},
                                                          {"logistic-regression", 'k'},
                                                          {"decision-tree", 'k'},
                                                          {"decision-tree", 'y'},
                                                          {"gradient-boosting", 'y'}};
  for (const auto& [algorithm, target] : members) {
    for (const char* impute : {"median", "most-frequent"}) {
      std::vector<std::string> common{"train",   algorithm,  "--impute", impute,
                                      "--scale", "standard", "--json"};
      // Linear and logistic regression leave no choice of the task.
      if (algorithm.find("regression") == std::string::npos) {
        common.insert(common.end(), {"--task", target == 'y' ? "regression" : "classification"});
      }
      std::vector<std::string> first = common;
      first.insert(first.end(),
                   {"--data", file("w.csv", tables.at(target).first), "--weights", "w"});
      std::vector<std::string> second = common;
      second.insert(second.end(), {"--data", file("d.csv", tables.at(target).second)});
      const Outcome a = run(first);
      const Outcome b = run(second);
      ASSERT_EQ(a.status, 0) << algorithm << ": " << a.err;
      ASSERT_EQ(b.status, 0) << algorithm << ": " << b.err;
      const auto of_rows = b.json()["metrics"];
      for (const auto& [name, value] : a.json()["metrics"].items()) {
        if (!value.is_number()) continue;
        EXPECT_NEAR(value.get<double>(), of_rows[name].get<double>(), 1e-5)
            << algorithm << " " << target << " " << impute << " " << name;
      }
    }
  }
}

// The inertia that is shown is that of the weighted rows, which the fit made small.
TEST_F(Members, WeightsCountInTheInertia) {
  std::string weighted = "x,z,w\n";
  std::string repeated = "x,z\n";
  for (int i = 0; i < 60; ++i) {
    const std::string row = std::to_string((i * 37) % 50) + "," + std::to_string(i % 3 * 100 + i);
    weighted += row + "," + std::to_string(i % 4) + "\n";
    for (int k = 0; k < i % 4; ++k) repeated += row + "\n";
  }
  const std::vector<std::string> kmeans{"train", "kmeans", "--k", "3", "--starts", "10", "--json"};
  const auto inertia_of = [&](std::vector<std::string> more) {
    std::vector<std::string> all = kmeans;
    all.insert(all.end(), more.begin(), more.end());
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.json()["metrics"]["inertia"].get<double>();
  };
  const double found =
      inertia_of({"--data", file("kw.csv", weighted), "--weights", "w", "--model", path("kmeans")});
  const double same = inertia_of({"--data", file("kr.csv", repeated)});
  EXPECT_NEAR(found, same, 1e-9 * same);
  const Outcome evaluated =
      run({"evaluate", path("kmeans"), "--data", path("kw.csv"), "--weights", "w", "--json"});
  EXPECT_NEAR(evaluated.json()["metrics"]["inertia"].get<double>(), same, 1e-9 * same);
}

// A threshold compares like with like: ranks whatever the columns' units.
TEST_F(Members, RanksOfColumnsInAllUnits) {
  struct Table {
    std::string what;
    std::function<std::vector<double>(int)> row;
    int rank;
    int rows;
  };
  const auto a = [](int i) { return static_cast<double>((i * 37) % 101) / 101; };
  const auto b = [](int i) { return static_cast<double>((i * i * 7 + 3) % 97) / 97; };
  const std::vector<Table> tables{{"units far apart",
                                   [&](int i) {
                                     return std::vector{a(i) * 1e-9, b(i) * 1e9};
                                   },
                                   2, 80},
                                  {"microseconds",
                                   [&](int i) {
                                     return std::vector{1.7e15 + 1000.0 * i, b(i)};
                                   },
                                   2, 80},
                                  {"a large constant",
                                   [&](int i) {
                                     return std::vector{1e12, b(i)};
                                   },
                                   1, 80},
                                  {"degrees",
                                   [&](int i) {
                                     return std::vector{30 * a(i), 32 + 30 * a(i) * 9 / 5};
                                   },
                                   1, 80},
                                  {"a sum far from zero",
                                   [&](int i) {
                                     return std::vector{1e6 + a(i), 1e6 + b(i), 2e6 + a(i) + b(i)};
                                   },
                                   2, 80},
                                  {"all of the classes",
                                   [&](int i) {
                                     return std::vector<double>{i % 3 == 0 ? 1. : 0.,
                                                                i % 3 == 1 ? 1. : 0.,
                                                                i % 3 == 2 ? 1. : 0.};
                                   },
                                   2, 80},
                                  {"more columns than rows",
                                   [&](int i) {
                                     std::vector<double> row;
                                     for (int j = 0; j < 30; ++j) row.push_back(a(i * 31 + j * j));
                                     return row;
                                   },
                                   11, 12}};
  for (const Table& table : tables) {
    std::ostringstream text;
    text.precision(17);
    for (std::size_t j = 0; j < table.row(0).size(); ++j) text << "x" << j << ",";
    text << "y\n";
    for (int i = 0; i < table.rows; ++i) {
      for (const double value : table.row(i)) text << value << ",";
      text << i % 7 + 0.25 * i << "\n";
    }
    for (const char* solver : {"auto", "qr"}) {
      const Outcome outcome =
          run({"train", "linear-regression", "--data", file("r.csv", text.str()), "--solver",
               solver, "--model", path("rank"), "--force"});
      ASSERT_EQ(outcome.status, 0) << table.what << ": " << outcome.err;
      const auto model = run({"inspect", path("rank"), "--json"}).json()["model"];
      EXPECT_EQ(model["rank"], table.rank) << table.what << " " << solver;
    }
  }
}

// Memory is said before it is taken, with a way out.
TEST_F(Members, MemoryThatIsNotThere) {
  std::string ids = "id,x,y\n";
  std::string classes = "x,y\n";
  for (int i = 0; i < 4000; ++i) {
    ids +=
        "n" + std::to_string(i) + "," + std::to_string(i % 17) + "," + std::to_string(i % 2) + "\n";
    classes += std::to_string(i % 13) + ",c" + std::to_string(i / 2) + "\n";
  }
  std::string wide;
  for (int j = 0; j < 2000; ++j) wide += "x" + std::to_string(j) + ",";
  wide += "y\n";
  for (int i = 0; i < 20; ++i) {
    for (int j = 0; j < 2000; ++j) wide += std::to_string(i * j % 11) + ",";
    wide += std::to_string(i % 2) + "\n";
  }
  const std::string id_file = file("ids.csv", ids);
  const std::string class_file = file("classes.csv", classes);
  const std::string wide_file = file("wide.csv", wide);
  const std::vector<std::pair<std::vector<std::string>, std::string>> members{
      {{"cross-validate", "logistic-regression", "--data", id_file}, "--ignore"},
      {{"train", "kmeans", "--k", "2", "--data", id_file}, "--encode ordinal"},
      {{"train", "linear-regression", "--data", wide_file}, "--solver gradient"},
      {{"train", "mlp", "--data", wide_file, "--hidden", "20000,20000"}, "--hidden"},
      {{"train", "gradient-boosting", "--data", class_file}, "fewer rows or classes"}};
  for (const auto& [arguments, way_out] : members) {
    std::vector<std::string> limited = arguments;
    limited.insert(limited.end(), {"--memory-limit", "16M"});
    const Outcome outcome = run(limited);
    EXPECT_EQ(outcome.status, 2) << arguments[1] << ": " << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr("of memory, but 16.0 MiB are")) << arguments[1];
    EXPECT_THAT(outcome.err, HasSubstr(way_out)) << arguments[1];
  }
}

// An output whose name promises a format that is not written would mislead whoever opens it, and of
// two data files the first would go unread.
TEST_F(Members, NamesThatPromiseSomethingElse) {
  const std::string data = file("t.csv", table("x,z,y", "xzy"));
  train(data);
  for (const char* ending : {"parquet", "feather", "arrow", "json", "npz", "xlsx", "csv.gz", "svm",
                             "tsv", "NPY", "Zip"}) {
    const std::string out = path("p." + std::string(ending));
    const Outcome outcome = run({"predict", path("model"), "--data", data, "--out", out});
    EXPECT_EQ(outcome.status, 2) << ending;
    EXPECT_THAT(outcome.err, HasSubstr("end it with .csv or .npy")) << ending;
    EXPECT_FALSE(fs::exists(out)) << ending;
    EXPECT_EQ(run({"generate", "blobs", "--rows", "5", "--out", out}).status, 2) << ending;
  }
  for (const char* name : {"p.csv", "p.CSV", "p.npy", "p.txt", "p", "json"}) {
    EXPECT_EQ(run({"predict", path("model"), "--data", data, "--out", path(name)}).status, 0)
        << name;
  }
  const Outcome explained =
      run({"explain", path("model"), "--data", data, "--out", path("values.npy")});
  EXPECT_EQ(explained.status, 2);
  EXPECT_THAT(explained.err, HasSubstr("CSV is written"));
  const std::string other = file("u.csv", table("x,z,y", "xzy"));
  const Outcome twice = run({"train", "decision-tree", "--data", data, "--data", other});
  EXPECT_EQ(twice.status, 2);
  EXPECT_THAT(twice.err, HasSubstr("--data is given twice"));
  EXPECT_EQ(run({"train", "decision-tree", "--data", data, "--data", data}).status, 0);
  EXPECT_EQ(run({"predict", path("model"), "--data", data, "--data=" + other}).status, 2);
  const Outcome resumed = run({"train", "mlp", "--data", data, "--resume", data});
  EXPECT_EQ(resumed.status, 2);
  EXPECT_THAT(resumed.err, HasSubstr("--resume " + data));
}

// nvcc writes over whatever its output is called: a source, a table, notes.
TEST_F(Members, CudaProgramsReplaceOnlyPrograms) {
  const std::string source = file("s.cu", "int main() { return 0; }\n");
  for (const char* const name : {"s.cu", "notes.txt", "table.csv", "m.json"}) {
    const std::string text = name == std::string("s.cu") ? read_text(source) : "a,b\n1,2\n";
    (void)file(name, text);
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"-o", path(name)}, {"--output-file", path(name)}, {"--output-file=" + path(name)}}) {
      std::vector<std::string> all{"gpu", "build", source};
      all.insert(all.end(), words.begin(), words.end());
      const Outcome outcome = run(all);
      EXPECT_EQ(outcome.status, 2) << name;
      EXPECT_THAT(outcome.err, HasSubstr("exists, and is no program"));
      EXPECT_EQ(read_text(path(name)), text);
    }
  }
}

// What an error advises is a command that runs.
TEST_F(Members, HintsNameWhatIsThere) {
  const std::string data = file("t.csv", table("x,z,y", "xzy"));
  train(data);
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong{
      {{"train", "mpl", "--data", data}, "did you mean mlp?"},
      {{"train", "decision-tree", data}, "did you mean --data"},
      {{"predict", path("model"), data}, "did you mean --data"},
      {{"train", "decision-tree", "--data"}, "--data: expected FILE behind it; tandem help train"},
      {{"train", "decision-tree", "--data", data, "--max-depth"}, "--max-depth: expected N behind"},
      {{"train", "decision-tree", "--DATA", data}, "did you mean --data?"},
      {{"train", "decision-tree", "--data", data, "--", "--json"}, "behind --"},
      {{"train", "decision-tree", "--data", data, "--resume", path("model")}, "is no checkpoint"},
      {{"train", "decision-tree", "--data", data, "--delimiter", ";"}, "--delimiter says"},
      {{"train", "decision-tree", "--data", data, "--memory-limit", "1"}, "--precision float32"},
      {{"generate", "blob", "--out", path("b.csv")}, "did you mean blobs?"},
      {{"compare", "optimisers", "--data", data}, "did you mean optimizers?"},
      {{"--verison"}, "did you mean --version?"},
      {{"predict", path("model"), "--data", data, "--ignore", "x"}, "was trained on"},
      {{"predict", path("model"), "--data", data, "--columns", "x:category"}, "leave it out"},
      {{"predict", path("model"), "--data", data, "--dates", "parts"}, "dates as seconds"}};
  for (const auto& [arguments, hint] : wrong) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(outcome.err, HasSubstr(hint));
  }
  const Outcome clusters = run({"train", "kmeans", "--k", "2", "--data", data, "--ignore", "y",
                                "--weights", "z", "--model", path("k")});
  EXPECT_THAT(clusters.err + clusters.out, HasSubstr("count each row once"));
  const Outcome evaluated = run({"evaluate", path("k"), "--data", data, "--weights", "z"});
  EXPECT_THAT(evaluated.err + evaluated.out, HasSubstr("count each row once"));
}

// Of one row there is no variance to explain, whatever explains it, and wherever it is asked for.
TEST_F(Members, TheShareOfNoVarianceIsUndefined) {
  std::string rows = "x,z,t\n";
  for (int i = 0; i < 40; ++i) {
    rows +=
        std::to_string(i) + "," + std::to_string(i * i % 7) + "," + std::to_string(3 * i) + ".5\n";
  }
  const std::string data = file("t.csv", rows);
  const std::string one = file("one.csv", "x,z,t\n3,2,9.5\n");
  for (const char* algorithm :
       {"linear-regression", "decision-tree", "random-forest", "gradient-boosting", "mlp"}) {
    std::vector<std::string> command{"train",   algorithm,     "--data", data,
                                     "--model", path("model"), "--force"};
    if (std::string(algorithm) == "mlp") command.insert(command.end(), {"--epochs", "2"});
    ASSERT_EQ(run(command).status, 0) << algorithm;
    const auto metrics = result({"evaluate", path("model"), "--data", one})["metrics"];
    EXPECT_TRUE(metrics["r2"].is_null()) << algorithm << " " << metrics.dump();
    EXPECT_TRUE(metrics["mae"].is_number()) << algorithm;
    command.insert(command.end(), {"--test", one});
    EXPECT_TRUE(result(command)["metrics"]["test"]["r2"].is_null()) << algorithm;
  }
  const auto folds =
      result({"cross-validate", "linear-regression", "--data", data, "--folds", "40"});
  EXPECT_TRUE(folds["summary"]["r2"]["mean"].is_null()) << folds["summary"].dump();
}

// Ranks go by margins: that probabilities of 32 bits are all 1 changes nothing.
TEST_F(Members, RanksAreThoseOfMargins) {
  std::string rows = "x,y\n";
  for (int i = 0; i < 400; ++i) {
    const int x = (i * 7919) % 4001;
    rows += std::to_string(x) + "," + (x + (i * 31) % 900 > 2300 ? "yes" : "no") + "\n";
  }
  const std::string data = file("t.csv", rows);
  const std::vector<std::vector<std::string>> fits{
      {"logistic-regression", "--c", "1000", "--scale", "none"},
      {"logistic-regression", "--c", "1e6"},
      {"gradient-boosting", "--rounds", "300", "--learning-rate", "1"},
      {"mlp", "--epochs", "60", "--l2", "0"},
      {"random-forest", "--trees", "20"}};
  for (const auto& fit : fits) {
    std::map<std::string, double> area;
    for (const char* precision : {"float32", "float64"}) {
      std::vector<std::string> command{"train", fit.front(),   "--data",
                                       data,    "--precision", precision};
      command.insert(command.end(), fit.begin() + 1, fit.end());
      area[precision] = result(command)["metrics"]["roc_auc"].get<double>();
    }
    EXPECT_NEAR(area["float32"], area["float64"], 5e-3) << fit.front();
    EXPECT_GT(area["float32"], 0.9) << fit.front();
  }
}

}  // namespace
}  // namespace tandem
