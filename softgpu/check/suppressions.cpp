#include "softgpu/check/suppressions.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "softgpu/device/options.hpp"

namespace softgpu::check {
namespace {

struct Suppression {
  std::string kind;
  std::string kernel = "*";
  std::string file = "*";
};

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "softgpu: %s\n", why.c_str());
  std::fflush(nullptr);
  std::_Exit(2);
}

const std::vector<Suppression>& suppressions() {
  static const auto* const all = [] {
    auto* result = new std::vector<Suppression>;
    const std::string& path = options().check_suppress;
    if (path.empty()) return result;
    std::ifstream in(path);
    if (!in) refuse("SOFTGPU_CHECK_SUPPRESS: the file " + path + " cannot be read");
    std::string line;
    for (int number = 1; std::getline(in, line); ++number) {
      std::istringstream words(line);
      Suppression one;
      std::string more;
      if (!(words >> one.kind) || one.kind[0] == '#') continue;
      if (words >> more) one.kernel = more;
      if (words >> more) one.file = more;
      if (words >> more) {
        refuse(path + ":" + std::to_string(number) +
               ": expected KIND [KERNEL [FILE]], found a fourth word '" + more + "'");
      }
      result->push_back(one);
    }
    return result;
  }();
  return *all;
}

bool matches(const std::string& pattern, const std::string& text) {
  if (pattern == "-") return text.empty();
  return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

}  // namespace

void read_suppressions() { (void)suppressions(); }

bool is_suppressed(const std::string& kind, const std::string& kernel, const std::string& file) {
  const auto& only = options().check_only;
  if (!only.empty() && std::ranges::find(only, kind) == only.end()) return true;
  const std::string name = kernel.substr(0, kernel.find('('));
  const std::string base = file.substr(file.rfind('/') + 1);
  return std::ranges::any_of(suppressions(), [&](const Suppression& one) {
    return matches(one.kind, kind) && matches(one.kernel, name) &&
           (matches(one.file, file) || matches(one.file, base));
  });
}

}  // namespace softgpu::check
