// Shapley values by their definition for one path at a time: the sum over the sizes of the sets
// that are known, with the coefficients of the product of (z + o·y) over the others.
#include <cmath>
#include <vector>

#include "core/tree/tree_shap_steps.hpp"

namespace tandem::tree {
namespace {

// Of Π (z_e + o_e y) over the elements but `a` and `b`, Σ over k of the coefficient of y^k times
// k!(n − k)!/(n + 1)!, n the number of factors.
double shapley_sum(const std::vector<double>& z, const std::vector<bool>& on, std::size_t a,
                   std::size_t b) {
  std::vector<double> coefficients{1};
  for (std::size_t e = 0; e < z.size(); ++e) {
    if (e == a || e == b) continue;
    coefficients.push_back(0);
    for (std::size_t k = coefficients.size(); k-- > 0;) {
      coefficients[k] *= z[e];
      if (on[e] && k > 0) coefficients[k] += coefficients[k - 1];
    }
  }
  const std::size_t n = coefficients.size() - 1;
  double sum = 0;
  double weight = 1 / static_cast<double>(n + 1);
  for (std::size_t k = 0; k <= n; ++k) {
    sum += weight * coefficients[k];
    weight *= static_cast<double>(k + 1) / static_cast<double>(n - k);
  }
  return sum;
}

template <Real T>
class ReferenceTreeShap final : public TreeShapSteps<T> {
 public:
  void add_values(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths, const Buffer<T>& x,
                  Index rows, Buffer<double>& phi) override {
    for_each_path(trees, paths, x, rows, [&](Index i, const Path& path) {
      for (std::size_t e = 0; e < path.z.size(); ++e) {
        const double gain =
            ((path.on[e] ? 1.0 : 0.0) - path.z[e]) * shapley_sum(path.z, path.on, e, e);
        for (Index k = path.first_output; k < path.end_output; ++k) {
          phi.data()[(i * trees.outputs + k) * trees.features + path.feature[e]] +=
              gain * path.values[k - path.first_output];
        }
      }
    });
  }

  void add_interactions(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths,
                        const Buffer<T>& x, Index rows, Buffer<double>& phi) override {
    for_each_path(trees, paths, x, rows, [&](Index i, const Path& path) {
      for (std::size_t a = 0; a < path.z.size(); ++a) {
        for (std::size_t b = 0; b < path.z.size(); ++b) {
          if (a == b) continue;
          const double gain = ((path.on[a] ? 1.0 : 0.0) - path.z[a]) *
                              ((path.on[b] ? 1.0 : 0.0) - path.z[b]) *
                              shapley_sum(path.z, path.on, a, b) / 2;
          for (Index k = path.first_output; k < path.end_output; ++k) {
            const Index matrix = (i * trees.outputs + k) * trees.features * trees.features;
            phi.data()[matrix + path.feature[a] * trees.features + path.feature[b]] +=
                gain * path.values[k - path.first_output];
          }
        }
      }
    });
  }

 private:
  // A path as a row sees it.
  struct Path {
    std::vector<double> z;
    std::vector<bool> on;
    std::vector<Index> feature;
    const double* values = nullptr;
    Index first_output = 0;
    Index end_output = 0;
  };

  template <class F>
  static void for_each_path(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths,
                            const Buffer<T>& x, Index rows, F&& f) {
    Path path;
    for (Index i = 0; i < rows; ++i) {
      const T* row = x.data() + i * trees.features;
      for (Index p = 0; p < paths.paths; ++p) {
        const ShapPath& here = paths.path.data()[p];
        path.z.clear();
        path.on.clear();
        path.feature.clear();
        for (Index e = here.first_element; e < paths.path.data()[p + 1].first_element; ++e) {
          const ShapElement& element = paths.elements.data()[e];
          bool on = true;
          for (Index s = element.first_step; s < paths.elements.data()[e + 1].first_step; ++s) {
            const ShapStep step = paths.steps.data()[s];
            const PackedNode<T>& node = trees.nodes.data()[step >> 1];
            const std::int32_t child = child_of(node, row[element.feature], trees.sets.data());
            on = on && child == node.left + static_cast<std::int32_t>(step & 1);
          }
          path.z.push_back(element.share);
          path.on.push_back(on);
          path.feature.push_back(element.feature);
        }
        path.values = paths.values.data() + here.first_value;
        path.first_output = here.output == all_outputs ? 0 : here.output;
        path.end_output = here.output == all_outputs ? trees.outputs : here.output + 1;
        f(i, path);
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<TreeShapSteps<T>> TreeShapSteps<T>::make_reference(Engine&) {
  return std::make_unique<ReferenceTreeShap<T>>();
}
template std::unique_ptr<TreeShapSteps<float>> TreeShapSteps<float>::make_reference(Engine&);
template std::unique_ptr<TreeShapSteps<double>> TreeShapSteps<double>::make_reference(Engine&);

}  // namespace tandem::tree
