// Moves, loads, stores, address conversions, atomics.

#include <array>
#include <string>

#include "softgpu/exec/atomicity.hpp"
#include "softgpu/exec/decoder.hpp"
#include "softgpu/isa/family.hpp"

namespace softgpu {
namespace {

using ptx::Instruction;
using ptx::Operand;
using std::string;
using std::string_view;

// --- the operations -----------------------------------------------------------------------------

// The type in memory, and the bits of a lane of the register.
constexpr std::array<string_view, 14> loaded = {"u8.32",  "s8.32",  "u16.32", "s16.32", "u32.32",
                                                "s32.32", "u8.64",  "s8.64",  "u16.64", "s16.64",
                                                "u32.64", "s32.64", "u64.64", "s64.64"};
constexpr Family load_generic("ld", loaded);
constexpr Family load_shared("ld_shared", loaded);
constexpr Family load_shared32("ld_shared32", loaded);
constexpr std::array<string_view, 7> stored = {"8.32",  "16.32", "32.32", "8.64",
                                               "16.64", "32.64", "64.64"};
constexpr Family store_generic("st", stored);
constexpr Family store_shared("st_shared", stored);
constexpr Family store_shared32("st_shared32", stored);
constexpr std::array<string_view, 6> vector_forms = {"vector32", "vector64", "narrow2",
                                                     "narrow4",  "narrow8",  "pieces"};
constexpr Family load_vector("ld", vector_forms);
constexpr Family store_vector("st", vector_forms);
constexpr std::array<string_view, 28> atomics = {
    "add.u32", "add.s32", "add.u64",  "add.s64",  "add.f32", "add.f64", "min.u32",
    "min.s32", "min.u64", "min.s64",  "min.f32",  "max.u32", "max.s32", "max.u64",
    "max.s64", "max.f32", "exch.b32", "exch.b64", "cas.b32", "cas.b64", "and.b32",
    "and.b64", "or.b32",  "or.b64",   "xor.b32",  "xor.b64", "inc.u32", "dec.u32"};
constexpr Family atomic_generic("atom", atomics);
constexpr std::array<string_view, 14> shared_atomics = {
    "add.u32", "add.s32", "add.f32", "min.u32",  "min.s32", "max.u32", "max.s32",
    "and.b32", "or.b32",  "xor.b32", "exch.b32", "cas.b32", "inc.u32", "dec.u32"};
constexpr Family atomic_shared32("atom_shared32", shared_atomics);

// --- modifiers ----------------------------------------------------------------------------------

// The last modifier: the type of what is moved.
string_view type_of(FunctionDecoder& to, const Instruction& in) {
  if (in.modifiers.empty()) to.fail("a type is missing");
  return in.modifiers.back();
}

// The state space that the modifiers name, "" for generic.
string_view space_of(const Instruction& in) {
  for (const string& m : in.modifiers) {
    if (m == "global" || m == "local" || m == "const") return m;
    if (m == "shared" || m.starts_with("shared::")) return "shared";
    if (m == "param" || m.starts_with("param::")) return "param";
  }
  return "";
}

int vector_of(const Instruction& in) {
  for (const string& m : in.modifiers) {
    if (m == "v2") return 2;
    if (m == "v4") return 4;
    if (m == "v8") return 8;
  }
  return 1;
}

// Accesses of which the program expects that other threads see them, whole and at once; .cv and .wt
// are what volatile accesses were once.
bool is_ordered(const Instruction& in) {
  return in.has("volatile") || in.has("relaxed") || in.has("acquire") || in.has("release") ||
         in.has("mmio") || in.has("cv") || in.has("wt");
}

Order order_of(const Instruction& in) {
  if (in.has("volatile")) return Order::is_volatile;
  if (in.has("acq_rel")) return Order::acquire_release;
  if (in.has("acquire")) return Order::acquire;
  if (in.has("release")) return Order::release;
  // .cv and .wt are what volatile accesses were once.
  if (in.has("cv") || in.has("wt")) return Order::is_volatile;
  return in.has("relaxed") || in.has("mmio") ? Order::relaxed : Order::weak;
}

Scope scope_of(const Instruction& in, Scope otherwise) {
  if (in.has("cta")) return Scope::block;
  if (in.has("cluster")) return Scope::cluster;
  if (in.has("gpu")) return Scope::device;
  return in.has("sys") ? Scope::system : otherwise;
}

// The access of a load or store of `size` bytes in all.
Touch plain_touch(const Instruction& in, Way way, int size, TouchForm form = TouchForm::lanes64) {
  Touch touch;
  touch.form = form;
  touch.way = touch.shared_way = way;
  touch.order = order_of(in);
  touch.scope = scope_of(in, Scope::system);
  touch.is_constant = in.has("const");
  touch.extends_sign = way == Way::load && in.modifiers.back()[0] == 's';
  touch.size = static_cast<std::uint32_t>(size);
  return touch;
}

// The same by an address that was decoded for shared memory. One of 64 bits is an offset that may
// have the window's bits.
Touch shared_touch(const Instruction& in, Way way, int size, int address_lane) {
  return plain_touch(in, way, size, address_lane == 4 ? TouchForm::lanes32 : TouchForm::shared64);
}

// An atomic access is strong whatever it says.
Touch atomic_touch(const Instruction& in, int size, TouchForm form = TouchForm::lanes64) {
  Touch touch = plain_touch(in, Way::atomic, size, form);
  if (touch.order == Order::weak) touch.order = Order::relaxed;
  touch.scope = scope_of(in, Scope::device);
  return touch;
}

// Said of a processor of before 2006.
constexpr const char* no_compare_exchange =
    "this processor has no cmpxchg16b, which accesses of 16 bytes at once need";

// Vectors that are one access, where others are one for each element. A scalar is one anyway.
bool is_whole(const Instruction& in) { return is_ordered(in) || in.has("cg"); }

// The form of a load or store of a vector of elements of `size` bytes from or to registers of
// `lane` bytes.
string_view vector_form(const Instruction& in, int size, int lane) {
  if (is_whole(in)) return "pieces";
  if ((size == 4 || size == 8) && lane == size) return size == 4 ? "vector32" : "vector64";
  const int total = size * vector_of(in);
  if (size > 2 || lane != 4 || total > 8 || total < 2) return "pieces";
  return total == 2 ? "narrow2" : total == 4 ? "narrow4" : "narrow8";
}

std::vector<const Operand*> elements_of(const Operand& operand) {
  std::vector<const Operand*> elements;
  if (operand.kind == Operand::Kind::vector) {
    for (const auto& item : operand.items) elements.push_back(&item);
  } else {
    elements.push_back(&operand);
  }
  return elements;
}

// --- mov ----------------------------------------------------------------------------------------

void unpack(FunctionDecoder& to, const Instruction& in, string_view type) {
  const auto& items = in.operands[0].items;
  const int whole = size_of_type(type) * 8;
  const int part = whole / static_cast<int>(items.size());
  if (whole == 128) {
    if (items.size() != 2) return to.unsupported("this unpacking");
    const auto a = to.source(in.operands[1], 16);
    to.emit(Operation::split_128,
            {.d = to.destination(items[0], 8), .a = a, .aux = to.destination(items[1], 8)});
    return;
  }
  const auto a = to.source(in.operands[1], whole == 64 ? 8 : 4);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].kind == Operand::Kind::sink) continue;
    // Destinations may be the source's register: the parts go through temporaries.
    const auto part_slot = to.temporary(4);
    to.emit(whole == 64 ? Operation::extract_64 : Operation::extract_32,
            {.d = part_slot,
             .a = a,
             .aux = static_cast<std::uint32_t>(part),
             .imm = static_cast<std::int64_t>(i) * part});
    to.finish_with(items[i], part_slot, 4);
  }
}

