#include "course/challenge.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "course/challenge_table.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::course {
namespace {

const Argument& find(const Case& problem, std::string_view name) {
  for (const Argument& argument : problem.arguments) {
    if (argument.name == name) return argument;
  }
  throw std::logic_error("the case has no argument " + std::string(name));
}

std::string element(const std::string& name, std::size_t i) {
  return name + "[" + std::to_string(i) + "]";
}

std::optional<std::string> wrong_with(const std::string& name, const Expected& expected,
                                      const Values& got) {
  std::size_t wrong = 0;
  std::string first;
  const std::size_t count = size_of(got);
  const auto* reals = std::get_if<Reals>(&expected);
  for (std::size_t i = 0; i < count; ++i) {
    if (reals != nullptr) {
      const double value = std::get<Floats>(got)[i];
      // Not `error > bound`: that is false where the value is not a number.
      if (std::abs(value - reals->values[i]) <= reals->bounds[i]) continue;
      if (value == reals->values[i]) continue;  // infinities
      if (wrong++ == 0) {
        first = element(name, i) + " is " + significant(value, 7) + " instead of " +
                significant(reals->values[i], 7) + " (within " + significant(reals->bounds[i], 2) +
                ")";
      }
    } else {
      const std::int32_t value = std::get<Wholes>(got)[i];
      const std::int32_t right = std::get<Wholes>(expected)[i];
      if (value == right) continue;
      if (wrong++ == 0) {
        first = element(name, i) + " is " + std::to_string(value) + " instead of " +
                std::to_string(right);
      }
    }
  }
  if (wrong == 0) return std::nullopt;
  return first + "; " + std::to_string(wrong) + " of " + std::to_string(count) +
         (wrong == 1 ? " element is wrong" : " elements are wrong");
}

}  // namespace

std::size_t size_of(const Values& values) {
  return std::visit([](const auto& all) { return all.size(); }, values);
}

std::string text_of(const Sizes& sizes) {
  std::string text;
  for (const auto& [name, value] : sizes) {
    text += (text.empty() ? "" : ", ") + name + " = " + std::to_string(value);
  }
  return text;
}

void Case::input(std::string name, Values values) {
  arguments.push_back({Argument::Role::input, std::move(name), std::move(values), 0});
}
void Case::output(std::string name, Values shape) {
  arguments.push_back({Argument::Role::output, std::move(name), std::move(shape), 0});
}
void Case::scratch(std::string name, Values shape) {
  arguments.push_back({Argument::Role::scratch, std::move(name), std::move(shape), 0});
}
void Case::size(const std::string& name) {
  arguments.push_back({Argument::Role::size, name, {}, static_cast<std::int32_t>(sizes.at(name))});
}
const Floats& Case::floats(std::string_view name) const {
  return std::get<Floats>(find(*this, name).values);
}
const Wholes& Case::wholes(std::string_view name) const {
  return std::get<Wholes>(find(*this, name).values);
}
std::size_t Case::at(const std::string& name) const {
  return static_cast<std::size_t>(sizes.at(name));
}

const std::vector<Challenge>& challenges() {
  static const std::vector<Challenge> all = [] {
    std::vector<Challenge> made = make_challenges();
    std::ranges::stable_sort(made, {}, &Challenge::level);
    return made;
  }();
  return all;
}

const Challenge& find_challenge(std::string_view name) {
  std::string names;
  for (const Challenge& challenge : challenges()) {
    if (challenge.name == name) return challenge;
    names += (names.empty() ? "" : ", ") + challenge.name;
  }
  throw InputError("unknown challenge '" + std::string(name) + "'; expected one of " + names);
}

std::optional<std::string> wrong_with(const Challenge& challenge, const Case& problem,
                                      const std::vector<Values>& outputs) {
  if (challenge.judge != nullptr) return challenge.judge(problem, outputs);
  const std::vector<Expected> expected = challenge.reference(problem);
  std::size_t i = 0;
  for (const Argument& argument : problem.arguments) {
    if (argument.role != Argument::Role::output) continue;
    if (auto wrong = wrong_with(argument.name, expected.at(i), outputs.at(i))) return wrong;
    ++i;
  }
  return std::nullopt;
}

Sizes drawn_sizes(const Challenge& challenge, Draw& draw) {
  Sizes sizes;
  for (const auto& [name, lowest] : challenge.lowest) {
    sizes[name] = draw.whole(lowest, challenge.highest.at(name));
  }
  return sizes;
}

Floats drawn_floats(std::size_t count, Numbers numbers, Draw& draw) {
  Floats values(count);
  for (float& value : values) {
    value = numbers == Numbers::whole ? static_cast<float>(draw.whole(-4, 4)) : draw.real();
  }
  return values;
}

Wholes drawn_wholes(std::size_t count, std::int64_t lowest, std::int64_t highest, Draw& draw) {
  Wholes values(count);
  for (auto& value : values) value = static_cast<std::int32_t>(draw.whole(lowest, highest));
  return values;
}

double sum_bound(std::size_t length, double magnitude, int roundings) {
  constexpr double unit = 0x1p-24;
  return unit * (static_cast<double>(length) + roundings) * magnitude + 1e-37;
}

}  // namespace tandem::course
