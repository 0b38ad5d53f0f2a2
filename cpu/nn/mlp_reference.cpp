// The multi-layer perceptron's steps as a textbook has them: loops, double precision, one thread.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/nn/mlp_steps.hpp"

namespace tandem {
namespace {

struct ActivationValue {
  double value;
  double slope;
};

ActivationValue activation_at(Activation activation, double u) {
  switch (activation) {
    case Activation::sigmoid: {
      const double a = 1 / (1 + std::exp(-u));
      return {a, a * (1 - a)};
    }
    case Activation::tanh: {
      const double a = std::tanh(u);
      return {a, 1 - a * a};
    }
    case Activation::relu: return {u < 0 ? 0 : u, u > 0 ? 1.0 : 0.0};
    case Activation::gelu: {
      const double distribution = 0.5 * (1 + std::erf(u / std::numbers::sqrt2));
      const double density = std::exp(-0.5 * u * u) / std::sqrt(2 * std::numbers::pi);
      return {u * distribution, distribution + u * density};
    }
  }
  return {};
}

// Replaces u by the outputs and returns the logarithm of the softmax's denominator, which is
// relative to the largest u.
double outputs_of(MlpOutput output, std::vector<double>& u) {
  switch (output) {
    case MlpOutput::softmax: {
      double largest = u[0];
      for (const double value : u) largest = value > largest ? value : largest;
      double sum = 0;
      for (double& value : u) {
        value = std::exp(value - largest);
        sum += value;
      }
      for (double& value : u) value /= sum;
      return std::log(sum);
    }
    case MlpOutput::sigmoid: u[0] = 1 / (1 + std::exp(-u[0])); return 0;
    case MlpOutput::identity:
    case MlpOutput::automatic: break;  // no network has it
  }
  return 0;
}

template <Real T>
class ReferenceMlp final : public MlpSteps<T> {
 public:
  void order_rows(const RowOrder& order, const Index* from, Index* to) override {
    for (Index place = 0; place < order.rows(); ++place) {
      to[place] = from != nullptr ? from[order(place)] : order(place);
    }
  }

  void gather_rows(const T* x, Index cols, const Index* order, Index rows, T* out) override {
    for (Index r = 0; r < rows; ++r) {
      for (Index j = 0; j < cols; ++j) out[r * cols + j] = x[order[r] * cols + j];
    }
  }

  void activation_gradient(Index rows, Index width, const T* slope, T* d, T* db) override {
    for (Index j = 0; j < width; ++j) {
      double sum = 0;
      for (Index r = 0; r < rows; ++r) {
        T& value = d[r * width + j];
        double product = static_cast<double>(value);
        if (slope != nullptr) product *= static_cast<double>(slope[r * width + j]);
        value = static_cast<T>(product);
        sum += product;
      }
      if (db != nullptr) db[j] = static_cast<T>(sum);
    }
  }

  void activate(Activation activation, Index rows, Index width, const T* scale, const T* shift,
                const MlpDropout& dropout, const T* z, T* a, T* slope) override {
    for (Index r = 0; r < rows; ++r) {
      for (Index j = 0; j < width; ++j) {
        const Index at = r * width + j;
        const double factor = scale != nullptr ? static_cast<double>(scale[j]) : 1;
        ActivationValue f = activation_at(
            activation, factor * static_cast<double>(z[at]) + static_cast<double>(shift[j]));
        if (dropout.rate > 0) {
          const bool kept = dropout.keeps(static_cast<std::uint64_t>(at));
          f.value *= kept ? dropout.scale() : 0;
          f.slope *= kept ? dropout.scale() : 0;
        }
        a[at] = static_cast<T>(f.value);
        if (slope != nullptr) slope[at] = static_cast<T>(f.slope);
      }
    }
  }

  void normalize(Index rows, Index width, double epsilon, double momentum, T* z, T* inverse,
                 T* running_mean, T* running_variance) override {
    const auto count = static_cast<double>(rows);
    for (Index j = 0; j < width; ++j) {
      double mean = 0;
      for (Index r = 0; r < rows; ++r) mean += static_cast<double>(z[r * width + j]);
      mean /= count;
      double squares = 0;
      for (Index r = 0; r < rows; ++r) {
        const double difference = static_cast<double>(z[r * width + j]) - mean;
        squares += difference * difference;
      }
      const double factor = 1 / std::sqrt(squares / count + epsilon);
      for (Index r = 0; r < rows; ++r) {
        T& value = z[r * width + j];
        value = static_cast<T>((static_cast<double>(value) - mean) * factor);
      }
      inverse[j] = static_cast<T>(factor);
      const auto average = [&](T& running, double batch) {
        running = static_cast<T>(momentum * static_cast<double>(running) + (1 - momentum) * batch);
      };
      average(running_mean[j], mean);
      average(running_variance[j], squares / static_cast<double>(std::max<Index>(1, rows - 1)));
    }
  }

