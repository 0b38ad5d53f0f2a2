// The hot loops of naive Bayes on the CPU, compiled per instruction set: sums of a block's rows by
// class (bayes_sums.cpp), and likelihoods of rows (bayes_joint.cpp).
#pragma once

#include <vector>

#include "core/bayes/bayes_steps.hpp"

namespace tandem::cpu {

// The rows of a block in the order in which their sums are made: by class, then as they stand.
struct BlockOrder {
  std::vector<Index> rows;   // numbers in the block
  std::vector<Index> first;  // classes + 1: where each class begins
};

// sums[c·d + j] ← the lanes of the rows begin .. begin + order.rows.size() − 1, folded. centre:
// classes × d, where `what` has one.
template <Real T>
void block_class_sums(ClassSum what, const RowsView<T>& rows, Index begin, const BlockOrder& order,
                      double threshold, const double* centre, double* sums);

// joint ← the likelihoods of the rows begin .. end − 1.
template <Real T>
void joint_of_rows(const BayesTermsOn& terms, const RowsView<T>& rows, Index begin, Index end,
                   double* joint);

}  // namespace tandem::cpu
