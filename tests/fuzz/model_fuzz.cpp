// The model file: whatever is read without an InputError can be shown and can predict. Length and
// checksum are put right first, since no mutation would get past them otherwise.
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <variant>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/model/pipeline.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

// CRC-32 of zlib, bit by bit.
std::uint32_t crc32_of(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

void repair(Bytes& bytes) {
  if (bytes.size() < 52) return;
  const std::uint64_t size = bytes.size();
  std::memcpy(bytes.data() + 40, &size, sizeof size);
  const std::uint32_t crc = crc32_of(std::span(bytes).first(bytes.size() - 4));
  std::memcpy(bytes.data() + bytes.size() - 4, &crc, sizeof crc);
}

template <tandem::Real T>
void use(const tandem::Pipeline<T>& model) {
  static const auto engine = tandem::Engine::create({.threads = 1});
  static const auto reference =
      tandem::Engine::create({.device = tandem::Device::reference, .threads = 1});
  (void)model.model->to_text(model.feature_names());
  (void)model.model->to_json(model.feature_names());
  (void)model.transforms.to_json();
  (void)tandem::options_to_json(model.provenance.options);
  // A model may take many features in few bytes; a row of them is no larger than the file.
  const auto columns = static_cast<tandem::Index>(model.schema.columns.size());
  if (columns > 4096 || model.model->features() > 4096) return;
  tandem::Dataset<T> data;
  data.source = "rows";
  data.columns = model.schema.columns;
  data.features = tandem::Matrix<T>(4, columns);
  for (tandem::Index j = 0; j < columns; ++j) {
    if (data.columns[static_cast<std::size_t>(j)].categorical()) continue;
    data.features(1, j) = T{1.5};
    data.features(2, j) = std::numeric_limits<T>::max();
    data.features(3, j) = std::numeric_limits<T>::lowest();
  }
  for (auto* one : {engine.get(), reference.get()}) {
    try {
      (void)model.predict(*one, data);
    } catch (const tandem::Error&) {
    }
  }
}

void load(std::span<const std::uint8_t> bytes) {
  try {
    const tandem::AnyModel model =
        tandem::model_from_archive(tandem::decode_archive(bytes, "model", "input"));
    std::visit([](const auto& trained) { use(trained); }, model);
  } catch (const tandem::InputError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  load({bytes, size});
  Bytes repaired(bytes, bytes + size);
  repair(repaired);
  load(repaired);
  return 0;
}
