// Agreement of L-BFGS: the operations on whole vectors, and the two-loop recursion.
#include <limits>

#include "agree/case.hpp"
#include "agree/running_error.hpp"
#include "core/optim/lbfgs_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

// |Σ a·b| in two orders, both in double: a long sum, and the judge's own.
template <Real T>
double product_bound(const std::vector<T>& a, const std::vector<T>& b, double& value) {
  long double sum = 0;
  double magnitude = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += static_cast<long double>(a[i]) * static_cast<long double>(b[i]);
    magnitude += std::abs(static_cast<double>(a[i]) * static_cast<double>(b[i]));
  }
  value = static_cast<double>(sum);
  return long_sum_bound(static_cast<Index>(a.size()) + 1) * magnitude +
         static_cast<double>(a.size() + 1) * std::numeric_limits<double>::denorm_min();
}

template <Real T>
class VectorsCase final : public Case {
 public:
  explicit VectorsCase(const Key& key) {
    Draw draw(key.seed, 31);
    const Index size = key.kind == DataKind::one_row ? 1 : key.rows;
    for (auto* values : {&a_, &b_, &c_, &d_}) *values = make_values<T>(key.kind, size, draw);
    length_ = draw.uniform(-2, 2);
    slot_ = draw.below(3);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<LbfgsSteps, T>(engine);
    const auto a = to_engine(engine, a_), b = to_engine(engine, b_), c = to_engine(engine, c_),
               d = to_engine(engine, d_);
    out.add("dot", steps->dot(a, b));
    out.add("largest", steps->largest(a));
    Buffer<T> moved(engine, a.size());
    steps->move(a, length_, b, moved);
    out.add("moved", moved);
    LbfgsPairs<T> pairs(engine, 3, a.size());
    out.add("ratio", steps->store(slot_, a, b, c, d, pairs));
    out.add("s", pairs.s);
    out.add("y", pairs.y);
    out.add("products", pairs.products);
  }

  void judge(Judge& judge) const override {
    double dot = 0;
    const double bound = product_bound(a_, b_, dot);
    judge.compare("dot", 0, Tolerance::reduction, judge.got.number("dot"), dot, bound);
    // The reference's own order.
    judge.within("dot", Tolerance::reduction, bound + own_order(a_, b_));
    judge.exact("largest");
    const auto& moved = judge.got.get<T>("moved");
    const double length = static_cast<double>(static_cast<T>(length_));
    for (std::size_t i = 0; i < moved.size(); ++i) {
      const long double exact = static_cast<long double>(length) * static_cast<long double>(b_[i]) +
                                static_cast<long double>(a_[i]);
      // One rounding of T; the judge's own of long double are 2^-11 of one in double.
      judge.compare(
          "moved", static_cast<Index>(i), Tolerance::elementwise, static_cast<double>(moved[i]),
          static_cast<double>(exact),
          2.01 * (unit_roundoff<T> * static_cast<double>(std::abs(exact)) +
                  unit_roundoff<double> * (std::abs(length * static_cast<double>(b_[i]))) +
                  static_cast<double>(std::numeric_limits<T>::denorm_min())));
    }
    judge.exact("s");
    judge.exact("y");
    // sᵀy and sᵀy / yᵀy of the s and y found, each sum in two orders.
    const auto n = static_cast<std::ptrdiff_t>(a_.size());
    const auto in_slot = [&](const char* name) {
      const auto& all = judge.reference.get<T>(name);
      return std::vector<T>(all.begin() + slot_ * n, all.begin() + (slot_ + 1) * n);
    };
    const std::vector<T> s = in_slot("s");
    const std::vector<T> y = in_slot("y");
    double sy = 0;
    double yy = 0;
    const double sy_bound = 2 * product_bound(s, y, sy) + own_order(s, y);
    const double yy_bound = 2 * product_bound(y, y, yy) + own_order(y, y);
    judge.within("products", Tolerance::reduction, [&](std::size_t i) {
      if (static_cast<Index>(i) != slot_) return 0.0;
      const double largest = static_cast<double>(std::numeric_limits<T>::max());
      if (!(std::abs(sy) + sy_bound < largest)) return std::numeric_limits<double>::infinity();
      return sy_bound + 2 * (unit_roundoff<T> * (std::abs(sy) + sy_bound) +
                             static_cast<double>(std::numeric_limits<T>::denorm_min()));
    });
    const double least = yy - yy_bound;
    judge.within("ratio", Tolerance::reduction,
                 yy == 0     ? 0.0
                 : least > 0 ? (sy_bound + std::abs(sy / yy) * yy_bound) / least +
                                   4 * (unit_roundoff<double> * std::abs(sy / yy) +
                                        std::numeric_limits<double>::denorm_min())
                             : std::numeric_limits<double>::infinity());
  }

