// Agreement of the multi-layer perceptron: a batch forwards and backwards, predictions, whole fits.
#include <algorithm>
#include <limits>
#include <string>

#include "agree/case.hpp"
#include "agree/running_error.hpp"
#include "core/nn/mlp_network.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem::agree {
namespace {

// --- the network with running errors -------------------------------------------------------------

// The passes of core/nn/mlp_network.cpp in numbers that carry the distance between an engine and
// the reference. What the reference keeps in memory it rounds to T, as the engine does: stored().
template <Real T>
class TracedNetwork {
 public:
  using Number = Traced<T>;
  using Numbers = std::vector<Number>;

  TracedNetwork(const MlpDesign& design, const std::vector<MlpLayer<T>>& layers)
      : design_(design), layers_(layers) {}

  struct Target {
    std::int32_t label = 0;
    double value = 0;
    double weight = 1;
  };
  struct Batch {
    std::vector<Numbers> weights, bias, scale, running_mean, running_variance;  // by layer
    double loss_error = 0;
    double undecided = 0;  // rows whose most probable class depends on errors
  };

  // rows × outputs of a prediction.
  [[nodiscard]] Numbers predict(MatrixView<const T> x) const {
    Numbers a = inputs(x);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const MlpLayer<T>& layer = layers_[l];
      const Index width = layer.outputs();
      Numbers z = product(
          x.rows, width, layer.inputs(),
          [&](Index r, Index k) { return a[at(r, layer.inputs(), k)]; },
          [&](Index k, Index j) { return Number(static_cast<double>(layer.weights(k, j))); });
      for (Index r = 0; r < x.rows; ++r) {
        for (Index j = 0; j < width; ++j) {
          const auto column = static_cast<std::size_t>(j);
          Number& value = z[at(r, width, j)];
          const Number shift = static_cast<double>(layer.bias[column]);
          if (!design_.hidden(l)) {
            value = value + shift;
            continue;
          }
          if (design_.normalised(l)) {
            const Number variance = static_cast<double>(layer.running_variance[column]);
            const Number s = stored(Number(static_cast<double>(layer.scale[column])) /
                                    sqrt(variance + Number::rounded(design_.batch_norm_epsilon)));
            const Number t =
                stored(shift - Number(static_cast<double>(layer.running_mean[column])) * s);
            value = fma(s, value, t);
          } else {
            value = value + shift;
          }
          Number slope;
          value = stored(activation(value, slope));
        }
      }
      a = std::move(z);
    }
    const Index width = design_.widths.back();
    for (Index r = 0; r < x.rows; ++r) {
      Number* u = &a[at(r, width, 0)];
      if (design_.output == MlpOutput::softmax) {
        Number sum;
        exponentials(width, u, sum);
        for (Index j = 0; j < width; ++j) u[j] = u[j] / sum;
      } else if (design_.output == MlpOutput::sigmoid) {
        u[0] = sigmoid(u[0]);
      }
      for (Index j = 0; j < width; ++j) u[j] = stored(u[j]);
    }
    return a;
  }

