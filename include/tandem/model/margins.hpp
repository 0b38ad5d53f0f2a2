// Margins: the scores by which a classifier ranks rows.
#pragma once

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

// A classifier that has more to rank rows by than its probabilities, which are rounded: those of
// rows far on one side are all 1, and metrics of the order (ROC-AUC, average precision, curves)
// would see them tied. A model that has margins derives from this beside Model<T>; one that does
// not (a decision tree, whose probabilities are shares of rows) is ranked by its probabilities.
template <Real T>
class TANDEM_API Margins {
 public:
  virtual ~Margins() = default;
  // rows × classes: the log-odds of each class, ln p − ln(1 − p), computed from the sums that the
  // probabilities are computed from, before those are rounded. The same bits on cpu and cuda in
  // exact numerics. x: rows × features. Throws InputError where the number of columns differs.
  [[nodiscard]] virtual Matrix<double> margins(Engine& engine, MatrixView<const T> x) const = 0;
};

}  // namespace tandem
