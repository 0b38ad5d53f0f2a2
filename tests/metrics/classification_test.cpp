// Expected values: scikit-learn 1.9.1, by the command beside them, where i = np.arange(60) and
//   truth = (i * 7 + i // 4) % 3; pred = (i * 5 + i // 7) % 3; w = 1 + (i % 4) / 2
//   raw = np.stack([1 + (i * 11 + c * 17) % 13 for c in range(3)], 1); p = raw / raw.sum(1)[:,
//   None] b = (i * i % 7 < 3); s = ((i * 29) % 17) / 17
#include "tandem/metrics/classification.hpp"
#include "core/metrics/ranking_scores.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/metrics/curves.hpp"

namespace tandem {
namespace {

using Labels = std::vector<std::int32_t>;

struct Cases {
  Labels truth;
  Labels predicted;
  std::vector<double> weights;
  Matrix<double> p{60, 3};
  Labels binary;
  std::vector<std::uint8_t> positive;
  std::vector<double> score;
  Matrix<double> p2{60, 2};
  Cases() {
    for (int i = 0; i < 60; ++i) {
      truth.push_back((i * 7 + i / 4) % 3);
      predicted.push_back((i * 5 + i / 7) % 3);
      weights.push_back(1 + (i % 4) / 2.0);
      double sum = 0;
      for (int c = 0; c < 3; ++c) sum += p(i, c) = 1 + (i * 11 + c * 17) % 13;
      for (int c = 0; c < 3; ++c) p(i, c) /= sum;
      binary.push_back(i * i % 7 < 3 ? 1 : 0);
      positive.push_back(static_cast<std::uint8_t>(binary.back()));
      score.push_back((i * 29) % 17 / 17.0);
      p2(i, 1) = score.back();
      p2(i, 0) = 1 - score.back();
    }
  }
};

// Different orders of the same sum of 60 terms.
constexpr double tolerance = 1e-14;

TEST(Classification, AgainstScikitLearn) {
  const Cases c;
  const Confusion confusion = confusion_matrix(c.truth, c.predicted, 3);
  // confusion_matrix(truth, pred)
  EXPECT_EQ(confusion.counts.values(), (std::vector<double>{9, 4, 7, 8, 6, 6, 9, 7, 4}));
  const ClassificationScores s = classification_scores(confusion);
  EXPECT_NEAR(s.accuracy, 0.31666666666666665, tolerance);           // accuracy_score
  EXPECT_NEAR(s.balanced_accuracy, 0.31666666666666665, tolerance);  // balanced_accuracy_score
  // precision_recall_fscore_support(truth, pred, average=None | 'macro' | 'micro' | 'weighted')
  const double precision[] = {0.34615384615384615, 0.35294117647058826, 0.23529411764705882};
  const double recall[] = {0.45, 0.3, 0.2};
  const double f1[] = {0.391304347826087, 0.32432432432432434, 0.21621621621621623};
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(s.classes[k].precision, precision[k], tolerance);
    EXPECT_NEAR(s.classes[k].recall, recall[k], tolerance);
    EXPECT_NEAR(s.classes[k].f1, f1[k], tolerance);
    EXPECT_EQ(s.classes[k].support, 20);
  }
  EXPECT_NEAR(s.macro.precision, 0.3114630467571644, tolerance);
  EXPECT_NEAR(s.macro.recall, 0.31666666666666665, tolerance);
  EXPECT_NEAR(s.macro.f1, 0.31061496278887585, tolerance);
  EXPECT_NEAR(s.micro.f1, 0.31666666666666665, tolerance);
  EXPECT_NEAR(s.weighted.precision, 0.3114630467571644, tolerance);
  EXPECT_NEAR(s.weighted.f1, 0.3106149627888758, tolerance);
}

TEST(Classification, WeightedAgainstScikitLearn) {
  const Cases c;
  const ClassificationScores s =
      classification_scores(confusion_matrix(c.truth, c.predicted, 3, c.weights));
  EXPECT_NEAR(s.accuracy, 0.319047619047619, tolerance);
  EXPECT_NEAR(accuracy(c.truth, c.predicted, c.weights), 0.319047619047619, tolerance);
  EXPECT_NEAR(s.balanced_accuracy, 0.319047619047619, tolerance);
  EXPECT_NEAR(s.classes[1].precision, 0.38333333333333336, tolerance);
  EXPECT_NEAR(s.classes[1].recall, 0.32857142857142857, tolerance);
  EXPECT_NEAR(s.classes[1].f1, 0.35384615384615387, tolerance);
  EXPECT_NEAR(s.macro.precision, 0.3167639328656278, tolerance);
  EXPECT_NEAR(s.weighted.f1, 0.3145237416218205, tolerance);
}

TEST(Classification, ProbabilitiesAgainstScikitLearn) {
  const Cases c;
  const MatrixView<const double> p = std::as_const(c).p.view();
  // log_loss(truth, p), roc_auc_score(truth, p, multi_class='ovr'),
  // np.mean([average_precision_score(truth == k, p[:, k]) for k in range(3)]),
  // np.mean(((p - np.eye(3)[truth]) ** 2).sum(1))
  EXPECT_NEAR(log_loss(c.truth, p), 1.2609078290144127, tolerance);
  EXPECT_NEAR(roc_auc(c.truth, p), 0.5202083333333333, tolerance);
  EXPECT_NEAR(average_precision(c.truth, p), 0.35404122427235296, tolerance);
  EXPECT_NEAR(brier(c.truth, p), 0.7438034095743731, tolerance);
  // The same with sample_weight=w, per class where the sklearn function takes no weights for 'ovr'.
  EXPECT_NEAR(log_loss(c.truth, p, c.weights), 1.2427030394152965, tolerance);
  EXPECT_NEAR(roc_auc(c.truth, p, c.weights), 0.5375170068027212, tolerance);
  EXPECT_NEAR(average_precision(c.truth, p, c.weights), 0.36644630555503815, tolerance);
  EXPECT_NEAR(brier(c.truth, p, c.weights), 0.7281124754578316, tolerance);
}

TEST(Classification, BinaryAgainstScikitLearn) {
  const Cases c;
  const MatrixView<const double> p = std::as_const(c).p2.view();
  // roc_auc_score(b, s), average_precision_score(b, s), brier_score_loss(b, s)
  EXPECT_NEAR(roc_auc(c.binary, p), 0.7339261285909715, tolerance);
  EXPECT_NEAR(average_precision(c.binary, p), 0.8586624550441734, tolerance);
  EXPECT_NEAR(brier(c.binary, p), 0.25098039215686274, tolerance);
  EXPECT_NEAR(roc_auc(c.binary, p, c.weights), 0.7308333333333333, tolerance);
  EXPECT_NEAR(average_precision(c.binary, p, c.weights), 0.8513919672462578, tolerance);
  EXPECT_NEAR(brier(c.binary, p, c.weights), 0.252479815455594, tolerance);
}

TEST(Classification, ThreadsDoNotMatter) {
  const Cases c;
  const MatrixView<const double> p = std::as_const(c).p.view();
  for (const int threads : {2, 7}) {
    EXPECT_EQ(roc_auc(c.truth, p, c.weights, threads), roc_auc(c.truth, p, c.weights, 1));
  }
}

TEST(Classification, ZeroDivisions) {
  // Class 1 is never predicted, class 2 never true, class 3 neither.
  const ClassificationScores s =
      classification_scores(confusion_matrix(Labels{0, 0, 1, 1}, Labels{0, 2, 0, 0}, 4));
  EXPECT_TRUE(std::isnan(s.classes[1].precision));
  EXPECT_EQ(s.classes[1].recall, 0);
  EXPECT_EQ(s.classes[1].f1, 0);
  EXPECT_TRUE(std::isnan(s.classes[2].recall));
  EXPECT_TRUE(std::isnan(s.classes[3].f1));
  EXPECT_DOUBLE_EQ(s.classes[0].precision, 1.0 / 3);
  EXPECT_DOUBLE_EQ(s.macro.precision, 1.0 / 9);  // classes 0, 1, 2 occur
  EXPECT_DOUBLE_EQ(s.balanced_accuracy, 0.25);   // classes 0 and 1 are in the truth
  EXPECT_DOUBLE_EQ(s.weighted.recall, 0.25);
}

TEST(Classification, UnknownTrueClassIsWrong) {
  // Rows of truth −1 are one more class, that is never predicted.
  const Labels truth{0, 1, -1, -1};
  const Labels predicted{0, 1, 1, 0};
  const ClassificationScores s = classification_scores(confusion_matrix(truth, predicted, 2));
  EXPECT_EQ(s.accuracy, 0.5);
  EXPECT_EQ(accuracy(truth, predicted), 0.5);
  EXPECT_DOUBLE_EQ(s.balanced_accuracy, 2.0 / 3);
  EXPECT_DOUBLE_EQ(s.macro.precision, (0.5 + 0.5 + 0) / 3);
  EXPECT_EQ(s.classes[0].recall, 1);
  const Matrix<float> p(4, 2, {1, 0, 0, 1, 0.5, 0.5, 0.5, 0.5});
  // −log ε for two rows, −log(1 − ε) for two.
  const double eps = std::numeric_limits<float>::epsilon();
  EXPECT_NEAR(log_loss(truth, p.view()), -(std::log(eps) + std::log(1 - eps)) / 2, 1e-12);
  EXPECT_EQ(brier(truth, p.view()), (1 + 0.25 + 0.25) / 2 / 2);
}

TEST(Classification, LogLossOfCertainty) {
  const Matrix<double> p(2, 2, {1, 0, 1, 0});
  constexpr double eps = std::numeric_limits<double>::epsilon();
  EXPECT_NEAR(log_loss(Labels{0, 0}, p.view()), eps, 1e-20);
  EXPECT_NEAR(log_loss(Labels{1, 1}, p.view()), -std::log(eps), 1e-13);
}

TEST(Classification, RanksByScoresOfAnyRange) {
  const Matrix<double> scores(4, 2, {0, -1e300, 0, 40, 0, 39, 0, 1e300});
  const RankingScores found = ranking_scores(Labels{0, 0, 1, 1}, scores.view());
  EXPECT_EQ(found.roc_auc, 0.75);
  EXPECT_DOUBLE_EQ(found.average_precision, (1 + 2.0 / 3) / 2);
  EXPECT_TRUE(std::isnan(ranking_scores(Labels{1, 1, 1, 1}, scores.view()).roc_auc));
}

TEST(Classification, UndefinedRankingsAreNaN) {
  const Matrix<double> p(2, 2, {0.5, 0.5, 0.1, 0.9});
  EXPECT_TRUE(std::isnan(roc_auc(Labels{1, 1}, p.view())));
  EXPECT_TRUE(std::isnan(average_precision(Labels{0, 0}, p.view())));
  // Class 2 never occurs: the mean is over 0 and 1.
  const Matrix<double> p3(2, 3, {0.9, 0.1, 0, 0.2, 0.8, 0});
  EXPECT_EQ(roc_auc(Labels{0, 1}, p3.view()), 1.0);
}

TEST(Classification, RefusesBadInput) {
  const Matrix<double> p(2, 2, {0.5, 0.5, 0.5, 0.5});
  EXPECT_THROW((void)confusion_matrix(Labels{}, Labels{}, 2), InputError);
  EXPECT_THROW((void)confusion_matrix(Labels{0}, Labels{0, 1}, 2), InputError);
  EXPECT_THROW((void)confusion_matrix(Labels{2}, Labels{0}, 2), InputError);
  EXPECT_THROW((void)confusion_matrix(Labels{0}, Labels{-1}, 2), InputError);
  EXPECT_THROW((void)confusion_matrix(Labels{-2}, Labels{0}, 2), InputError);
  EXPECT_THROW((void)confusion_matrix(Labels{0}, Labels{0}, 2, std::vector<double>{-1}),
               InputError);
  EXPECT_THROW((void)confusion_matrix(Labels{0}, Labels{0}, 2, std::vector<double>{0}), InputError);
  EXPECT_THROW((void)confusion_matrix(Labels{0}, Labels{0}, 2, std::vector<double>{1, 1}),
               InputError);
  EXPECT_THROW((void)log_loss(Labels{0}, p.view()), InputError);
  for (const double bad : {-0.1, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    const Matrix<double> q(1, 2, {bad, 0.5});
    EXPECT_THROW((void)log_loss(Labels{0}, q.view()), InputError);
    EXPECT_THROW((void)brier(Labels{0}, q.view()), InputError);
    EXPECT_THROW((void)roc_auc(Labels{0}, q.view()), InputError);
  }
}

TEST(Curves, TiesByHand) {
  // Pairs: .8 above both negatives, .5 ties with .5 and is above .2: 3.5 of 4.
  const std::vector<double> scores{0.5, 0.8, 0.2, 0.5};
  const std::vector<std::uint8_t> positive{1, 1, 0, 0};
  const RankingCurves curves = ranking_curves(scores, positive);
  EXPECT_EQ(curves.roc.area, 0.875);
  EXPECT_EQ(curves.roc.false_positive_rate, (std::vector<double>{0, 0, 0.5, 1}));
  EXPECT_EQ(curves.roc.true_positive_rate, (std::vector<double>{0, 0.5, 1, 1}));
  EXPECT_EQ(curves.roc.threshold[1], 0.8);
  EXPECT_EQ(curves.roc.threshold[2], 0.5);
  EXPECT_EQ(curves.roc.threshold[3], 0.2);
  EXPECT_EQ(curves.precision_recall.recall, (std::vector<double>{0, 0.5, 1, 1}));
  EXPECT_EQ(curves.precision_recall.precision, (std::vector<double>{1, 1, 2.0 / 3, 0.5}));
  EXPECT_DOUBLE_EQ(curves.precision_recall.average_precision, 0.5 + 0.5 * 2 / 3);
  const RankingAreas areas = ranking_areas(scores, positive);
  EXPECT_EQ(areas.roc_auc, curves.roc.area);
  EXPECT_EQ(areas.average_precision, curves.precision_recall.average_precision);
}

TEST(Curves, OrderOfRowsDoesNotMatter) {
  // All scores equal: no information, whatever the order.
  for (const std::vector<std::uint8_t>& positive :
       {std::vector<std::uint8_t>{1, 1, 0}, std::vector<std::uint8_t>{0, 1, 1}}) {
    const RankingAreas areas = ranking_areas(std::vector<float>(3, 0.5F), positive);
    EXPECT_EQ(areas.roc_auc, 0.5);
    EXPECT_DOUBLE_EQ(areas.average_precision, 2.0 / 3);
  }
}

// The definition: a positive outranks a negative, ties count half.
template <Real T>
double auc_by_pairs(const std::vector<T>& scores, const std::vector<std::uint8_t>& positive) {
  double wins = 0;
  double pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (positive[i] == 0 || positive[j] == 1) continue;
      pairs += 1;
      wins += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  }
  return wins / pairs;
}

template <class T>
class CurvesTyped : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(CurvesTyped, Reals);

TYPED_TEST(CurvesTyped, AgainstAllPairs) {
  using T = TypeParam;
  // Below and above the size at which the radix sort takes over, with negative scores, both zeros,
  // infinities, subnormal numbers and ties.
  for (const int n : {50, 3000}) {
    std::vector<T> scores;
    std::vector<std::uint8_t> positive;
    const Random random(5, Purpose::test);
    for (int i = 0; i < n; ++i) {
      const auto at = static_cast<std::uint64_t>(i);
      T score = static_cast<T>(random.below(200, at)) - T{100};
      if (i % 3 == 0) score = random.uniform<T>(at) * std::numeric_limits<T>::min();
      if (i % 5 == 0) score = -score;
      if (i % 31 == 0) score = std::numeric_limits<T>::infinity();
      if (i % 37 == 0) score = -std::numeric_limits<T>::infinity();
      scores.push_back(score);
      positive.push_back(random.below(3, at + 100000) == 0 ? 1 : 0);
    }
    EXPECT_DOUBLE_EQ(ranking_areas(scores, positive).roc_auc, auc_by_pairs(scores, positive)) << n;
    const RocCurve roc = ranking_curves(scores, positive).roc;
    EXPECT_EQ(roc.threshold[1], std::numeric_limits<double>::infinity());
    for (std::size_t i = 2; i < roc.threshold.size(); ++i) {
      EXPECT_LT(roc.threshold[i], roc.threshold[i - 1]);
    }
    EXPECT_EQ(roc.true_positive_rate.back(), 1);
    EXPECT_EQ(roc.false_positive_rate.back(), 1);
  }
}

TEST(Curves, WeightsAreRepetitions) {
  const std::vector<double> scores{0.1, 0.4, 0.35, 0.8, 0.4};
  const std::vector<std::uint8_t> positive{0, 0, 1, 1, 1};
  const std::vector<double> weights{2, 1, 3, 1, 0};
  std::vector<double> repeated;
  std::vector<std::uint8_t> repeated_positive;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (int k = 0; k < static_cast<int>(weights[i]); ++k) {
      repeated.push_back(scores[i]);
      repeated_positive.push_back(positive[i]);
    }
  }
  EXPECT_EQ(ranking_areas(scores, positive, weights).roc_auc,
            ranking_areas(repeated, repeated_positive).roc_auc);
  EXPECT_EQ(ranking_areas(scores, positive, weights).average_precision,
            ranking_areas(repeated, repeated_positive).average_precision);
  // A row of weight 0 alone at the top is no point.
  const RankingCurves curves =
      ranking_curves(std::vector<double>{3, 2, 1}, std::vector<std::uint8_t>{0, 1, 0},
                     std::vector<double>{0, 1, 1});
  EXPECT_EQ(curves.roc.area, 1);
  EXPECT_EQ(curves.precision_recall.average_precision, 1);
  EXPECT_EQ(curves.precision_recall.precision, (std::vector<double>{1, 1, 0.5}));
}