  [[nodiscard]] Batch train(MatrixView<const T> x, const std::vector<Target>& targets,
                            const std::vector<MlpDropout>& dropout, bool exact) const {
    struct Values {
      Numbers input, slope, normalized, inverse;
    };
    Batch batch;
    const Index rows = x.rows;
    const std::size_t count = layers_.size();
    for (auto* parts : {&batch.weights, &batch.bias, &batch.scale, &batch.running_mean,
                        &batch.running_variance}) {
      parts->resize(count);
    }
    std::vector<Values> values(count);
    Numbers a = inputs(x);
    for (std::size_t l = 0; l < count; ++l) {
      const MlpLayer<T>& layer = layers_[l];
      const Index width = layer.outputs();
      values[l].input = std::move(a);
      const Numbers& input = values[l].input;
      Numbers z = product(
          rows, width, layer.inputs(),
          [&](Index r, Index k) { return input[at(r, layer.inputs(), k)]; },
          [&](Index k, Index j) { return Number(static_cast<double>(layer.weights(k, j))); });
      if (design_.normalised(l)) {
        normalize(rows, layer, z, values[l].inverse, batch.running_mean[l],
                  batch.running_variance[l]);
        values[l].normalized = z;
      }
      if (!design_.hidden(l)) {
        a = std::move(z);
        break;
      }
      values[l].slope.resize(z.size());
      for (std::size_t i = 0; i < z.size(); ++i) {
        const std::size_t column = i % static_cast<std::size_t>(width);
        const Number shift = static_cast<double>(layer.bias[column]);
        const Number u = design_.normalised(l)
                             ? fma(Number(static_cast<double>(layer.scale[column])), z[i], shift)
                             : z[i] + shift;
        Number slope;
        z[i] = activation(u, slope);
        if (dropout[l].rate > 0) {
          const bool kept = dropout[l].keeps(i);
          for (Number* one : {&z[i], &slope}) {
            *one = kept ? *one * Number::rounded(dropout[l].scale())
                        : Number(0, std::isfinite(one->error()) ? 0 : one->error());
          }
        }
        z[i] = stored(z[i]);
        values[l].slope[i] = stored(slope);
      }
      a = std::move(z);
    }

    loss(rows, targets, a, batch);
    Numbers d = std::move(a);
    for (std::size_t l = count; l-- > 0;) {
      const MlpLayer<T>& layer = layers_[l];
      const Index width = layer.outputs();
      const Index inputs = layer.inputs();
      if (design_.hidden(l)) {
        for (std::size_t i = 0; i < d.size(); ++i) d[i] = stored(d[i] * values[l].slope[i]);
      }
      if (design_.normalised(l)) {
        normalize_backward(rows, layer, values[l].normalized, values[l].inverse, d, batch.scale[l],
                           batch.bias[l]);
      } else {
        batch.bias[l] = row_product(
            1, width, rows, exact, [&](Index, Index) { return Number(1.0); },
            [&](Index r, Index j) { return d[at(r, width, j)]; });
      }
      const Numbers& input = values[l].input;
      batch.weights[l] = row_product(
          inputs, width, rows, exact, [&](Index i, Index r) { return input[at(r, inputs, i)]; },
          [&](Index r, Index j) { return d[at(r, width, j)]; });
      if (l == 0) break;
      d = product(
          rows, inputs, width, [&](Index r, Index j) { return d[at(r, width, j)]; },
          [&](Index j, Index i) { return Number(static_cast<double>(layer.weights(i, j))); });
    }
    return batch;
  }

 private:
  static constexpr double roundoff = unit_roundoff<T>;
  static constexpr int sides = sizeof(T) == 4 ? 1 : 2;  // that round as coarsely as T

  static std::size_t at(Index r, Index width, Index j) {
    return static_cast<std::size_t>(r * width + j);
  }
  static Number stored(const Number& v) { return v.round(1); }
  static Numbers inputs(MatrixView<const T> x) {
    Numbers all;
    for (Index r = 0; r < x.rows; ++r) {
      for (const T value : x.row(r)) all.push_back(static_cast<double>(value));
    }
    return all;
  }

