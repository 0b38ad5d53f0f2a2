#include "tandem/core/options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "core/text.hpp"

namespace tandem {
namespace {

template <class T>
std::string written_number(T value) {
  if constexpr (std::is_same_v<T, double>) {
    return shortest(value);
  } else {
    return std::to_string(value);
  }
}

// "from 1 to 5", "of at least 1"; nothing where there are no bounds.
template <class T>
std::string range_text(T lowest, T highest) {
  const bool low = lowest > std::numeric_limits<T>::lowest();
  const bool high = highest < std::numeric_limits<T>::max();
  if (low && high) return " from " + written_number(lowest) + " to " + written_number(highest);
  if (low) return " of at least " + written_number(lowest);
  if (high) return " of at most " + written_number(highest);
  return "";
}

template <class T>
std::string expected(T lowest, T highest) {
  return std::string("; expected ") + (std::is_same_v<T, double> ? "a number" : "a whole number") +
         range_text(lowest, highest);
}

[[noreturn]] void refuse(std::string_view name, const std::string& what) {
  throw InputError(option(name) + ": " + what);
}

template <class T>
void check_range(std::string_view name, T value, T lowest, T highest) {
  if (value >= lowest && value <= highest) return;  // a NaN is out of every range
  refuse(name, written_number(value) + " is out of range" + expected(lowest, highest));
}

template <class T>
T parse_number(std::string_view name, std::string_view text, T lowest, T highest) {
  T value{};
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || status == std::errc::invalid_argument ||
      end != digits.data() + digits.size()) {
    refuse(name, "'" + std::string(text) + "' is not " +
                     (std::is_same_v<T, double> ? "a number" : "a whole number") +
                     expected(lowest, highest));
  }
  if (status != std::errc{}) {
    refuse(name, std::string(text) + " is out of range" + expected(lowest, highest));
  }
  check_range(name, value, lowest, highest);
  return value;
}

template <class T>
std::vector<T> parse_numbers(std::string_view name, std::string_view text, T lowest, T highest) {
  std::vector<T> values;
  if (text.empty()) return values;
  for (const std::string& part : split(text, ',')) {
    values.push_back(parse_number(name, std::string_view(part), lowest, highest));
  }
  return values;
}

class RangeCheck final : public OptionVisitor {
 public:
  void integer(const OptionName& name, std::int64_t& value, std::string_view, std::int64_t lowest,
               std::int64_t highest) override {
    check_range(name.name(), value, lowest, highest);
  }
  void real(const OptionName& name, double& value, std::string_view, double lowest,
            double highest) override {
    check_range(name.name(), value, lowest, highest);
  }
  void flag(const OptionName&, bool&, std::string_view) override {}
  void integers(const OptionName& name, std::vector<std::int64_t>& value, std::string_view,
                std::int64_t lowest, std::int64_t highest) override {
    for (const auto one : value) check_range(name.name(), one, lowest, highest);
  }
  void reals(const OptionName& name, std::vector<double>& value, std::string_view, double lowest,
             double highest) override {
    for (const auto one : value) check_range(name.name(), one, lowest, highest);
  }
  void text(const OptionName&, std::string&, std::string_view) override {}
  void choice_ref(const OptionName&, ChoiceRef, std::string_view) override {}
  void written_ref(const OptionName&, WrittenRef, std::string_view, std::string_view) override {}
  void seed(std::uint64_t&) override {}
};

class Names final : public OptionVisitor {
 public:
  void integer(const OptionName& name, std::int64_t&, std::string_view, std::int64_t,
               std::int64_t) override {
    add(name);
  }
  void real(const OptionName& name, double&, std::string_view, double, double) override {
    add(name);
  }
  void flag(const OptionName& name, bool&, std::string_view) override { add(name); }
  void integers(const OptionName& name, std::vector<std::int64_t>&, std::string_view, std::int64_t,
                std::int64_t) override {
    add(name);
  }
  void reals(const OptionName& name, std::vector<double>&, std::string_view, double,
             double) override {
    add(name);
  }
  void text(const OptionName& name, std::string&, std::string_view) override { add(name); }
  void choice_ref(const OptionName& name, ChoiceRef, std::string_view) override { add(name); }
  void written_ref(const OptionName& name, WrittenRef, std::string_view,
                   std::string_view) override {
    add(name);
  }
  void seed(std::uint64_t&) override { seeded = true; }

  std::vector<std::string> canonical;
  std::vector<std::string> all;  // with the other names
  bool seeded = false;

 private:
  void add(const OptionName& name) {
    canonical.emplace_back(name.name());
    all.emplace_back(name.name());
    if (name.shown() != name.name()) all.emplace_back(name.shown());
    for (const auto other : name.others()) all.emplace_back(other);
  }
};

class Setter final : public OptionVisitor {
 public:
  Setter(std::string_view name, const OptionValue& value) : name_(name), value_(value.variant()) {}

  [[nodiscard]] bool found() const noexcept { return found_; }

