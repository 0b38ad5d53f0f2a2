#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "core/random.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/split.hpp"
#include "tandem/model/tune.hpp"

namespace tandem {
namespace {

constexpr Index most_candidates = 1'000'000;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

template <class Number>
bool read(std::string_view text, Number& value) {
  if (text.empty()) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

// A number of a range as a person would write it: 0.1 and not 0.10000000000000001.
std::string readable(double value) { return significant(value, 12); }

[[noreturn]] void fail(const std::string& part, const std::string& expected) {
  throw InputError("'" + part + "' is not understood; expected " + expected);
}

// The values of from..to, from..to+step, from..to*factor; or the interval from..to+ and from..to*.
void read_range(SearchSpace::Axis& axis, std::string_view text, const std::string& part) {
  const auto dots = text.find("..");
  const std::string_view from = text.substr(0, dots);
  std::string_view to = text.substr(dots + 2);
  // A sign of an exponent, as in 1e+2, is no step.
  std::size_t at = std::string_view::npos;
  for (std::size_t i = 1; i < to.size(); ++i) {
    if (to[i] == '*' || (to[i] == '+' && to[i - 1] != 'e' && to[i - 1] != 'E')) {
      at = i;
      break;
    }
  }
  const char operation = at == std::string_view::npos ? '\0' : to[at];
  const std::string_view step = at == std::string_view::npos ? "" : to.substr(at + 1);
  if (at != std::string_view::npos) to = to.substr(0, at);
  const std::string expected =
      "a range such as 2..10, 2..10+2 (a step), 0.01..100*10 (a factor), or for random draws "
      "0.01..1+ and 0.01..1*";

  std::int64_t low = 0;
  std::int64_t high = 0;
  std::int64_t whole_step = 1;
  const bool whole = read(from, low) && read(to, high) && operation != '*' &&
                     (operation == '\0' || read(step, whole_step));
  if (whole) {
    if (low > high)
      throw InputError("'" + part +
                       "': the range begins after its end; write the smaller number first");
    if (whole_step <= 0)
      throw InputError("'" + part + "': the step is not above 0; a range goes up, as in 2..10+2");
    const auto count = (static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low)) /
                           static_cast<std::uint64_t>(whole_step) +
                       1;
    if (count > static_cast<std::uint64_t>(most_candidates)) {
      throw InputError("'" + part + "': has more than a million values; take a larger step");
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      axis.values.push_back(std::to_string(low + static_cast<std::int64_t>(i) * whole_step));
    }
    return;
  }
  if (!read(from, axis.lowest) || !read(to, axis.highest) || !std::isfinite(axis.lowest) ||
      !std::isfinite(axis.highest) || operation == '\0') {
    fail(part, expected);
  }
  if (axis.lowest > axis.highest)
    throw InputError("'" + part +
                     "': the range begins after its end; write the smaller number first");
  if (operation == '*' && !(axis.lowest > 0)) {
    throw InputError("'" + part + "': a range by a factor begins above 0, as in 0.01..100*10");
  }
  axis.logarithmic = operation == '*';
  if (step.empty()) return;
  double by = 0;
  if (!read(step, by) || !std::isfinite(by)) fail(part, expected);
  if (axis.logarithmic ? !(by > 1) : !(by > 0)) {
    throw InputError("'" + part + "': the " +
                     (axis.logarithmic ? "factor is not above 1" : "step is not above 0"));
  }
  // From the beginning each time, so that rounding does not add up; the end counts where it is met
  // but for rounding.
  for (Index i = 0;; ++i) {
    const auto times = static_cast<double>(i);
    const double value =
        axis.logarithmic ? axis.lowest * std::pow(by, times) : axis.lowest + by * times;
    if (value > axis.highest + 1e-9 * std::abs(axis.highest)) break;
    if (i >= most_candidates)
      throw InputError("'" + part + "': has more than a million values; take a larger step");
    axis.values.push_back(readable(value));
  }
}

SearchSpace::Axis axis_of(const std::string& part) {
  const auto equals = part.find('=');
  SearchSpace::Axis axis;
  if (equals != std::string::npos) axis.option = trimmed(std::string_view(part).substr(0, equals));
  const std::string_view text =
      equals == std::string::npos ? "" : trimmed(std::string_view(part).substr(equals + 1));
  if (axis.option.empty() || text.empty()) {
    fail(part, "an option and its values, such as max_depth=2..10 or criterion=entropy|gini");
  }
  while (axis.option.starts_with('-')) axis.option.erase(0, 1);
  const std::vector<std::string> alternatives = split(text, '|');
  for (const std::string& alternative : alternatives) {
    const std::string_view value = trimmed(alternative);
    if (value.empty()) fail(part, "values between the |");
    double number = 0;
    const auto dots = value.find("..");
    if (dots == std::string_view::npos || !read(value.substr(0, dots), number)) {
      axis.values.emplace_back(value);
      continue;
    }
    const std::size_t before = axis.values.size();
    read_range(axis, value, part);
    if (axis.values.size() == before && alternatives.size() > 1) {
      throw InputError("'" + part + "': an interval stands alone, not among other values");
    }
  }
  return axis;
}

}  // namespace

SearchSpace SearchSpace::parse(std::string_view text) {
  SearchSpace space;
  space.text_ = std::string(text);
  const char separator = text.find(';') == std::string_view::npos ? ',' : ';';
  std::set<std::string> names;
  for (const std::string& part : split(text, separator)) {
    if (trimmed(part).empty()) continue;
    // "hidden=64,32": a comma inside a value.
    if (separator == ',' && part.find('=') == std::string::npos) {
      fail(part,
           "an option and its values; values with commas need semicolons between the options");
    }
    Axis axis = axis_of(part);
    if (!names.insert(axis.option).second) {
      throw InputError("'" + axis.option + "' is given twice");
    }
    space.axes_.push_back(std::move(axis));
  }
  if (space.axes_.empty()) {
    throw InputError(
        "there is nothing to search; expected options and their values, such as "
        "max_depth=2..10,criterion=entropy|gini");
  }
  return space;
}

std::vector<std::vector<SearchSpace::Setting>> SearchSpace::grid() const {
  Index size = 1;
  for (const Axis& axis : axes_) {
    if (axis.values.empty()) {
      throw InputError("'" + axis.option +
                       "' has an interval of values, which only random draws can "
                       "be made from; give a step or a factor, or a number of draws");
    }
    size *= static_cast<Index>(axis.values.size());
    if (size > most_candidates) {
      throw InputError(
          "the grid has more than a million candidates; take fewer values, or random "
          "draws");
    }
  }
  std::vector<std::vector<Setting>> all;
  for (Index i = 0; i < size; ++i) {
    std::vector<Setting> settings(axes_.size());
    Index rest = i;
    for (std::size_t a = axes_.size(); a-- > 0;) {
      const auto count = static_cast<Index>(axes_[a].values.size());
      settings[a] = {axes_[a].option, axes_[a].values[static_cast<std::size_t>(rest % count)]};
      rest /= count;
    }
    all.push_back(std::move(settings));
  }
  return all;
}

std::vector<std::vector<SearchSpace::Setting>> SearchSpace::draw(Index count,
                                                                 std::uint64_t seed) const {
  const bool finite =
      std::ranges::none_of(axes_, [](const Axis& axis) { return axis.values.empty(); });
  if (finite) {
    std::vector<std::vector<Setting>> all = grid();
    if (static_cast<Index>(all.size()) <= count) return all;
    std::vector<Index> chosen = random_order(static_cast<Index>(all.size()), seed);
    chosen.resize(static_cast<std::size_t>(count));
    std::ranges::sort(chosen);
    std::vector<std::vector<Setting>> some;
    for (const Index i : chosen) some.push_back(all[static_cast<std::size_t>(i)]);
    return some;
  }
  const Random random(seed, Purpose::sampling);
  std::vector<std::vector<Setting>> some;
  std::uint64_t index = 0;
  for (Index i = 0; i < count; ++i) {
    std::vector<Setting> settings;
    for (const Axis& axis : axes_) {
      const double u = random.uniform(index++);
      if (!axis.values.empty()) {
        const auto at = static_cast<std::size_t>(u * static_cast<double>(axis.values.size()));
        settings.emplace_back(axis.option, axis.values[at]);
        continue;
      }
      const double value = axis.logarithmic ? axis.lowest * std::pow(axis.highest / axis.lowest, u)
                                            : axis.lowest + u * (axis.highest - axis.lowest);
      // Four digits are as good as sixteen here, and can be typed.
      settings.emplace_back(axis.option, significant(value, 4));
    }
    some.push_back(std::move(settings));
  }
  return some;
}

}  // namespace tandem
