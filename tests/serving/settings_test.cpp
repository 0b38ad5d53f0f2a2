// Settings of a server: what is read, what is refused, what a model has of its own.
#include "systems/serving/serve_settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tandem/core/error.hpp"

namespace tandem::serving {
namespace {

using ::testing::HasSubstr;

std::string refusal(const std::string& text) {
  try {
    (void)read_settings(nlohmann::json::parse(text), {});
  } catch (const InputError& error) {
    return error.what();
  }
  return "taken";
}

TEST(ServeSettings, AModelsOwnShareWinsOverThatOfAll) {
  ServeSettings base;
  base.canary_share = 0.5;
  base.drift.rows = 77;
  const ServeSettings settings = read_settings(
      nlohmann::json::parse(
          R"({"shadow_share": 0.1, "models": {"a": {"canary_share": 0, "shadow_version": 3}},
              "prediction_log": {"folder": "f", "leave_out": ["x"], "share": 0.25}})"),
      base);
  EXPECT_EQ(settings.canary_share_of("a"), 0);
  EXPECT_EQ(settings.canary_share_of("b"), 0.5);
  EXPECT_EQ(settings.shadow_share_of("a"), 0.1);
  EXPECT_EQ(settings.models.at("a").shadow_version, 3);
  EXPECT_EQ(settings.log.folder, "f");
  EXPECT_EQ(settings.log.sample, 0.25);
  EXPECT_EQ(settings.log.leave_out, std::vector<std::string>{"x"});
  EXPECT_EQ(settings.drift.rows, 77);
}

TEST(ServeSettings, WhatIsWrongIsNamed) {
  EXPECT_THAT(refusal("[]"), HasSubstr("the settings: expected an object"));
  EXPECT_THAT(refusal(R"({"canary": 1})"),
              HasSubstr("canary: is not known; expected canary_share"));
  EXPECT_THAT(refusal(R"({"canary_share": 1.5})"),
              HasSubstr("canary_share: 1.5 is not from 0 to 1"));
  EXPECT_THAT(refusal(R"({"models": {"a": {"shadow_version": 1.5}}})"),
              HasSubstr("models.a.shadow_version: expected a whole number"));
  EXPECT_THAT(refusal(R"({"drift": {"rows": "5"}})"), HasSubstr("drift.rows: expected a number"));
  EXPECT_THAT(refusal(R"({"prediction_log": {"leave_out": "x"}})"),
              HasSubstr("prediction_log.leave_out: expected a list"));
  EXPECT_EQ(refusal("{}"), "taken");
}

}  // namespace
}  // namespace tandem::serving
