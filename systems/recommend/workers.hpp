// Threads that work out answers, and a queue in front of them that does not grow without end.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "systems/http/message.hpp"

namespace tandem::recommend {

class Workers {
 public:
  Workers(int threads, std::size_t queue);
  // Does what was given to it.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // `work` is called by one of the threads, and may leave the exchange to somebody else; what it
  // throws becomes the answer. Left out where the client has gone. Throws HttpError with 503 where
  // the queue is full.
  void give(const http::ExchangePtr& exchange, std::function<void()> work);

 private:
  struct Task {
    http::ExchangePtr exchange;
    std::function<void()> work;
  };
  void run();

  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tandem::recommend
