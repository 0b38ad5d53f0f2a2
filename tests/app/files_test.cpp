// Files as people have them, through the program: read right or said so, and remembered in the
// model.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "app/program.hpp"

namespace tandem {
namespace {

using test::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class Files : public test::Program {
 protected:
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    test::write_text(path(name), text);
    return path(name);
  }
  // Trains with --json and a model, which must succeed.
  nlohmann::json train(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all{"train"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.insert(all.end(), {"--json", "--model", path("model")});
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? outcome.json() : nlohmann::json::object();
  }
  [[nodiscard]] std::string predictions(const std::string& data) const {
    const Outcome outcome = run({"predict", path("model"), "--data", data});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
};

// y = 2 a − b + 1
std::string plane(char delimiter, bool commas, int rows = 40) {
  const auto number = [&](double value) {
    std::string text = std::to_string(value);
    if (commas) std::replace(text.begin(), text.end(), '.', ',');
    return text;
  };
  std::string text = std::string("a") + delimiter + "b" + delimiter + "y\n";
  for (int i = 0; i < rows; ++i) {
    const double a = 0.5 * i;
    const double b = 0.25 * ((i * 7) % 11);
    text += number(a) + delimiter + number(b) + delimiter + number(2 * a - b + 1) + "\n";
  }
  return text;
}

TEST_F(Files, DecimalCommasAreNumbers) {
  const auto json = train({"linear-regression", "--data", file("de.csv", plane(';', true))});
  EXPECT_EQ(json["features"], 2);
  EXPECT_NEAR(json["metrics"]["r2"].get<double>(), 1, 1e-9);
  const std::string predicted = predictions(file("new.csv", "a;b\n1,5;0,5\n"));
  ASSERT_EQ(predicted.substr(0, 2), "y\n");
  EXPECT_NEAR(std::stod(predicted.substr(2)), 3.5, 1e-9);
  const Outcome wrong = run({"predict", path("model"), "--data", file("us.csv", "a,b\n1.5,0.5\n")});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--delimiter"));
}

TEST_F(Files, AHeaderIsDecidedOnce) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += i % 2 == 0 ? "vhigh,small,unacc\n" : "med,big,acc\n";
  (void)train({"decision-tree", "--data", file("train.csv", text), "--header", "no"});
  EXPECT_EQ(predictions(file("new.csv", "vhigh,small\nmed,big\nmed,big\n")),
            "target\nunacc\nacc\nacc\n");
  const Outcome three = run({"evaluate", path("model"), "--target", "last", "--json", "--data",
                             file("ev.csv", "vhigh,small,unacc\nmed,big,acc\nmed,big,acc\n")});
  EXPECT_EQ(three.json()["rows"], 3);
}

TEST_F(Files, MissingTextsAreRemembered) {
  std::string text = "temp,y\n";
  for (int i = 0; i < 50; ++i) {
    text += i % 10 == 0 ? "-999,40\n" : std::to_string(i) + "," + std::to_string(2 * i) + "\n";
  }
  (void)train({"linear-regression", "--data", file("train.csv", text), "--missing=-999", "--impute",
               "mean"});
  const std::string one = predictions(file("one.csv", "temp\n20\n-999\n"));
  const Outcome told = run({"predict", path("model"), "--missing=-999", "--data", path("one.csv")});
  EXPECT_EQ(one, told.out);
  EXPECT_EQ(std::count(one.begin(), one.end(), '\n'), 3);
  const std::string blank = predictions(file("blank.csv", "temp\n20.0\n\n22.0\n"));
  EXPECT_EQ(std::count(blank.begin(), blank.end(), '\n'), 4);
}

TEST_F(Files, TheFirstIndexOfLibsvmIsRemembered) {
  (void)train({"logistic-regression", "--scale", "none", "--data",
               file("train.svm",
                    "1 0:5 1:1 2:0.5\n1 0:6 1:0.5 2:1\n0 0:1 1:5 2:1.5\n0 0:0.5 1:6 2:2\n"
                    "1 0:7 1:1.5 2:1\n0 0:1 1:6 2:1\n")});
  EXPECT_EQ(predictions(file("new.svm", "0 1:6 2:1\n0 1:5 2:2\n")), "target\n0\n0\n");
  const Outcome right = run({"evaluate", path("model"), "--json", "--data", path("new.svm")});
  EXPECT_EQ(right.json()["metrics"]["accuracy"], 1);
}

TEST_F(Files, TheTaskIsDecidedOnTheWholeFile) {
  std::string text = "x,y\n";
  for (int i = 0; i < 210; ++i) {
    const int y = i == 0 ? 20 : i % 20;  // 21 values, one of them in one row
    text += std::to_string(y * 3 + 0.25 * (i % 4)) + "," + std::to_string(i == 0 ? 20 : y) + "\n";
  }
  const std::string data = file("counts.csv", text);
  const Outcome folds =
      run({"cross-validate", "decision-tree", "--data", data, "--folds", "5", "--json"});
  ASSERT_EQ(folds.status, 0) << folds.err;
  EXPECT_EQ(folds.json()["task"], "regression");
  EXPECT_EQ(folds.json()["summary"]["r2"]["count"], 5);
  EXPECT_FALSE(folds.json()["summary"].contains("accuracy"));
  EXPECT_EQ(train({"decision-tree", "--data", data, "--test-fraction", "0.3"})["task"],
            "regression");
  EXPECT_THAT(run({"train", "decision-tree", "--data", data}).err,
              HasSubstr("--task classification"));
}

TEST_F(Files, StreamsAreReadOnce) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < 60000; ++i) {
    text +=
        std::to_string(i * 0.001) + "," + std::to_string(i % 17) + "," + std::to_string(i) + "\n";
  }
  ASSERT_GT(text.size(), std::size_t{1} << 20);
  const std::string data = file("t.csv", text);
  const std::string command =
      std::string(TANDEM_PROGRAM) + " train linear-regression --json --data ";
  for (const std::string& way :
       {"cat " + data + " | " + command + "/dev/stdin", "cat " + data + " | " + command + "-",
        "bash -c '" + command + "<(cat " + data + ")'"}) {
    ASSERT_EQ(std::system((way + " > " + path("out.json") + " 2>/dev/null").c_str()), 0) << way;
    const auto json = nlohmann::json::parse(test::read_text(path("out.json")));
    EXPECT_EQ(json["rows"], 60000) << way;
    EXPECT_EQ(json["target"], "y") << way;
  }
}

