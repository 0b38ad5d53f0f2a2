#include "tandem/model_figures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "common/text.hpp"
#include "tandem/figures.hpp"
#include "tandem/output.hpp"
#include "tandem/report/page.hpp"

namespace tandem::program {
namespace {

// Text of the drawing is set in 12 pixels; letters of a wide bold font take 8 of them and a little.
constexpr double letter = 8.4;
constexpr double plain_letter = 7.4;
constexpr double box_width = 224;
constexpr double box_height = 46;
constexpr double gap_x = 40;
constexpr double gap_y = 12;

std::string px(double value) { return significant(std::round(value * 10) / 10, 7); }

// Eight colours, then the same ones paler, down to a sixth of their strength.
std::string class_colour(std::size_t c) {
  const std::string series = "var(--series-" + std::to_string(c % 8 + 1) + ")";
  if (c < 8) return series;
  const std::size_t share = std::max<std::size_t>(100 / (c / 8 + 1), 16);
  return "color-mix(in srgb," + series + " " + std::to_string(share) + "%,var(--card))";
}

std::string svg_text(double x, double y, std::string_view text, std::string_view how) {
  const bool bold = how.find("font-weight") != std::string_view::npos;
  const auto fits = static_cast<std::size_t>((box_width - 16) / (bold ? letter : plain_letter));
  return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" " + std::string(how) + ">" +
         report::escape(shortened(text, fits)) + "</text>";
}

template <Real T>
class TreeDrawing {
 public:
  TreeDrawing(const DecisionTreeModel<T>& tree, const std::vector<std::string>& names, Index depth)
      : tree_(tree), names_(names), most_depth_(depth) {
    (void)place(0, 0);
  }

  [[nodiscard]] std::string svg() const {
    const double width = static_cast<double>(deepest_ + 1) * (box_width + gap_x) - gap_x + 2;
    const double height = static_cast<double>(next_leaf_) * (box_height + gap_y) - gap_y + 2;
    return "<div class=\"drawing\"><svg role=\"img\" aria-label=\"decision tree\" viewBox=\"-1 "
           "-1 " +
           px(width) + " " + px(height) + "\" style=\"width:" + px(width) +
           "px\" font-size=\"12\">\n" + lines_ + boxes_ + "</svg></div>\n";
  }

 private:
  // Returns the middle of the box.
  double place(Index node, Index depth) {
    const auto i = static_cast<std::size_t>(node);
    const double x = static_cast<double>(depth) * (box_width + gap_x);
    deepest_ = std::max(deepest_, depth);
    const bool leaf = tree_.nodes.feature[i] < 0;
    double y = 0;
    if (leaf || depth == most_depth_) {
      y = static_cast<double>(next_leaf_++) * (box_height + gap_y) + box_height / 2;
    } else {
      const double up = place(tree_.nodes.left[i], depth + 1);
      const double down = place(tree_.nodes.right[i], depth + 1);
      y = (up + down) / 2;
      connect(x + box_width, y, up, tree_.nodes.missing_left[i] != 0 ? "yes, missing" : "yes");
      connect(x + box_width, y, down, "no");
    }
    draw(i, x, y, leaf, depth == most_depth_ && !leaf);
    return y;
  }

  void connect(double x, double from, double to, std::string_view answer) {
    lines_ += "<path d=\"M" + px(x) + " " + px(from) + "C" + px(x + gap_x / 2) + " " + px(from) +
              " " + px(x + gap_x / 2) + " " + px(to) + " " + px(x + gap_x) + " " + px(to) +
              "\" fill=\"none\" stroke=\"var(--muted)\"><title>" + report::escape(answer) +
              "</title></path>\n";
  }

  void draw(std::size_t i, double x, double y, bool leaf, bool cut_off) {
    const double top = y - box_height / 2;
    boxes_ += "<g><title>" + report::escape(full_text(i, leaf)) + "</title><rect x=\"" + px(x) +
              "\" y=\"" + px(top) + "\" width=\"" + px(box_width) + "\" height=\"" +
              px(box_height) + "\" rx=\"7\" fill=\"" + (leaf ? "var(--code)" : "var(--card)") +
              "\" stroke=\"var(--line)\"/>";
    boxes_ += svg_text(x + 8, top + 16, leaf ? answer(i) : question(i),
                       "fill=\"var(--ink)\" font-weight=\"600\"");
    boxes_ += svg_text(x + 8, top + 31,
                       counted(tree_.nodes.rows[i], "row") + (leaf      ? ""
                                                              : cut_off ? "; more below"
                                                                        : ", " + answer(i)),
                       "fill=\"var(--muted)\"");
    if (!tree_.class_names.empty()) shares(i, x + 8, top + box_height - 10);
    boxes_ += "</g>\n";
  }

