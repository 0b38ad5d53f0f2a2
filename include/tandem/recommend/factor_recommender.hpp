// Recommenders whose scores are products of a user's vector with the items' vectors.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/core/buffer.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem {

// score = one ascending chain of fmas over the elements of both vectors, in float. The user's
// vector is worked out from the history. An item whose vector is all 0 is no answer, and nobody's
// history leads to one without events of a weight above 0.
class TANDEM_API FactorRecommender : public Recommender {
 public:
  Matrix<float> item_factors;  // items × width

  // The vector of a user with this history: width.
  [[nodiscard]] virtual std::vector<float> fold_in(UserHistory history) const = 0;
  void score(UserHistory history, std::span<double> scores) const override;
  [[nodiscard]] std::vector<double> score_items(UserHistory history,
                                                std::span<const std::int32_t> items) const override;
  [[nodiscard]] std::vector<ScoredItem> top_items(UserHistory history, Index n,
                                                  const ItemFilter& filter = {}) const override;
  [[nodiscard]] TopItems top_items(Engine& engine, const SparseView<double>& histories, Index n,
                                   const ItemFilter& filter = {}) const override;
  // By the cosine of the items' vectors.
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;

 protected:
  // Histories on an engine, without elements of weight 0.
  struct EngineHistories {
    Index rows = 0;
    Buffer<Index> offsets;         // rows + 1
    Buffer<std::int32_t> columns;  // ascending within a row
    std::vector<double> weights;   // on the host
  };
  // Folds many users in, on one engine.
  class Folder {
   public:
    virtual ~Folder() = default;
    // x (rows × pitch) ← the vectors, pitch the width up to a multiple of 32; the elements behind
    // the width are 0. A row without events may hold anything.
    virtual void fold_in(EngineHistories histories, Buffer<float>& x) = 0;
  };
  // items: the items' vectors on the engine, items × pitch; it outlives the result.
  [[nodiscard]] virtual std::unique_ptr<Folder> folder(Engine& engine,
                                                       const Buffer<float>& items) const = 0;
  // How many of the first elements of an item's vector say what it is like.
  [[nodiscard]] virtual Index described_by() const { return item_factors.cols(); }

  // What is worked out from item_factors. Called by fit and load.
  void prepare_factors();
  // The items' vectors with zeros up to the pitch.
  [[nodiscard]] const float* padded() const;
  // From an archive; fails where there are more than `most` columns, or a value is not finite.
  void load_factors(const Archive& archive, Index items, Index most);

 private:
  Matrix<float> padded_;             // empty where the width is a multiple of 32
  std::vector<std::uint8_t> known_;  // items whose vectors are not all 0
  std::vector<double> lengths_;      // of the items' vectors as far as described_by()
};

}  // namespace tandem