TEST(Curves, RefusesBadInput) {
  const std::vector<double> scores{1, 2};
  EXPECT_THROW((void)ranking_areas(scores, std::vector<std::uint8_t>{1, 1}), InputError);
  EXPECT_THROW((void)ranking_areas(scores, std::vector<std::uint8_t>{0, 0}), InputError);
  EXPECT_THROW((void)ranking_areas(scores, std::vector<std::uint8_t>{0}), InputError);
  EXPECT_THROW((void)ranking_areas(std::vector<double>{}, std::vector<std::uint8_t>{}), InputError);
  EXPECT_THROW((void)ranking_areas(std::vector<double>{1, std::numeric_limits<double>::quiet_NaN()},
                                   std::vector<std::uint8_t>{0, 1}),
               InputError);
  EXPECT_THROW(
      (void)ranking_areas(scores, std::vector<std::uint8_t>{0, 1}, std::vector<double>{0, 1}),
      InputError);
}

TEST(Curves, ThinnedKeepsTheEnds) {
  std::vector<double> scores;
  std::vector<std::uint8_t> positive;
  for (int i = 0; i < 1000; ++i) {
    scores.push_back(i);
    positive.push_back(i % 3 == 0 ? 1 : 0);
  }
  const RocCurve roc = ranking_curves(scores, positive).roc;
  const RocCurve thin = thinned(roc, 10);
  ASSERT_EQ(thin.threshold.size(), 10U);
  EXPECT_EQ(thin.true_positive_rate.front(), 0);
  EXPECT_EQ(thin.true_positive_rate.back(), 1);
  EXPECT_EQ(thin.area, roc.area);
  EXPECT_EQ(thinned(roc, 5000).threshold.size(), roc.threshold.size());
  EXPECT_THROW((void)thinned(roc, 1), InputError);
}

}  // namespace
}  // namespace tandem
