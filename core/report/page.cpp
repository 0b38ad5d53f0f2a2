#include "tandem/report/page.hpp"

#include <algorithm>

#include "core/file.hpp"
#include "tandem/core/visible.hpp"

namespace tandem::report {
namespace {

// Colours after Okabe and Ito (2008), which people with any colour vision tell apart; lighter on
// dark ground.
constexpr std::string_view style = R"css(
:root {
  color-scheme: light dark;
  --ground: #fbfaf7; --card: #ffffff; --ink: #1c2126; --muted: #5b6570; --line: #dfe2e5;
  --grid: #e6e8eb; --accent: #0b5f94; --code: #f1f3f4;
  --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73; --series-4: #b4508f;
  --series-5: #c98a00; --series-6: #3a9bdc; --series-7: #7a6ff0; --series-8: #7f7f7f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14181c; --card: #1b2026; --ink: #e8eaed; --muted: #a3adb8; --line: #323a43;
    --grid: #2b323a; --accent: #7cc4f2; --code: #232a31;
    --series-1: #56b4e9; --series-2: #f0813a; --series-3: #2fc79c; --series-4: #dc8fbe;
    --series-5: #e9b13c; --series-6: #8fd0ff; --series-7: #a9a2ff; --series-8: #a0a0a0;
  }
}
* { box-sizing: border-box; }
html { font-size: 17px; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font-family: "Source Sans 3", "Segoe UI", "Helvetica Neue", Inter, "Noto Sans", "DejaVu Sans", Arial, sans-serif;
  line-height: 1.55; font-variant-numeric: tabular-nums; }
main, header, footer { max-width: 1120px; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3.2rem; padding-bottom: .6rem; }
h1, h2, p, li, figcaption { overflow-wrap: anywhere; }
h1 { font-size: 2.3rem; line-height: 1.15; letter-spacing: -.02em; margin: 0 0 .5rem; text-wrap: balance; }
header p { font-size: 1.12rem; color: var(--muted); max-width: 46rem; margin: 0; }
nav { margin-top: 1.4rem; font-size: .95rem; display: flex; flex-wrap: wrap; gap: .35rem 1.4rem; }
a { color: var(--accent); text-decoration: none; } a:hover { text-decoration: underline; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 1.7rem 1.9rem 1.5rem; margin: 1.5rem 0; }
h2 { font-size: 1.45rem; line-height: 1.25; letter-spacing: -.01em; margin: 0 0 .6rem;
  display: flex; gap: .8rem; align-items: baseline; }
h2 span { color: var(--accent); font-size: 1.02rem; font-weight: 600; min-width: 1.1rem; }
p { max-width: 46rem; margin: .55rem 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr));
  gap: 1.2rem 1.6rem; margin: 1.1rem 0 .4rem; align-items: start; }
figure { margin: 0; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; font-family: inherit; }
figcaption { font-size: .88rem; color: var(--muted); margin-top: .35rem; max-width: 40rem; line-height: 1.42; }
pre { font-family: ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: .8rem; line-height: 1.5; background: var(--code); border-radius: 8px; padding: .8rem 1rem;
  overflow-x: auto; margin: .7rem 0; }
pre.command { border-left: 3px solid var(--accent); white-space: pre-wrap; overflow-x: auto; }
pre.command span { white-space: nowrap; }
pre.command::before { content: "$ "; color: var(--muted); }
.table { overflow-x: auto; margin: .7rem 0; }
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; color: var(--muted); font-size: .88rem; padding-bottom: .35rem; }
th, td { padding: .28rem .9rem .28rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--muted); }
th:first-child, td:first-child { text-align: left; }
tr:last-child td { border-bottom: 0; }
.whole { white-space: nowrap; } .confusion table { min-width: 15rem; }
.confusion th { white-space: normal; overflow-wrap: anywhere; max-width: 9rem; vertical-align: bottom;
  padding: .28rem .5rem .28rem 0; }
