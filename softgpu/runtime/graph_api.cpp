// The interface of graphs: making and changing them, instances that run, and user objects.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "softgpu/exec/device_runtime.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/models.hpp"
#include "softgpu/profile/recorder.hpp"
#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/graph.hpp"
#include "softgpu/runtime/module.hpp"
#include "softgpu/runtime/pool.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/stream.hpp"
#include "softgpu/runtime/user_object.hpp"

namespace softgpu::cuda {
namespace {

// A graph that can be launched: a copy, in which nodes may be given other parameters.
struct GraphExec {
  std::shared_ptr<Graph> graph;
  unsigned long long flags = 0;
  std::unordered_map<const GraphNode*, GraphNode*> copies;  // by the node it was copied from
  std::unordered_set<const GraphNode*> disabled;
  std::vector<GraphNode*> order;
  std::mutex mutex;
};

// Bytes that graphs have allocated, and those and what is kept for the next launch.
struct MemoryUse {
  std::uint64_t used = 0;
  std::uint64_t used_high = 0;
  std::uint64_t reserved = 0;
  std::uint64_t reserved_high = 0;
};

struct Table {
  std::mutex mutex;
  std::unordered_set<const void*> execs;
  std::unordered_set<const void*> objects;
  std::unordered_map<void*, GraphMemory*> memory;  // of allocation nodes
  // Memory whose graph is gone, and which the program has not freed.
  std::unordered_map<void*, std::unique_ptr<GraphMemory>> left_over;
  std::map<int, MemoryUse> memory_use;  // by device
};
Table& table() {
  static auto* table = new Table;
  return *table;
}

GraphExec& find_exec(cudaGraphExec_t handle) {
  const std::scoped_lock lock(table().mutex);
  require(table().execs.contains(handle), "the executable graph is not one, or was destroyed");
  return *reinterpret_cast<GraphExec*>(handle);
}

UserObject& find_object(cudaUserObject_t handle) {
  const std::scoped_lock lock(table().mutex);
  require(table().objects.contains(handle), "the user object is not one, or was destroyed");
  return *reinterpret_cast<UserObject*>(handle);
}

cudaGraphNode_t handle_of(GraphNode* node) { return reinterpret_cast<cudaGraphNode_t>(node); }

std::vector<GraphNode*> find_nodes(const cudaGraphNode_t* handles, std::size_t count,
                                   const Graph& graph) {
  require(handles != nullptr || count == 0,
          "the list of dependencies is a null pointer although its length is not 0");
  std::vector<GraphNode*> nodes;
  for (std::size_t i = 0; i < count; ++i) {
    GraphNode& node = find_node(handles[i]);
    require(node.graph == &graph, "a dependency is a node of another graph");
    require(std::ranges::find(nodes, &node) == nodes.end(),
            "a node is named twice among the dependencies");
    nodes.push_back(&node);
  }
  return nodes;
}

template <class Make>
cudaError_t add_node(cudaGraphNode_t* out, cudaGraph_t graph_handle,
                     const cudaGraphNode_t* dependencies, std::size_t count, Make&& make,
                     const cudaGraphEdgeData* edges = nullptr) {
  return device_api([&] {
    require_pointer(out, "out");
    const std::shared_ptr<Graph> graph = find_graph(graph_handle);
    const auto before = find_nodes(dependencies, count, *graph);
    Work work = make();
    check_work(work, thread().device);
    *out = handle_of(&graph->add(std::move(work), before, edges));
    return cudaSuccess;
  });
}

template <class Kind>
Kind& work_of(GraphNode& node) {
  Kind* work = std::get_if<Kind>(&node.work);
  require_pointer(work, "work");
  return *work;
}

// The instance's copy of a node of the graph that it was made from.
GraphNode& node_in(GraphExec& exec, cudaGraphNode_t handle) {
  const auto found = exec.copies.find(&find_node(handle));
  require(found != exec.copies.end(),
          "the executable graph was not made from the graph of this node");
  return *found->second;
}

template <class Kind>
cudaError_t set_work(GraphNode& node, Kind work) {
  static_cast<void>(work_of<Kind>(node));
  check_work(work, thread().device);
  node.work = std::move(work);
  return cudaSuccess;
}

KernelWork kernel_work(const cudaKernelNodeParams& parameters) {
  return make_kernel_work(find_function(parameters.func), parameters.gridDim, parameters.blockDim,
                          parameters.sharedMemBytes, parameters.kernelParams, parameters.extra);
}

// Replaces a kernel node's parameters and keeps its attributes.
cudaError_t set_kernel(GraphNode& node, const cudaKernelNodeParams& parameters) {
  KernelWork work = kernel_work(parameters);
  work.attributes = work_of<KernelWork>(node).attributes;
  return set_work(node, std::move(work));
}

MemsetWork memset_work(const cudaMemsetParams& parameters) {
  MemsetWork work;
  work.set = parameters;
  return work;
}

HostWork host_work(const cudaHostNodeParams& parameters) {
  require_pointer(parameters.fn, "parameters.fn");
  HostWork work;
  work.function = parameters.fn;
  work.data = parameters.userData;
  return work;
}

ChildWork child_work(cudaGraph_t child) {
  auto copy = find_graph(child)->copy();
  know_child_graph(copy);
  return ChildWork{std::move(copy)};
}

// A node that records an event, or waits for one.
template <class Kind>
Kind event_work(cudaEvent_t event) {
  static_cast<void>(find_event(event));
  return Kind{event};
}

template <class Kind>
cudaError_t get_event(cudaGraphNode_t node, cudaEvent_t* out) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = work_of<Kind>(find_node(node)).event;
    return cudaSuccess;
  });
}

FreeWork free_work(void* address) {
  require_pointer(address, "address");
  const std::scoped_lock lock(table().mutex);
  require(table().memory.contains(address), "the address is not what an allocation node returned");
  return FreeWork{address};
}

