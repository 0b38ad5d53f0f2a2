// tandem recommend ACTION: one file per action in this folder; the table is in
// commands/recommend.cpp. All actions share one set of options; each says which of them it takes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/option_set.hpp"
#include "tandem/recommend/interactions.hpp"
#include "tandem/recommend/recommender.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {

// An option of one or several algorithms, by its canonical name.
struct RecommenderOption {
  OptionName name{""};
  std::string help;  // with the algorithms and their defaults
  bool is_flag = false;
  std::string text;  // as given; empty: not given
  bool flag = false;
};

// What several actions are told.
struct RecommendSettings {
  std::string first;  // behind the action: ALGORITHM of train, MODEL of evaluate; or empty
  FileName data;
  FileName items;
  FileName model;
  InteractionColumns columns;
  Reading reading;
  RunSettings run;
  std::vector<RecommenderOption> of_algorithms;
  bool force = false;

  // Throws InputError where no file is named.
  [[nodiscard]] Interactions read_events() const;
  // Throws InputError for a name that there is not, and for options that belong to others.
  [[nodiscard]] std::unique_ptr<RecommenderAlgorithm> algorithm(const OptionSet& options) const;
};

class RecommendAction {
 public:
  virtual ~RecommendAction() = default;
  // Options that no action before it has added.
  virtual void add_options(OptionSet& options) = 0;
  // The canonical names of the options that it takes, its own and shared ones, beside those of
  // RunSettings.
  [[nodiscard]] virtual std::vector<std::string> takes() const = 0;
  virtual int run(const OptionSet& options, RecommendSettings& settings) = 0;
};

struct RecommendActionInfo {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<RecommendAction> (*make)();
};

std::unique_ptr<RecommendAction> make_recommend_train();
std::unique_ptr<RecommendAction> make_recommend_evaluate();
std::unique_ptr<RecommendAction> make_recommend_simulate();
std::unique_ptr<RecommendAction> make_recommend_serve();
std::unique_ptr<RecommendAction> make_recommend_demo();
std::unique_ptr<RecommendAction> make_recommend_policies();

}  // namespace tandem::program
