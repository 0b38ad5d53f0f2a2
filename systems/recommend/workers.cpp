#include "systems/recommend/workers.hpp"

namespace tandem::recommend {

Workers::Workers(int threads, std::size_t queue) : most_(queue) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Workers::~Workers() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::give(const http::ExchangePtr& exchange, std::function<void()> work) {
  {
    const std::scoped_lock lock(mutex_);
    if (tasks_.size() >= most_) {
      throw http::HttpError(503, "too many questions wait for an answer; ask again later", 1);
    }
    tasks_.push_back({exchange, std::move(work)});
  }
  wake_.notify_one();
}

void Workers::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    if (task.exchange->wanted()) {
      try {
        task.work();
      } catch (...) {
        task.exchange->send(http::response_of_exception());
      }
    }
    task = {};
    lock.lock();
  }
}

}  // namespace tandem::recommend
