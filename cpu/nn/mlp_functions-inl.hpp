// The functions of core/nn/mlp_functions.inc on vectors. Included like cpu/simd-inl.hpp.
#if defined(TANDEM_CPU_NN_MLP_FUNCTIONS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_NN_MLP_FUNCTIONS_INL_HPP
#undef TANDEM_CPU_NN_MLP_FUNCTIONS_INL_HPP
#else
#define TANDEM_CPU_NN_MLP_FUNCTIONS_INL_HPP
#endif

#include <hwy/highway.h>

#include "cpu/math-inl.hpp"
#include "cpu/simd-inl.hpp"
#include "tandem/nn/mlp.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {

using math_detail::erf_of;
using math_detail::exp_of;
using math_detail::sigmoid_of;
using math_detail::softplus_of;
using math_detail::tanh_of;
using math_detail::VectorOperations;
#define TANDEM_NN_FUNCTION HWY_INLINE
#include "core/nn/mlp_functions.inc"
#undef TANDEM_NN_FUNCTION

}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
