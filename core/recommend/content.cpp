// Content-based recommendation: terms of attributes, TF-IDF, cosines.
#include "tandem/recommend/content.hpp"

#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <unordered_map>

#include "core/json_text.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/item_scores.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

// Words of ASCII letters in lower case, digits, and all bytes above ASCII.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (word.size() > 1) words.push_back(word);
    word.clear();
  };
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c >= 'A' && c <= 'Z') {
      word += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || byte >= 0x80) {
      word += c;
    } else {
      end_word();
    }
  }
  end_word();
  return words;
}

// The entries of "drama|crime", "drama, crime" or "drama;crime".
std::vector<std::string> entries_of(std::string_view text) {
  std::vector<std::string> entries;
  std::string entry;
  const auto end_entry = [&] {
    const auto begin = entry.find_first_not_of(' ');
    if (begin != std::string::npos) {
      entries.push_back(entry.substr(begin, entry.find_last_not_of(' ') - begin + 1));
    }
    entry.clear();
  };
  for (const char c : text) {
    if (c == '|' || c == ',' || c == ';') {
      end_entry();
    } else {
      entry += c;
    }
  }
  end_entry();
  return entries;
}

// More than half of the values differ: they are texts, and their words are the terms.
bool is_text(const std::vector<std::string>& values) {
  std::set<std::string_view> distinct;
  std::size_t there = 0;
  for (const std::string& value : values) {
    if (value.empty()) continue;
    ++there;
    distinct.insert(value);
  }
  return 2 * distinct.size() > there;
}

std::vector<Index> chosen_attributes(const ItemAttributes& attributes, const std::string& names) {
  std::vector<Index> chosen;
  if (names.empty()) {
    for (std::size_t a = 0; a < attributes.attributes.size(); ++a) {
      chosen.push_back(static_cast<Index>(a));
    }
    return chosen;
  }
  for (const std::string& name : split(names, ',')) {
    chosen.push_back(attributes.attribute(name));
    if (chosen.back() < 0) {
      std::string known;
      for (const std::string& one : attributes.attributes) {
        known += (known.empty() ? "" : ", ") + one;
      }
      throw InputError(option("attributes") + ": " + attributes.source + " has no column '" + name +
                       "'; it has " + known);
    }
  }
  return chosen;
}

}  // namespace

void ContentOptions::visit(OptionVisitor& visitor) {
  visitor.text("attributes", attributes,
               "columns of the items to go by, separated by commas; all if left out");
  visitor.integer("min_items", min_items, "leave out terms that fewer items have", 1, 1000000);
}

void ContentOptions::check() const {}

std::unique_ptr<ContentModel> fit(Engine& /*engine*/, const RecommenderData& data,
                                  const ContentOptions& options, RunControl* control) {
  check_options(options);
  const StopScope scope(control);
  if (data.attributes == nullptr || data.attributes->size() == 0) {
    throw InputError("content goes by what is known of the items; expected " + option("items") +
                     " FILE");
  }
  const ItemAttributes& attributes = *data.attributes;
  const Interactions events = with_items(data.interactions, attributes.items);
  const auto items = static_cast<Index>(events.items.size());
  // counts[i]: terms of item i, and how often.
  std::vector<std::map<std::string, double>> counts(static_cast<std::size_t>(items));
  for (const Index a : chosen_attributes(attributes, options.attributes)) {
    const auto& values = attributes.values[static_cast<std::size_t>(a)];
    const std::string& name = attributes.attributes[static_cast<std::size_t>(a)];
    const bool text = is_text(values);
    for (std::size_t r = 0; r < values.size(); ++r) {
      auto& of_item = counts[static_cast<std::size_t>(events.item_number(attributes.items[r]))];
      for (const std::string& term : text ? words_of(values[r]) : entries_of(values[r])) {
        of_item[name + (text ? ":" : "=") + term] += 1;
      }
    }
    StopScope::check();
  }
  std::map<std::string, Index> frequency;
  for (const auto& of_item : counts) {
    for (const auto& [term, count] : of_item) ++frequency[term];
  }
  auto model = std::make_unique<ContentModel>();
  std::unordered_map<std::string_view, std::int32_t> number;
  std::vector<double> idf;
  for (const auto& [term, in_items] : frequency) {
    if (in_items < options.min_items) continue;
    number.emplace(term, static_cast<std::int32_t>(model->terms.size()));
    model->terms.push_back(term);
    idf.push_back(math::log((1 + static_cast<double>(attributes.size())) /
                            (1 + static_cast<double>(in_items))) +
                  1);
  }
  if (model->terms.empty()) {
    throw InputError(attributes.source + ": no term of its attributes is in " +
                     option("min_items") + " items or more, so that nothing makes items alike");
  }
  SparseMatrix<double>& made = model->item_terms;
  made.rows = items;
  made.cols = static_cast<Index>(model->terms.size());
  for (const auto& of_item : counts) {
    const auto first = static_cast<std::size_t>(made.size());
    for (const auto& [term, count] : of_item) {
      const auto found = number.find(term);
      if (found == number.end()) continue;
      made.columns.push_back(found->second);
      made.values.push_back((1 + math::log(count)) * idf[static_cast<std::size_t>(found->second)]);
    }
    const std::size_t last = made.values.size();
    const double length = std::sqrt(long_sum(static_cast<Index>(last - first), [&](Index k) {
      const double value = made.values[first + static_cast<std::size_t>(k)];
      return value * value;
    }));
    for (std::size_t k = first; k < last; ++k) made.values[k] /= length;
    made.offsets.push_back(made.size());
  }
  model->prepare();
  TrainingLog log;
  log.converged = true;
  log.stopped_because = "terms have a closed form";
  set_common(*model, events, std::move(log));
  return model;
}