TEST_F(Files, ClassesKeepTheirNames) {
  std::string text = "x,y\n";
  std::string later = "x,y\n";
  for (int i = 0; i < 40; ++i) {
    const std::string x = std::to_string(i % 2 == 0 ? -1 - i : 1 + i);
    text += x + (i % 2 == 0 ? ",100000\n" : ",200000\n");
    later += x + (i % 2 == 0 ? ",100000.0\n" : ",200000.0\n");
  }
  const std::string data = file("e5.csv", text);
  (void)train({"decision-tree", "--data", data, "--class-weight", "100000=2,200000.0=1"});
  EXPECT_EQ(predictions(file("new.csv", "x\n-5\n5\n")), "y\n100000\n200000\n");
  const Outcome by_value =
      run({"evaluate", path("model"), "--json", "--data", file("later.csv", later)});
  EXPECT_EQ(by_value.json()["metrics"]["accuracy"], 1);
  EXPECT_THAT(by_value.err, HasSubstr("by their value"));
  ASSERT_EQ(
      run({"predict", path("model"), "--data", path("new.csv"), "--out", path("p.npy")}).status, 0);
  const std::string array = test::read_text(path("p.npy"));
  EXPECT_THAT(array, HasSubstr("'<i8'"));
  std::int64_t first = 0;
  std::memcpy(&first, array.data() + array.size() - 16, 8);
  EXPECT_EQ(first, 100000);

  std::string codes = "x,y\n";
  for (int i = 0; i < 40; ++i)
    codes += std::to_string(i % 2) + (i % 2 == 0 ? ",02139\n" : ",10001\n");
  (void)train({"decision-tree", "--data", file("zip.csv", codes)});
  EXPECT_EQ(predictions(file("x.csv", "x\n0\n1\n")), "y\n02139\n10001\n");
  ASSERT_EQ(run({"predict", path("model"), "--data", path("x.csv"), "--out", path("z.npy")}).status,
            0);
  EXPECT_THAT(test::read_text(path("z.npy")), HasSubstr("'<U5'"));
}

TEST_F(Files, UnknownLabelsAreSaidLoudly) {
  std::string text = "age,y\n";
  for (int i = 0; i < 20; ++i) text += std::to_string(20 + i) + (i < 10 ? ", <=50K\n" : ", >50K\n");
  (void)train({"decision-tree", "--data", file("train.csv", text)});
  const Outcome outcome = run(
      {"evaluate", path("model"), "--data", file("test.csv", "age,y\n25, <=50K.\n38, >50K.\n")});
  EXPECT_THAT(outcome.err, HasSubstr("MOST LABELS ARE UNKNOWN"));
  EXPECT_THAT(outcome.err, HasSubstr("'<=50K.'"));
  EXPECT_THAT(outcome.out, HasSubstr("2 of 2 rows"));
}

