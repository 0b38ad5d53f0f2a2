#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <set>

#include "softgpu/check/gaps.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/device/settings.hpp"
#include "softgpu/exec/approximation.hpp"
#include "softgpu/exec/decoder.hpp"
#include "softgpu/exec/module.hpp"
#include "softgpu/exec/schedule.hpp"

namespace softgpu {

namespace {

using ptx::Operand;

constexpr int error_invalid_ptx = 218;

// Offsets in a frame below this are no register's: offset 0 is the predicate that is always true.
constexpr std::uint32_t reserved_bytes = 64;

std::uint32_t align_up(std::uint32_t value, std::uint32_t to) { return (value + to - 1) / to * to; }

struct Virtual {
  enum class Kind : std::uint8_t { value, constant, special, parameter, area };
  Kind kind = Kind::value;
  std::uint8_t lane = 4;    // bytes of a lane; 0 for a predicate
  std::uint64_t bits = 0;   // of a constant; the Special; bytes of an area
  std::int32_t begin = -1;  // of its life, in half operations; -1: never used
  std::int32_t end = -1;
  std::uint32_t slot = 0;
  std::uint32_t parameter_size = 0;
  bool sign_extend = false;
};

// Bytes that 32 lanes take.
std::uint32_t bytes_of(int lane) {
  return lane == 0 ? 4U : static_cast<std::uint32_t>(lane) * static_cast<std::uint32_t>(warp_size);
}

struct Use {
  std::uint32_t id;
  bool written;
};

struct Emitted {
  const Operands* operands = nullptr;
  std::uint32_t packed = 0;  // the predicate that Field::packed stands for
  Pieces* pieces = nullptr;
  bool guarded = false;
  std::uint32_t guard = 0;
  std::uint32_t site = 0;
  std::int64_t target = -1;         // of a branch: an instruction
  std::vector<std::int64_t> table;  // of brx: instructions
  bool ends_block = false;
  bool falls_through = true;
};

struct SpecialName {
  std::string_view name;
  Special special;
};
constexpr SpecialName special_names[] = {
    {"%tid.x", Special::tid_x},
    {"%tid.y", Special::tid_y},
    {"%tid.z", Special::tid_z},
    {"%ntid.x", Special::ntid_x},
    {"%ntid.y", Special::ntid_y},
    {"%ntid.z", Special::ntid_z},
    {"%ctaid.x", Special::ctaid_x},
    {"%ctaid.y", Special::ctaid_y},
    {"%ctaid.z", Special::ctaid_z},
    {"%nctaid.x", Special::nctaid_x},
    {"%nctaid.y", Special::nctaid_y},
    {"%nctaid.z", Special::nctaid_z},
    {"%laneid", Special::laneid},
    {"%warpid", Special::warpid},
    {"%nwarpid", Special::nwarpid},
    {"%smid", Special::smid},
    {"%nsmid", Special::nsmid},
    {"%gridid", Special::gridid},
    {"%lanemask_eq", Special::lanemask_eq},
    {"%lanemask_le", Special::lanemask_le},
    {"%lanemask_lt", Special::lanemask_lt},
    {"%lanemask_ge", Special::lanemask_ge},
    {"%lanemask_gt", Special::lanemask_gt},
    {"%dynamic_smem_size", Special::dynamic_smem_size},
    {"%total_smem_size", Special::total_smem_size},
    {"%aggr_smem_size", Special::aggr_smem_size},
    {"%clusterid.x", Special::clusterid_x},
    {"%clusterid.y", Special::clusterid_y},
    {"%clusterid.z", Special::clusterid_z},
    {"%nclusterid.x", Special::nclusterid_x},
    {"%nclusterid.y", Special::nclusterid_y},
    {"%nclusterid.z", Special::nclusterid_z},
    {"%cluster_ctaid.x", Special::cluster_ctaid_x},
    {"%cluster_ctaid.y", Special::cluster_ctaid_y},
    {"%cluster_ctaid.z", Special::cluster_ctaid_z},
    {"%cluster_nctaid.x", Special::cluster_nctaid_x},
    {"%cluster_nctaid.y", Special::cluster_nctaid_y},
    {"%cluster_nctaid.z", Special::cluster_nctaid_z},
    {"%cluster_ctarank", Special::cluster_ctarank},
    {"%cluster_nctarank", Special::cluster_nctarank},
    {"%is_explicit_cluster", Special::is_explicit_cluster},
};

}  // namespace

int size_of_type(std::string_view type) {
  if (type == "pred") return 0;
  if (type == "b8" || type == "u8" || type == "s8" || type == "e4m3" || type == "e5m2") return 1;
  if (type == "b16" || type == "u16" || type == "s16" || type == "f16" || type == "bf16" ||
      type == "e4m3x2" || type == "e5m2x2") {
    return 2;
  }
  if (type == "b64" || type == "u64" || type == "s64" || type == "f64" || type == "texref" ||
      type == "samplerref" || type == "surfref" || type == "f32x2") {
    return 8;
  }
  if (type == "b128") return 16;
  return 4;
}

// State of decoding one function. Slots in operations are numbers of `virtuals`, shifted by two.
struct FunctionDecoder::State {
  std::deque<Virtual> virtuals{Virtual{}};  // number 0 is no register
  std::map<std::pair<const ptx::Variable*, int>, std::uint32_t> registers;
  std::map<std::pair<std::uint64_t, int>, std::uint32_t> constants;
  std::map<std::pair<int, int>, std::uint32_t> specials;
  std::map<std::tuple<std::uint32_t, std::uint32_t, int, bool>, std::uint32_t> parameters;
  std::map<const ptx::Variable*, std::uint32_t> areas;  // parameters and .param variables
  std::map<const ptx::Variable*, std::uint32_t> parameter_offsets;  // of an entry
  std::map<const ptx::Variable*, std::uint64_t> local_offsets;
  std::map<const ptx::Variable*, std::uint64_t> shared_offsets;
  std::map<const ptx::Variable*, int> definitions;
  std::set<std::int64_t> labels;                          // instructions that branches go to
  std::map<const ptx::Variable*, std::uint32_t> aliases;  // registers that are constants
  std::vector<Emitted> emitted;
  std::vector<std::int64_t> first_op;  // by instruction
  std::uint32_t since = 0;             // instructions in the basic block
  struct Fix {
    std::uint32_t from, to;
    int from_lane, to_lane;
    bool sign_extend;
  };
  std::vector<Fix> fixes;  // after the instruction
  std::uint32_t guard = 0;
  std::uint32_t site = 0;  // memory instructions so far
  std::uint32_t carry = 0;
  std::uint64_t shared = 0;
  std::uint64_t local = 0;
  bool uses_dynamic_shared = false;

