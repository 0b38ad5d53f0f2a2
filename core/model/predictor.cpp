#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "tandem/model/model.hpp"

namespace tandem {

template <Real T>
struct Predictor<T>::Shared {
  std::shared_ptr<const Model<T>> model;
  EngineOptions options;
  std::mutex mutex;
  std::vector<std::unique_ptr<Engine>> idle;  // engines that no call uses just now
};

namespace {

// An engine for the time of a call. One that a call failed on is not used again: what is left in
// its queue is unknown.
template <class Shared>
class Borrowed {
 public:
  explicit Borrowed(Shared& from) : from_(from), exceptions_(std::uncaught_exceptions()) {
    {
      const std::lock_guard<std::mutex> lock(from_.mutex);
      if (!from_.idle.empty()) {
        engine_ = std::move(from_.idle.back());
        from_.idle.pop_back();
      }
    }
    if (!engine_) engine_ = Engine::create(from_.options);
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    if (std::uncaught_exceptions() > exceptions_) return;
    const std::lock_guard<std::mutex> lock(from_.mutex);
    try {
      from_.idle.push_back(std::move(engine_));
    } catch (const std::bad_alloc&) {
      // The next call makes one anew.
    }
  }
  [[nodiscard]] Engine& engine() noexcept { return *engine_; }

 private:
  Shared& from_;
  int exceptions_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace

template <Real T>
Predictor<T>::Predictor(std::shared_ptr<const Model<T>> model, const Engine& engine)
    : shared_(std::make_shared<Shared>()) {
  shared_->model = std::move(model);
  shared_->options = engine.options();
}

template <Real T>
Predictions<T> Predictor<T>::predict(MatrixView<const T> x) const {
  Borrowed<Shared> borrowed(*shared_);
  return shared_->model->predict(borrowed.engine(), x);
}

template <Real T>
Predictions<T> Predictor<T>::predict(const DatasetView<T>& data) const {
  require_dense(data, shared_->model->algorithm());
  return predict(data.features);
}

template <Real T>
const Model<T>& Predictor<T>::model() const noexcept {
  return *shared_->model;
}

template class Predictor<float>;
template class Predictor<double>;

}  // namespace tandem
