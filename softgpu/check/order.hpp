// The order of the work of streams, by vector clocks over streams: which kernel, copy or set is
// ordered before which other, by the order of a stream, by events, by the rules of the legacy
// default stream, and by what the host waited for (CUDA C++ Programming Guide, "Asynchronous
// Concurrent Execution"). The software GPU runs nearly all work at once, one after the other; that
// says nothing about the order that the program can rely on.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace softgpu::check {

// A piece of work: number n of its stream; and of each stream the last piece that is ordered before
// it.
struct WorkOrder;
using WorkOrderRef = std::shared_ptr<const WorkOrder>;
struct WorkOrder {
  std::uint64_t stream = 0;
  std::uint64_t number = 0;
  std::map<std::uint64_t, std::uint64_t> known;
  bool overlaps = false;  // the work before it in its stream counts only where `known` has it
  // Of a kernel that may begin before the one before it in its stream has ended (programmatic
  // dependent launch): what its threads know before they have waited for that by
  // griddepcontrol.wait. nullptr for other work.
  WorkOrderRef at_begin;
};

[[nodiscard]] bool is_before(const WorkOrder& a, const WorkOrder& b);

struct StreamOrder {
  std::uint64_t id = 0;
  int device = 0;
  bool legacy = false;    // waits for blocking streams, and they for it
  bool blocking = false;  // of a stream that waits for the legacy one
};

enum class WorkKind : std::uint8_t {
  other,
  kernel,
  overlapping_kernel,  // which may begin before a kernel that comes before it has ended
};

// A piece of work is enqueued; `event` is the work that an event was recorded behind, where it
// waits for one.
[[nodiscard]] WorkOrderRef enqueue(const StreamOrder& stream, const WorkOrderRef& event,
                                   WorkKind kind);
// The host has waited for a piece of work, for a stream, for a device.
void host_waited_for(const WorkOrderRef& work);
void host_waited_for(const StreamOrder& stream);
void host_waited_for_device(int device);
// How often the host has waited so far.
[[nodiscard]] std::uint64_t host_waits();
// True where the host has waited for the piece of work, or for one after it.
[[nodiscard]] bool host_knows(const WorkOrder& work);

// True once work was enqueued in a second stream, or in a graph: before, all is in one order.
[[nodiscard]] bool has_several_streams();

// True for the work of a graph's node.
[[nodiscard]] bool is_of_graph(const WorkOrder& work);

// The nodes of a graph that `launch` runs: each in an order of its own, after those that it depends
// on. What comes after the launch in its stream comes after all of them.
class GraphOrder {
 public:
  explicit GraphOrder(WorkOrderRef launch);
  ~GraphOrder();
  GraphOrder(const GraphOrder&) = delete;
  GraphOrder& operator=(const GraphOrder&) = delete;
  // The order of a node, given those of the nodes that it depends on.
  [[nodiscard]] WorkOrderRef add(const std::vector<WorkOrderRef>& before);

 private:
  WorkOrderRef launch_;
  std::vector<WorkOrderRef> nodes_;
};

// The work that runs on this thread now; nullptr where there is none.
[[nodiscard]] WorkOrderRef current_work();
class CurrentWork {
 public:
  explicit CurrentWork(WorkOrderRef work);
  ~CurrentWork();
  CurrentWork(const CurrentWork&) = delete;
  CurrentWork& operator=(const CurrentWork&) = delete;

 private:
  WorkOrderRef before_;
};

}  // namespace softgpu::check
