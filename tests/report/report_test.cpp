// Plots and pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "tandem/core/error.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"

namespace tandem::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

Plot example() {
  Plot plot;
  plot.title = "cost <against> iterations";
  plot.x = {.label = "iteration's number"};
  plot.y = {.label = "cost (a < b & c)", .logarithmic = true};
  plot.boxes = {{0, 1, 1, 10, 2, 0.3}, {1, 1, 2, 10, 3, 0.3}};
  plot.series = {{.label = "Adam", .points = {{0, 10}, {1, 3}, {2, 1}}},
                 {.label = "it's", .points = {{0, 8}, {1, 2}}, .mark = Mark::points, .colour = 2}};
  return plot;
}

TEST(Plot, IsAnSvgInTheColoursOfThePage) {
  const std::string svg = to_svg(example(), "p1");
  EXPECT_THAT(svg, ::testing::StartsWith("<svg role=\"img\" aria-label=\"cost &lt;against&gt;"));
  EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
  for (const char* colour : {"--series-1", "--series-2", "--series-3", "--grid", "--muted"}) {
    EXPECT_THAT(svg, HasSubstr(std::string("var(") + colour + ")"));
  }
  EXPECT_THAT(svg, Not(HasSubstr("rgb(")));
  EXPECT_THAT(svg, HasSubstr("cost (a &lt; b &amp; c)"));
  EXPECT_THAT(svg, HasSubstr("it's"));
}

TEST(Plot, TwoOfAPageShareNoIdentifier) {
  const std::string one = to_svg(example(), "p1");
  const std::string other = to_svg(example(), "p2");
  EXPECT_THAT(one, HasSubstr("id='p1-gpPt"));
  EXPECT_THAT(other, Not(HasSubstr("p1-")));
  EXPECT_EQ(count(one, "href='#gp"), 0U);
}

TEST(Plot, LeavesOutWhatIsNotANumber) {
  Plot plot = example();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  plot.series[0].points = {{0, 1}, {1, nan}, {2, infinity}, {3, -1}, {4, 2}};
  EXPECT_NO_THROW((void)to_svg(plot, "p1"));
  for (auto& series : plot.series) series.points = {{nan, nan}};
  plot.boxes.clear();
  EXPECT_NO_THROW((void)to_svg(plot, "p1"));
}

TEST(Plot, ATextCannotBecomeACommand) {
  Plot plot = example();
  plot.series[0].label = "'; system('touch /tmp/tandem-injected'); '\n!touch /tmp/tandem-injected";
  plot.x.label = "`touch /tmp/tandem-injected`";
  EXPECT_THAT(to_svg(plot, "p1"), HasSubstr("system("));
  EXPECT_NE(std::system("test -e /tmp/tandem-injected"), 0);
}

TEST(Plot, ALongLabelTakesTwoLines) {
  Plot plot = example();
  plot.y.label = "cost above the lowest (as a share of the first one)";
  const std::string svg = to_svg(plot, "p1");
  EXPECT_THAT(svg, HasSubstr("cost above the lowest (as a share"));
  EXPECT_THAT(svg, HasSubstr("of the first one)"));
  EXPECT_THAT(svg, Not(HasSubstr("…")));
  for (int i = 0; i < 20; ++i) plot.y.label += " and more";
  EXPECT_THAT(to_svg(plot, "p1"), HasSubstr("…"));
}

TEST(Plot, OnlyAWidePlotHasTheWidthOfThePage) {
  Plot plot = example();
  EXPECT_THAT(to_svg(plot, "p1"), HasSubstr("max-width"));
  plot.width = 860;
  EXPECT_THAT(to_svg(plot, "p1"), HasSubstr("class=\"wide\""));
}

TEST(Page, TheNameOfAnOptionIsNotParted) {
  Page page("Title", "Subtitle");
  page.section("1", "One");
  page.paragraph("leave it out with --ignore x");
  EXPECT_THAT(page.to_html(), HasSubstr("with <span class=\"whole\">--ignore</span> x</p>"));
}

TEST(Plot, AMissingGnuplotIsSaid) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  try {
    require_gnuplot();
    ADD_FAILURE();
  } catch (const SystemError& error) {
    EXPECT_THAT(error.what(), HasSubstr("apt-get install gnuplot-nox"));
  }
  ::setenv("PATH", path.c_str(), 1);
}

TEST(Page, EscapesTexts) {
  Page page("a <b>", "c & \"d\"");
  page.section("1", "<script>");
  page.paragraph("<img src=x>");
  page.preformatted("a < b");
  page.command("tandem train 'x'");
  page.table({{"<i>", "1"}, {"<u>", "2"}});
  page.facts({{"<s>", "&"}});
  page.figures({{"<svg></svg>", "<caption>"}});
  const std::string html = page.to_html();
  for (const char* tag : {"<b>\n", "<script>", "<img", "<i>", "<u>", "<s>", "<caption>"}) {
    EXPECT_THAT(html, Not(HasSubstr(tag))) << tag;
  }
  EXPECT_THAT(html, HasSubstr("a &lt; b"));
}

TEST(Page, IsSelfContainedAndBalanced) {
  Page page("Title", "Subtitle");
  page.section("1", "One");
  page.figures({{to_svg(example(), "p1"), "caption"}});
  page.section("2", "Two");
  page.table({{"a", "b"}, {"c", "1"}, {"d", "2"}});
  const std::string html = page.to_html();
  EXPECT_THAT(html, Not(HasSubstr("http://")));
  EXPECT_THAT(html, Not(HasSubstr("https://")));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const char* tag : {"section", "div", "figure", "table", "svg", "g", "tbody", "main"}) {
    const std::string name = tag;
    EXPECT_EQ(count(html, "<" + name + ">") + count(html, "<" + name + " "),
              count(html, "</" + name + ">"))
        << tag;
  }
}

}  // namespace
}  // namespace tandem::report
