#include "core/linear/least_squares_part.hpp"

#include <algorithm>
#include <string>

#include "core/engine_backend.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

// `right` merged into `left`, both p × p.
template <Real T>
void merge_pair(Engine& engine, LeastSquaresSteps<T>& steps, Index p, std::vector<double>& left,
                const std::vector<double>& right) {
  std::vector<double> both = left;
  both.insert(both.end(), right.begin(), right.end());
  Buffer<double> pair = to_engine(engine, both);
  steps.merge(0, 2, p, pair);
  backend(engine).copy_to_host(left.data(), pair.data(), left.size() * sizeof(double));
}

}  // namespace

// Where `node` belongs among the nodes; throws where it overlaps one of them.
std::size_t LeastSquaresPart::place_for(Node node) const {
  const auto after = std::partition_point(nodes_.begin(), nodes_.end(), [&](const Node& other) {
    return other.first() < node.first();
  });
  if ((after != nodes_.end() && after->first() < node.end()) ||
      (after != nodes_.begin() && (after - 1)->end() > node.first())) {
    throw InputError("part of a factorisation: group " + std::to_string(node.first()) +
                     " of rows is in it already; every group must be added once");
  }
  return static_cast<std::size_t>(after - nodes_.begin());
}

template <Real T>
void LeastSquaresPart::insert(Engine& engine, LeastSquaresSteps<T>& steps, Node node,
                              std::vector<double> factor) {
  std::size_t at = place_for(node);
  nodes_.insert(nodes_.begin() + static_cast<std::ptrdiff_t>(at), node);
  factors_.insert(factors_.begin() + static_cast<std::ptrdiff_t>(at), std::move(factor));
  while (true) {
    const Node here = nodes_[at];
    const Node sibling{here.level, here.index ^ 1};
    const std::size_t left = here.index % 2 == 0 ? at : at - 1;  // wraps where at is 0
    const std::size_t other = left == at ? at + 1 : left;
    if (other >= nodes_.size() || nodes_[other] != sibling) return;
    merge_pair(engine, steps, columns_, factors_[left], factors_[left + 1]);
    nodes_[left] = {here.level + 1, here.index / 2};
    nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(left + 1));
    factors_.erase(factors_.begin() + static_cast<std::ptrdiff_t>(left + 1));
    at = left;
  }
}

template <Real T>
void LeastSquaresPart::add(Engine& engine, LeastSquaresSteps<T>& steps, Index first, Index count,
                           Buffer<double>& factors) {
  const auto size = static_cast<std::size_t>(columns_ * columns_);
  const Index end = first + count;
  for (Index group = first; group < end;) {
    // The largest node that begins here and ends in time.
    int level = 0;
    while ((group >> level) % 2 == 0 && group + (Index{2} << level) <= end) ++level;
    const Index groups = Index{1} << level;
    steps.merge(group - first, groups, columns_, factors);
    std::vector<double> factor(size);
    backend(engine).copy_to_host(factor.data(),
                                 factors.data() + (group - first) * columns_ * columns_,
                                 size * sizeof(double));
    insert(engine, steps, {level, group >> level}, std::move(factor));
    group += groups;
  }
}

template <Real T>
void LeastSquaresPart::merge(Engine& engine, LeastSquaresSteps<T>& steps,
                             const LeastSquaresPart& other) {
  // All checks come before the first change.
  for (const Node& node : other.nodes_) (void)place_for(node);
  for (std::size_t i = 0; i < other.nodes_.size(); ++i) {
    insert(engine, steps, other.nodes_[i], other.factors_[i]);
  }
}

template <Real T>
std::vector<double> LeastSquaresPart::finish(Engine& engine, LeastSquaresSteps<T>& steps,
                                             Index groups) const {
  Index next = 0;
  for (const Node& node : nodes_) {
    if (node.first() == next) next = node.end();
  }
  if (nodes_.empty() || next != groups || nodes_.back().end() != groups) {
    throw InputError("a factorisation of " + std::to_string(groups) +
                     " groups of rows: its parts must have every group once");
  }
  // A node whose right sibling lies past the end stays as it is.
  std::vector<double> factor = factors_.back();
  for (std::size_t i = nodes_.size() - 1; i-- > 0;) {
    std::vector<double> left = factors_[i];
    merge_pair(engine, steps, columns_, left, factor);
    factor = std::move(left);
  }
  return factor;
}

template void LeastSquaresPart::add(Engine&, LeastSquaresSteps<float>&, Index, Index,
                                    Buffer<double>&);
template void LeastSquaresPart::add(Engine&, LeastSquaresSteps<double>&, Index, Index,
                                    Buffer<double>&);
template void LeastSquaresPart::merge(Engine&, LeastSquaresSteps<float>&, const LeastSquaresPart&);
template void LeastSquaresPart::merge(Engine&, LeastSquaresSteps<double>&, const LeastSquaresPart&);
template std::vector<double> LeastSquaresPart::finish(Engine&, LeastSquaresSteps<float>&,
                                                      Index) const;
template std::vector<double> LeastSquaresPart::finish(Engine&, LeastSquaresSteps<double>&,
                                                      Index) const;

}  // namespace tandem
