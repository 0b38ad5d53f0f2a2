// One self-contained HTML page: no script, no network, light and dark, prints well.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/core/export.hpp"

namespace tandem::report {

// & < > " ' as entities.
[[nodiscard]] TANDEM_API std::string escape(std::string_view text);

class TANDEM_API Page {
 public:
  Page(std::string title, std::string subtitle);

  // Everything below is appended in order. Texts are escaped unless they are called html.
  void section(std::string_view number, std::string_view title);
  void paragraph(std::string_view text);
  void html(std::string_view html) { body_ += html; }
  // A command line that reproduces what is shown.
  void command(std::string_view command);
  void preformatted(std::string_view text);
  // Figures beside each other where the screen is wide enough.
  struct Figure {
    std::string html;  // <svg> or any other element
    std::string caption;
  };
  void figures(const std::vector<Figure>& figures);
  // The first row is the heading; the first column is text, the others are numbers.
  void table(const std::vector<std::vector<std::string>>& rows, std::string_view caption = {});
  // Numbers that carry the story: ("R²", "0.5177").
  void facts(const std::vector<std::pair<std::string, std::string>>& facts);
  void footer(std::string_view text) { footer_ = text; }

  [[nodiscard]] std::string to_html() const;
  // The file appears whole or not at all. Throws InputError where the folder does not exist,
  // SystemError where the file cannot be written.
  void write(const std::string& path) const;

 private:
  std::string title_;
  std::string subtitle_;
  std::string body_;
  std::string footer_;
  std::vector<std::pair<std::string, std::string>> contents_;  // anchor, title
};

// The HTML of a table as Page::table makes it, for a figure.
[[nodiscard]] TANDEM_API std::string table_html(const std::vector<std::vector<std::string>>& rows,
                                                std::string_view caption = {});

}  // namespace tandem::report