  void integer(const OptionName& name, std::int64_t& value, std::string_view, std::int64_t lowest,
               std::int64_t highest) override {
    if (!meant(name)) return;
    if (const auto* given = std::get_if<std::int64_t>(&value_)) {
      check_range(name.name(), *given, lowest, highest);
      value = *given;
    } else if (const auto* real = std::get_if<double>(&value_);
               real != nullptr && *real == std::trunc(*real) && std::abs(*real) < 0x1p63) {
      check_range(name.name(), static_cast<std::int64_t>(*real), lowest, highest);
      value = static_cast<std::int64_t>(*real);
    } else if (const auto* text = std::get_if<std::string>(&value_)) {
      value = parse_number(name.name(), std::string_view(*text), lowest, highest);
    } else {
      mismatch(name, "a whole number");
    }
  }
  void real(const OptionName& name, double& value, std::string_view, double lowest,
            double highest) override {
    if (!meant(name)) return;
    if (const auto* given = std::get_if<double>(&value_)) {
      check_range(name.name(), *given, lowest, highest);
      value = *given;
    } else if (const auto* whole = std::get_if<std::int64_t>(&value_)) {
      check_range(name.name(), static_cast<double>(*whole), lowest, highest);
      value = static_cast<double>(*whole);
    } else if (const auto* text = std::get_if<std::string>(&value_)) {
      value = parse_number(name.name(), std::string_view(*text), lowest, highest);
    } else {
      mismatch(name, "a number");
    }
  }
  void flag(const OptionName& name, bool& value, std::string_view) override {
    if (!meant(name)) return;
    if (const auto* given = std::get_if<bool>(&value_)) {
      value = *given;
    } else if (const auto* text = std::get_if<std::string>(&value_)) {
      static constexpr std::array<std::string_view, 3> yes{"yes", "true", "1"};
      static constexpr std::array<std::string_view, 3> no{"no", "false", "0"};
      if (std::find(yes.begin(), yes.end(), *text) != yes.end()) {
        value = true;
      } else if (std::find(no.begin(), no.end(), *text) != no.end()) {
        value = false;
      } else {
        refuse(name.name(), "'" + *text + "' is neither yes nor no");
      }
    } else {
      mismatch(name, "yes or no");
    }
  }
  void integers(const OptionName& name, std::vector<std::int64_t>& value, std::string_view,
                std::int64_t lowest, std::int64_t highest) override {
    if (!meant(name)) return;
    std::vector<std::int64_t> list;
    if (const auto* given = std::get_if<std::vector<std::int64_t>>(&value_)) {
      list = *given;
    } else if (const auto* one = std::get_if<std::int64_t>(&value_)) {
      list = {*one};
    } else if (const auto* text = std::get_if<std::string>(&value_)) {
      list = parse_numbers(name.name(), *text, lowest, highest);
    } else {
      mismatch(name, "whole numbers");
    }
    for (const auto number : list) check_range(name.name(), number, lowest, highest);
    value = std::move(list);
  }
  void reals(const OptionName& name, std::vector<double>& value, std::string_view, double lowest,
             double highest) override {
    if (!meant(name)) return;
    std::vector<double> list;
    if (const auto* given = std::get_if<std::vector<double>>(&value_)) {
      list = *given;
    } else if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&value_)) {
      list.assign(whole->begin(), whole->end());
    } else if (const auto* one = std::get_if<double>(&value_)) {
      list = {*one};
    } else if (const auto* text = std::get_if<std::string>(&value_)) {
      list = parse_numbers(name.name(), *text, lowest, highest);
    } else {
      mismatch(name, "numbers");
    }
    for (const auto number : list) check_range(name.name(), number, lowest, highest);
    value = std::move(list);
  }
  void text(const OptionName& name, std::string& value, std::string_view) override {
    if (meant(name)) value = as_text(name);
  }
  void choice_ref(const OptionName& name, ChoiceRef value, std::string_view) override {
    if (meant(name)) value.set(name.name(), as_text(name));
  }
  void written_ref(const OptionName& name, WrittenRef value, std::string_view,
                   std::string_view) override {
    if (!meant(name)) return;
    if (const auto* whole = std::get_if<std::int64_t>(&value_)) {
      value.set(name.name(), std::to_string(*whole));
    } else if (const auto* real = std::get_if<double>(&value_)) {
      value.set(name.name(), shortest(*real));
    } else {
      value.set(name.name(), as_text(name));
    }
  }
  void seed(std::uint64_t& value) override {
    if (!same_name(name_, "seed")) return;
    found_ = true;
    const OptionName name("seed");
    std::int64_t number = 0;
    const std::string_view no_help;
    found_ = false;
    integer(name, number, no_help, 0, std::numeric_limits<std::int64_t>::max());
    value = static_cast<std::uint64_t>(number);
  }

 private:
  [[nodiscard]] bool meant(const OptionName& name) {
    if (!name.matches(name_)) return false;
    found_ = true;
    return true;
  }
  [[nodiscard]] const std::string& as_text(const OptionName& name) const {
    const auto* text = std::get_if<std::string>(&value_);
    if (text == nullptr) mismatch(name, "a text");
    return *text;
  }
  [[noreturn]] static void mismatch(const OptionName& name, const std::string& wanted) {
    refuse(name.name(), "has a value of another type; expected " + wanted);
  }

  std::string_view name_;
  const OptionValue::Variant& value_;
  bool found_ = false;
};

