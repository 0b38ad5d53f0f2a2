#include "tandem/model/pipeline_options.hpp"

#include <algorithm>
#include <mutex>
#include <set>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

// Hands options on under the name of their step: "method" as "scale.method". Names live as long as
// the program, because those of options are views.
class WithPrefix final : public OptionVisitor {
 public:
  WithPrefix(OptionVisitor& to, std::string_view step) : to_(to), step_(step) {}
  void integer(const OptionName& name, std::int64_t& value, std::string_view help,
               std::int64_t lowest, std::int64_t highest) override {
    to_.integer(renamed(name), value, help, lowest, highest);
  }
  void real(const OptionName& name, double& value, std::string_view help, double lowest,
            double highest) override {
    to_.real(renamed(name), value, help, lowest, highest);
  }
  void flag(const OptionName& name, bool& value, std::string_view help) override {
    to_.flag(renamed(name), value, help);
  }
  void integers(const OptionName& name, std::vector<std::int64_t>& value, std::string_view help,
                std::int64_t lowest, std::int64_t highest) override {
    to_.integers(renamed(name), value, help, lowest, highest);
  }
  void reals(const OptionName& name, std::vector<double>& value, std::string_view help,
             double lowest, double highest) override {
    to_.reals(renamed(name), value, help, lowest, highest);
  }
  void text(const OptionName& name, std::string& value, std::string_view help) override {
    to_.text(renamed(name), value, help);
  }
  void choice_ref(const OptionName& name, ChoiceRef value, std::string_view help) override {
    to_.choice_ref(renamed(name), value, help);
  }
  void written_ref(const OptionName& name, WrittenRef value, std::string_view help,
                   std::string_view syntax) override {
    to_.written_ref(renamed(name), value, help, syntax);
  }
  void seed(std::uint64_t& value) override { to_.seed(value); }

 private:
  [[nodiscard]] OptionName renamed(const OptionName& name) const {
    static std::set<std::string, std::less<>> names;
    static std::mutex mutex;
    const std::scoped_lock lock(mutex);
    const std::string_view full =
        *names.insert(std::string(step_) + "." + std::string(name.name())).first;
    return {full, name.shown() == name.name() ? full : name.shown(), {}};
  }

  OptionVisitor& to_;
  std::string_view step_;
};

// The names that an option may be given by; and whether one of several is meant.
class Finder final : public OptionVisitor {
 public:
  explicit Finder(std::string_view name) : name_(name) {}
  void integer(const OptionName& name, std::int64_t&, std::string_view, std::int64_t,
               std::int64_t) override {
    see(name);
  }
  void real(const OptionName& name, double&, std::string_view, double, double) override {
    see(name);
  }
  void flag(const OptionName& name, bool&, std::string_view) override { see(name); }
  void integers(const OptionName& name, std::vector<std::int64_t>&, std::string_view, std::int64_t,
                std::int64_t) override {
    see(name);
  }
  void reals(const OptionName& name, std::vector<double>&, std::string_view, double,
             double) override {
    see(name);
  }
  void text(const OptionName& name, std::string&, std::string_view) override { see(name); }
  void choice_ref(const OptionName& name, ChoiceRef, std::string_view) override { see(name); }
  void written_ref(const OptionName& name, WrittenRef, std::string_view,
                   std::string_view) override {
    see(name);
  }
  void seed(std::uint64_t&) override {}

  bool found = false;
  std::vector<std::string> shown;

 private:
  void see(const OptionName& name) {
    shown.emplace_back(name.shown());
    found = found || name.matches(name_);
  }

  std::string_view name_;
};

// True where the prefix of an option's name means the algorithm.
bool means_algorithm(std::string_view prefix, const Algorithm& algorithm) {
  return same_name(prefix, "predictor") || same_name(prefix, to_string(algorithm.kind())) ||
         same_name(prefix, algorithm.name());
}

}  // namespace

PipelineOptions::PipelineOptions(std::string_view algorithm)
    : PipelineOptions(make_algorithm(algorithm)) {}

PipelineOptions::PipelineOptions(std::unique_ptr<Algorithm> algorithm)
    : algorithm_(std::move(algorithm)), steps_(standard_steps()) {
  if (algorithm_->prefers_scaled_features()) set("scale.method", "standard");
  if (algorithm_->takes_categories()) set("encode.method", "none");
}

