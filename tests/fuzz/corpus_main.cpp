// In libFuzzer's place where there is none: gives a fuzz target the empty input and every file of
// the folder that the argument names. A seed that breaks a promise ends the program, as it would
// end the fuzzer; the last line printed names it.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: " << arguments[0] << " FOLDER\n";
    return 2;
  }
  std::vector<std::filesystem::path> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) {
    if (entry.is_regular_file()) seeds.push_back(entry.path());
  }
  std::sort(seeds.begin(), seeds.end());
  if (seeds.empty()) {
    std::cerr << arguments[1] << " holds no seeds\n";
    return 1;
  }
  std::cout << "the empty input" << std::endl;
  const std::uint8_t none = 0;
  LLVMFuzzerTestOneInput(&none, 0);
  for (const auto& seed : seeds) {
    std::cout << seed.string() << std::endl;
    std::ifstream file(seed, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    if (!file) {
      std::cerr << seed << " cannot be read\n";
      return 1;
    }
    // A copy of exactly the file's size, so that the address sanitizer sees a read past its end.
    const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}
