#include "tandem/report/plot.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <system_error>

#include "core/file.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/report/page.hpp"

extern char** environ;

namespace tandem::report {
namespace {

// Colours that no plot means: gnuplot writes them, and each is replaced by a CSS variable.
constexpr int marker_red = 1;
constexpr int marker_green = 2;
constexpr int ink_marker = 30;
constexpr int muted_marker = 31;
constexpr int grid_marker = 32;

int marker_of(int colour) {
  if (colour == 0) return ink_marker;
  if (colour < 0) return muted_marker;
  return colour;
}

std::string variable_of(int marker) {
  if (marker == ink_marker) return "var(--ink)";
  if (marker == muted_marker) return "var(--muted)";
  if (marker == grid_marker) return "var(--grid)";
  return "var(--series-" + std::to_string(marker) + ")";
}

std::string rgb(int marker) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "'#%02x%02x%02x'", marker_red, marker_green, marker);
  return text.data();
}

// A text as gnuplot reads it in double quotes. Everything that could mean something to gnuplot is
// written in octal, so that no name of a column can end the text or be run as a command.
std::string quoted(const std::string& text) {
  constexpr std::string_view plain = " .,-_()/:=+";
  std::string result = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 128 || std::isalnum(code) != 0 || plain.find(c) != std::string_view::npos) {
      result += c;
    } else if (code < 32) {
      result += ' ';
    } else {
      std::array<char, 8> octal{};
      std::snprintf(octal.data(), octal.size(), "\\%03o", code);
      result += octal.data();
    }
  }
  return result + "\"";
}

// A folder that removes itself.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code ignored;
    auto base = std::filesystem::temp_directory_path(ignored);
    if (ignored) base = "/tmp";
    std::string pattern = (base / "tandem-plot-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw SystemError(base.string() + ": no temporary folder can be made there: " +
                        std::generic_category().message(errno));
    }
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

[[noreturn]] void missing_gnuplot() {
  throw SystemError(
      "plots are drawn by gnuplot, which is not installed; install it: apt-get install "
      "gnuplot-nox");
}

// Runs gnuplot with the arguments, without the user's own settings; its messages go to `messages`.
// Returns its exit status.
int run_gnuplot(std::vector<std::string> arguments, const std::string& messages) {
  arguments.insert(arguments.begin(), {"gnuplot", "--default-settings"});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, messages.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  // Decimal points, whatever the user's language.
  std::vector<char*> environment;
  std::string locale = "LC_ALL=C.UTF-8";
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "LC_ALL=", 7) != 0) environment.push_back(*entry);
  }
  environment.push_back(locale.data());
  environment.push_back(nullptr);
  pid_t child = 0;
  const int failure =
      ::posix_spawnp(&child, "gnuplot", &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT) missing_gnuplot();
  if (failure != 0) {
    throw SystemError("gnuplot cannot be run: " + std::generic_category().message(failure));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) missing_gnuplot();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// At most as many characters as fit beside an axis of `pixels`, the last an ellipsis where some
// were left out. Letters of 14 pixels take about 8 on the average, capitals more.
std::string cut_to(const std::string& text, int pixels) {
  const auto most = static_cast<std::size_t>(std::max(pixels / 8, 8));
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;
    if (++characters > most) {
      // Back to the start of the character before.
      std::size_t end = i - 1;
      while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
      return text.substr(0, end) + "…";
    }
  }
  return text;
}

// The label of an axis as gnuplot reads it, on two lines where one is too short.
std::string axis_label(const std::string& text, int pixels) {
  const auto most = static_cast<std::size_t>(std::max(pixels / 8, 8));
  const std::string first = cut_to(text, pixels);
  const std::size_t space = text.rfind(' ', most);
  if (first == text || space == std::string::npos || space == 0) return quoted(first);
  std::string lines = quoted(text.substr(0, space));
  lines.pop_back();
  return lines + "\\n" + quoted(cut_to(text.substr(space + 1), pixels)).substr(1);
}

struct Interval {
  double from;
  double to;
};

// What the x axis spans; nothing where `to` is not above `from`.
Interval span_of_x(const Plot& plot) {
  double from = plot.x.from.value_or(std::numeric_limits<double>::infinity());
  double to = plot.x.to.value_or(-std::numeric_limits<double>::infinity());
  const auto include = [&](double x) {
    if (!std::isfinite(x)) return;
    if (!plot.x.from) from = std::min(from, x);
    if (!plot.x.to) to = std::max(to, x);
  };
  for (const Box& box : plot.boxes) {
    include(box.left);
    include(box.right);
  }
  for (const Series& series : plot.series) {
    for (const Point& point : series.points) include(point.x);
  }
  return {from, to};
}

