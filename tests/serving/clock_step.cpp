// Loaded before a program's libraries (LD_PRELOAD), it has the wall clock step: the time of day is
// the machine's plus the nanoseconds that the file TANDEM_CLOCK_STEP holds, 8 bytes, at the moment.
// The steady clock stays as it is, as it does where somebody sets a machine's clock.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t per_second = 1'000'000'000;

const volatile std::int64_t* map_step() {
  const char* path = std::getenv("TANDEM_CLOCK_STEP");
  if (path == nullptr) return nullptr;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* mapped = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, file, 0);
  ::close(file);
  return mapped == MAP_FAILED ? nullptr : static_cast<const volatile std::int64_t*>(mapped);
}

std::int64_t step() {
  static const volatile std::int64_t* const mapped = map_step();
  return mapped == nullptr ? 0 : *mapped;
}

using ClockGettime = int (*)(clockid_t, timespec*);

int true_time(clockid_t clock, timespec* time) {
  static const auto of_libc = reinterpret_cast<ClockGettime>(::dlsym(RTLD_NEXT, "clock_gettime"));
  return of_libc(clock, time);
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) {
  const int status = true_time(clock, time);
  if (status != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return status;
  const std::int64_t now =
      std::int64_t{time->tv_sec} * per_second + std::int64_t{time->tv_nsec} + step();
  time->tv_sec = static_cast<time_t>(now / per_second);
  time->tv_nsec = static_cast<long>(now % per_second);
  return 0;
}

extern "C" time_t time(time_t* result) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}

extern "C" int gettimeofday(timeval* result, void* /*zone*/) noexcept {
  timespec now{};
  const int status = clock_gettime(CLOCK_REALTIME, &now);
  result->tv_sec = now.tv_sec;
  result->tv_usec = now.tv_nsec / 1000;
  return status;
}
