// The steps of naive Bayes on threads: blocks of rows in parallel, their sums up the tree.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "core/bayes/bayes_math.hpp"
#include "core/bayes/bayes_steps.hpp"
#include "core/parallel.hpp"
#include "core/sum_trees.hpp"
#include "cpu/bayes/bayes_kernels.hpp"
#include "cpu/math.hpp"

namespace tandem {
namespace {

// The rows of a block by class, in ascending order within one.
template <Real T>
void order_block(const RowsView<T>& rows, Index begin, Index end, Index classes,
                 cpu::BlockOrder& order) {
  order.first.assign(static_cast<std::size_t>(classes) + 1, 0);
  order.rows.resize(static_cast<std::size_t>(end - begin));
  for (Index i = begin; i < end; ++i) {
    ++order.first[static_cast<std::size_t>(rows.target[i]) + 1];
  }
  for (std::size_t c = 1; c < order.first.size(); ++c) order.first[c] += order.first[c - 1];
  std::vector<Index> next(order.first.begin(), order.first.end() - 1);
  for (Index i = begin; i < end; ++i) {
    const auto c = static_cast<std::size_t>(rows.target[i]);
    order.rows[static_cast<std::size_t>(next[c]++)] = i - begin;
  }
}

template <Real T>
class CpuBayes final : public BayesSteps<T> {
 public:
  explicit CpuBayes(Engine& engine) : engine_(engine) {}

  void class_sums(ClassSum what, const RowsView<T>& rows, Index classes, double threshold,
                  const Buffer<double>& centre, Buffer<double>& sums) override {
    const Index size = classes * rows.features;
    // A piece of work is a subtree of eight blocks; so many at a time that their sums take 16 MiB.
    constexpr Index piece_rows = 8 * sum_block;
    constexpr Index nodes_at_once = Index{1} << 21;
    const Index all = pieces(rows.rows, piece_rows);
    const Index at_once = std::min(
        all, std::max<Index>(2 * static_cast<Index>(engine_.threads()), nodes_at_once / size));
    std::vector<double> nodes(static_cast<std::size_t>(at_once * size));
    SumTrees total(size);
    for (Index first = 0; first < all; first += at_once) {
      const Index here = std::min(at_once, all - first);
      parallel_for(engine_.threads(), here, [&](Index i) {
        const Piece piece = piece_of(rows.rows, piece_rows, first + i);
        double* const node = nodes.data() + i * size;
        cpu::BlockOrder order;
        SumTrees tree(size);
        for (Index begin = piece.begin; begin < piece.end; begin += sum_block) {
          const Index end = std::min(begin + sum_block, piece.end);
          order_block(rows, begin, end, classes, order);
          cpu::block_class_sums(what, rows, begin, order, threshold, centre.data(), node);
          tree.add(node);
        }
        tree.total(node);
      });
      for (Index i = 0; i < here; ++i) total.add(nodes.data() + i * size);
    }
    total.total(sums.data());
  }

  void count_codes(const RowsView<T>& rows, Index classes, Index codes, const Buffer<Index>& first,
                   double scale, double again, Buffer<std::int64_t>& counts) override {
    const Index size = classes * codes;
    // Each member of the team has counts of its own, where they are not many.
    const Index members = std::clamp<Index>(engine_.threads(), 1,
                                            std::max<Index>(1, rows.rows * rows.features / size));
    const Index piece_rows = (rows.rows + members - 1) / members;
    std::vector<std::vector<std::int64_t>> own(static_cast<std::size_t>(members));
    parallel_for(engine_.threads(), pieces(rows.rows, piece_rows), [&](Index m) {
      std::vector<std::int64_t>& mine = own[static_cast<std::size_t>(m)];
      mine.assign(static_cast<std::size_t>(size), 0);
      const Piece piece = piece_of(rows.rows, piece_rows, m);
      for (Index i = piece.begin; i < piece.end; ++i) {
        std::int64_t* const of_class = mine.data() + static_cast<Index>(rows.target[i]) * codes;
        const Index units =
            rows.weights == nullptr
                ? bayes::units_of(1.0, scale, again)
                : bayes::units_of(static_cast<double>(rows.weights[i]), scale, again);
        const T* const x = rows.x + i * rows.stride;
        for (Index j = 0; j < rows.features; ++j) {
          const Index begin = first.data()[j];
          const Index code = bayes::code_of(x[j], first.data()[j + 1] - begin);
          if (code >= 0) of_class[begin + code] += units;
        }
      }
    });
    for (const auto& mine : own) {
      for (std::size_t e = 0; e < mine.size(); ++e) counts.data()[e] += mine[e];
    }
  }

  void joint(const BayesTermsOn& terms, const RowsView<T>& rows, double* joint) override {
    parallel_pieces(engine_.threads(), rows.rows, 256, [&](Piece piece) {
      cpu::joint_of_rows(terms, rows, piece.begin, piece.end, joint);
    });
  }

  void probabilities(const double* joint, Index rows, Index classes, T* probabilities) override {
    constexpr Index elements = 4096;  // of scratch
    const Index piece_rows = std::max<Index>(1, elements / classes);
    parallel_pieces(engine_.threads(), rows, piece_rows, [&](Piece piece) {
      thread_local std::vector<double> differences;
      thread_local std::vector<double> shares;
      const auto size = static_cast<std::size_t>(piece.size() * classes);
      differences.resize(size);
      shares.resize(size);
      const double* const z = joint + piece.begin * classes;
      constexpr double none = -std::numeric_limits<double>::infinity();
      for (Index i = 0; i < piece.size(); ++i) {
        double largest = none;
        for (Index c = 0; c < classes; ++c) {
          const double value = z[i * classes + c];
          largest = value > largest ? value : largest;
        }
        // 0 where all are −∞: then all shares are alike.
        if (largest == none) largest = 0;
        for (Index c = 0; c < classes; ++c) {
          differences[static_cast<std::size_t>(i * classes + c)] = z[i * classes + c] - largest;
        }
      }
      cpu::map(cpu::ElementaryFunction::exp, std::span<const double>(differences.data(), size),
               std::span<double>(shares.data(), size));
      for (Index i = 0; i < piece.size(); ++i) {
        const double* const e = shares.data() + i * classes;
        double sum = 0;
        for (Index c = 0; c < classes; ++c) sum += e[c];
        T* const out = probabilities + (piece.begin + i) * classes;
        for (Index c = 0; c < classes; ++c) {
          out[c] = static_cast<T>(sum == 0 ? 1 / static_cast<double>(classes) : e[c] / sum);
        }
      }
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<BayesSteps<T>> BayesSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuBayes<T>>(engine);
}
template std::unique_ptr<BayesSteps<float>> BayesSteps<float>::make_cpu(Engine&);
template std::unique_ptr<BayesSteps<double>> BayesSteps<double>::make_cpu(Engine&);

}  // namespace tandem