// Whether the numbers of the x axis are long, as dates in seconds are.
bool has_long_x_numbers(const Plot& plot) {
  if (!plot.x.ticks.empty() || plot.x.logarithmic) return false;
  const auto [from, to] = span_of_x(plot);
  return to > from && std::max(std::abs(from), std::abs(to)) >= 1e6;
}

// The distance of x-axis ticks where gnuplot's own choice, or a tick at each whole number, would
// make numbers touch: beside a y axis of names, which take room from the x axis, where the numbers
// are long, such as dates in seconds, and where whole numbers are many. 0 where it may choose.
double step_of_x_ticks(const Plot& plot) {
  if (!plot.x.ticks.empty() || plot.x.logarithmic) return 0;
  std::size_t longest = 0;
  for (const auto& tick : plot.y.ticks) longest = std::max(longest, tick.second.size());
  const auto [from, to] = span_of_x(plot);
  if (!(to > from)) return 0;
  constexpr double of_letter = 8.2;
  constexpr double usual_number = 64;
  // As gnuplot writes a value between the two.
  std::array<char, 32> middle{};
  const int letters =
      std::snprintf(middle.data(), middle.size(), "%g", from + 0.3827 * (to - from));
  constexpr int most_letters = 8;
  const bool large = has_long_x_numbers(plot);
  constexpr double most_whole_numbers = 20;
  const bool many = plot.x.whole_numbers && to - from > most_whole_numbers;
  if (plot.y.ticks.empty() && !(large && letters > most_letters) && !many) return 0;
  const double of_number = large ? std::max(usual_number, of_letter * (letters + 2)) : usual_number;
  const double room = plot.width - 60 - of_letter * static_cast<double>(longest);
  const double least = (to - from) * of_number / std::max(room, 2 * of_number);
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  double step = 10 * power;
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= least) {
      step = digit * power;
      break;
    }
  }
  return plot.x.whole_numbers ? std::max(1.0, std::ceil(step)) : step;
}

// `length`: of the axis in pixels; `step`: of its ticks, 0 where gnuplot may choose.
void set_axis(std::string& script, const char* name, const Axis& axis, int length, double step) {
  const std::string n = name;
  if (!axis.label.empty()) {
    script += "set " + n + "label " + axis_label(axis.label, length) + " tc rgb " +
              rgb(muted_marker) + "\n";
  }
  if (axis.logarithmic) script += "set logscale " + n + "\n";
  if (axis.from || axis.to) {
    script += "set " + n + "range [" + (axis.from ? shortest(*axis.from) : "*") + ":" +
              (axis.to ? shortest(*axis.to) : "*") + "]\n";
  }
  if (!axis.ticks.empty()) {
    script += "set " + n + "tics (";
    for (std::size_t i = 0; i < axis.ticks.size(); ++i) {
      script +=
          (i > 0 ? ", " : "") + quoted(axis.ticks[i].second) + " " + shortest(axis.ticks[i].first);
    }
    script += ") nomirror scale 0 tc rgb " + rgb(muted_marker) + "\n";
  } else {
    // A step of at least 1 where only whole numbers make sense.
    script += "set " + n + "tics " +
              (step > 0             ? shortest(step) + " "
               : axis.whole_numbers ? "1 "
                                    : "") +
              "nomirror scale 0.4,0.2 tc rgb " + rgb(muted_marker) + "\n";
    script += "set format " + n + (axis.logarithmic ? " '%g'\n" : " '%g'\n");
  }
}

std::string style_of(const Series& series) {
  const std::string colour = " lc rgb " + rgb(marker_of(series.colour));
  constexpr std::array<int, 5> shapes{7, 5, 9, 13, 2};
  const std::string points =
      " pt " + std::to_string(shapes[static_cast<std::size_t>(series.shape) % shapes.size()]) +
      " ps " + shortest(0.42 * series.size);
  // A cross is made of thin lines; wider ones have the weight of the filled shapes.
  const std::string cross = series.shape % 5 == 4 ? " lw 2.4" : "";
  const std::string lines =
      " lw " + shortest(2.2 * series.size) + (series.dashed ? " dt (6,4)" : "");
  switch (series.mark) {
    case Mark::line: return "lines" + lines + colour;
    case Mark::points: return "points" + points + cross + colour;
    case Mark::steps: return "steps" + lines + colour;
    case Mark::line_points: return "linespoints" + lines + points + colour;
    case Mark::bars: return "boxes fs solid 0.85 noborder" + colour;
  }
  return "lines";
}

