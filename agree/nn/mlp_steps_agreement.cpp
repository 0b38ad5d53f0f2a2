// Agreement of the perceptron's steps, each by itself, on hostile data too.
#include <algorithm>
#include <cmath>
#include <limits>

#include "agree/case.hpp"
#include "core/nn/mlp_steps.hpp"
#include "core/steps.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem::agree {
namespace {

template <Real T>
constexpr double u = unit_roundoff<T>;
template <Real T>
constexpr double smallest = static_cast<double>(std::numeric_limits<T>::denorm_min());

template <class T>
double size_of(T value) {
  return std::abs(static_cast<double>(value));
}

// --- gathering, activations and their gradients --------------------------------------------------

template <Real T>
class ActivateCase final : public Case {
 public:
  explicit ActivateCase(const Key& key) {
    Draw draw(key.seed, 91);
    z_ = make_features<T>(key.kind, key.rows, draw.between(1, 70), draw);
    activation_ =
        draw.of({Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu});
    if (draw.flip()) scale_ = make_values<T>(DataKind::random, z_.cols(), draw);
    shift_ = make_values<T>(draw.flip() ? key.kind : DataKind::random, z_.cols(), draw);
    upstream_ = make_values<T>(draw.flip() ? key.kind : DataKind::random, z_.size(), draw);
    dropout_.rate = draw.of({0.0, 0.0, 0.5, 0.3});
    dropout_.seed = draw.bits();
    dropout_.layer = 1;
    dropout_.step = 3;
    dropout_.capacity = static_cast<std::uint64_t>(z_.size() + 3) / 4 * 4;
    for (Index i = 0; i < z_.rows(); ++i) order_.push_back(draw.below(z_.rows()));
    seed_ = draw.bits();
    epoch_ = draw.below(100);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<MlpSteps, T>(engine);
    const Index rows = z_.rows();
    const Index width = z_.cols();
    const auto z = to_engine(engine, z_.values());
    const auto order = to_engine(engine, order_);
    Buffer<T> gathered(engine, z.size());
    steps->gather_rows(z.data(), width, order.data(), rows, gathered.data());
    out.add("gathered", gathered);
    Buffer<Index> epoch(engine, rows);
    steps->order_rows(RowOrder(rows, true, seed_, epoch_), nullptr, epoch.data());
    out.add("epoch", epoch);
    const auto scale = to_engine(engine, scale_);
    const auto shift = to_engine(engine, shift_);
    Buffer<T> a(engine, z.size());
    Buffer<T> slope(engine, z.size());
    steps->activate(activation_, rows, width, scale.empty() ? nullptr : scale.data(), shift.data(),
                    dropout_, z.data(), a.data(), slope.data());
    out.add("a", a);
    out.add("slope", slope);
    auto d = to_engine(engine, upstream_);
    Buffer<T> db(engine, width);
    // By the upstream values themselves: both engines have the same.
    const auto factor = to_engine(engine, upstream_);
    steps->activation_gradient(rows, width, factor.data(), d.data(), db.data());
    out.add("d", d);
    out.add("db", db);
  }

