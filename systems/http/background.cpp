#include "systems/http/background.hpp"

namespace tandem::http {
namespace {

constexpr std::size_t most_waiting = 256;

}  // namespace

Background::Background() : thread_([this] { run(); }) {}

Background::~Background() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Background::answer(const ExchangePtr& exchange, std::function<Response()> work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (tasks_.size() >= most_waiting) {
      throw HttpError(503, "too many requests of this kind wait", 1);
    }
    tasks_.push_back({exchange, std::move(work)});
  }
  wake_.notify_one();
}

void Background::run() {
  for (;;) {
    Task task;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    try {
      task.exchange->send(task.work());
    } catch (...) {
      task.exchange->send(response_of_exception());
    }
  }
}

}  // namespace tandem::http
