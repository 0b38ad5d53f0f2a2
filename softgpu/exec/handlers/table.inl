// The handlers of all operations. Included once per instruction set, after all that it names.

namespace softgpu::SOFTGPU_ISA {
namespace {

constexpr Handler table[] = {
#define OPERATION(NAME, OPERANDS, TRANSFER, BEHAVIOUR, ...) __VA_ARGS__,
#include "softgpu/isa/operations.def"
};
static_assert(sizeof table / sizeof table[0] == operation_count);

}  // namespace

const Handler* handlers() { return table; }

}  // namespace softgpu::SOFTGPU_ISA