  // With u = scale·z + shift, two roundings of its terms off: |f'| and |f''| are at most 1.2, and
  // the formulas have at most 8 roundings of terms up to 1 + |value| (docs/algorithms/mlp.md). The
  // slope of relu jumps at 0. d is one product, db a sum over rows by micro-batches.
  void judge(Judge& judge) const override {
    const double keep = dropout_.rate > 0 ? dropout_.scale() * (1 + 2 * u<T>) : 1;
    const auto width = static_cast<std::size_t>(z_.cols());
    std::vector<double> argument(z_.values().size());
    std::vector<double> error(z_.values().size());
    for (std::size_t i = 0; i < error.size(); ++i) {
      const double scale = scale_.empty() ? 1 : static_cast<double>(scale_[i % width]);
      const double product = scale * static_cast<double>(z_.values()[i]);
      const double shift = static_cast<double>(shift_[i % width]);
      argument[i] = product + shift;
      error[i] = 2 * u<T> * (std::abs(product) + std::abs(shift)) + 4 * smallest<T>;
      if (std::abs(product) + std::abs(shift) >
          static_cast<double>(std::numeric_limits<T>::max()) / 4) {
        error[i] = std::numeric_limits<double>::infinity();
      }
    }
    judge.exact("gathered");
    judge.exact("epoch");
    const auto bound = [&](const std::vector<T>& of) {
      return [&](std::size_t i) {
        return keep * (1.2 * error[i] + 8 * u<T> * (1 + size_of(of[i]))) + 8 * smallest<T>;
      };
    };
    judge.within("a", Tolerance::elementwise, bound(judge.reference.get<T>("a")));
    const auto& slope = judge.reference.get<T>("slope");
    if (activation_ == Activation::relu) {
      const auto& got = judge.got.get<T>("slope");
      for (std::size_t i = 0; i < slope.size(); ++i) {
        judge.choice(
            "slope", static_cast<Index>(i), static_cast<double>(got[i]),
            static_cast<double>(slope[i]),
            size_of(got[i] - slope[i]) <= 2 * u<T> * size_of(slope[i]) ? 0 : std::abs(argument[i]),
            error[i]);
      }
    } else {
      judge.within("slope", Tolerance::elementwise, bound(slope));
    }
    judge.exact("d");
    const auto& d = judge.got.get<T>("d");
    std::vector<double> magnitude(width);
    for (std::size_t i = 0; i < d.size(); ++i) magnitude[i % width] += size_of(d[i]);
    judge.within("db", Tolerance::reduction, [&](std::size_t j) {
      if (magnitude[j] > static_cast<double>(std::numeric_limits<T>::max()) / 2) {
        return std::numeric_limits<double>::infinity();
      }
      // By micro-batches; the reference in double in one chain, rounded once.
      return (micro_batch_bound<T>(z_.rows()) + gamma_bound<double>(z_.rows() + 2) +
              u<T>)*magnitude[j] +
             2 * smallest<T>;
    });
  }

 private:
  Matrix<T> z_;
  Activation activation_;
  std::vector<T> scale_, shift_, upstream_;
  MlpDropout dropout_;
  std::vector<Index> order_;
  std::uint64_t seed_ = 0;
  Index epoch_ = 0;
};

// --- batch normalisation -------------------------------------------------------------------------

template <Real T>
class NormalizeCase final : public Case {
 public:
  static constexpr double epsilon = 1e-5;
  static constexpr double momentum = 0.9;

