// Limited-memory BFGS: minimises a smooth function of many variables from its values and gradients.
//
// Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical
// Programming 45 (1989); Nocedal and Wright, "Numerical Optimization", 2nd ed.: algorithms 7.4
// (two-loop recursion), 7.5 (L-BFGS), 3.5 and 3.6 (line search for the strong Wolfe conditions).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem {

struct LbfgsOptions {
  Index max_iterations = 1000;
  // Converged where no element of the gradient is larger in magnitude.
  double tolerance = 1e-4;
  Index memory = 10;            // pairs of steps and gradient changes that are kept
  Index most_evaluations = 40;  // of one line search
  // Relative accuracy of the function's values: differences below it say nothing, and the line
  // search then goes by the gradient.
  double value_accuracy = 1e-14;
};

// f: value and gradient at x, both vectors on the engine.
class TANDEM_API SmoothFunction {
 public:
  virtual ~SmoothFunction() = default;
  [[nodiscard]] virtual double evaluate(const Buffer<double>& x, Buffer<double>& gradient) = 0;
};

struct LbfgsResult {
  Index iterations = 0;
  Index evaluations = 0;
  bool converged = false;
  std::string stopped_because;
  double value = 0;
  double gradient_norm = 0;    // largest magnitude
  std::vector<double> values;  // at the start of each iteration, and at the end
};

// An estimate of the inverse Hessian, symmetric and positive definite, on the engine.
//   groups 0  the diagonal, one positive number per variable
//   groups K  one matrix, m × m row-major, that acts on each of K groups of m variables: the first
//             K·(m − 1) variables are the first m − 1 of group 0, of group 1, ..., and the last K
//             variables are the last of each (weights by class, then intercepts)
struct LbfgsInitial {
  Buffer<double> inverse;
  Index groups = 0;
};

// Minimises from x, which becomes the minimiser found. The first step is along
// −initial·gradient; later ones start the recursion from γ·initial with γ = sᵀy / (yᵀ·initial·y).
//
// Reports each iteration to `control` under the stage "iteration" and the name value_name, and
// keeps checkpoints there. Throws NumericalError where f is not finite at the start.
[[nodiscard]] TANDEM_API LbfgsResult minimise_lbfgs(Engine& engine, SmoothFunction& f,
                                                    Buffer<double>& x, const LbfgsInitial& initial,
                                                    const LbfgsOptions& options,
                                                    RunControl& control,
                                                    std::string_view value_name = "cost");

}  // namespace tandem
