// How a driver gets the steps of its algorithm on an engine.
//
// An algorithm's steps are an abstract class template `XyzSteps<T>` in core/<area>/xyz_steps.hpp
//
//   template <Real T> class XyzSteps {
//    public:
//     virtual ~XyzSteps() = default;
//     static constexpr std::string_view name = "xyz";
//     [[nodiscard]] static std::unique_ptr<XyzSteps> make_reference(Engine& engine);
//     [[nodiscard]] static std::unique_ptr<XyzSteps> make_cpu(Engine& engine);
//     virtual void assign(...) = 0;
//   };
//
// where make_reference is defined, and instantiated for float and double, in
// cpu/<area>/xyz_reference.cpp and make_cpu in cpu/<area>/xyz.cpp. The CUDA half exports a factory
// "xyz_float32" / "xyz_float64" of type StepsFactory from its own library.
#pragma once

#include <memory>
#include <string>

#include "core/engine_backend.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

// Returns an owning pointer to the steps' abstract class.
using StepsFactory = void* (*)(Engine& engine);

template <template <class> class Steps, class T>
[[nodiscard]] std::unique_ptr<Steps<T>> make_steps(Engine& engine) {
  switch (engine.device()) {
    case Device::reference: return Steps<T>::make_reference(engine);
    case Device::cpu: return Steps<T>::make_cpu(engine);
    case Device::cuda:
    case Device::softgpu: break;
  }
  const std::string name =
      std::string(Steps<T>::name) + "_" + std::string(to_string(precision_of<T>));
  void* factory = backend(engine).steps_factory(name);
  if (factory == nullptr) {
    throw DeviceError("the CUDA library has no steps called " + name +
                      "; it was built from another version of Tandem");
  }
  return std::unique_ptr<Steps<T>>(
      static_cast<Steps<T>*>(reinterpret_cast<StepsFactory>(factory)(engine)));
}

}  // namespace tandem
