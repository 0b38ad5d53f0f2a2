#include <vector>

#include "core/data/generate_steps.hpp"
#include "core/parallel.hpp"

namespace tandem {
namespace {

// The same for both host engines: a generated value is a definition, not an approximation.
template <Real T>
class HostGenerate final : public GenerateSteps<T> {
 public:
  explicit HostGenerate(Engine& engine) : engine_(engine) {}

  void generate(const GeneratedRows& set, const Buffer<double>& weights, Buffer<T>& x,
                Buffer<T>& target) override {
    constexpr Index rows_per_piece = 1024;
    parallel_pieces(engine_.threads(), target.size(), rows_per_piece, [&](Piece piece) {
      for (Index i = piece.begin; i < piece.end; ++i) {
        target.data()[i] = set.fill(i, weights.data(), x.data() + i * set.features);
      }
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<GenerateSteps<T>> GenerateSteps<T>::make_reference(Engine& engine) {
  return std::make_unique<HostGenerate<T>>(engine);
}
template <Real T>
std::unique_ptr<GenerateSteps<T>> GenerateSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<HostGenerate<T>>(engine);
}
template class GenerateSteps<float>;
template class GenerateSteps<double>;

}  // namespace tandem