  // Σ a(i, l)·b(l, j) over k products, of which the engine's additions are off by `bound` of the
  // magnitudes; half a denormal for each; the errors of the operands. The reference adds in double,
  // in one chain, and rounds once.
  template <class A, class B>
  static Numbers sum_of_products(Index m, Index n, Index k, double bound, A&& a, B&& b) {
    const double relative = bound + gamma_bound<double>(k + 2);
    Numbers c;
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) {
        double value = 0;
        double error = 0;
        double magnitude = 0;
        for (Index l = 0; l < k; ++l) {
          const Number x = a(i, l);
          const Number y = b(l, j);
          value += x.value() * y.value();
          const double most = (std::abs(x.value()) + x.error()) * (std::abs(y.value()) + y.error());
          magnitude += std::isnan(most) ? std::numeric_limits<double>::infinity() : most;
          error += std::abs(x.value()) * y.error() + (std::abs(y.value()) + y.error()) * x.error();
        }
        error +=
            relative * magnitude + sides * static_cast<double>(k) *
                                       static_cast<double>(std::numeric_limits<T>::denorm_min());
        // A partial sum may leave the range where the sum does not.
        if (std::isnan(error) ||
            !(magnitude < static_cast<double>(std::numeric_limits<T>::max()) / 2)) {
          error = std::numeric_limits<double>::infinity();
        }
        c.push_back(stored(Number(value, error)));
      }
    }
    return c;
  }

  // In one chain, or in any order, with or without fma.
  template <class A, class B>
  static Numbers product(Index m, Index n, Index k, A&& a, B&& b) {
    return sum_of_products(m, n, k, gamma_bound<T>(k + 2), a, b);
  }
  // Over rows: by micro-batches, and, where a library does it, in any order.
  template <class A, class B>
  static Numbers row_product(Index m, Index n, Index rows, bool exact, A&& a, B&& b) {
    return sum_of_products(m, n, rows,
                           exact ? micro_batch_bound<T>(rows) : gamma_bound<T>(rows + 2), a, b);
  }

  // f of a number, where |f'| <= slope between the two sides; `ulps` of math.hpp, one more for the
  // reference's library where that is as coarse.
  static Number function(double f, double slope, const Number& a, double ulps) {
    const double error = slope * a.error() + (ulps + (sides - 1)) * 2 * roundoff * std::abs(f);
    return Number(f, std::isnan(error) ? std::numeric_limits<double>::infinity() : error).round(1);
  }
  static Number sigmoid(const Number& a) {
    return function(1 / (1 + std::exp(-a.value())), 0.25, a, 1.5);
  }
  // exp(a), for an a that is at most 0 both exactly and as it was computed.
  static Number exp(const Number& a) {
    return function(std::exp(a.value()), std::exp(std::min(0.0, a.value() + a.error())), a, 0.8);
  }

  Number activation(const Number& z, Number& slope) const {
    switch (design_.activation) {
      case Activation::sigmoid: {
        const Number a = sigmoid(z);
        slope = a * (Number(1.0) - a);
        return a;
      }
      case Activation::tanh: {
        const Number a = function(std::tanh(z.value()), 1, z, 2);
        slope = fma(-a, a, Number(1.0));
        return a;
      }
      case Activation::relu:
        slope = {z.value() > 0 ? 1.0 : 0.0, std::abs(z.value()) <= z.error() ? 1.0 : 0.0};
        return {z.value() < 0 ? 0.0 : z.value(), z.error()};
      case Activation::gelu: break;
    }
    const Number half = 0.5;
    const Number scaled = z * Number::rounded(0.70710678118654752440);
    const Number erf = function(std::erf(scaled.value()), 1.13, scaled, 1.1);
    const Number distribution = fma(half, erf, half);
    const Number density = exp(-(half * (z * z))) * Number::rounded(0.39894228040143267794);
    slope = fma(z, density, distribution);
    return z * distribution;
  }

  // Sums in double over the rows of a column, in any order: term(r) and its error.
  template <class Term>
  static Number long_sum_of(Index rows, Term&& term) {
    double value = 0;
    double error = 0;
    double magnitude = 0;
    for (Index r = 0; r < rows; ++r) {
      const Number t = term(r);
      value += t.value();
      error += t.error();
      magnitude += std::abs(t.value()) + t.error();
    }
    error += (long_sum_bound(rows) + gamma_bound<double>(rows + 4)) * magnitude;
    return {value, std::isnan(error) ? std::numeric_limits<double>::infinity() : error};
  }
  // In double: sums and products that are not rounded to T.
  static Number scaled(const Number& a, double by) {
    return {a.value() * by, a.error() * by + 4 * unit_roundoff<double> * std::abs(a.value() * by)};
  }

  void normalize(Index rows, const MlpLayer<T>& layer, Numbers& z, Numbers& inverse,
                 Numbers& running_mean, Numbers& running_variance) const {
    const auto count = static_cast<double>(rows);
    const Index width = layer.outputs();
    for (Index j = 0; j < width; ++j) {
      const Number mean =
          scaled(long_sum_of(rows, [&](Index r) { return z[at(r, width, j)]; }), 1 / count);
      const Number squares = long_sum_of(rows, [&](Index r) {
        const Number& value = z[at(r, width, j)];
        const double d = value.value() - mean.value();
        const double e =
            value.error() + mean.error() +
            2 * unit_roundoff<double> * (std::abs(value.value()) + std::abs(mean.value()));
        return Number(d * d, (2 * std::abs(d) + e) * e);
      });
      const double epsilon = design_.batch_norm_epsilon;
      const Number variance = scaled(squares, 1 / count);
      const double x = variance.value() + epsilon;
      // Both sides add epsilon to something that is not negative.
      const double least = std::max(epsilon, x - variance.error());
      const double f = 1 / std::sqrt(x);
      const double error =
          std::min(variance.error() / (2 * least * std::sqrt(least)), 1 / std::sqrt(epsilon));
      const Number factor = Number(f, error + 8 * unit_roundoff<double> * f).round();
      const Number centre = mean.round();
      for (Index r = 0; r < rows; ++r) {
        Number& value = z[at(r, width, j)];
        value = stored((value - centre) * factor);
      }
      inverse.push_back(stored(factor));
      const auto average = [&](T old, const Number& batch) {
        const double keep = design_.batch_norm_momentum;
        const double kept = keep * static_cast<double>(old);
        const Number taken = scaled(batch, 1 - keep);
        return stored(
            Number(kept + taken.value(), taken.error() + 4 * unit_roundoff<double> * std::abs(kept))
                .round());
      };
      const auto column = static_cast<std::size_t>(j);
      running_mean.push_back(average(layer.running_mean[column], mean));
      running_variance.push_back(
          average(layer.running_variance[column],
                  scaled(squares, 1 / static_cast<double>(std::max<Index>(1, rows - 1)))));
    }
  }

  void normalize_backward(Index rows, const MlpLayer<T>& layer, const Numbers& normalized,
                          const Numbers& inverse, Numbers& d, Numbers& scale,
                          Numbers& shift) const {
    const auto count = static_cast<double>(rows);
    const Index width = layer.outputs();
    for (Index j = 0; j < width; ++j) {
      const Number shift_sum = long_sum_of(rows, [&](Index r) { return d[at(r, width, j)]; });
      const Number scale_sum = long_sum_of(rows, [&](Index r) {
        const Number& a = d[at(r, width, j)];
        const Number& b = normalized[at(r, width, j)];
        const double value = a.value() * b.value();
        return Number(value, std::abs(a.value()) * b.error() + std::abs(b.value()) * a.error() +
                                 a.error() * b.error() +
                                 2 * unit_roundoff<double> * std::abs(value));
      });
      const Number shift_mean = scaled(shift_sum, 1 / count).round();
      const Number scale_mean = scaled(scale_sum, 1 / count).round();
      const auto column = static_cast<std::size_t>(j);
      const Number factor = Number(static_cast<double>(layer.scale[column])) * inverse[column];
      for (Index r = 0; r < rows; ++r) {
        Number& value = d[at(r, width, j)];
        value = stored(factor * ((value - shift_mean) - normalized[at(r, width, j)] * scale_mean));
      }
      scale.push_back(stored(scale_sum.round()));
      shift.push_back(stored(shift_sum.round()));
    }
  }

  // u ← exp(u − max u) and their sum; returns the largest u.
  static Number exponentials(Index width, Number* values, Number& sum) {
    double top = -std::numeric_limits<double>::infinity();
    double error = 0;
    for (Index j = 0; j < width; ++j) {
      top = std::max(top, values[j].value());
      error = std::max(error, values[j].error());
    }
    const Number largest(top, error);
    sum = 0.0;
    for (Index j = 0; j < width; ++j) {
      values[j] = exp(values[j] - largest);
      sum = sum + values[j];
    }
    return largest;
  }

  // z becomes the derivative of the mean loss.
  void loss(Index rows, const std::vector<Target>& targets, Numbers& z, Batch& batch) const {
    const Index width = design_.widths.back();
    const Number share = Number::rounded(1 / static_cast<double>(rows));
    const bool squared = design_.loss == MlpLoss::squared_error;
    const Number half = 0.5;
    const Number one = 1.0;
    double magnitude = 0;
    for (Index r = 0; r < rows; ++r) {
      const Target& target = targets[static_cast<std::size_t>(r)];
      const Number factor = Number(target.weight) * share;
      Number* value = &z[at(r, width, 0)];
      for (Index j = 0; j < width; ++j) {
        value[j] = value[j] +
                   Number(static_cast<double>(layers_.back().bias[static_cast<std::size_t>(j)]));
      }
      Number row_loss;
      if (design_.output == MlpOutput::identity) {
        value[0] = value[0] - Number(target.value);
        row_loss = half * (value[0] * value[0]);
      } else if (design_.output == MlpOutput::sigmoid) {
        const bool second = target.label == 1;
        // NaNs decide nothing.
        if (!(std::abs(value[0].value()) > value[0].error())) ++batch.undecided;
        const Number v = value[0];
        const Number p = sigmoid(v);
        value[0] = second ? p - one : p;
        if (squared) {
          row_loss = half * (value[0] * value[0]);
          value[0] = value[0] * (p * (one - p));
        } else {
          const Number signed_v = second ? -v : v;
          const double s = signed_v.value();
          row_loss =
              function(std::max(s, 0.0) + std::log1p(std::exp(-std::abs(s))), 1, signed_v, 1.6);
        }
      } else {
        const auto label = static_cast<Index>(target.label);
        const Number own = value[label];
        bool undecided = false;
        for (Index j = 0; j < width; ++j) {
          undecided = undecided || (j != label && !(std::abs(value[j].value() - own.value()) >
                                                    value[j].error() + own.error()));
        }
        if (undecided) ++batch.undecided;
        Number sum;
        const Number largest = exponentials(width, value, sum);
        if (!squared) {
          const double least = sum.value() - sum.error();
          const Number log =
              function(std::log(sum.value()),
                       least > 0 ? 1 / least : std::numeric_limits<double>::infinity(), sum, 0.9);
          row_loss = log - (own - largest);
        }
        Number squares;
        Number dot;
        Numbers difference;
        for (Index j = 0; j < width; ++j) {
          value[j] = value[j] / sum;
          difference.push_back(j == label ? value[j] - one : value[j]);
          squares = fma(difference.back(), difference.back(), squares);
          dot = fma(difference.back(), value[j], dot);
        }
        for (Index j = 0; j < width; ++j) {
          const Number& d = difference[static_cast<std::size_t>(j)];
          value[j] = squared ? value[j] * (d - dot) : d;
        }
        if (squared) row_loss = half * squares;
      }
      for (Index j = 0; j < width; ++j) value[j] = stored(value[j] * factor);
      batch.loss_error += target.weight * row_loss.error();
      magnitude += target.weight * (std::abs(row_loss.value()) + row_loss.error());
    }
    batch.loss_error += (long_sum_bound(rows) + gamma_bound<double>(rows + 8)) * magnitude;
    if (std::isnan(batch.loss_error)) batch.loss_error = std::numeric_limits<double>::infinity();
  }

  const MlpDesign& design_;
  const std::vector<MlpLayer<T>>& layers_;
};

