#include "tandem/output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

#include "common/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/core/visible.hpp"

namespace tandem::program {
namespace {

std::size_t width_of(std::string_view text) {
  // Columns on the terminal: bytes that do not continue a UTF-8 character.
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void write_to_standard_output(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno == EPIPE) {
        std::signal(SIGPIPE, SIG_DFL);
        (void)std::raise(SIGPIPE);
      }
      throw SystemError("standard output cannot be written: " +
                        std::generic_category().message(errno));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void print(std::string_view text) { write_to_standard_output(visible(text)); }

void print_data(std::string_view text) {
  if (::isatty(STDOUT_FILENO) == 1) return print(text);
  write_to_standard_output(text);
}

void print_json(const nlohmann::json& json) {
  const std::string text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  // Every other control character is escaped by now, and these stand in strings only.
  std::string escaped;
  escaped.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    char code[8];
    if (byte == 0x7F) {
      escaped += "\\u007f";
    } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      std::snprintf(code, sizeof code, "\\u%04x", next);
      escaped += code;
      ++i;
    } else {
      escaped += text[i];
    }
  }
  write_to_standard_output(escaped + "\n");
}

void note(std::string_view text) {
  const std::string shown = visible(text);
  std::fprintf(stderr, "%s\n", shown.c_str());
}

std::size_t terminal_width() {
  constexpr std::size_t unknown = 80;
  std::size_t columns = 0;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  if (const char* told = std::getenv("COLUMNS"); columns == 0 && told != nullptr) {
    const auto end = told + std::strlen(told);
    if (std::from_chars(told, end, columns).ptr != end) columns = 0;
  }
  return std::clamp<std::size_t>(columns == 0 ? unknown : columns, 40, 100);
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string result;
  while (true) {
    const std::string_view paragraph = text.substr(0, text.find('\n'));
    std::size_t column = 0;
    for (std::string word : split(paragraph, ' ')) {
      std::size_t size = width_of(word);
      // A list without blanks is broken behind its commas and bars, an address behind its parts.
      while (size > width - indent) {
        const auto comma = word.find_last_of(",|@/", width - indent - 1);
        if (comma == std::string::npos || comma + 1 == word.size()) break;
        if (column > indent) result += "\n" + std::string(indent, ' ');
        result += word.substr(0, comma + 1);
        word.erase(0, comma + 1);
        size = width_of(word);
        column = width;  // the rest begins a line
      }
      if (column > 0 && column + 1 + size > width) {
        result += "\n" + std::string(indent, ' ');
        column = indent;
      } else if (column > 0) {
        result += ' ';
        ++column;
      }
      result += word;
      column += size;
    }
    result += "\n";
    if (paragraph.size() == text.size()) return result;
    text.remove_prefix(paragraph.size() + 1);
  }
}

std::string definition(std::string_view term, std::string_view explanation, std::size_t width,
                       std::size_t column) {
  // A narrow terminal leaves more of the line to the explanation.
  column = std::min(column, width / 3);
  std::string text = "  " + std::string(term);
  const std::size_t used = width_of(text);
  text += used + 2 > column ? "\n" + std::string(column, ' ') : std::string(column - used, ' ');
  std::string lines = wrapped(explanation, width - column);
  lines.pop_back();
  for (const char c : lines) {
    text += c;
    if (c == '\n') text += std::string(column, ' ');
  }
  return text + "\n";
}

double short_number(float value) {
  const std::string text = shortest(value);
  double result = static_cast<double>(value);
  (void)std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

std::string readable(double value) {
  return std::isnan(value) ? "undefined" : significant(value, 6);
}

std::string readable_seconds(double seconds) {
  char text[40];
  std::snprintf(text, sizeof text,
                seconds < 0.1  ? "%.4f"
                : seconds < 10 ? "%.3f"
                               : "%.1f",
                seconds);
  return text;
}

std::string counted(std::int64_t count, std::string_view singular, std::string_view plural) {
  std::string digits = std::to_string(count);
  for (std::size_t at = digits.size(); count > 9999 && at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  if (count == 1) return digits + " " + std::string(singular);
  return digits + " " + (plural.empty() ? std::string(singular) + "s" : std::string(plural));
}

std::string table(const std::vector<std::vector<std::string>>& cells, std::string_view indent) {
  std::vector<std::vector<std::string>> rows = cells;
  for (auto& row : rows) {
    for (std::string& cell : row) cell = visible(cell, "");
  }
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    // A header that lacks a name would name all columns behind it wrongly.
    if (row.size() > rows.front().size()) {
      throw std::logic_error("a row of a table has more cells than its header");
    }
    if (row.size() > widths.size()) widths.resize(row.size());
    for (std::size_t j = 0; j < row.size(); ++j) widths[j] = std::max(widths[j], width_of(row[j]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line(indent);
    for (std::size_t j = 0; j < row.size(); ++j) {
      const std::string gap(widths[j] - width_of(row[j]), ' ');
      line += j == 0 ? row[j] + gap : "  " + gap + row[j];
    }
    while (line.ends_with(' ')) line.pop_back();
    text += line + "\n";
  }
  return text;
}

}  // namespace tandem::program