class Recorder final : public OptionVisitor {
 public:
  void integer(const OptionName& name, std::int64_t& value, std::string_view, std::int64_t,
               std::int64_t) override {
    record.set(name.name(), value);
  }
  void real(const OptionName& name, double& value, std::string_view, double, double) override {
    record.set(name.name(), value);
  }
  void flag(const OptionName& name, bool& value, std::string_view) override {
    record.set(name.name(), value);
  }
  void integers(const OptionName& name, std::vector<std::int64_t>& value, std::string_view,
                std::int64_t, std::int64_t) override {
    record.set_tensor(name.name(), value);
  }
  void reals(const OptionName& name, std::vector<double>& value, std::string_view, double,
             double) override {
    record.set(name.name(), value);
  }
  void text(const OptionName& name, std::string& value, std::string_view) override {
    record.set(name.name(), value);
  }
  void choice_ref(const OptionName& name, ChoiceRef value, std::string_view) override {
    record.set(name.name(), value.get());
  }
  void written_ref(const OptionName& name, WrittenRef value, std::string_view,
                   std::string_view) override {
    record.set(name.name(), value.get());
  }
  void seed(std::uint64_t&) override {}

  Archive record;
};

// Characters to insert, leave out, change or swap with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);  // of a without its last two characters
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

}  // namespace

bool OptionName::matches(std::string_view text) const noexcept {
  if (same_name(text, name_) || (!shown_.empty() && same_name(text, shown_))) return true;
  return std::any_of(others_.begin(), others_.end(),
                     [&](std::string_view other) { return same_name(text, other); });
}

void ChoiceRef::set(std::string_view option_name, std::string_view text) const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (!same_name(names_[i], text)) continue;
    set_(value_, i);
    return;
  }
  std::string accepted;
  for (const auto name : names_) accepted += (accepted.empty() ? "" : ", ") + std::string(name);
  const std::string meant = nearest_name(text, {names_.begin(), names_.end()});
  refuse(option_name, "unknown value '" + std::string(text) + "'; expected one of " + accepted +
                          (meant.empty() ? "" : "; did you mean " + meant + "?"));
}

void WrittenRef::set(std::string_view option_name, std::string_view text) const {
  try {
    set_(value_, text);
  } catch (const InputError& error) {
    refuse(option_name, error.marked());
  }
}

void set_option(const VisitOptions& visit, std::string_view name, const OptionValue& value) {
  Setter setter(name, value);
  visit(setter);
  if (setter.found()) return;
  Names names;
  visit(names);
  std::string list;
  for (const std::string& one : names.canonical) list += (list.empty() ? "" : ", ") + option(one);
  const std::string meant = nearest_name(name, names.all);
  throw InputError("there is no option " + option(name) + "; expected one of " + list +
                   (meant.empty() ? "" : "; did you mean " + option(meant) + "?"));
}

void check_ranges(const VisitOptions& visit) {
  RangeCheck check;
  visit(check);
}

Archive record_options(const VisitOptions& visit) {
  Recorder recorder;
  visit(recorder);
  return std::move(recorder.record);
}

void restore_options(const VisitOptions& visit, const Archive& record) {
  for (const auto& [name, value] : record.entries()) {
    std::visit(
        [&, &name = name](const auto& held) {
          using Held = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<Held, Archive::Tensor>) {
            const auto* list = std::get_if<std::vector<std::int64_t>>(&held.data);
            if (list == nullptr) record.fail(name, "expected whole numbers");
            set_option(visit, name, *list);
          } else if constexpr (std::is_same_v<Held, std::vector<std::string>>) {
            record.fail(name, "is no option's value");
          } else {
            set_option(visit, name, held);
          }
        },
        value);
  }
}

std::vector<std::string> option_names(const VisitOptions& visit) {
  Names names;
  visit(names);
  return std::move(names.canonical);
}

bool has_option(const VisitOptions& visit, std::string_view name) {
  Names names;
  visit(names);
  if (names.seeded && same_name(name, "seed")) return true;
  return std::any_of(names.all.begin(), names.all.end(),
                     [&](const std::string& one) { return same_name(one, name); });
}

std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates) {
  const auto dashed = [](std::string_view text) {
    std::string result(text);
    std::replace(result.begin(), result.end(), '_', '-');
    std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) {
      return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    });
    return result;
  };
  const std::string sought = dashed(word);
  std::string best;
  std::size_t least = std::max<std::size_t>(1, (word.size() + 1) / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::string name = dashed(candidate);
    std::size_t distance = edit_distance(sought, name);
    // "rate" for "learning-rate" and "learn" for the same.
    if (sought.size() >= 4 && name.find(sought) != std::string::npos) {
      distance = std::min<std::size_t>(distance, 1);
    }
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace tandem
