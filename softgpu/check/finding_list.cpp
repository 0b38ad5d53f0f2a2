#include "softgpu/check/finding_list.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "softgpu/check/explanations.hpp"
#include "softgpu/exec/replace_file.hpp"

namespace softgpu::check {
namespace {

using Json = nlohmann::ordered_json;

// Control characters of names and paths are shown, not obeyed.
std::string printable(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      result += c;
      continue;
    }
    std::array<char, 8> code{};
    (void)std::snprintf(code.data(), code.size(), "\\x%02x", byte);
    result += code.data();
  }
  return result;
}

void print_site(const Site& site) {
  std::string text = "    " + site.what;
  if (!site.text.empty()) text += " at " + site.text;
  if (!site.thread.empty()) text += ", by " + site.thread;
  std::fprintf(stderr, "%s\n", printable(text).c_str());
}

Json to_json(const Site& site) {
  if (site.what.empty()) return nullptr;
  return {{"what", site.what},
          {"file", site.file.empty() ? Json() : Json(site.file)},
          {"line", site.line > 0 ? Json(site.line) : Json()},
          {"place", site.text},
          {"thread", site.thread}};
}

Site site_from(const Json& json) {
  Site site;
  if (json.is_null()) return site;
  site.what = json.at("what").get<std::string>();
  if (json.at("file").is_string()) site.file = json.at("file").get<std::string>();
  if (json.at("line").is_number()) site.line = json.at("line").get<int>();
  site.text = json.at("place").get<std::string>();
  site.thread = json.at("thread").get<std::string>();
  return site;
}

FindingGroup group_from(const Json& json) {
  FindingGroup group;
  group.is_new = false;
  group.of_this_run = false;
  Finding& finding = group.finding;
  const auto name = json.at("kind").get<std::string>();
  const auto kind = kind_of(name);
  if (!kind) throw std::runtime_error("there is no kind '" + name + "'");
  finding.kind = *kind;
  finding.notice = json.at("severity") == "notice";
  finding.message = json.at("message").get<std::string>();
  finding.kernel = json.at("kernel").get<std::string>();
  finding.launch = json.at("launch").get<std::uint64_t>();
  finding.memory = json.at("memory").get<std::string>();
  finding.at = site_from(json.at("at"));
  finding.other = site_from(json.at("other"));
  finding.seed = json.at("seed").get<std::uint64_t>();
  group.times = json.at("times").get<std::uint64_t>();
  group.schedules = json.at("schedules").get<std::uint64_t>();
  return group;
}

}  // namespace

Json json_of(const FindingList& list) {
  auto findings = Json::array();
  std::size_t errors = 0;
  for (const FindingGroup& group : list.groups) {
    const Finding& f = group.finding;
    const Explanation& e = explanation_of(f.kind);
    errors += f.notice ? 0 : 1;
    findings.push_back({{"kind", e.name},
                        {"severity", f.notice ? "notice" : "error"},
                        {"message", f.message},
                        {"kernel", f.kernel},
                        {"launch", f.launch},
                        {"memory", f.memory},
                        {"at", to_json(f.at)},
                        {"other", to_json(f.other)},
                        {"times", group.times},
                        {"seed", f.seed},
                        {"schedules", group.schedules},
                        {"why", e.why},
                        {"mend", e.mend}});
  }
  return {{"errors", errors},
          {"notices", list.groups.size() - errors},
          {"not_kept", list.not_kept},
          {"schedules", list.schedules},
          {"findings", std::move(findings)}};
}

FindingList read_findings(const std::string& path) {
  FindingList list;
  try {
    std::ifstream in(path);
    if (!in) throw std::runtime_error("it cannot be opened");
    const Json json = Json::parse(in);
    list.not_kept = json.at("not_kept").get<std::uint64_t>();
    list.schedules = json.at("schedules").get<std::uint64_t>();
    for (const Json& one : json.at("findings")) list.groups.push_back(group_from(one));
  } catch (const std::exception& error) {
    throw std::runtime_error(path + " is no list of findings: " + error.what());
  }
  return list;
}

bool write_findings(const std::string& path, const Json& json) {
  // Names that are no UTF-8 are shown with replacements instead of being refused.
  if (replace_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n")) {
    return true;
  }
  std::fprintf(stderr, "softgpu: the findings cannot be written to %s\n", path.c_str());
  return false;
}

void print(const FindingGroup& group, std::size_t number) {
  const Finding& f = group.finding;
  const Explanation& e = explanation_of(f.kind);
  std::string where = f.kernel.empty() ? "" : " in " + f.kernel;
  if (f.launch != 0) where += ", launch " + std::to_string(f.launch);
  std::fprintf(stderr, "softgpu check: %s %zu: %s%s\n", f.notice ? "notice" : "finding", number,
               e.title, printable(where).c_str());
  std::fprintf(stderr, "    %s\n", printable(f.message).c_str());
  print_site(f.at);
  if (!f.other.what.empty()) print_site(f.other);
  if (!f.memory.empty()) std::fprintf(stderr, "    memory: %s\n", printable(f.memory).c_str());
  if (group.times > 1) {
    std::fprintf(stderr, "    %llu times\n", static_cast<unsigned long long>(group.times));
  }
  std::fprintf(stderr, "    %s\n", e.why);
  if (*e.mend != '\0') std::fprintf(stderr, "    %s\n", e.mend);
  if (f.seed != 0) {
    std::fprintf(stderr, "    found with --schedule-seed %llu\n",
                 static_cast<unsigned long long>(f.seed));
  }
}

}  // namespace softgpu::check