// --- one batch -----------------------------------------------------------------------------------

template <Real T>
struct Drawn {
  Draw draw;
  Matrix<T> x;
  std::vector<std::int32_t> labels;
  std::vector<T> values, weights;
  MlpDesign design;

  Drawn(const Key& key, std::uint32_t stream) : draw(key.seed, stream) {
    x = make_features<T>(key.kind, key.rows, draw.between(1, 9), draw);
    design.activation =
        draw.of({Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu});
    design.output =
        draw.of({MlpOutput::softmax, MlpOutput::softmax, MlpOutput::sigmoid, MlpOutput::identity});
    Index outputs = 1;
    if (design.output == MlpOutput::identity) {
      values = make_target<T>(key.kind, x, draw);
      design.loss = MlpLoss::squared_error;
    } else {
      if (design.output == MlpOutput::softmax) outputs = draw.of<Index>({2, 3, 10, 35});
      labels = make_labels(x, std::max<Index>(2, outputs), draw);
      design.loss = draw.of({MlpLoss::cross_entropy, MlpLoss::squared_error});
    }
    if (draw.flip()) weights = make_weights<T>(x.rows(), draw);
    design.widths.push_back(x.cols());
    for (Index left = draw.below(3); left > 0; --left) {
      design.widths.push_back(draw.of<Index>({1, 4, 7, 16, 33}));
    }
    design.widths.push_back(outputs);
    design.batch_norm = draw.flip() && x.rows() > 1;
    design.dropout = draw.of({0.0, 0.0, 0.3});
    design.seed = draw.bits();
    design.batch_size = x.rows();
  }
  [[nodiscard]] bool classification() const { return values.empty(); }
};

