// Shared by the parts of the decision tree's CUDA half: the orders of the rows by each feature,
// and the functions that sort, search and partition them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include "core/tree/decision_tree_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/pieces.hpp"

namespace tandem::cuda {

// The order of the rows by one feature, or a node's part of it, in two arrays. Equal values of the
// feature have equal ranks, larger values have larger ones; a payload is the row, and below it,
// where both fit in 32 bits, the class.
template <class Number>
struct TreeOrderOf {
  Number* ranks;
  Number* payloads;
};
using TreeOrder = TreeOrderOf<const std::uint32_t>;
using TreeOrderToChange = TreeOrderOf<std::uint32_t>;
inline constexpr std::uint32_t missing_rank = ~std::uint32_t{0};

// Arrays that kernels look into by row. Null where a fit has none.
struct TreeRows {
  const std::int32_t* labels = nullptr;
  const std::int64_t* weights = nullptr;  // null: every row weighs 1
  const std::int64_t* sums = nullptr;
  const std::int64_t* squares = nullptr;
  const std::int64_t* entropy_terms = nullptr;  // φ(0), φ(1), ...; null: compute them
  int class_bits = 0;                           // of the payload; 0: look the class up
  std::uint32_t class_mask = 0;
};

// Where class and row share the payload.
struct PayloadBits {
  int class_bits = 0;
  std::uint32_t class_mask = 0;
};
[[nodiscard]] PayloadBits payload_bits(Index rows, std::int32_t classes);

// Order f: its ranks from 2·f·stride on, its payloads from (2·f + 1)·stride on; the stride is the
// rows up to a multiple of 128 bytes. In the engine's memory, or on the host.
class TreeOrders {
 public:
  TreeOrders(CudaEngine& engine, Index rows, Index cols);

  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index cols() const { return cols_; }
  [[nodiscard]] Index stride() const { return stride_; }
  // Reachable by kernels, slowly where it is on the host.
  [[nodiscard]] const std::uint32_t* data() const { return numbers_.data(); }
  [[nodiscard]] std::uint32_t* data() { return numbers_.data(); }
  [[nodiscard]] bool on_device() const { return engine_.on_device(numbers_.data()); }

  // Calls use(first_feature, features, their orders in device memory) for groups of at most
  // `at_once` features, in ascending order.
  template <class Use>
  void for_each_group(Index at_once, Use&& use) {
    pieces_.for_each_piece(std::as_const(numbers_).data(), cols_, 2 * stride_,
                           [&](Index first, Index features, const std::uint32_t* orders) {
                             for (Index done = 0; done < features; done += at_once) {
                               use(first + done, std::min(at_once, features - done),
                                   orders + 2 * done * stride_);
                             }
                           });
  }
  // The same where `use` changes the orders.
  template <class Use>
  void change_each_group(Index at_once, Use&& use) {
    const bool streamed = !on_device();
    pieces_.for_each_piece(
        std::as_const(numbers_).data(), cols_, 2 * stride_,
        [&](Index first, Index features, const std::uint32_t* read) {
          // Our own memory, or a piece that nothing else reads.
          auto* orders = const_cast<std::uint32_t*>(read);
          for (Index done = 0; done < features; done += at_once) {
            use(first + done, std::min(at_once, features - done), orders + 2 * done * stride_);
          }
          if (streamed) {
            engine_.copy_within(
                numbers_.data() + 2 * first * stride_, orders,
                static_cast<std::size_t>(2 * features * stride_) * sizeof(std::uint32_t));
          }
        });
    // The next pass's copies to the device run beside this stream's work.
    if (streamed) engine_.wait();
  }

 private:
  CudaEngine& engine_;
  Index rows_;
  Index cols_;
  Index stride_;
  Buffer<std::uint32_t> numbers_;  // cols × 2 × stride
  PieceStream pieces_;
};

// The steps of the decision tree, for those of forests. In decision_tree.cu.
template <Real T>
[[nodiscard]] std::unique_ptr<tree::DecisionTreeSteps<T>> make_decision_tree(CudaEngine& engine);

// Fills the orders; with more_trees (TreeData), tree after tree. In decision_tree_sort.cu.
template <Real T>
void sort_features(CudaEngine& engine, const T* x, const TreeRows& rows,
                   std::span<const Index> more_trees, TreeOrders& orders);

// As DecisionTreeSteps::find_splits. In decision_tree_search.cu.
template <Real T>
void find_tree_splits(CudaEngine& engine, const tree::SplitRules& rules, const TreeRows& rows,
                      const T* x, const T* target, TreeOrders& orders,
                      std::span<const tree::OpenNode> nodes, std::span<tree::NodeSplit<T>> splits,
                      std::span<std::int64_t> left_statistics);
// φ of 0 .. count − 1.
void fill_entropy_terms(CudaEngine& engine, const tree::SplitRules& rules, Index count,
                        std::int64_t* terms);

// As DecisionTreeSteps::apply_splits; goes_left: rows elements. In decision_tree_partition.cu.
void apply_tree_splits(CudaEngine& engine, const TreeRows& rows, TreeOrders& orders,
                       std::span<const tree::SplitToApply> splits, Buffer<std::uint8_t>& goes_left);

}  // namespace tandem::cuda