 private:
  // The error of the reference's ascending order, to be added to product_bound().
  static double own_order(const std::vector<T>& a, const std::vector<T>& b) {
    double magnitude = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      magnitude += std::abs(static_cast<double>(a[i]) * static_cast<double>(b[i]));
    }
    return gamma_bound<double>(static_cast<Index>(a.size()) + 1) * magnitude;
  }

  std::vector<T> a_, b_, c_, d_;
  double length_ = 0;
  Index slot_ = 0;
};

template <Real T>
class DirectionCase final : public Case {
 public:
  explicit DirectionCase(const Key& key) {
    Draw draw(key.seed, 32);
    groups_ = draw.of<Index>({0, 0, 1, 3});
    Index size = key.kind == DataKind::one_row ? 1 : key.rows;
    if (groups_ > 0) size = groups_ * std::min<Index>(1 + size / groups_, 60);
    memory_ = draw.of<Index>({1, 3, 10});
    count_ = draw.between(0, memory_ + 2);
    const Index m = groups_ > 0 ? size / groups_ : size;
    inverse_.assign(static_cast<std::size_t>(groups_ > 0 ? m * m : m), 0.0);
    for (Index i = 0; i < m; ++i) {
      inverse_[static_cast<std::size_t>(groups_ > 0 ? i * m + i : i)] = draw.uniform(0.1, 2);
      if (groups_ > 0 && i > 0) {
        const double beside = draw.uniform(-0.02, 0.02);
        inverse_[static_cast<std::size_t>(i * m + i - 1)] = beside;
        inverse_[static_cast<std::size_t>((i - 1) * m + i)] = beside;
      }
    }
    gradient_ = make_values<T>(key.kind, size, draw);
    for (Index p = 0; p < count_; ++p) {
      auto s = make_values<T>(key.kind, size, draw);
      std::vector<T> y;
      // A positive product, as the line search sees to.
      for (const T value : s) y.push_back(static_cast<T>(draw.uniform(0.5, 2)) * value);
      s_.push_back(std::move(s));
      y_.push_back(std::move(y));
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<LbfgsSteps, T>(engine);
    const auto size = static_cast<Index>(gradient_.size());
    const auto zero = to_engine(engine, std::vector<T>(gradient_.size()));
    LbfgsPairs<T> pairs(engine, memory_, size);
    for (Index p = 0; p < count_; ++p) {
      const Index slot = p % memory_;
      const auto at = static_cast<std::size_t>(p);
      (void)steps->store(slot, to_engine(engine, s_[at]), zero, to_engine(engine, y_[at]), zero,
                         pairs);
      pairs.newest = slot;
      pairs.count = std::min(pairs.count + 1, memory_);
    }
    const LbfgsInitial initial{to_engine(engine, inverse_), groups_};
    const auto gradient = to_engine(engine, gradient_);
    Buffer<T> direction(engine, size);
    steps->direction(pairs, initial, gradient, direction);
    out.add("direction", direction);
  }

  // The recursion once more, each number with a bound on the distance between the engine's, of type
  // T, and the reference's, in double.
  void judge(Judge& judge) const override {
    const std::vector<Number> direction = traced_direction();
    judge.within("direction", Tolerance::trajectory,
                 [&](std::size_t i) { return direction[i].round().error(); });
  }

 private:
  using Number = Traced<T>;
  using Numbers = std::vector<Number>;

  static Numbers exactly(const std::vector<T>& values) {
    Numbers numbers;
    for (const T value : values) numbers.emplace_back(static_cast<double>(value));
    return numbers;
  }
  // An inner product: the errors of its factors, and two orders of additions in double.
  static Number product(const Numbers& a, const Numbers& b) {
    double value = 0;
    double error = 0;
    double magnitude = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double x = std::abs(a[i].value());
      const double y = std::abs(b[i].value());
      value += a[i].value() * b[i].value();
      error += x * b[i].error() + y * a[i].error() + a[i].error() * b[i].error();
      magnitude += (x + a[i].error()) * (y + b[i].error());
    }
    const auto n = static_cast<Index>(a.size());
    return {value, error + (long_sum_bound(n) + gamma_bound<double>(n + 4)) * magnitude +
                       static_cast<double>(2 * n) * std::numeric_limits<double>::denorm_min()};
  }
  // A quotient in double, rounded to T.
  static Number quotient(const Number& a, const Number& b) { return (a / b).round(); }

