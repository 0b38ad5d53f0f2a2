// An orthogonal factorisation that is computed in parts: by several machines, or as pieces of the
// rows come in.
#pragma once

#include <cstddef>
#include <vector>

#include "core/linear/least_squares_steps.hpp"
#include "tandem/core/engine.hpp"

namespace tandem {

// The factors of some of the groups of rows (least_squares_group()), as LongSumPart has the sums of
// some of the blocks: nodes of the tree over all groups, of which only siblings are merged. The
// bits of the result do not depend on how the rows were cut into parts, as long as each part begins
// at the border of a group, nor on the order in which the parts came. Nodes stand on the host, at
// most max(1, 2⌊log₂ m⌋) of p² doubles for m consecutive groups.
class LeastSquaresPart {
 public:
  struct Node {
    int level;
    Index index;
    [[nodiscard]] Index first() const { return index << level; }
    [[nodiscard]] Index end() const { return (index + 1) << level; }
    bool operator==(const Node&) const = default;
  };

  explicit LeastSquaresPart(Index columns) : columns_(columns) {}

  [[nodiscard]] Index columns() const noexcept { return columns_; }
  [[nodiscard]] const std::vector<Node>& nodes() const noexcept { return nodes_; }

  // Takes in the groups first .. first + count − 1, whose factors the step has left at the
  // beginning of `factors`, in the engine's memory; overwrites them. Throws InputError where this
  // part has one of the groups.
  template <Real T>
  void add(Engine& engine, LeastSquaresSteps<T>& steps, Index first, Index count,
           Buffer<double>& factors);

  // Takes in another part's nodes. Throws InputError, and changes nothing, where both have
  // the same group.
  template <Real T>
  void merge(Engine& engine, LeastSquaresSteps<T>& steps, const LeastSquaresPart& other);

  // The factor of the groups 0 .. groups − 1, p × p, row-major. Throws InputError where one is
  // missing or there are others.
  template <Real T>
  [[nodiscard]] std::vector<double> finish(Engine& engine, LeastSquaresSteps<T>& steps,
                                           Index groups) const;

 private:
  [[nodiscard]] std::size_t place_for(Node node) const;
  template <Real T>
  void insert(Engine& engine, LeastSquaresSteps<T>& steps, Node node, std::vector<double> factor);

  Index columns_;
  std::vector<Node> nodes_;  // ascending, disjoint, no two of them siblings
  std::vector<std::vector<double>> factors_;
};

}  // namespace tandem
