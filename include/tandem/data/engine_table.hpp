// The rows of a table in an engine's memory, brought there once.
#pragma once

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// While an EngineTable lives, the features, target and weights of its table stay in the engine's
// memory once anything has wanted them there, and whatever fit(), predict() or evaluate() bring
// there of them is copied inside that memory instead of crossing from the host again. Make one
// after preprocessing and keep it for as long as the rows are used:
//
//   const tandem::EngineTable<float> table(*engine, data);
//   const auto model = tandem::fit(*engine, data, tandem::KMeansOptions{.clusters = 3});
//   const auto clusters = model.predict(*engine, data.features.view()).labels;  // no second upload
//
// The host's rows must neither move nor change meanwhile. No result depends on it. It does nothing
// on the devices reference and cpu, whose memory is the host's, for sparse rows and rows with gaps,
// and where the table would take more than a third of the device's free memory: rows are then
// brought as they are needed, in pieces if they have to be.
template <Real T>
class TANDEM_API EngineTable {
 public:
  EngineTable(Engine& engine, const DatasetView<T>& data);
  EngineTable(Engine& engine, const Dataset<T>& data) : EngineTable(engine, data.view()) {}
  EngineTable(const EngineTable&) = delete;
  EngineTable& operator=(const EngineTable&) = delete;
  ~EngineTable();

 private:
  Engine& engine_;
  DatasetView<T> data_;
};

}  // namespace tandem
