// A long sum that is computed in parts: by several machines, or as pieces of a file come in.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// The contribution of some of the blocks to long sums over the same rows, one sum per column. It
// holds nodes of the tree of numerics.hpp, each with its place (level, index): node (k, i) is the
// sum over the blocks i·2^k .. (i + 1)·2^k − 1, as far as there are rows. Two nodes are added where
// they are siblings, (k, 2i) and (k, 2i + 1), and never otherwise. The bits of the result therefore
// do not depend on how the rows were cut into parts, nor on the order in which the parts were
// merged.
//
// A part is made of whole blocks of sum_block rows. The last block of all rows may have fewer: the
// part that has it ends there. A part of m consecutive blocks holds at most max(1, 2⌊log₂ m⌋) nodes
// times columns; parts that were merged across a gap hold the nodes of either side.
//
// A plain value. Const members may be called from several threads at once.
class TANDEM_API LongSumPart {
 public:
  struct Node {
    int level;
    Index index;
    [[nodiscard]] Index first_block() const { return index << level; }
    [[nodiscard]] Index end_block() const { return (index + 1) << level; }  // in a full tree
    bool operator==(const Node&) const = default;
  };

  // A part without rows. Throws InputError where columns < 1.
  explicit LongSumPart(Index columns = 1);

  [[nodiscard]] Index columns() const noexcept { return columns_; }
  [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }
  // The nodes in ascending order of their blocks; node i's sums are sums(i), `columns` of them.
  [[nodiscard]] const std::vector<Node>& nodes() const noexcept { return nodes_; }
  [[nodiscard]] std::span<const double> sums(std::size_t node) const;
  // The number of all rows, where this part has the last block and that has fewer than sum_block
  // rows; otherwise −1, since nothing here says whether rows follow.
  [[nodiscard]] Index ragged_end() const noexcept { return ragged_end_; }

  // Adds block `block`, which has `rows` of 1 .. sum_block rows and the sums `sums`, one per column
  // (of their lanes: add_lanes). With fewer than sum_block rows it is the last of all. Blocks may
  // come in any order; ascending order costs least. Throws InputError where the block is here
  // already, or where rows would follow a last block that is not full.
  void add_block(Index block, std::span<const double> sums, Index rows = sum_block);

  // Adds a node as nodes() and sums() of another part gave it, after it was sent or stored: a part
  // is rebuilt by adding its nodes, and then, where ragged_end() is not −1, by end_at(ragged_end).
  // Throws InputError as add_block does.
  void add_node(Node node, std::span<const double> sums);
  // Says that all rows end at `rows`, inside the block that this part has last.
  void end_at(Index rows);

  // Takes in the nodes of another part of the same sums. Throws InputError, and changes nothing,
  // where both have the same block, where the numbers of columns differ, or where one has rows
  // behind the other's last block that is not full.
  void merge(const LongSumPart& other);

  // The long sums over all rows, 0 .. rows − 1, one per column: +0 where rows is 0. Throws
  // InputError where a block is missing, or where this part has other rows than these.
  [[nodiscard]] std::vector<double> finish(Index rows) const;

 private:
  void check_node(Node node, std::span<const double> sums) const;
  std::size_t place_for(Node node) const;
  void insert(Node node, const double* sums);

  Index columns_;
  Index ragged_end_ = -1;
  std::vector<Node> nodes_;   // ascending, disjoint, no two of them siblings
  std::vector<double> sums_;  // nodes × columns
};

}  // namespace tandem
