#include "tandem/core/long_sum_part.hpp"

#include <algorithm>
#include <string>

#include "tandem/core/error.hpp"

namespace tandem {

namespace {

std::string rows_of(LongSumPart::Node node) {
  return "rows " + std::to_string(node.first_block() * sum_block) + " to " +
         std::to_string(node.end_block() * sum_block - 1);
}

// Throws where there cannot be blocks up to `end_block`, since all rows end at row `ragged_end`,
// inside a block before; −1 says nothing.
void check_end(Index end_block, Index ragged_end) {
  if (ragged_end >= 0 && end_block > sum_blocks(ragged_end)) {
    throw InputError("part of a long sum: all rows end at row " + std::to_string(ragged_end) +
                     ", inside a block of " + std::to_string(sum_block) +
                     ", but there are rows behind it; only the last block may have fewer rows");
  }
}

}  // namespace

LongSumPart::LongSumPart(Index columns) : columns_(columns) {
  if (columns < 1) throw InputError("part of a long sum: the number of columns must be at least 1");
}

std::span<const double> LongSumPart::sums(std::size_t node) const {
  const auto width = static_cast<std::size_t>(columns_);
  return std::span(sums_).subspan(node * width, width);
}

// Where `node` belongs among the nodes; throws where it overlaps one of them.
std::size_t LongSumPart::place_for(Node node) const {
  const auto after = std::partition_point(nodes_.begin(), nodes_.end(), [&](const Node& other) {
    return other.first_block() < node.first_block();
  });
  const bool overlaps = (after != nodes_.end() && after->first_block() < node.end_block()) ||
                        (after != nodes_.begin() && (after - 1)->end_block() > node.first_block());
  if (overlaps) {
    throw InputError("part of a long sum: " + rows_of(node) +
                     " overlap with rows that it has already; every block of " +
                     std::to_string(sum_block) + " rows must be added once");
  }
  return static_cast<std::size_t>(after - nodes_.begin());
}

// Adds a node that overlaps none, and joins siblings as far as that goes.
void LongSumPart::insert(Node node, const double* sums) {
  const auto width = static_cast<std::size_t>(columns_);
  std::size_t at = place_for(node);
  nodes_.insert(nodes_.begin() + static_cast<std::ptrdiff_t>(at), node);
  sums_.insert(sums_.begin() + static_cast<std::ptrdiff_t>(at * width), sums, sums + width);
  while (true) {
    const Node here = nodes_[at];
    const Node sibling{here.level, here.index ^ 1};
    const std::size_t left = here.index % 2 == 0 ? at : at - 1;  // wraps where at is 0
    const std::size_t other = left == at ? at + 1 : left;
    if (other >= nodes_.size() || nodes_[other] != sibling) return;
    for (std::size_t c = 0; c < width; ++c) {
      sums_[left * width + c] += sums_[(left + 1) * width + c];
    }
    nodes_[left] = {here.level + 1, here.index / 2};
    nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(left + 1));
    sums_.erase(sums_.begin() + static_cast<std::ptrdiff_t>((left + 1) * width),
                sums_.begin() + static_cast<std::ptrdiff_t>((left + 2) * width));
    at = left;
  }
}

void LongSumPart::check_node(Node node, std::span<const double> sums) const {
  constexpr Index most_blocks = Index{1} << (max_sum_levels - 1);
  if (node.level < 0 || node.level >= max_sum_levels || node.index < 0 ||
      node.index >= (most_blocks >> node.level)) {
    throw InputError("part of a long sum: there is no node " + std::to_string(node.index) +
                     " on level " + std::to_string(node.level));
  }
  if (sums.size() != static_cast<std::size_t>(columns_)) {
    throw InputError("part of a long sum: " + std::to_string(sums.size()) +
                     " sums were added to a part of " + std::to_string(columns_) + " columns");
  }
  check_end(node.end_block(), ragged_end_);
}

void LongSumPart::add_block(Index block, std::span<const double> sums, Index rows) {
  if (rows < 1 || rows > sum_block) {
    throw InputError("part of a long sum: a block has 1 to " + std::to_string(sum_block) +
                     " rows, not " + std::to_string(rows));
  }
  check_node({0, block}, sums);
  const Index end = rows < sum_block ? block * sum_block + rows : -1;
  if (!nodes_.empty()) check_end(nodes_.back().end_block(), end);
  insert({0, block}, sums.data());
  ragged_end_ = std::max(ragged_end_, end);
}

void LongSumPart::add_node(Node node, std::span<const double> sums) {
  check_node(node, sums);
  insert(node, sums.data());
}

void LongSumPart::end_at(Index rows) {
  if (rows % sum_block == 0 || nodes_.empty() || nodes_.back().end_block() != sum_blocks(rows) ||
      (ragged_end_ >= 0 && ragged_end_ != rows)) {
    throw InputError("part of a long sum: all rows cannot end at row " + std::to_string(rows) +
                     ", which must lie inside the last block that was added");
  }
  ragged_end_ = rows;
}

void LongSumPart::merge(const LongSumPart& other) {
  if (other.columns_ != columns_) {
    throw InputError("part of a long sum: a part of " + std::to_string(other.columns_) +
                     " columns cannot be merged with one of " + std::to_string(columns_));
  }
  // All checks come before the first change.
  for (const Node& node : other.nodes_) (void)place_for(node);
  if (!other.nodes_.empty()) check_end(other.nodes_.back().end_block(), ragged_end_);
  if (!nodes_.empty()) check_end(nodes_.back().end_block(), other.ragged_end_);
  for (std::size_t i = 0; i < other.nodes_.size(); ++i) {
    insert(other.nodes_[i], other.sums(i).data());
  }
  ragged_end_ = std::max(ragged_end_, other.ragged_end_);
}

std::vector<double> LongSumPart::finish(Index rows) const {
  const Index blocks = sum_blocks(rows);
  Index next = 0;  // the first block that no node had so far
  for (const Node& node : nodes_) {
    if (node.first_block() != next) break;
    next = node.end_block();
  }
  const bool whole = rows >= 0 && next == blocks &&
                     (nodes_.empty() || nodes_.back().end_block() == blocks) &&
                     (ragged_end_ < 0 ? rows % sum_block == 0 : ragged_end_ == rows);
  if (!whole) {
    std::string have;
    for (const Node& node : nodes_) have += (have.empty() ? "" : ", ") + rows_of(node);
    if (ragged_end_ >= 0) have += ", of which the last is " + std::to_string(ragged_end_ - 1);
    throw InputError("long sum over " + std::to_string(rows) +
                     " rows: its parts must have every row once, but they have " +
                     (have.empty() ? "none" : have));
  }
  std::vector<double> total(static_cast<std::size_t>(columns_), 0.0);
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const std::span<const double> left = sums(i);
    for (std::size_t c = 0; c < total.size(); ++c) {
      total[c] = i + 1 == nodes_.size() ? left[c] : left[c] + total[c];
    }
  }
  return total;
}

}  // namespace tandem