void ContentModel::prepare() { by_term_ = transposed(item_terms.view()); }

void ContentModel::score(UserHistory history, std::span<double> scores) const {
  check_history(history);
  // The history's terms, and then the items that have them.
  std::vector<double> profile(terms.size());
  add_rows(item_terms, sorted_history(history), profile);
  std::vector<HistoryItem> weights;
  for (std::size_t t = 0; t < profile.size(); ++t) {
    if (profile[t] != 0) weights.push_back({static_cast<std::int32_t>(t), profile[t]});
  }
  add_rows(by_term_, weights, scores);
}

Explanation ContentModel::because(UserHistory history, std::int32_t item, Index most) const {
  check_item(item);
  const std::int32_t items[] = {item};
  const double score = score_items(history, items).front();
  std::vector<Contribution> parts;
  for (const HistoryItem& one : sorted_history(history)) {
    double cosine = 0;
    const auto columns = item_terms.columns_of(one.item);
    const auto values = item_terms.values_of(one.item);
    const auto others = item_terms.columns_of(item);
    for (std::size_t k = 0; k < columns.size(); ++k) {
      const auto at = std::lower_bound(others.begin(), others.end(), columns[k]);
      if (at != others.end() && *at == columns[k]) {
        cosine +=
            values[k] * item_terms.values_of(item)[static_cast<std::size_t>(at - others.begin())];
      }
    }
    if (cosine * one.weight != 0) parts.push_back({one.item, one.weight * cosine});
  }
  return explanation_of(score, std::move(parts), most);
}

std::vector<ScoredItem> ContentModel::similar_items(std::int32_t item, Index n,
                                                    const ItemFilter& filter) const {
  check_item(item);
  for (const std::int32_t other : filter.leave_out) check_item(other);
  const HistoryItem itself{item, 1};
  std::vector<double> scores(static_cast<std::size_t>(item_count()));
  score(UserHistory(&itself, 1), scores);
  const std::vector<std::uint8_t> may = answerable(item_count(), {}, filter);
  return best_of(scores, n, [&](const ScoredItem& one) {
    return one.score > 0 && one.item != item && may[static_cast<std::size_t>(one.item)] != 0;
  });
}

std::vector<std::string> ContentModel::shared_terms(std::int32_t a, std::int32_t b,
                                                    Index most) const {
  check_item(a);
  check_item(b);
  std::vector<std::pair<double, std::int32_t>> shared;
  const auto columns = item_terms.columns_of(a);
  const auto others = item_terms.columns_of(b);
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const auto at = std::lower_bound(others.begin(), others.end(), columns[k]);
    if (at == others.end() || *at != columns[k]) continue;
    shared.emplace_back(-item_terms.values_of(a)[k] *
                            item_terms.values_of(b)[static_cast<std::size_t>(at - others.begin())],
                        columns[k]);
  }
  std::sort(shared.begin(), shared.end());
  std::vector<std::string> names;
  for (const auto& one : shared) {
    if (static_cast<Index>(names.size()) == most) break;
    names.push_back(terms[static_cast<std::size_t>(one.second)]);
  }
  return names;
}

void ContentModel::save(Archive& archive) const {
  std::string text;
  std::vector<std::int64_t> ends;
  for (const std::string& term : terms) {
    text += term;
    ends.push_back(static_cast<std::int64_t>(text.size()));
  }
  archive.set_tensor("terms", std::vector<std::uint8_t>(text.begin(), text.end()));
  archive.set_tensor("term_ends", std::move(ends));
  save_sparse(archive, item_terms);
}

std::unique_ptr<ContentModel> ContentModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<ContentModel>();
  const auto& bytes = archive.get_tensor<std::uint8_t>("terms");
  std::int64_t begin = 0;
  for (const std::int64_t end : archive.get_tensor<std::int64_t>("term_ends")) {
    if (end < begin || end > static_cast<std::int64_t>(bytes.size())) {
      archive.fail("term_ends", "are not ascending");
    }
    model->terms.emplace_back(bytes.begin() + begin, bytes.begin() + end);
    begin = end;
  }
  if (model->terms.empty() || begin != static_cast<std::int64_t>(bytes.size())) {
    archive.fail("terms", "are none, or have bytes behind the last one");
  }
  model->item_terms = load_sparse<double>(archive, items, static_cast<Index>(model->terms.size()));
  model->prepare();
  return model;
}

std::string ContentModel::to_json() const {
  return json_text({{"algorithm", algorithm()},
                    {"items", item_count()},
                    {"terms", static_cast<Index>(terms.size())}});
}

std::string ContentModel::to_text() const {
  std::ostringstream out;
  out << "content of " << item_count() << " items: " << terms.size() << " terms\n";
  return out.str();
}

}  // namespace tandem
