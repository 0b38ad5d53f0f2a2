// A recommender by name from its options and its model: the one template behind all files
// x_recommender.cpp. The options' type names the overload of fit() that is called.
#pragma once

#include <memory>
#include <string_view>

#include "tandem/recommend/recommender.hpp"

namespace tandem {

// The overload of fit() for these options; apart from the class, whose own fit() would hide it.
template <class Options>
[[nodiscard]] auto fit_recommender(Engine& engine, const RecommenderData& data,
                                   const Options& options, RunControl* control) {
  return fit(engine, data, options, control);
}

template <class Options, class Model>
class RecommenderOf final : public RecommenderAlgorithm {
 public:
  RecommenderOf(std::string_view name, std::string_view summary) : name_(name), summary_(summary) {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view summary() const override { return summary_; }
  void visit_options(OptionVisitor& visitor) override { options_.visit(visitor); }
  void check_options() const override { tandem::check_options(options_); }
  [[nodiscard]] std::unique_ptr<RecommenderAlgorithm> clone() const override {
    return std::make_unique<RecommenderOf>(*this);
  }
  [[nodiscard]] std::unique_ptr<Recommender> fit(Engine& engine, const RecommenderData& data,
                                                 RunControl* control) const override {
    return fit_recommender(engine, data, options_, control);
  }
  [[nodiscard]] std::unique_ptr<Recommender> load(const Archive& archive,
                                                  Index items) const override {
    return Model::load(archive, items);
  }

 private:
  std::string_view name_;
  std::string_view summary_;
  Options options_;
};

}  // namespace tandem
