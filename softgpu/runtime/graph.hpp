// Graphs: work with dependencies.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "softgpu/check/order.hpp"
#include "softgpu/runtime/cuda_api.hpp"
#include "softgpu/runtime/work.hpp"

namespace softgpu::cuda {

struct Graph;
struct UserObject;

// A value for conditional nodes, until the last graph that knows it is gone.
struct Conditional {
  Conditional(std::uint32_t value, bool reset);
  ~Conditional();
  Conditional(const Conditional&) = delete;
  Conditional& operator=(const Conditional&) = delete;

  const std::uint64_t handle;
  const std::uint32_t default_value;
  const bool assign_default;  // at every launch
};

struct GraphNode {
  Work work;
  Graph* graph = nullptr;
  std::uint64_t id = 0;  // in the order of making
  const GraphNode* copied_from = nullptr;
  std::vector<GraphNode*> dependencies;  // with `edges` beside them
  std::vector<cudaGraphEdgeData> edges;
};

// For the checker: what the nodes that one launch runs may rely on of each other. The nodes of a
// child graph count as one with the node that runs it.
class NodeOrders {
 public:
  NodeOrders() : order_(check::current_work()) {}
  [[nodiscard]] check::WorkOrderRef of(const GraphNode& node) {
    const check::WorkOrderRef now = check::current_work();
    if (now == nullptr || check::is_of_graph(*now)) return now;
    std::vector<check::WorkOrderRef> before;
    for (const GraphNode* one : node.dependencies) before.push_back(known_[one]);
    return known_[&node] = order_.add(before);
  }

 private:
  check::GraphOrder order_;
  std::map<const GraphNode*, check::WorkOrderRef> known_;
};

struct Graph {
  Graph();
  ~Graph();

  std::uint64_t id;
  std::vector<std::unique_ptr<GraphNode>> nodes;
  std::map<UserObject*, unsigned> objects;  // references that the graph holds
  std::vector<std::shared_ptr<Conditional>> conditionals;
  const Graph* copied_from = nullptr;

  GraphNode& add(Work work, const std::vector<GraphNode*>& dependencies,
                 const cudaGraphEdgeData* edges = nullptr);
  void remove(GraphNode& node);
  // An order that keeps dependencies; throws cudaErrorInvalidValue where there is a cycle.
  [[nodiscard]] std::vector<GraphNode*> ordered() const;
  // Deep: child graphs too. Nodes remember what they were copied from.
  [[nodiscard]] std::shared_ptr<Graph> copy() const;
};

// Handles; throw cudaErrorInvalidValue for what is none.
[[nodiscard]] std::shared_ptr<Graph> find_graph(cudaGraph_t handle);
[[nodiscard]] GraphNode& find_node(cudaGraphNode_t handle);
// Makes the graph known to the program, once: it lives until cudaGraphDestroy.
[[nodiscard]] cudaGraph_t publish_graph(const std::shared_ptr<Graph>& graph);

// Makes a child graph known: its handle stays valid as long as its node.
void know_child_graph(const std::shared_ptr<Graph>& graph);
void forget_graph(cudaGraph_t handle);

// Deep copies of the graphs that the work contains.
void copy_contained_graphs(Work& work);
// Conditional values become what they are at a launch.
void reset_conditionals(const Graph& graph);

// Runs all nodes in order; the caller has its turn in the stream.
void run_graph(const Graph& graph, int device);

}  // namespace softgpu::cuda
