// Output of kernels: formats, the order within a thread, nothing lost, and when it appears.
#include <unistd.h>
#include <algorithm>
#include <string>
#include <vector>

#include "check.cuh"

// Catches standard output from its making to text().
class Capture {
 public:
  Capture() {
    std::fflush(stdout);
    saved_ = dup(1);
    file_ = std::tmpfile();
    dup2(fileno(file_), 1);
  }
  std::string text() {
    std::fflush(stdout);
    dup2(saved_, 1);
    close(saved_);
    std::string result;
    std::rewind(file_);
    for (int c = std::fgetc(file_); c != EOF; c = std::fgetc(file_)) {
      result += static_cast<char>(c);
    }
    std::fclose(file_);
    return result;
  }

 private:
  int saved_ = -1;
  std::FILE* file_ = nullptr;
};

__global__ void formats(const char* name, float f, double d, long long big, void* pointer) {
  printf("plain\n");
  printf("%d %i %u %x %X %o\n", -5, 7, 4000000000u, 255, 255, 8);
  printf("%5d|%-5d|%05d|%+d\n", 42, 42, 42, 42);
  printf("%lld %llu %llx\n", big, 18446744073709551615ull, 0xdeadbeefcafeull);
  printf("%ld %lu\n", -3000000000l, 5000000000ul);
  printf("%f %.3f %10.2e %g %g\n", f, d, d, 1e-9, 100000.0);
  printf("%s and %s\n", name, "literal");
  printf("%c%c%c %%\n", 'a', 'b', 'c');
  printf("%10s|%-10s|%.2s\n", "right", "left", "cut");
  printf("%*d|%.*f\n", 6, 12, 2, 3.14159);
  printf("%p\n", pointer);
  printf("%hd %hhd\n", static_cast<short>(-2), static_cast<signed char>(-1));
  printf("%d %s %f %d %s %f %d %s %f\n", 1, "two", 3.0, 4, "five", 6.0, 7, "eight", 9.0);
}

__global__ void every_thread() {
  printf("block %d thread %d\n", static_cast<int>(blockIdx.x), static_cast<int>(threadIdx.x));
}

__global__ void ordered() {
  for (int i = 0; i < 5; ++i) printf("%d of %d\n", i, static_cast<int>(threadIdx.x));
}

__global__ void results(int* out) {
  out[0] = printf("no arguments\n");
  out[1] = printf("%d %d %f\n", 1, 2, 3.0);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

int main() {
  char* name;
  CUDA_OK(cudaMallocManaged(&name, 16));
  std::snprintf(name, 16, "managed");
  void* pointer = reinterpret_cast<void*>(0x1234abcdULL);
  {
    Capture capture;
    formats<<<1, 1>>>(name, 1.5f, 2.0 / 3, -123456789012345LL, pointer);
    CUDA_OK(cudaDeviceSynchronize());
    char expected[2048];
    int length = 0;
    const auto add = [&](const char* format, auto... values) {
      length += std::snprintf(expected + length, sizeof expected - length, format, values...);
    };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
    add("plain\n");
    add("%d %i %u %x %X %o\n", -5, 7, 4000000000u, 255, 255, 8);
    add("%5d|%-5d|%05d|%+d\n", 42, 42, 42, 42);
    add("%lld %llu %llx\n", -123456789012345LL, 18446744073709551615ull, 0xdeadbeefcafeull);
    add("%ld %lu\n", -3000000000l, 5000000000ul);
    add("%f %.3f %10.2e %g %g\n", 1.5, 2.0 / 3, 2.0 / 3, 1e-9, 100000.0);
    add("%s and %s\n", "managed", "literal");
    add("%c%c%c %%\n", 'a', 'b', 'c');
    add("%10s|%-10s|%.2s\n", "right", "left", "cut");
    add("%*d|%.*f\n", 6, 12, 2, 3.14159);
    add("%p\n", pointer);
    add("%hd %hhd\n", -2, -1);
    add("%d %s %f %d %s %f %d %s %f\n", 1, "two", 3.0, 4, "five", 6.0, 7, "eight", 9.0);
#pragma GCC diagnostic pop
    const std::string text = capture.text();
    const std::vector<std::string> got = lines_of(text), want = lines_of(expected);
    CHECK(got.size() == want.size());
    for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
      CHECK_AT(got[i] == want[i], "'%s', expected '%s'", got[i].c_str(), want[i].c_str());
    }
  }
  {
    Capture capture;
    every_thread<<<6, 50>>>();
    CUDA_OK(cudaDeviceSynchronize());
    std::vector<std::string> got = lines_of(capture.text()), want;
    for (int block = 0; block < 6; ++block) {
      for (int thread = 0; thread < 50; ++thread) {
        want.push_back("block " + std::to_string(block) + " thread " + std::to_string(thread));
      }
    }
    std::sort(got.begin(), got.end());
    std::sort(want.begin(), want.end());
    CHECK(got == want);
  }
  {
    Capture capture;
    ordered<<<1, 3>>>();
    CUDA_OK(cudaDeviceSynchronize());
    const std::vector<std::string> got = lines_of(capture.text());
    CHECK(got.size() == 15);
    for (int thread = 0; thread < 3; ++thread) {
      int next = 0;
      for (const std::string& line : got) {
        if (line.substr(5) == std::to_string(thread)) CHECK(line[0] == '0' + next++);
      }
      CHECK(next == 5);
    }
  }
  {
    // A copy that waits for the kernel is a point of synchronisation too.
    int* out;
    int values[2] = {-1, -1};
    CUDA_OK(cudaMalloc(&out, sizeof values));
    Capture capture;
    results<<<1, 1>>>(out);
    CUDA_OK(cudaMemcpy(values, out, sizeof values, cudaMemcpyDeviceToHost));
    CUDA_OK(cudaDeviceSynchronize());
    CHECK(capture.text() == "no arguments\n1 2 3.000000\n");
    CHECK_AT(values[0] == 0 && values[1] == 3, "%d %d", values[0], values[1]);
  }
  return verdict();
}
