// The page of tandem gpu profile --page.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "common/text.hpp"
#include "softgpu/models.hpp"
#include "softgpu/profile/estimate.hpp"
#include "softgpu/profile/explain.hpp"
#include "tandem/config.hpp"
#include "tandem/gpu/kernel_profile.hpp"
#include "tandem/gpu/numbers.hpp"
#include "tandem/report/plot.hpp"

namespace tandem::program {
namespace {

using report::escape;
using softgpu::DeviceModel;
using softgpu::profile::Counters;
using softgpu::profile::Estimate;
using softgpu::profile::Kernel;
using softgpu::profile::Line;
using softgpu::profile::Profile;
using softgpu::profile::Scheduled;
using softgpu::profile::Work;

constexpr std::string_view style = R"css(<style>
.source table { font-size: .82rem; } .source td, .source th { padding: .1rem .7rem .1rem 0; border-bottom: 0; }
.source td:nth-child(2), .source th:nth-child(2) { text-align: left; }
.source code { font-family: ui-monospace, "SFMono-Regular", "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .76rem; white-space: pre; }
.source td:first-child { color: var(--muted); text-align: right; }
.source tr.counted code { color: var(--ink); } .source code { color: var(--muted); }
.source .share { min-width: 6.5rem; } .source .share i { display: inline-block; height: .62rem; border-radius: 2px; background: var(--series-2); margin-right: .35rem; vertical-align: baseline; }
@media print { .source code { white-space: pre-wrap; overflow-wrap: anywhere; } }
</style>
)css";

// "transpose<0>" of "void transpose<0>(float const*, float*, int)".
std::string short_name(const std::string& name) {
  const std::string_view type = "void ";
  const std::size_t begin = name.starts_with(type) ? type.size() : 0;
  return name.substr(begin, name.find('(') - begin);
}

// --- pictures ------------------------------------------------------------------------------------

report::Plot roofline(const Kernel& k, const DeviceModel& device, const Estimate& estimate) {
  const softgpu::profile::Roof roof = softgpu::profile::roof_of(k, device);
  const double bytes = static_cast<double>(k.dram_read + k.dram_write);
  const double intensity = static_cast<double>(k.counters.all_flops()) / bytes;
  const double ridge = roof.flops_per_second / roof.bytes_per_second;
  const double left = std::min({0.05, intensity / 4, ridge / 100});
  const double right = std::max({200.0, intensity * 4, ridge * 4});
  const double giga = 1e9;
  report::Plot plot;
  plot.title = "Roofline of " + short_name(k.name);
  plot.x = {
      .label = "flops per byte of memory traffic", .logarithmic = true, .from = left, .to = right};
  plot.y = {.label = "Gflop/s (" + std::string(roof.format) + ", estimate)", .logarithmic = true};
  plot.series.push_back({.label = "memory bandwidth and peak arithmetic",
                         .points = {{left, left * roof.bytes_per_second / giga},
                                    {ridge, roof.flops_per_second / giga},
                                    {right, roof.flops_per_second / giga}},
                         .colour = 0,
                         .size = 1.4});
  const double rate = static_cast<double>(k.counters.all_flops()) /
                      static_cast<double>(k.launches) / estimate.seconds / giga;
  plot.series.push_back({.label = short_name(k.name),
                         .points = {{intensity, rate}},
                         .mark = report::Mark::points,
                         .colour = 2,
                         .size = 1.8});
  return plot;
}

// At most this many pieces of work are drawn; more are not told apart.
constexpr std::size_t most_drawn = 400;

report::Plot timeline(const Profile& profile, const std::vector<Scheduled>& all) {
  report::Plot plot;
  plot.title = "Timeline of streams";
  plot.width = 1120;
  plot.key = true;
  std::map<std::pair<int, std::uint64_t>, std::size_t> rows;
  std::set<std::string> kernels;
  double end = 0;
  const std::size_t drawn = std::min(all.size(), most_drawn);
  for (std::size_t i = 0; i < drawn; ++i) {
    const Work& work = profile.work[all[i].work];
    rows.emplace(std::pair{work.device, work.stream}, rows.size());
    end = std::max(end, all[i].end);
  }
  const double micro = 1e6;
  constexpr double half = 0.38;
  constexpr double gap = 0.001;        // of the whole width
  constexpr double room_for = 0.0085;  // a letter, of it
  const auto colour_of = [](const Work& work) {
    return work.kind == Work::Kind::kernel ? 1 : work.kind == Work::Kind::copy ? 2 : 3;
  };
  for (std::size_t i = 0; i < drawn; ++i) {
    const Work& work = profile.work[all[i].work];
    const auto row = static_cast<double>(rows[{work.device, work.stream}]);
    const double length = all[i].end - all[i].begin;
    // A gap parts work that follows at once.
    plot.boxes.push_back({.left = all[i].begin * micro,
                          .bottom = row - half,
                          .right = (all[i].begin + std::max(length - gap * end, gap * end)) * micro,
                          .top = row + half,
                          .colour = colour_of(work),
                          .opacity = 0.45});
    if (const std::string name = short_name(work.name);
        length > room_for * end * static_cast<double>(name.size() + 1)) {
      plot.labels.push_back({(all[i].begin + length / 2) * micro, row, name});
    }
  }
  plot.x = {.label = "time (µs, estimate)", .from = 0, .to = end * micro};
  plot.y.from = -0.6;
  plot.y.to = static_cast<double>(rows.size()) - 0.4;
  for (const auto& [key, row] : rows) {
    plot.y.ticks.emplace_back(static_cast<double>(row), "stream " + std::to_string(key.second));
  }
  plot.height = 110 + 44 * static_cast<int>(std::min<std::size_t>(rows.size(), 12));
  for (const auto& [label, colour] :
       {std::pair{"kernels", 1}, std::pair{"copies", 2}, std::pair{"other", 3}}) {
    plot.series.push_back(
        {.label = label, .points = {{-1, -1}}, .mark = report::Mark::points, .colour = colour});
  }
  return plot;
}

// Shares as bars beside their names.
std::string bars(const std::vector<std::pair<std::string, double>>& shares) {
  std::string html = "<table class=\"bars\"><tbody>";
  for (const auto& [name, share] : shares) {
    html += "<tr><th scope=\"row\">" + escape(name) +
            "</th><td><i style=\"width:" + fixed(100 * share, 1) +
            "%;background:var(--series-1)\"></i></td><td>" + percent(share) + "</td></tr>";
  }
  return html + "</tbody></table>";
}

std::vector<std::pair<std::string, double>> wait_shares(const Kernel& k) {
  std::uint64_t all = 0;
  for (const std::uint64_t cycles : k.chain_waits) all += cycles;
  constexpr std::array<const char*, softgpu::profile::wait_kinds> names = {
      "issuing instructions",
      "results of arithmetic",
      "shared memory, shuffles, special functions",
      "global or local memory, in L1",
      "global memory, in L2",
      "global memory, beyond L2",
      "values of atomics",
      "barriers"};
  std::vector<std::pair<std::string, double>> shares;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (k.chain_waits[i] != 0) shares.emplace_back(names[i], per(k.chain_waits[i], all));
  }
  std::ranges::stable_sort(shares,
                           [](const auto& a, const auto& b) { return a.second > b.second; });
  return shares;
}

// --- source --------------------------------------------------------------------------------------

// Lines between two counted ones that are shown; a longer gap is left out.
constexpr int longest_gap = 12;

std::string per_ideal(std::uint64_t is, std::uint64_t ideal) {
  return is == 0 ? "" : grouped(is) + " / " + grouped(ideal);
}

std::string source_row(int number, const std::string& text, const Counters* c, std::uint64_t all) {
  std::string html = c == nullptr ? "<tr>" : "<tr class=\"counted\">";
  html += "<td>" + std::to_string(number) + "</td><td><code>" + escape(text) + "</code></td>";
  if (c == nullptr) return html + "<td></td><td></td><td></td><td></td><td></td></tr>\n";
  const double share = per(c->wait_cycles(), all);
  const std::uint64_t sectors =
      c->global_load.sectors + c->global_store.sectors + c->global_atomic.sectors;
  const std::uint64_t ideal =
      c->global_load.ideal_sectors + c->global_store.ideal_sectors + c->global_atomic.ideal_sectors;
  const std::uint64_t wavefronts =
      c->shared_load.wavefronts + c->shared_store.wavefronts + c->shared_atomic.wavefronts;
  const std::uint64_t least = c->shared_load.ideal_wavefronts + c->shared_store.ideal_wavefronts +
                              c->shared_atomic.ideal_wavefronts;
  return html + "<td class=\"share whole\"><i style=\"width:" + fixed(3.2 * share, 2) +
         "rem\"></i>" + percent(share) + "</td><td class=\"whole\">" +
         grouped(c->warp_instructions()) + "</td><td class=\"whole\">" +
         fixed(per(c->active_lanes(), c->warp_instructions()), 1) + "</td><td class=\"whole\">" +
         per_ideal(sectors, ideal) + "</td><td class=\"whole\">" + per_ideal(wavefronts, least) +
         "</td></tr>\n";
}

void add_source_table(report::Page& page, const Kernel& k) {
  std::map<std::string, std::map<int, const Line*>> files;
  for (const Line& line : k.lines) {
    if (line.line > 0) files[line.file][line.line] = &line;
  }
  if (files.empty()) {
    page.paragraph("There are no line numbers: build with -lineinfo, as tandem gpu build does.");
    return;
  }
  const std::uint64_t all = k.counters.wait_cycles();
  for (const auto& [file, lines] : files) {
    const std::vector<std::string> source = source_lines(file);
    std::string html =
        "<div class=\"table source\"><table><caption>" + escape(file) +
        "</caption><thead><tr><th scope=\"col\"></th><th scope=\"col\">source</th><th "
        "scope=\"col\">time of warps</th><th scope=\"col\">instructions</th><th "
        "scope=\"col\">lanes</th><th scope=\"col\">sectors /<br>ideal</th><th "
        "scope=\"col\">wavefronts /<br>ideal</th></tr></thead><tbody>\n";
    int before = 0;
    for (const auto& [number, line] : lines) {
      if (before != 0 && number - before > longest_gap) {
        html += "<tr><td></td><td>…</td><td></td><td></td><td></td><td></td><td></td></tr>\n";
      } else if (before != 0) {
        for (int gap = before + 1; gap < number; ++gap) {
          const auto index = static_cast<std::size_t>(gap) - 1;
          html += source_row(gap, index < source.size() ? source[index] : "", nullptr, all);
        }
      }
      const auto index = static_cast<std::size_t>(number) - 1;
      html += source_row(number, index < source.size() ? source[index] : line->text,
                         &line->counters, all);
      before = number;
    }
    page.html(html + "</tbody></table></div>\n");
  }
}

// --- sections ------------------------------------------------------------------------------------

void add_kernel(report::Page& page, const Kernel& k, const DeviceModel& device, bool estimates,
                std::size_t index) {
  const Counters& c = k.counters;
  const softgpu::profile::Explanation explanation = softgpu::profile::explain(k, device);
  const Estimate& estimate = explanation.now;
  page.section(std::to_string(index), short_name(k.name));
  page.paragraph(k.name);
  std::vector<std::pair<std::string, std::string>> facts{
      {"launches", grouped(k.launches)},
      {"blocks of a launch", grouped(k.blocks())},
      {"threads of a block", grouped(k.threads())},
      {"occupancy, by " + std::string(estimate.occupancy.limiter()),
       percent(estimate.occupancy.share())},
      {k.registers_of_ptxas ? "registers (ptxas)" : "registers (from PTX)",
       std::to_string(k.registers)},
      {"instructions by warps", grouped(c.warp_instructions())},
      {"active lanes of 32", fixed(per(c.active_lanes(), c.warp_instructions()), 1)}};
  if (c.branches != 0) {
    facts.emplace_back("branches that go one way", percent(1 - per(c.divergent, c.branches)));
  }
  if (estimates) facts.emplace_back("a launch (estimate)", short_time(estimate.seconds));
  page.facts(facts);
  if (!explanation.advice.empty()) {
    const auto& first = explanation.advice.front();
    page.paragraph(first.what + " " + std::string(first.change) + " At most " +
                   fixed(first.at_most, 2) + " times as fast, by the estimate" +
                   (first.line == 0 ? "."
                                    : "; it is line " + std::to_string(first.line) + " of " +
                                          file_name(first.file) + "."));
  }
  std::vector<report::Page::Figure> figures;
  // Without flops, or with all bytes in the caches, there is no place under a roof.
  if (estimates && c.all_flops() != 0 && k.dram_read + k.dram_write != 0) {
    figures.push_back(
        {report::to_svg(roofline(k, device, estimate), "roofline-" + std::to_string(index)),
         "The kernel under the roof of " + device_name(device) +
             ": an estimate, with the bytes of the cache model."});
  }
  figures.push_back(
      {bars(wait_shares(k)),
       "What the longest warp of a block waits for (clock of the model): " +
           grouped(static_cast<std::uint64_t>(per(k.chain, k.launches * k.blocks()))) +
           " cycles a block."});
  page.figures(figures);
  std::vector<std::vector<std::string>> rows{
      {"memory", "requests", "sectors or wavefronts", "ideal", "L1 hits", "L2 hits"}};
  const auto global = [&](const char* name, const softgpu::profile::Requests& r, bool load) {
    if (r.requests == 0) return;
    rows.push_back({name, grouped(r.requests), grouped(r.sectors), grouped(r.ideal_sectors),
                    load ? percent(per(r.l1_hits, r.sectors)) : "",
                    percent(per(r.l2_hits, r.sectors - std::min(r.sectors, r.l1_hits)))});
  };
  const auto shared = [&](const char* name, const softgpu::profile::SharedRequests& r) {
    if (r.requests == 0) return;
    rows.push_back(
        {name, grouped(r.requests), grouped(r.wavefronts), grouped(r.ideal_wavefronts), "", ""});
  };
  global("global load", c.global_load, true);
  global("global store", c.global_store, false);
  global("global atomic", c.global_atomic, false);
  global("local load", c.local_load, true);
  global("local store", c.local_store, false);
  shared("shared load", c.shared_load);
  shared("shared store", c.shared_store);
  shared("shared atomic", c.shared_atomic);
  if (rows.size() > 1) page.table(rows);
  add_source_table(page, k);
}

}  // namespace