PipelineOptions::PipelineOptions(const PipelineOptions& other)
    : algorithm_(other.algorithm_->clone()), seed_(other.seed_) {
  for (const auto& step : other.steps_) steps_.push_back(step->clone());
}

PipelineOptions& PipelineOptions::operator=(const PipelineOptions& other) {
  return *this = PipelineOptions(other);
}

PipelineOptions& PipelineOptions::set_steps(const std::vector<std::string>& names) {
  std::vector<std::unique_ptr<TransformStep>> steps;
  for (const std::string& name : names) {
    for (const auto& step : steps) {
      if (!same_name(step->name(), name)) continue;
      throw InputError("the step " + name + " is named twice; expected each at most once");
    }
    const auto present = std::find_if(steps_.begin(), steps_.end(), [&](const auto& step) {
      return step != nullptr && same_name(step->name(), name);
    });
    steps.push_back(present != steps_.end() ? (*present)->clone() : make_transform(name));
  }
  steps_ = std::move(steps);
  return *this;
}

PipelineOptions& PipelineOptions::set(std::string_view name, const OptionValue& value) {
  const auto dot = name.find('.');
  if (dot != std::string_view::npos) {
    const std::string_view prefix = name.substr(0, dot);
    const std::string_view option_name = name.substr(dot + 1);
    for (const auto& step : steps_) {
      if (!same_name(step->name(), prefix)) continue;
      step->set(option_name, value);
      return *this;
    }
    if (means_algorithm(prefix, *algorithm_)) {
      if (same_name(option_name, "seed")) return set(option_name, value);
      algorithm_->set(option_name, value);
      return *this;
    }
    std::string expected = "predictor";
    for (const auto& step : steps_) expected += ", " + std::string(step->name());
    throw InputError("there is no step " + std::string(prefix) + " to set " + option(option_name) +
                     " of; expected one of " + expected);
  }
  if (same_name(name, "seed")) {
    set_option([this](OptionVisitor& visitor) { visitor.seed(seed_); }, name, value);
    return *this;
  }

  Finder finder(name);
  algorithm_->visit_options(finder);
  std::vector<std::string> owners;
  if (finder.found) owners.emplace_back("predictor");
  TransformStep* owner = nullptr;
  for (const auto& step : steps_) {
    Finder of_step(name);
    step->visit_options(of_step);
    finder.shown.insert(finder.shown.end(), of_step.shown.begin(), of_step.shown.end());
    if (!of_step.found) continue;
    owners.emplace_back(step->name());
    owner = step.get();
  }
  if (owners.size() > 1) {
    std::string all;
    for (const std::string& one : owners) {
      all += (all.empty() ? "" : ", ") + option(one + "." + std::string(name));
    }
    throw InputError(option(name) + " may mean several options; expected one of " + all);
  }
  if (owners.empty()) {
    const std::string meant = nearest_name(name, finder.shown);
    std::string all;
    for (const std::string& one : finder.shown) all += (all.empty() ? "" : ", ") + option(one);
    throw InputError("there is no option " + option(name) + "; expected one of " + all +
                     (meant.empty() ? "" : "; did you mean " + option(meant) + "?"));
  }
  if (owner != nullptr) {
    owner->set(name, value);
  } else {
    algorithm_->set(name, value);
  }
  return *this;
}

void PipelineOptions::visit_algorithm(OptionVisitor& visitor) {
  WithoutOptions without_seed(visitor, {"seed"});
  algorithm_->visit_options(without_seed);
}

void PipelineOptions::visit_steps(OptionVisitor& visitor) {
  for (const auto& step : steps_) {
    WithPrefix prefixed(visitor, step->name());
    step->visit_options(prefixed);
  }
}

Archive PipelineOptions::record_steps() const {
  PipelineOptions copy = *this;
  return record_options([&](OptionVisitor& visitor) { copy.visit_steps(visitor); });
}

void PipelineOptions::check() const {
  algorithm_->check_options();
  for (const auto& step : steps_) step->check_options();
}

}  // namespace tandem
