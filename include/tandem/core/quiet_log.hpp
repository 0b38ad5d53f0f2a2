// Silence for a while, on one thread.
#pragma once

#include "tandem/core/export.hpp"
#include "tandem/core/log.hpp"

namespace tandem::log {

// While it lives, messages of the calling thread that are below `least` are not written, whatever
// the level is. Other threads are not concerned, and the level stays what it is.
class TANDEM_API QuietThread {
 public:
  explicit QuietThread(Level least = Level::off) noexcept;
  QuietThread(const QuietThread&) = delete;
  QuietThread& operator=(const QuietThread&) = delete;
  ~QuietThread();

 private:
  Level outer_;
};

}  // namespace tandem::log
