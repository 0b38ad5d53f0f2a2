// A thread for requests that read files or databases, so that no connection waits for them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "systems/http/message.hpp"

namespace tandem::http {

class Background {
 public:
  Background();
  // Does what was given to it.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Answers with what `work` returns or throws, one after the other. Throws HttpError with 503
  // where too many wait.
  void answer(const ExchangePtr& exchange, std::function<Response()> work);

 private:
  struct Task {
    ExchangePtr exchange;
    std::function<Response()> work;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tandem::http
