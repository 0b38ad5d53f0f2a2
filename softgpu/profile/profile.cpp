#include "softgpu/profile/profile.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string_view>

#include <nlohmann/json.hpp>

namespace softgpu::profile {
namespace {

using Json = nlohmann::ordered_json;
using u64 = std::uint64_t;

// Each structure names its numbers once, for sums, writing and reading.
template <class Self, class Visit>
void visit_requests_of(Self& r, const Visit& visit) {
  visit("requests", r.requests);
  visit("lanes", r.lanes);
  visit("bytes", r.bytes);
  visit("sectors", r.sectors);
  visit("ideal_sectors", r.ideal_sectors);
  visit("l1_hits", r.l1_hits);
  visit("l2_hits", r.l2_hits);
}
template <class Self, class Visit>
void visit_shared(Self& r, const Visit& visit) {
  visit("requests", r.requests);
  visit("lanes", r.lanes);
  visit("bytes", r.bytes);
  visit("wavefronts", r.wavefronts);
  visit("ideal_wavefronts", r.ideal_wavefronts);
}
template <class Self, class Visit>
void visit_numbers(Self& c, const Visit& visit) {
  visit("lanes", c.lanes);
  visit("conversions_to_double", c.conversions_to_double);
  visit("branches", c.branches);
  visit("divergent", c.divergent);
  visit("constant_requests", c.constant_requests);
  visit("adjacent_loads", c.adjacent_loads);
  visit("atomic_conflicts", c.atomic_conflicts);
  visit("barriers", c.barriers);
  visit("redundant_barriers", c.redundant_barriers);
  visit("uncounted", c.uncounted);
}
template <class Self, class Visit>
void visit_groups(Self& c, const Visit& visit) {
  visit("global_load", c.global_load);
  visit("global_store", c.global_store);
  visit("global_atomic", c.global_atomic);
  visit("local_load", c.local_load);
  visit("local_store", c.local_store);
}
template <class Self, class Visit>
void visit_shared_groups(Self& c, const Visit& visit) {
  visit("shared_load", c.shared_load);
  visit("shared_store", c.shared_store);
  visit("shared_atomic", c.shared_atomic);
}
template <class Self, class Visit>
void visit_arrays(Self& c, const Visit& visit) {
  visit("instructions", c.instructions, class_names);
  visit("thread_instructions", c.thread_instructions, class_names);
  visit("flops", c.flops, format_names);
  visit("special", c.special, format_names);
  visit("waits", c.waits, wait_names);
}
template <class Self, class Visit>
void visit_kernel(Self& k, const Visit& visit) {
  visit("launches", k.launches);
  visit("first_launch", k.first_launch);
  visit("chain", k.chain);
  visit("longest_chain", k.longest_chain);
  visit("alone", k.alone);
  visit("dram_read", k.dram_read);
  visit("dram_write", k.dram_write);
  visit("merged_wavefronts", k.merged_wavefronts);
  visit("hottest_word", k.hottest_word);
}

template <class Array, class Names>
Json named(const Array& values, const Names& names) {
  Json json = Json::object();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) json[names[i]] = values[i];
  }
  return json;
}

Json json_of(const Counters& c) {
  Json json = Json::object();
  visit_arrays(c, [&](const char* name, const auto& values, const auto& names) {
    json[name] = named(values, names);
  });
  visit_numbers(c, [&](const char* name, u64 number) { json[name] = number; });
  visit_groups(c, [&](const char* name, const Requests& r) {
    if (r.requests == 0) return;
    Json& to = json[name];
    visit_requests_of(r, [&](const char* n, u64 number) { to[n] = number; });
  });
  visit_shared_groups(c, [&](const char* name, const SharedRequests& r) {
    if (r.requests == 0) return;
    Json& to = json[name];
    visit_shared(r, [&](const char* n, u64 number) { to[n] = number; });
  });
  return json;
}

// --- reading -------------------------------------------------------------------------------------

[[noreturn]] void refuse(const std::string& what) {
  throw ProfileError("is no profile that tandem gpu profile wrote: " + what);
}

u64 number_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end()) return 0;
  if (!found->is_number_integer() ||
      (!found->is_number_unsigned() && found->get<std::int64_t>() < 0)) {
    refuse(std::string(name) + " is no whole number");
  }
  // Far beyond what a run can count, and what a double holds exactly.
  constexpr u64 most = u64{1} << 53;
  if (found->get<u64>() > most) refuse(std::string(name) + " is larger than 2^53");
  return found->get<u64>();
}
const Json& member(const Json& json, const char* name, bool (Json::*is)() const noexcept) {
  if (!json.is_object()) refuse(std::string("expected an object with ") + name);
  const auto found = json.find(name);
  if (found == json.end() || !((*found).*is)()) refuse(std::string(name) + " is missing");
  return *found;
}
std::string text_of(const Json& json, const char* name) {
  return member(json, name, &Json::is_string).get<std::string>();
}

