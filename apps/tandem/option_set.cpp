#include "tandem/option_set.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

[[noreturn]] void refuse(std::string_view option, const std::string& what) {
  throw InputError("--" + std::string(option) + ": " + what);
}

template <class T>
std::string range(T lowest, T highest) {
  const auto write = [](T value) {
    if constexpr (std::is_same_v<T, double>) {
      return shortest(value);
    } else {
      return std::to_string(value);
    }
  };
  const bool low = lowest > std::numeric_limits<T>::lowest() &&
                   !(std::is_same_v<T, double> && std::isinf(static_cast<double>(lowest)));
  const bool high = highest < std::numeric_limits<T>::max() &&
                    !(std::is_same_v<T, double> && std::isinf(static_cast<double>(highest)));
  if (low && high) return "from " + write(lowest) + " to " + write(highest);
  if (low) return "of at least " + write(lowest);
  if (high) return "of at most " + write(highest);
  return "";
}

template <class T>
T parse_number(std::string_view option, std::string_view text, T lowest, T highest) {
  T value{};
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const std::string kind = std::is_same_v<T, double> ? "a number" : "a whole number";
  const std::string limits = range(lowest, highest);
  const std::string expected = "expected " + kind + (limits.empty() ? "" : " " + limits);
  if (digits.empty() || status == std::errc::invalid_argument ||
      end != digits.data() + digits.size()) {
    refuse(option, "'" + std::string(text) + "' is not " + kind + "; " + expected);
  }
  if (status != std::errc{} || !(value >= lowest && value <= highest)) {
    refuse(option, std::string(text) + " is out of range; " + expected);
  }
  return value;
}

template <class T>
std::string join(const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) {
    if (!text.empty()) text += ',';
    if constexpr (std::is_same_v<T, double>) {
      text += shortest(value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      text += value;
    } else {
      text += std::to_string(value);
    }
  }
  return text;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (const std::string& word : split(text, ' ')) {
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) {
      lines.emplace_back();
    }
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
  }
  return lines;
}

}  // namespace

