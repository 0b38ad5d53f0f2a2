// Agreement of generated data.
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
  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    if (follow != nullptr) {
      // The set as files get it.
      const Dataset<T> data = generate<T>(name_, options_);
      out.add("x", data.features.values());
      out.add("target", data.target);
      return;
    }
    const auto made = generate_on_engine<T>(engine, name_, options_);
    out.add("x", made.x);
    out.add("target", made.target);
  }
  void judge(Judge& judge) const override {
    judge.exact("x");
    judge.exact("target");
  }

 private:
  std::string name_;
  GenerateOptions options_;
};

}  // namespace

Agreement make_generate_agreement() {
  return {part<GenerateCase>("rows", "generated data sets, where they are needed", {"generate"},
                             "exact: the numbers of the generator on the host")};
}

}  // namespace tandem::agree