Counters counters_from(const Json& json) {
  if (!json.is_object()) refuse("counters are missing");
  Counters c;
  visit_arrays(c, [&](const char* name, auto& values, const auto& names) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    if (!found->is_object()) refuse(std::string(name) + " is no object");
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = number_of(*found, names[i]);
  });
  visit_numbers(c, [&](const char* name, u64& number) { number = number_of(json, name); });
  visit_groups(c, [&](const char* name, Requests& r) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    visit_requests_of(r, [&](const char* n, u64& number) { number = number_of(*found, n); });
  });
  visit_shared_groups(c, [&](const char* name, SharedRequests& r) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    visit_shared(r, [&](const char* n, u64& number) { number = number_of(*found, n); });
  });
  return c;
}

std::array<std::uint32_t, 3> triple_from(const Json& json, const char* name) {
  const Json& list = member(json, name, &Json::is_array);
  if (list.size() != 3) refuse(std::string(name) + " has not three numbers");
  std::array<std::uint32_t, 3> result{};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!list[i].is_number_unsigned() || list[i].get<u64>() == 0 ||
        list[i].get<u64>() > UINT32_MAX) {
      refuse(std::string(name) + " has a number below 1");
    }
    result[i] = list[i].get<std::uint32_t>();
  }
  return result;
}

Kernel kernel_from(const Json& json) {
  Kernel k;
  k.kernel = text_of(json, "kernel");
  k.name = text_of(json, "name");
  k.grid = triple_from(json, "grid");
  k.block = triple_from(json, "block");
  k.static_shared = static_cast<std::uint32_t>(number_of(json, "static_shared"));
  k.dynamic_shared = static_cast<std::uint32_t>(number_of(json, "dynamic_shared"));
  k.registers = static_cast<int>(std::min<u64>(number_of(json, "registers"), 255));
  k.registers_of_ptxas = json.value("registers_of_ptxas", false);
  k.spill_bytes = number_of(json, "spill_bytes");
  visit_kernel(k, [&](const char* name, u64& number) { number = number_of(json, name); });
  if (k.launches == 0) refuse("a kernel has no launches");
  if (u64{k.block[0]} * k.block[1] > 1024 || u64{k.block[0]} * k.block[1] * k.block[2] > 1024) {
    refuse("a block has more than 1024 threads");
  }
  const Json& waits = member(json, "chain_waits", &Json::is_object);
  for (std::size_t i = 0; i < wait_kinds; ++i) k.chain_waits[i] = number_of(waits, wait_names[i]);
  k.counters = counters_from(member(json, "counters", &Json::is_object));
  for (const Json& line : member(json, "lines", &Json::is_array)) {
    Line one;
    one.file = text_of(line, "file");
    one.line = static_cast<int>(std::min<u64>(number_of(line, "line"), INT32_MAX));
    one.text = text_of(line, "text");
    one.counters = counters_from(member(line, "counters", &Json::is_object));
    k.lines.push_back(std::move(one));
  }
  return k;
}

Work work_from(const Json& json, std::size_t kernels, std::size_t before) {
  Work work;
  const std::string kind = text_of(json, "kind");
  std::size_t index = 0;
  while (index < work_names.size() && work_names[index] != kind) ++index;
  if (index == work_names.size()) refuse("unknown work " + kind);
  work.kind = static_cast<Work::Kind>(index);
  work.stream = number_of(json, "stream");
  work.device = static_cast<int>(std::min<u64>(number_of(json, "device"), 64));
  work.legacy = json.value("legacy", false);
  work.blocking = json.value("blocking", false);
  work.after = json.value("after", std::int64_t{-1});
  work.kernel = json.value("kernel", std::int64_t{-1});
  if (work.kernel >= static_cast<std::int64_t>(kernels)) refuse("work names an unknown kernel");
  if (work.after >= static_cast<std::int64_t>(before)) refuse("work waits for later work");
  work.name = text_of(json, "name");
  work.bytes = number_of(json, "bytes");
  return work;
}

}  // namespace

void Requests::operator+=(const Requests& more) {
  requests += more.requests;
  lanes += more.lanes;
  bytes += more.bytes;
  sectors += more.sectors;
  ideal_sectors += more.ideal_sectors;
  l1_hits += more.l1_hits;
  l2_hits += more.l2_hits;
}

void SharedRequests::operator+=(const SharedRequests& more) {
  requests += more.requests;
  lanes += more.lanes;
  bytes += more.bytes;
  wavefronts += more.wavefronts;
  ideal_wavefronts += more.ideal_wavefronts;
}

