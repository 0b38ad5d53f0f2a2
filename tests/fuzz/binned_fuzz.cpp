// The file of rows in bins: whatever is read without an InputError can be trained from. Its
// checksums are passed by, since no mutation would get past them otherwise.
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "core/archive_front.hpp"
#include "tandem/core/error.hpp"
#include "tandem/tree/binned_dataset.hpp"

namespace {

constexpr std::size_t at_size = 40;  // of the archive in front, in its head

template <tandem::Real T>
void train_from(const tandem::Archive& archive, const tandem::SharedBytes& bins) {
  static const auto engine = tandem::Engine::create({.threads = 1});
  try {
    const auto data = tandem::BinnedDataset<T>::load(archive, bins);
    if (data.rows() * data.table.stride() > 1 << 16) return;
    const std::vector<tandem::Index> first{0};
    (void)data.representatives(first);
    tandem::GradientBoostingOptions options;
    options.rounds = 2;
    options.max_depth = 3;
    (void)fit(*engine, data, options);
  } catch (const tandem::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using tandem::SharedBytes;
  try {
    (void)tandem::load_binned<float>(SharedBytes({bytes, bytes + size}), "input");
  } catch (const tandem::InputError&) {
  }
  if (size < at_size + 8) return 0;
  std::uint64_t front = 0;
  std::memcpy(&front, bytes + at_size, sizeof front);
  if (front > size || front < 52) return 0;
  std::vector<std::uint8_t> archive(bytes, bytes + front);
  const auto crc = static_cast<std::uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), archive.data(), archive.size() - 4));
  std::memcpy(archive.data() + front - 4, &crc, sizeof crc);
  try {
    std::size_t its_size = 0;
    const auto all = tandem::decode_archive_at_front(archive, "binned table", "input", its_size);
    const auto part = all.part("binned");
    const std::size_t begin = (front + 4095) / 4096 * 4096;
    const SharedBytes bins(begin < size ? std::vector<std::uint8_t>(bytes + begin, bytes + size)
                                        : std::vector<std::uint8_t>());
    train_from<float>(part, bins);
    train_from<double>(part, bins);
  } catch (const tandem::InputError&) {
  }
  return 0;
}
