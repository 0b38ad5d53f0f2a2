// Whole fits of the models that keep their rows. Distances are one chain on every engine and votes
// are counted on the host, so that the reference has the same bits.
#pragma once

#include "agree/fits.hpp"
#include "tandem/neighbors/neighbours.hpp"

namespace tandem::agree {

template <Real T, class Options>
class NeighbourFit : public Case {
 public:
  NeighbourFit(const Key& key, std::uint32_t stream, Index classes) : draw_(key.seed, stream) {
    data_ = make_dataset<T>(key, draw_.between(1, 40), classes, draw_);
    options_.neighbours = draw_.of<std::int64_t>({1, 3, 5, 40});
    options_.weighting = draw_.of({NeighbourWeights::uniform, NeighbourWeights::distance});
    options_.distance =
        draw_.of({NeighbourMetric::euclidean, NeighbourMetric::manhattan, NeighbourMetric::cosine});
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto model = fit(engine, data_, options_);
    add_model(out, model);
    const auto predictions = model.predict(engine, data_.features.view());
    out.add("predicted", predictions.values);
    out.add("predicted_labels", predictions.labels);
    out.add("probabilities", predictions.probabilities.values());
  }

  void judge(Judge& judge) const override {
    for (const char* output : {"predicted", "predicted_labels", "probabilities"}) {
      judge.exact(output);
    }
  }

 private:
  Draw draw_;
  Dataset<T> data_;
  Options options_;
};

}  // namespace tandem::agree
