#include "core/data/generate_steps.hpp"
#include "core/parallel.hpp"

namespace tandem {
namespace {

template <Real T>
class CpuGenerate final : public GenerateSteps<T> {
 public:
  explicit CpuGenerate(Engine& engine) : engine_(engine) {}

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
std::unique_ptr<GenerateSteps<T>> GenerateSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuGenerate<T>>(engine);
}
template std::unique_ptr<GenerateSteps<float>> GenerateSteps<float>::make_cpu(Engine&);
template std::unique_ptr<GenerateSteps<double>> GenerateSteps<double>::make_cpu(Engine&);

}  // namespace tandem
