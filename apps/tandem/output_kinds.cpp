#include "tandem/output_kinds.hpp"

#include <sys/xattr.h>

#include <array>
#include <fstream>
#include <string_view>
#include <utility>

namespace tandem::program {
namespace {

constexpr const char* kind_name = "user.tandem.kind";

std::string first_line(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 256> head{};
  file.read(head.data(), head.size());
  const std::string text(head.data(), static_cast<std::size_t>(file.gcount()));
  return text.substr(0, text.find('\n'));
}

}  // namespace

void mark_output_as(const std::string& path, const std::string& what) {
  if (path.empty() || path == "-") return;
  // The kind first: mark_output() notes the time of the last change.
  (void)::setxattr(path.c_str(), kind_name, what.data(), what.size(), 0);
  mark_output(path);
}

void add_marked_output(OutputFiles& files, std::string name, const std::string& path,
                       const std::string& what) {
  const MayReplace marked = a_marked_output();
  files.writes(std::move(name), path, what + ", " + written_kind,
               [marked, what](const std::string& file) {
                 std::array<char, 128> kind{};
                 const ssize_t size = ::getxattr(file.c_str(), kind_name, kind.data(), kind.size());
                 return size > 0 && marked(file) &&
                        std::string_view(kind.data(), static_cast<std::size_t>(size)) == what;
               });
}

MayReplace a_model_card() {
  return
      [](const std::string& path) { return first_line(path) == "# Model card: transaction fraud"; };
}

MayReplace a_manual_page() {
  return [](const std::string& path) {
    const std::string line = first_line(path);
    return line.starts_with(".TH \"TANDEM") && line.find(" \"Tandem ") != std::string::npos;
  };
}

}  // namespace tandem::program
