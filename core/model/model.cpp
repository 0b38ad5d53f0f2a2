#include "tandem/model/model.hpp"

#include "core/model/ready_by.hpp"

namespace tandem {

void TrainingLog::save(Archive& archive, std::string_view prefix) const {
  Archive part;
  part.set("iterations", iterations);
  part.set("stopped_because", stopped_because);
  part.set("converged", converged);
  for (const auto& [name, series] : history) part.set("history/" + name, series);
  archive.set_part(prefix, part);
}

TrainingLog TrainingLog::load(const Archive& archive, std::string_view prefix) {
  const Archive part = archive.part(prefix);
  TrainingLog log;
  log.iterations = part.get_int("iterations");
  log.stopped_because = part.get_string("stopped_because");
  log.converged = part.get_bool("converged");
  const Archive history = part.part("history");
  for (const auto& [name, value] : history.entries()) {
    log.history.emplace(name, history.get_doubles(name));
  }
  return log;
}

template <Real T>
std::unique_ptr<ReadyModel<T>> Model<T>::ready_on(Engine& engine) const {
  return ready_by<T>([this, &engine](MatrixView<const T> x) { return this->predict(engine, x); });
}

template <Real T>
std::map<std::string, double> Model<T>::own_metrics(Engine& /*engine*/,
                                                    MatrixView<const T> /*x*/) const {
  return {};
}

template class Model<float>;
template class Model<double>;

}  // namespace tandem
