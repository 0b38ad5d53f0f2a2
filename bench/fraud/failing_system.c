// A system that fails, for a process that loads this before the C library. While the file that
// FAILING_DISK names holds "sync", fdatasync and fsync fail with EIO; while it holds "full", writes
// to regular files fail with ENOSPC after half of their bytes. The file that STEPPED_CLOCK names
// holds seconds by which the clock of the day is wrong. Nothing else changes.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int word_of(const char* variable, char* text, size_t size) {
  const char* path = getenv(variable);
  if (path == NULL) return 0;
  const int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
  if (file < 0) return 0;
  memset(text, 0, size);
  const long count = syscall(SYS_read, file, text, size - 1);
  syscall(SYS_close, file);
  return count > 0;
}

static int failing(const char* what) {
  char text[8];
  return word_of("FAILING_DISK", text, sizeof text) && strncmp(text, what, 4) == 0;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int status = (int)syscall(SYS_clock_gettime, clock, now);
  char text[24];
  if (status == 0 && clock == CLOCK_REALTIME && word_of("STEPPED_CLOCK", text, sizeof text)) {
    now->tv_sec += atol(text);
  }
  return status;
}

static int regular(int file) {
  struct stat about;
  return fstat(file, &about) == 0 && S_ISREG(about.st_mode);
}

int fdatasync(int file) {
  if (failing("sync")) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) {
  if (failing("sync")) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_fsync, file);
}

ssize_t write(int file, const void* bytes, size_t count) {
  if (regular(file) && failing("full")) {
    if (count > 1) return syscall(SYS_write, file, bytes, count / 2);
    errno = ENOSPC;
    return -1;
  }
  return syscall(SYS_write, file, bytes, count);
}