void pack(FunctionDecoder& to, const Instruction& in, string_view type) {
  const auto& items = in.operands[1].items;
  const int whole = size_of_type(type) * 8;
  const int part = whole / static_cast<int>(items.size());
  if (whole == 128) {
    if (items.size() != 2) return to.unsupported("this packing");
    const auto a = to.source(items[0], 8);
    const auto b = to.source(items[1], 8);
    to.emit(Operation::join_128, {.d = to.destination(in.operands[0], 16), .a = a, .b = b});
    return;
  }
  std::vector<std::uint32_t> parts;
  for (const auto& item : items) parts.push_back(to.source(item, 4));
  // By halves: pairs of 8 to 16 bits, pairs of 16 to 32, pairs of 32 to 64.
  int bits = part;
  while (parts.size() > 1) {
    std::vector<std::uint32_t> joined;
    for (std::size_t i = 0; i + 1 < parts.size(); i += 2) {
      const bool last = parts.size() == 2;
      if (bits == 32) {
        const auto d = last ? to.destination(in.operands[0], 8) : to.temporary(8);
        to.emit(Operation::join_64, {.d = d, .a = parts[i], .b = parts[i + 1]});
        joined.push_back(d);
      } else {
        const auto d = last && whole <= 32 ? to.destination(in.operands[0], 4) : to.temporary(4);
        to.emit(
            Operation::join_32,
            {.d = d, .a = parts[i], .b = parts[i + 1], .aux = static_cast<std::uint32_t>(bits)});
        joined.push_back(d);
      }
    }
    parts = std::move(joined);
    bits *= 2;
  }
}

