#include "course/twins.hpp"

#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace tandem::course {
namespace {

// Threads that wait for work, so that a measurement does not count their start.
class Crew {
 public:
  explicit Crew(int threads) {
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, i] { wait_for_work(static_cast<std::size_t>(i)); });
    }
  }
  ~Crew() {
    {
      const std::scoped_lock lock(mutex_);
      ends_ = true;
      ++round_;
    }
    begin_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // body(i) for each thread, and body(the last) here.
  void run(const std::function<void(std::size_t)>& body) {
    {
      const std::scoped_lock lock(mutex_);
      body_ = &body;
      left_ = threads_.size();
      ++round_;
    }
    begin_.notify_all();
    body(threads_.size());
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return left_ == 0; });
  }

 private:
  void wait_for_work(std::size_t number) {
    std::uint64_t seen = 0;
    for (;;) {
      const std::function<void(std::size_t)>* body = nullptr;
      {
        std::unique_lock lock(mutex_);
        begin_.wait(lock, [&] { return round_ != seen; });
        seen = round_;
        if (ends_) return;
        body = body_;
      }
      (*body)(number);
      const std::scoped_lock lock(mutex_);
      if (--left_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable done_;
  const std::function<void(std::size_t)>* body_ = nullptr;
  std::uint64_t round_ = 0;
  std::size_t left_ = 0;
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

int cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

void on_all_cores(std::size_t count, std::size_t grain,
                  const std::function<void(std::size_t, std::size_t)>& body) {
  const std::size_t grains = (count + grain - 1) / grain;
  const std::size_t pieces = std::min(grains, static_cast<std::size_t>(cores()));
  if (pieces <= 1) {
    body(0, count);
    return;
  }
  static Crew crew(cores() - 1);
  crew.run([&](std::size_t i) {
    if (i >= pieces) return;
    const std::size_t begin = grains * i / pieces * grain;
    const std::size_t end = std::min(count, grains * (i + 1) / pieces * grain);
    if (begin < end) body(begin, end);
  });
}

}  // namespace tandem::course
