// Threads for large work: a few sleeping workers, woken for a job and never spun. BLIS's own
// threads wait for each other in loops, which stalls for whole time slices where cores are shared.
#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "softgpu/blas/library.hpp"

namespace softgpu::blas {
namespace {

int cores() {
  static const int count = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    int available = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) available = CPU_COUNT(&set);
    if (const char* limit = std::getenv("SOFTGPU_THREADS"); limit != nullptr) {
      const long wanted = std::strtol(limit, nullptr, 10);
      if (wanted >= 1 && wanted < available) available = static_cast<int>(wanted);
    }
    return std::max(1, available);
  }();
  return count;
}

// Parts of one job are taken one by one by whoever is free, its owner among them; so a job ends
// even where no worker ever comes (after a fork there are none).
struct Job {
  const std::function<void(std::int64_t)>* body = nullptr;
  std::int64_t parts = 0;
  int helpers = 0;  // workers that may still join
  std::int64_t next = 0;
  std::int64_t running = 0;
  std::exception_ptr failure;
  std::condition_variable finished;
};

class Workers {
 public:
  void run(std::int64_t parts, int threads, const std::function<void(std::int64_t)>& body) {
    const auto job = std::make_shared<Job>();
    job->body = &body;
    job->parts = parts;
    job->helpers = threads - 1;
    std::unique_lock lock(mutex_);
    grow(threads - 1);
    jobs_.push_back(job);
    if (threads > 2) {
      wake_.notify_all();
    } else {
      wake_.notify_one();
    }
    take_parts(*job, lock);
    jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), job), jobs_.end());
    job->finished.wait(lock, [&] { return job->running == 0; });
    if (job->failure) std::rethrow_exception(job->failure);
  }

 private:
  // Runs parts until none is left; the lock is held on entry and on return. After a failure the
  // parts that no thread has begun are dropped.
  static void take_parts(Job& job, std::unique_lock<std::mutex>& lock) {
    while (job.next < job.parts) {
      const std::int64_t part = job.next++;
      ++job.running;
      lock.unlock();
      std::exception_ptr failure;
      try {
        (*job.body)(part);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      --job.running;
      if (failure) {
        job.failure = failure;
        job.next = job.parts;
      }
    }
    if (job.running == 0) job.finished.notify_all();
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      std::shared_ptr<Job> job;
      wake_.wait(lock, [&] {
        const auto open = std::find_if(jobs_.begin(), jobs_.end(), [](const auto& candidate) {
          return candidate->helpers > 0 && candidate->next < candidate->parts;
        });
        if (open == jobs_.end()) return false;
        job = *open;
        return true;
      });
      --job->helpers;
      take_parts(*job, lock);
    }
  }

  void grow(int wanted) {
    for (; started_ < std::min(wanted, cores() - 1); ++started_) {
      try {
        std::thread([this] { work(); }).detach();
      } catch (const std::system_error&) {
        return;  // fewer threads, the same result
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  int started_ = 0;
};

// Never destroyed: workers sleep in it until the process ends.
Workers& workers() {
  static auto* instance = new Workers;
  return *instance;
}

// Set while this thread runs a part: parts do not split again.
thread_local bool inside_part = false;

}  // namespace

int threads_for(double operations) {
  // Half a million operations are about 20 us of one core: what waking the others costs.
  const double useful = operations / 5e5;
  if (useful < 2) return 1;
  return useful >= cores() ? cores() : static_cast<int>(useful);
}

void parallel_parts(std::int64_t parts, int threads,
                    const std::function<void(std::int64_t)>& body) {
  const int useful = static_cast<int>(std::min<std::int64_t>(parts, threads));
  if (useful <= 1 || inside_part) {
    for (std::int64_t part = 0; part < parts; ++part) body(part);
    return;
  }
  workers().run(parts, useful, [&](std::int64_t part) {
    struct Inside {
      Inside() { inside_part = true; }
      ~Inside() { inside_part = false; }
    } const inside;
    body(part);
  });
}

void parallel_for(std::int64_t n, int threads,
                  const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (n <= 0) return;
  const std::int64_t parts = std::min<std::int64_t>(n, threads);
  if (parts <= 1) return body(0, n);
  parallel_parts(parts, threads,
                 [&](std::int64_t part) { body(n * part / parts, n * (part + 1) / parts); });
}

}  // namespace softgpu::blas