void move(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 2) to.fail("wrong number of operands");
  const string_view type = type_of(to, in);
  const Operand& d = in.operands[0];
  const Operand& a = in.operands[1];
  if (type == "pred") {
    to.emit(Operation::pred_mov, {.d = to.predicate_destination(d), .a = to.predicate_source(a)});
    return;
  }
  if (d.kind == Operand::Kind::vector && a.kind == Operand::Kind::vector) {
    if (d.items.size() != a.items.size()) to.fail("the vectors differ in length");
    for (std::size_t i = 0; i < d.items.size(); ++i) {
      const auto s = to.source(a.items[i], 4);
      to.emit(Operation::mov_32, {.d = to.destination(d.items[i], 4), .a = s});
    }
    return;
  }
  if (d.kind == Operand::Kind::vector) return unpack(to, in, type);
  if (a.kind == Operand::Kind::vector) return pack(to, in, type);
  const int lane = lane_of_type(type);
  const auto s = to.source(a, type);
  if (to.make_alias(d, s)) return;
  to.emit(lane == 4   ? Operation::mov_32
          : lane == 8 ? Operation::mov_64
                      : Operation::mov_128,
          {.d = to.destination(d, lane), .a = s});
}

// --- ld, st -------------------------------------------------------------------------------------

string load_type(string_view type) {
  const int size = size_of_type(type) * 8;
  return (type[0] == 's' ? "s" : "u") + std::to_string(size);
}