TEST_F(Files, LookTellsHowAFileIsRead) {
  const std::string data = file("orders.csv",
                                ",when,price,zip,paid\n0,31.01.2024,\"1,200.50\",02139,True\n"
                                "1,01.02.2024,3.5,10001,False\n2,15.02.2024,-,02139,True\n");
  const Outcome outcome = run({"look", data, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = outcome.json();
  EXPECT_EQ(json["rows"], 3);
  std::map<std::string, std::string> holds;
  for (const auto& column : json["columns"]) holds[column["name"]] = column["holds"];
  EXPECT_EQ(holds,
            (std::map<std::string, std::string>{
                {"when", "date"}, {"price", "number"}, {"zip", "category"}, {"paid", "boolean"}}));
  EXPECT_EQ(json["columns"][0]["first"][0], "2024-01-31");
  EXPECT_EQ(json["columns"][1]["missing"], 1);
  EXPECT_EQ(json["columns"][1]["high"], 1200.5);
  EXPECT_EQ(json["reading"]["delimiter"], ",");
  EXPECT_GE(json["warnings"].size(), 4U);
  const Outcome text = run({"look", data, "--report", path("page")});
  EXPECT_THAT(text.out, HasSubstr("--columns zip:number"));
  EXPECT_THAT(test::read_text(path("page/report.html")), HasSubstr("2024-01-31"));
}

TEST_F(Files, ForeignFormatsAreNamed) {
  const auto message = [&](const std::string& name, const std::string& bytes) {
    const Outcome outcome = run({"train", "kmeans", "--k", "2", "--data", file(name, bytes)});
    EXPECT_EQ(outcome.status, 2) << name;
    return outcome.err;
  };
  EXPECT_THAT(message("a.parquet", "PAR1abcd"), HasSubstr("Parquet"));
  EXPECT_THAT(message("a.feather", "ARROW1ab"), HasSubstr("Arrow"));
  EXPECT_THAT(message("a.json", "[\n {\"a\": 1}]"), HasSubstr("JSON"));
  EXPECT_THAT(message("a.jsonl", "{\"a\": 1}\n{\"a\": 2}\n"), HasSubstr("JSON"));
  EXPECT_THAT(message("a.xls", "\xD0\xCF\x11\xE0\xA1\xB1"), HasSubstr("Excel"));
  EXPECT_THAT(message("a.csv", "<!DOCTYPE html><html>"), HasSubstr("web page"));
  EXPECT_THAT(message("a.h5", "\x89HDF\r\n\x1a\n"), HasSubstr("HDF5"));
  EXPECT_THAT(message("a.sql", "-- MySQL dump 10.13\n--\nCREATE TABLE t (x int);\n"),
              HasSubstr("is SQL"));
  EXPECT_THAT(message("b.sql", "\nINSERT INTO t VALUES (1, 2);\n"), HasSubstr("is SQL"));
  EXPECT_THAT(message("a.txt", "<table><tr><td>1</td></tr></table>"), HasSubstr("read_html"));
  EXPECT_THAT(message("a.pdf", "%PDF-1.4\n%"), HasSubstr("PDF"));
  EXPECT_THAT(message("a.sas7bdat", std::string(12, '\0') + "\xC2\xEA\x81\x60\xB3\x14"),
              HasSubstr("read_sas"));
  EXPECT_THAT(message("a.xpt", "HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!"),
              HasSubstr("SAS transport"));
  EXPECT_THAT(message("a.dta", "<stata_dta><header>"), HasSubstr("Stata"));
  EXPECT_THAT(message("old.dta", std::string("\x72\x02\x01\x00", 4)), HasSubstr("Stata"));
  EXPECT_THAT(message("a.pkl", "\x80\x04\x95"), HasSubstr("pickle"));
  EXPECT_THAT(message("a.orc", std::string("ORC\x11\0\0", 6)), HasSubstr("ORC"));
  EXPECT_THAT(message("a.rds", std::string("X\n\0\0\0\x03", 6)), HasSubstr("readRDS"));
  EXPECT_THAT(message("a.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(message("a.feather", "FEA1\x01"), HasSubstr("version 1"));
}

// The marks of some formats are words that may name a column.
TEST_F(Files, ColumnsAreNoForeignFormats) {
  for (const char* name : {"ORC", "ORCID", "PAR1", "ARROW1", "RDX2", "DUCK", "create"}) {
    const std::string data = file("t.csv", std::string(name) + ",y\n1,2\n3,4\n5,6\n");
    const Outcome outcome = run({"train", "kmeans", "--k", "2", "--data", data});
    EXPECT_EQ(outcome.status, 0) << name << ": " << outcome.err;
  }
}

TEST_F(Files, CompressedTables) {
  const std::string data = file("t.csv", plane(',', false));
  for (const char* tool : {"xz -k", "zstd -q -k", "bzip2 -k", "gzip -k"}) {
    // A tool that is not there makes no file, which is then passed over.
    (void)!std::system((std::string(tool) + " -f " + data + " 2>/dev/null").c_str());
  }
  for (const char* ending : {".xz", ".zst", ".bz2", ".gz"}) {
    if (!std::filesystem::exists(data + ending)) continue;
    EXPECT_EQ(train({"linear-regression", "--data", data + ending})["rows"], 40) << ending;
    std::string damaged = test::read_text(data + ending);
    damaged.resize(damaged.size() - 9);
    const Outcome outcome =
        run({"train", "linear-regression", "--data", file(std::string("cut") + ending, damaged)});
    EXPECT_EQ(outcome.status, 2) << ending;
  }
}

}  // namespace
}  // namespace tandem