std::string script_of(const Plot& plot, const std::string& output) {
  std::string script = "set terminal svg size " + std::to_string(plot.width) + "," +
                       std::to_string(plot.height) +
                       " dynamic noenhanced font 'sans-serif,14'\nset output " + quoted(output) +
                       "\nset encoding utf8\nset border 3 lw 1 lc rgb " + rgb(muted_marker) +
                       "\nset grid back lt 1 dt 1 lw 0.7 lc rgb " + rgb(grid_marker) +
                       "\nset samples 2\nset boxwidth 0.8 relative\n";
  if (plot.square) script += "set size ratio -1\n";
  set_axis(script, "x", plot.x, plot.width - 100, step_of_x_ticks(plot));
  set_axis(script, "y", plot.y, plot.height - 60, 0);
  // Room for the half of the last number that stands beyond the axis.
  if (has_long_x_numbers(plot)) script += "set rmargin 5\n";
  std::size_t named = 0;
  for (const Series& series : plot.series) named += series.label.empty() ? 0 : 1;
  if (plot.key && named > 0) {
    script += "set key outside top center horizontal Left reverse samplen 1.4 width 1 tc rgb " +
              rgb(ink_marker) + "\n";
  } else {
    script += "unset key\n";
  }
  for (const Label& label : plot.labels) {
    script += "set label " + quoted(label.text) + " at " + shortest(label.x) + "," +
              shortest(label.y) + " center front tc rgb " + rgb(marker_of(label.colour)) + "\n";
  }
  const auto usable = [&](const Point& p) {
    return std::isfinite(p.x) && std::isfinite(p.y) && !(plot.x.logarithmic && p.x <= 0) &&
           !(plot.y.logarithmic && p.y <= 0);
  };
  std::string commands;
  int block = 0;
  const auto add = [&](const std::string& data, const std::string& how) {
    const std::string name = "$d" + std::to_string(block++);
    script += name + " << END\n" + data + "END\n";
    commands += (commands.empty() ? "plot " : ", ") + name + how;
  };
  // Boxes of one colour and opacity are one data set.
  for (std::size_t i = 0; i < plot.boxes.size();) {
    const Box& first = plot.boxes[i];
    std::string data;
    for (; i < plot.boxes.size() && plot.boxes[i].colour == first.colour &&
           plot.boxes[i].opacity == first.opacity;
         ++i) {
      const Box& box = plot.boxes[i];
      data += shortest((box.left + box.right) / 2) + " " + shortest((box.bottom + box.top) / 2) +
              " " + shortest(box.left) + " " + shortest(box.right) + " " + shortest(box.bottom) +
              " " + shortest(box.top) + "\n";
    }
    add(data, " using 1:2:3:4:5:6 with boxxyerror fs transparent solid " + shortest(first.opacity) +
                  " noborder lc rgb " + rgb(marker_of(first.colour)) + " notitle");
  }
  for (const Series& series : plot.series) {
    std::string data;
    bool any = false;
    for (const Point& p : series.points) {
      any = any || usable(p);
      data += usable(p) ? shortest(p.x) + " " + shortest(p.y) + "\n" : "\n";
    }
    if (!any) continue;
    add(data, " using 1:2 with " + style_of(series) +
                  (series.label.empty() ? " notitle" : " title " + quoted(series.label)));
  }
  if (commands.empty()) {
    script += "set xrange [0:1]\nset yrange [0:1]\n";
    commands = "plot NaN notitle";
  }
  return script + commands + "\n";
}

