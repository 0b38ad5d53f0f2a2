// The vector of a viewer by ALS, and what each item of the history carries of a score, quickly
// enough for every answer to work them out anew.
//
// With Y the factors of all items, G = YᵀY + λI, and for a history of h items their factors Y_h
// (h × width), confidences c = 1 + α·weight and D = diag(c − 1), the vector is
//   x = (G + Y_hᵀ·D·Y_h)⁻¹ · Y_hᵀ·c          (Hu, Koren and Volinsky, ICDM 2008)
// For h <= width it is taken by way of h × h numbers (Woodbury's identity): with P = Y·G⁻¹, worked
// out once for all items, and K = Y_h·P_hᵀ,
//   x = P_hᵀ·s,   s = (I + D·K)⁻¹·c
// and the part that history item j has in the score of an item of factors y is c_j·t_j with
// t = (I + K·D)⁻¹·P_h·y. For h > width the matrix of the viewer itself is factorised.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "systems/recommend/padded_rows.hpp"
#include "tandem/recommend/als.hpp"

namespace tandem::recommend {

// The factors of one viewer. Used by one thread.
class FoldedViewer {
 public:
  virtual ~FoldedViewer() = default;
  // The vector, with zeros up to the stride of AlsFoldIn::factors().
  [[nodiscard]] virtual std::span<const float> vector() const = 0;
  // parts[j]: what the j-th item of the history carries of the score of an item of these factors,
  // which are a row of AlsFoldIn::factors(). They sum to the score, up to rounding.
  virtual void parts(const float* factors, std::span<double> parts) = 0;
};

// Several threads may use one at once; it does not need the model once it is made.
class AlsFoldIn {
 public:
  explicit AlsFoldIn(const AlsModel& model);

  // history: items of the model, each at most once, weights above 0; not empty.
  [[nodiscard]] std::unique_ptr<FoldedViewer> fold_in(std::span<const HistoryItem> history) const;
  // The same by the matrix of the viewer, whatever the length of the history.
  [[nodiscard]] std::unique_ptr<FoldedViewer> fold_in_by_matrix(
      std::span<const HistoryItem> history) const;

  [[nodiscard]] const PaddedRows& factors() const noexcept { return factors_; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return factors_.bytes() + solved_.bytes() + gram_.size() * sizeof(double);
  }

 private:
  class ByItems;
  class ByMatrix;
  [[nodiscard]] double confidence(const HistoryItem& one) const { return 1 + alpha_ * one.weight; }
  [[nodiscard]] const float* factors_of(const HistoryItem& one) const {
    return factors_.row(static_cast<std::size_t>(one.item));
  }

  double alpha_;
  PaddedRows factors_;        // Y
  PaddedRows solved_;         // P = Y·G⁻¹
  std::vector<double> gram_;  // lower triangle of G, width × width
  bool by_items_ = true;      // G is far enough from singular for P to have meaning
};

}  // namespace tandem::recommend
