// The steps of naive Bayes: what an engine must be able to do for the drivers in core/bayes.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/cost.hpp"
#include "core/linear/linear_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// What is added up per class and feature, w being the row's weight:
//   values      w·x
//   presences   w where x exceeds the threshold
//   deviations  w·(x − m), m being the centre of the class and feature
//   squares     w·(x − m)²
enum class ClassSum { values, presences, deviations, squares };

// How likely a row is in a class.
//   weighted     b_c + Σ_j x_j·w_cj                        (multinomial, complement)
//   thresholded  b_c + Σ_j [x_j > threshold]·w_cj          (Bernoulli)
//   normal       b_c − Σ_j (x_j − m_cj)²·w_cj              (Gaussian)
//   coded        b_c + Σ_j w of class c and code x_j        (categorical)
enum class BayesLikelihood { weighted, thresholded, normal, coded };

// The parameters of a likelihood on the host. Those of the features stand feature by feature (code
// by code), the classes of one side by side.
struct BayesTerms {
  BayesLikelihood likelihood = BayesLikelihood::weighted;
  Index features = 0;
  Index classes = 0;
  double threshold = 0;
  std::vector<double> bias;     // classes
  std::vector<double> weights;  // features × classes; coded: all codes × classes
  std::vector<double> means;    // normal: features × classes
  std::vector<Index> first;     // coded: features + 1, where each feature's codes begin
};

// The same in an engine's memory, which must outlive it. The classes are padded with zeros to
// `pitch`, so that a vector of classes never ends in the middle of the next feature's.
struct BayesTermsOn {
  static constexpr Index multiple = 8;

  BayesTermsOn() = default;
  BayesTermsOn(Engine& engine, const BayesTerms& terms);

  BayesLikelihood likelihood = BayesLikelihood::weighted;
  Index features = 0;
  Index classes = 0;
  Index pitch = 0;
  double threshold = 0;
  Buffer<double> bias;
  Buffer<double> weights;
  Buffer<double> means;
  Buffer<Index> first;
};

// Bytes that a pass of sums over the rows moves, and its operations.
[[nodiscard]] constexpr Cost class_sums_cost(Index rows, Index features, std::size_t element) {
  const auto values = static_cast<double>(rows) * static_cast<double>(features);
  return {values * static_cast<double>(element), 2 * values};
}
// The same of the likelihoods of rows in all classes.
[[nodiscard]] constexpr Cost bayes_joint_cost(BayesLikelihood likelihood, Index rows,
                                              Index features, Index classes, std::size_t element) {
  const auto n = static_cast<double>(rows);
  const auto d = static_cast<double>(features);
  const auto k = static_cast<double>(classes);
  const double each = likelihood == BayesLikelihood::normal  ? 4
                      : likelihood == BayesLikelihood::coded ? 1
                                                             : 2;
  return {n * (d * static_cast<double>(element) + 8 * k), each * n * d * k};
}

template <Real T>
class BayesSteps {
 public:
  virtual ~BayesSteps() = default;
  static constexpr std::string_view name = "bayes";
  [[nodiscard]] static std::unique_ptr<BayesSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<BayesSteps> make_cpu(Engine& engine);

  // sums[c·d + j] ← the long sum over all rows in which those of other classes add nothing.
  // rows.target: the class of each row, 0 .. classes − 1, as a number. centre: classes × d, for
  // deviations and squares. cpu and cuda: lanes grow by fma(w, x, lane), by lane + w, by
  // fma(w, t, lane) and by fma(w·t, t, lane) with t = x − m and w·t rounded. Rows that start at a
  // block which is a multiple of 2^k and make up at most 2^k blocks give one node of the tree over
  // all rows. Enqueues.
  virtual void class_sums(ClassSum what, const RowsView<T>& rows, Index classes, double threshold,
                          const Buffer<double>& centre, Buffer<double>& sums) = 0;

  // counts[c·codes + first[j] + x_j] += units_of(w, scale, again) for the rows of class c and all
  // features j, where x_j is a code. first: features + 1, the last one the number of all codes.
  // Whole numbers, so that no order shows. Enqueues.
  virtual void count_codes(const RowsView<T>& rows, Index classes, Index codes,
                           const Buffer<Index>& first, double scale, double again,
                           Buffer<std::int64_t>& counts) = 0;

  // joint[i·classes + c] ← the likelihood of row i in class c: one chain in double over ascending
  // features that starts at the bias; by fma where there is a product; codes that are none add
  // nothing. The rows' targets and weights are not read. Enqueues.
  virtual void joint(const BayesTermsOn& terms, const RowsView<T>& rows, double* joint) = 0;

  // probabilities[i·classes + c] ← T(e_c / Σ e), e_c = exp(z_c − M) with M the largest of the row's
  // z, summed in the order of the classes, in double; 1 / classes each where all z are −∞.
  // Enqueues.
  virtual void probabilities(const double* joint, Index rows, Index classes, T* probabilities) = 0;
};

}  // namespace tandem