.confusion td { padding: .28rem .5rem .28rem .3rem; }
.upright thead th:not(:first-child) { writing-mode: vertical-rl; transform: rotate(180deg); max-width: none;
  max-height: 11rem; text-align: left; vertical-align: bottom; padding: .3rem .28rem; }
.upright tbody th { min-width: 8rem; }
figure:has(.wide) { grid-column: 1 / -1; }
.drawing { overflow-x: auto; margin: .9rem 0 .4rem; } .drawing svg { display: block; max-width: 100%; min-width: 44rem; height: auto; font-family: inherit; }
.bars { width: 100%; table-layout: fixed; } .bars th { width: 38%; white-space: normal; overflow-wrap: anywhere; font-weight: 400; color: var(--ink); }
.bars td { width: auto; padding-right: .5rem; } .bars td:last-child { width: 5.2rem; padding-right: 0; }
.bars i { display: block; height: .7rem; border-radius: 2px; } .bars tr:last-child th { border-bottom: 0; }
.key { color: var(--muted); font-size: .9rem; margin: .2rem 0; } .key span { margin-right: 1rem; }
.key i { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px; margin-right: .35rem; }
.words td, .words th { white-space: normal; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
.words td:first-child { overflow-wrap: normal; }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2.4rem; margin: .9rem 0 .3rem; }
.facts div { min-width: 5.5rem; } .facts b { display: block; font-size: 1.4rem; font-weight: 600;
  letter-spacing: -.01em; line-height: 1.2; } .facts span { font-size: .86rem; color: var(--muted); }
footer { color: var(--muted); font-size: .88rem; padding-top: .4rem; padding-bottom: 3rem; }
@media (max-width: 560px) {
  main, header, footer { padding-left: .7rem; padding-right: .7rem; }
  section { padding: 1.1rem 1rem 1rem; }
  th, td { white-space: normal; padding-right: .6rem; } th.whole, td.whole { white-space: nowrap; }
  figure { overflow-x: auto; } figure svg.wide { min-width: 26rem; }
}
@media print {
  :root { --ground: #fff; --card: #fff; --ink: #000; --muted: #444; --line: #ccc; --grid: #ddd;
    --accent: #004a77; --code: #f4f4f4;
    --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73; --series-4: #b4508f;
    --series-5: #c98a00; --series-6: #3a9bdc; --series-7: #7a6ff0; --series-8: #7f7f7f; }
  @page { margin: 14mm 13mm; }
  html { font-size: 12px; } nav { display: none; } header { padding-top: 0; padding-bottom: 0; }
  main, header, footer { max-width: none; padding: 0; } p, figcaption { max-width: none; }
  .table { overflow: visible; } th { white-space: normal; } th, td { padding-right: .55rem; } .drawing { overflow: visible; } .drawing svg { width: 100% !important; min-width: 0; } pre { white-space: pre-wrap; overflow-wrap: anywhere; overflow: visible; }
  .confusion th { min-width: 0; max-width: 6rem; font-size: .8rem; } .upright tbody th { min-width: 5rem; }
  section { border: 0; padding: 0; margin: 1.6rem 0; } figure, tr, pre { break-inside: avoid; } caption, thead { break-after: avoid; } tbody tr:first-child { break-before: avoid; }
  h2 { break-after: avoid; } .figures { grid-template-columns: 1fr 1fr; }
}
)css";

}  // namespace

std::string escape(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  // A page holds no control characters; they are written out as at a terminal.
  for (const char c : visible(text)) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: result += c;
    }
  }
  return result;
}

Page::Page(std::string title, std::string subtitle)
    : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