// Pixels that a key of many or long names needs above the plot, beyond two lines.
int room_for_key(const Plot& plot) {
  if (!plot.key) return 0;
  std::size_t named = 0;
  std::size_t longest = 1;
  for (const Series& series : plot.series) {
    if (series.label.empty() || series.points.empty()) continue;
    ++named;
    longest = std::max(longest, series.label.size());
  }
  constexpr int of_line = 23;
  constexpr double of_letter = 8.2;
  constexpr double of_mark = 50;
  const double columns = std::max(
      1.0, std::floor((plot.width - 90) / (static_cast<double>(longest) * of_letter + of_mark)));
  const auto lines = static_cast<int>(std::ceil(static_cast<double>(named) / columns));
  return std::max(0, lines - 2) * of_line;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// "rgb(  1,   2,   3)" to the variable that the marker 3 stands for.
std::string with_variables(const std::string& svg) {
  std::string result;
  std::size_t at = 0;
  for (;;) {
    const std::size_t found = svg.find("rgb(", at);
    if (found == std::string::npos) break;
    const std::size_t end = svg.find(')', found);
    if (end == std::string::npos) break;
    int red = -1;
    int green = -1;
    int blue = -1;
    result += svg.substr(at, found - at);
    const std::string colour = svg.substr(found, end + 1 - found);
    if (std::sscanf(colour.c_str(), "rgb(%d,%d,%d)", &red, &green, &blue) == 3 &&
        red == marker_red && green == marker_green) {
      result += variable_of(blue);
    } else {
      result += colour;
    }
    at = end + 1;
  }
  return result + svg.substr(at);
}

// gnuplot writes many groups with nothing inside.
void drop_empty_groups(std::string& svg) {
  for (std::size_t at = 0; (at = svg.find("<g ", at)) != std::string::npos;) {
    const std::size_t end = svg.find('>', at);
    if (end == std::string::npos) return;
    const std::size_t next = svg.find_first_not_of(" \t\n", end + 1);
    if (next != std::string::npos && svg.compare(next, 4, "</g>") == 0) {
      svg.erase(at, next + 4 - at);
    } else {
      at = end;
    }
  }
}

void drop_element(std::string& svg, std::string_view open, std::string_view close) {
  for (std::size_t at = 0; (at = svg.find(open, at)) != std::string::npos;) {
    const std::size_t end = svg.find(close, at);
    if (end == std::string::npos) return;
    svg.erase(at, end + close.size() - at);
  }
}

}  // namespace

std::string to_svg(const Plot& asked, const std::string& id) {
  Plot plot = asked;
  plot.height += room_for_key(plot);
  const TemporaryFolder folder;
  const std::string output = folder.file("plot.svg");
  const std::string script = folder.file("plot.gp");
  const std::string messages = folder.file("messages");
  write_file(script, script_of(plot, output));
  const int status = run_gnuplot({script}, messages);
  const auto text_of = [](const std::string& path) {
    const auto bytes = read_file(path);
    return std::string(bytes.begin(), bytes.end());
  };
  if (status != 0 || !std::filesystem::exists(output)) {
    throw SystemError("gnuplot failed on the plot \"" + plot.title + "\": " +
                      (std::filesystem::exists(messages) ? text_of(messages) : "no message"));
  }
  std::string svg = text_of(output);
  const std::size_t start = svg.find("<g id=\"gnuplot_canvas\">");
  const std::size_t end = svg.rfind("</svg>");
  if (start == std::string::npos || end == std::string::npos) {
    throw SystemError("gnuplot wrote no SVG for the plot \"" + plot.title + "\"");
  }
  svg = svg.substr(start, end - start);
  drop_element(svg, "<title>", "</title>");
  drop_element(svg, "<filter", "</filter>");
  drop_empty_groups(svg);
  replace_all(svg, "xlink:href", "href");
  replace_all(svg, "id='gp", "id='" + id + "-gp");
  replace_all(svg, "'#gp", "'#" + id + "-gp");
  replace_all(svg, "id=\"gnuplot_", "id=\"" + id + "-");
  replace_all(svg, "font-family=\"sans-serif\"", "");
  replace_all(svg, "  ", " ");
  // A plot that is wider than others has the width of the page; others are not blown up to it.
  constexpr int usual = 700;
  const std::string size = plot.width > usual
                               ? "class=\"wide\""
                               : "style=\"max-width:" + std::to_string(plot.width * 5 / 4) + "px\"";
  return "<svg role=\"img\" aria-label=\"" + escape(plot.title) + "\" " + size + " viewBox=\"0 0 " +
         std::to_string(plot.width) + " " + std::to_string(plot.height) + "\">\n" +
         with_variables(svg) + "</svg>\n";
}

void require_gnuplot() {
  const TemporaryFolder folder;
  if (run_gnuplot({"--version"}, folder.file("messages")) != 0) missing_gnuplot();
}

}  // namespace tandem::report
