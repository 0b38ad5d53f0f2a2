// env: SOFTGPU_FAULT_STATUS=86
// run: child
// run: children
//
// Programs that end without their handlers: the status is what `tandem gpu run` asks for all the
// same, in the process whose kernel faulted and in no other.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>

#include "check.cuh"

__global__ void out_of_bounds(int* a) { a[threadIdx.x + 1000000] = 1; }
__global__ void fine(int* a) { a[threadIdx.x] = 1; }

void fault() {
  int* a;
  cudaMalloc(&a, 4);
  out_of_bounds<<<1, 32>>>(a);
  cudaDeviceSynchronize();
}
void no_fault() {
  int* a;
  cudaMalloc(&a, 32 * sizeof(int));
  fine<<<1, 32>>>(a);
  cudaDeviceSynchronize();
}
struct ExitAtDestruction {
  ~ExitAtDestruction() { std::exit(0); }
};
struct LeaveAtDestruction {
  ~LeaveAtDestruction() { _exit(0); }
};

// The status of a child that does this, or minus the signal that ended it.
int child(const std::function<void()>& work) {
  std::fflush(stdout);
  const pid_t id = fork();
  if (id == 0) {
    std::freopen("/dev/null", "w", stderr);
    work();
    std::exit(0);
  }
  int status = 0;
  waitpid(id, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "child") {
    // Before this process has called anything of CUDA.
    CHECK(child([] { fault(); }) == 86);
    CHECK(child([] { no_fault(); }) == 0);
    CHECK(child([] { fault(), std::exit(0); }) == 86);
    CHECK(child([] { fault(), std::exit(5); }) == 5);
    CHECK(child([] { fault(), _exit(0); }) == 86);
    CHECK(child([] { fault(), _exit(5); }) == 5);
    CHECK(child([] { no_fault(), _exit(0); }) == 0);
    CHECK(child([] { fault(), std::_Exit(0); }) == 86);
    CHECK(child([] { fault(), std::quick_exit(0); }) == 86);
    CHECK(child([] { fault(), std::quick_exit(5); }) == 5);
    CHECK(child([] { fault(), std::abort(); }) == -SIGABRT);
    CHECK(child([] { fault(), std::raise(SIGTERM); }) == -SIGTERM);
    CHECK(child([] {
            const ExitAtDestruction last;
            fault();
          }) == 86);
    CHECK(child([] {
            static LeaveAtDestruction last;
            fault();
          }) == 86);
    CHECK(child([] {
            try {
              fault();
              throw std::runtime_error("x");
            } catch (const std::exception&) {
            }
          }) == 86);
    CHECK(child([] { std::atexit(fault); }) == 86);
  } else if (mode == "children") {
    // The status of a process whose own kernel has faulted, which nothing else tells.
    const int status = child([] {
      fault();
      std::_Exit(child([] {}) == 0 && child([] { _exit(0); }) == 0 &&
                         child([] { _exit(3); }) == 3 && system("true") == 0
                     ? 7
                     : 8);
    });
    CHECK_AT(status == 7, "%d", status);
  }
  return verdict();
}