void load(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() < 2) to.fail("wrong number of operands");
  const string_view type = type_of(to, in);
  const int size = size_of_type(type);
  const int count = vector_of(in);
  string_view space = space_of(in);
  const auto elements = elements_of(in.operands[0]);
  if (static_cast<int>(elements.size()) != count) to.fail("the vector has the wrong length");
  const auto place = to.place_of(in.operands[1]);
  if (space.empty() && place.variable != nullptr && place.variable->space == ptx::Space::param) {
    space = "param";
  }
  const bool sign = type[0] == 's';
  const auto lane_for = [&](const Operand& e) {
    if (e.kind == Operand::Kind::sink) return lane_of_type(type);
    return std::max(to.lane_of(e), 4);
  };

  if (space == "param" && place.variable != nullptr) {
    for (int i = 0; i < count; ++i) {
      const Operand& e = *elements[static_cast<std::size_t>(i)];
      if (e.kind == Operand::Kind::sink) continue;
      const std::int64_t offset = place.offset + static_cast<std::int64_t>(i) * size;
      if (offset < 0 || offset + size > place.variable->bytes()) {
        to.fail("the access is beyond the parameter " + place.variable->name);
      }
      const int lane = lane_for(e);
      if (const auto at = to.parameter_offset(*place.variable)) {
        const auto whole = static_cast<std::uint32_t>(*at + static_cast<std::uint32_t>(offset));
        if (size == 16) {
          const auto low = to.parameter_value(whole, 8, false, 8);
          const auto high = to.parameter_value(whole + 8, 8, false, 8);
          to.emit(Operation::join_128, {.d = to.destination(e, 16), .a = low, .b = high});
          continue;
        }
        const auto value = to.parameter_value(whole, static_cast<std::uint32_t>(size), sign, lane);
        if (to.make_alias(e, value)) continue;
        to.emit(lane == 4 ? Operation::mov_32 : Operation::mov_64,
                {.d = to.destination(e, lane), .a = value});
        continue;
      }
      const auto bytes = static_cast<std::uint32_t>(place.variable->bytes());
      if (size == 16) return to.unsupported("128 bits of a function's parameter");
      to.emit(Operation::ld_frame, {.d = to.destination(e, lane),
                                    .b = bytes,
                                    .c = to.area(*place.variable),
                                    .aux = static_cast<std::uint32_t>(size) | (sign ? 0x100U : 0U) |
                                           (static_cast<std::uint32_t>(lane) << 16),
                                    .imm = offset});
    }
    return;
  }

  if (count == 1 && !is_ordered(in) && size <= 8) {
    const Operand& e = *elements[0];
    const int lane = lane_for(e);
    const string suffix = load_type(type) + (lane == 8 ? ".64" : ".32");
    const auto d = to.destination(e, lane);
    if (d == 0) return;
    if (space == "shared") {
      const auto base = to.shared_base(place);
      to.emit(to.choose(base.lane == 4 ? load_shared32 : load_shared, suffix),
              {.d = d, .a = base.slot, .imm = base.offset});
      to.touches(shared_touch(in, Way::load, size, base.lane));
      return;
    }
    const auto address = to.generic_address(in.operands[1], space);
    to.emit(to.choose(load_generic, suffix), {.d = d, .a = address.slot, .imm = address.offset});
    to.touches(plain_touch(in, Way::load, size));
    return;
  }
  const auto address = to.generic_address(in.operands[1], space);
  int lane = lane_of_type(type);
  for (const Operand* e : elements) {
    if (e->kind != Operand::Kind::sink) lane = lane_for(*e);
  }
  std::vector<std::uint32_t> slots;
  for (const Operand* e : elements) {
    if (e->kind != Operand::Kind::sink && lane_for(*e) != lane) {
      to.fail("the vector's registers differ in size");
    }
    slots.push_back(to.destination(*e, lane));
  }
  to.emit(to.choose(load_vector, vector_form(in, size, lane)),
          {.a = address.slot,
           .aux = static_cast<std::uint32_t>(size) | (sign ? 0x100U : 0U) |
                  (is_ordered(in) ? 0x200U : 0U) | (static_cast<std::uint32_t>(lane) << 16),
           .imm = address.offset});
  to.attach(slots);
  to.touches(plain_touch(in, Way::load, size * count));
}

void store(FunctionDecoder& to, const Instruction& in) {
  if (store_async(to, in)) return;
  if (in.operands.size() < 2) to.fail("wrong number of operands");
  const string_view type = type_of(to, in);
  const int size = size_of_type(type);
  const int count = vector_of(in);
  const string_view space = space_of(in);
  const auto elements = elements_of(in.operands[1]);
  if (static_cast<int>(elements.size()) != count) to.fail("the vector has the wrong length");
  const auto place = to.place_of(in.operands[0]);
  const auto lane_for = [&](const Operand& e) {
    return e.kind == Operand::Kind::variable && e.variable->space == ptx::Space::reg
               ? std::max(to.lane_of(e), 4)
               : lane_of_type(type);
  };
  const auto value = [&](const Operand& e, int lane) {
    return e.kind == Operand::Kind::variable ? to.source(e, lane) : to.source(e, type);
  };
  if (space == "param" && place.variable != nullptr) {
    if (to.parameter_offset(*place.variable)) to.fail("a kernel's parameter cannot be written");
    for (int i = 0; i < count; ++i) {
      const Operand& e = *elements[static_cast<std::size_t>(i)];
      const std::int64_t offset = place.offset + static_cast<std::int64_t>(i) * size;
      if (offset < 0 || offset + size > place.variable->bytes()) {
        to.fail("the access is beyond the parameter " + place.variable->name);
      }
      if (size == 16) return to.unsupported("128 bits of a function's parameter");
      const int lane = lane_for(e);
      const auto s = value(e, lane);
      to.emit(Operation::st_frame,
              {.d = s,
               .b = static_cast<std::uint32_t>(place.variable->bytes()),
               .c = to.area(*place.variable),
               .aux = static_cast<std::uint32_t>(size) | (static_cast<std::uint32_t>(lane) << 16),
               .imm = offset});
    }
    return;
  }
  if (count == 1 && !is_ordered(in) && size <= 8) {
    const int lane = lane_for(*elements[0]);
    const auto s = value(*elements[0], lane);
    const string suffix = std::to_string(size * 8) + (lane == 8 ? ".64" : ".32");
    if (space == "shared") {
      const auto base = to.shared_base(place);
      to.emit(to.choose(base.lane == 4 ? store_shared32 : store_shared, suffix),
              {.d = s, .a = base.slot, .imm = base.offset});
      to.touches(shared_touch(in, Way::store, size, base.lane));
      return;
    }
    const auto address = to.generic_address(in.operands[0], space);
    to.emit(to.choose(store_generic, suffix), {.d = s, .a = address.slot, .imm = address.offset});
    to.touches(plain_touch(in, Way::store, size));
    return;
  }
  const auto address = to.generic_address(in.operands[0], space);
  int lane = lane_of_type(type);
  for (const Operand* e : elements) {
    if (e->kind == Operand::Kind::variable) lane = lane_for(*e);
  }
  std::vector<std::uint32_t> slots;
  for (const Operand* e : elements) {
    slots.push_back(e->kind == Operand::Kind::variable ? to.source(*e, lane) : value(*e, lane));
  }
  to.emit(to.choose(store_vector, vector_form(in, size, lane)),
          {.a = address.slot,
           .aux = static_cast<std::uint32_t>(size) | (is_ordered(in) ? 0x200U : 0U) |
                  (static_cast<std::uint32_t>(lane) << 16),
           .imm = address.offset});
  to.attach(slots);
  to.touches(plain_touch(in, Way::store, size * count));
}

