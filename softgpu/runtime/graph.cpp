#include "softgpu/runtime/graph.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "softgpu/exec/device_runtime.hpp"
#include "softgpu/runtime/pool.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/stream.hpp"
#include "softgpu/runtime/user_object.hpp"

namespace softgpu::cuda {
namespace {

std::atomic<std::uint64_t> next_id{1};

struct Graphs {
  std::mutex mutex;
  std::unordered_map<const void*, std::shared_ptr<Graph>> published;
  std::unordered_set<const void*> nodes;
  std::unordered_map<const void*, std::weak_ptr<Graph>> all;
};
Graphs& graphs() {
  static auto* graphs = new Graphs;
  return *graphs;
}

}  // namespace

Graph::Graph() : id(next_id.fetch_add(1)) {}

Graph::~Graph() {
  {
    const std::scoped_lock lock(graphs().mutex);
    for (const auto& node : nodes) graphs().nodes.erase(node.get());
  }
  for (const auto& [object, count] : objects) release_user_object(*object, count);
}

GraphNode& Graph::add(Work work, const std::vector<GraphNode*>& dependencies,
                      const cudaGraphEdgeData* edges) {
  auto node = std::make_unique<GraphNode>();
  node->work = std::move(work);
  node->graph = this;
  node->id = next_id.fetch_add(1);
  node->dependencies = dependencies;
  node->edges.resize(dependencies.size());
  if (edges != nullptr) std::copy_n(edges, dependencies.size(), node->edges.begin());
  {
    const std::scoped_lock lock(graphs().mutex);
    graphs().nodes.insert(node.get());
  }
  nodes.push_back(std::move(node));
  return *nodes.back();
}

void Graph::remove(GraphNode& node) {
  for (const auto& other : nodes) {
    for (std::size_t i = other->dependencies.size(); i-- > 0;) {
      if (other->dependencies[i] != &node) continue;
      other->dependencies.erase(other->dependencies.begin() + static_cast<std::ptrdiff_t>(i));
      other->edges.erase(other->edges.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  {
    const std::scoped_lock lock(graphs().mutex);
    graphs().nodes.erase(&node);
  }
  std::erase_if(nodes, [&](const auto& one) { return one.get() == &node; });
}

std::vector<GraphNode*> Graph::ordered() const {
  std::unordered_map<const GraphNode*, std::size_t> missing;
  std::unordered_map<const GraphNode*, std::vector<GraphNode*>> dependents;
  std::deque<GraphNode*> ready;
  for (const auto& node : nodes) {
    missing[node.get()] = node->dependencies.size();
    for (const GraphNode* before : node->dependencies) dependents[before].push_back(node.get());
    if (node->dependencies.empty()) ready.push_back(node.get());
  }
  std::vector<GraphNode*> order;
  order.reserve(nodes.size());
  while (!ready.empty()) {
    GraphNode* node = ready.front();
    ready.pop_front();
    order.push_back(node);
    for (GraphNode* after : dependents[node]) {
      if (--missing[after] == 0) ready.push_back(after);
    }
  }
  require(order.size() == nodes.size(), "the nodes depend on each other in a circle");
  return order;
}

std::shared_ptr<Graph> Graph::copy() const {
  auto result = std::make_shared<Graph>();
  result->copied_from = this;
  std::unordered_map<const GraphNode*, GraphNode*> copies;
  for (const auto& node : nodes) {
    Work work = node->work;
    copy_contained_graphs(work);
    GraphNode& made = result->add(std::move(work), {});
    made.copied_from = node.get();
    copies[node.get()] = &made;
  }
  // In a second pass: dependencies may have been added to nodes made before them.
  for (const auto& node : nodes) {
    GraphNode& made = *copies[node.get()];
    for (const GraphNode* before : node->dependencies) made.dependencies.push_back(copies[before]);
    made.edges = node->edges;
  }
  for (const auto& [object, count] : objects) {
    retain_user_object(*object, count);
    result->objects[object] = count;
  }
  result->conditionals = conditionals;
  return result;
}

std::shared_ptr<Graph> find_graph(cudaGraph_t handle) {
  const std::scoped_lock lock(graphs().mutex);
  if (const auto found = graphs().published.find(handle); found != graphs().published.end()) {
    return found->second;
  }
  // A child graph belongs to its node; the program may look into it and change it.
  if (const auto found = graphs().all.find(handle); found != graphs().all.end()) {
    if (auto graph = found->second.lock()) return graph;
  }
  throw ApiError(cudaErrorInvalidValue, "the graph is not one, or was destroyed");
}

GraphNode& find_node(cudaGraphNode_t handle) {
  const std::scoped_lock lock(graphs().mutex);
  require(graphs().nodes.contains(handle), "the node is not one, or was destroyed with its graph");
  return *reinterpret_cast<GraphNode*>(handle);
}

cudaGraph_t publish_graph(const std::shared_ptr<Graph>& graph) {
  const std::scoped_lock lock(graphs().mutex);
  graphs().published[graph.get()] = graph;
  return reinterpret_cast<cudaGraph_t>(graph.get());
}

void know_child_graph(const std::shared_ptr<Graph>& graph) {
  const std::scoped_lock lock(graphs().mutex);
  graphs().all[graph.get()] = graph;
}

void forget_graph(cudaGraph_t handle) {
  std::shared_ptr<Graph> last;  // destroyed after the lock is gone
  const std::scoped_lock lock(graphs().mutex);
  const auto found = graphs().published.find(handle);
  require(found != graphs().published.end(),
          "the graph is not one, was destroyed, or belongs to a node");
  last = found->second;
  graphs().published.erase(found);
}

Conditional::Conditional(std::uint32_t value, bool reset)
    : handle(make_conditional()), default_value(value), assign_default(reset) {
  set_conditional(handle, value);
}
Conditional::~Conditional() { drop_conditional(handle); }

void copy_contained_graphs(Work& work) {
  if (auto* child = std::get_if<ChildWork>(&work)) {
    child->graph = child->graph->copy();
    know_child_graph(child->graph);
  } else if (auto* conditional = std::get_if<ConditionalWork>(&work)) {
    conditional->handles = std::make_shared<std::vector<cudaGraph_t>>();
    for (auto& body : conditional->bodies) {
      body = body->copy();
      know_child_graph(body);
      conditional->handles->push_back(reinterpret_cast<cudaGraph_t>(body.get()));
    }
  }
}

void reset_conditionals(const Graph& graph) {
  for (const auto& conditional : graph.conditionals) {
    if (conditional->assign_default)
      set_conditional(conditional->handle, conditional->default_value);
  }
}

void run_graph(const Graph& graph, int device) {
  reset_conditionals(graph);
  NodeOrders orders;
  for (const GraphNode* node : graph.ordered()) {
    const check::CurrentWork current(orders.of(*node));
    finish(execute(node->work, device));
  }
}

}  // namespace softgpu::cuda
