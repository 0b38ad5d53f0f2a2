#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tandem/model/model.hpp"

namespace tandem {

template <Real T>
struct Predictor<T>::Shared {
  std::shared_ptr<const Model<T>> model;
  EngineOptions options;
  // An engine with the model in its memory.
  struct Place {
    std::unique_ptr<Engine> engine;
    std::unique_ptr<ReadyModel<T>> ready;  // destroyed before its engine
  };
  std::mutex mutex;
  std::vector<Place> idle;  // those that no call uses just now
};

namespace {

// A place for the time of a call. One that a call failed on is used again only where its queue has
// come to its end without an error: rows that are refused cost no engine.
template <class Shared>
class Borrowed {
 public:
  explicit Borrowed(Shared& from) : from_(from), exceptions_(std::uncaught_exceptions()) {
    {
      const std::lock_guard<std::mutex> lock(from_.mutex);
      if (!from_.idle.empty()) {
        place_ = std::move(from_.idle.back());
        from_.idle.pop_back();
      }
    }
    if (!place_.engine) place_.engine = Engine::create(from_.options);
    if (!place_.ready) place_.ready = from_.model->ready_on(*place_.engine);
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  ~Borrowed() {
    try {
      if (std::uncaught_exceptions() > exceptions_) place_.engine->wait();
      const std::lock_guard<std::mutex> lock(from_.mutex);
      from_.idle.push_back(std::move(place_));
    } catch (const std::exception&) {
      // The next call makes one anew.
    }
  }
  [[nodiscard]] auto& model() noexcept { return *place_.ready; }

 private:
  Shared& from_;
  int exceptions_;
  typename Shared::Place place_;
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
  return borrowed.model().predict(x);
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
