#include "softgpu/observe/observed_code.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

namespace softgpu {

void copy_code(const Code& from, ObservedCode& to) {
  to.name = from.name;
  to.ops = from.ops;
  to.operations = from.operations;
  to.origins = from.origins;
  to.touches = from.touches;
  to.operands = from.operands;
  to.first_operand = from.first_operand;
  to.texts = from.texts;
  to.frame_bytes = from.frame_bytes;
  to.local_bytes = from.local_bytes;
  to.constants = from.constants;
  to.specials = from.specials;
  to.parameter_values = from.parameter_values;
  to.parameters = from.parameters;
  to.returns = from.returns;
  to.shared_bytes = from.shared_bytes;
  to.shared_gaps = from.shared_gaps;
  to.shared_variables = from.shared_variables;
  to.parameter_bytes = from.parameter_bytes;
  to.entry = from.entry;
  std::copy(std::begin(from.max_threads), std::end(from.max_threads), to.max_threads);
  std::copy(std::begin(from.required_threads), std::end(from.required_threads),
            to.required_threads);
  std::copy(std::begin(from.cluster), std::end(from.cluster), to.cluster);
  to.registers = from.registers;
  to.approximated = from.approximated;
  to.unsupported = from.unsupported;
  to.callees = from.callees;
  to.origin_module = from.origin_module;
  to.origin_function = from.origin_function;
  to.files = from.files;
  to.call_sites = from.call_sites;
  to.decoded = true;
  to.handlers.resize(from.ops.size());
  for (std::size_t i = 0; i < from.ops.size(); ++i) to.handlers[i] = from.ops[i].run;
  to.work = to.handlers.data();
}

bool puts_off(Warp& w, const Op* op, Meeting meeting, std::uint32_t m) {
  if (m == 0) return false;
  if (meeting == Meeting::aligned) return (w.alive & ~w.mask) != 0;
  const std::uint32_t slot = meeting == Meeting::members_a   ? op->a
                             : meeting == Meeting::members_b ? op->b
                                                             : static_cast<std::uint32_t>(op->imm);
  const auto* members = lanes<std::uint32_t>(w, slot);
  for (std::uint32_t rest = m; rest != 0; rest &= rest - 1) {
    if ((members[std::countr_zero(rest)] & w.alive & ~w.mask) != 0) return true;
  }
  return false;
}

}  // namespace softgpu