void Counters::operator+=(const Counters& more) {
  const auto add = [](auto& to, const auto& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  add(instructions, more.instructions);
  add(thread_instructions, more.thread_instructions);
  add(flops, more.flops);
  add(special, more.special);
  add(waits, more.waits);
  lanes += more.lanes;
  conversions_to_double += more.conversions_to_double;
  branches += more.branches;
  divergent += more.divergent;
  global_load += more.global_load;
  global_store += more.global_store;
  global_atomic += more.global_atomic;
  local_load += more.local_load;
  local_store += more.local_store;
  shared_load += more.shared_load;
  shared_store += more.shared_store;
  shared_atomic += more.shared_atomic;
  constant_requests += more.constant_requests;
  adjacent_loads += more.adjacent_loads;
  atomic_conflicts += more.atomic_conflicts;
  barriers += more.barriers;
  redundant_barriers += more.redundant_barriers;
  uncounted += more.uncounted;
}

std::uint64_t Counters::warp_instructions() const {
  return std::accumulate(instructions.begin(), instructions.end(), u64{0});
}
std::uint64_t Counters::active_lanes() const {
  return std::accumulate(thread_instructions.begin(), thread_instructions.end(), u64{0});
}
std::uint64_t Counters::all_flops() const {
  return std::accumulate(flops.begin(), flops.end(), u64{0});
}
std::uint64_t Counters::wait_cycles() const {
  return std::accumulate(waits.begin(), waits.end(), u64{0});
}

std::uint64_t Kernel::blocks() const { return u64{grid[0]} * grid[1] * grid[2]; }
std::uint32_t Kernel::threads() const { return block[0] * block[1] * block[2]; }
std::uint32_t Kernel::warps_per_block() const {
  return (threads() + lanes_per_warp - 1) / lanes_per_warp;
}

nlohmann::ordered_json to_json(const Profile& profile) {
  Json kernels = Json::array();
  for (const Kernel& k : profile.kernels) {
    Json json = {{"kernel", k.kernel},
                 {"name", k.name},
                 {"grid", k.grid},
                 {"block", k.block},
                 {"static_shared", k.static_shared},
                 {"dynamic_shared", k.dynamic_shared},
                 {"registers", k.registers},
                 {"registers_of_ptxas", k.registers_of_ptxas},
                 {"spill_bytes", k.spill_bytes}};
    visit_kernel(k, [&](const char* name, u64 number) { json[name] = number; });
    json["chain_waits"] = named(k.chain_waits, wait_names);
    json["counters"] = json_of(k.counters);
    json["lines"] = Json::array();
    for (const Line& line : k.lines) {
      json["lines"].push_back({{"file", line.file},
                               {"line", line.line},
                               {"text", line.text},
                               {"counters", json_of(line.counters)}});
    }
    kernels.push_back(std::move(json));
  }
  Json work = Json::array();
  for (const Work& one : profile.work) {
    Json json = {{"kind", work_names[static_cast<std::size_t>(one.kind)]},
                 {"stream", one.stream},
                 {"device", one.device},
                 {"name", one.name},
                 {"bytes", one.bytes}};
    if (one.legacy) json["legacy"] = true;
    if (one.blocking) json["blocking"] = true;
    if (one.after >= 0) json["after"] = one.after;
    if (one.kernel >= 0) json["kernel"] = one.kernel;
    work.push_back(std::move(json));
  }
  return {{"profile", 1},
          {"device", profile.device},
          {"program", profile.program},
          {"kernels", std::move(kernels)},
          {"work", std::move(work)},
          {"work_dropped", profile.work_dropped}};
}

Profile from_json(const nlohmann::ordered_json& json) {
  if (!json.is_object() || json.value("profile", Json()) != 1) {
    refuse("its member \"profile\" is not 1");
  }
  Profile profile;
  profile.device = text_of(json, "device");
  profile.program = text_of(json, "program");
  for (const Json& kernel : member(json, "kernels", &Json::is_array)) {
    profile.kernels.push_back(kernel_from(kernel));
  }
  for (const Json& work : member(json, "work", &Json::is_array)) {
    profile.work.push_back(work_from(work, profile.kernels.size(), profile.work.size()));
  }
  profile.work_dropped = number_of(json, "work_dropped");
  return profile;
}

Profile read_profile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw ProfileError(path + ": cannot be read");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    return from_json(Json::parse(text));
  } catch (const nlohmann::json::exception&) {
    throw ProfileError(path +
                       ": is no profile that tandem gpu profile wrote: it is no JSON of one");
  } catch (const ProfileError& error) {
    throw ProfileError(path + ": " + error.what());
  }
}

}  // namespace softgpu::profile
