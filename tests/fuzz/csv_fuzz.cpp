// The first byte chooses options, the rest is the file.
#include "read_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tandem;
  if (size == 0) return 0;
  const unsigned choice = bytes[0];
  ReadOptions options = fuzz::options_for((choice & 1) != 0 ? "tsv" : "csv");
  static const Schema schema = [] {
    Schema made;
    made.columns = {{"a", {}}, {"b", {"x", "y"}}};
    made.target = {"c", {"no", "yes"}};
    return made;
  }();
  switch ((choice >> 1) & 7) {
    case 1: options.target = "last"; break;
    case 2: options.target = "0"; break;
    case 3: options.schema = &schema; break;
    case 4: options.reading.header = HeaderChoice::yes; break;
    case 5:
      options.reading.header = HeaderChoice::no;
      options.weights = "0";
      break;
    case 6: options.ignore = {"1"}; break;
    default: break;
  }
  fuzz::read(bytes + 1, size - 1, options);
  return 0;
}
