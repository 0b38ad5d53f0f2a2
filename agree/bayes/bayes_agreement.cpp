// Agreement of the steps that the naive Bayes classifiers share.
#include <algorithm>
#include <cmath>
#include <limits>

#include "agree/bayes/bayes_cases.hpp"
#include "core/bayes/bayes_math.hpp"

namespace tandem::agree {
namespace {

constexpr double denorm = std::numeric_limits<double>::denorm_min();

template <Real T>
class SumsCase final : public Case {
 public:
  explicit SumsCase(const Key& key) {
    Draw draw(key.seed, 151);
    // Past 64 columns there are several strips of the CPU's; the rows then stay few.
    const Index most = key.rows <= 257 && draw.below(4) == 0 ? 90 : 20;
    x_ = make_features<T>(key.kind, key.rows, draw.between(1, most), draw);
    classes_ = draw.of<Index>({2, 3, 12, 40});
    // Some classes may have no row.
    for (Index i = 0; i < x_.rows(); ++i) target_.push_back(static_cast<T>(draw.below(classes_)));
    if (draw.flip()) weights_ = make_weights<T>(x_.rows(), draw);
    threshold_ = draw.of({0.0, 0.5, -1e3});
    for (Index c = 0; c < classes_; ++c) {
      const Index row = draw.below(x_.rows());
      for (Index j = 0; j < x_.cols(); ++j) centre_.push_back(static_cast<double>(x_(row, j)));
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<BayesSteps, T>(engine);
    const RowMajorRows<T> rows{x_.rows(), x_.cols(), to_engine(engine, x_.values()),
                               to_engine(engine, target_), to_engine(engine, weights_)};
    const auto centre = to_engine(engine, centre_);
    Buffer<double> sums(engine, classes_ * x_.cols());
    for (const auto what : all) {
      steps->class_sums(what, rows, classes_, threshold_, centre, sums);
      out.add(name(what), sums);
    }
  }

  // Two orders of a sum, and the terms' own roundings; what a product loses to underflow comes on
  // top.
  void judge(Judge& judge) const override {
    const Index n = x_.rows();
    const double relative = long_sum_bound(n) + gamma_bound<double>(n + 6);
    for (const auto what : all) {
      std::vector<long double> magnitudes(static_cast<std::size_t>(classes_ * x_.cols()), 0);
      std::vector<double> factor(magnitudes.size(), 0);  // the largest |t|
      for (Index i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(i);
        const auto c = static_cast<Index>(target_[at]);
        const long double w = weights_.empty() ? 1.0L : static_cast<long double>(weights_[at]);
        for (Index j = 0; j < x_.cols(); ++j) {
          const auto e = static_cast<std::size_t>(c * x_.cols() + j);
          const auto x = static_cast<long double>(x_(i, j));
          const auto t = static_cast<long double>(static_cast<double>(x_(i, j)) - centre_[e]);
          magnitudes[e] += what == ClassSum::values       ? std::abs(w * x)
                           : what == ClassSum::presences  ? w
                           : what == ClassSum::deviations ? std::abs(w * t)
                                                          : w * t * t;
          factor[e] = std::max(factor[e], static_cast<double>(std::abs(t)));
        }
      }
      judge.within(name(what), Tolerance::reduction, [&](std::size_t e) {
        const auto magnitude = static_cast<double>(magnitudes[e]);
        if (!(magnitude < std::numeric_limits<double>::max() / 4)) {
          return std::numeric_limits<double>::infinity();
        }
        return relative * magnitude + 4 * static_cast<double>(n) * denorm *
                                          (1 + (what == ClassSum::squares ? factor[e] : 0));
      });
    }
  }

 private:
  static constexpr ClassSum all[] = {ClassSum::values, ClassSum::presences, ClassSum::deviations,
                                     ClassSum::squares};
  static std::string name(ClassSum what) {
    return what == ClassSum::values       ? "values"
           : what == ClassSum::presences  ? "presences"
           : what == ClassSum::deviations ? "deviations"
                                          : "squares";
  }

  Matrix<T> x_;
  std::vector<T> target_, weights_;
  std::vector<double> centre_;
  Index classes_ = 0;
  double threshold_ = 0;
};

template <Real T>
class CodesCase final : public Case {
 public:
  explicit CodesCase(const Key& key) {
    Draw draw(key.seed, 152);
    x_ = make_codes<T>(key, draw.between(1, 9), draw);
    classes_ = draw.of<Index>({2, 5});
    for (Index i = 0; i < x_.rows(); ++i) target_.push_back(static_cast<T>(draw.below(classes_)));
    if (draw.flip()) weights_ = make_weights<T>(x_.rows(), draw);
    first_.push_back(0);
    // Not all codes are among them.
    for (Index j = 0; j < x_.cols(); ++j) first_.push_back(first_.back() + draw.between(1, 12));
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<BayesSteps, T>(engine);
    const RowMajorRows<T> rows{x_.rows(), x_.cols(), to_engine(engine, x_.values()),
                               to_engine(engine, target_), to_engine(engine, weights_)};
    Buffer<std::int64_t> counts(engine, classes_ * first_.back());
    counts.fill_zero();
    const FixedPoint unit = FixedPoint::for_sum(2 * x_.rows(), 2);
    const auto first = to_engine(engine, first_);
    // Twice, as pieces are.
    for (int piece = 0; piece < 2; ++piece) {
      steps->count_codes(rows, classes_, first_.back(), first, std::ldexp(1.0, unit.exponent / 2),
                         std::ldexp(1.0, unit.exponent - unit.exponent / 2), counts);
    }
    out.add("counts", counts);
  }

