// Models whose predictions are made of the scores of trees.
#pragma once

#include <optional>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"
#include "tandem/model/model.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem {

// A model that is trees derives from this beside Model<T>, so that what explains, exports or counts
// trees need not know which kind it is.
template <Real T>
class TANDEM_API TreeModel {
 public:
  virtual ~TreeModel() = default;
  // The trees whose raw scores the predictions are made of. The unit of a score is the model's: a
  // value, a log-odds, a share of rows.
  [[nodiscard]] virtual TreeEnsemble<T> tree_ensemble() const = 0;
};

// The trees of a TreeModel; a decision tree as an ensemble of one, whose scores are its means, or,
// for classes, its shares of each class. Nothing for other models.
template <Real T>
[[nodiscard]] TANDEM_API std::optional<TreeEnsemble<T>> tree_ensemble_of(const Model<T>& model);

// Per feature its share of what the splits gained, as the kind of model defines it: the mean over
// the trees of a forest, of all splits elsewhere. Empty for models that are no trees, and for those
// whose splits have no gains.
template <Real T>
[[nodiscard]] TANDEM_API std::vector<double> importances_of(const Model<T>& model);

}  // namespace tandem
