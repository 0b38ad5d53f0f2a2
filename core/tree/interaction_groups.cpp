#include "core/tree/interaction_groups.hpp"

#include <algorithm>
#include <charconv>

#include "tandem/core/error.hpp"
#include "tandem/core/options.hpp"

namespace tandem::tree {
namespace {

constexpr std::string_view blanks = " \t\"'";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// The parts of a text between separators, trimmed.
std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

[[noreturn]] void fail(const std::string& what) {
  throw InputError(option("interaction_constraints") + " " + what +
                   "; expected groups of features, such as a,b;c,d or [[0,1],[2,3]]");
}

// "[[0,1],[2]]" as "0,1;2".
std::string without_brackets(std::string_view text) {
  text.remove_prefix(1);
  if (text.empty() || text.back() != ']') fail("begins with a bracket and does not end with one");
  text.remove_suffix(1);
  std::string result;
  bool inside = false;
  for (const char c : text) {
    if (c == '[' || c == ']') {
      if (inside == (c == '[')) fail("has brackets that do not match");
      inside = c == '[';
    } else if (c == ',' && !inside) {
      result += ';';
    } else if (!inside && blanks.find(c) == std::string_view::npos) {
      fail("has a name outside of the brackets");
    } else {
      result += c;
    }
  }
  if (inside) fail("has brackets that do not match");
  return result;
}

}  // namespace

InteractionGroups interaction_groups(std::string_view text,
                                     const std::vector<std::string>& features) {
  InteractionGroups groups;
  text = trimmed(text);
  if (text.empty()) return groups;
  const bool list = text.find('[') != std::string_view::npos;
  // LightGBM leaves the outer brackets out.
  const bool nested = text.starts_with("[[") || text.starts_with("[ [");
  const std::string plain =
      list ? without_brackets(nested ? std::string(text) : "[" + std::string(text) + "]")
           : std::string(text);
  std::vector<std::uint8_t> listed(features.size(), 0);
  for (const std::string_view group : parts_of(plain, ';')) {
    std::vector<std::uint8_t> members(features.size(), 0);
    for (const std::string_view member : parts_of(group, ',')) {
      if (member.empty()) fail("has an empty name");
      bool found = false;
      const std::string indicator = std::string(member) + "=";
      for (std::size_t j = 0; j < features.size(); ++j) {
        if (features[j] != member && !features[j].starts_with(indicator)) continue;
        members[j] = 1;
        found = true;
      }
      std::size_t position = 0;
      const auto [end, error] =
          std::from_chars(member.data(), member.data() + member.size(), position);
      if (!found && error == std::errc{} && end == member.data() + member.size() &&
          position < features.size()) {
        members[position] = 1;
        found = true;
      }
      if (!found) {
        const std::string meant = nearest_name(member, features);
        fail("names " + std::string(member) + ", which is no feature" +
             (meant.empty() ? "" : " (did you mean " + meant + "?)"));
      }
    }
    for (std::size_t j = 0; j < features.size(); ++j) listed[j] |= members[j];
    groups.push_back(std::move(members));
  }
  for (std::size_t j = 0; j < features.size(); ++j) {
    if (listed[j] != 0) continue;
    groups.emplace_back(features.size(), 0);
    groups.back()[j] = 1;
  }
  return groups;
}

}  // namespace tandem::tree
