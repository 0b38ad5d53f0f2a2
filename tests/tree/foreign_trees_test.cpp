// Models that XGBoost 3.2 and LightGBM 4.7 wrote, with rows and the raw scores that those programs
// gave them: tests/tree/foreign/.
#include "tandem/tree/foreign_trees.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "tandem/core/error.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::string folder() { return std::string(TANDEM_DATA_DIR) + "/../tests/tree/foreign/"; }

std::string bytes_of(const std::string& name) {
  std::ifstream file(folder() + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The rows of a table: four features, then scores.
struct Rows {
  Matrix<double> x;
  Matrix<double> scores;
};
Rows rows_of(const std::string& name) {
  std::istringstream text(bytes_of(name + ".csv"));
  std::string line;
  std::getline(text, line);
  const auto outputs = std::count(line.begin(), line.end(), ',') - 3;
  std::vector<double> x;
  std::vector<double> scores;
  while (std::getline(text, line)) {
    std::istringstream fields(line);
    std::string field;
    for (int k = 0; k < 4 + outputs; ++k) {
      std::getline(fields, field, ',');
      (k < 4 ? x : scores).push_back(field.empty() ? NAN : std::stod(field));
    }
  }
  const auto rows = static_cast<Index>(x.size()) / 4;
  EXPECT_EQ(rows, 30);
  return {Matrix<double>(rows, 4, std::move(x)), Matrix<double>(rows, outputs, std::move(scores))};
}

template <Real T>
Matrix<T> converted(const Matrix<double>& from) {
  return Matrix<T>(from.rows(), from.cols(),
                   std::vector<T>(from.values().begin(), from.values().end()));
}

template <Real T>
Matrix<T> scores_of(const ForeignTrees<T>& foreign, const Matrix<double>& x) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  return foreign.model.trees.raw_scores(*engine, converted<T>(x).view());
}

struct File {
  std::string name;
  std::string ending;
  BoostingObjective objective;
};
const std::vector<File> of_xgboost{{"xgb_squared", ".json", BoostingObjective::squared_error},
                                   {"xgb_logistic", ".ubj", BoostingObjective::logistic},
                                   {"xgb_softprob", ".json", BoostingObjective::softmax},
                                   {"xgb_poisson", ".ubj", BoostingObjective::poisson},
                                   {"xgb_categories", ".json", BoostingObjective::squared_error},
                                   {"xgb_dart", ".json", BoostingObjective::squared_error}};
const std::vector<File> of_lightgbm{{"lgb_squared", ".txt", BoostingObjective::squared_error},
                                    {"lgb_binary", ".txt", BoostingObjective::logistic},
                                    {"lgb_multiclass", ".txt", BoostingObjective::softmax},
                                    {"lgb_categories", ".txt", BoostingObjective::squared_error},
                                    {"lgb_zero", ".txt", BoostingObjective::squared_error},
                                    {"lgb_forest", ".txt", BoostingObjective::squared_error}};

TEST(ForeignTrees, OfXgboostHaveItsScores) {
  for (const File& file : of_xgboost) {
    SCOPED_TRACE(file.name);
    const Rows rows = rows_of(file.name);
    const auto single = parse_xgboost<float>(bytes_of(file.name + file.ending), file.name);
    EXPECT_EQ(single.model.objective, file.objective);
    EXPECT_EQ(single.feature_names.size(), 4U);
    const auto scores = scores_of(single, rows.x);
    const auto twice =
        scores_of(parse_xgboost<double>(bytes_of(file.name + file.ending), file.name), rows.x);
    ASSERT_EQ(scores.cols(), rows.scores.cols());
    // A plain float sum has the same bits; the base scores of logistic and poisson go through a
    // logarithm, dart's leaves through a product.
    const bool plain =
        file.name == "xgb_squared" || file.name == "xgb_softprob" || file.name == "xgb_categories";
    for (std::size_t e = 0; e < scores.values().size(); ++e) {
      const double expected = rows.scores.values()[e];
      if (plain) {
        EXPECT_EQ(scores.values()[e], static_cast<float>(expected));
      } else {
        EXPECT_NEAR(scores.values()[e], expected, 1e-6 * (1 + std::abs(expected)));
      }
      EXPECT_NEAR(twice.values()[e], expected, 1e-6 * (1 + std::abs(expected)));
    }
  }
}

TEST(ForeignTrees, OfLightgbmHaveItsScores) {
  for (const File& file : of_lightgbm) {
    SCOPED_TRACE(file.name);
    const Rows rows = rows_of(file.name);
    const auto foreign = parse_lightgbm<double>(bytes_of(file.name + file.ending), file.name);
    EXPECT_EQ(foreign.model.objective, file.objective);
    const auto scores = scores_of(foreign, rows.x);
    ASSERT_EQ(scores.cols(), rows.scores.cols());
    for (std::size_t e = 0; e < scores.values().size(); ++e) {
      const double expected = rows.scores.values()[e];
      if (file.name == "lgb_forest") {  // a sum of quotients for the quotient of a sum
        EXPECT_NEAR(scores.values()[e], expected, 1e-14 * (1 + std::abs(expected)));
      } else {
        EXPECT_EQ(scores.values()[e], expected);
      }
    }
  }
}

// What is written in any of the formats scores alike, and is explained alike.
TEST(ForeignTrees, AreWrittenAndReadBack) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  for (const auto* files : {&of_xgboost, &of_lightgbm}) {
    for (const File& file : *files) {
      SCOPED_TRACE(file.name);
      const bool lightgbm = files == &of_lightgbm;
      const std::string bytes = bytes_of(file.name + file.ending);
      const Rows rows = rows_of(file.name);
      if (!lightgbm) {
        const auto first = parse_xgboost<float>(bytes, "first");
        const auto expected = scores_of(first, rows.x);
        for (const std::string& text : {to_xgboost_json(first.model, first.feature_names),
                                        to_xgboost_ubjson(first.model, first.feature_names)}) {
          const auto again = parse_xgboost<float>(text, "again");
          EXPECT_EQ(again.feature_names, first.feature_names);
          const auto scores = scores_of(again, rows.x);
          for (std::size_t e = 0; e < scores.values().size(); ++e) {
            EXPECT_NEAR(scores.values()[e], expected.values()[e], 1e-6F);
          }
        }
        continue;
      }
      const auto first = parse_lightgbm<double>(bytes, "first");
      const auto again =
          parse_lightgbm<double>(to_lightgbm_text(first.model, first.feature_names), "again");
      EXPECT_EQ(again.model.trees.trees.size(), first.model.trees.trees.size());
      EXPECT_EQ(scores_of(again, rows.x), scores_of(first, rows.x));
      EXPECT_EQ(shap_values(*engine, again.model.trees, rows.x.view()).values,
                shap_values(*engine, first.model.trees, rows.x.view()).values);
    }
  }
}

