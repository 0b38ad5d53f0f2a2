#include "tandem/optim/lbfgs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/optim/lbfgs_steps.hpp"
#include "core/steps.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

// The parameters of the Wolfe conditions that Nocedal and Wright recommend for quasi-Newton
// methods.
constexpr double sufficient_decrease = 1e-4;
constexpr double curvature = 0.9;

// φ(α) = f(x + α·p) and its slope.
struct Point {
  double length = 0;
  double value = 0;
  double slope = 0;
};

// The minimiser of the cubic through two points with their slopes (Nocedal and Wright, 3.59), kept
// a tenth of the interval away from its ends; the middle where the cubic has none.
double interpolate(const Point& a, const Point& b) {
  const double low = std::min(a.length, b.length);
  const double high = std::max(a.length, b.length);
  const double width = high - low;
  double at = low + width / 2;
  const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.length - b.length);
  const double square = d1 * d1 - a.slope * b.slope;
  if (square >= 0 && std::isfinite(square)) {
    const double d2 = std::copysign(std::sqrt(square), b.length - a.length);
    const double minimum =
        b.length - (b.length - a.length) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
    if (std::isfinite(minimum)) at = minimum;
  }
  return std::clamp(at, low + width / 10, high - width / 10);
}

// Everything that an iteration starts from.
class Run {
 public:
  Run(Engine& engine, SmoothFunction& f, Buffer<double>& x, const LbfgsInitial& initial,
      const LbfgsOptions& options)
      : options_(options),
        f_(f),
        x_(x),
        initial_(initial),
        steps_(make_steps<LbfgsSteps, double>(engine)),
        pairs_(engine, options.memory, x.size()),
        gradient_(engine, x.size()),
        direction_(engine, x.size()),
        x_before_(engine, x.size()),
        gradient_before_(engine, x.size()) {}

  LbfgsResult minimise(RunControl& control, std::string_view value_name) {
    if (const Archive* state = control.resume_state()) {
      load(*state);
    }
    // The first value, where there is none yet, takes as long as an iteration, about.
    const Index before = result_.iterations - (result_.values.empty() ? 1 : 0);
    WatchedFit watched(static_cast<double>(options_.max_iterations - before), true);
    watched.begin_loop(1);
    if (result_.values.empty()) {
      value_ = f_.evaluate(x_, gradient_);
      ++result_.evaluations;
      if (!std::isfinite(value_)) {
        throw NumericalError(
            "the cost is not finite at the start: the features are too large for "
            "this precision; scale them");
      }
      result_.values.push_back(value_);
      watched.done_at(1);
      watched.begin_loop(1);
    }
    result_.stopped_because = "reached " + std::to_string(options_.max_iterations) + " iterations";
    while (!converged() && result_.iterations < options_.max_iterations) {
      if (!iterate()) {
        result_.stopped_because =
            "no step lowers the cost any further at this precision; the largest gradient is " +
            short_text(result_.gradient_norm);
        break;
      }
      ++result_.iterations;
      result_.values.push_back(value_);
      watched.done_at(static_cast<double>(result_.iterations - before));
      watched.begin_loop(1);
      end_iteration(control,
                    {.stage = "iteration",
                     .done = result_.iterations,
                     .total = options_.max_iterations,
                     .objective_name = value_name,
                     .objective = value_},
                    [&] { return state(); });
    }
    result_.value = value_;
    return result_;
  }

 private:
  static std::string short_text(double value) { return significant(value, 3); }

  bool converged() {
    result_.gradient_norm = steps_->largest(gradient_);
    result_.converged = result_.gradient_norm <= options_.tolerance;
    if (result_.converged) {
      result_.stopped_because = "the largest gradient " + short_text(result_.gradient_norm) +
                                " is at most the tolerance " + short_text(options_.tolerance);
    }
    return result_.converged;
  }

  // p = −H·∇f; x + α·p with the strong Wolfe conditions; a new pair. False where there is no such
  // α.
  bool iterate() {
    steps_->direction(pairs_, initial_, gradient_, direction_);
    double slope = steps_->dot(direction_, gradient_);
    if (!(slope < 0)) {
      // Rounding has spoilt the curvature: forget it.
      pairs_.count = 0;
      steps_->direction(pairs_, initial_, gradient_, direction_);
      slope = steps_->dot(direction_, gradient_);
      if (!(slope < 0)) return false;
    }
    x_before_.copy_from(x_);
    gradient_before_.copy_from(gradient_);
    const double value_before = value_;
    if (!search({0, value_, slope})) {
      x_.copy_from(x_before_);
      gradient_.copy_from(gradient_before_);
      value_ = value_before;
      if (pairs_.count == 0) return false;
      pairs_.count = 0;
      return iterate();
    }
    const Index slot = pairs_.count == 0 ? 0 : (pairs_.newest + 1) % pairs_.memory;
    const double ratio = steps_->store(slot, x_, x_before_, gradient_, gradient_before_, pairs_);
    // A pair without positive curvature would make H indefinite.
    if (ratio > std::numeric_limits<double>::epsilon()) {
      pairs_.newest = slot;
      pairs_.count = std::min(pairs_.count + 1, pairs_.memory);
    } else if (pairs_.count == pairs_.memory) {
      // The slot was the oldest pair's, which is gone.
      --pairs_.count;
    }
    return true;
  }

