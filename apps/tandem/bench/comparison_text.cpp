// A comparison as text and as JSON.
#include "tandem/bench/comparison.hpp"
#include "tandem/core/text.hpp"
#include "tandem/output.hpp"

namespace tandem::program {

std::string to_text(const BenchKey& key) {
  return key.name + ", " + key.measured + ", " + counted(key.rows, "row") + ", " +
         counted(key.threads, "thread");
}

nlohmann::json to_json(const BenchComparison& comparison) {
  const auto names = [](const std::vector<BenchKey>& keys) {
    nlohmann::json list = nlohmann::json::array();
    for (const BenchKey& key : keys) list.push_back(to_text(key));
    return list;
  };
  nlohmann::json json{{"error_rate", comparison.error_rate},
                      {"least_probability", comparison.least_probability},
                      {"needed_probability", comparison.needed_probability},
                      {"slower", slower(comparison)},
                      {"counted", comparison.counted},
                      {"work_changed", comparison.work_changed},
                      {"only_before", names(comparison.only_before)},
                      {"only_after", names(comparison.only_after)},
                      {"rows", nlohmann::json::array()}};
  for (const BenchChange& row : comparison.rows) {
    json["rows"].push_back({{"case", row.of.name},
                            {"measured", row.of.measured},
                            {"rows", row.of.rows},
                            {"threads", row.of.threads},
                            {"before_seconds", row.before},
                            {"after_seconds", row.after},
                            {"probability", row.probability},
                            {"changed", row.changed}});
  }
  return json;
}

std::string verdict_of(const BenchChange& row) {
  if (!row.changed) return "within noise";
  return row.after > row.before ? "slower" : "faster";
}

std::string to_text(const BenchComparison& comparison) {
  std::vector<std::vector<std::string>> rows{
      {"case", "rows", "threads", "before, s", "after, s", "after / before", "p", "verdict"}};
  for (const BenchChange& row : comparison.rows) {
    rows.push_back({row.of.name + ", " + row.of.measured, std::to_string(row.of.rows),
                    std::to_string(row.of.threads), significant(row.before, 3),
                    significant(row.after, 3), significant(row.after / row.before, 3),
                    significant(row.probability, 2), verdict_of(row)});
  }
  std::string text =
      table(rows) + "\n" +
      wrapped(
          "p: of ranks as unequal where nothing has changed (Mann and Whitney, exact); a verdict "
          "keeps the probability of any false alarm among all rows at " +
              significant(comparison.error_rate, 2) + " (Holm).",
          terminal_width());
  if (comparison.least_probability > comparison.needed_probability) {
    text += wrapped(
        "With so few runs no single change can be told from noise at this error rate: the least p "
        "is " +
            significant(comparison.least_probability, 2) + ", and " +
            significant(comparison.needed_probability, 2) + " is needed. Take more runs.",
        terminal_width());
  }
  if (comparison.counted > 0 && comparison.work_changed.empty()) {
    text += "work on a GPU: equal in all " + std::to_string(comparison.counted) +
            " that were counted\n";
  }
  for (const std::string& one : comparison.work_changed)
    text += "other work on a GPU: " + one + "\n";
  for (const BenchKey& one : comparison.only_before) text += "only before: " + to_text(one) + "\n";
  for (const BenchKey& one : comparison.only_after) text += "only after: " + to_text(one) + "\n";
  return text;
}

}  // namespace tandem::program