TEST(ForeignTrees, SayWhatTheyAre) {
  EXPECT_EQ(foreign_format(bytes_of("xgb_squared.json")), ForeignFormat::xgboost_json);
  EXPECT_EQ(foreign_format(bytes_of("xgb_poisson.ubj")), ForeignFormat::xgboost_ubjson);
  EXPECT_EQ(foreign_format(bytes_of("lgb_zero.txt")), ForeignFormat::lightgbm);
  EXPECT_EQ(foreign_format("a,b\n1,2\n"), ForeignFormat::none);
  EXPECT_EQ(foreign_format(""), ForeignFormat::none);
}

void expect_refused(const std::string& bytes, const std::string& what) {
  try {
    if (foreign_format(bytes) == ForeignFormat::lightgbm)
      (void)parse_lightgbm<double>(bytes, "file");
    else
      (void)parse_xgboost<double>(bytes, "file");
    ADD_FAILURE() << what;
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr(what));
  }
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

TEST(ForeignTrees, AreRefusedWhereTheyAreDamagedOrSaySomethingElse) {
  const std::string json = bytes_of("xgb_squared.json");
  expect_refused(json.substr(0, json.size() / 2), "not a whole JSON document");
  expect_refused(replaced(json, "reg:squarederror", "reg:pseudohubererror"),
                 "its objective is 'reg:pseudohubererror', expected one of");
  expect_refused(replaced(json, "\"gbtree\"", "\"gblinear\""), "its booster is \"gblinear\"");
  expect_refused(replaced(json, "\"left_children\":[1", "\"left_children\":[0"),
                 "tree 0: node 0 leads to 0");
  expect_refused(replaced(json, "\"num_feature\":\"4\",\"num_target\"",
                          "\"num_feature\":\"2\",\"num_target\""),
                 "splits a feature that is not there");
  expect_refused(replaced(json, "\"base_score\"", "\"case_score\""), "has no \"base_score\"");
  const std::string text = bytes_of("lgb_squared.txt");
  expect_refused(text.substr(0, text.size() / 2), "is cut off");
  expect_refused(replaced(text, "objective=regression", "objective=mape"),
                 "its objective is 'mape'");
  expect_refused(replaced(text, "is_linear=0", "is_linear=1"), "linear leaves");
  expect_refused(replaced(text, "max_feature_idx=3", "max_feature_idx=0"), "split_feature");
  expect_refused(replaced(text, "num_leaves=6", "num_leaves=7"), "leaf_value has 6 values");
  // Nesting and counts that would take all memory or stack.
  expect_refused(std::string("{i\x01") + "a" + std::string(100000, '['), "UBJSON");
  expect_refused(std::string("{i\x01") + "a[$Z#l\x7f\xff\xff\xff", "UBJSON");
}

TEST(ForeignTrees, MakeAPipelineThatPredicts) {
  const Rows rows = rows_of("lgb_binary");
  const AnyModel any = import_trees(folder() + "lgb_binary.txt");
  ASSERT_TRUE(std::holds_alternative<Pipeline<double>>(any));
  const auto& pipeline = std::get<Pipeline<double>>(any);
  Dataset<double> data;
  data.source = "rows";
  data.columns = numbered_columns(4);
  data.features = rows.x;
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const auto predicted = pipeline.predict(*engine, data);
  for (Index i = 0; i < 30; ++i) {
    EXPECT_NEAR(predicted.probabilities(i, 1), 1 / (1 + std::exp(-rows.scores(i, 0))), 1e-14);
  }
  const std::string path = ::testing::TempDir() + "/exported.json";
  export_trees(path, pipeline, ForeignFormat::xgboost_json);
  const auto back = std::get<Pipeline<double>>(import_trees(path, Precision::float64));
  const auto again = back.predict(*engine, data);
  for (Index i = 0; i < 30; ++i) {
    EXPECT_NEAR(again.probabilities(i, 1), predicted.probabilities(i, 1), 1e-6);
  }
  std::filesystem::remove(path);
  EXPECT_THROW((void)import_trees(folder() + "lgb_binary.csv"), InputError);
}

}  // namespace
}  // namespace tandem