  explicit NormalizeCase(const Key& key) {
    Draw draw(key.seed, 92);
    z_ = make_features<T>(key.kind, key.rows, draw.between(1, 40), draw);
    du_ = make_values<T>(draw.flip() ? key.kind : DataKind::random, z_.size(), draw);
    for (Index i = 0; i < z_.size(); ++i) {
      normalized_.push_back(static_cast<T>(draw.uniform(-3, 3)));
    }
    for (Index j = 0; j < z_.cols(); ++j) {
      scale_.push_back(static_cast<T>(draw.uniform(-2, 2)));
      shift_.push_back(static_cast<T>(draw.uniform(-2, 2)));
      inverse_.push_back(static_cast<T>(draw.uniform(0.1, 5)));
      mean_.push_back(static_cast<T>(draw.uniform(-1, 1)));
      variance_.push_back(static_cast<T>(draw.uniform(0, 2)));
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<MlpSteps, T>(engine);
    const Index rows = z_.rows();
    const Index width = z_.cols();
    auto z = to_engine(engine, z_.values());
    Buffer<T> inverse(engine, width);
    auto mean = to_engine(engine, mean_);
    auto variance = to_engine(engine, variance_);
    steps->normalize(rows, width, epsilon, momentum, z.data(), inverse.data(), mean.data(),
                     variance.data());
    out.add("z", z);
    out.add("inverse", inverse);
    out.add("mean", mean);
    out.add("variance", variance);
    const auto normalized = to_engine(engine, normalized_);
    const auto scale = to_engine(engine, scale_);
    const auto shift = to_engine(engine, shift_);
    const auto given = to_engine(engine, inverse_);
    auto du = to_engine(engine, du_);
    Buffer<T> scale_gradient(engine, width);
    Buffer<T> shift_gradient(engine, width);
    steps->normalize_backward(rows, width, normalized.data(), scale.data(), given.data(), du.data(),
                              scale_gradient.data(), shift_gradient.data());
    out.add("dz", du);
    out.add("scale_gradient", scale_gradient);
    out.add("shift_gradient", shift_gradient);
    Buffer<T> s(engine, width);
    Buffer<T> t(engine, width);
    const auto before_mean = to_engine(engine, mean_);
    const auto before_variance = to_engine(engine, variance_);
    steps->running_affine(width, epsilon, scale.data(), shift.data(), before_mean.data(),
                          before_variance.data(), s.data(), t.data());
    out.add("s", s);
    out.add("t", t);
  }

  // Sums in double have two orders: o·max|z| for the mean, and for the variance v that error
  // squared beside 2o·v. z − mean has the mean rounded to T, and every result is rounded to T on
  // either side. Backwards five operations in T on |du| + mean|du| + |ẑ|·mean|du·ẑ|.
  void judge(Judge& judge) const override {
    const Index n = z_.rows();
    const auto width = static_cast<std::size_t>(z_.cols());
    const double order = long_sum_bound(n) + gamma_bound<double>(n + 8);
    struct Column {
      double most = 0, mean = 0, variance = 0, mean_error = 0, variance_error = 0, inverse = 0,
             inverse_error = 0, du = 0, du_z = 0;
    };
    std::vector<Column> columns(width);
    for (std::size_t j = 0; j < width; ++j) {
      Column& c = columns[j];
      for (Index i = 0; i < n; ++i) {
        const auto e = static_cast<std::size_t>(i) * width + j;
        const double z = static_cast<double>(z_.values()[e]);
        c.most = std::max(c.most, std::abs(z));
        c.mean += z / static_cast<double>(n);
        c.du += size_of(du_[e]) / static_cast<double>(n);
        c.du_z += size_of(du_[e]) * size_of(normalized_[e]) / static_cast<double>(n);
      }
      for (Index i = 0; i < n; ++i) {
        const double from =
            static_cast<double>(z_.values()[static_cast<std::size_t>(i) * width + j]) - c.mean;
        c.variance += from * from / static_cast<double>(n);
      }
      c.mean_error = 2 * order * c.most;
      c.variance_error = 4 * order * c.variance + c.mean_error * c.mean_error +
                         4 * u<double> * c.most * std::sqrt(c.variance);
      c.inverse = 1 / std::sqrt(c.variance + epsilon);
      c.inverse_error = c.inverse * (c.variance_error / (c.variance + epsilon) + 8 * u<double>)+2 *
                        u<T> * c.inverse;
    }
    const double tiny = 8 * smallest<T>;
    judge.within("z", Tolerance::reduction, [&](std::size_t e) {
      const Column& c = columns[e % width];
      const double from = std::abs(static_cast<double>(z_.values()[e]) - c.mean);
      const double difference = 2 * u<T> * std::abs(c.mean) + c.mean_error + 2 * u<T> * from + tiny;
      return difference * c.inverse +
             (from + difference) * (c.inverse_error + 2 * u<T> * c.inverse) + tiny;
    });
    judge.within("inverse", Tolerance::reduction,
                 [&](std::size_t j) { return columns[j].inverse_error + tiny; });
    const auto& mean = judge.reference.get<T>("mean");
    const auto& variance = judge.reference.get<T>("variance");
    judge.within("mean", Tolerance::reduction, [&](std::size_t j) {
      return 2 * u<T> * size_of(mean[j]) + 4 * u<double> * (columns[j].most + 1) +
             columns[j].mean_error + tiny;
    });
    judge.within("variance", Tolerance::reduction, [&](std::size_t j) {
      return (2 * u<T> + 8 * u<double>)*size_of(variance[j]) + 2 * columns[j].variance_error + tiny;
    });
    judge.within("dz", Tolerance::reduction, [&](std::size_t e) {
      const Column& c = columns[e % width];
      const double factor = size_of(scale_[e % width]) * size_of(inverse_[e % width]);
      return 8 * (u<T> + order) * factor *
                 (size_of(du_[e]) + c.du + size_of(normalized_[e]) * c.du_z) +
             tiny * (1 + 4 * factor);
    });
    const auto& scale_gradient = judge.reference.get<T>("scale_gradient");
    const auto& shift_gradient = judge.reference.get<T>("shift_gradient");
    judge.within("scale_gradient", Tolerance::reduction, [&](std::size_t j) {
      return 2 * u<T> * size_of(scale_gradient[j]) +
             order * static_cast<double>(n) * columns[j].du_z + tiny;
    });
    judge.within("shift_gradient", Tolerance::reduction, [&](std::size_t j) {
      return 2 * u<T> * size_of(shift_gradient[j]) +
             order * static_cast<double>(n) * columns[j].du + tiny;
    });
    const auto& s = judge.reference.get<T>("s");
    const auto& t = judge.reference.get<T>("t");
    judge.within("s", Tolerance::elementwise,
                 [&](std::size_t j) { return (2 * u<T> + 8 * u<double>)*size_of(s[j]) + tiny; });
    judge.within("t", Tolerance::elementwise, [&](std::size_t j) {
      return 2 * u<T> * size_of(t[j]) +
             8 * u<double> * (size_of(shift_[j]) + size_of(mean_[j]) * size_of(s[j])) + tiny;
    });
  }

 private:
  Matrix<T> z_;
  std::vector<T> du_, normalized_, scale_, shift_, inverse_, mean_, variance_;
};

// --- outputs and losses --------------------------------------------------------------------------

template <Real T>
class LossCase final : public Case {
 public:
  explicit LossCase(const Key& key) {
    Draw draw(key.seed, 93);
    output_ = draw.of({MlpOutput::softmax, MlpOutput::sigmoid, MlpOutput::identity});
    const Index width = output_ == MlpOutput::softmax ? draw.between(2, 20) : 1;
    z_ = make_features<T>(key.kind, key.rows, width, draw);
    // One column, for softmax too.
    loss_ = output_ == MlpOutput::identity || draw.flip() ? MlpLoss::squared_error
                                                          : MlpLoss::cross_entropy;
    bias_ = make_values<T>(DataKind::random, z_.cols(), draw);
    values_ = make_values<T>(draw.flip() ? key.kind : DataKind::random, z_.rows(), draw);
    if (draw.flip()) weights_ = make_weights<T>(z_.rows(), draw);
    for (Index i = 0; i < z_.rows(); ++i) {
      labels_.push_back(
          static_cast<std::int32_t>(draw.below(output_ == MlpOutput::softmax ? z_.cols() : 2)));
      order_.push_back(z_.rows() - 1 - i);
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<MlpSteps, T>(engine);
    const Index rows = z_.rows();
    const Index width = z_.cols();
    const auto bias = to_engine(engine, bias_);
    const auto labels = to_engine(engine, labels_);
    const auto values = to_engine(engine, values_);
    const auto weights = to_engine(engine, weights_);
    const auto order = to_engine(engine, order_);
    auto p = to_engine(engine, z_.values());
    steps->output(output_, rows, width, bias.data(), p.data());
    out.add("p", p);
    const MlpTargets<T> targets{labels.data(), values.data(),
                                weights.empty() ? nullptr : weights.data()};
    auto totals = to_engine(engine, std::vector<double>(MlpTotals::count));
    for (const bool gradient : {true, false}) {
      auto g = to_engine(engine, z_.values());
      steps->loss(output_, loss_, gradient, rows, width, bias.data(), targets, order.data(),
                  g.data(), totals.data());
      if (gradient) out.add("g", g);
    }
    const std::vector<double> sums = totals.to_host();
    out.add("totals", std::vector<double>{sums[MlpTotals::loss], sums[MlpTotals::correct]});
  }

  // With |u| = |z + b| <= R/2 in a row: one rounding each of u and u − max gives the exponential
  // the relative error 3R·u; the sum of `width` of them, the quotient and the function add width +
  // 16. Probabilities, and with them gradients, are never off by more than 1. A loss is off by the
  // roundings of u and u − max, those of the logarithm, and, squared, by those of its terms.
  void judge(Judge& judge) const override {
    const Index n = z_.rows();
    const auto width = static_cast<std::size_t>(z_.cols());
    const double classes = static_cast<double>(width);
    const double infinity = std::numeric_limits<double>::infinity();
    std::vector<double> p(static_cast<std::size_t>(n)), g(p.size());
    double loss = 0, unsure = 0, total = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      double most = -infinity, second = -infinity, reach = 0;
      for (std::size_t j = 0; j < width; ++j) {
        const double z = static_cast<double>(z_.values()[i * width + j]);
        const double b = static_cast<double>(bias_[j]);
        reach = std::max(reach, std::abs(z) + std::abs(b));
        if (z + b > most) {
          second = most;
          most = z + b;
        } else {
          second = std::max(second, z + b);
        }
      }
      const double y = size_of(values_[static_cast<std::size_t>(order_[i])]);
      const double w =
          weights_.empty() ? 1 : static_cast<double>(weights_[static_cast<std::size_t>(order_[i])]);
      const double f = w / static_cast<double>(n);
      const double argument = 2 * u<T> * reach + 2 * smallest<T>;
      double row_loss = 0, row_error = 0;
      if (output_ == MlpOutput::identity) {
        p[i] = argument;
        const double residual = reach + y;
        const double e = argument + 2 * u<T> * residual;
        g[i] = f * (e + 4 * u<T> * residual) + 4 * smallest<T>;
        row_loss = residual * residual;
        row_error = (residual + e) * e + 4 * u<T> * row_loss + 4 * smallest<T>;
        if (residual * residual > static_cast<double>(std::numeric_limits<T>::max()) / 4) {
          row_error = infinity;
        }
      } else {
        const double relative = 3 * 2 * argument + u<T> * (classes + 16);
        p[i] = std::min(1.0, relative) + 2 * smallest<T>;
        g[i] = f * std::min(8.0, 4 * relative + 8 * u<T>) + 4 * smallest<T>;
        if (loss_ == MlpLoss::cross_entropy) {
          row_loss = 2 * reach + 3 + classes;
          row_error = 4 * argument + relative + 8 * u<T> * (1 + 2 * reach);
        } else {
          row_loss = 1;
          row_error = std::min(2.0, 4 * relative + 8 * u<T>);
        }
        const double gap = output_ == MlpOutput::softmax ? most - second : std::abs(most);
        if (gap <= 4 * argument + 16 * u<T>) unsure += 1;
      }
      loss += w * row_error;
      total += w * row_loss;
    }
    judge.within("p", Tolerance::reduction, [&](std::size_t e) { return p[e / width]; });
    judge.within("g", Tolerance::reduction, [&](std::size_t e) { return g[e / width]; });
    judge.within("totals", Tolerance::reduction, [&](std::size_t k) {
      if (k == MlpTotals::correct) return 2 * unsure;
      return 2 * (loss + (long_sum_bound(n) + gamma_bound<double>(n + 4)) * (total + 1));
    });
  }

 private:
  MlpOutput output_;
  MlpLoss loss_;
  Matrix<T> z_;
  std::vector<T> bias_, values_, weights_;
  std::vector<std::int32_t> labels_;
  std::vector<Index> order_;
};

}  // namespace

Agreement make_mlp_steps_agreement() {
  return {over_many_blocks(part<ActivateCase>(
              "activate", "orders of rows, gathered rows, activations, dropout, their gradients",
              {"mlp"}, "elementwise: 1.2 × 2 roundings of |scale·z| + |shift|, 8 of 1 + |value|")),
          over_many_blocks(part<NormalizeCase>(
              "normalize", "batch normalisation forwards and backwards", {"mlp"},
              "reduction: sums of n terms in double, 8 roundings of T")),
          over_many_blocks(part<LossCase>("loss", "outputs, losses and their gradients", {"mlp"},
                                          "reduction: 3·R·u + (width + 16)·u, R twice the largest "
                                          "|z + b|"))};
}

}  // namespace tandem::agree
