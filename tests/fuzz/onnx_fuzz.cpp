// ONNX files: whatever is read without an InputError can be predicted with, saved and loaded, and
// written as ONNX again.
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include "tandem/core/error.hpp"
#include "tandem/model/onnx.hpp"

namespace {

template <tandem::Real T>
void use(const tandem::Pipeline<T>& pipeline) {
  static const auto engine = tandem::Engine::create({.threads = 1});
  const tandem::Index features = pipeline.model->features();
  if (features > 256 || pipeline.model->classes().size() > 64) return;
  tandem::Archive archive;
  pipeline.save(archive);
  const auto again = tandem::Pipeline<T>::load(archive);
  tandem::Dataset<T> rows;
  rows.source = "rows";
  rows.columns = again.schema.columns;
  rows.features = tandem::Matrix<T>(3, features);
  for (tandem::Index j = 0; j < features; ++j) {
    rows.features(1, j) = std::numeric_limits<T>::quiet_NaN();
    rows.features(2, j) = static_cast<T>(j);
  }
  try {
    (void)again.predict(*engine, rows);
    (void)to_onnx(again);
  } catch (const tandem::InputError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const auto precision : {tandem::Precision::float32, tandem::Precision::float64}) {
    try {
      std::visit([](const auto& pipeline) { use(pipeline); },
                 tandem::parse_onnx(text, "input", precision));
    } catch (const tandem::InputError&) {
    }
  }
  return 0;
}
