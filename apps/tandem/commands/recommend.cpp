// tandem recommend: trains and evaluates recommenders, and what else stands in the table below.
#include <algorithm>
#include <map>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/out_of_core.hpp"
#include "tandem/output.hpp"
#include "tandem/recommend/action.hpp"

namespace tandem::program {
namespace {

const std::vector<RecommendActionInfo>& actions() {
  static const std::vector<RecommendActionInfo> all{
      {"train", "train a recommender on interactions", make_recommend_train},
      {"evaluate", "measure a kind of recommender on events that it has not seen",
       make_recommend_evaluate},
      {"simulate", "make viewers of known tastes, and what they watch", make_recommend_simulate},
      {"serve", "answer recommendations over HTTP", make_recommend_serve},
      {"demo", "simulate viewers, train, and serve a page where one clicks as a viewer",
       make_recommend_demo},
      {"policies",
       "judge by what a service has logged what other ways of choosing would have earned",
       make_recommend_policies},
  };
  return all;
}

// Gathers the options of all algorithms: one of each name, which says whose it is.
class Gather final : public OptionVisitor {
 public:
  Gather(std::string_view algorithm, std::vector<RecommenderOption>& all)
      : algorithm_(algorithm), all_(all) {}
  void integer(const OptionName& name, std::int64_t& value, std::string_view help, std::int64_t,
               std::int64_t) override {
    add(name, help, std::to_string(value), false);
  }
  void real(const OptionName& name, double& value, std::string_view help, double, double) override {
    add(name, help, readable(value), false);
  }
  void flag(const OptionName& name, bool& value, std::string_view help) override {
    add(name, help, value ? "yes" : "no", true);
  }
  void integers(const OptionName& name, std::vector<std::int64_t>&, std::string_view help,
                std::int64_t, std::int64_t) override {
    add(name, help, "", false);
  }
  void reals(const OptionName& name, std::vector<double>&, std::string_view help, double,
             double) override {
    add(name, help, "", false);
  }
  void text(const OptionName& name, std::string& value, std::string_view help) override {
    add(name, help, value, false);
  }
  void choice_ref(const OptionName& name, ChoiceRef value, std::string_view help) override {
    std::string words;
    for (const std::string_view word : value.names()) {
      words += (words.empty() ? "" : "|") + std::string(word);
    }
    add(name, words + ": " + std::string(help), std::string(value.get()), false);
  }
  void written_ref(const OptionName& name, WrittenRef value, std::string_view help,
                   std::string_view) override {
    add(name, help, value.get(), false);
  }
  void seed(std::uint64_t&) override {}

 private:
  void add(const OptionName& name, std::string_view help, const std::string& standard, bool flag) {
    const std::string of = std::string(algorithm_) + (standard.empty() ? "" : " " + standard);
    for (RecommenderOption& known : all_) {
      if (known.name.name() != name.name()) continue;
      known.help.insert(known.help.size() - 1, ", " + of);
      return;
    }
    RecommenderOption made;
    made.name = name;
    made.help = std::string(help) + " (" + of + ")";
    made.is_flag = flag;
    all_.push_back(std::move(made));
  }