  std::uint32_t add(Virtual v) {
    virtuals.push_back(v);
    return static_cast<std::uint32_t>(virtuals.size() - 1) << 2;
  }
};

FunctionDecoder::FunctionDecoder(Program& program, const Program::Module& module,
                                 const ptx::Function& function, Code& code)
    : program_(program),
      module_(module),
      function_(function),
      code_(code),
      state_(std::make_shared<State>()) {}

void FunctionDecoder::fail(const std::string& what) const {
  throw ProgramError(error_invalid_ptx,
                     "in " + function_.name + ", PTX line " +
                         std::to_string(instruction_ == nullptr ? 0 : instruction_->line) + ": " +
                         (instruction_ == nullptr ? "" : instruction_->text() + ": ") + what);
}

// --- operands -----------------------------------------------------------------------------------

std::uint32_t FunctionDecoder::constant(std::uint64_t bits, int lane) {
  if (lane == 4) bits &= 0xffffffffU;
  const auto key = std::make_pair(bits, lane);
  const auto found = state_->constants.find(key);
  if (found != state_->constants.end()) return found->second;
  Virtual v;
  v.kind = Virtual::Kind::constant;
  v.lane = static_cast<std::uint8_t>(lane);
  v.bits = bits;
  return state_->constants[key] = state_->add(v);
}

std::uint32_t FunctionDecoder::constant_predicate(bool value) {
  return constant(value ? full_mask : 0, 0);
}

std::uint32_t FunctionDecoder::temporary(int lane) {
  Virtual v;
  v.lane = static_cast<std::uint8_t>(lane);
  return state_->add(v);
}
std::uint32_t FunctionDecoder::temporary_predicate() { return temporary(0); }

std::uint32_t FunctionDecoder::special(Special which, int lane) {
  const auto key = std::make_pair(static_cast<int>(which), lane);
  const auto found = state_->specials.find(key);
  if (found != state_->specials.end()) return found->second;
  Virtual v;
  v.kind = Virtual::Kind::special;
  v.lane = static_cast<std::uint8_t>(lane);
  v.bits = static_cast<std::uint64_t>(which);
  return state_->specials[key] = state_->add(v);
}

int FunctionDecoder::lane_of(const Operand& operand) const {
  if (operand.kind == Operand::Kind::variable && operand.variable->space == ptx::Space::reg) {
    if (operand.variable->type == "pred") return 0;
    return lane_of_type(operand.variable->type);
  }
  if (operand.kind == Operand::Kind::variable || operand.kind == Operand::Kind::symbol) return 8;
  if (operand.kind == Operand::Kind::special) {
    return operand.name == "%clock64" || operand.name == "%globaltimer" ||
                   operand.name == "%gridid" || operand.name == "%current_graph_exec"
               ? 8
               : 4;
  }
  return 4;
}

std::uint32_t FunctionDecoder::register_slot(const ptx::Variable& variable, int component) {
  const auto key = std::make_pair(&variable, std::max(component, 0));
  const auto found = state_->registers.find(key);
  if (found != state_->registers.end()) return found->second;
  Virtual v;
  v.lane = static_cast<std::uint8_t>(variable.type == "pred" ? 0 : lane_of_type(variable.type));
  return state_->registers[key] = state_->add(v);
}

// A value of lanes of `have` bytes as lanes of `want`.
std::uint32_t FunctionDecoder::convert(std::uint32_t slot, int have, int want) {
  if (have == want || slot == 0) return slot;
  const std::uint32_t result = temporary(want);
  if (have == 4 && want == 8) {
    emit(Operation::widen, {.d = result, .a = slot});
  } else if (have == 8 && want == 4) {
    emit(Operation::narrow, {.d = result, .a = slot});
  } else {
    fail("an operand of " + std::to_string(have * 8) + " bits does not fit here");
  }
  return result;
}

std::uint32_t FunctionDecoder::alias_of(const Operand& operand) const {
  if (operand.kind != Operand::Kind::variable) return 0;
  const auto found = state_->aliases.find(operand.variable);
  return found == state_->aliases.end() ? 0 : found->second;
}

std::uint32_t FunctionDecoder::source(const Operand& operand, int lane) {
  switch (operand.kind) {
    case Operand::Kind::variable: {
      const ptx::Variable& v = *operand.variable;
      if (v.space == ptx::Space::reg) {
        if (v.type == "pred") fail("a predicate stands where a register is expected");
        if (const std::uint32_t alias = alias_of(operand)) {
          return convert(alias, state_->virtuals[alias >> 2].lane, lane);
        }
        return convert(register_slot(v, operand.component), lane_of_type(v.type), lane);
      }
      return convert(variable_address(v, lane), lane, lane);
    }
    case Operand::Kind::special: {
      if (operand.name == "WARP_SZ") return constant(warp_size, lane);
      for (const auto& entry : special_names) {
        if (entry.name == operand.name) return special(entry.special, lane);
      }
      if (operand.name == "%envreg1") return special(Special::workspace_high, lane);
      if (operand.name == "%envreg2") return special(Special::workspace_low, lane);
      if (operand.name == "%tid.w" || operand.name == "%ctaid.w" ||
          operand.name.starts_with("%envreg") || operand.name.starts_with("%pm") ||
          operand.name == "%current_graph_exec") {
        return constant(0, lane);
      }
      if (operand.name.starts_with("%reserved_smem_offset_")) {
        if (operand.name.ends_with("cap")) return constant(reserved_shared_bytes, lane);
        program_.use_reserved_shared();
        return special(operand.name.ends_with("end") ? Special::reserved_shared_end
                                                     : Special::reserved_shared_begin,
                       lane);
      }
      if (operand.name == "%ntid.w" || operand.name == "%nctaid.w") return constant(1, lane);
      if (operand.name == "%clock" || operand.name == "%clock_hi" || operand.name == "%clock64" ||
          operand.name.starts_with("%globaltimer")) {
        const bool wide = operand.name == "%clock64" || operand.name == "%globaltimer";
        const bool high = operand.name == "%clock_hi" || operand.name == "%globaltimer_hi";
        const std::uint32_t result = temporary(wide ? 8 : 4);
        emit(Operation::clock, {.d = result,
                                .aux = wide   ? 2U
                                       : high ? 1U
                                              : 0U,
                                .imm = operand.name.starts_with("%globaltimer") ? 1 : 0});
        return convert(result, wide ? 8 : 4, lane);
      }
      fail("unknown special register " + operand.name);
    }
    case Operand::Kind::integer:
    case Operand::Kind::real32:
    case Operand::Kind::real64: return constant(operand.bits, lane);
    case Operand::Kind::symbol: {
      const auto found = module_.ast->variable_by_name.find(operand.name);
      if (found != module_.ast->variable_by_name.end()) {
        return variable_address(*found->second, lane);
      }
      const std::uint64_t address = program_.function_address(module_, operand.name);
      return constant(address, lane);
    }
    default: fail("this kind of operand is not possible here");
  }
}

std::uint32_t FunctionDecoder::source(const Operand& operand, std::string_view type) {
  const int lane = lane_of_type(type);
  if (operand.kind == Operand::Kind::real64 && type != "f64") {
    const auto value = static_cast<float>(std::bit_cast<double>(operand.bits));
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (type == "f32") return constant(bits, 4);
    fail("a real constant stands where a " + std::string(type) + " is expected");
  }
  if (operand.kind == Operand::Kind::real32 && type == "f64") {
    const double value = std::bit_cast<float>(static_cast<std::uint32_t>(operand.bits));
    return constant(std::bit_cast<std::uint64_t>(value), 8);
  }
  if (operand.kind == Operand::Kind::integer && type == "f32") {
    const auto value = static_cast<float>(static_cast<std::int64_t>(operand.bits));
    return constant(std::bit_cast<std::uint32_t>(value), 4);
  }
  if (operand.kind == Operand::Kind::integer && type == "f64") {
    const auto value = static_cast<double>(static_cast<std::int64_t>(operand.bits));
    return constant(std::bit_cast<std::uint64_t>(value), 8);
  }
  return source(operand, lane);
}

std::uint32_t FunctionDecoder::destination(const Operand& operand, int lane, bool sign_extend) {
  if (operand.kind == Operand::Kind::sink) return 0;
  if (operand.kind != Operand::Kind::variable || operand.variable->space != ptx::Space::reg ||
      operand.variable->type == "pred") {
    fail("a register is expected as the destination");
  }
  const std::uint32_t slot = register_slot(*operand.variable, operand.component);
  const int have = lane_of_type(operand.variable->type);
  if (have == lane) return slot;
  const std::uint32_t result = temporary(lane);
  state_->fixes.push_back({result, slot, lane, have, sign_extend});
  return result;
}

std::uint32_t FunctionDecoder::predicate_source(const Operand& operand) {
  if (operand.kind == Operand::Kind::integer) {
    return constant_predicate((operand.bits != 0) != operand.negated);
  }
  if (operand.kind != Operand::Kind::variable || operand.variable->type != "pred") {
    fail("a predicate is expected");
  }
  return register_slot(*operand.variable, 0) | (operand.negated ? 1U : 0U);
}

std::uint32_t FunctionDecoder::predicate_destination(const Operand& operand) {
  if (operand.kind == Operand::Kind::sink) return 0;
  if (operand.kind != Operand::Kind::variable || operand.variable->type != "pred") {
    fail("a predicate is expected as the destination");
  }
  return register_slot(*operand.variable, 0);
}

std::uint64_t FunctionDecoder::shared_offset(const ptx::Variable& variable) {
  const std::uint64_t* const in_program = program_.shared_offset(variable);
  if (in_program != nullptr) return *in_program;
  auto& offsets = state_->shared_offsets;
  const auto found = offsets.find(&variable);
  if (found != offsets.end()) return found->second;
  const auto align = static_cast<std::uint64_t>(std::max(variable.align, 1));
  state_->shared = (state_->shared + align - 1) / align * align;
  offsets[&variable] = state_->shared;
  const auto bytes = static_cast<std::uint64_t>(variable.bytes());
  code_.shared_variables.push_back({variable.name, static_cast<std::uint32_t>(state_->shared),
                                    static_cast<std::uint32_t>(bytes)});
  code_.shared_gaps += static_cast<std::uint32_t>(shared_gap_after(bytes));
  state_->shared += bytes + shared_gap_after(bytes);
  if (state_->shared > (1U << 24)) fail("more shared memory than any device has");
  return offsets[&variable];
}

// The address of a variable inside its space.
std::uint32_t FunctionDecoder::variable_address(const ptx::Variable& v, int lane) {
  switch (v.space) {
    case ptx::Space::shared: {
      if (v.external || (v.is_array && v.count == 0)) {
        // Another module's definition of a fixed size, or the memory that the launch asks for.
        return special(Special::dynamic_shared_base, lane);
      }
      return constant(shared_offset(v), lane);
    }
    case ptx::Space::local: {
      auto& offsets = state_->local_offsets;
      auto found = offsets.find(&v);
      if (found == offsets.end()) {
        const auto align = static_cast<std::uint64_t>(std::max(v.align, 1));
        state_->local = (state_->local + align - 1) / align * align;
        found = offsets.emplace(&v, state_->local).first;
        state_->local += static_cast<std::uint64_t>(v.bytes());
        if (state_->local > (1U << 28)) fail("more local memory than any device has");
      }
      const std::uint32_t result = temporary(lane);
      emit(Operation::local_address, {.d = result,
                                      .b = static_cast<std::uint32_t>(lane),
                                      .aux = 1,
                                      .imm = static_cast<std::int64_t>(found->second)});
      return result;
    }
    case ptx::Space::param: {
      const auto offset = state_->parameter_offsets.find(&v);
      if (offset != state_->parameter_offsets.end()) return constant(offset->second, lane);
      // A function's parameter: a copy in local memory, which is where the address points.
      const std::uint32_t area = state_->areas.at(&v);
      const auto size = static_cast<std::uint64_t>(v.bytes());
      state_->local = (state_->local + 15) / 16 * 16;
      const std::uint32_t result = temporary(8);
      emit(Operation::spill, {.d = result,
                              .b = static_cast<std::uint32_t>(size),
                              .c = area,
                              .aux = static_cast<std::uint32_t>(size),
                              .imm = static_cast<std::int64_t>(state_->local)});
      state_->local += size;
      return convert(result, 8, lane);
    }
    case ptx::Space::reg: fail("a register has no address");
    default: {
      const Symbol* symbol = program_.variable(module_, v);
      if (symbol == nullptr) {
        throw ProgramError(302, "in " + function_.name + ": undefined device variable " + v.name);
      }
      return constant(symbol->address, lane);
    }
  }
}

FunctionDecoder::Place FunctionDecoder::place_of(const Operand& address) {
  if (address.kind != Operand::Kind::address || address.items.empty()) {
    fail("an address in brackets is expected");
  }
  Place place;
  place.base = &address.items[0];
  place.offset = static_cast<std::int64_t>(address.bits);
  if (place.base->kind == Operand::Kind::symbol) {
    const auto found = module_.ast->variable_by_name.find(place.base->name);
    if (found != module_.ast->variable_by_name.end()) place.variable = found->second;
  } else if (place.base->kind == Operand::Kind::variable &&
             place.base->variable->space != ptx::Space::reg) {
    place.variable = place.base->variable;
  }
  return place;
}

FunctionDecoder::Address FunctionDecoder::generic_address(const Operand& operand,
                                                          std::string_view space) {
  const Place place = place_of(operand);
  if (space.empty() && place.variable != nullptr) {
    switch (place.variable->space) {
      case ptx::Space::shared: space = "shared"; break;
      case ptx::Space::local: space = "local"; break;
      case ptx::Space::param: space = "param"; break;
      default: break;
    }
  }
  std::int64_t window = 0;
  if (space == "shared") {
    window = static_cast<std::int64_t>(shared_window);
  } else if (space == "local") {
    window = static_cast<std::int64_t>(local_window);
  } else if (space == "param" && function_.entry) {
    window = static_cast<std::int64_t>(param_window);
  }
  if (place.base->kind == Operand::Kind::integer) {
    return {constant(static_cast<std::uint64_t>(place.offset + window) + place.base->bits, 8), 0};
  }
  const int lane = lane_of(*place.base);
  if (window != 0 && lane == 4) {
    const std::uint32_t wide = temporary(8);
    // Cut to 32 bits before the window is put on: a negative offset must not reach into it.
    std::uint32_t base = source(*place.base, 4);
    if (place.offset != 0) {
      const std::uint32_t sum = temporary(4);
      const std::uint32_t offset = constant(static_cast<std::uint64_t>(place.offset), 4);
      emit(Operation::add_u32, {.d = sum, .a = base, .b = offset});
      base = sum;
    }
    emit(Operation::to_generic, {.d = wide, .a = base, .aux = 4, .imm = window});
    return {wide, 0};
  }
  if (window != 0 && place.variable == nullptr) {
    // A register may hold a generic address of the space already: the window is or'ed in.
    const std::uint32_t wide = temporary(8);
    emit(Operation::to_generic, {.d = wide, .a = source(*place.base, 8), .imm = window});
    return {wide, place.offset};
  }
  return {source(*place.base, 8), place.offset + window};
}

FunctionDecoder::SharedBase FunctionDecoder::shared_base(const Place& place) {
  if (place.base->kind == Operand::Kind::integer) {
    return {constant(place.base->bits + static_cast<std::uint64_t>(place.offset), 4), 4, 0};
  }
  if (place.variable != nullptr) return {source(*place.base, 4), 4, place.offset};
  const int lane = lane_of(*place.base) == 8 ? 8 : 4;
  return {source(*place.base, lane), lane, place.offset};
}

void FunctionDecoder::finish_with(const Operand& destination, std::uint32_t value, int lane) {
  if (destination.kind != Operand::Kind::variable ||
      destination.variable->space != ptx::Space::reg || destination.variable->type == "pred") {
    fail("a register is expected as the destination");
  }
  state_->fixes.push_back({value, register_slot(*destination.variable, destination.component), lane,
                           lane_of_type(destination.variable->type), false});
}

// --- operations ---------------------------------------------------------------------------------

Op& FunctionDecoder::emit(Operation operation, const Fields& fields) {
  Op op;
  op.run = find_handler(operation);
  op.d = fields.d;
  op.a = fields.a;
  op.b = fields.b;
  op.c = fields.c;
  op.aux = fields.aux;
  op.imm = fields.imm;
  code_.ops.push_back(op);
  code_.operations.push_back(operation);
  Emitted e;
  e.operands = &describe(operation).operands;
  e.guarded = state_->guard != 0;
  e.guard = state_->guard;
  e.site = state_->site;
  state_->emitted.push_back(std::move(e));
  Origin origin;
  if (instruction_ != nullptr) {
    origin.ptx_line = instruction_->line;
    origin.source_file = instruction_->source_file;
    origin.source_line = instruction_->source_line;
    origin.inlined_at = instruction_->inlined_at;
    origin.instruction = static_cast<std::uint32_t>(instruction_ - function_.instructions.data());
  }
  code_.origins.push_back(origin);
  code_.touches.emplace_back();
  return code_.ops.back();
}

void FunctionDecoder::attach(std::vector<std::uint32_t> slots, std::vector<std::uint32_t> more) {
  auto pieces = std::make_unique<Pieces>();
  pieces->storage = slots;
  pieces->storage.insert(pieces->storage.end(), more.begin(), more.end());
  pieces->count = static_cast<std::uint32_t>(slots.size());
  pieces->more_count = static_cast<std::uint32_t>(more.size());
  pieces->slots = pieces->storage.data();
  pieces->more = pieces->storage.data() + slots.size();
  state_->emitted.back().pieces = pieces.get();
  code_.ops.back().extra = pieces.get();
  code_.pieces.push_back(std::move(pieces));
}

void FunctionDecoder::touches(const Touch& touch) { code_.touches.back() = touch; }

void FunctionDecoder::packed_predicate(std::uint32_t slot) { state_->emitted.back().packed = slot; }

void FunctionDecoder::unsupported(const std::string& why) {
  code_.reasons.push_back(
      std::make_unique<std::string>(instruction_->text() + " is not supported: " + why));
  code_.unsupported.insert(
      static_cast<std::uint32_t>(instruction_ - function_.instructions.data()));
  emit(Operation::unsupported).extra = code_.reasons.back()->c_str();
}

std::uint32_t FunctionDecoder::carry() {
  if (state_->carry == 0) state_->carry = temporary_predicate();
  return state_->carry;
}

void FunctionDecoder::approximated() {
  code_.approximated.emplace(
      static_cast<std::uint32_t>(instruction_ - function_.instructions.data()),
      describe_error(*instruction_));
}

bool FunctionDecoder::is_label(std::int64_t instruction) const {
  return state_->labels.contains(instruction);
}

void FunctionDecoder::branch_to(std::int64_t instruction) {
  state_->emitted.back().target = instruction;
  end_block(state_->guard != 0);
}
void FunctionDecoder::branch_to_table(std::vector<std::int64_t> instructions) {
  std::vector<std::uint32_t> slots(instructions.size(), 0);
  attach(std::move(slots));  // of distances
  state_->emitted.back().table = std::move(instructions);
  end_block(state_->guard != 0);
}
void FunctionDecoder::end_block(bool falls_through) {
  Emitted& e = state_->emitted.back();
  e.ends_block = true;
  e.falls_through = falls_through;
  code_.ops.back().aux = state_->since;
  state_->since = 0;
}

std::uint32_t FunctionDecoder::area(const ptx::Variable& variable) {
  const auto found = state_->areas.find(&variable);
  if (found != state_->areas.end()) return found->second;
  Virtual v;
  v.kind = Virtual::Kind::area;
  v.bits = static_cast<std::uint64_t>(variable.bytes());
  if (v.bits > (1U << 20)) fail("the parameter " + variable.name + " is too large");
  return state_->areas[&variable] = state_->add(v);
}

std::uint32_t FunctionDecoder::unnamed_area(std::uint32_t bytes) {
  Virtual v;
  v.kind = Virtual::Kind::area;
  v.bits = bytes;
  return state_->add(v);
}

std::optional<std::uint32_t> FunctionDecoder::parameter_offset(const ptx::Variable& v) const {
  const auto found = state_->parameter_offsets.find(&v);
  if (found == state_->parameter_offsets.end()) return std::nullopt;
  return found->second;
}

// A register with one definition that is the same for the whole launch is not computed by an
// operation: it stands for the frame's slot.
bool FunctionDecoder::make_alias(const Operand& destination, std::uint32_t slot) {
  if (slot == 0 || destination.kind != Operand::Kind::variable || state_->guard != 0) return false;
  const ptx::Variable& v = *destination.variable;
  if (v.space != ptx::Space::reg || v.type == "pred" || destination.component >= 0) return false;
  const auto count = state_->definitions.find(&v);
  if (count == state_->definitions.end() || count->second != 1) return false;
  const Virtual& value = state_->virtuals[slot >> 2];
  if (value.kind != Virtual::Kind::constant && value.kind != Virtual::Kind::special &&
      value.kind != Virtual::Kind::parameter) {
    return false;
  }
  if (value.lane != lane_of_type(v.type)) return false;
  // Read before this place in the text, around a loop: then it must be a register.
  if (state_->registers.count({&v, 0}) != 0) return false;
  state_->aliases[&v] = slot;
  return true;
}

std::uint32_t FunctionDecoder::parameter_value(std::uint32_t offset, std::uint32_t size,
                                               bool sign_extend, int lane) {
  const auto key = std::make_tuple(offset, size, lane, sign_extend);
  const auto found = state_->parameters.find(key);
  if (found != state_->parameters.end()) return found->second;
  Virtual v;
  v.kind = Virtual::Kind::parameter;
  v.lane = static_cast<std::uint8_t>(lane);
  v.bits = offset;
  v.parameter_size = size;
  v.sign_extend = sign_extend;
  return state_->parameters[key] = state_->add(v);
}

// Moves the result that the last operation computed inside the instruction's error bound.
void FunctionDecoder::jitter() {
  const auto bound = error_bound(*instruction_);
  if (!bound || state_->emitted.empty()) return;
  const std::uint32_t d = code_.ops.back().d;
  if (d == 0) return;
  const std::string_view type = instruction_->modifiers.back();
  const Operation operation = type == "f32"              ? Operation::jitter_f32
                              : type == "f64"            ? Operation::jitter_f64
                              : type.starts_with("bf16") ? Operation::jitter_bf16
                                                         : Operation::jitter_f16;
  // The value that is moved was rounded, and is rounded again: that much of the bound is used up.
  const double rounding = type == "f32"              ? 0x1p-23
                          : type == "f64"            ? 0x1p-52
                          : type.starts_with("bf16") ? 0x1p-7
                                                     : 0x1p-10;
  const double left = bound->bound - rounding;
  if (left <= 0) return;
  emit(operation, {.d = d,
                   .aux = (bound->relative ? 1U : 0U) | (type.ends_with("x2") ? 2U : 0U),
                   .imm = std::bit_cast<std::int64_t>(left)});
}

// --- the whole function -------------------------------------------------------------------------

namespace {

// Instructions with a place of their own among the remembered memory ranges.
bool touches_memory(std::string_view opcode) {
  return opcode == "ld" || opcode == "ldu" || opcode == "st" || opcode == "atom" ||
         opcode == "red" || opcode == "wmma" || opcode == "ldmatrix" || opcode == "stmatrix" ||
         opcode == "cp" || opcode == "mbarrier";
}

void count_definitions(const Operand& operand, std::map<const ptx::Variable*, int>& definitions) {
  if (operand.kind == Operand::Kind::variable) ++definitions[operand.variable];
  for (const auto& item : operand.items) {
    // The register inside an address is read.
    if (operand.kind == Operand::Kind::vector || operand.kind == Operand::Kind::list) {
      count_definitions(item, definitions);
    }
  }
  if (operand.second != nullptr) count_definitions(*operand.second, definitions);
}

}  // namespace

void FunctionDecoder::run() {
  State& s = *state_;
  code_.entry = function_.entry;
  for (int i = 0; i < 3; ++i) {
    code_.max_threads[i] = function_.max_threads[i];
    code_.required_threads[i] = function_.required_threads[i];
    code_.cluster[i] = function_.cluster[i];
  }
  for (const auto& [number, name] : module_.ast->files) code_.files[number] = name;
  for (const ptx::CallSite& site : function_.call_sites) {
    code_.call_sites.push_back({site.file, site.line, site.inlined_at});
  }
  s.shared = code_.shared_bytes;  // of the functions that it can come to
  if (function_.entry) {
    std::uint32_t offset = 0;
    for (const ptx::Variable* p : function_.parameters) {
      if (p->bytes() > (1 << 16) || offset > (1U << 16)) fail("more parameters than fit");
      offset = align_up(offset, static_cast<std::uint32_t>(std::max(p->align, 1)));
      s.parameter_offsets[p] = offset;
      ParamSlot slot;
      slot.offset = offset;
      slot.size = static_cast<std::uint32_t>(p->bytes());
      slot.align = static_cast<std::uint32_t>(std::max(p->align, 1));
      code_.parameters.push_back(slot);
      offset += slot.size;
    }
    code_.parameter_bytes = offset;
  }
  for (const auto& in : function_.instructions) {
    for (std::size_t i = 0; i < in.operands.size() && i < 1; ++i) {
      count_definitions(in.operands[i], s.definitions);
    }
  }
  // Where lanes may wait for others: the targets of branches that go forward, and of tables.
  std::set<std::int64_t> meeting;
  const auto count = static_cast<std::int64_t>(function_.instructions.size());
  for (std::int64_t i = 0; i < count; ++i) {
    for (const auto& operand : function_.instructions[static_cast<std::size_t>(i)].operands) {
      if (operand.kind != Operand::Kind::label) continue;
      const auto target = static_cast<std::int64_t>(operand.bits);
      s.labels.insert(target);
      if (target > i) meeting.insert(target);
    }
  }
  for (const auto& [name, targets] : function_.branch_targets) {
    s.labels.insert(targets.begin(), targets.end());
    meeting.insert(targets.begin(), targets.end());
  }
  bool falls = true;
  const auto at_label = [&](std::int64_t i) {
    if (s.labels.count(i) == 0) return;
    instruction_ = nullptr;
    s.guard = 0;
    if (i < count) instruction_ = &function_.instructions[static_cast<std::size_t>(i)];
    if (falls && s.since > 0) {
      emit(Operation::loop);
      end_block(true);
    }
    s.since = 0;
    s.first_op[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(code_.ops.size());
    if (meeting.count(i) != 0) {
      emit(Operation::join);
      end_block(true);
    }
  };
  s.first_op.assign(static_cast<std::size_t>(count) + 1, -1);
  for (std::int64_t i = 0; i < count; ++i) {
    const ptx::Instruction& in = function_.instructions[static_cast<std::size_t>(i)];
    at_label(i);
    instruction_ = &in;
    if (s.first_op[static_cast<std::size_t>(i)] < 0) {
      s.first_op[static_cast<std::size_t>(i)] = static_cast<std::int64_t>(code_.ops.size());
    }
    s.guard = 0;
    if (in.guard != nullptr) {
      s.guard = register_slot(*in.guard, 0) | (in.guard_negated ? 1U : 0U);
    }
    ++s.since;
    if (touches_memory(in.opcode)) ++s.site;
    const Decode decode = find_decoder(in.opcode);
    if (decode == nullptr) {
      unsupported("the software GPU does not know this instruction");
    } else {
      decode(*this, in);
    }
    if (options().jitter != 0) jitter();
    for (const auto& fix : s.fixes) {
      if (fix.from_lane == 4 && fix.to_lane == 8) {
        emit(fix.sign_extend ? Operation::cvtw_s64_s32 : Operation::widen,
             {.d = fix.to, .a = fix.from});
      } else if (fix.from_lane == 8 && fix.to_lane == 4) {
        emit(Operation::narrow, {.d = fix.to, .a = fix.from});
      } else if (fix.from_lane == fix.to_lane && fix.from_lane != 16) {
        emit(fix.from_lane == 4 ? Operation::mov_32 : Operation::mov_64,
             {.d = fix.to, .a = fix.from});
      } else {
        fail("the destination register has the wrong size");
      }
    }
    s.fixes.clear();
    falls = s.emitted.empty() || !s.emitted.back().ends_block || s.emitted.back().falls_through;
  }
  at_label(count);
  // A body may end without ret.
  instruction_ = count > 0 ? &function_.instructions.back() : nullptr;
  s.guard = 0;
  emit(function_.entry ? Operation::exit : Operation::ret);
  end_block(false);
  if (!function_.entry) {
    // Calls write and read them all, also those that the body never names.
    for (const ptx::Variable* p : function_.parameters) (void)area(*p);
    for (const ptx::Variable* p : function_.returns) (void)area(*p);
  }
  assign_slots();
}

namespace {

// The value of a field of an operation that is no list.
std::uint32_t value_of(const Op& op, const Emitted& e, Field field) {
  switch (field) {
    case Field::d: return op.d;
    case Field::a: return op.a;
    case Field::b: return op.b;
    case Field::c: return op.c;
    case Field::aux: return op.aux;
    case Field::imm: return static_cast<std::uint32_t>(op.imm);
    default: return e.packed;
  }
}

// All registers that an operation names.
void list_uses(const Op& op, const Emitted& e, std::vector<Use>& uses) {
  uses.clear();
  const auto use = [&](std::uint32_t field, bool read, bool written) {
    const std::uint32_t id = field >> 2;
    if (id == 0) return;
    if (read) uses.push_back({id, false});
    if (written) uses.push_back({id, true});
  };
  use(e.guard, true, false);
  for (const RegisterUse& one : *e.operands) {
    // Lanes whose guard is false keep what they had.
    const bool read = one.read || e.guarded;
    if (one.field != Field::list && one.field != Field::more) {
      use(value_of(op, e, one.field), read, one.written);
    } else if (e.pieces != nullptr) {
      const bool first = one.field == Field::list;
      const std::uint32_t* slots = first ? e.pieces->slots : e.pieces->more;
      const std::uint32_t count = first ? e.pieces->count : e.pieces->more_count;
      for (std::uint32_t i = 0; i < count; ++i) use(slots[i], read, one.written);
    }
  }
}

}  // namespace

// Lifetimes by dataflow over basic blocks, then slots by linear scan (Poletto and Sarkar, 1999). A
// lane never sees what the lanes of the other side of a branch write, so what counts is the order
// in which one thread executes.
void FunctionDecoder::assign_slots() {
  State& s = *state_;
  const auto ops = static_cast<std::int32_t>(code_.ops.size());

  struct BasicBlock {
    std::int32_t begin = 0, end = 0;
    std::vector<std::int32_t> next;
    std::vector<std::uint64_t> use, def, in, out;
  };
  const auto op_of = [&](std::int64_t instruction) {
    return static_cast<std::int32_t>(s.first_op[static_cast<std::size_t>(instruction)]);
  };
  std::set<std::int32_t> starts{0};
  for (std::int32_t i = 0; i < ops; ++i) {
    const Emitted& e = s.emitted[static_cast<std::size_t>(i)];
    if (e.target >= 0) starts.insert(op_of(e.target));
    for (const auto target : e.table) starts.insert(op_of(target));
    if (e.ends_block && i + 1 < ops) starts.insert(i + 1);
  }
  std::vector<BasicBlock> blocks;
  std::vector<std::int32_t> block_at(static_cast<std::size_t>(ops), 0);
  for (auto start = starts.begin(); start != starts.end(); ++start) {
    BasicBlock b;
    b.begin = *start;
    b.end = std::next(start) == starts.end() ? ops : *std::next(start);
    for (std::int32_t i = b.begin; i < b.end; ++i) {
      block_at[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(blocks.size());
    }
    blocks.push_back(std::move(b));
  }
  // Only registers that more than one block names take part in the dataflow.
  std::vector<std::int32_t> only_block(s.virtuals.size(), -1);
  std::vector<std::int32_t> global_index(s.virtuals.size(), -1);
  std::vector<std::uint32_t> globals;
  std::vector<Use> uses;
  std::vector<std::uint8_t> defined_first(s.virtuals.size(), 0);
  for (std::int32_t i = 0; i < ops; ++i) {
    list_uses(code_.ops[static_cast<std::size_t>(i)], s.emitted[static_cast<std::size_t>(i)], uses);
    for (const auto& u : uses) {
      if (s.virtuals[u.id].kind != Virtual::Kind::value) continue;
      const std::int32_t b = block_at[static_cast<std::size_t>(i)];
      if (only_block[u.id] < 0) {
        only_block[u.id] = b;
        defined_first[u.id] = u.written ? 1 : 0;
      }
      // One that is read before it is written in its only block lives around the loop.
      if ((only_block[u.id] != b || defined_first[u.id] == 0) && global_index[u.id] < 0) {
        global_index[u.id] = static_cast<std::int32_t>(globals.size());
        globals.push_back(u.id);
      }
    }
  }
  const std::size_t words = (globals.size() + 63) / 64;
  for (auto& b : blocks) {
    b.use.assign(words, 0);
    b.def.assign(words, 0);
    b.in.assign(words, 0);
    b.out.assign(words, 0);
    for (std::int32_t i = b.begin; i < b.end; ++i) {
      list_uses(code_.ops[static_cast<std::size_t>(i)], s.emitted[static_cast<std::size_t>(i)],
                uses);
      for (const bool written : {false, true}) {
        for (const auto& u : uses) {
          if (u.written != written || global_index[u.id] < 0) continue;
          const auto g = static_cast<std::size_t>(global_index[u.id]);
          const std::uint64_t bit = std::uint64_t{1} << (g % 64);
          if (written) {
            b.def[g / 64] |= bit;
          } else if ((b.def[g / 64] & bit) == 0) {
            b.use[g / 64] |= bit;
          }
        }
      }
    }
    const Emitted& last = s.emitted[static_cast<std::size_t>(b.end - 1)];
    if (last.target >= 0) b.next.push_back(block_at[static_cast<std::size_t>(op_of(last.target))]);
    for (const auto target : last.table) {
      b.next.push_back(block_at[static_cast<std::size_t>(op_of(target))]);
    }
    if ((!last.ends_block || last.falls_through) && b.end < ops) {
      b.next.push_back(block_at[static_cast<std::size_t>(b.end)]);
    }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto b = blocks.rbegin(); b != blocks.rend(); ++b) {
      for (std::size_t w = 0; w < words; ++w) {
        std::uint64_t out = 0;
        for (const auto n : b->next) out |= blocks[static_cast<std::size_t>(n)].in[w];
        const std::uint64_t in = b->use[w] | (out & ~b->def[w]);
        if (out != b->out[w] || in != b->in[w]) {
          b->out[w] = out;
          b->in[w] = in;
          changed = true;
        }
      }
    }
  }
  const auto extend = [&](std::uint32_t id, std::int32_t at) {
    Virtual& v = s.virtuals[id];
    v.begin = v.begin < 0 ? at : std::min(v.begin, at);
    v.end = std::max(v.end, at);
  };
  for (const auto& b : blocks) {
    for (std::size_t g = 0; g < globals.size(); ++g) {
      if (((b.in[g / 64] >> (g % 64)) & 1U) != 0) extend(globals[g], 2 * b.begin);
      if (((b.out[g / 64] >> (g % 64)) & 1U) != 0) extend(globals[g], 2 * b.end - 1);
    }
  }
  for (std::int32_t i = 0; i < ops; ++i) {
    const Emitted& e = s.emitted[static_cast<std::size_t>(i)];
    list_uses(code_.ops[static_cast<std::size_t>(i)], e, uses);
    for (const auto& u : uses) {
      // Operations with lists read one lane's registers after they wrote another's: what they read
      // must not share with what they write.
      extend(u.id, 2 * i + (u.written || e.operands->has_lists ? 1 : 0));
    }
  }

  // Slots. Predicates first, then fixed values, then registers by width.
  std::vector<std::uint32_t> order;
  for (std::uint32_t id = 1; id < s.virtuals.size(); ++id) {
    if (s.virtuals[id].kind == Virtual::Kind::value && s.virtuals[id].begin >= 0) {
      order.push_back(id);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return s.virtuals[a].begin < s.virtuals[b].begin;
  });
  struct Pool {
    std::uint32_t used = 0;
    std::vector<std::uint32_t> free;
    std::vector<std::pair<std::int32_t, std::uint32_t>> busy;  // end and index, a heap
  };
  std::map<int, Pool> pools;
  const auto later = [](const auto& a, const auto& b) { return a.first > b.first; };
  for (const std::uint32_t id : order) {
    Virtual& v = s.virtuals[id];
    Pool& pool = pools[v.lane];
    while (!pool.busy.empty() && pool.busy.front().first < v.begin) {
      std::pop_heap(pool.busy.begin(), pool.busy.end(), later);
      pool.free.push_back(pool.busy.back().second);
      pool.busy.pop_back();
    }
    if (pool.free.empty()) {
      v.slot = pool.used++;
    } else {
      v.slot = pool.free.back();
      pool.free.pop_back();
    }
    pool.busy.emplace_back(v.end, v.slot);
    std::push_heap(pool.busy.begin(), pool.busy.end(), later);
  }
  std::uint32_t at = reserved_bytes;
  const auto place_pool = [&](int lane) {
    const std::uint32_t each = bytes_of(lane);
    at = align_up(at, 64);
    for (const std::uint32_t id : order) {
      if (s.virtuals[id].lane == lane) s.virtuals[id].slot = at + s.virtuals[id].slot * each;
    }
    at += pools[lane].used * each;
  };
  place_pool(0);
  for (std::uint32_t id = 1; id < s.virtuals.size(); ++id) {
    Virtual& v = s.virtuals[id];
    if (v.kind == Virtual::Kind::constant && v.lane == 0 && v.begin >= 0) {
      v.slot = at;
      at += 4;
    }
  }
  place_pool(4);
  place_pool(8);
  place_pool(16);
  at = align_up(at, 64);
  for (std::uint32_t id = 1; id < s.virtuals.size(); ++id) {
    Virtual& v = s.virtuals[id];
    const auto lane = static_cast<std::uint32_t>(v.lane);
    if (v.kind == Virtual::Kind::area) {
      v.slot = at;
      at = align_up(at + static_cast<std::uint32_t>(v.bits) * warp_size, 64);
      continue;
    }
    if (v.kind == Virtual::Kind::value || v.begin < 0) continue;
    if (v.kind == Virtual::Kind::constant && v.lane == 0) {
      code_.constants.push_back({v.slot, 0, v.bits});
      continue;
    }
    v.slot = at;
    at += bytes_of(v.lane);
    if (v.kind == Virtual::Kind::constant) code_.constants.push_back({v.slot, lane, v.bits});
    if (v.kind == Virtual::Kind::special) {
      code_.specials.push_back({v.slot, static_cast<Special>(v.bits), lane});
    }
    if (v.kind == Virtual::Kind::parameter) {
      code_.parameter_values.push_back(
          {v.slot, lane, static_cast<std::uint32_t>(v.bits), v.parameter_size, v.sign_extend});
    }
  }
  if (at > (1U << 28)) fail("the function needs too many registers");
  code_.frame_bytes = at;
  code_.local_bytes = static_cast<std::uint32_t>((s.local + 15) / 16 * 16);
  code_.shared_bytes = static_cast<std::uint32_t>(s.shared);
  // About what a compiler would need: the most that live at one time.
  code_.registers = std::clamp(
      static_cast<int>(pools[4].used + 2 * pools[8].used + 4 * pools[16].used) + 8, 16, 255);

  // Virtual numbers become slots.
  const auto slot = [&](std::uint32_t field) {
    return (field >> 2) == 0 ? 0U : s.virtuals[field >> 2].slot | (field & 3U);
  };
  const bool operands = keeps_operands();
  if (operands) code_.first_operand.reserve(static_cast<std::size_t>(ops) + 1);
  for (std::int32_t i = 0; i < ops; ++i) {
    Op& op = code_.ops[static_cast<std::size_t>(i)];
    const Emitted& e = s.emitted[static_cast<std::size_t>(i)];
    if (operands) {
      code_.first_operand.push_back(static_cast<std::uint32_t>(code_.operands.size()));
      list_uses(op, e, uses);
      for (const Use& u : uses) {
        const Virtual& v = s.virtuals[u.id];
        const bool is_area = v.kind == Virtual::Kind::area;
        code_.operands.push_back({v.slot, is_area ? OperandSlot::area : v.lane, u.written});
      }
    }
    const std::uint32_t guard = slot(e.guard);
    if (guard > 0xffffU) fail("the function needs too many predicates at a time");
    op.guard = static_cast<std::uint16_t>(guard);
    op.site = static_cast<std::uint16_t>(e.site % memory_sites);
    for (const RegisterUse& one : *e.operands) {
      switch (one.field) {
        case Field::d: op.d = slot(op.d); break;
        case Field::a: op.a = slot(op.a); break;
        case Field::b: op.b = slot(op.b); break;
        case Field::c: op.c = slot(op.c); break;
        case Field::aux: op.aux = slot(op.aux); break;
        case Field::imm: op.imm = slot(static_cast<std::uint32_t>(op.imm)); break;
        case Field::packed: op.aux |= slot(e.packed) / 4 << e.operands->packed_at; break;
        case Field::list:
        case Field::more: break;
      }
    }
    if (e.operands->repeats) {
      if (e.operands->find(Field::b) == nullptr) op.b = op.a;
      if (e.operands->find(Field::c) == nullptr) op.c = op.a;
    }
    if (e.operands->has_lists && e.pieces != nullptr) {
      for (auto& entry : e.pieces->storage) entry = slot(entry);
    }
    if (e.target >= 0) op.imm = op_of(e.target) - i;
    if (!e.table.empty()) {
      auto& distances = const_cast<Pieces*>(static_cast<const Pieces*>(op.extra))->storage;
      for (std::size_t k = 0; k < e.table.size(); ++k) {
        distances[k] = static_cast<std::uint32_t>(op_of(e.table[k]) - i);
      }
    }
  }
  if (operands) {
    code_.first_operand.push_back(static_cast<std::uint32_t>(code_.operands.size()));
  }
  for (const ptx::Variable* p : function_.parameters) {
    if (function_.entry) break;
    ParamSlot one;
    one.size = static_cast<std::uint32_t>(p->bytes());
    one.slot = slot(area(*p));
    code_.parameters.push_back(one);
  }
  for (const ptx::Variable* p : function_.returns) {
    ParamSlot one;
    one.size = static_cast<std::uint32_t>(p->bytes());
    one.slot = slot(area(*p));
    code_.returns.push_back(one);
  }
  for (const auto& in : function_.instructions) code_.texts.push_back(in.text());
}

// --- tables -------------------------------------------------------------------------------------

Decode find_decoder(std::string_view opcode) {
  static const auto* all = [] {
    auto* table = new std::unordered_map<std::string_view, Decode>;
    for (const auto& entries :
         {arithmetic_decoders(), memory_decoders(), control_decoders(), matrix_decoders(),
          async_decoders(), texture_decoders(), video_decoders()}) {
      for (std::size_t i = 0; i < entries.count; ++i) {
        (*table)[entries.first[i].opcode] = entries.first[i].decode;
      }
    }
    return table;
  }();
  const auto found = all->find(opcode);
  return found == all->end() ? nullptr : found->second;
}

namespace {

// Handlers by operation.
using HandlerTable = std::array<Handler, operation_count>;

// The wanted instruction set, or the best one below it that this processor has.
SimdChoice available(SimdChoice wanted) {
#if defined(__clang__)
  // Clang knows no target regions: the other handlers are left out of its builds.
  (void)wanted;
  return SimdChoice::baseline;
#else
  const bool has512 =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
      __builtin_cpu_supports("avx512cd") != 0;
  const bool has2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                    __builtin_cpu_supports("bmi2") != 0;
  if (has512 && wanted != SimdChoice::avx2 && wanted != SimdChoice::baseline) {
    return SimdChoice::avx512;
  }
  return has2 && wanted != SimdChoice::baseline ? SimdChoice::avx2 : SimdChoice::baseline;
#endif
}

const Handler* handlers_for(SimdChoice wanted) {
  switch (available(wanted)) {
    case SimdChoice::avx512: return avx512::handlers();
    case SimdChoice::avx2: return avx2::handlers();
    default: return baseline::handlers();
  }
}

// The handlers that decoding uses.
std::atomic<const Handler*>& current_handlers() {
  static std::atomic<const Handler*> handlers{handlers_for(options().simd)};
  return handlers;
}

}  // namespace

Handler find_handler(Operation operation) {
  return current_handlers().load(std::memory_order_acquire)[static_cast<std::size_t>(operation)];
}

bool select_instruction_set(SimdChoice wanted) {
  if (wanted != SimdChoice::automatic && available(wanted) != wanted) return false;
  current_handlers().store(handlers_for(wanted), std::memory_order_release);
  return true;
}

void replace_handlers(const HandlerEntries& wrong) {
  // Never freed: code that was decoded with it may still be decoding.
  auto* table = new HandlerTable;
  std::copy_n(current_handlers().load(std::memory_order_acquire), operation_count, table->begin());
  for (std::size_t i = 0; i < wrong.count; ++i) {
    (*table)[static_cast<std::size_t>(wrong.first[i].operation)] = wrong.first[i].handler;
  }
  current_handlers().store(table->data(), std::memory_order_release);
}

std::uint64_t jitter_seed() { return options().jitter; }

}  // namespace softgpu