template <Real T>
class BatchCase final : public Case {
 public:
  explicit BatchCase(const Key& key) : drawn_(key, 71) {
    Draw& draw = drawn_.draw;
    const MlpDesign& design = drawn_.design;
    const Index rows = drawn_.x.rows();
    // Weights that make sums of order one, or of the features' size.
    double scale = 0;
    for (const T value : drawn_.x.values()) {
      scale = std::max(scale, std::abs(static_cast<double>(value)));
    }
    scale = draw.flip() && scale > 0 && std::isfinite(1 / scale) ? 1 / scale : 1;
    const auto some = [&](Index count, double low, double high, double factor) {
      std::vector<T> all;
      for (Index i = 0; i < count; ++i) {
        all.push_back(static_cast<T>(factor * draw.uniform(low, high)));
      }
      return all;
    };
    for (std::size_t l = 0; l < design.layers(); ++l) {
      const Index n = design.widths[l];
      const Index m = design.widths[l + 1];
      MlpLayer<T> layer;
      layer.weights = Matrix<T>(n, m, some(n * m, -1, 1, l == 0 ? scale : 1));
      layer.bias = some(m, -1, 1, 1);
      if (design.normalised(l)) {
        layer.scale = some(m, 0.5, 1.5, 1);
        layer.running_mean = some(m, -1, 1, 1);
        layer.running_variance = some(m, 0, 2, 1);
      }
      layers_.push_back(std::move(layer));
    }
    for (Index r = 0; r < rows; ++r) order_.push_back(r);
    for (Index r = rows - 1; r > 0; --r) {
      std::swap(order_[static_cast<std::size_t>(r)],
                order_[static_cast<std::size_t>(draw.below(r + 1))]);
    }
    step_ = static_cast<std::uint64_t>(draw.below(1000));
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const MlpDesign& design = drawn_.design;
    MlpNetwork<T> network(engine, design, design.batch_size, true);
    network.set_layers(layers_);
    MlpRows<T> rows;
    rows.rows = drawn_.x.rows();
    rows.cols = drawn_.x.cols();
    rows.uploaded = to_engine(engine, drawn_.x.values());
    rows.x = rows.uploaded.data();
    rows.labels = to_engine(engine, drawn_.labels);
    rows.values = to_engine(engine, drawn_.values);
    rows.weights = to_engine(engine, drawn_.weights);
    const auto order = to_engine(engine, order_);
    network.train_batch(rows, order.data(), rows.rows, step_);
    const std::vector<double> totals = network.totals().to_host();
    out.add("loss", totals[MlpTotals::loss]);
    out.add("correct", totals[MlpTotals::correct]);
    // As layers: what lies between blocks is not looked at.
    const std::vector<T> gradient = network.gradient().to_host();
    const MlpLayout& layout = network.layout();
    const auto part = [](const std::vector<T>& all, Index begin, Index count) {
      return std::vector<T>(all.begin() + begin, all.begin() + begin + count);
    };
    const auto after = network.layers();
    for (std::size_t l = 0; l < after.size(); ++l) {
      const Index m = after[l].outputs();
      const auto& block = layout.blocks[l];
      out.add(name("weights", l), part(gradient, block.weights, after[l].inputs() * m));
      out.add(name("bias", l), part(gradient, block.bias, m));
      if (!design.normalised(l)) continue;
      out.add(name("scale", l), part(gradient, block.scale, m));
      out.add(name("running mean", l), after[l].running_mean);
      out.add(name("running variance", l), after[l].running_variance);
    }
    network.set_layers(layers_);
    std::vector<T> predicted(static_cast<std::size_t>(rows.rows * design.widths.back()));
    network.predict(drawn_.x.view(), predicted);
    out.add("predicted", predicted);
  }

