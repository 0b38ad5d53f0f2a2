#include "course/submission.hpp"

#include <cctype>
#include <stdexcept>

#include "course/expression.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::course {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  return text;
}

// The first word, which is taken off the text.
std::string_view first_word(std::string_view& text) {
  text = trimmed(text);
  const auto end = text.find_first_of(" \t");
  const std::string_view word = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : trimmed(text.substr(end));
  return word;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 200) return false;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return false;
  }
  return std::isdigit(static_cast<unsigned char>(text.front())) == 0;
}

[[noreturn]] void fail(const std::string& file, int line, const std::string& what) {
  throw InputError(file + ":" + std::to_string(line) + ": " + what);
}

// Commas that are not inside parentheses.
std::vector<std::string> parts_of(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    if (c == ',' && depth == 0) {
      parts.emplace_back();
      continue;
    }
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    parts.back() += c;
  }
  return parts;
}

LaunchLine read_launch(std::string_view rest, const std::string& file, int line) {
  LaunchLine launch;
  launch.line = line;
  launch.kernel = std::string(first_word(rest));
  if (!is_name(launch.kernel)) {
    fail(file, line, "expected //@ launch KERNEL grid=... block=... [shared=...]");
  }
  bool has_grid = false;
  bool has_block = false;
  while (!rest.empty()) {
    const auto equals = rest.find('=');
    const std::string_view name = trimmed(rest.substr(0, equals));
    if (equals == std::string_view::npos ||
        (name != "grid" && name != "block" && name != "shared")) {
      fail(file, line,
           "'" + std::string(name.substr(0, 40)) +
               "' was not expected; a launch has grid=, block= and shared=");
    }
    rest.remove_prefix(equals + 1);
    // Up to the next of the three.
    std::size_t end = rest.size();
    for (const std::string_view next : {"grid=", "block=", "shared="}) {
      end = std::min(end, rest.find(next));
    }
    const std::string_view value = trimmed(rest.substr(0, end));
    rest.remove_prefix(end);
    if (name == "shared") {
      launch.shared = std::string(value);
      continue;
    }
    const std::vector<std::string> parts = parts_of(value);
    if (parts.size() > 3) {
      fail(file, line, std::string(name) + " has up to three numbers");
    }
    auto& numbers = name == "grid" ? launch.grid : launch.block;
    (name == "grid" ? has_grid : has_block) = true;
    for (std::size_t i = 0; i < parts.size(); ++i) numbers[i] = parts[i];
  }
  if (!has_grid || !has_block) fail(file, line, "a launch has grid= and block=");
  return launch;
}

}  // namespace

std::vector<Section> read_sections(std::string_view source, const std::string& file) {
  if (source.size() > (std::size_t{1} << 20)) {
    throw InputError(file + ": is longer than 1 MiB, which no kernel of a course is");
  }
  if (source.find('\0') != std::string_view::npos) {
    throw InputError(file + ": is no text: there is a zero byte in it");
  }
  std::vector<Section> sections(1);
  sections.back().line = 1;
  int number = 0;
  while (!source.empty()) {
    const auto end = source.find('\n');
    const std::string_view line = source.substr(0, end);
    source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
    ++number;
    std::string_view rest = trimmed(line);
    if (rest.starts_with("//@")) {
      rest.remove_prefix(3);
      const std::string_view word = first_word(rest);
      if (word == "launch") {
        if (sections.back().launches.size() >= 64) fail(file, number, "more than 64 launches");
        sections.back().launches.push_back(read_launch(rest, file, number));
      } else if (word == "kernel") {
        Section section;
        section.name = std::string(first_word(rest));
        section.text = std::string(rest);
        section.line = number;
        if (section.name.empty()) fail(file, number, "expected //@ kernel NAME");
        sections.push_back(std::move(section));
      } else {
        fail(file, number,
             "expected //@ launch or //@ kernel, and found //@ " + std::string(word.substr(0, 40)));
      }
    }
    sections.back().source.append(line).append("\n");
  }
  return sections;
}

Launch launch_of(const LaunchLine& line, const Sizes& sizes, const std::string& file) {
  Launch launch;
  launch.kernel = line.kernel;
  const auto number = [&](const std::string& text, const std::string& what, std::int64_t lowest,
                          std::int64_t highest) {
    try {
      const std::int64_t value = value_of(text, sizes);
      if (value < lowest || value > highest) {
        fail(file, line.line,
             what + " " + text + " is " + std::to_string(value) + " where " + text_of(sizes) +
                 "; it has to be from " + std::to_string(lowest) + " to " +
                 std::to_string(highest));
      }
      return static_cast<std::uint32_t>(value);
    } catch (const ExpressionError& error) {
      fail(file, line.line, what + ": " + error.what());
    }
  };
  constexpr std::array<std::int64_t, 3> most_blocks{0x7fffffff, 65535, 65535};
  constexpr std::array<std::int64_t, 3> most_threads{1024, 1024, 64};
  for (std::size_t i = 0; i < 3; ++i) {
    launch.grid[i] = number(line.grid[i], "grid", 1, most_blocks[i]);
    launch.block[i] = number(line.block[i], "block", 1, most_threads[i]);
  }
  launch.shared = number(line.shared, "shared", 0, std::int64_t{163} * 1024);
  constexpr std::uint64_t most_launched = std::uint64_t{1} << 26U;
  const std::uint64_t threads = std::uint64_t{launch.block[0]} * launch.block[1] * launch.block[2];
  const std::uint64_t blocks = std::uint64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
  if (threads > 1024) fail(file, line.line, "a block has at most 1024 threads");
  if (blocks * threads > most_launched) {
    fail(file, line.line,
         "launches " + std::to_string(blocks * threads) + " threads where " + text_of(sizes) +
             "; at most " + std::to_string(most_launched) + " are run");
  }
  return launch;
}

}  // namespace tandem::course