std::string shortest(double value) {
  std::array<char, 64> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), written.ptr};
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t least = std::max<std::size_t>(1, (word.size() + 1) / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::size_t distance = edit_distance(word, candidate);
    // "--rate" for "--learning-rate" and "--learn" for the same.
    if (word.size() >= 4 && candidate.find(word) != std::string::npos) {
      distance = std::min<std::size_t>(distance, 1);
    }
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

OptionSet::OptionSet(std::string title, std::string usage)
    : title_(std::move(title)), usage_(std::move(usage)) {
  app_.set_help_flag();
  app_.allow_extras();
}

template <class Read>
CLI::Option* OptionSet::add(std::string_view name, std::string_view help, std::string type,
                            std::string standard, Read&& read) {
  auto* option = app_.add_option_function<std::string>(
      "--" + std::string(name), [read](const std::string& text) { read(text); }, std::string(help));
  option->type_name(std::move(type));
  option->default_str(std::move(standard));
  option->group(group_);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return option;
}

void OptionSet::integer(std::string_view name, std::int64_t& value, std::string_view help,
                        std::int64_t lowest, std::int64_t highest) {
  add(name, help, "N", std::to_string(value),
      [option = std::string(name), &value, lowest, highest](const std::string& text) {
        value = parse_number(option, text, lowest, highest);
      });
}

void OptionSet::real(std::string_view name, double& value, std::string_view help, double lowest,
                     double highest) {
  add(name, help, "X", shortest(value),
      [option = std::string(name), &value, lowest, highest](const std::string& text) {
        value = parse_number(option, text, lowest, highest);
      });
}

void OptionSet::real(std::string_view name, std::optional<double>& value, std::string_view help,
                     double lowest, double highest) {
  add(name, help, "X", value ? shortest(*value) : "",
      [option = std::string(name), &value, lowest, highest](const std::string& text) {
        value = parse_number(option, text, lowest, highest);
      });
}

void OptionSet::flag(std::string_view name, bool& value, std::string_view help) {
  const std::string option = std::string(name);
  auto* added = app_.add_flag_function(
      "--" + option + ",!--no-" + option, [&value](std::int64_t count) { value = count > 0; },
      std::string(help));
  added->default_str(value ? "yes" : "");
  added->group(group_);
  added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void OptionSet::choice(std::string_view name, std::string& value, std::string_view help,
                       std::span<const std::string_view> choices) {
  std::vector<std::string> accepted(choices.begin(), choices.end());
  // Short lists are shown in place of the value's name, long ones in the sentence.
  std::string type;
  for (const auto& one : accepted) type += (type.empty() ? "" : "|") + one;
  std::string sentence(help);
  if (type.size() > 16) {
    type = "WORD";
    for (std::size_t i = 0; i < accepted.size(); ++i) {
      sentence += (i == 0 ? ": " : ", ") + accepted[i];
    }
  }
  add(name, sentence, type, value,
      [option = std::string(name), &value, accepted](const std::string& text) {
        if (std::find(accepted.begin(), accepted.end(), text) == accepted.end()) {
          std::string list;
          for (const auto& one : accepted) list += (list.empty() ? "" : ", ") + one;
          const auto meant = nearest(text, accepted);
          refuse(option, "unknown value '" + text + "'; expected one of " + list +
                             (meant ? "; did you mean " + *meant + "?" : ""));
        }
        value = text;
      });
}

void OptionSet::integers(std::string_view name, std::vector<std::int64_t>& value,
                         std::string_view help, std::int64_t lowest, std::int64_t highest) {
  add(name, help, "N,N,...", join(value),
      [option = std::string(name), &value, lowest, highest](const std::string& text) {
        value.clear();
        if (text.empty()) return;
        for (const auto& part : split(text, ',')) {
          value.push_back(parse_number(option, part, lowest, highest));
        }
      });
}

void OptionSet::reals(std::string_view name, std::vector<double>& value, std::string_view help,
                      double lowest, double highest) {
  add(name, help, "X,X,...", join(value),
      [option = std::string(name), &value, lowest, highest](const std::string& text) {
        value.clear();
        if (text.empty()) return;
        for (const auto& part : split(text, ',')) {
          value.push_back(parse_number(option, part, lowest, highest));
        }
      });
}

void OptionSet::text(std::string_view name, std::string& value, std::string_view help) {
  add(name, help, "TEXT", value, [&value](const std::string& text) { value = text; });
}

void OptionSet::file(std::string_view name, std::string& value, std::string_view help) {
  add(name, help, "FILE", value, [&value](const std::string& text) { value = text; });
}

void OptionSet::words(std::string_view name, std::vector<std::string>& value, std::string_view help,
                      std::string_view type) {
  add(name, help, std::string(type), join(value),
      [&value](const std::string& text) { value = split(text, ','); });
}

void OptionSet::positional(std::string_view name, std::string& value, std::string_view help) {
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
                            std::string_view help) {
  auto* option = app_.add_option(std::string(name), values, std::string(help));
  option->group("Arguments");
  option->expected(0, CLI::detail::expected_max_vector_size);
}

std::string OptionSet::arguments() const {
  std::string text;
  for (const std::string& argument : arguments_) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+.,:/@%";
    text += text.empty() ? "" : " ";
    if (!argument.empty() && argument.find_first_not_of(plain) == std::string::npos) {
      text += argument;
      continue;
    }
    text += '\'';
    for (const char c : argument) text += c == '\'' ? "'\\''" : std::string(1, c);
    text += '\'';
  }
  return text;
}

void OptionSet::parse(const std::vector<std::string>& arguments) {
  arguments_ = arguments;
  auto end = arguments.end();
  if (rest_ != nullptr) {
    end = std::find(arguments.begin(), arguments.end(), "--");
    if (end != arguments.end()) rest_->assign(end + 1, arguments.end());
  }
  std::vector<std::string> reversed(std::make_reverse_iterator(end), arguments.rend());
  try {
    app_.parse(reversed);
  } catch (const CLI::ArgumentMismatch& error) {
    throw InputError(std::string(error.what()) + "; see " + usage_ + " --help");
  } catch (const CLI::ParseError& error) {
    throw InputError(error.what());
  }
  std::vector<std::string> known;
  for (const CLI::Option* option : app_.get_options()) {
    for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const std::string& argument : app_.remaining()) {
    if (argument == "--") continue;
    if (!argument.starts_with('-')) {
      throw InputError("unexpected argument '" + argument + "'; see " + usage_ + " --help");
    }
    const std::string name = argument.substr(0, argument.find('='));
    const auto meant = nearest(name, known);
    throw InputError("unknown option " + name +
                     (meant ? "; did you mean " + *meant + "?" : "; see " + usage_ + " --help"));
  }
  for (const std::string& name : required_) {
    if (app_.get_option(name)->count() == 0) {
      throw InputError("expected " + name + ": " + usage_);
    }
  }
}

bool OptionSet::given(std::string_view name) const {
  const auto* option = app_.get_option_no_throw("--" + std::string(name));
  return option != nullptr && option->count() > 0;
}

std::string OptionSet::help() const {
  constexpr std::size_t indent = 30;
  constexpr std::size_t width = 100;
  std::string text = title_ + "\n\nUsage: " + usage_ + "\n";
  std::vector<std::string> groups;
  for (const CLI::Option* option : app_.get_options()) {
    if (std::find(groups.begin(), groups.end(), option->get_group()) == groups.end()) {
      groups.push_back(option->get_group());
    }
  }
  for (const std::string& group : groups) {
    text += "\n" + group + ":\n";
    for (const CLI::Option* option : app_.get_options()) {
      if (option->get_group() != group) continue;
      const bool flag = option->get_expected_max() == 0;
      std::string left = "  ";
      left += option->get_positional() ? option->get_name() : "--" + option->get_lnames().front();
      const std::string type = flag || option->get_positional() ? "" : option->get_type_name();
      std::string right = option->get_description();
      const std::string standard = option->get_default_str();
      if (!type.empty()) {
        left += " " + type;
      }
      if (flag && standard == "yes") {
        right += " (default: yes; --no-" + option->get_lnames().front() + " turns it off)";
      } else if (!flag && !standard.empty()) {
        right += " (default: " + standard + ")";
      }
      const auto lines = wrap(right, width - indent);
      if (left.size() + 2 > indent) {
        text += left + "\n" + std::string(indent, ' ');
      } else {
        text += left + std::string(indent - left.size(), ' ');
      }
      text += lines.front() + "\n";
      for (std::size_t i = 1; i < lines.size(); ++i) {
        text += std::string(indent, ' ') + lines[i] + "\n";
      }
    }
  }
  return text;
}

}  // namespace tandem::program
