// Queries of rankings: qid: in libsvm files, and .query files beside the data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/data/readers.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A data file in a folder of its own, and what stands beside it.
class Queries : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/tandem-query-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static std::string message_of(const std::string& path) {
    try {
      (void)read_dataset<double>(path);
    } catch (const InputError& error) {
      return error.what();
    }
    return "no InputError";
  }

 private:
  std::string folder_;
};

TEST_F(Queries, AreReadFromLibsvm) {
  const auto data = read_dataset<double>(
      write("a.svm", "2 qid:10 1:5\n0 qid:10 2:1 # c\n1 qid:7\n0 qid:7 1:1\n"));
  EXPECT_THAT(data.groups, ElementsAre(10, 10, 7, 7));
  EXPECT_THAT(data.target, ElementsAre(2, 0, 1, 0));
  EXPECT_EQ(data.features(0, 0), 5);
  EXPECT_TRUE(read_dataset<double>(write("b.svm", "1 1:2\n")).groups.empty());
}

TEST_F(Queries, ThatAreDamagedAreRefused) {
  EXPECT_THAT(message_of(write("a.svm", "1 qid:1 1:2\n0 1:2\n")), HasSubstr("line 2: some rows"));
  EXPECT_THAT(message_of(write("b.svm", "1 1:2\n0 qid:1 1:2\n")), HasSubstr("line 2: some rows"));
  EXPECT_THAT(message_of(write("c.svm", "1 qid:x 1:2\n")), HasSubstr("'qid:x' is not qid: and"));
  EXPECT_THAT(message_of(write("d.svm", "1 qid:99999999999999999999 1:2\n")),
              HasSubstr("is not qid: and a whole number"));
  EXPECT_THAT(message_of(write("e.svm", "1 1:2 qid:1\n")), HasSubstr("before the features"));
  EXPECT_THAT(message_of(write("f.svm", "1 qid:1 qid:1 1:2\n")), HasSubstr("must stand once"));
}

TEST_F(Queries, AreReadFromAFileBesideTheData) {
  const std::string path = write("a.csv", "x,y\n1,0\n2,1\n3,0\n4,2\n");
  EXPECT_TRUE(read_dataset<double>(path).groups.empty());
  write("a.csv.query", "1\n3\r\n");
  EXPECT_THAT(read_dataset<double>(path).groups, ElementsAre(0, 1, 1, 1));
  write("a.csv.query", "1\n2\n");
  EXPECT_THAT(message_of(path), HasSubstr("the queries have 3 rows together, and"));
  write("a.csv.query", "1\n4\n");
  EXPECT_THAT(message_of(path), HasSubstr("up to line 2 have more rows than"));
  write("a.csv.query", "1\nx\n");
  EXPECT_THAT(message_of(path), HasSubstr("line 2: 'x' is not the number of rows"));
  write("a.csv.query", "99999999999999999999999\n");
  EXPECT_THAT(message_of(path), HasSubstr("line 1"));
}

}  // namespace
}  // namespace tandem
