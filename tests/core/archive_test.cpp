#include "tandem/core/archive.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tandem/core/error.hpp"
#include "tandem/model/model.hpp"

namespace tandem {
namespace {

TEST(Archive, HoldsEveryTypeAndParts) {
  Archive part;
  part.set("mean", 1.5);
  part.set_matrix("centres", Matrix<float>(2, 3, 7.0F));
  Archive archive;
  archive.set("name", "kmeans");
  archive.set("flag", true);
  archive.set("k", std::int64_t{1} << 40);
  archive.set("classes", std::vector<std::string>{"a", "b"});
  archive.set_part("scaler", part);
  EXPECT_EQ(archive.get_string("name"), "kmeans");
  EXPECT_TRUE(archive.get_bool("flag"));
  EXPECT_EQ(archive.get_int("k"), std::int64_t{1} << 40);
  EXPECT_EQ(archive.get_strings("classes").size(), 2U);
  EXPECT_EQ(archive.get_double("scaler/mean"), 1.5);
  EXPECT_TRUE(archive.has_part("scaler"));
  EXPECT_FALSE(archive.has_part("scale"));
  EXPECT_EQ(archive.part("scaler").get_matrix<float>("centres", 2, 3), Matrix<float>(2, 3, 7.0F));
}

TEST(Archive, GettersNameTheOriginAndTheEntry) {
  Archive archive;
  archive.set_origin("m.tandem");
  archive.set("k", 3);
  archive.set_tensor("labels", std::vector<std::int32_t>{1, 2});
  const auto message = [](auto&& action) -> std::string {
    try {
      action();
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([&] { (void)archive.get_int("depth"); }), "m.tandem: depth: is missing");
  EXPECT_EQ(message([&] { (void)archive.get_string("k"); }), "m.tandem: k: is not a text");
  EXPECT_EQ(message([&] { (void)archive.get_int("k", 4, 9); }),
            "m.tandem: k: is 3, expected 4 to 9");
  EXPECT_EQ(message([&] { (void)archive.get_tensor<float>("labels"); }),
            "m.tandem: labels: has another element type");
  EXPECT_EQ(message([&] { (void)archive.get_tensor<std::int32_t>("labels", 3); }),
            "m.tandem: labels: has 2 elements, expected 3");
  EXPECT_EQ(message([&] { (void)archive.get_matrix<std::int32_t>("labels"); }),
            "m.tandem: labels: is not a matrix");
}

TEST(TrainingLog, ReadsBack) {
  TrainingLog log;
  log.iterations = 12;
  log.stopped_because = "centres moved by less than 1e-4";
  log.converged = true;
  log.history["inertia"] = {3, 2, 1};
  Archive archive;
  log.save(archive);
  EXPECT_EQ(TrainingLog::load(archive), log);
}

}  // namespace
}  // namespace tandem
