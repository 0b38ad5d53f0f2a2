#include "systems/recommend/answer_json.hpp"

#include <cmath>

#include "systems/serving/json_text.hpp"

namespace tandem::recommend {
namespace {

using serving::append_json_number;
using serving::append_json_text;

// Six decimals: what a score means does not go further.
double rounded(double value) { return std::round(value * 1e6) / 1e6; }

}  // namespace

std::string answer_json(const AnswerText& answer, const std::vector<Recommendation>& items,
                        const Catalogue& catalogue) {
  std::string json;
  json.reserve(512 + 400 * items.size());
  const auto text = [&](std::string_view name, std::string_view value) {
    json += '"';
    json += name;
    json += "\":";
    append_json_text(json, value);
  };
  const auto text_or_null = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) {
      text(name, value);
      return;
    }
    json += '"';
    json += name;
    json += "\":null";
  };
  json += '{';
  text("answer", answer.id);
  json += ',';
  text("user", answer.user);
  json += ',';
  text("configuration", answer.configuration);
  json += ',';
  text("model", answer.model);
  json += ',';
  text_or_null("experiment", answer.experiment);
  json += ',';
  text_or_null("arm", answer.arm);
  if (!answer.interleaved_with.empty()) {
    json += ',';
    text("interleaved_with", answer.interleaved_with);
  }
  json += answer.cold ? ",\"cold_start\":true" : ",\"cold_start\":false";
  json += ",\"missing\":[";
  for (std::size_t i = 0; i < answer.missing.size(); ++i) {
    if (i > 0) json += ',';
    append_json_text(json, answer.missing[i]);
  }
  json += "],\"recommendations\":[";
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Recommendation& one = items[i];
    const Item& item = catalogue.item(one.ranked.item);
    json += i > 0 ? ",{" : "{";
    text("content_id", item.id);
    json += ',';
    text("title", catalogue.name(one.ranked.item));
    json += ',';
    text_or_null("genre", item.genre);
    json += ',';
    text_or_null("creator", item.creator);
    json += ',';
    text_or_null("thumbnail_url", item.thumbnail);
    json += ",\"score\":";
    append_json_number(json, rounded(one.ranked.score));
    json += ",\"score_parts\":{";
    for (std::size_t k = 0; k < part_count; ++k) {
      if (k > 0) json += ',';
      json += '"';
      json += part_names[k];
      json += "\":";
      append_json_number(json, rounded(one.ranked.parts[k]));
    }
    json += "},\"boost\":";
    append_json_number(json, rounded(one.ranked.boost));
    json += ',';
    text("recommendation_type", enum_names<RecommendationType>[static_cast<std::size_t>(one.type)]);
    json += ',';
    text("explanation", one.explanation);
    json += ",\"because\":[";
    for (std::size_t k = 0; k < one.because.size(); ++k) {
      if (k > 0) json += ',';
      append_json_text(json, catalogue.item(one.because[k]).id);
    }
    json += ']';
    if (one.team >= 0) {
      json += ",\"team\":";
      append_json_number(json, one.team);
    }
    json += '}';
  }
  json += "]}";
  return json;
}

}  // namespace tandem::recommend