  void judge(Judge& judge) const override {
    using Network = TracedNetwork<T>;
    const MlpDesign& design = drawn_.design;
    const Index rows = drawn_.x.rows();
    const Network network(design, layers_);
    Matrix<T> batch_rows(rows, drawn_.x.cols());
    std::vector<typename Network::Target> targets;
    for (Index r = 0; r < rows; ++r) {
      const auto row = static_cast<std::size_t>(order_[static_cast<std::size_t>(r)]);
      const auto from = drawn_.x.row(static_cast<Index>(row));
      std::copy(from.begin(), from.end(), batch_rows.row(r).begin());
      typename Network::Target target;
      if (drawn_.classification()) {
        target.label = drawn_.labels[row];
      } else {
        target.value = static_cast<double>(drawn_.values[row]);
      }
      if (!drawn_.weights.empty()) target.weight = static_cast<double>(drawn_.weights[row]);
      targets.push_back(target);
    }
    std::vector<MlpDropout> dropout(design.layers());
    for (std::size_t l = 0; l < dropout.size(); ++l) {
      dropout[l] = design.dropout_of(l, step_);
    }
    const auto bound = [&](const std::string& output, const typename Network::Numbers& numbers) {
      judge.within(output, Tolerance::reduction, [&](std::size_t i) { return numbers[i].error(); });
    };
    const auto batch =
        network.train(batch_rows.view(), targets, dropout, judge.numerics == Numerics::exact);
    judge.within("loss", Tolerance::reduction, batch.loss_error);
    judge.within("correct", Tolerance::tie_aware, batch.undecided);
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      bound(name("weights", l), batch.weights[l]);
      bound(name("bias", l), batch.bias[l]);
      if (!design.normalised(l)) continue;
      bound(name("scale", l), batch.scale[l]);
      bound(name("running mean", l), batch.running_mean[l]);
      bound(name("running variance", l), batch.running_variance[l]);
    }
    bound("predicted", network.predict(drawn_.x.view()));
  }

 private:
  static std::string name(const char* what, std::size_t layer) {
    return std::string(what) + " " + std::to_string(layer);
  }
  Drawn<T> drawn_;
  std::vector<MlpLayer<T>> layers_;
  std::vector<Index> order_;
  std::uint64_t step_ = 0;
};

