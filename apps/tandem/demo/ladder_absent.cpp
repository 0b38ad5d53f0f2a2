// Of a build without the software GPU.
#include <nlohmann/json.hpp>

#include "tandem/demo/ladder.hpp"

namespace tandem::program {

void add_ladder(report::Page& page, nlohmann::json& figures) {
  page.section("", "A kernel in three steps");
  page.paragraph("Left out: this build of Tandem has no software GPU.");
  figures["ladder"] = nullptr;
}

}  // namespace tandem::program
