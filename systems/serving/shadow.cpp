#include "systems/serving/shadow.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace tandem::serving {
namespace {

// Of an answer, in its own units: a probability or a value.
const std::vector<double>& difference_bounds() {
  static const std::vector<double> bounds{0,   1e-9, 1e-6, 1e-4, 0.001, 0.01, 0.05,
                                          0.1, 0.25, 0.5,  1,    10,    100,  1000};
  return bounds;
}

struct Difference {
  bool other_answer = false;
  double size = 0;
};

template <Real T>
Difference difference_of(const Predictions<T>& a, const Predictions<T>& b, std::size_t row) {
  Difference found;
  if (!a.labels.empty()) found.other_answer = a.labels[row] != b.labels[row];
  const auto compare = [&](T x, T y) {
    if (x == y || (std::isnan(x) && std::isnan(y))) return;
    const double size = std::abs(static_cast<double>(x) - static_cast<double>(y));
    found.size =
        std::max(found.size, std::isnan(size) ? std::numeric_limits<double>::infinity() : size);
    if (a.labels.empty()) found.other_answer = true;
  };
  if (!a.values.empty()) compare(a.values[row], b.values[row]);
  if (!a.probabilities.empty()) {
    const auto p = a.probabilities.row(static_cast<Index>(row));
    const auto q = b.probabilities.row(static_cast<Index>(row));
    for (std::size_t k = 0; k < p.size(); ++k) compare(p[k], q[k]);
  }
  return found;
}

template <Real T>
void translate(const ServedModel& to, const ServedModel& from, Rows& rows) {
  auto& values = rows.of<T>();
  const auto& before = from.schema().columns;
  const std::size_t width = before.size();
  for (std::size_t j = 0; j < width; ++j) {
    const auto& names = before[j].categories;
    if (!before[j].categorical() || names == to.schema().columns[j].categories) continue;
    std::vector<T> codes;
    for (const std::string& name : names) {
      const Index code = to.category(static_cast<Index>(j), name);
      codes.push_back(code < 0 ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(code));
    }
    for (std::size_t i = j; i < values.size(); i += width) {
      if (!std::isnan(values[i])) values[i] = codes[static_cast<std::size_t>(values[i])];
    }
  }
}

}  // namespace

Rows rows_for(const ServedModel& to, const ServedModel& from, Rows rows) {
  translate<float>(to, from, rows);
  translate<double>(to, from, rows);
  return rows;
}

Shadows::Shadows(http::Metrics& metrics, http::Log& log)
    : metrics_(metrics), log_(log), thread_([this] { run(); }) {}

Shadows::~Shadows() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Shadows::Compared& Shadows::of(const ShadowTask& task) {
  Compared& found =
      compared_[{task.production->name(), task.shadow->version(), task.production->version()}];
  if (found.rows == nullptr) {
    const http::Labels labels{{"model", task.production->name()},
                              {"version", task.shadow->version_text()},
                              {"against", task.production->version_text()}};
    found.rows =
        &metrics_.counter("tandem_shadow_rows_total",
                          "Rows that a shadow was asked too, and that were compared", labels);
    found.different = &metrics_.counter(
        "tandem_shadow_different_total",
        "Rows that the shadow would have answered otherwise: another label, or another value",
        labels);
    found.shed =
        &metrics_.counter("tandem_shadow_shed_total",
                          "Rows that the shadow was not asked, because too many waited", labels);
    found.failed =
        &metrics_.counter("tandem_shadow_failed_total", "Requests that the shadow failed", labels);
    found.duration = &metrics_.histogram("tandem_shadow_duration_seconds",
                                         "Time that the shadow takes for the rows of a request",
                                         http::latency_bounds(), labels);
    found.difference = &metrics_.histogram(
        "tandem_shadow_difference",
        "Largest difference of a row's probabilities or values from those of production",
        difference_bounds(), labels);
  }
  return found;
}

bool Shadows::offer(ShadowTask task) {
  {
    const std::lock_guard lock(mutex_);
    Compared& compared = of(task);
    if (waiting_ + task.rows.count > most_rows) {
      compared.shed->add(static_cast<std::uint64_t>(task.rows.count));
      return false;
    }
    waiting_ += task.rows.count;
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void Shadows::compare(ShadowTask& task) {
  Compared* compared = nullptr;
  {
    const std::lock_guard lock(mutex_);
    compared = &of(task);  // stays where it is
  }
  try {
    const auto begin = std::chrono::steady_clock::now();
    const Rows rows = rows_for(*task.shadow, *task.production, std::move(task.rows));
    const Answers answers = task.shadow->predict(rows);
    compared->duration->observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    double largest = 0;
    std::visit(
        [&]<Real T>(const Predictions<T>& said) {
          const auto& expected = std::get<Predictions<T>>(task.answers);
          for (Index i = 0; i < rows.count; ++i) {
            const Difference one = difference_of(expected, said, static_cast<std::size_t>(i));
            compared->rows->add();
            if (one.other_answer) compared->different->add();
            compared->difference->observe(one.size);
            largest = std::max(largest, one.size);
          }
        },
        answers);
    const std::lock_guard lock(mutex_);
    compared->largest = std::max(compared->largest, largest);
  } catch (const std::exception& error) {
    compared->failed->add();
    if (compared->failed->value() == 1) {
      log_.write(http::LogLevel::warning, "a shadow fails",
                 {{"model", std::string_view(task.shadow->name())},
                  {"version", task.shadow->version()},
                  {"error", std::string_view(error.what())}});
    }
  }
}

void Shadows::run() {
  // Of this thread alone, as Linux has it. Where it is refused, the queue's bound is what is left.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19);
  for (;;) {
    ShadowTask task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    const Index rows = task.rows.count;
    compare(task);
    const std::lock_guard lock(mutex_);
    waiting_ -= rows;
  }
}

nlohmann::json Shadows::to_json() const {
  const std::lock_guard lock(mutex_);
  nlohmann::json all = nlohmann::json::array();
  for (const auto& [key, one] : compared_) {
    const auto rows = static_cast<double>(one.rows->value());
    const auto asked = static_cast<double>(one.duration->count());
    all.push_back({{"model", key.model},
                   {"version", key.version},
                   {"against", key.against},
                   {"rows", one.rows->value()},
                   {"shed", one.shed->value()},
                   {"failed", one.failed->value()},
                   {"different", one.different->value()},
                   {"mean_difference", rows > 0 ? one.difference->sum() / rows : 0},
                   {"largest_difference", one.largest},
                   {"mean_seconds", asked > 0 ? one.duration->sum() / asked : 0}});
  }
  return all;
}

}  // namespace tandem::serving
