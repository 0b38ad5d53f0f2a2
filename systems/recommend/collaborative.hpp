// What viewers alike take: a trained recommender, asked by the numbers of a catalogue.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "systems/recommend/inverted_lists.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem::recommend {

struct WeightedItem {
  ItemNumber item = 0;
  double weight = 1;
};

// What an item of the history carries of a score.
struct Part {
  ItemNumber item = 0;
  double part = 0;
};

// Several threads may use one source at once; what ask() returns belongs to one.
class CollaborativeSource {
 public:
  virtual ~CollaborativeSource() = default;

  // The model, asked for one viewer.
  class Asked {
   public:
    virtual ~Asked() = default;
    // Up to `count` items of the greatest score, the best first, those of the history among them
    // or not. False where `deadline` came first: the items are the best of those looked at.
    virtual bool best(std::size_t count, SteadyTime deadline, std::vector<Scored>& items) = 0;
    // Scores of the items; NaN of those that the model does not know.
    virtual void scores(std::span<const ItemNumber> items, std::span<float> scores) = 0;
    // The items of the history that carry the score, the largest part first.
    virtual std::vector<Part> because(ItemNumber item, std::size_t most) = 0;
  };
  // Null where the model knows no item of the history.
  [[nodiscard]] virtual std::unique_ptr<Asked> ask(std::span<const WeightedItem> history) const = 0;

  [[nodiscard]] virtual std::string_view algorithm() const = 0;
  // The inverted lists, where there are any.
  [[nodiscard]] virtual const InvertedLists* lists() const { return nullptr; }
  // Memory that it takes beside the model's own; 0: none to speak of.
  [[nodiscard]] virtual std::size_t bytes() const { return 0; }
  // Chooses how many lists are looked at by what these viewers ask.
  virtual void calibrate(std::span<const std::vector<WeightedItem>> /*histories*/) {}
};

// The source of a model, of which it keeps what it needs. The catalogue must know all its items.
[[nodiscard]] std::unique_ptr<CollaborativeSource> make_collaborative_source(
    std::shared_ptr<const Recommender> model, const Catalogue& catalogue,
    const ListsOptions& options);

}  // namespace tandem::recommend
