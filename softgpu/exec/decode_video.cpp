// Video instructions: vadd, vsub, vabsdiff, vmin, vmax, vshl, vshr, vset, vmad, and the SIMD forms
// of two half words and four bytes.

#include <array>
#include <string>

#include "softgpu/exec/decoder.hpp"
#include "softgpu/exec/video.hpp"

namespace softgpu {
namespace {

using ptx::Instruction;
using ptx::Operand;
using std::string_view;

struct Name {
  string_view opcode;
  VideoForm::Operation operation;
};
constexpr std::array<Name, 11> names = {{{"vadd", VideoForm::add},
                                         {"vsub", VideoForm::subtract},
                                         {"vabsdiff", VideoForm::absolute_difference},
                                         {"vmin", VideoForm::minimum},
                                         {"vmax", VideoForm::maximum},
                                         {"vavrg", VideoForm::average},
                                         {"vshl", VideoForm::shift_left},
                                         {"vshr", VideoForm::shift_right},
                                         {"vset", VideoForm::compare},
                                         {"vmad", VideoForm::multiply_add},
                                         {"", VideoForm::add}}};

// 0 for the whole register, 1-4 for a byte, 5-6 for a half word.
std::uint32_t selector(FunctionDecoder& to, const Operand& operand) {
  const std::string& name = operand.name;
  if (operand.kind != Operand::Kind::variable || name.empty()) return 0;
  const auto index = static_cast<std::uint32_t>(name[1] - '0');
  if (name.size() != 2 || index > (name[0] == 'b' ? 3U : 1U)) to.fail("unknown part ." + name);
  return index + (name[0] == 'b' ? 1U : 5U);
}

// The digits of .h32 or .b7654, the last for the lowest element: three bits for each.
std::uint64_t elements(FunctionDecoder& to, const Operand& operand, std::uint32_t parts,
                       std::uint32_t first) {
  const std::string& name = operand.name;
  std::uint64_t packed = 0;
  if (operand.kind != Operand::Kind::variable || name.empty()) {
    for (std::uint32_t i = 0; i < parts; ++i) packed |= std::uint64_t{first + i} << (3 * i);
    return packed;
  }
  if (name.size() != parts + 1 || name[0] != (parts == 2 ? 'h' : 'b')) {
    to.fail("unknown parts ." + name);
  }
  for (std::uint32_t i = 0; i < parts; ++i) {
    const auto index = static_cast<std::uint32_t>(name[parts - i] - '0');
    if (index >= 2 * parts) to.fail("unknown parts ." + name);
    packed |= std::uint64_t{index} << (3 * i);
  }
  return packed;
}

std::uint64_t mask_of(FunctionDecoder& to, const Operand& operand, std::uint32_t parts) {
  const std::string& name = operand.name;
  if (operand.kind != Operand::Kind::variable || name.empty()) return (1U << parts) - 1;
  if (name[0] != (parts == 2 ? 'h' : 'b')) to.fail("unknown parts ." + name);
  std::uint64_t mask = 0;
  for (std::size_t i = 1; i < name.size(); ++i) {
    const auto index = static_cast<std::uint32_t>(name[i] - '0');
    if (index >= parts) to.fail("unknown parts ." + name);
    mask |= std::uint64_t{1} << index;
  }
  return mask;
}

void video(FunctionDecoder& to, const Instruction& in) {
  VideoForm form;
  string_view stem = in.opcode;
  std::uint32_t parts = 1;
  if (stem.ends_with('2') || stem.ends_with('4')) {
    parts = stem.ends_with('2') ? 2 : 4;
    stem.remove_suffix(1);
  }
  VideoForm::Operation operation = VideoForm::add;
  for (const Name& name : names) {
    if (name.opcode == stem) operation = name.operation;
  }
  form.set(VideoForm::operation_field, operation);

  // Types: of d, a and b; vset has no type of d, which is unsigned.
  std::vector<bool> is_signed;
  for (const auto& m : in.modifiers) {
    if (m == "u32" || m == "s32") is_signed.push_back(m == "s32");
  }
  if (operation == VideoForm::compare) is_signed.insert(is_signed.begin(), false);
  if (is_signed.size() != 3) to.fail("three types are expected");
  form.set(VideoForm::d_signed_field, is_signed[0] ? 1 : 0);
  form.set(VideoForm::a_signed_field, is_signed[1] ? 1 : 0);
  form.set(VideoForm::b_signed_field, is_signed[2] ? 1 : 0);
  if (in.has("sat")) form.set(VideoForm::saturate_field, 1);
  if (in.has("wrap")) form.set(VideoForm::wrap_field, 1);
  static constexpr std::array<string_view, 6> comparisons = {"eq", "ne", "lt", "le", "gt", "ge"};
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    if (in.has(comparisons[i])) form.set(VideoForm::comparison_field, i);
  }
  const std::uint64_t secondary = in.has("add") ? 1 : in.has("min") ? 2 : in.has("max") ? 3 : 0;
  form.set(VideoForm::secondary_field, secondary);

  const bool has_c = in.operands.size() == 4;
  if (in.operands.size() < 3 || in.operands.size() > 4) to.fail("wrong number of operands");
  if (parts > 1) {
    form.set(VideoForm::parts_field, parts == 2 ? 1 : 2);
    form.set(VideoForm::mask_field, mask_of(to, in.operands[0], parts));
    form.set(VideoForm::a_parts_field, elements(to, in.operands[1], parts, 0));
    form.set(VideoForm::b_parts_field, elements(to, in.operands[2], parts, parts));
  } else {
    form.set(VideoForm::d_selector_field, selector(to, in.operands[0]));
    form.set(VideoForm::a_selector_field, selector(to, in.operands[1]));
    form.set(VideoForm::b_selector_field, selector(to, in.operands[2]));
    if ((secondary != 0 || form.d_selector() != 0) && !has_c) to.fail("operand c is missing");
  }
  if (operation == VideoForm::multiply_add) {
    if (!has_c) to.fail("operand c is missing");
    if (in.operands[1].negated != in.operands[2].negated) {
      form.set(VideoForm::negate_product_field, 1);
    }
    if (in.operands[3].negated) form.set(VideoForm::negate_c_field, 1);
    if (in.has("po")) form.set(VideoForm::plus_one_field, 1);
    form.set(VideoForm::scale_field, in.has("shr7") ? 7 : in.has("shr15") ? 15 : 0);
  }
  const auto a = to.source(in.operands[1], 4);
  const auto b = to.source(in.operands[2], 4);
  const auto c = has_c ? to.source(in.operands[3], 4) : to.constant(0, 4);
  to.emit(Operation::video, {.d = to.destination(in.operands[0], 4),
                             .a = a,
                             .b = b,
                             .c = c,
                             .imm = static_cast<std::int64_t>(form.bits)});
}

constexpr DecodeEntry entries[] = {
    {"vadd", video},      {"vsub", video},  {"vabsdiff", video}, {"vmin", video},
    {"vmax", video},      {"vshl", video},  {"vshr", video},     {"vset", video},
    {"vmad", video},      {"vadd2", video}, {"vsub2", video},    {"vavrg2", video},
    {"vabsdiff2", video}, {"vmin2", video}, {"vmax2", video},    {"vset2", video},
    {"vadd4", video},     {"vsub4", video}, {"vavrg4", video},   {"vabsdiff4", video},
    {"vmin4", video},     {"vmax4", video}, {"vset4", video},
};

}  // namespace

DecodeEntries video_decoders() { return {entries, std::size(entries)}; }

}  // namespace softgpu
