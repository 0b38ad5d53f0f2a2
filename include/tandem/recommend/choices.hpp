// What recommenders may be told to choose between.
#pragma once

#include <array>
#include <string_view>

#include "tandem/core/names.hpp"

namespace tandem {

// How the equations of a row of alternating least squares are solved: by a few steps of conjugate
// gradients from the last iteration's factors, or exactly.
enum class AlsSolver { cg, cholesky };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<AlsSolver>{"cg", "cholesky"};

// Which items Bayesian personalised ranking compares a user's own with: any item that the user does
// not have is as likely as another, or as likely as it has users.
enum class BprNegatives { uniform, popular };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<BprNegatives>{"uniform", "popular"};

// Likeness of two items by the users x, y that have them:
//   cosine   x·y / (‖x‖‖y‖ + shrinkage)
//   jaccard  |x ∧ y| / (|x ∨ y| + shrinkage), weights ignored
//   bm25     the cosine of weights that BM25 makes of the matrix (Robertson and Walker, SIGIR 1994)
enum class KnnSimilarity { cosine, jaccard, bm25 };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<KnnSimilarity>{"cosine", "jaccard",
                                                                           "bm25"};

}  // namespace tandem
