// An answer as clients read it.
#pragma once

#include <string>
#include <vector>

#include "systems/recommend/personaliser.hpp"

namespace tandem::recommend {

struct AnswerText {
  std::string id;
  std::string user;
  std::string configuration;
  std::string model;
  std::string experiment{};  // empty: none
  std::string arm{};
  std::string interleaved_with{};
  std::vector<std::string> missing{};
  bool cold = false;
};

[[nodiscard]] std::string answer_json(const AnswerText& answer,
                                      const std::vector<Recommendation>& items,
                                      const Catalogue& catalogue);

}  // namespace tandem::recommend
