// Plots as SVG, drawn by gnuplot. Colours are CSS variables (--ink, --grid, --series-1 ...), so
// that a page decides them once, for light and dark screens and for paper.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tandem/core/export.hpp"

namespace tandem::report {

struct Point {
  double x = 0;
  double y = 0;
};

enum class Mark { line, points, steps, line_points, bars };

// One line, or one cloud of points. NaN and infinite coordinates are left out; a line is broken
// there.
struct Series {
  std::string label = {};  // in the key; empty for none
  std::vector<Point> points = {};
  Mark mark = Mark::line;
  int colour = 1;  // 1 .. 8: --series-1 ..; 0: --ink; −1: --muted
  int shape = 0;   // of points: 0 disc, 1 square, 2 triangle, 3 diamond, 4 cross
  bool dashed = false;
  double size = 1;  // of points and of lines, relative
};

// An axis-parallel box, filled without a border: regions of a decision, cells of a matrix.
struct Box {
  double left = 0;
  double bottom = 0;
  double right = 0;
  double top = 0;
  int colour = 1;
  double opacity = 0.2;
};

struct Label {
  double x = 0;
  double y = 0;
  std::string text;
  int colour = 0;
};

struct Axis {
  std::string label = {};  // with its unit in brackets
  bool logarithmic = false;
  std::optional<double> from = {};
  std::optional<double> to = {};
  // Names at places instead of numbers.
  std::vector<std::pair<double, std::string>> ticks = {};
  bool whole_numbers = false;  // ticks at whole numbers only
};

struct Plot {
  std::string title;  // said aloud by screen readers; not drawn
  Axis x;
  Axis y;
  std::vector<Box> boxes = {};  // under everything
  std::vector<Series> series = {};
  std::vector<Label> labels = {};
  bool key = true;
  bool square = false;  // one unit of x is as long as one of y
  int width = 560;      // in pixels of the view box
  int height = 340;
};

// An <svg> element to be put into a page. `id` must be unique in the page. Throws SystemError where
// gnuplot is missing or fails: the message says how to install it.
[[nodiscard]] TANDEM_API std::string to_svg(const Plot& plot, const std::string& id);

// Throws the same SystemError now instead of later.
TANDEM_API void require_gnuplot();

}  // namespace tandem::report
