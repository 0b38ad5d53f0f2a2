#include "tandem/data/engine_table.hpp"

#include <span>

#include "core/engine_backend.hpp"

namespace tandem {
namespace {

// Calls f(memory, bytes) for each of the table's arrays that has no gaps.
template <Real T, class F>
void for_each_array(const DatasetView<T>& data, F&& f) {
  const auto array = [&](const T* memory, std::size_t count) {
    if (count > 0) f(static_cast<const void*>(memory), count * sizeof(T));
  };
  if (!data.is_sparse() && data.features.contiguous()) {
    array(data.features.data, static_cast<std::size_t>(data.features.rows) *
                                  static_cast<std::size_t>(data.features.cols));
  }
  array(data.target.data(), data.target.size());
  array(data.weights.data(), data.weights.size());
}

}  // namespace

template <Real T>
EngineTable<T>::EngineTable(Engine& engine, const DatasetView<T>& data)
    : engine_(engine), data_(data) {
  for_each_array(data_, [&](const void* memory, std::size_t bytes) {
    backend(engine_).keep_resident(memory, bytes);
  });
}

template <Real T>
EngineTable<T>::~EngineTable() {
  for_each_array(data_,
                 [&](const void* memory, std::size_t) { backend(engine_).end_resident(memory); });
}

template class EngineTable<float>;
template class EngineTable<double>;

}  // namespace tandem