ConditionalWork conditional_work(cudaConditionalNodeParams& parameters) {
  std::uint32_t value = 0;
  require(get_conditional(parameters.handle, value),
          "the handle is no conditional handle of a living graph");
  require(parameters.type >= cudaGraphCondTypeIf && parameters.type <= cudaGraphCondTypeSwitch,
          "there is no conditional node of this type");
  constexpr unsigned most_bodies = 1 << 16;
  require(parameters.size >= 1, "a conditional node has to have a body");
  require(parameters.size <= most_bodies, "the conditional node has too many bodies");
  require((parameters.type != cudaGraphCondTypeIf || parameters.size <= 2),
          "a node of type if has one or two bodies");
  require((parameters.type != cudaGraphCondTypeWhile || parameters.size == 1),
          "a node of type while has one body");
  ConditionalWork work;
  work.handle = parameters.handle;
  work.type = parameters.type;
  work.handles = std::make_shared<std::vector<cudaGraph_t>>();
  for (unsigned i = 0; i < parameters.size; ++i) {
    work.bodies.push_back(std::make_shared<Graph>());
    know_child_graph(work.bodies.back());
    work.handles->push_back(reinterpret_cast<cudaGraph_t>(work.bodies.back().get()));
  }
  parameters.phGraph_out = work.handles->data();
  return work;
}

Work work_from(cudaGraphNodeParams& parameters) {
  switch (parameters.type) {
    case cudaGraphNodeTypeKernel: {
      cudaKernelNodeParams kernel{};
      kernel.func = parameters.kernel.func;
      kernel.gridDim = parameters.kernel.gridDim;
      kernel.blockDim = parameters.kernel.blockDim;
      kernel.sharedMemBytes = parameters.kernel.sharedMemBytes;
      kernel.kernelParams = parameters.kernel.kernelParams;
      kernel.extra = parameters.kernel.extra;
      return kernel_work(kernel);
    }
    case cudaGraphNodeTypeMemcpy: return CopyWork{parameters.memcpy.copyParams};
    case cudaGraphNodeTypeMemset: {
      const auto& set = parameters.memset;
      return memset_work({set.dst, set.pitch, set.value, set.elementSize, set.width, set.height});
    }
    case cudaGraphNodeTypeHost: return host_work({parameters.host.fn, parameters.host.userData});
    case cudaGraphNodeTypeGraph: return child_work(parameters.graph.graph);
    case cudaGraphNodeTypeEmpty: return EmptyWork{};
    case cudaGraphNodeTypeWaitEvent: return event_work<EventWaitWork>(parameters.eventWait.event);
    case cudaGraphNodeTypeEventRecord:
      return event_work<EventRecordWork>(parameters.eventRecord.event);
    case cudaGraphNodeTypeMemAlloc: {
      cudaMemAllocNodeParams alloc{};
      alloc.poolProps = parameters.alloc.poolProps;
      alloc.bytesize = parameters.alloc.bytesize;
      AllocWork work = make_alloc_work(alloc);
      parameters.alloc.dptr = work.parameters.dptr;
      return work;
    }
    case cudaGraphNodeTypeMemFree: return free_work(parameters.free.dptr);
    case cudaGraphNodeTypeConditional: return conditional_work(parameters.conditional);
    // Semaphores belong to other interfaces.
    default:
      throw ApiError(cudaErrorNotSupported, "nodes of this type are not there in the software GPU");
  }
}

void link(GraphExec& exec) {
  exec.copies.clear();
  for (const auto& node : exec.graph->nodes) exec.copies[node->copied_from] = node.get();
  exec.order = exec.graph->ordered();
}

cudaError_t instantiate(cudaGraphExec_t* out, cudaGraph_t graph_handle, unsigned long long flags) {
  require_pointer(out, "out");
  require(flags <= 15, "flags has bits that do not exist");
  require((flags & cudaGraphInstantiateFlagDeviceLaunch) == 0, cudaErrorNotSupported,
          "graphs that kernels launch are not there in the software GPU");
  const std::shared_ptr<Graph> graph = find_graph(graph_handle);
  auto exec = std::make_unique<GraphExec>();
  exec->graph = graph->copy();
  exec->flags = flags;
  link(*exec);
  const std::scoped_lock lock(table().mutex);
  table().execs.insert(exec.get());
  *out = reinterpret_cast<cudaGraphExec_t>(exec.release());
  return cudaSuccess;
}

// Gives a list of handles as the interface does: as many as fit, or their number.
void give(const std::vector<GraphNode*>& nodes, cudaGraphNode_t* out, std::size_t* count) {
  require_pointer(count, "count");
  if (out == nullptr) {
    *count = nodes.size();
    return;
  }
  for (std::size_t i = 0; i < *count; ++i)
    out[i] = i < nodes.size() ? handle_of(nodes[i]) : nullptr;
  *count = std::min(*count, nodes.size());
}

constexpr cudaGraphNodeType type_of(const Work& work) {
  constexpr cudaGraphNodeType types[] = {
      cudaGraphNodeTypeKernel,    cudaGraphNodeTypeMemcpy,      cudaGraphNodeTypeMemset,
      cudaGraphNodeTypeHost,      cudaGraphNodeTypeGraph,       cudaGraphNodeTypeEmpty,
      cudaGraphNodeTypeWaitEvent, cudaGraphNodeTypeEventRecord, cudaGraphNodeTypeMemAlloc,
      cudaGraphNodeTypeMemFree,   cudaGraphNodeTypeConditional};
  static_assert(std::variant_size_v<Work> == std::size(types));
  return types[work.index()];
}

const char* type_name(const Work& work) {
  constexpr const char* names[] = {"KERNEL",    "MEMCPY",   "MEMSET",     "HOST",
                                   "GRAPH",     "EMPTY",    "EVENT_WAIT", "EVENT_RECORD",
                                   "MEM_ALLOC", "MEM_FREE", "CONDITIONAL"};
  static_assert(std::variant_size_v<Work> == std::size(names));
  return names[work.index()];
}

