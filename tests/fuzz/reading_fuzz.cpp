// How a file is read, as people write it and as a model remembers it: what is accepted is written
// in a form that reads back to the same, and reads files without another error than InputError.
#include <string_view>
#include <vector>

#include "read_input.hpp"
#include "tandem/core/options.hpp"

namespace {

using tandem::Reading;

// One option a line, "name=value"; behind an empty line, a file.
bool set_options(std::string_view text, Reading& reading, std::string_view& file) {
  const auto visit = [&](tandem::OptionVisitor& visitor) { reading.visit(visitor); };
  while (!text.empty() && text.front() != '\n') {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return false;
    try {
      tandem::set_option(visit, line.substr(0, equals), std::string(line.substr(equals + 1)));
    } catch (const tandem::InputError&) {
      return false;
    }
  }
  file = text.substr(std::min<std::size_t>(1, text.size()));
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tandem;
  log::set_level(log::Level::off);
  Reading reading;
  std::string_view file;
  if (!set_options({reinterpret_cast<const char*>(bytes), size}, reading, file)) return 0;
  const Archive record = record_options([&](OptionVisitor& visitor) { reading.visit(visitor); });
  Reading again;
  restore_options([&](OptionVisitor& visitor) { again.visit(visitor); }, record);
  fuzz::require(again == reading);
  ReadOptions options = fuzz::options_for("auto");
  const FormatName format = reading.format;
  options.reading = reading;
  if (format == FormatName()) options.reading.format = "csv";
  fuzz::read(reinterpret_cast<const std::uint8_t*>(file.data()), file.size(), options);
  return 0;
}
