#include "softgpu/runtime/stream.hpp"
#include "softgpu/runtime/cuda_functions.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>
#include <unordered_set>

#include "softgpu/exec/launch.hpp"
#include "softgpu/profile/recorder.hpp"
#include "softgpu/runtime/graph.hpp"

namespace softgpu::cuda {
namespace {

constexpr int least_priority = 0;
constexpr int greatest_priority = -5;

std::atomic<int> captures_active{0};

struct Handles {
  std::shared_mutex mutex;
  std::unordered_set<const void*> streams;
  std::unordered_set<const void*> events;
};
Handles& handles() {
  static auto* handles = new Handles;
  return *handles;
}

std::vector<std::shared_ptr<Capture>>& captures() {
  static auto* captures = new std::vector<std::shared_ptr<Capture>>;
  return *captures;
}

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

void invalidate(Capture& capture) { capture.invalidated = true; }

// Takes the stream into the capture.
void join(Stream& stream, const std::shared_ptr<Capture>& capture) {
  stream.capture = capture;
  capture->streams.push_back(&stream);
}

void end(const std::shared_ptr<Capture>& capture) {
  for (Stream* stream : capture->streams) {
    stream->capture.reset();
    stream->last.clear();
  }
  std::erase(captures(), capture);
  captures_active.store(static_cast<int>(captures().size()));
}

cudaError_t create_stream(cudaStream_t* out, unsigned flags, int priority) {
  require_pointer(out, "out");
  require((flags & ~cudaStreamNonBlocking) == 0, "flags has bits other than cudaStreamNonBlocking");
  priority = std::clamp(priority, greatest_priority, least_priority);
  auto* stream = new Stream(thread().device, Stream::Kind::created, flags, priority);
  const std::unique_lock lock(handles().mutex);
  handles().streams.insert(stream);
  *out = reinterpret_cast<cudaStream_t>(stream);
  return cudaSuccess;
}

}  // namespace

Stream::Stream(int device_, Kind kind_, unsigned flags_, int priority_)
    : id(next_id()), device(device_), kind(kind_), flags(flags_), priority(priority_) {}

std::recursive_mutex& capture_mutex() {
  static auto* mutex = new std::recursive_mutex;
  return *mutex;
}

Stream& find_stream(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return *current_device().legacy;
  if (handle == cudaStreamPerThread) {
    auto& stream = thread().default_streams[thread().device];
    if (!stream) stream = std::make_unique<Stream>(thread().device, Stream::Kind::per_thread);
    return *stream;
  }
  const std::shared_lock lock(handles().mutex);
  require(handles().streams.contains(handle), cudaErrorInvalidResourceHandle,
          "the stream is not one, or was destroyed");
  return *reinterpret_cast<Stream*>(handle);
}

Event& find_event(cudaEvent_t handle) {
  const std::shared_lock lock(handles().mutex);
  require(handles().events.contains(handle), cudaErrorInvalidResourceHandle,
          "the event is not one, or was destroyed");
  return *reinterpret_cast<Event*>(handle);
}

cudaEvent_t make_event(unsigned flags, std::shared_ptr<SharedEvent> shared) {
  auto* event = new Event;
  event->device = thread().device;
  event->flags = flags;
  event->shared = std::move(shared);
  const std::unique_lock lock(handles().mutex);
  handles().events.insert(event);
  return reinterpret_cast<cudaEvent_t>(event);
}

bool is_capturing(Stream& stream) {
  if (captures_active.load(std::memory_order_relaxed) == 0) return false;
  const std::scoped_lock lock(capture_mutex());
  return stream.capture != nullptr;
}

TaskRef recording(Event& event) {
  const std::shared_lock lock(handles().mutex);
  return event.task;
}

void set_recording(Event& event, TaskRef task) {
  const std::unique_lock lock(handles().mutex);
  event.task = std::move(task);
}

void check_no_capture() {
  if (captures_active.load(std::memory_order_relaxed) == 0) return;
  const cudaStreamCaptureMode mode = thread().capture_mode;
  if (mode == cudaStreamCaptureModeRelaxed) return;
  const std::scoped_lock lock(capture_mutex());
  bool forbidden = false;
  for (const auto& capture : captures()) {
    const bool own =
        capture->thread == thread().id && capture->mode != cudaStreamCaptureModeRelaxed;
    const bool global =
        capture->mode == cudaStreamCaptureModeGlobal && mode == cudaStreamCaptureModeGlobal;
    if (own || global) {
      invalidate(*capture);
      forbidden = true;
    }
  }
  require(!forbidden, cudaErrorStreamCaptureUnsupported,
          "a stream is capturing, and the call is not permitted then "
          "(cudaThreadExchangeStreamCaptureMode)");
}

void check_legacy_use(Stream& stream) {
  if (captures_active.load(std::memory_order_relaxed) == 0) return;
  if (stream.kind != Stream::Kind::legacy ||
      thread().capture_mode == cudaStreamCaptureModeRelaxed) {
    return;
  }
  const std::scoped_lock lock(capture_mutex());
  bool forbidden = false;
  for (const auto& capture : captures()) {
    for (const Stream* member : capture->streams) {
      if (member->blocking() && member->device == stream.device) {
        invalidate(*capture);
        forbidden = true;
      }
    }
  }
  require(!forbidden, cudaErrorStreamCaptureImplicit,
          "the legacy default stream would have to wait for a stream that is capturing");
}

TaskRef submit(Work work, cudaStream_t handle) {
  Stream& stream = find_stream(handle);
  if (captures_active.load(std::memory_order_relaxed) != 0) {
    const std::scoped_lock lock(capture_mutex());
    if (stream.capture) {
      require(!stream.capture->invalidated, cudaErrorStreamCaptureInvalidated,
              "the capture was invalidated by an earlier error");
      check_work(work, stream.device);
      GraphNode& node = stream.capture->graph->add(std::move(work), stream.last);
      stream.last = {&node};
      return nullptr;
    }
  }
  check_legacy_use(stream);
  check_work(work, stream.device);
  Device& of = device(stream.device);
  of.used = true;
  // After a fault nothing runs any more.
  if (of.pending.load() != 0 || of.sticky.load() != 0) return nullptr;

  TaskRef event;
  if (const auto* wait = std::get_if<EventWaitWork>(&work))
    event = recording(find_event(wait->event));
  Turn turn(stream, event, kind_of(work));
  if (const auto* record = std::get_if<EventRecordWork>(&work)) {
    set_recording(find_event(record->event), turn.task());
  }
  const int index = stream.device;
  if (!turn.comes()) {
    const bool returns_when_done = keep_for_later(work);
    turn.continue_in_background(
        [work = std::make_shared<Work>(std::move(work)), index] { finish(execute(*work, index)); });
    if (returns_when_done) wait_for(turn.task());
    return turn.task();
  }
  if (std::holds_alternative<HostWork>(work)) {
    // May wait for what the program does after this call.
    turn.continue_aside(
        [work = std::make_shared<Work>(std::move(work)), index] { finish(execute(*work, index)); },
        launch_wait());
    return turn.task();
  }
  const check::CurrentWork current(turn.task()->order);
  const profile::CurrentWork profiled(turn.task().get());
  if (std::unique_ptr<Unfinished> rest = execute(work, index)) {
    turn.continue_in_background(
        [rest = std::shared_ptr<Unfinished>(std::move(rest))] { finish(*rest); });
  }
  return turn.task();
}

extern "C" {

// --- streams ------------------------------------------------------------------------------------

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return device_api([&] { return create_stream(stream, cudaStreamDefault, least_priority); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return device_api([&] { return create_stream(stream, flags, least_priority); });
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int priority) {
  return device_api([&] { return create_stream(stream, flags, priority); });
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return device_api([&] {
    Stream& stream = find_stream(handle);
    require(stream.kind == Stream::Kind::created, cudaErrorInvalidResourceHandle,
            "a default stream cannot be destroyed");
    {
      const std::scoped_lock lock(capture_mutex());
      if (stream.capture) {
        const auto capture = stream.capture;
        std::erase(capture->streams, &stream);
        capture->left.insert(capture->left.end(), stream.last.begin(), stream.last.end());
        if (capture->origin == &stream) {
          invalidate(*capture);
          end(capture);
        }
      }
    }
    {
      const std::unique_lock lock(handles().mutex);
      handles().streams.erase(&stream);
    }
    delete &stream;  // tasks do not need it any more
    return cudaSuccess;
  });
}

static cudaError_t look_at_stream(cudaStream_t handle, bool waits) {
  return device_api([&] {
    Stream& stream = find_stream(handle);
    if (captures_active.load() != 0) {
      const std::scoped_lock lock(capture_mutex());
      if (stream.capture) {
        invalidate(*stream.capture);
        throw ApiError(cudaErrorStreamCaptureUnsupported,
                       "the call asks for the state of its stream, which is capturing");
      }
    }
    check_legacy_use(stream);
    if (!waits && !is_idle(stream)) return cudaErrorNotReady;
    wait_for_stream(stream);
    return deliver(device(stream.device));
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return look_at_stream(stream, true); }
cudaError_t cudaStreamSynchronize_ptsz(cudaStream_t stream) {
  return cudaStreamSynchronize(per_thread(stream));
}

cudaError_t cudaStreamQuery(cudaStream_t stream) { return look_at_stream(stream, false); }
cudaError_t cudaStreamQuery_ptsz(cudaStream_t stream) {
  return cudaStreamQuery(per_thread(stream));
}

cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  return device_api([&] {
    require_pointer(priority, "priority");
    *priority = find_stream(stream).priority;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetPriority_ptsz(cudaStream_t stream, int* priority) {
  return cudaStreamGetPriority(per_thread(stream), priority);
}

cudaError_t cudaStreamGetFlags(cudaStream_t stream, unsigned* flags) {
  return device_api([&] {
    require_pointer(flags, "flags");
    *flags = find_stream(stream).flags;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetFlags_ptsz(cudaStream_t stream, unsigned* flags) {
  return cudaStreamGetFlags(per_thread(stream), flags);
}

cudaError_t cudaStreamGetId(cudaStream_t stream, unsigned long long* id) {
  return device_api([&] {
    require_pointer(id, "id");
    *id = find_stream(stream).id;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetId_ptsz(cudaStream_t stream, unsigned long long* id) {
  return cudaStreamGetId(per_thread(stream), id);
}

cudaError_t cudaStreamGetDevice(cudaStream_t stream, int* index) {
  return device_api([&] {
    require_pointer(index, "index");
    *index = find_stream(stream).device;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetDevice_ptsz(cudaStream_t stream, int* index) {
  return cudaStreamGetDevice(per_thread(stream), index);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return device_api([&] {
    if (least != nullptr) *least = least_priority;
    if (greatest != nullptr) *greatest = greatest_priority;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamGetAttribute(cudaStream_t handle, cudaLaunchAttributeID id,
                                   cudaLaunchAttributeValue* value) {
  return device_api([&] {
    require_pointer(value, "value");
    Stream& stream = find_stream(handle);
    *value = {};
    if (id == cudaLaunchAttributePriority) {
      value->priority = stream.priority;
    } else if (const auto found = stream.attributes.find(id); found != stream.attributes.end()) {
      *value = found->second;
    } else if (id == cudaLaunchAttributeSynchronizationPolicy) {
      value->syncPolicy = cudaSyncPolicyAuto;
    } else {
      require(id == cudaLaunchAttributeAccessPolicyWindow ||
                  id == cudaLaunchAttributeMemSyncDomain ||
                  id == cudaLaunchAttributeMemSyncDomainMap,
              "streams have no attribute of this kind");
    }
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetAttribute_ptsz(cudaStream_t stream, cudaLaunchAttributeID id,
                                        cudaLaunchAttributeValue* value) {
  return cudaStreamGetAttribute(per_thread(stream), id, value);
}

cudaError_t cudaStreamSetAttribute(cudaStream_t handle, cudaLaunchAttributeID id,
                                   const cudaLaunchAttributeValue* value) {
  return device_api([&] {
    require_pointer(value, "value");
    Stream& stream = find_stream(handle);
    require(id == cudaLaunchAttributeAccessPolicyWindow ||
                id == cudaLaunchAttributeSynchronizationPolicy ||
                id == cudaLaunchAttributePriority || id == cudaLaunchAttributeMemSyncDomain ||
                id == cudaLaunchAttributeMemSyncDomainMap,
            "streams have no attribute of this kind");
    if (id == cudaLaunchAttributePriority) {
      stream.priority = std::clamp(value->priority, greatest_priority, least_priority);
    }
    stream.attributes[id] = *value;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamSetAttribute_ptsz(cudaStream_t stream, cudaLaunchAttributeID id,
                                        const cudaLaunchAttributeValue* value) {
  return cudaStreamSetAttribute(per_thread(stream), id, value);
}

cudaError_t cudaStreamCopyAttributes(cudaStream_t to, cudaStream_t from) {
  return device_api([&] {
    find_stream(to).attributes = find_stream(from).attributes;
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCopyAttributes_ptsz(cudaStream_t to, cudaStream_t from) {
  return cudaStreamCopyAttributes(per_thread(to), per_thread(from));
}

cudaError_t cudaStreamAttachMemAsync(cudaStream_t stream, void* address, std::size_t,
                                     unsigned flags) {
  return device_api([&] {
    static_cast<void>(find_stream(stream));
    require_pointer(address, "address");
    require((flags == cudaMemAttachGlobal || flags == cudaMemAttachHost ||
             flags == cudaMemAttachSingle),
            "flags has to be one of cudaMemAttachGlobal, Host and Single");
    return cudaSuccess;
  });
}
cudaError_t cudaStreamAttachMemAsync_ptsz(cudaStream_t stream, void* address, std::size_t bytes,
                                          unsigned flags) {
  return cudaStreamAttachMemAsync(per_thread(stream), address, bytes, flags);
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return device_api([&] {
    require_pointer(function, "function");
    HostWork work;
    work.function = function;
    work.data = data;
    submit(std::move(work), stream);
    return cudaSuccess;
  });
}
cudaError_t cudaLaunchHostFunc_ptsz(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return cudaLaunchHostFunc(per_thread(stream), function, data);
}

cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t callback, void* data,
                                  unsigned flags) {
  return device_api([&] {
    require_pointer(callback, "callback");
    require(flags == 0, "flags has to be 0");
    if (captures_active.load() != 0) {
      const std::scoped_lock lock(capture_mutex());
      require(!find_stream(stream).capture, cudaErrorStreamCaptureUnsupported,
              "the stream is capturing");
    }
    HostWork work;
    work.callback = callback;
    work.stream = stream;
    work.data = data;
    submit(std::move(work), stream);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamAddCallback_ptsz(cudaStream_t stream, cudaStreamCallback_t callback,
                                       void* data, unsigned flags) {
  return cudaStreamAddCallback(per_thread(stream), callback, data, flags);
}

// --- events -------------------------------------------------------------------------------------

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require(
        (flags & ~(cudaEventBlockingSync | cudaEventDisableTiming | cudaEventInterprocess)) == 0,
        "flags has bits that no event flag has");
    const bool shared = (flags & cudaEventInterprocess) != 0;
    require(!shared || (flags & cudaEventDisableTiming) != 0,
            "an event that processes share has no time: cudaEventInterprocess needs "
            "cudaEventDisableTiming");
    *out = make_event(flags, shared ? std::make_shared<SharedEvent>() : nullptr);
    return cudaSuccess;
  });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return api([&] {
    require(!thread().in_callback, cudaErrorNotPermitted,
            "a host function that a stream calls may not call CUDA");
    Event& event = find_event(handle);
    {
      const std::unique_lock lock(handles().mutex);
      handles().events.erase(&event);
    }
    delete &event;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t handle, cudaStream_t stream_handle,
                                     unsigned flags) {
  return device_api([&] {
    require((flags & ~cudaEventRecordExternal) == 0,
            "flags has bits other than cudaEventRecordExternal");
    Event& event = find_event(handle);
    Stream& stream = find_stream(stream_handle);
    require(event.device == stream.device, cudaErrorInvalidResourceHandle,
            "the event and the stream belong to different devices");
    if (captures_active.load() != 0) {
      const std::scoped_lock lock(capture_mutex());
      if (stream.capture && flags == 0) {
        require(!stream.capture->invalidated, cudaErrorStreamCaptureInvalidated,
                "the capture was invalidated by an earlier error");
        event.capture = stream.capture;
        event.nodes = stream.last;
        return cudaSuccess;
      }
    }
    {
      const std::scoped_lock lock(capture_mutex());
      event.capture.reset();
      event.nodes.clear();
    }
    if (event.shared) event.shared->record();
    submit(EventRecordWork{handle}, stream_handle);
    return cudaSuccess;
  });
}
cudaError_t cudaEventRecordWithFlags_ptsz(cudaEvent_t event, cudaStream_t stream, unsigned flags) {
  return cudaEventRecordWithFlags(event, per_thread(stream), flags);
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, stream, 0);
}
cudaError_t cudaEventRecord_ptsz(cudaEvent_t event, cudaStream_t stream) {
  return cudaEventRecordWithFlags(event, per_thread(stream), 0);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream_handle, cudaEvent_t handle, unsigned flags) {
  return device_api([&] {
    require((flags & ~cudaEventWaitExternal) == 0,
            "flags has bits other than cudaEventWaitExternal");
    Event& event = find_event(handle);
    Stream& stream = find_stream(stream_handle);
    if (captures_active.load() != 0) {
      const std::scoped_lock lock(capture_mutex());
      if (flags == 0 && event.capture) {
        require(!event.capture->invalidated, cudaErrorStreamCaptureInvalidated,
                "the capture in which the event was recorded was invalidated by an error");
        const bool over = std::ranges::find(captures(), event.capture) == captures().end();
        require(!over, cudaErrorStreamCaptureIsolation,
                "the event was recorded in a capture that has ended");
        require(stream.kind != Stream::Kind::legacy, cudaErrorStreamCaptureIsolation,
                "the legacy default stream cannot wait for an event of a capture");
        if (!stream.capture) {
          join(stream, event.capture);
        } else if (stream.capture != event.capture) {
          invalidate(*stream.capture);
          invalidate(*event.capture);
          throw ApiError(cudaErrorStreamCaptureMerge,
                         "the event and the stream belong to different captures");
        }
        for (GraphNode* node : event.nodes) {
          if (std::ranges::find(stream.last, node) == stream.last.end()) {
            stream.last.push_back(node);
          }
        }
        return cudaSuccess;
      }
      if (stream.capture && flags == 0) {
        // An event of outside: the capture would depend on work that it does not contain.
        invalidate(*stream.capture);
        throw ApiError(
            cudaErrorStreamCaptureIsolation,
            "the stream is capturing, and the event was recorded outside of the capture");
      }
    } else if (event.capture) {
      throw ApiError(cudaErrorCapturedEvent,
                     "the event was recorded in a capture: no work has been enqueued");
    }
    if (event.shared && !event.shared->is_done(event.shared->recorded())) {
      // Another process's stream has not come to it: as a host function, which may take its time.
      struct Wait {
        std::shared_ptr<SharedEvent> event;
        std::uint64_t record;
      };
      HostWork wait;
      wait.function = [](void* data) {
        const std::unique_ptr<Wait> one(static_cast<Wait*>(data));
        one->event->wait(one->record);
      };
      wait.data = new Wait{event.shared, event.shared->recorded()};
      submit(wait, stream_handle);
      return cudaSuccess;
    }
    submit(EventWaitWork{handle}, stream_handle);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamWaitEvent_ptsz(cudaStream_t stream, cudaEvent_t event, unsigned flags) {
  return cudaStreamWaitEvent(per_thread(stream), event, flags);
}

static cudaError_t look_at_event(cudaEvent_t handle, bool waits) {
  return device_api([&] {
    Event& event = find_event(handle);
    {
      const std::scoped_lock lock(capture_mutex());
      if (event.capture) {
        invalidate(*event.capture);
        throw ApiError(cudaErrorCapturedEvent,
                       "the event was recorded in a capture: no work has been enqueued");
      }
    }
    const TaskRef task = recording(event);
    if (!waits && !is_done(task)) return cudaErrorNotReady;
    wait_for(task);
    if (event.shared) {
      const std::uint64_t record = event.shared->recorded();
      if (!waits && !event.shared->is_done(record)) return cudaErrorNotReady;
      event.shared->wait(record);
    }
    return deliver(device(event.device));
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) { return look_at_event(event, true); }
cudaError_t cudaEventQuery(cudaEvent_t event) { return look_at_event(event, false); }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  return device_api([&] {
    require_pointer(milliseconds, "milliseconds");
    Event& from = find_event(start);
    Event& to = find_event(stop);
    require(is_done(recording(from)), cudaErrorNotReady);
    require(is_done(recording(to)), cudaErrorNotReady);
    const std::int64_t began = from.at.load();
    const std::int64_t ended = to.at.load();
    require(began != Event::never, cudaErrorInvalidResourceHandle,
            "the start event was never recorded");
    require(ended != Event::never, cudaErrorInvalidResourceHandle,
            "the end event was never recorded");
    require(((from.flags | to.flags) & cudaEventDisableTiming) == 0, cudaErrorInvalidResourceHandle,
            "an event was made with cudaEventDisableTiming and has no time");
    require(from.device == to.device, cudaErrorInvalidResourceHandle,
            "the events belong to different devices");
    const std::chrono::duration<float, std::milli> elapsed =
        std::chrono::nanoseconds(ended - began);
    *milliseconds = elapsed.count();
    return cudaSuccess;
  });
}

// --- capture ------------------------------------------------------------------------------------

static cudaError_t begin_capture(cudaStream_t handle, cudaStreamCaptureMode mode,
                                 std::shared_ptr<Graph> graph, bool given,
                                 std::vector<GraphNode*> last) {
  require(mode >= cudaStreamCaptureModeGlobal && mode <= cudaStreamCaptureModeRelaxed,
          "there is no capture mode of this number");
  Stream& stream = find_stream(handle);
  require(stream.kind != Stream::Kind::legacy, cudaErrorStreamCaptureUnsupported,
          "the legacy default stream cannot be captured");
  const std::scoped_lock lock(capture_mutex());
  require(!stream.capture, cudaErrorIllegalState, "the stream is capturing already");
  auto capture = std::make_shared<Capture>();
  capture->id = next_id();
  capture->graph = std::move(graph);
  capture->given = given;
  capture->mode = mode;
  capture->thread = thread().id;
  capture->origin = &stream;
  join(stream, capture);
  stream.last = std::move(last);
  captures().push_back(capture);
  captures_active.store(static_cast<int>(captures().size()));
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return device_api(
      [&] { return begin_capture(stream, mode, std::make_shared<Graph>(), false, {}); });
}
cudaError_t cudaStreamBeginCapture_ptsz(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return cudaStreamBeginCapture(per_thread(stream), mode);
}

cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t graph,
                                          const cudaGraphNode_t* dependencies,
                                          const cudaGraphEdgeData*, std::size_t count,
                                          cudaStreamCaptureMode mode) {
  return device_api([&] {
    require(dependencies != nullptr || count == 0,
            "the list of dependencies is a null pointer although its length is not 0");
    std::vector<GraphNode*> last;
    for (std::size_t i = 0; i < count; ++i) last.push_back(&find_node(dependencies[i]));
    return begin_capture(stream, mode, find_graph(graph), true, std::move(last));
  });
}
cudaError_t cudaStreamBeginCaptureToGraph_ptsz(cudaStream_t stream, cudaGraph_t graph,
                                               const cudaGraphNode_t* dependencies,
                                               const cudaGraphEdgeData* edges, std::size_t count,
                                               cudaStreamCaptureMode mode) {
  return cudaStreamBeginCaptureToGraph(per_thread(stream), graph, dependencies, edges, count, mode);
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* out) {
  return device_api([&] {
    // A capture into a graph that the program gave may pass no place for the result.
    if (out != nullptr) *out = nullptr;
    Stream& stream = find_stream(handle);
    const std::scoped_lock lock(capture_mutex());
    require(stream.capture != nullptr, cudaErrorIllegalState, "the stream is not capturing");
    const std::shared_ptr<Capture> capture = stream.capture;
    require(capture->origin == &stream, cudaErrorStreamCaptureUnmatched,
            "the capture was begun in another stream");
    require(capture->mode == cudaStreamCaptureModeRelaxed || capture->thread == thread().id,
            cudaErrorStreamCaptureWrongThread,
            "the capture was begun in another thread, and its mode is not relaxed");
    // Every stream that was drawn in has to come back before the end.
    bool joined = true;
    if (!capture->invalidated) {
      std::unordered_set<const GraphNode*> reached;
      std::vector<const GraphNode*> open(stream.last.begin(), stream.last.end());
      while (!open.empty()) {
        const GraphNode* node = open.back();
        open.pop_back();
        if (!reached.insert(node).second) continue;
        open.insert(open.end(), node->dependencies.begin(), node->dependencies.end());
      }
      for (const Stream* other : capture->streams) {
        for (const GraphNode* node : other->last) joined = joined && reached.contains(node);
      }
      for (const GraphNode* node : capture->left) joined = joined && reached.contains(node);
    }
    const bool invalidated = capture->invalidated;
    const std::shared_ptr<Graph> graph = capture->graph;
    end(capture);
    require(!invalidated, cudaErrorStreamCaptureInvalidated,
            "the capture was invalidated by an earlier error");
    require(joined, cudaErrorStreamCaptureUnjoined,
            "a stream that joined the capture has work that its first stream does not wait for");
    if (out != nullptr) {
      *out = capture->given ? reinterpret_cast<cudaGraph_t>(graph.get()) : publish_graph(graph);
    }
    return cudaSuccess;
  });
}
cudaError_t cudaStreamEndCapture_ptsz(cudaStream_t stream, cudaGraph_t* graph) {
  return cudaStreamEndCapture(per_thread(stream), graph);
}

cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, cudaStreamCaptureStatus* status,
                                     unsigned long long* id, cudaGraph_t* graph,
                                     const cudaGraphNode_t** dependencies,
                                     const cudaGraphEdgeData** edges, std::size_t* count) {
  return device_api([&] {
    require_pointer(status, "status");
    const std::scoped_lock lock(capture_mutex());
    Stream& stream = find_stream(handle);
    *status = !stream.capture               ? cudaStreamCaptureStatusNone
              : stream.capture->invalidated ? cudaStreamCaptureStatusInvalidated
                                            : cudaStreamCaptureStatusActive;
    if (!stream.capture || stream.capture->invalidated) return cudaSuccess;
    if (id != nullptr) *id = stream.capture->id;
    if (graph != nullptr) *graph = publish_graph(stream.capture->graph);
    static_assert(sizeof(cudaGraphNode_t) == sizeof(GraphNode*));
    if (dependencies != nullptr) {
      *dependencies = reinterpret_cast<const cudaGraphNode_t*>(stream.last.data());
    }
    if (edges != nullptr) *edges = nullptr;
    if (count != nullptr) *count = stream.last.size();
    return cudaSuccess;
  });
}
cudaError_t cudaStreamGetCaptureInfo_ptsz(cudaStream_t stream, cudaStreamCaptureStatus* status,
                                          unsigned long long* id, cudaGraph_t* graph,
                                          const cudaGraphNode_t** dependencies,
                                          const cudaGraphEdgeData** edges, std::size_t* count) {
  return cudaStreamGetCaptureInfo(per_thread(stream), status, id, graph, dependencies, edges,
                                  count);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return device_api([&] {
    // Asking the legacy stream while a blocking stream captures is a use of it.
    check_legacy_use(find_stream(stream));
    return cudaStreamGetCaptureInfo(stream, status, nullptr, nullptr, nullptr, nullptr, nullptr);
  });
}
cudaError_t cudaStreamIsCapturing_ptsz(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return cudaStreamIsCapturing(per_thread(stream), status);
}

cudaError_t cudaStreamUpdateCaptureDependencies(cudaStream_t handle, cudaGraphNode_t* nodes,
                                                const cudaGraphEdgeData*, std::size_t count,
                                                unsigned flags) {
  return device_api([&] {
    require(flags <= cudaStreamSetCaptureDependencies,
            "flags has to be cudaStreamAddCaptureDependencies or cudaStreamSetCaptureDependencies");
    require((nodes != nullptr || count == 0),
            "the list of nodes is a null pointer although its length is not 0");
    const std::scoped_lock lock(capture_mutex());
    Stream& stream = find_stream(handle);
    require(stream.capture != nullptr, cudaErrorIllegalState, "the stream is not capturing");
    require(!stream.capture->invalidated, cudaErrorStreamCaptureInvalidated,
            "the capture was invalidated by an earlier error");
    std::vector<GraphNode*> last;
    if (flags == cudaStreamAddCaptureDependencies) last = stream.last;
    for (std::size_t i = 0; i < count; ++i) {
      GraphNode& node = find_node(nodes[i]);
      require(node.graph == stream.capture->graph.get(),
              "a node is not of the graph that the stream captures into");
      if (std::ranges::find(last, &node) == last.end()) last.push_back(&node);
    }
    stream.last = std::move(last);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamUpdateCaptureDependencies_ptsz(cudaStream_t stream, cudaGraphNode_t* nodes,
                                                     const cudaGraphEdgeData* edges,
                                                     std::size_t count, unsigned flags) {
  return cudaStreamUpdateCaptureDependencies(per_thread(stream), nodes, edges, count, flags);
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return api([&] {
    require_pointer(mode, "mode");
    require(*mode >= cudaStreamCaptureModeGlobal && *mode <= cudaStreamCaptureModeRelaxed,
            "there is no capture mode of this number");
    std::swap(*mode, thread().capture_mode);
    return cudaSuccess;
  });
}

}  // extern "C"

}  // namespace softgpu::cuda
