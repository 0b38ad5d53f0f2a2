#include "tandem/option_set.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <utility>

#include "common/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

std::string dashed(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

// What other libraries call an option is no name of it where the program means something else by
// that, in whichever command: --weights names a column, and --metric what is shown.
constexpr std::array<std::string_view, 2> meant_otherwise{"weights", "metric"};

// The names that CLI11 is to know an option by: "--k,--clusters,--n-clusters".
std::string all_names(const OptionName& name) {
  std::vector<std::string> names{"--" + dashed(name.shown())};
  const auto add = [&](std::string_view other) {
    std::string text = "--" + dashed(other);
    if (std::find(names.begin(), names.end(), text) == names.end())
      names.push_back(std::move(text));
  };
  add(name.name());
  for (const auto other : name.others()) {
    if (std::ranges::find(meant_otherwise, other) == meant_otherwise.end()) add(other);
  }
  return joined(names, ",");
}

std::string as_text(double value) { return shortest(value); }
std::string as_text(std::int64_t value) { return std::to_string(value); }

template <class T>
std::string list_text(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T value : values) texts.push_back(as_text(value));
  return joined(texts, ",");
}

}  // namespace

std::string quoted_for_shell(std::string_view text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+.,:/@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

void Spelling::add(const OptionName& name) {
  shown_.insert_or_assign(std::string(name.name()), dashed(name.shown()));
}

std::string Spelling::operator()(std::string_view canonical_name) const {
  const auto found = shown_.find(canonical_name);
  return "--" + (found == shown_.end() ? dashed(canonical_name) : found->second);
}

FileName FileName::parse(std::string_view text) {
  if (text.empty()) throw InputError("expected the name of a file, and the text is empty");
  return {std::string(text)};
}

Words Words::parse(std::string_view text) { return {split(text, ',')}; }
std::string Words::to_string() const { return joined(list, ","); }

OptionSet::OptionSet(std::string title, std::string usage, std::string help_topic)
    : title_(std::move(title)), usage_(std::move(usage)), help_topic_(std::move(help_topic)) {
  app_.set_help_flag();
  app_.allow_extras();
}

CLI::Option* OptionSet::add(const OptionName& name, std::string_view help, std::string type,
                            std::string standard, VisitOptions declare) {
  spelling_.add(name);
  auto* option = app_.add_option_function<std::string>(
      all_names(name),
      [canonical = std::string(name.name()), declare = std::move(declare)](
          const std::string& text) { set_option(declare, canonical, text); },
      std::string(help));
  option->type_name(std::move(type));
  option->default_str(std::move(standard));
  option->group(group_);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return option;
}

void OptionSet::integer(const OptionName& name, std::int64_t& value, std::string_view help,
                        std::int64_t lowest, std::int64_t highest) {
  add(name, help, "N", as_text(value), [name, &value, lowest, highest](OptionVisitor& visitor) {
    visitor.integer(name, value, {}, lowest, highest);
  });
}

void OptionSet::real(const OptionName& name, double& value, std::string_view help, double lowest,
                     double highest) {
  add(name, help, "X", as_text(value), [name, &value, lowest, highest](OptionVisitor& visitor) {
    visitor.real(name, value, {}, lowest, highest);
  });
}

void OptionSet::flag(const OptionName& name, bool& value, std::string_view help) {
  spelling_.add(name);
  auto* added = app_.add_flag_function(
      all_names(name) + ",!--no-" + dashed(name.shown()),
      [&value](std::int64_t count) { value = count > 0; }, std::string(help));
  added->default_str(value ? "yes" : "");
  added->group(group_);
  added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void OptionSet::integers(const OptionName& name, std::vector<std::int64_t>& value,
                         std::string_view help, std::int64_t lowest, std::int64_t highest) {
  add(name, help, "N,N,...", list_text(value),
      [name, &value, lowest, highest](OptionVisitor& visitor) {
        visitor.integers(name, value, {}, lowest, highest);
      });
}

void OptionSet::reals(const OptionName& name, std::vector<double>& value, std::string_view help,
                      double lowest, double highest) {
  add(name, help, "X,X,...", list_text(value),
      [name, &value, lowest, highest](OptionVisitor& visitor) {
        visitor.reals(name, value, {}, lowest, highest);
      });
}

void OptionSet::text(const OptionName& name, std::string& value, std::string_view help) {
  add(name, help, "TEXT", value,
      [name, &value](OptionVisitor& visitor) { visitor.text(name, value, {}); });
}

void OptionSet::choice_ref(const OptionName& name, ChoiceRef value, std::string_view help) {
  auto& choices = choices_["--" + dashed(name.shown())];
  for (const auto word : value.names()) choices.emplace_back(word);
  // Short lists are shown in place of the value's name, long ones in the sentence.
  std::string type = joined(value.names(), "|");
  std::string sentence(help);
  if (type.size() > 16) {
    type = "WORD";
    sentence += ": " + joined(value.names());
  }
  add(name, sentence, type, std::string(value.get()),
      [name, value](OptionVisitor& visitor) { visitor.choice_ref(name, value, {}); });
}

void OptionSet::written_ref(const OptionName& name, WrittenRef value, std::string_view help,
                            std::string_view syntax) {
  add(name, help, std::string(syntax), value.get(),
      [name, reference = std::as_const(value)](OptionVisitor& visitor) {
        visitor.written_ref(name, reference, {}, {});
      });
}

void OptionSet::seed(std::uint64_t& value) {
  // The option stands where the last of them has asked for it.
  if (!seeds_.empty()) app_.remove_option(app_.get_option("--seed"));
  seeds_.push_back(&value);
  add("seed", "seed of every random choice", "N", std::to_string(value),
      [this](OptionVisitor& visitor) {
        for (std::uint64_t* each : seeds_) visitor.seed(*each);
      });
}

void OptionSet::positional(std::string_view name, std::string& value, std::string_view help,
                           std::vector<std::string> choices) {
  choices_[std::string(name)] = std::move(choices);
  auto* option = app_.add_option_function<std::string>(
      std::string(name), [&value](const std::string& text) { value = text; }, std::string(help));
  option->group("Arguments");
  required_.emplace_back(name);
}

void OptionSet::topics(std::vector<std::string>& values) {
  auto* option = app_.add_option("TOPIC", values, "a command, and an algorithm");
  option->group("Arguments");
  option->expected(0, 3);
}

void OptionSet::positionals(std::string_view name, std::vector<std::string>& values,
                            std::string_view help, std::vector<std::string> choices,
                            bool or_files) {
  if (!choices.empty()) choices_[std::string(name)] = std::move(choices);
  if (or_files) files_too_.emplace_back(name);
  auto* option = app_.add_option(std::string(name), values, std::string(help));
  option->group("Arguments");
  option->expected(0, CLI::detail::expected_max_vector_size);
}

void OptionSet::rest(std::vector<std::string>& values, std::string open) {
  rest_ = &values;
  rest_after_ = std::move(open);
  app_.prefix_command();
}

std::string OptionSet::arguments(const std::vector<std::string>& without) const {
  std::string text;
  for (auto at = arguments_.begin(); at != arguments_.end(); ++at) {
    const auto equals = at->find('=');
    const CLI::Option* const option =
        at->starts_with("--") ? app_.get_option_no_throw(with_dashes(at->substr(0, equals)))
                              : nullptr;
    if (option != nullptr && std::ranges::any_of(without, [&](const std::string& name) {
          return option == app_.get_option_no_throw("--" + dashed(name));
        })) {
      const bool takes_value = option->get_expected_max() > 0;
      if (takes_value && equals == std::string::npos && at + 1 != arguments_.end()) ++at;
      continue;
    }
    text += (text.empty() ? "" : " ") + quoted_for_shell(*at);
  }
  return text;
}

std::string OptionSet::see_help() const {
  return help_topic_.empty() ? "" : "; tandem help " + help_topic_ + " lists all options";
}

namespace {

// CLI11 says "--max-depth: 1 required N missing".
std::string about_missing_value(const std::string& message) {
  constexpr std::string_view before = ": 1 required ";
  constexpr std::string_view behind = " missing";
  const auto at = message.find(before);
  if (at == std::string::npos || !message.ends_with(behind)) return message;
  const auto type = at + before.size();
  return message.substr(0, at) + ": expected " +
         message.substr(type, message.size() - behind.size() - type) + " behind it";
}

}  // namespace

// CLI11 knows options by their names with dashes only.
std::string OptionSet::with_dashes(const std::string& argument) const {
  if (!argument.starts_with("--")) return argument;
  const auto equals = std::min(argument.find('='), argument.size());
  const std::string name = dashed(std::string_view(argument).substr(0, equals));
  if (app_.get_option_no_throw(name) == nullptr) return argument;
  return name + argument.substr(equals);
}

const CLI::Option* OptionSet::positional_called(const std::string& name) const {
  for (const CLI::Option* option : app_.get_options()) {
    if (!option->get_positional()) continue;
    std::string as_option = "--" + dashed(option->get_name());
    std::transform(as_option.begin(), as_option.end(), as_option.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (as_option == name) return option;
  }
  return nullptr;
}

void OptionSet::say_what_goes_on(const std::vector<std::string>& all) const {
  const std::string& program = all.front();
  for (auto word = all.begin() + 1; word != all.end(); ++word) {
    const std::string dashes = with_dashes(*word);
    const std::string name = dashes.substr(0, dashes.find('='));
    if (!name.starts_with("--") || app_.get_option_no_throw(name) == nullptr) continue;
    note(name + " goes to " + program +
         ", as all that stands behind it; tandem's own options stand " +
         "before it (-- in front of " + program + " says that this is meant)");
    return;
  }
}

void OptionSet::parse(const std::vector<std::string>& arguments) {
  arguments_ = arguments;
  auto end = arguments.end();
  if (rest_ != nullptr) {
    if (!rest_after_.empty() && !arguments.empty() && arguments.front() == rest_after_) {
      end = arguments.begin() + 1;
      rest_->assign(end, arguments.end());
    } else {
      end = std::find(arguments.begin(), arguments.end(), "--");
      if (end != arguments.end()) rest_->assign(end + 1, arguments.end());
    }
  }
  std::vector<std::string> reversed;
  for (auto at = std::make_reverse_iterator(end); at != arguments.rend(); ++at) {
    reversed.push_back(with_dashes(*at));
  }
  try {
    app_.parse(reversed);
  } catch (const CLI::ArgumentMismatch& error) {
    throw InputError(about_missing_value(error.what()) + see_help());
  } catch (const CLI::ParseError& error) {
    throw InputError(error.what());
  }
  std::vector<std::string> known;
  for (const CLI::Option* option : app_.get_options()) {
    for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  }
  const std::vector<std::string> remaining = app_.remaining();
  for (auto at = remaining.begin(); at != remaining.end(); ++at) {
    const std::string& argument = *at;
    if (argument == "--") continue;
    if (!argument.starts_with('-')) {
      if (rest_ != nullptr) {
        // The other program comes before any "--", which is then one of its own.
        std::vector<std::string> all(at, remaining.end());
        say_what_goes_on(all);
        all.insert(all.end(), end, arguments.end());
        *rest_ = std::move(all);
        break;
      }
      std::error_code none;
      const bool file = app_.get_option_no_throw("--data") != nullptr && !given("data") &&
                        std::filesystem::exists(argument, none);
      throw InputError(
          "unexpected argument '" + argument + "'" +
          (file ? "; did you mean --data " + quoted_for_shell(argument) + "?" : see_help()));
    }
    const std::string name = argument.substr(0, argument.find('='));
    const std::string meant = nearest_name(name, known);
    if (const CLI::Option* place = positional_called(name)) {
      throw InputError(name + " is no option here: " + place->get_name() +
                       " stands without it, as the first argument: " + usage_ + see_help());
    }
    if (meant == name)
      throw InputError("unexpected argument '" + name + "' behind --" + see_help());
    throw InputError("unknown option " + name +
                     (meant.empty() ? see_help() : "; did you mean " + meant + "?"));
  }
  // The last of two numbers counts, as everywhere; of two files the first would go unread, unsaid.
  for (const CLI::Option* option : app_.get_options()) {
    const std::vector<std::string>& given = option->results();
    if (option->get_type_name() != "FILE" || option->get_lnames().empty()) continue;
    const auto other = std::find_if(given.begin(), given.end(),
                                    [&](const std::string& file) { return file != given.back(); });
    if (other == given.end()) continue;
    throw InputError("--" + option->get_lnames().front() + " is given twice, as " + *other +
                     " and as " + given.back() +
                     "; name one file (data may be a folder or a quoted pattern, 'part-*.csv')");
  }
  for (const std::string& name : required_) {
    if (app_.get_option(name)->count() == 0) {
      throw InputError("expected " + name + ": " + usage_ + see_help());
    }
  }
}

bool OptionSet::given(std::string_view name) const {
  const auto* option = app_.get_option_no_throw("--" + dashed(name));
  return option != nullptr && option->count() > 0;
}

std::vector<OptionText> OptionSet::descriptions() const {
  std::vector<std::string> groups;
  for (const CLI::Option* option : app_.get_options()) {
    if (std::find(groups.begin(), groups.end(), option->get_group()) == groups.end()) {
      groups.push_back(option->get_group());
    }
  }
  std::vector<OptionText> all;
  for (const std::string& group : groups) {
    for (const CLI::Option* option : app_.get_options()) {
      if (option->get_group() != group) continue;
      const bool flag = option->get_expected_max() == 0;
      OptionText text;
      text.group = group;
      text.positional = option->get_positional();
      text.takes_value = !flag && !text.positional;
      text.name = text.positional ? option->get_name() : "--" + option->get_lnames().front();
      if (text.takes_value) text.type = option->get_type_name();
      text.help = option->get_description();
      const std::string standard = option->get_default_str();
      if (flag && standard == "yes") {
        text.help += " (default: yes; --no-" + option->get_lnames().front() + " turns it off)";
      } else if (!flag && !standard.empty()) {
        text.help += " (default: " + standard + ")";
      }
      if (const auto found = choices_.find(text.name); found != choices_.end()) {
        text.choices = found->second;
      }
      text.repeats = text.positional && option->get_expected_max() > 1;
      text.or_files =
          std::find(files_too_.begin(), files_too_.end(), text.name) != files_too_.end();
      all.push_back(std::move(text));
    }
  }
  return all;
}

std::string OptionSet::help(std::size_t width) const {
  std::string text = wrapped(title_, width) + "\n" + wrapped("Usage: " + usage_, width, 7);
  std::string group;
  for (const OptionText& option : descriptions()) {
    if (option.group != group) text += "\n" + wrapped(option.group + ":", width);
    group = option.group;
    text += definition(option.name + (option.type.empty() ? "" : " " + option.type), option.help,
                       width, 30);
  }
  return text;
}

}  // namespace tandem::program