// Takes over the parameters of `graph` where it has the shape of the instance; says why not.
void update(GraphExec& exec, const Graph& graph, cudaGraphExecUpdateResultInfo& info) {
  const auto differs = [&](cudaGraphExecUpdateResult result, GraphNode* node) {
    info.result = result;
    info.errorNode = handle_of(node);
    throw ApiError(cudaErrorGraphExecUpdateFailure,
                   "the graph differs in more than parameters from the one that was instantiated "
                   "(resultInfo says where)");
  };
  if (graph.nodes.size() != exec.graph->nodes.size()) {
    differs(cudaGraphExecUpdateErrorTopologyChanged, nullptr);
  }
  // Nodes are matched in the order of making, as a repeated capture gives them.
  std::unordered_map<const GraphNode*, std::size_t> place;
  std::unordered_map<const GraphNode*, std::size_t> own_place;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    place[graph.nodes[i].get()] = i;
    own_place[exec.graph->nodes[i].get()] = i;
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    GraphNode& from = *graph.nodes[i];
    const GraphNode& to = *exec.graph->nodes[i];
    if (from.work.index() != to.work.index()) {
      differs(cudaGraphExecUpdateErrorNodeTypeChanged, &from);
    }
    std::set<std::size_t> wanted;
    std::set<std::size_t> present;
    for (const GraphNode* node : from.dependencies) wanted.insert(place[node]);
    for (const GraphNode* node : to.dependencies) present.insert(own_place[node]);
    if (wanted != present) differs(cudaGraphExecUpdateErrorTopologyChanged, &from);
    if (std::holds_alternative<AllocWork>(from.work) ||
        std::holds_alternative<FreeWork>(from.work)) {
      differs(cudaGraphExecUpdateErrorNotSupported, &from);
    }
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    GraphNode& to = *exec.graph->nodes[i];
    to.work = graph.nodes[i]->work;
    copy_contained_graphs(to.work);
    to.copied_from = graph.nodes[i].get();
    exec.copies[graph.nodes[i].get()] = &to;  // beside the nodes of the first graph
  }
}

cudaError_t launch_graph(cudaGraphExec_t handle, cudaStream_t stream_handle) {
  GraphExec& exec = find_exec(handle);
  Stream& stream = find_stream(stream_handle);
  if (is_capturing(stream)) {
    // In a capture a launch becomes a child graph.
    auto copy = exec.graph->copy();
    know_child_graph(copy);
    submit(ChildWork{std::move(copy)}, stream_handle);
    return cudaSuccess;
  }
  check_legacy_use(stream);
  Device& of = device(stream.device);
  if (of.pending.load() != 0 || of.sticky.load() != 0) return cudaSuccess;
  const std::scoped_lock one_at_a_time(exec.mutex);
  Turn turn(stream);
  turn.wait();
  for (GraphNode* node : exec.order) {
    const auto* alloc = std::get_if<AllocWork>(&node->work);
    if (alloc == nullptr || !alloc->memory->allocated) continue;
    require((exec.flags & cudaGraphInstantiateFlagAutoFreeOnLaunch) != 0,
            "memory that an earlier launch of the graph allocated has not been freed "
            "(cudaGraphInstantiateFlagAutoFreeOnLaunch frees it)");
    static_cast<void>(free_graph_memory(alloc->memory->address, FreedBy::node));
  }
  reset_conditionals(*exec.graph);
  const check::CurrentWork whole(turn.task()->order);
  const profile::CurrentWork profiled(turn.task().get());
  NodeOrders orders;
  for (GraphNode* node : exec.order) {
    const check::CurrentWork current(orders.of(*node));
    if (exec.disabled.contains(node)) continue;
    if (of.pending.load() != 0) break;
    finish(execute(node->work, stream.device));
  }
  return cudaSuccess;
}

}  // namespace

void remember_graph_memory(GraphMemory& memory) {
  const std::scoped_lock lock(table().mutex);
  table().memory[memory.address] = &memory;
}

void allocate_graph_memory(GraphMemory& memory) {
  const std::scoped_lock lock(table().mutex);
  if (memory.allocated) return;
  memory.allocated = true;
  Memory::instance().withhold(memory.address, false);
  MemoryUse& use = table().memory_use[memory.device];
  use.used += memory.bytes;
  use.used_high = std::max(use.used_high, use.used);
  use.reserved = std::max(use.reserved, use.used);
  use.reserved_high = std::max(use.reserved_high, use.reserved);
}

bool free_graph_memory(void* address, FreedBy whom) {
  const std::scoped_lock lock(table().mutex);
  const auto left = table().left_over.find(address);
  const auto found = table().memory.find(address);
  if (left == table().left_over.end() && found == table().memory.end()) return false;
  GraphMemory& memory = found == table().memory.end() ? *left->second : *found->second;
  require(memory.allocated,
          "the memory is a graph's, which no launch has allocated so far, or which was freed");
  memory.allocated = false;
  Memory::instance().withhold(address, true);
  MemoryUse& use = table().memory_use[memory.device];
  use.used -= std::min<std::uint64_t>(use.used, memory.bytes);
  if (whom == FreedBy::program) {
    use.reserved =
        std::max(use.used, use.reserved - std::min<std::uint64_t>(use.reserved, memory.bytes));
  }
  if (left != table().left_over.end()) {
    Memory::instance().withhold(address, false);
    Memory::instance().release(address);
    memory.address = nullptr;
    table().left_over.erase(left);
  }
  return true;
}

GraphMemory::~GraphMemory() {
  if (address == nullptr) return;
  {
    const std::scoped_lock lock(table().mutex);
    table().memory.erase(address);
    if (allocated) {
      auto rest = std::make_unique<GraphMemory>();
      rest->address = address;
      rest->bytes = bytes;
      rest->device = device;
      rest->allocated = true;
      table().left_over[address] = std::move(rest);
      return;
    }
  }
  Memory::instance().withhold(address, false);
  Memory::instance().release(address);
}

void retain_user_object(UserObject& object, unsigned count) {
  const std::scoped_lock lock(table().mutex);
  object.references += count;
}