  void normalize_backward(Index rows, Index width, const T* normalized, const T* scale,
                          const T* inverse, T* du, T* scale_gradient, T* shift_gradient) override {
    const auto count = static_cast<double>(rows);
    for (Index j = 0; j < width; ++j) {
      double shift_sum = 0;
      double scale_sum = 0;
      for (Index r = 0; r < rows; ++r) {
        shift_sum += static_cast<double>(du[r * width + j]);
        scale_sum +=
            static_cast<double>(du[r * width + j]) * static_cast<double>(normalized[r * width + j]);
      }
      const double factor = static_cast<double>(scale[j]) * static_cast<double>(inverse[j]);
      for (Index r = 0; r < rows; ++r) {
        T& value = du[r * width + j];
        value = static_cast<T>(
            factor * (static_cast<double>(value) - shift_sum / count -
                      static_cast<double>(normalized[r * width + j]) * scale_sum / count));
      }
      scale_gradient[j] = static_cast<T>(scale_sum);
      shift_gradient[j] = static_cast<T>(shift_sum);
    }
  }

  void running_affine(Index width, double epsilon, const T* scale, const T* shift, const T* mean,
                      const T* variance, T* s, T* t) override {
    for (Index j = 0; j < width; ++j) {
      const double factor =
          static_cast<double>(scale[j]) / std::sqrt(static_cast<double>(variance[j]) + epsilon);
      s[j] = static_cast<T>(factor);
      t[j] = static_cast<T>(static_cast<double>(shift[j]) - static_cast<double>(mean[j]) * factor);
    }
  }

  void output(MlpOutput output, Index rows, Index width, const T* bias, T* z) override {
    std::vector<double> u(static_cast<std::size_t>(width));
    for (Index r = 0; r < rows; ++r) {
      load_row(z + r * width, bias, u);
      (void)outputs_of(output, u);
      store_row(u, z + r * width);
    }
  }

  void loss(MlpOutput output, MlpLoss loss, bool gradient, Index rows, Index width, const T* bias,
            const MlpTargets<T>& targets, const Index* order, T* z, double* totals) override {
    std::vector<double> u(static_cast<std::size_t>(width));
    std::vector<double> p;
    double sum = 0;
    Index right = 0;
    for (Index r = 0; r < rows; ++r) {
      const Index row = order[r];
      const double weight =
          targets.weights != nullptr ? static_cast<double>(targets.weights[row]) : 1;
      load_row(z + r * width, bias, u);
      p = u;
      const double log_sum = outputs_of(output, p);
      // d_j = p_j − y_j
      std::vector<double> d = p;
      std::size_t label = 0;
      double y = 0;
      if (output == MlpOutput::softmax) {
        label = static_cast<std::size_t>(targets.labels[row]);
        d[label] -= 1;
      } else {
        y = output == MlpOutput::sigmoid ? targets.labels[row]
                                         : static_cast<double>(targets.values[row]);
        d[0] -= y;
      }
      if (output == MlpOutput::softmax) {
        // The first of the largest.
        const auto best = std::max_element(u.begin(), u.end()) - u.begin();
        if (static_cast<std::size_t>(best) == label) ++right;
      } else if (output == MlpOutput::sigmoid) {
        if ((u[0] > 0) == (y > 0.5)) ++right;
      }
      double row_loss = 0;
      if (loss == MlpLoss::squared_error) {
        for (const double value : d) row_loss += 0.5 * value * value;
      } else if (output == MlpOutput::softmax) {
        row_loss = log_sum - (u[label] - *std::max_element(u.begin(), u.end()));
      } else {
        // ln(1 + e^u) − u·y, without overflow
        row_loss = std::max(u[0], 0.0) - u[0] * y + std::log1p(std::exp(-std::abs(u[0])));
      }
      sum += weight * row_loss;
      if (!gradient) continue;
      if (loss == MlpLoss::squared_error && output == MlpOutput::softmax) {
        double dot = 0;
        for (std::size_t j = 0; j < d.size(); ++j) dot += d[j] * p[j];
        for (std::size_t j = 0; j < d.size(); ++j) d[j] = p[j] * (d[j] - dot);
      } else if (loss == MlpLoss::squared_error && output == MlpOutput::sigmoid) {
        d[0] *= p[0] * (1 - p[0]);
      }
      for (double& value : d) value *= weight / static_cast<double>(rows);
      store_row(d, z + r * width);
    }
    MlpTotals::add(totals, sum, static_cast<double>(right));
  }

 private:
  static void load_row(const T* z, const T* bias, std::vector<double>& u) {
    for (std::size_t j = 0; j < u.size(); ++j) {
      u[j] = static_cast<double>(z[j]) + static_cast<double>(bias[j]);
    }
  }
  static void store_row(const std::vector<double>& u, T* z) {
    for (std::size_t j = 0; j < u.size(); ++j) z[j] = static_cast<T>(u[j]);
  }
};

}  // namespace

template <Real T>
std::unique_ptr<MlpSteps<T>> MlpSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceMlp<T>>();
}
template std::unique_ptr<MlpSteps<float>> MlpSteps<float>::make_reference(Engine&);
template std::unique_ptr<MlpSteps<double>> MlpSteps<double>::make_reference(Engine&);

}  // namespace tandem