  std::string_view algorithm_;
  std::vector<RecommenderOption>& all_;
};

class Recommend final : public Command {
 public:
  void add_options(OptionSet& options) override {
    std::vector<std::string> names;
    std::string help;
    for (const RecommendActionInfo& info : actions()) {
      names.emplace_back(info.name);
      help +=
          (help.empty() ? "" : "; ") + std::string(info.name) + ": " + std::string(info.summary);
    }
    options.positional("ACTION", action_, help, names);
    options.positionals("ALGORITHM", words_, "train, evaluate: " + joined(recommender_names()),
                        recommender_names());
    options.group("Data");
    options.written("data", settings_.data, "the interactions: one row for each event", "FILE");
    options.written("items", settings_.items,
                    "what is known of the items: one row for each; simulate: how many there are",
                    "FILE");
    options.written("model", settings_.model,
                    "train: where the model goes; serve: the model, or REPOSITORY/NAME of one that "
                    "tandem models register keeps",
                    "FILE");
    settings_.columns.visit(options);
    visit_folder_of_rows(options, "events_cache",
                         "train als, item-knn: a folder for events that do not fit into the memory "
                         "(--memory-limit): they are kept there while the run lasts and streamed, "
                         "with the same results");
    options.group("How the files are read");
    settings_.reading.visit(options);
    options.group("Options of algorithms, with their defaults");
    for (const std::string& name : recommender_names()) {
      Gather gather(name, settings_.of_algorithms);
      make_recommender(name)->visit_options(gather);
    }
    for (RecommenderOption& one : settings_.of_algorithms) {
      if (one.is_flag) {
        options.flag(one.name, one.flag, one.help);
      } else {
        options.text(one.name, one.text, one.help);
      }
    }
    for (const RecommendActionInfo& info : actions()) {
      options.group("Options of " + std::string(info.name));
      made_.push_back(info.make());
      made_.back()->add_options(options);
      for (const std::string& name : made_.back()->takes()) takers_[name].push_back(info.name);
    }
    options.group("Run");
    // Recommenders compute in numbers of 32 bits where they say so, and in double elsewhere.
    WithoutOptions run(options, {"precision"});
    settings_.run.visit(run);
    options.flag("force", settings_.force, replace_help);
  }

  int run(const OptionSet& options) override {
    std::vector<std::string> names;
    for (std::size_t a = 0; a < actions().size(); ++a) {
      const RecommendActionInfo& info = actions()[a];
      names.emplace_back(info.name);
      if (info.name != action_) continue;
      for (const auto& [name, takers] : takers_) {
        if (options.given(name) &&
            std::find(takers.begin(), takers.end(), info.name) == takers.end()) {
          throw InputError(option(name) + " is not for tandem recommend " + action_);
        }
      }
      if (words_.size() > 1) throw InputError("unexpected argument '" + words_[1] + "'");
      if (!words_.empty()) settings_.first = words_.front();
      return made_[a]->run(options, settings_);
    }
    const std::string meant = nearest_name(action_, names);
    throw InputError("unknown action '" + action_ + "': expected one of " + joined(names) +
                     (meant.empty() ? "" : "; did you mean " + meant + "?"));
  }

 private:
  std::string action_;
  std::vector<std::string> words_;
  RecommendSettings settings_;
  std::vector<std::unique_ptr<RecommendAction>> made_;
  std::map<std::string, std::vector<std::string_view>> takers_;
};

}  // namespace

Interactions RecommendSettings::read_events() const {
  if (data.path.empty()) throw InputError("expected " + option("data") + " FILE: the interactions");
  return read_interactions(data.path, columns, reading, static_cast<int>(run.threads));
}

std::unique_ptr<RecommenderAlgorithm> RecommendSettings::algorithm(const OptionSet& options) const {
  if (first.empty()) {
    throw InputError("expected an algorithm: one of " + joined(recommender_names()));
  }
  auto made = make_recommender(first);
  for (const RecommenderOption& one : of_algorithms) {
    if (!options.given(one.name.name())) continue;
    if (!has_option([&](OptionVisitor& visitor) { made->visit_options(visitor); },
                    one.name.name())) {
      throw InputError(option(one.name.name()) + " is not an option of " + first);
    }
    if (one.is_flag) {
      made->set(one.name.name(), one.flag);
    } else {
      made->set(one.name.name(), one.text);
    }
  }
  if (has_option([&](OptionVisitor& visitor) { made->visit_options(visitor); }, "seed")) {
    made->set("seed", static_cast<std::int64_t>(run.seed));
  }
  made->check_options();
  return made;
}

// Only the table of commands needs it, see command.cpp.
std::unique_ptr<Command> make_recommend(std::unique_ptr<Algorithm> algorithm);

std::unique_ptr<Command> make_recommend(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Recommend>();
}

}  // namespace tandem::program
