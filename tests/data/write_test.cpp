#include "tandem/data/write.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

class Write : public ::testing::Test {
 protected:
  Write() {
    folder_ = std::filesystem::temp_directory_path() /
              ("tandem-write-" + std::to_string(::getpid()) + "-" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  ~Write() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const char* name) const { return (folder_ / name).string(); }
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::filesystem::path folder_;
};

TEST_F(Write, CsvQuotesWhatRfc4180Asks) {
  Dataset<double> data;
  data.features = Matrix<double>(2, 2, std::vector<double>{0.1, 0, std::nan(""), 1});
  data.columns = {{"plain", {}}, {"a, \"b\"", {"x\ny", " z"}}};
  data.target = {1, 2};
  data.target_column.name = "t";
  data.weights = {1, 0.5};
  write_csv(path("a.csv"), data);
  EXPECT_EQ(content(path("a.csv")),
            "plain,\"a, \"\"b\"\"\",t,weight\n0.1,\"x\ny\",1,1\n,\" z\",2,0.5\n");
}

TEST_F(Write, CsvReadsBackToTheSameBits) {
  GenerateOptions generated;
  generated.rows = 9000;
  generated.features = 3;
  auto data = generate_regression<float>(generated);
  data.features(17, 1) = std::numeric_limits<float>::denorm_min();
  data.features(18, 1) = std::numeric_limits<float>::max();
  data.features(19, 1) = std::numeric_limits<float>::quiet_NaN();
  data.features(20, 1) = -std::numeric_limits<float>::infinity();
  data.features(21, 1) = -0.0F;
  ReadOptions options;
  options.target = "last";
  write_csv(path("1.csv"), data, ';', 1);
  write_csv(path("2.csv"), data, ';', 2);
  EXPECT_EQ(content(path("1.csv")), content(path("2.csv")));
  const auto again = read_dataset<float>(path("1.csv"), options);
  EXPECT_TRUE(test::same_bits(again.features.values(), data.features.values()));
  EXPECT_TRUE(test::same_bits(again.target, data.target));
}

TEST_F(Write, CsvHasGroupsAndBaseMargins) {
  Dataset<double> data;
  data.features = Matrix<double>(2, 1, std::vector<double>{1, 2});
  data.columns = {{"x", {}}};
  data.weights = {0.5, 1};
  data.groups = {7, -1};
  data.base_margin = {0.25, 3};
  write_csv(path("a.csv"), data);
  EXPECT_EQ(content(path("a.csv")), "x,weight,group,base_margin\n1,0.5,7,0.25\n2,1,-1,3\n");
  data.base_margin = {0.25, 3, 4, 5};
  write_csv(path("b.csv"), data);
  EXPECT_EQ(content(path("b.csv")),
            "x,weight,group,base_margin0,base_margin1\n1,0.5,7,0.25,3\n2,1,-1,4,5\n");
}

TEST_F(Write, CsvKeepsARowThatIsEmpty) {
  Dataset<double> data;
  data.features = Matrix<double>(2, 1, std::vector<double>{std::nan(""), 1});
  data.columns = {{"a", {}}};
  write_csv(path("a.csv"), data);
  EXPECT_EQ(read_dataset<double>(path("a.csv")).rows(), 2);
}

TEST_F(Write, Table) {
  write_csv_table(path("t.csv"), {"row", "label", "p"}, 2, [](Index i, CsvRecord& record) {
    record.add(i).add(i == 0 ? "a,b" : "c").add(0.25F);
  });
  EXPECT_EQ(content(path("t.csv")), "row,label,p\n0,\"a,b\",0.25\n1,c,0.25\n");
}

// python: np.lib.format.write_array(f, np.arange(3, dtype='<f4')), its bytes.
TEST_F(Write, NpyIsWhatNumpyWrites) {
  const std::vector<float> values{0, 1, 2};
  write_npy(path("a.npy"), std::span<const float>(values));
  std::string expected("\x93NUMPY\x01\x00\x76\x00", 10);
  expected += "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
  expected.append(127 - expected.size(), ' ');
  expected += '\n';
  expected += std::string("\x00\x00\x00\x00\x00\x00\x80\x3f\x00\x00\x00\x40", 12);
  EXPECT_EQ(content(path("a.npy")), expected);
}

TEST_F(Write, NpyOfAWindowReadsBack) {
  const Matrix<double> whole(2, 3, std::vector<double>{1, 2, 3, 4, 5, 6});
  write_npy(path("a.npy"), MatrixView<const double>{whole.data(), 2, 2, 3});
  EXPECT_EQ(read_dataset<double>(path("a.npy")).features.values(),
            (std::vector<double>{1, 2, 4, 5}));
}

TEST_F(Write, FailuresNameThePath) {
  Dataset<float> data;
  data.features = Matrix<float>(1, 1);
  data.columns = numbered_columns(1);
  EXPECT_THROW(write_csv(path("none/a.csv"), data), InputError);
  data.columns[0].categories = {"x"};
  data.features(0, 0) = 7;
  EXPECT_THROW(write_csv(path("a.csv"), data), InputError);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));  // nothing is left behind
}

}  // namespace
}  // namespace tandem
