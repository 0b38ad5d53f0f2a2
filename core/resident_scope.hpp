// EngineBackend::keep_resident() of an array of the host, as a scope.
#pragma once

#include <span>

#include "core/engine_backend.hpp"

namespace tandem {

class ResidentScope {
 public:
  // Neither the engine nor the values may end, or change, before it.
  template <class V>
  ResidentScope(Engine& engine, std::span<const V> values)
      : engine_(backend(engine)), from_host_(values.empty() ? nullptr : values.data()) {
    if (from_host_ != nullptr) engine_.keep_resident(from_host_, values.size_bytes());
  }
  ResidentScope(const ResidentScope&) = delete;
  ResidentScope& operator=(const ResidentScope&) = delete;
  ~ResidentScope() {
    if (from_host_ != nullptr) engine_.end_resident(from_host_);
  }

 private:
  EngineBackend& engine_;
  const void* from_host_;
};

}  // namespace tandem
