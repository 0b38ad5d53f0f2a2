// Runs the kernels of a request (course/exchange.hpp) on the software GPU and answers with what
// they wrote. It is told neither what they are to compute nor what is right. The grader starts it
// confined; what it knows of CUDA is the runtime that lies beside it.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "course/exchange.hpp"
#include "softgpu/runtime/cuda_functions.hpp"

namespace {

using namespace softgpu::cuda;
using namespace tandem::course;

class CudaFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

void call(cudaError_t error, const std::string& what) {
  if (error != cudaSuccess) {
    throw CudaFailure(what + ": " + cudaGetErrorName(error) + " (" + cudaGetErrorString(error) +
                      ")");
  }
}

// Not a number in any format, and large as a whole one.
constexpr unsigned char guard_byte = 0xfb;

struct Buffer {
  void* allocation = nullptr;
  char* begin = nullptr;
  std::uint64_t bytes = 0;
};

std::string copied(const void* from, std::uint64_t bytes) {
  std::string to(bytes, '\0');
  if (bytes != 0) call(cudaMemcpy(to.data(), from, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  return to;
}

class Execution {
 public:
  Execution(const Request& request, cudaLibrary_t library) : request_(request), library_(library) {}

  AnswerCase run(const RequestCase& one) {
    AnswerCase answer;
    try {
      prepare(one);
      launch(one);
      collect(one, answer);
    } catch (const CudaFailure& failure) {
      answer.error = failure.what();
      answer.outputs.clear();
    }
    for (const Buffer& buffer : buffers_) {
      if (buffer.allocation != nullptr) (void)cudaFree(buffer.allocation);
    }
    buffers_.clear();
    return answer;
  }

 private:
  void prepare(const RequestCase& one) {
    for (const RequestArgument& argument : one.arguments) {
      buffers_.emplace_back();
      Buffer& buffer = buffers_.back();
      if (argument.passed == Passed::value) continue;
      // Room for one element at least: an empty buffer has an address too.
      buffer.bytes = argument.bytes;
      const std::uint64_t room = std::max<std::uint64_t>(buffer.bytes, 4);
      if (argument.passed == Passed::input) {
        call(cudaMalloc(&buffer.allocation, room), "cudaMalloc");
        buffer.begin = static_cast<char*>(buffer.allocation);
        if (buffer.bytes != 0) {
          call(cudaMemcpy(buffer.begin, argument.content.data(), buffer.bytes,
                          cudaMemcpyHostToDevice),
               "cudaMemcpy");
        }
        continue;
      }
      call(cudaMalloc(&buffer.allocation, room + 2 * request_.guard), "cudaMalloc");
      buffer.begin = static_cast<char*>(buffer.allocation) + request_.guard;
      if (request_.prefills != 0 || request_.guard != 0) {
        call(cudaMemset(buffer.allocation, guard_byte, room + 2 * request_.guard), "cudaMemset");
      }
    }
  }

  void launch(const RequestCase& one) {
    std::vector<void*> addresses;
    for (Buffer& buffer : buffers_) addresses.push_back(&buffer.begin);
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      if (one.arguments[i].passed == Passed::value) {
        addresses[i] = const_cast<char*>(one.arguments[i].content.data());
      }
    }
    for (const RequestLaunch& launch : one.launches) {
      cudaKernel_t kernel = nullptr;
      call(cudaLibraryGetKernel(&kernel, library_, launch.kernel.c_str()),
           "there is no kernel " + launch.kernel +
               " (declare it extern \"C\" __global__), cudaLibraryGetKernel");
      check_signature(kernel, launch.kernel, one);
      if (launch.shared > 48 * 1024) {
        call(cudaKernelSetAttributeForDevice(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                             static_cast<int>(launch.shared), 0),
             launch.kernel + ": " + std::to_string(launch.shared) + " bytes of shared memory");
      }
      call(__cudaLaunchKernel(kernel, {launch.grid[0], launch.grid[1], launch.grid[2]},
                              {launch.block[0], launch.block[1], launch.block[2]}, addresses.data(),
                              launch.shared, nullptr),
           "the launch of " + launch.kernel);
      call(cudaDeviceSynchronize(), launch.kernel);
    }
  }

  static void check_signature(cudaKernel_t kernel, const std::string& name,
                              const RequestCase& one) {
    std::size_t offset = 0;
    std::size_t size = 0;
    for (std::size_t i = 0; i < one.arguments.size(); ++i) {
      const std::size_t wanted = one.arguments[i].passed == Passed::value ? 4 : 8;
      if (cudaFuncGetParamInfo(kernel, i, &offset, &size) != cudaSuccess || size != wanted) {
        throw CudaFailure("the parameters of " + name + " are not those of the signature: number " +
                          std::to_string(i + 1) + " should have " + std::to_string(wanted) +
                          " bytes");
      }
    }
    if (cudaFuncGetParamInfo(kernel, one.arguments.size(), &offset, &size) == cudaSuccess) {
      throw CudaFailure(name + " has more parameters than the signature");
    }
    (void)cudaGetLastError();
  }

  void collect(const RequestCase& one, AnswerCase& answer) {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const RequestArgument& argument = one.arguments[i];
      const Buffer& buffer = buffers_[i];
      const std::string number = "argument " + std::to_string(i + 1);
      if (argument.passed == Passed::value) continue;
      if (argument.passed == Passed::input) {
        if (copied(buffer.begin, buffer.bytes) != argument.content && answer.modified.empty()) {
          answer.modified = number;
        }
        continue;
      }
      const std::uint64_t room = std::max<std::uint64_t>(buffer.bytes, 4);
      if (request_.guard != 0 && answer.stray.empty()) {
        const std::string before = copied(buffer.allocation, request_.guard);
        const std::string behind = copied(buffer.begin + room, request_.guard);
        const auto other = [](char c) { return static_cast<unsigned char>(c) != guard_byte; };
        if (const auto at = std::ranges::find_if(behind, other); at != behind.end()) {
          answer.stray = std::to_string(at - behind.begin()) + " bytes behind the end of " + number;
        } else if (std::ranges::find_if(before, other) != before.end()) {
          answer.stray = "before the begin of " + number;
        }
      }
      if (argument.passed == Passed::output) {
        answer.outputs.push_back(copied(buffer.begin, buffer.bytes));
      }
    }
  }

  const Request& request_;
  cudaLibrary_t library_;
  std::vector<Buffer> buffers_;
};

Answer answer_to(const Request& request) {
  Answer answer;
  cudaLibrary_t library = nullptr;
  try {
    call(cudaLibraryLoadData(&library, request.ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr,
                             0),
         "the PTX does not load");
  } catch (const CudaFailure& failure) {
    answer.error = failure.what();
    return answer;
  }
  Execution execution(request, library);
  for (const RequestCase& one : request.cases) {
    answer.cases.push_back(execution.run(one));
    // After a fault, every call fails.
    if (!answer.cases.back().error.empty()) break;
  }
  (void)cudaLibraryUnload(library);
  return answer;
}

}  // namespace

int main() {
  // What kernels print is not to get into the answer.
  const int answer_file = ::dup(STDOUT_FILENO);
  if (answer_file < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return 2;
  std::string bytes;
  std::vector<char> part(1 << 20);
  for (std::size_t got = 0; (got = std::fread(part.data(), 1, part.size(), stdin)) != 0;) {
    bytes.append(part.data(), got);
  }
  try {
    const std::string answer = to_bytes(answer_to(request_from(bytes)));
    for (std::size_t at = 0; at < answer.size();) {
      const ssize_t written = ::write(answer_file, answer.data() + at, answer.size() - at);
      if (written <= 0) return 1;
      at += static_cast<std::size_t>(written);
    }
    return 0;
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "run_kernels: %s\n", error.what());
    return 2;
  }
}