// --- addresses ----------------------------------------------------------------------------------

std::int64_t window_of(FunctionDecoder& to, string_view space) {
  if (space == "shared") return static_cast<std::int64_t>(shared_window);
  if (space == "local") return static_cast<std::int64_t>(local_window);
  if (space == "param") return to.function().entry ? static_cast<std::int64_t>(param_window) : 0;
  return 0;
}

void convert_address(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 2) to.fail("wrong number of operands");
  const string_view type = type_of(to, in);
  const int lane = lane_of_type(type);
  const std::int64_t window = window_of(to, space_of(in));
  if (window == 0) {
    // Global and constant addresses are generic addresses.
    const auto s = to.source(in.operands[1], lane);
    if (to.make_alias(in.operands[0], s)) return;
    to.emit(lane == 4 ? Operation::mov_32 : Operation::mov_64,
            {.d = to.destination(in.operands[0], lane), .a = s});
    return;
  }
  if (lane == 4) return to.unsupported("32-bit generic addresses");
  const auto s = to.source(in.operands[1], 8);
  const auto d = to.destination(in.operands[0], 8);
  if (in.has("to")) {
    to.emit(Operation::from_generic, {.d = d, .a = s});
  } else {
    to.emit(Operation::to_generic, {.d = d, .a = s, .imm = window});
  }
}

void is_space(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 2) to.fail("wrong number of operands");
  const string_view space = space_of(in);
  const std::uint32_t which = space == "shared"  ? 1U
                              : space == "local" ? 2U
                              : space == "param" ? 3U
                              : space == "const" ? 4U
                                                 : 0U;
  const auto a = to.source(in.operands[1], 8);
  to.emit(Operation::isspacep,
          {.d = to.predicate_destination(in.operands[0]), .a = a, .aux = which});
}

// --- atomics ------------------------------------------------------------------------------------

