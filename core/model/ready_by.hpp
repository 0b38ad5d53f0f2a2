// A ReadyModel made of a function.
#pragma once

#include <memory>
#include <utility>

#include "tandem/model/model.hpp"

namespace tandem {

// predict(x) of the result is predict(x) of the function, which keeps what it needs.
template <Real T, class F>
[[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_by(F predict) {
  class ReadyBy final : public ReadyModel<T> {
   public:
    explicit ReadyBy(F predict) : predict_(std::move(predict)) {}
    [[nodiscard]] Predictions<T> predict(MatrixView<const T> x) override { return predict_(x); }

   private:
    F predict_;
  };
  return std::make_unique<ReadyBy>(std::move(predict));
}

}  // namespace tandem
