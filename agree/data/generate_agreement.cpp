// Agreement of generated data.
#include <cmath>

#include "agree/case.hpp"
#include "tandem/data/generate.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class GenerateCase final : public Case {
 public:
  explicit GenerateCase(const Key& key) {
    Draw draw(key.seed, 121);
    const auto& names = generator_names();
    name_ = names[static_cast<std::size_t>(draw.below(static_cast<Index>(names.size())))];
    options_.rows = key.kind == DataKind::one_row ? 1 : key.rows;
    options_.features = draw.between(2, 30);
    options_.seed = draw.bits() >> 1;
    if (draw.flip()) options_.noise = draw.uniform(0, 0.5);
    options_.threads = 1;
  }
  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto made = generate_on_engine<T>(engine, name_, options_);
    out.add("x", made.x);
    out.add("target", made.target);
  }

  // Beside the reference the engine's numbers are held against the set as files get it.
  void judge(Judge& judge) const override {
    const Dataset<T> host = generate<T>(name_, options_);
    const auto same = [&](const char* output, const std::vector<T>& of_host) {
      const auto& of_engine = judge.got.get<T>(output);
      for (std::size_t i = 0; i < of_engine.size(); ++i) {
        judge.compare(output, static_cast<Index>(i), Tolerance::exact,
                      static_cast<double>(of_engine[i]), static_cast<double>(of_host[i]), 0);
      }
    };
    same("x", host.features.values());
    same("target", host.target);

    // A value is a sum of a centre and a normal number, which is below 9 and off by a few roundings
    // of double in its logarithm, root and cosine, times 1 or `noise`; both sides round it to T.
    const double noise = options_.noise.value_or(1);
    const double absolute = 64 * unit_roundoff<double> * (30 + 9 * noise);
    const auto& x = judge.reference.get<T>("x");
    judge.within("x", Tolerance::elementwise, [&](std::size_t i) {
      return 2 * unit_roundoff<T> * std::abs(static_cast<double>(x[i])) + absolute;
    });
    if (name_ != "regression") {
      judge.exact("target");
      return;
    }
    // Weights below 100 times values that differ so.
    const double of_value = 2 * unit_roundoff<T> * 9 + absolute;
    const double terms = 100.0 * static_cast<double>(options_.features);
    const auto& target = judge.reference.get<T>("target");
    judge.within("target", Tolerance::elementwise, [&](std::size_t i) {
      return 2 * unit_roundoff<T> * std::abs(static_cast<double>(target[i])) +
             terms * (of_value + 64 * unit_roundoff<double> * 9) + absolute;
    });
  }

 private:
  std::string name_;
  GenerateOptions options_;
};

}  // namespace

Agreement make_generate_agreement() {
  return {part<GenerateCase>("rows", "generated data sets, where they are needed", {"generate"},
                             "exact beside the generator on the host; elementwise beside the "
                             "reference: roundings of double, and one to T")};
}

}  // namespace tandem::agree