  void judge(Judge& judge) const override { judge.exact("counts"); }

 private:
  Matrix<T> x_;
  std::vector<T> target_, weights_;
  std::vector<Index> first_;
  Index classes_ = 0;
};

template <Real T>
class JointCase final : public Case {
 public:
  explicit JointCase(const Key& key) {
    Draw draw(key.seed, 153);
    terms_.likelihood = draw.of({BayesLikelihood::weighted, BayesLikelihood::thresholded,
                                 BayesLikelihood::normal, BayesLikelihood::coded});
    const bool coded = terms_.likelihood == BayesLikelihood::coded;
    const Index columns = draw.between(1, 70);
    x_ = coded ? make_codes<T>(key, columns, draw)
               : make_features<T>(key.kind, key.rows, columns, draw);
    terms_.features = x_.cols();
    terms_.classes = draw.of<Index>({2, 3, 8, 17});
    terms_.threshold = draw.of({0.0, 0.3});
    Index rows = terms_.features;
    if (coded) {
      terms_.first.push_back(0);
      for (Index j = 0; j < terms_.features; ++j) {
        terms_.first.push_back(terms_.first.back() + draw.between(1, 12));
      }
      rows = terms_.first.back();
    }
    for (Index c = 0; c < terms_.classes; ++c) {
      // A class may be impossible.
      terms_.bias.push_back(draw.below(12) == 0 ? -std::numeric_limits<double>::infinity()
                                                : draw.uniform(-9, 0));
    }
    for (Index e = 0; e < rows * terms_.classes; ++e) {
      terms_.weights.push_back(draw.uniform(-9, 0));
      if (terms_.likelihood != BayesLikelihood::normal) continue;
      terms_.weights.back() = draw.uniform(0.01, 9);
      terms_.means.push_back(static_cast<double>(x_(draw.below(x_.rows()), e / terms_.classes)));
    }
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const auto steps = make_steps<BayesSteps, T>(engine);
    const RowMajorRows<T> rows{x_.rows(), x_.cols(), to_engine(engine, x_.values()), {}, {}};
    const BayesTermsOn terms(engine, terms_);
    Buffer<double> joint(engine, x_.rows() * terms_.classes);
    steps->joint(terms, rows, joint.data());
    out.add("joint", joint);
    // The reference goes on from the engine's likelihoods.
    if (follow != nullptr) joint.upload(follow->get<double>("joint"));
    Buffer<T> probabilities(engine, x_.rows() * terms_.classes);
    steps->probabilities(joint.data(), x_.rows(), terms_.classes, probabilities.data());
    out.add("probabilities", probabilities);
  }

  void judge(Judge& judge) const override {
    judge.within("joint", Tolerance::reduction, [&](std::size_t e) {
      return joint_bound<T>(terms_, x_.row(static_cast<Index>(e) / terms_.classes),
                            static_cast<Index>(e) % terms_.classes);
    });
    judge_probabilities<T>(judge, terms_.classes);
  }

 private:
  Matrix<T> x_;
  BayesTerms terms_;
};

}  // namespace

Agreement make_bayes_agreement() {
  return {over_many_blocks(part<SumsCase>("sums", "sums over the rows of each class", {"bayes"},
                                          "reduction: two orders of a sum of Σ|terms|")),
          part<CodesCase>("codes", "weights of the rows of each class and code", {"bayes"},
                          "exact: whole numbers of units"),
          part<JointCase>("joint", "likelihoods of rows, and the classes' probabilities", {"bayes"},
                          "reduction: 2γ(d+4) of |bias| + Σ|terms|; probabilities: 2u and "
                          "(2K+20)u of double")};
}

}  // namespace tandem::agree
