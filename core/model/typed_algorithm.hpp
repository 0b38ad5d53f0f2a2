// An Algorithm whose work is written once for both element types.
#pragma once

#include <memory>

#include "tandem/model/algorithm.hpp"

namespace tandem {

// Derived has, as templates on Real T,
//   Task task_of(const Dataset<T>&) const;
//   std::unique_ptr<Model<T>> fit_model(Engine&, const Dataset<T>& train,
//                                       const Dataset<T>* validation, RunControl&) const;
//   std::unique_ptr<Model<T>> load_model(const Archive&, std::type_identity<T>) const;
template <class Derived>
class TypedAlgorithm : public Algorithm {
 public:
  [[nodiscard]] Task task(const Dataset<float>& data) const final { return self().task_of(data); }
  [[nodiscard]] Task task(const Dataset<double>& data) const final { return self().task_of(data); }
  [[nodiscard]] std::unique_ptr<Model<float>> fit(Engine& engine, const Dataset<float>& train,
                                                  const Dataset<float>* validation,
                                                  RunControl& control) const final {
    return self().fit_model(engine, train, validation, control);
  }
  [[nodiscard]] std::unique_ptr<Model<double>> fit(Engine& engine, const Dataset<double>& train,
                                                   const Dataset<double>* validation,
                                                   RunControl& control) const final {
    return self().fit_model(engine, train, validation, control);
  }
  [[nodiscard]] std::unique_ptr<Model<float>> load(const Archive& archive,
                                                   std::type_identity<float> type) const final {
    return self().load_model(archive, type);
  }
  [[nodiscard]] std::unique_ptr<Model<double>> load(const Archive& archive,
                                                    std::type_identity<double> type) const final {
    return self().load_model(archive, type);
  }

 private:
  [[nodiscard]] const Derived& self() const { return static_cast<const Derived&>(*this); }
};

}  // namespace tandem