report::Page profile_page(const Profile& profile, bool estimates, const std::string& command) {
  const DeviceModel& device = device_of(profile);
  report::Page page("Profile of " + file_name(profile.program),
                    "Counted on the software GPU as " + device_name(device) +
                        ". Instructions and accesses are exact; caches, waits and times are "
                        "models, and nothing was measured on a GPU.");
  page.html(style);
  page.command(command);
  std::size_t index = 0;
  if (estimates) {
    page.section(std::to_string(++index), "Streams");
    const std::vector<Scheduled> all = softgpu::profile::schedule(profile, device);
    if (all.empty()) {
      page.paragraph("The program enqueued no work.");
    } else {
      page.figures(
          {{"<div class=\"wide\">" + report::to_svg(timeline(profile, all), "timeline") + "</div>",
            "Work by stream, at the times that the estimates give" +
                (all.size() > most_drawn ? ", the first " + grouped(most_drawn) + " of " +
                                               grouped(all.size()) + " pieces."
                                         : std::string("."))}});
    }
    std::string list = "<ul>";
    for (const std::string& one : softgpu::profile::assumptions(device)) {
      list += "<li>" + escape(one) + "</li>";
    }
    page.html(list + "</ul>\n");
  }
  for (const Kernel& kernel : profile.kernels) {
    add_kernel(page, kernel, device, estimates, ++index);
  }
  if (profile.kernels.empty()) {
    page.section(std::to_string(++index), "Kernels");
    page.paragraph("No kernel was profiled.");
  }
  page.footer(
      "Tandem " TANDEM_VERSION
      ". The command above counts the same again; docs/kernel-lab.md says by which models.");
  return page;
}

}  // namespace tandem::program