  void shares(std::size_t i, double x, double y) {
    const auto weights = tree_.values.row(static_cast<Index>(i));
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (!(total > 0)) return;
    constexpr double length = box_width - 16;
    double at = x;
    for (std::size_t c = 0; c < weights.size(); ++c) {
      const double part = weights[c] / total * length;
      if (part <= 0) continue;
      boxes_ += "<rect x=\"" + px(at) + "\" y=\"" + px(y) + "\" width=\"" + px(part) +
                "\" height=\"5\" fill=\"" + class_colour(c) + "\"/>";
      at += part;
    }
  }

  [[nodiscard]] std::string question(std::size_t i) const {
    const std::string name = axis_label(names_[static_cast<std::size_t>(tree_.nodes.feature[i])]);
    if (tree_.nodes.threshold[i] == std::numeric_limits<T>::max()) return name + " is known?";
    const std::string number =
        " ≤ " + significant(static_cast<double>(tree_.nodes.threshold[i]), 4);
    // The number matters more than the end of a long name.
    constexpr auto fits = static_cast<std::size_t>((box_width - 16) / letter);
    return shortened(name, fits - std::min(fits - 4, number.size() - 2)) + number;
  }

  [[nodiscard]] std::string answer(std::size_t i) const {
    const auto values = tree_.values.row(static_cast<Index>(i));
    if (tree_.class_names.empty()) return "mean " + significant(values[0], 5);
    const auto best = std::max_element(values.begin(), values.end());
    const double total = std::accumulate(values.begin(), values.end(), 0.0);
    return tree_.class_names[static_cast<std::size_t>(best - values.begin())] + " " +
           significant(std::round(1000 * *best / total) / 10, 4) + " %";
  }

  [[nodiscard]] std::string full_text(std::size_t i, bool leaf) const {
    std::string text;
    if (!leaf) {
      text = names_[static_cast<std::size_t>(tree_.nodes.feature[i])] +
             " <= " + shortest(tree_.nodes.threshold[i]) + "? yes goes up, no down; ";
    }
    return text + counted(tree_.nodes.rows[i], "row") + ", " + answer(i) + ", " +
           std::string(to_string(tree_.criterion)) + " " + significant(tree_.nodes.impurity[i], 4);
  }

  const DecisionTreeModel<T>& tree_;
  const std::vector<std::string>& names_;
  Index most_depth_;
  Index deepest_ = 0;
  Index next_leaf_ = 0;
  std::string lines_;
  std::string boxes_;
};

}  // namespace

template <Real T>
std::string tree_svg(const DecisionTreeModel<T>& tree,
                     const std::vector<std::string>& feature_names, Index depth) {
  return TreeDrawing<T>(tree, feature_names, depth).svg();
}

std::string class_key_html(const std::vector<std::string>& class_names) {
  std::string html = "<p class=\"key\">";
  for (std::size_t c = 0; c < class_names.size(); ++c) {
    html += "<span><i style=\"background:" + class_colour(c) + "\"></i>" +
            report::escape(class_names[c]) + "</span> ";
  }
  return html + "</p>\n";
}

std::string bars_html(const std::vector<std::string>& names, const std::vector<double>& values,
                      std::size_t most) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return std::abs(values[a]) > std::abs(values[b]);
  });
  const double largest = order.empty() ? 0 : std::abs(values[order[0]]);
  std::string html = "<table class=\"bars\"><tbody>\n";
  std::size_t shown = 0;
  for (const std::size_t j : order) {
    if (shown == most || values[j] == 0) break;
    ++shown;
    const double share = largest > 0 ? 100 * std::abs(values[j]) / largest : 0;
    html += "<tr><th scope=\"row\">" + report::escape(axis_label(names[j])) +
            "</th><td><i style=\"width:" + px(std::max(share, 0.5)) + "%;background:var(--series-" +
            (values[j] < 0 ? "2" : "1") + ")\"></i></td><td>" + significant(values[j], 3) +
            "</td></tr>\n";
  }
  return html + "</tbody></table>\n";
}

#define TANDEM_INSTANTIATE(T)                                                                 \
  template std::string tree_svg(const DecisionTreeModel<T>&, const std::vector<std::string>&, \
                                Index);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::program
