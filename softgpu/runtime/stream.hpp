// Streams, events and captures.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "softgpu/runtime/cuda_api.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/task.hpp"
#include "softgpu/runtime/work.hpp"

namespace softgpu::cuda {

struct Graph;
struct GraphNode;

// A capture that one or more streams take part in.
struct Capture {
  std::uint64_t id = 0;
  std::shared_ptr<Graph> graph;
  bool given = false;  // the caller's graph (cudaStreamBeginCaptureToGraph)
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::uint64_t thread = 0;
  Stream* origin = nullptr;
  bool invalidated = false;
  std::vector<Stream*> streams;
  std::vector<GraphNode*> left;  // last nodes of streams that were destroyed meanwhile
};

struct Stream {
  enum class Kind { created, legacy, per_thread };
  Stream(int device_, Kind kind_, unsigned flags_ = 0, int priority_ = 0);

  const std::uint64_t id;
  const int device;
  const Kind kind;
  const unsigned flags;
  int priority;
  std::shared_ptr<Capture> capture;
  std::vector<GraphNode*> last;  // nodes that the next captured one depends on
  std::map<cudaLaunchAttributeID, cudaLaunchAttributeValue> attributes;

  [[nodiscard]] bool blocking() const { return (flags & cudaStreamNonBlocking) == 0; }
};

// The state of an event that several processes share.
class SharedEvent {
 public:
  SharedEvent();                                            // a new one; throws ApiError
  SharedEvent(int process, int file, std::uint64_t inode);  // of another process
  ~SharedEvent();
  SharedEvent(const SharedEvent&) = delete;
  SharedEvent& operator=(const SharedEvent&) = delete;

  void record();  // is enqueued
  void finish();  // the stream has come to it
  // The number of the last record, and whether it is done.
  [[nodiscard]] std::uint64_t recorded() const;
  [[nodiscard]] bool is_done(std::uint64_t record) const;
  void wait(std::uint64_t record) const;
  [[nodiscard]] int file() const { return file_; }  // -1 where it is another process's

 private:
  struct State;
  State* state_ = nullptr;
  int file_ = -1;
};

struct Event {
  static constexpr std::int64_t never = INT64_MIN;

  int device = 0;
  unsigned flags = 0;
  // Nanoseconds of the steady clock, less the time spent on loading code; another thread may ask
  // while it is recorded.
  std::atomic<std::int64_t> at{never};
  TaskRef task;  // that records it; nullptr where it was never recorded. Use the functions below.
  std::shared_ptr<Capture> capture;  // recorded in a stream that was being captured
  std::vector<GraphNode*> nodes;
  std::shared_ptr<SharedEvent> shared;  // nullptr for an event of this process alone
};

[[nodiscard]] cudaEvent_t make_event(unsigned flags, std::shared_ptr<SharedEvent> shared);

// Handles; throw cudaErrorInvalidResourceHandle for what is none.
[[nodiscard]] Stream& find_stream(cudaStream_t handle);
[[nodiscard]] Event& find_event(cudaEvent_t handle);
// The handle that the _ptsz entry points mean: 0 is the thread's own default stream.
[[nodiscard]] inline cudaStream_t per_thread(cudaStream_t handle) {
  return handle == nullptr ? cudaStreamPerThread : handle;
}

// The task that records the event now.
[[nodiscard]] TaskRef recording(Event& event);
void set_recording(Event& event, TaskRef task);

// Captures are changed under this lock.
[[nodiscard]] std::recursive_mutex& capture_mutex();

[[nodiscard]] bool is_capturing(Stream& stream);

// Calls that a capture forbids: throws cudaErrorStreamCaptureUnsupported and invalidates it.
void check_no_capture();
// For a call that uses the legacy stream implicitly or by name: no blocking stream may capture.
void check_legacy_use(Stream& stream);

}  // namespace softgpu::cuda
