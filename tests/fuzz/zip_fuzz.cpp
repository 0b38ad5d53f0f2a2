// Archives of any bytes: the one text file in them, or what is wrong.
#include "read_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tandem;
  log::set_level(log::Level::off);
  try {
    const auto text = text_in_zip(Input::memory("input", {bytes, size}));
    if (text) {
      const auto source = text->open();
      std::string window(1 << 14, '\0');
      for (int k = 0; k < 1024 && source->read(window.data(), window.size()) > 0; ++k) {
      }
    }
  } catch (const InputError&) {
  }
  fuzz::read(bytes, size, fuzz::options_for("auto"));
  fuzz::read(bytes, size, fuzz::options_for("npz"));
  return 0;
}