void Page::section(std::string_view number, std::string_view title) {
  if (!contents_.empty()) body_ += "</section>\n";
  const std::string anchor = "part-" + std::to_string(contents_.size() + 1);
  contents_.emplace_back(anchor, std::string(title));
  body_ += "<section id=\"" + anchor + "\">\n<h2>";
  if (!number.empty()) body_ += "<span>" + escape(number) + "</span>";
  body_ += escape(title) + "</h2>\n";
}

void Page::paragraph(std::string_view text) {
  // The name of an option is not parted at its dashes.
  std::string html;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string word = escape(text.substr(0, end));
    html += word.starts_with("--") ? "<span class=\"whole\">" + word + "</span>" : word;
    if (end < text.size()) html += ' ';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  body_ += "<p>" + html + "</p>\n";
}

void Page::command(std::string_view command) {
  // A line may break between words only: hyphens would be places to break at, too.
  body_ += "<pre class=\"command\">";
  while (!command.empty()) {
    const std::size_t end = std::min(command.find(' '), command.size());
    body_ += "<span>" + escape(command.substr(0, end)) + "</span>";
    if (end < command.size()) body_ += ' ';
    command.remove_prefix(std::min(end + 1, command.size()));
  }
  body_ += "</pre>\n";
}

void Page::preformatted(std::string_view text) { body_ += "<pre>" + escape(text) + "</pre>\n"; }

void Page::figures(const std::vector<Figure>& figures) {
  body_ += "<div class=\"figures\">\n";
  for (const Figure& figure : figures) {
    body_ += "<figure>\n" + figure.html;
    if (!figure.caption.empty()) {
      body_ += "<figcaption>" + escape(figure.caption) + "</figcaption>\n";
    }
    body_ += "</figure>\n";
  }
  body_ += "</div>\n";
}

std::string table_html(const std::vector<std::vector<std::string>>& rows,
                       std::string_view caption) {
  std::string html = "<div class=\"table\"><table>\n";
  if (!caption.empty()) html += "<caption>" + escape(caption) + "</caption>\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    html += i == 0 ? "<thead><tr>" : i == 1 ? "<tbody><tr>" : "<tr>";
    for (const std::string& cell : rows[i]) {
      // A number or a name stays whole where the screen is narrow.
      const std::string_view whole = cell.find(' ') == std::string::npos ? " class=\"whole\"" : "";
      html += (i == 0 ? "<th scope=\"col\"" : "<td") + std::string(whole) + ">" + escape(cell) +
              (i == 0 ? "</th>" : "</td>");
    }
    html += i == 0 ? "</tr></thead>\n" : "</tr>\n";
  }
  return html + (rows.size() > 1 ? "</tbody>" : "") + "</table></div>\n";
}

void Page::table(const std::vector<std::vector<std::string>>& rows, std::string_view caption) {
  body_ += table_html(rows, caption);
}

void Page::facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  body_ += "<div class=\"facts\">\n";
  for (const auto& [name, value] : facts) {
    body_ += "<div><b>" + escape(value) + "</b><span>" + escape(name) + "</span></div>\n";
  }
  body_ += "</div>\n";
}

std::string Page::to_html() const {
  std::string html =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"generator\" content=\"Tandem\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      // Nothing may be fetched, whatever a column is called.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>" +
      escape(title_) + "</title>\n<style>" + std::string(style) + "</style>\n</head>\n<body>\n" +
      "<header>\n<h1>" + escape(title_) + "</h1>\n<p>" + escape(subtitle_) + "</p>\n";
  if (contents_.size() > 1) {
    html += "<nav>";
    for (const auto& [anchor, title] : contents_) {
      html += "<a href=\"#" + anchor + "\">" + escape(title) + "</a> ";
    }
    html += "</nav>\n";
  }
  html += "</header>\n<main>\n" + body_;
  if (!contents_.empty()) html += "</section>\n";
  return html + "</main>\n<footer>" + escape(footer_) + "</footer>\n</body>\n</html>\n";
}

void Page::write(const std::string& path) const { write_file(path, to_html()); }

}  // namespace tandem::report