void release_user_object(UserObject& object, unsigned count) {
  {
    const std::scoped_lock lock(table().mutex);
    object.references -= count;
    if (object.references > 0) return;
    table().objects.erase(&object);
  }
  if (object.destroy != nullptr) object.destroy(object.resource);
  delete &object;
}

extern "C" {

// --- graphs -------------------------------------------------------------------------------------

cudaError_t cudaGraphCreate(cudaGraph_t* out, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require(flags == 0, "flags has to be 0");
    *out = publish_graph(std::make_shared<Graph>());
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return api([&] {
    forget_graph(graph);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphClone(cudaGraph_t* out, cudaGraph_t original) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = publish_graph(find_graph(original)->copy());
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeFindInClone(cudaGraphNode_t* out, cudaGraphNode_t original,
                                     cudaGraph_t clone) {
  return device_api([&] {
    require_pointer(out, "out");
    const GraphNode& wanted = find_node(original);
    for (const auto& node : find_graph(clone)->nodes) {
      if (node->copied_from == &wanted) {
        *out = handle_of(node.get());
        return cudaSuccess;
      }
    }
    throw ApiError(cudaErrorInvalidValue, "the graph was not cloned from the node's graph");
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* out, std::size_t* count) {
  return device_api([&] {
    std::vector<GraphNode*> nodes;
    for (const auto& node : find_graph(graph)->nodes) nodes.push_back(node.get());
    give(nodes, out, count);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphGetRootNodes(cudaGraph_t graph, cudaGraphNode_t* out, std::size_t* count) {
  return device_api([&] {
    std::vector<GraphNode*> nodes;
    for (const auto& node : find_graph(graph)->nodes) {
      if (node->dependencies.empty()) nodes.push_back(node.get());
    }
    give(nodes, out, count);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphGetEdges(cudaGraph_t graph, cudaGraphNode_t* from, cudaGraphNode_t* to,
                              cudaGraphEdgeData* data, std::size_t* count) {
  return device_api([&] {
    require_pointer(count, "count");
    require((from == nullptr) == (to == nullptr), "only one of the lists from and to is given");
    std::size_t n = 0;
    for (const auto& node : find_graph(graph)->nodes) {
      for (std::size_t i = 0; i < node->dependencies.size(); ++i, ++n) {
        if (from == nullptr || n >= *count) continue;
        from[n] = handle_of(node->dependencies[i]);
        to[n] = handle_of(node.get());
        if (data != nullptr) data[n] = node->edges[i];
      }
    }
    if (from != nullptr) {
      for (std::size_t i = n; i < *count; ++i) from[i] = to[i] = nullptr;
    }
    *count = from == nullptr ? n : std::min(n, *count);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t handle, cudaGraphNode_t* out,
                                         cudaGraphEdgeData* data, std::size_t* count) {
  return device_api([&] {
    const GraphNode& node = find_node(handle);
    give(node.dependencies, out, count);
    if (out != nullptr && data != nullptr) std::copy_n(node.edges.begin(), *count, data);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetDependentNodes(cudaGraphNode_t handle, cudaGraphNode_t* out,
                                           cudaGraphEdgeData* data, std::size_t* count) {
  return device_api([&] {
    const GraphNode& node = find_node(handle);
    std::vector<GraphNode*> nodes;
    std::vector<cudaGraphEdgeData> edges;
    for (const auto& other : node.graph->nodes) {
      for (std::size_t i = 0; i < other->dependencies.size(); ++i) {
        if (other->dependencies[i] != &node) continue;
        nodes.push_back(other.get());
        edges.push_back(other->edges[i]);
      }
    }
    give(nodes, out, count);
    if (out != nullptr && data != nullptr) std::copy_n(edges.begin(), *count, data);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphAddDependencies(cudaGraph_t graph_handle, const cudaGraphNode_t* from,
                                     const cudaGraphNode_t* to, const cudaGraphEdgeData* data,
                                     std::size_t count) {
  return device_api([&] {
    const std::shared_ptr<Graph> graph = find_graph(graph_handle);
    require((from != nullptr && to != nullptr) || count == 0,
            "a list of nodes is a null pointer although its length is not 0");
    for (std::size_t i = 0; i < count; ++i) {
      GraphNode& before = find_node(from[i]);
      GraphNode& after = find_node(to[i]);
      require(before.graph == graph.get() && after.graph == graph.get(),
              "a node belongs to another graph");
      require(&before != &after, "a node cannot depend on itself");
      require(std::ranges::find(after.dependencies, &before) == after.dependencies.end(),
              "the dependency exists already");
      after.dependencies.push_back(&before);
      after.edges.push_back(data != nullptr ? data[i] : cudaGraphEdgeData{});
    }
    return cudaSuccess;
  });
}

cudaError_t cudaGraphRemoveDependencies(cudaGraph_t graph_handle, const cudaGraphNode_t* from,
                                        const cudaGraphNode_t* to, const cudaGraphEdgeData*,
                                        std::size_t count) {
  return device_api([&] {
    const std::shared_ptr<Graph> graph = find_graph(graph_handle);
    require((from != nullptr && to != nullptr) || count == 0,
            "a list of nodes is a null pointer although its length is not 0");
    for (std::size_t i = 0; i < count; ++i) {
      GraphNode& before = find_node(from[i]);
      GraphNode& after = find_node(to[i]);
      const auto at = std::ranges::find(after.dependencies, &before);
      require(at != after.dependencies.end(), "there is no such dependency to remove");
      after.edges.erase(after.edges.begin() + (at - after.dependencies.begin()));
      after.dependencies.erase(at);
    }
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroyNode(cudaGraphNode_t handle) {
  return device_api([&] {
    GraphNode& node = find_node(handle);
    require(!std::holds_alternative<AllocWork>(node.work) &&
                !std::holds_alternative<FreeWork>(node.work),
            cudaErrorNotSupported,
            "a graph with nodes that allocate or free memory keeps its nodes and dependencies");
    node.graph->remove(node);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  return device_api([&] {
    require_pointer(type, "type");
    *type = type_of(find_node(node).work);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDebugDotPrint(cudaGraph_t graph, const char* path, unsigned) {
  return device_api([&] {
    require_pointer(path, "path");
    std::ofstream out(path);
    require(static_cast<bool>(out), cudaErrorOperatingSystem, "the file cannot be written");
    const std::shared_ptr<Graph> shown = find_graph(graph);
    out << "digraph graph_" << shown->id << " {\n";
    for (const auto& node : shown->nodes) {
      out << "  node_" << node->id << " [label=\"" << type_name(node->work);
      if (const auto* kernel = std::get_if<KernelWork>(&node->work)) {
        out << "\\n" << kernel->function->name;
      }
      out << "\"];\n";
      for (const GraphNode* before : node->dependencies) {
        out << "  node_" << before->id << " -> node_" << node->id << ";\n";
      }
    }
    out << "}\n";
    return cudaSuccess;
  });
}

cudaError_t cudaGraphConditionalHandleCreate(cudaGraphConditionalHandle* out, cudaGraph_t graph,
                                             unsigned default_value, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require((flags & ~static_cast<unsigned>(cudaGraphCondAssignDefault)) == 0,
            "flags has bits other than cudaGraphCondAssignDefault");
    auto conditional = std::make_shared<Conditional>(default_value, flags != 0);
    *out = conditional->handle;
    find_graph(graph)->conditionals.push_back(std::move(conditional));
    return cudaSuccess;
  });
}

// --- nodes --------------------------------------------------------------------------------------

cudaError_t cudaGraphAddNode(cudaGraphNode_t* out, cudaGraph_t graph,
                             const cudaGraphNode_t* dependencies, const cudaGraphEdgeData* edges,
                             std::size_t count, cudaGraphNodeParams* parameters) {
  return add_node(
      out, graph, dependencies, count,
      [&] {
        require_pointer(parameters, "parameters");
        return work_from(*parameters);
      },
      edges);
}

cudaError_t cudaGraphNodeSetParams(cudaGraphNode_t handle, cudaGraphNodeParams* parameters) {
  return device_api([&] {
    require_pointer(parameters, "parameters");
    GraphNode& node = find_node(handle);
    require(type_of(node.work) == parameters->type, "the parameters are for another type of node");
    Work work = work_from(*parameters);
    check_work(work, thread().device);
    node.work = std::move(work);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t handle,
                                       cudaGraphNodeParams* parameters) {
  return device_api([&] {
    require_pointer(parameters, "parameters");
    GraphNode& node = node_in(find_exec(exec), handle);
    require(type_of(node.work) == parameters->type, "the parameters are for another type of node");
    Work work = work_from(*parameters);
    check_work(work, thread().device);
    node.work = std::move(work);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                   const cudaGraphNode_t* dependencies, std::size_t count,
                                   const cudaKernelNodeParams* parameters) {
  return add_node(out, graph, dependencies, count, [&] {
    require_pointer(parameters, "parameters");
    return kernel_work(*parameters);
  });
}

cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t handle, cudaKernelNodeParams* out) {
  return device_api([&] {
    require_pointer(out, "out");
    KernelWork& work = work_of<KernelWork>(find_node(handle));
    *out = {};
    out->func = work.function;
    out->gridDim = work.grid;
    out->blockDim = work.block;
    out->sharedMemBytes = static_cast<unsigned>(work.shared);
    // The addresses of the arguments stay with the node.
    const Code& code = work.function->module.code(*work.function, thread().device);
    work.arguments.clear();
    for (const ParamSlot& parameter : code.parameters) {
      work.arguments.push_back(work.parameters.data() + parameter.offset);
    }
    out->kernelParams = work.arguments.empty() ? nullptr : work.arguments.data();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphKernelNodeSetParams(cudaGraphNode_t node,
                                         const cudaKernelNodeParams* parameters) {
  return device_api([&] {
    require_pointer(parameters, "parameters");
    return set_kernel(find_node(node), *parameters);
  });
}

cudaError_t cudaGraphKernelNodeCopyAttributes(cudaGraphNode_t to, cudaGraphNode_t from) {
  return device_api([&] {
    work_of<KernelWork>(find_node(to)).attributes = work_of<KernelWork>(find_node(from)).attributes;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphKernelNodeGetAttribute(cudaGraphNode_t node, cudaLaunchAttributeID id,
                                            cudaLaunchAttributeValue* value) {
  return device_api([&] {
    require_pointer(value, "value");
    require(id > cudaLaunchAttributeIgnore && id <= cudaLaunchAttributeNvlinkUtilCentricScheduling,
            "there is no launch attribute of this number");
    const auto& attributes = work_of<KernelWork>(find_node(node)).attributes;
    const auto found = attributes.find(id);
    *value = found == attributes.end() ? cudaLaunchAttributeValue{} : found->second;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphKernelNodeSetAttribute(cudaGraphNode_t node, cudaLaunchAttributeID id,
                                            const cudaLaunchAttributeValue* value) {
  return device_api([&] {
    require_pointer(value, "value");
    require(id > cudaLaunchAttributeIgnore && id <= cudaLaunchAttributeNvlinkUtilCentricScheduling,
            "there is no launch attribute of this number");
    KernelWork& work = work_of<KernelWork>(find_node(node));
    KernelWork changed = work;
    changed.attributes[id] = *value;
    check_work(changed, thread().device);
    work = std::move(changed);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphAddMemcpyNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                   const cudaGraphNode_t* dependencies, std::size_t count,
                                   const cudaMemcpy3DParms* copy) {
  return add_node(out, graph, dependencies, count, [&] {
    require_pointer(copy, "copy");
    return CopyWork{*copy};
  });
}

cudaError_t cudaGraphAddMemcpyNode1D(cudaGraphNode_t* out, cudaGraph_t graph,
                                     const cudaGraphNode_t* dependencies, std::size_t count,
                                     void* to, const void* from, std::size_t bytes,
                                     cudaMemcpyKind kind) {
  return add_node(out, graph, dependencies, count,
                  [&] { return make_copy(to, from, bytes, kind); });
}

cudaError_t cudaGraphAddMemcpyNodeToSymbol(cudaGraphNode_t* out, cudaGraph_t graph,
                                           const cudaGraphNode_t* dependencies, std::size_t count,
                                           const void* symbol, const void* from, std::size_t bytes,
                                           std::size_t offset, cudaMemcpyKind kind) {
  return add_node(out, graph, dependencies, count,
                  [&] { return copy_to_symbol(symbol, from, bytes, offset, kind); });
}

cudaError_t cudaGraphAddMemcpyNodeFromSymbol(cudaGraphNode_t* out, cudaGraph_t graph,
                                             const cudaGraphNode_t* dependencies, std::size_t count,
                                             void* to, const void* symbol, std::size_t bytes,
                                             std::size_t offset, cudaMemcpyKind kind) {
  return add_node(out, graph, dependencies, count,
                  [&] { return copy_from_symbol(to, symbol, bytes, offset, kind); });
}

cudaError_t cudaGraphMemcpyNodeGetParams(cudaGraphNode_t node, cudaMemcpy3DParms* out) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = work_of<CopyWork>(find_node(node)).copy;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphMemcpyNodeSetParams(cudaGraphNode_t node, const cudaMemcpy3DParms* copy) {
  return device_api([&] {
    require_pointer(copy, "copy");
    return set_work(find_node(node), CopyWork{*copy});
  });
}

cudaError_t cudaGraphMemcpyNodeSetParams1D(cudaGraphNode_t node, void* to, const void* from,
                                           std::size_t bytes, cudaMemcpyKind kind) {
  return device_api([&] { return set_work(find_node(node), make_copy(to, from, bytes, kind)); });
}

cudaError_t cudaGraphMemcpyNodeSetParamsToSymbol(cudaGraphNode_t node, const void* symbol,
                                                 const void* from, std::size_t bytes,
                                                 std::size_t offset, cudaMemcpyKind kind) {
  return device_api(
      [&] { return set_work(find_node(node), copy_to_symbol(symbol, from, bytes, offset, kind)); });
}

cudaError_t cudaGraphMemcpyNodeSetParamsFromSymbol(cudaGraphNode_t node, void* to,
                                                   const void* symbol, std::size_t bytes,
                                                   std::size_t offset, cudaMemcpyKind kind) {
  return device_api(
      [&] { return set_work(find_node(node), copy_from_symbol(to, symbol, bytes, offset, kind)); });
}

cudaError_t cudaGraphAddMemsetNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                   const cudaGraphNode_t* dependencies, std::size_t count,
                                   const cudaMemsetParams* set) {
  return add_node(out, graph, dependencies, count, [&] {
    require_pointer(set, "set");
    return memset_work(*set);
  });
}

cudaError_t cudaGraphMemsetNodeGetParams(cudaGraphNode_t node, cudaMemsetParams* out) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = work_of<MemsetWork>(find_node(node)).set;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphMemsetNodeSetParams(cudaGraphNode_t node, const cudaMemsetParams* set) {
  return device_api([&] {
    require_pointer(set, "set");
    return set_work(find_node(node), memset_work(*set));
  });
}

cudaError_t cudaGraphAddHostNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                 const cudaGraphNode_t* dependencies, std::size_t count,
                                 const cudaHostNodeParams* parameters) {
  return add_node(out, graph, dependencies, count, [&] {
    require_pointer(parameters, "parameters");
    return host_work(*parameters);
  });
}

cudaError_t cudaGraphHostNodeGetParams(cudaGraphNode_t node, cudaHostNodeParams* out) {
  return device_api([&] {
    require_pointer(out, "out");
    const HostWork& work = work_of<HostWork>(find_node(node));
    *out = {work.function, work.data};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphHostNodeSetParams(cudaGraphNode_t node, const cudaHostNodeParams* parameters) {
  return device_api([&] {
    require_pointer(parameters, "parameters");
    return set_work(find_node(node), host_work(*parameters));
  });
}

cudaError_t cudaGraphAddChildGraphNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                       const cudaGraphNode_t* dependencies, std::size_t count,
                                       cudaGraph_t child) {
  return add_node(out, graph, dependencies, count, [&] { return child_work(child); });
}

cudaError_t cudaGraphChildGraphNodeGetGraph(cudaGraphNode_t node, cudaGraph_t* out) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = reinterpret_cast<cudaGraph_t>(work_of<ChildWork>(find_node(node)).graph.get());
    return cudaSuccess;
  });
}

cudaError_t cudaGraphAddEmptyNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                  const cudaGraphNode_t* dependencies, std::size_t count) {
  return add_node(out, graph, dependencies, count, [] { return EmptyWork{}; });
}

cudaError_t cudaGraphAddEventRecordNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                        const cudaGraphNode_t* dependencies, std::size_t count,
                                        cudaEvent_t event) {
  return add_node(out, graph, dependencies, count,
                  [&] { return event_work<EventRecordWork>(event); });
}

cudaError_t cudaGraphEventRecordNodeGetEvent(cudaGraphNode_t node, cudaEvent_t* out) {
  return get_event<EventRecordWork>(node, out);
}

cudaError_t cudaGraphEventRecordNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event) {
  return device_api([&] { return set_work(find_node(node), event_work<EventRecordWork>(event)); });
}

cudaError_t cudaGraphAddEventWaitNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                      const cudaGraphNode_t* dependencies, std::size_t count,
                                      cudaEvent_t event) {
  return add_node(out, graph, dependencies, count,
                  [&] { return event_work<EventWaitWork>(event); });
}

cudaError_t cudaGraphEventWaitNodeGetEvent(cudaGraphNode_t node, cudaEvent_t* out) {
  return get_event<EventWaitWork>(node, out);
}

cudaError_t cudaGraphEventWaitNodeSetEvent(cudaGraphNode_t node, cudaEvent_t event) {
  return device_api([&] { return set_work(find_node(node), event_work<EventWaitWork>(event)); });
}

cudaError_t cudaGraphAddMemAllocNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                     const cudaGraphNode_t* dependencies, std::size_t count,
                                     cudaMemAllocNodeParams* parameters) {
  return add_node(out, graph, dependencies, count, [&] {
    require_pointer(parameters, "parameters");
    AllocWork work = make_alloc_work(*parameters);
    parameters->dptr = work.parameters.dptr;
    return work;
  });
}

cudaError_t cudaGraphMemAllocNodeGetParams(cudaGraphNode_t node, cudaMemAllocNodeParams* out) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = work_of<AllocWork>(find_node(node)).parameters;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphAddMemFreeNode(cudaGraphNode_t* out, cudaGraph_t graph,
                                    const cudaGraphNode_t* dependencies, std::size_t count,
                                    void* address) {
  return add_node(out, graph, dependencies, count, [&] { return free_work(address); });
}

cudaError_t cudaGraphMemFreeNodeGetParams(cudaGraphNode_t node, void* out) {
  return device_api([&] {
    require_pointer(out, "out");
    *static_cast<void**>(out) = work_of<FreeWork>(find_node(node)).address;
    return cudaSuccess;
  });
}

// --- instances ----------------------------------------------------------------------------------

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* out, cudaGraph_t graph,
                                 unsigned long long flags) {
  return device_api([&] { return instantiate(out, graph, flags); });
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* out, cudaGraph_t graph,
                                          unsigned long long flags) {
  return device_api([&] { return instantiate(out, graph, flags); });
}
cudaError_t cudaGraphInstantiateWithParams(cudaGraphExec_t* out, cudaGraph_t graph,
                                           cudaGraphInstantiateParams* parameters) {
  return device_api([&] {
    require_pointer(parameters, "parameters");
    parameters->errNode_out = nullptr;
    parameters->result_out = cudaGraphInstantiateError;
    const cudaError_t result = instantiate(out, graph, parameters->flags);
    parameters->result_out = cudaGraphInstantiateSuccess;
    return result;
  });
}
cudaError_t cudaGraphInstantiateWithParams_ptsz(cudaGraphExec_t* out, cudaGraph_t graph,
                                                cudaGraphInstantiateParams* parameters) {
  return cudaGraphInstantiateWithParams(out, graph, parameters);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
  return api([&] {
    GraphExec& exec = find_exec(handle);
    {
      const std::scoped_lock lock(table().mutex);
      table().execs.erase(&exec);
    }
    { const std::scoped_lock running(exec.mutex); }
    delete &exec;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecGetFlags(cudaGraphExec_t exec, unsigned long long* flags) {
  return device_api([&] {
    require_pointer(flags, "flags");
    *flags = find_exec(exec).flags;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream) {
  return device_api([&] {
    static_cast<void>(find_exec(exec));
    static_cast<void>(find_stream(stream));
    return cudaSuccess;
  });
}
cudaError_t cudaGraphUpload_ptsz(cudaGraphExec_t exec, cudaStream_t stream) {
  return cudaGraphUpload(exec, per_thread(stream));
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  return device_api([&] { return launch_graph(exec, stream); });
}
cudaError_t cudaGraphLaunch_ptsz(cudaGraphExec_t exec, cudaStream_t stream) {
  return device_api([&] { return launch_graph(exec, per_thread(stream)); });
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t handle, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* info) {
  return device_api([&] {
    cudaGraphExecUpdateResultInfo local{};
    cudaGraphExecUpdateResultInfo& result = info != nullptr ? *info : local;
    result = {};
    result.result = cudaGraphExecUpdateError;
    GraphExec& exec = find_exec(handle);
    const std::shared_ptr<Graph> from = find_graph(graph);
    const std::scoped_lock lock(exec.mutex);
    update(exec, *from, result);
    result.result = cudaGraphExecUpdateSuccess;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                             const cudaKernelNodeParams* parameters) {
  return device_api([&] {
    require_pointer(parameters, "parameters");
    return set_kernel(node_in(find_exec(exec), node), *parameters);
  });
}

cudaError_t cudaGraphExecMemcpyNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                             const cudaMemcpy3DParms* copy) {
  return device_api([&] {
    require_pointer(copy, "copy");
    return set_work(node_in(find_exec(exec), node), CopyWork{*copy});
  });
}

cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t exec, cudaGraphNode_t node, void* to,
                                               const void* from, std::size_t bytes,
                                               cudaMemcpyKind kind) {
  return device_api(
      [&] { return set_work(node_in(find_exec(exec), node), make_copy(to, from, bytes, kind)); });
}

cudaError_t cudaGraphExecMemcpyNodeSetParamsToSymbol(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                     const void* symbol, const void* from,
                                                     std::size_t bytes, std::size_t offset,
                                                     cudaMemcpyKind kind) {
  return device_api([&] {
    return set_work(node_in(find_exec(exec), node),
                    copy_to_symbol(symbol, from, bytes, offset, kind));
  });
}

cudaError_t cudaGraphExecMemcpyNodeSetParamsFromSymbol(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                       void* to, const void* symbol,
                                                       std::size_t bytes, std::size_t offset,
                                                       cudaMemcpyKind kind) {
  return device_api([&] {
    return set_work(node_in(find_exec(exec), node),
                    copy_from_symbol(to, symbol, bytes, offset, kind));
  });
}

cudaError_t cudaGraphExecMemsetNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                             const cudaMemsetParams* set) {
  return device_api([&] {
    require_pointer(set, "set");
    return set_work(node_in(find_exec(exec), node), memset_work(*set));
  });
}

cudaError_t cudaGraphExecHostNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                           const cudaHostNodeParams* parameters) {
  return device_api([&] {
    require_pointer(parameters, "parameters");
    return set_work(node_in(find_exec(exec), node), host_work(*parameters));
  });
}

cudaError_t cudaGraphExecChildGraphNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                 cudaGraph_t child) {
  return device_api([&] { return set_work(node_in(find_exec(exec), node), child_work(child)); });
}

cudaError_t cudaGraphExecEventRecordNodeSetEvent(cudaGraphExec_t exec, cudaGraphNode_t node,
                                                 cudaEvent_t event) {
  return device_api(
      [&] { return set_work(node_in(find_exec(exec), node), event_work<EventRecordWork>(event)); });
}

cudaError_t cudaGraphExecEventWaitNodeSetEvent(cudaGraphExec_t exec, cudaGraphNode_t node,
                                               cudaEvent_t event) {
  return device_api(
      [&] { return set_work(node_in(find_exec(exec), node), event_work<EventWaitWork>(event)); });
}

cudaError_t cudaGraphNodeSetEnabled(cudaGraphExec_t handle, cudaGraphNode_t node,
                                    unsigned enabled) {
  return device_api([&] {
    GraphExec& exec = find_exec(handle);
    GraphNode& copy = node_in(exec, node);
    const cudaGraphNodeType type = type_of(copy.work);
    require(type == cudaGraphNodeTypeKernel || type == cudaGraphNodeTypeMemcpy ||
                type == cudaGraphNodeTypeMemset,
            "only kernel, memcpy and memset nodes can be enabled and disabled");
    const std::scoped_lock lock(exec.mutex);
    if (enabled != 0) {
      exec.disabled.erase(&copy);
    } else {
      exec.disabled.insert(&copy);
    }
    return cudaSuccess;
  });
}

cudaError_t cudaGraphNodeGetEnabled(cudaGraphExec_t handle, cudaGraphNode_t node,
                                    unsigned* enabled) {
  return device_api([&] {
    require_pointer(enabled, "enabled");
    GraphExec& exec = find_exec(handle);
    const GraphNode& copy = node_in(exec, node);
    const std::scoped_lock lock(exec.mutex);
    *enabled = exec.disabled.contains(&copy) ? 0 : 1;
    return cudaSuccess;
  });
}

// --- memory of graphs ---------------------------------------------------------------------------

cudaError_t cudaDeviceGraphMemTrim(int index) {
  return device_api([&] {
    static_cast<void>(device(index));
    const std::scoped_lock lock(table().mutex);
    MemoryUse& use = table().memory_use[index];
    use.reserved = use.used;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetGraphMemAttribute(int index, cudaGraphMemAttributeType attribute,
                                           void* value) {
  return device_api([&] {
    static_cast<void>(device(index));
    require_pointer(value, "value");
    require(
        attribute >= cudaGraphMemAttrUsedMemCurrent && attribute <= cudaGraphMemAttrReservedMemHigh,
        "there is no attribute of graph memory of this number");
    const std::scoped_lock lock(table().mutex);
    const MemoryUse& use = table().memory_use[index];
    const std::uint64_t bytes = attribute == cudaGraphMemAttrUsedMemCurrent ? use.used
                                : attribute == cudaGraphMemAttrUsedMemHigh  ? use.used_high
                                : attribute == cudaGraphMemAttrReservedMemCurrent
                                    ? use.reserved
                                    : use.reserved_high;
    std::memcpy(value, &bytes, sizeof bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSetGraphMemAttribute(int index, cudaGraphMemAttributeType attribute,
                                           void* value) {
  return device_api([&] {
    static_cast<void>(device(index));
    require_pointer(value, "value");
    require(
        (attribute == cudaGraphMemAttrUsedMemHigh || attribute == cudaGraphMemAttrReservedMemHigh),
        "only the two high watermarks can be set, to 0");
    const std::scoped_lock lock(table().mutex);
    MemoryUse& use = table().memory_use[index];
    (attribute == cudaGraphMemAttrUsedMemHigh ? use.used_high : use.reserved_high) =
        attribute == cudaGraphMemAttrUsedMemHigh ? use.used : use.reserved;
    return cudaSuccess;
  });
}

// --- user objects -------------------------------------------------------------------------------

cudaError_t cudaUserObjectCreate(cudaUserObject_t* out, void* resource, cudaHostFn_t destroy,
                                 unsigned references, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(destroy, "destroy");
    require(references != 0, "the number of references is 0");
    require(flags == cudaUserObjectNoDestructorSync,
            "flags has to be cudaUserObjectNoDestructorSync");
    auto* object = new UserObject{resource, destroy, references};
    const std::scoped_lock lock(table().mutex);
    table().objects.insert(object);
    *out = reinterpret_cast<cudaUserObject_t>(object);
    return cudaSuccess;
  });
}

cudaError_t cudaUserObjectRetain(cudaUserObject_t object, unsigned count) {
  return device_api([&] {
    require(count != 0, "the count is 0");
    retain_user_object(find_object(object), count);
    return cudaSuccess;
  });
}

cudaError_t cudaUserObjectRelease(cudaUserObject_t object, unsigned count) {
  return device_api([&] {
    require(count != 0, "the count is 0");
    release_user_object(find_object(object), count);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphRetainUserObject(cudaGraph_t graph, cudaUserObject_t handle, unsigned count,
                                      unsigned flags) {
  return device_api([&] {
    require(count != 0, "the count is 0");
    require((flags & ~static_cast<unsigned>(cudaGraphUserObjectMove)) == 0,
            "flags has bits other than cudaGraphUserObjectMove");
    UserObject& object = find_object(handle);
    if ((flags & cudaGraphUserObjectMove) == 0) retain_user_object(object, count);
    find_graph(graph)->objects[&object] += count;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphReleaseUserObject(cudaGraph_t graph, cudaUserObject_t handle, unsigned count) {
  return device_api([&] {
    UserObject& object = find_object(handle);
    auto& objects = find_graph(graph)->objects;
    const auto found = objects.find(&object);
    require(found != objects.end(), "the graph holds no reference to this object");
    require(count != 0, "the count is 0");
    require(count <= found->second, "the graph holds fewer references to this object");
    found->second -= count;
    if (found->second == 0) objects.erase(found);
    release_user_object(object, count);
    return cudaSuccess;
  });
}

}  // extern "C"

}  // namespace softgpu::cuda