  [[nodiscard]] Numbers apply(const Numbers& x) const {
    Numbers out(x.size());
    if (groups_ == 0) {
      for (std::size_t i = 0; i < x.size(); ++i) out[i] = Number::rounded(inverse_[i]) * x[i];
      return out;
    }
    const Index m = static_cast<Index>(x.size()) / groups_;
    for (Index k = 0; k < groups_; ++k) {
      const auto at = [&](Index j) {
        return static_cast<std::size_t>(j + 1 < m ? k * (m - 1) + j : groups_ * (m - 1) + k);
      };
      for (Index i = 0; i < m; ++i) {
        Numbers row;
        Numbers of_group;
        for (Index j = 0; j < m; ++j) {
          row.emplace_back(inverse_[static_cast<std::size_t>(i * m + j)]);
          of_group.push_back(x[at(j)]);
        }
        out[at(i)] = product(row, of_group).round();
      }
    }
    return out;
  }

  [[nodiscard]] Numbers traced_direction() const {
    std::vector<Numbers> s;  // from the newest pair on
    std::vector<Numbers> y;
    Numbers products;
    for (Index p = count_ - 1; p >= std::max<Index>(0, count_ - memory_); --p) {
      s.push_back(exactly(s_[static_cast<std::size_t>(p)]));
      y.push_back(exactly(y_[static_cast<std::size_t>(p)]));
      products.push_back(product(s.back(), y.back()).round());
    }
    Numbers q = exactly(gradient_);
    for (Number& value : q) value = -value;
    Numbers alpha(s.size());
    for (std::size_t k = 0; k < s.size(); ++k) {
      alpha[k] = quotient(product(s[k], q), products[k]);
      for (std::size_t i = 0; i < q.size(); ++i) q[i] = fma(-alpha[k], y[k][i], q[i]);
    }
    Number gamma(1.0);
    if (!s.empty()) gamma = quotient(products[0], product(y[0], apply(y[0])));
    q = apply(q);
    for (Number& value : q) value = gamma * value;
    for (std::size_t k = s.size(); k-- > 0;) {
      const Number difference = alpha[k] - quotient(product(y[k], q), products[k]);
      for (std::size_t i = 0; i < q.size(); ++i) q[i] = fma(difference, s[k][i], q[i]);
    }
    return q;
  }

  Index groups_ = 0, memory_ = 1, count_ = 0;
  std::vector<double> inverse_;
  std::vector<T> gradient_;
  std::vector<std::vector<T>> s_, y_;
};

}  // namespace

Agreement make_lbfgs_agreement() {
  return {
      over_many_blocks(part<VectorsCase>("vectors", "inner products, steps, differences", {"lbfgs"},
                                         "reduction: one long sum; elementwise: one rounding")),
      over_many_blocks(part<DirectionCase>("direction", "the two-loop recursion", {"lbfgs"},
                                           "trajectory: running error of the recursion"))};
}

}  // namespace tandem::agree
