#include "softgpu/check/order.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace softgpu::check {
namespace {

// Nodes of graphs are streams of one piece of work; the runtime's streams have lower numbers.
constexpr std::uint64_t first_node = std::uint64_t{1} << 62;

using Known = std::map<std::uint64_t, std::uint64_t>;

struct Stream {
  StreamOrder as;
  std::uint64_t number = 0;  // of the last piece of work
  Known known;               // that the next one knows by the stream's order
  WorkOrderRef last_kernel;  // where the last piece of work is one
};

struct Streams {
  std::mutex mutex;
  std::map<std::uint64_t, Stream> all;
  Known host;
  std::uint64_t host_waits = 0;
  bool several = false;
  std::uint64_t next_node = first_node;
};
Streams& streams() {
  static auto* all = new Streams;  // outlives every static of the program
  return *all;
}

thread_local WorkOrderRef current;

void join(Known& mine, const Known& other) {
  for (const auto& [stream, number] : other) {
    auto& known = mine[stream];
    known = std::max(known, number);
  }
}

// Work of the legacy default stream comes after all earlier work of blocking streams, whose later
// work comes after it.
bool follows(const StreamOrder& stream, const StreamOrder& other) {
  if (stream.device != other.device) return false;
  return stream.id == other.id || (stream.legacy && other.blocking) ||
         (stream.blocking && other.legacy);
}

}  // namespace

bool is_before(const WorkOrder& a, const WorkOrder& b) {
  if (a.stream == b.stream && (!b.overlaps || a.number == b.number)) return a.number <= b.number;
  const auto found = b.known.find(a.stream);
  return found != b.known.end() && found->second >= a.number;
}

WorkOrderRef enqueue(const StreamOrder& stream, const WorkOrderRef& event, WorkKind kind) {
  Streams& of = streams();
  const std::lock_guard lock(of.mutex);
  auto work = std::make_shared<WorkOrder>();
  work->known = of.host;
  for (const auto& [id, other] : of.all) {
    if (follows(stream, other.as)) join(work->known, other.known);
  }
  if (event != nullptr) {
    join(work->known, event->known);
    auto& known = work->known[event->stream];
    known = std::max(known, event->number);
  }
  Stream& mine = of.all[stream.id];
  of.several = of.several || of.all.size() > 1;
  mine.as = stream;
  work->stream = stream.id;
  work->number = ++mine.number;
  if (kind == WorkKind::overlapping_kernel && mine.last_kernel != nullptr) {
    // It begins when the one before it allows that, which has begun then.
    const WorkOrder& before = *mine.last_kernel;
    auto at_begin = std::make_shared<WorkOrder>();
    at_begin->stream = work->stream;
    at_begin->number = work->number;
    at_begin->overlaps = true;
    at_begin->known = before.at_begin != nullptr ? before.at_begin->known : before.known;
    join(at_begin->known, of.host);
    for (const auto& [id, other] : of.all) {
      if (id != stream.id && follows(stream, other.as)) join(at_begin->known, other.known);
    }
    work->at_begin = std::move(at_begin);
  }
  mine.known = work->known;
  mine.known[stream.id] = mine.number;
  mine.last_kernel = kind == WorkKind::other ? nullptr : work;
  return work;
}

void host_waited_for(const WorkOrderRef& work) {
  if (work == nullptr) return;
  Streams& of = streams();
  const std::lock_guard lock(of.mutex);
  ++of.host_waits;
  join(of.host, work->known);
  auto& known = of.host[work->stream];
  known = std::max(known, work->number);
}

void host_waited_for(const StreamOrder& stream) {
  Streams& of = streams();
  const std::lock_guard lock(of.mutex);
  ++of.host_waits;
  for (const auto& [id, other] : of.all) {
    if (id == stream.id || (stream.legacy && follows(stream, other.as))) {
      join(of.host, other.known);
    }
  }
}

void host_waited_for_device(int device) {
  Streams& of = streams();
  const std::lock_guard lock(of.mutex);
  ++of.host_waits;
  // Below 0: for all devices.
  for (const auto& [id, other] : of.all) {
    if (device < 0 || other.as.device == device) join(of.host, other.known);
  }
}

std::uint64_t host_waits() {
  Streams& of = streams();
  const std::lock_guard lock(of.mutex);
  return of.host_waits;
}

bool host_knows(const WorkOrder& work) {
  Streams& of = streams();
  const std::lock_guard lock(of.mutex);
  const auto found = of.host.find(work.stream);
  return found != of.host.end() && found->second >= work.number;
}

bool has_several_streams() {
  const std::lock_guard lock(streams().mutex);
  return streams().several;
}

bool is_of_graph(const WorkOrder& work) { return work.stream >= first_node; }

GraphOrder::GraphOrder(WorkOrderRef launch) : launch_(std::move(launch)) {}

WorkOrderRef GraphOrder::add(const std::vector<WorkOrderRef>& before) {
  if (launch_ == nullptr) return nullptr;
  Streams& of = streams();
  const std::lock_guard lock(of.mutex);
  of.several = true;
  auto work = std::make_shared<WorkOrder>();
  work->stream = of.next_node++;
  work->number = 1;
  work->known = launch_->known;
  work->known[launch_->stream] = launch_->number;
  for (const WorkOrderRef& one : before) {
    if (one == nullptr) continue;
    join(work->known, one->known);
    work->known[one->stream] = one->number;
  }
  nodes_.push_back(work);
  return work;
}

GraphOrder::~GraphOrder() {
  if (launch_ == nullptr) return;
  Streams& of = streams();
  const std::lock_guard lock(of.mutex);
  const auto stream = of.all.find(launch_->stream);
  for (const WorkOrderRef& node : nodes_) {
    if (stream != of.all.end()) stream->second.known[node->stream] = node->number;
  }
}

WorkOrderRef current_work() { return current; }

CurrentWork::CurrentWork(WorkOrderRef work) : before_(std::exchange(current, std::move(work))) {}
CurrentWork::~CurrentWork() { current = std::move(before_); }

}  // namespace softgpu::check