  Point evaluate(double length) {
    steps_->move(x_before_, length, direction_, x_);
    value_ = f_.evaluate(x_, gradient_);
    ++result_.evaluations;
    return {length, value_, steps_->dot(direction_, gradient_)};
  }

  // Algorithms 3.5 and 3.6. Leaves x, gradient and value at the point that it accepts.
  bool search(const Point& start) {
    const double slack = options_.value_accuracy * std::abs(start.value);
    const auto too_high = [&](const Point& p) {
      return !(p.value <= start.value + sufficient_decrease * p.length * start.slope + slack);
    };
    const auto flat = [&](const Point& p) { return std::abs(p.slope) <= -curvature * start.slope; };

    // `low` satisfies the decrease condition with the lowest value so far; once `high` is known the
    // interval between them contains acceptable points.
    Point low = start;
    Point high;
    bool bracketed = false;
    double length = 1;
    for (Index i = 0; i < options_.most_evaluations; ++i) {
      const Point p = evaluate(length);
      if (!std::isfinite(p.value) || !std::isfinite(p.slope)) {
        // Outside f's domain: nothing to interpolate with.
        high = {length, std::numeric_limits<double>::infinity(), 0};
        bracketed = true;
        length = low.length + (length - low.length) / 10;
        continue;
      }
      if (too_high(p) || (low.length > 0 && p.value > low.value + slack)) {
        high = p;
        bracketed = true;
      } else if (flat(p)) {
        return true;
      } else {
        if (bracketed ? p.slope * (high.length - low.length) >= 0 : p.slope >= 0) {
          high = low;
          bracketed = true;
        }
        low = p;
      }
      if (!bracketed) {
        length = 4 * length;
        continue;
      }
      const double width = std::abs(high.length - low.length);
      if (width <= 1e-12 * std::max(high.length, low.length)) break;
      length = std::isfinite(high.value) ? interpolate(low, high)
                                         : low.length + (high.length - low.length) / 10;
    }
    if (low.length == 0) return false;
    // Not flat, but lower than the start: progress all the same.
    (void)evaluate(low.length);
    return value_ < start.value;
  }

  [[nodiscard]] Archive state() const {
    Archive archive;
    archive.set("iterations", result_.iterations);
    archive.set("evaluations", result_.evaluations);
    archive.set("value", value_);
    archive.set("values", result_.values);
    archive.set("count", pairs_.count);
    archive.set("newest", pairs_.newest);
    archive.set_tensor("x", x_.to_host());
    archive.set_tensor("gradient", gradient_.to_host());
    archive.set_tensor("s", pairs_.s.to_host());
    archive.set_tensor("y", pairs_.y.to_host());
    archive.set_tensor("products", pairs_.products.to_host());
    return archive;
  }

  void load(const Archive& archive) {
    constexpr Index any = std::numeric_limits<Index>::max();
    result_.iterations = archive.get_int("iterations", 0, any);
    result_.evaluations = archive.get_int("evaluations", 0, any);
    value_ = archive.get_double("value");
    result_.values = archive.get_doubles("values");
    pairs_.count = archive.get_int("count", 0, pairs_.memory);
    pairs_.newest = archive.get_int("newest", 0, pairs_.memory - 1);
    const auto upload = [&](const char* name, Buffer<double>& to) {
      to.upload(archive.get_tensor<double>(name, to.size()));
    };
    upload("x", x_);
    upload("gradient", gradient_);
    upload("s", pairs_.s);
    upload("y", pairs_.y);
    upload("products", pairs_.products);
  }

  LbfgsOptions options_;
  SmoothFunction& f_;
  Buffer<double>& x_;
  const LbfgsInitial& initial_;
  std::unique_ptr<LbfgsSteps<double>> steps_;
  LbfgsPairs<double> pairs_;
  Buffer<double> gradient_;
  Buffer<double> direction_;
  Buffer<double> x_before_;
  Buffer<double> gradient_before_;
  double value_ = 0;
  LbfgsResult result_;
};

}  // namespace

LbfgsResult minimise_lbfgs(Engine& engine, SmoothFunction& f, Buffer<double>& x,
                           const LbfgsInitial& initial, const LbfgsOptions& options,
                           RunControl& control, std::string_view value_name) {
  return Run(engine, f, x, initial, options).minimise(control, value_name);
}

}  // namespace tandem