// --- whole fits ----------------------------------------------------------------------------------

template <Real T>
class FitCase final : public Case {
 public:
  explicit FitCase(const Key& key) : drawn_(key, 72) {
    Draw& draw = drawn_.draw;
    const MlpDesign& design = drawn_.design;
    options_.hidden.assign(design.widths.begin() + 1, design.widths.end() - 1);
    options_.activation = design.activation;
    options_.task = drawn_.classification() ? TaskChoice::classification : TaskChoice::regression;
    if (drawn_.classification()) {
      options_.output = design.output;
      options_.loss = design.loss;
    }
    options_.batch_norm = design.batch_norm;
    options_.dropout = design.dropout;
    options_.batch_size = draw.of<Index>({2, 7, 32, 100, 2000});
    if (options_.batch_norm) options_.batch_size = std::max<Index>(options_.batch_size, 2);
    options_.epochs = draw.of<Index>({1, 2, 3});
    // A few hundred batches are enough.
    if (drawn_.x.rows() / options_.batch_size > 64) options_.epochs = 1, options_.batch_size = 32;
    options_.validation_fraction = drawn_.x.rows() > 20 ? draw.of({0.0, 0.3}) : 0.0;
    options_.keep_order = draw.flip();
    options_.optimizer.method = draw.of(
        {OptimizerMethod::gradient_descent, OptimizerMethod::momentum, OptimizerMethod::nesterov,
         OptimizerMethod::rmsprop, OptimizerMethod::adam, OptimizerMethod::adamw});
    options_.optimizer.learning_rate = draw.of({0.001, 0.01});
    options_.seed = draw.bits() >> 1;
    data_.source = "drawn";
    data_.columns = numbered_columns(drawn_.x.cols());
    data_.features = drawn_.x;
    data_.target_column.name = "y";
    data_.target = drawn_.values;
    for (const auto label : drawn_.labels) data_.target.push_back(static_cast<T>(label));
    data_.weights = drawn_.weights;
  }

