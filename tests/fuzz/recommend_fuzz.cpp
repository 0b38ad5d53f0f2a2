// What the recommendation service reads: bodies of requests, records of its log, its snapshots and
// its configurations. The first byte says which.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "systems/http/message.hpp"
#include "systems/recommend/configuration.hpp"
#include "systems/recommend/exploration.hpp"
#include "systems/recommend/sharing.hpp"
#include "systems/recommend/state.hpp"
#include "tandem/core/error.hpp"

namespace {

using namespace tandem::recommend;

void read_records(const std::string& text) {
  const Event event = decode_event(text);
  if (encode(event) != text) std::abort();
}

void read_choices(const std::string& text) {
  const Choice choice = decode_choice(text);
  if (encode(choice) != text) std::abort();
}

std::shared_ptr<const Catalogue> two_items() {
  static const auto catalogue = [] {
    std::vector<Item> items(2);
    items[0].id = "a";
    items[1].id = "b";
    return std::make_shared<const Catalogue>(std::move(items));
  }();
  return catalogue;
}

// A viewer in Redis, as another replica has written it.
void read_shared(const std::string& text) {
  const ViewerView view = shared_view(text, *two_items());
  const std::string written = shared_text(view, *two_items());
  if (shared_text(shared_view(written, *two_items()), *two_items()) != written) std::abort();
}

void read_state(const std::string& text) {
  const std::shared_ptr<const Catalogue> catalogue = two_items();
  State state(6);
  std::stringstream in(text);
  SnapshotParts parts;
  (void)read_snapshot(in, state, *catalogue, parts);
  // What was read can be written, and is read again.
  std::stringstream again;
  SnapshotWriter writer(state, two_items, [&](const std::function<void()>& copy) {
    copy();
    return parts.counters;
  });
  writer.write(again);
  State other(6);
  if (read_snapshot(again, other, *catalogue, parts) != 0) std::abort();
  if (other.viewers.watched() != state.viewers.watched()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  try {
    switch (data[0]) {
      case 'e': read_records(text); break;
      case 'c': read_choices(text); break;
      case 's': read_state(text); break;
      case 'v': read_shared(text); break;
      case 'b':
        for (const Event& event : parse_events(text, 1'000'000)) {
          if (decode_event(encode(event)) != event) std::abort();
        }
        break;
      default:
        for (const Configuration& one : parse_configurations(text, "file")) {
          if (Configuration::parse(one.to_json()).to_json() != one.to_json()) std::abort();
        }
    }
  } catch (const tandem::InputError&) {
    // Most inputs are nothing of that kind.
  } catch (const tandem::http::HttpError&) {
  }
  return 0;
}