void atomic(FunctionDecoder& to, const Instruction& in) {
  if (store_async(to, in)) return;
  static constexpr std::array<string_view, 10> operations = {"add", "exch", "cas", "and", "or",
                                                             "xor", "min",  "max", "inc", "dec"};
  const bool red = in.opcode == "red";
  string_view operation;
  for (const string& m : in.modifiers) {
    for (const auto known : operations) {
      if (m == known) operation = known;
    }
  }
  if (operation.empty()) {
    to.fail("the operation is missing");
  }
  string_view type;
  for (const string& m : in.modifiers) {
    if (size_of_type(m) != 4 || m == "b32" || m == "u32" || m == "s32" || m == "f32" ||
        m == "f16x2" || m == "bf16x2") {
      if (m != "pred") type = m;
    }
  }
  const std::size_t first = red ? 0 : 1;
  if (in.operands.size() < first + 2) to.fail("wrong number of operands");
  const int count = vector_of(in);
  // In shared memory at a 32-bit address, which is the block's own mostly.
  const auto place = to.place_of(in.operands[first]);
  const bool words = space_of(in) == "shared" && size_of_type(type) == 4 && type != "f16x2" &&
                     type != "bf16x2" && (type != "f32" || operation == "add");
  const auto base = words ? to.shared_base(place) : FunctionDecoder::SharedBase{};
  const bool own = words && base.lane == 4;
  const auto address =
      own ? FunctionDecoder::Address{} : to.generic_address(in.operands[first], space_of(in));
  const auto values = elements_of(in.operands[first + 1]);
  std::vector<const Operand*> results;
  if (!red) results = elements_of(in.operands[0]);
  if (static_cast<int>(values.size()) != count || (!red && results.size() != values.size())) {
    to.fail("the vector has the wrong length");
  }
  if (type == "b128") {
    if (operation != "exch" && operation != "cas") to.fail("no such 128-bit operation");
    if (!has_compare_exchange_16()) return to.unsupported(no_compare_exchange);
    const auto b = to.source(*values[0], 16);
    const auto c = operation == "cas" ? to.source(in.operands[first + 2], 16) : b;
    const auto d = red ? 0 : to.destination(in.operands[0], 16);
    const bool compares = operation == "cas";
    to.emit(compares ? Operation::atom_cas_b128 : Operation::atom_exch_b128,
            {.d = d,
             .a = address.slot,
             .b = b,
             .c = c,
             .aux = compares ? 1U : 0U,
             .imm = address.offset});
    to.touches(atomic_touch(in, 16));
    return;
  }
  const int size = size_of_type(type);
  const int lane = lane_of_type(type);
  for (int i = 0; i < count; ++i) {
    const auto b = to.source(*values[static_cast<std::size_t>(i)], type);
    std::uint32_t c = b;
    if (operation == "cas") {
      if (in.operands.size() < first + 3) to.fail("wrong number of operands");
      c = to.source(in.operands[first + 2], type);
    }
    const auto d = red ? 0U : to.destination(*results[static_cast<std::size_t>(i)], lane);
    const std::int64_t offset = address.offset + static_cast<std::int64_t>(i) * size;
    if (type == "b16" || type == "f16" || type == "bf16" || type == "f16x2" || type == "bf16x2") {
      std::uint32_t how = 0;
      if (type == "b16") {
        if (operation != "cas" && operation != "exch") to.fail("no such 16-bit operation");
        how = operation == "cas" ? 0 : 13;
      } else {
        how = (type == "f16"     ? 1U
               : type == "bf16"  ? 2U
               : type == "f16x2" ? 3U
                                 : 4U) +
              (operation == "min"   ? 4U
               : operation == "max" ? 8U
                                    : 0U);
        if (operation != "add" && operation != "min" && operation != "max") {
          to.fail("no such operation on halves");
        }
      }
      to.emit(operation == "cas"    ? Operation::atom_cas_b16
              : operation == "exch" ? Operation::atom_exch_b16
                                    : Operation::atom_half,
              {.d = d, .a = address.slot, .b = b, .c = c, .aux = how, .imm = offset});
      to.touches(atomic_touch(in, size));
      continue;
    }
    string name(type);
    if (operation == "exch" || operation == "cas" || operation == "and" || operation == "or" ||
        operation == "xor") {
      name = lane == 8 ? "b64" : "b32";
    } else if (operation == "add" && type == "s64") {
      name = "s64";
    }
    if (own) {
      to.emit(to.choose(atomic_shared32, string(operation) + "." + name),
              {.d = d,
               .a = base.slot,
               .b = b,
               .c = c,
               .imm = base.offset + static_cast<std::int64_t>(i) * size});
      to.touches(atomic_touch(in, size, TouchForm::lanes32));
      continue;
    }
    to.emit(to.choose(atomic_generic, string(operation) + "." + name),
            {.d = d, .a = address.slot, .b = b, .c = c, .imm = offset});
    to.touches(atomic_touch(in, size));
  }
}

constexpr DecodeEntry entries[] = {
    {"mov", move},
    {"ld", load},
    {"ldu", load},
    {"st", store},
    {"cvta", convert_address},
    {"isspacep", is_space},
    {"atom", atomic},
    {"red", atomic},
};

}  // namespace

DecodeEntries memory_decoders() { return {entries, std::size(entries)}; }

}  // namespace softgpu