  // The reference tells what the engine's model predicts.
  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    MlpModel<T> model;
    if (follow != nullptr) {
      model = model_of(*follow);
    } else {
      model = fit(engine, data_, options_);
      out.add("widths", widths_of(model));
      for (std::size_t l = 0; l < model.layers.size(); ++l) {
        const auto& layer = model.layers[l];
        out.add("weights " + std::to_string(l), layer.weights.values());
        out.add("bias " + std::to_string(l), layer.bias);
        out.add("scale " + std::to_string(l), layer.scale);
        out.add("running mean " + std::to_string(l), layer.running_mean);
        out.add("running variance " + std::to_string(l), layer.running_variance);
      }
      for (const auto& [series, values] : model.log.history) out.add(series, values);
    }
    const auto predictions = model.predict(engine, drawn_.x.view());
    out.add("predicted",
            drawn_.classification() ? predictions.probabilities.values() : predictions.values);
  }

  void judge(Judge& judge) const override {
    const MlpModel<T> model = model_of(judge.got);
    MlpDesign design = drawn_.design;
    design.widths.back() = model.layers.back().outputs();
    design.batch_norm = options_.batch_norm;
    const TracedNetwork<T> network(design, model.layers);
    const auto predicted = network.predict(drawn_.x.view());
    // One output for two classes: p and 1 − p, which is another rounding.
    const bool both = design.output == MlpOutput::sigmoid;
    judge.within("predicted", Tolerance::reduction, [&](std::size_t i) {
      return both ? predicted[i / 2].error() + 2 * unit_roundoff<T> : predicted[i].error();
    });
  }

 private:
  static std::vector<std::int64_t> widths_of(const MlpModel<T>& model) {
    std::vector<std::int64_t> widths{model.layers.front().inputs()};
    for (const auto& layer : model.layers) widths.push_back(layer.outputs());
    return widths;
  }
  [[nodiscard]] MlpModel<T> model_of(const Outputs& outputs) const {
    MlpModel<T> model;
    model.activation = drawn_.design.activation;
    model.output = drawn_.design.output;
    model.loss = drawn_.design.loss;
    const auto& widths = outputs.get<std::int64_t>("widths");
    for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
      const auto part = [&](const char* what) {
        return outputs.get<T>(std::string(what) + " " + std::to_string(l));
      };
      MlpLayer<T> layer;
      layer.weights = Matrix<T>(widths[l], widths[l + 1], part("weights"));
      layer.bias = part("bias");
      layer.scale = part("scale");
      layer.running_mean = part("running mean");
      layer.running_variance = part("running variance");
      model.layers.push_back(std::move(layer));
    }
    if (drawn_.classification()) {
      const auto classes = std::max<std::int64_t>(2, widths.back());
      for (std::int64_t c = 0; c < classes; ++c) model.class_names.push_back(std::to_string(c));
    }
    return model;
  }

  Drawn<T> drawn_;
  MlpOptions options_;
  Dataset<T> data_;
};

}  // namespace

Agreement make_mlp_agreement() {
  return {
      part<BatchCase>("batch", "loss, gradient, running averages and predictions of one batch",
                      {"mlp", "gemm"},
                      "reduction: γ(k+1)·Σ|a·b| per product; running error of each operation"),
      part<FitCase>("fit", "whole fits; what their models predict", {"mlp", "gemm", "optimizer"},
                    "reduction: predictions of the engine's own model, as in batch")};
}

}  // namespace tandem::agree
