// The optimisers' update in one pass over the parameters, vector by vector.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/optim/optimizer.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>

#include "core/optim/optimizer_steps.hpp"
#include "core/parallel.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_OPTIM_OPTIMIZER_CPP
#define TANDEM_CPU_OPTIM_OPTIMIZER_CPP
namespace tandem::cpu {

// The part of an update that one thread does: pointers to its first element.
template <class T>
struct OptimizerPiece {
  const T* gradient;
  T* parameters;
  T* first;
  T* second;
  Index size;
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// OptimizerUpdate with every scalar rounded to T and spread over a vector.
template <class D, class V = hn::Vec<D>>
struct UpdateVectors {
  UpdateVectors(D d, const OptimizerUpdate& u)
      : minus_rate(spread(d, -u.rate)),
        momentum(spread(d, u.momentum)),
        beta1(spread(d, u.beta1)),
        one_minus_beta1(spread(d, u.one_minus_beta1)),
        beta2(spread(d, u.beta2)),
        one_minus_beta2(spread(d, u.one_minus_beta2)),
        epsilon(spread(d, u.epsilon)),
        minus_first_rate(spread(d, -u.first_rate)),
        second_scale(spread(d, u.second_scale)),
        minus_decay(spread(d, -u.decay)),
        l2(spread(d, u.l2)),
        threshold(spread(d, u.threshold)) {}
  static V spread(D d, double value) { return hn::Set(d, static_cast<hn::TFromD<D>>(value)); }

  V minus_rate, momentum, beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon, minus_first_rate,
      second_scale, minus_decay, l2, threshold;
};

// One vector of parameters: w, g and the state m (first) and s (second) in, w, m and s out.
template <OptimizerMethod method, class D, class V = hn::Vec<D>>
HWY_INLINE void UpdateVector(D d, const UpdateVectors<D>& u, bool l2, bool decay, bool l1, V g,
                             V& w, V& m, V& s) {
  if (l2) g = Fma(d, u.l2, w, g);
  V divisor = hn::Zero(d);
  if constexpr (method == OptimizerMethod::gradient_descent) {
    w = Fma(d, u.minus_rate, g, w);
  } else if constexpr (method == OptimizerMethod::momentum) {
    m = Fma(d, u.momentum, m, g);
    w = Fma(d, u.minus_rate, m, w);
  } else if constexpr (method == OptimizerMethod::nesterov) {
    m = Fma(d, u.momentum, m, g);
    w = Fma(d, u.minus_rate, Fma(d, u.momentum, m, g), w);
  } else if constexpr (method == OptimizerMethod::rmsprop) {
    s = Fma(d, u.beta2, s, hn::Mul(u.one_minus_beta2, hn::Mul(g, g)));
    divisor = hn::Add(hn::Sqrt(s), u.epsilon);
    w = Fma(d, u.minus_rate, hn::Div(g, divisor), w);
  } else {
    m = Fma(d, u.beta1, m, hn::Mul(u.one_minus_beta1, g));
    s = Fma(d, u.beta2, s, hn::Mul(u.one_minus_beta2, hn::Mul(g, g)));
    divisor = Fma(d, hn::Sqrt(s), u.second_scale, u.epsilon);
    if (decay) w = Fma(d, u.minus_decay, w, w);
    w = Fma(d, u.minus_first_rate, hn::Div(m, divisor), w);
  }
  if (l1) {
    constexpr bool adaptive = method == OptimizerMethod::rmsprop ||
                              method == OptimizerMethod::adam || method == OptimizerMethod::adamw;
    V threshold = u.threshold;
    if constexpr (adaptive) threshold = hn::Div(threshold, divisor);
    const V shrunk = hn::Sub(hn::Abs(w), threshold);
    // Zero only where the comparison holds, so that a NaN stays a NaN.
    w = hn::IfThenZeroElse(hn::Le(shrunk, hn::Zero(d)), hn::CopySign(shrunk, w));
  }
}

template <OptimizerMethod method, class T>
void UpdateRange(const OptimizerUpdate& update, bool penalised, const OptimizerPiece<T>& piece) {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  const D d;
  const UpdateVectors<D> u(d, update);
  const bool l2 = penalised && update.l2 != 0;
  const bool l1 = penalised && update.threshold != 0;
  const bool decay = penalised && update.decay != 0;
  constexpr bool has_second = method == OptimizerMethod::rmsprop ||
                              method == OptimizerMethod::adam || method == OptimizerMethod::adamw;
  constexpr bool has_first =
      method != OptimizerMethod::gradient_descent && method != OptimizerMethod::rmsprop;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  Index i = 0;
  for (; i + lanes <= piece.size; i += lanes) {
    V w = hn::LoadU(d, piece.parameters + i);
    V m = hn::Zero(d);
    V s = hn::Zero(d);
    if constexpr (has_first) m = hn::LoadU(d, piece.first + i);
    if constexpr (has_second) s = hn::LoadU(d, piece.second + i);
    UpdateVector<method>(d, u, l2, decay, l1, hn::LoadU(d, piece.gradient + i), w, m, s);
    hn::StoreU(w, d, piece.parameters + i);
    if constexpr (has_first) hn::StoreU(m, d, piece.first + i);
    if constexpr (has_second) hn::StoreU(s, d, piece.second + i);
  }
  if (i < piece.size) {
    // The last, incomplete vector goes through copies with zeros behind it.
    const Index rest = piece.size - i;
    HWY_ALIGN T g[hn::MaxLanes(d)] = {};
    HWY_ALIGN T w[hn::MaxLanes(d)] = {};
    HWY_ALIGN T m[hn::MaxLanes(d)] = {};
    HWY_ALIGN T s[hn::MaxLanes(d)] = {};
    std::copy_n(piece.gradient + i, rest, g);
    std::copy_n(piece.parameters + i, rest, w);
    if constexpr (has_first) std::copy_n(piece.first + i, rest, m);
    if constexpr (has_second) std::copy_n(piece.second + i, rest, s);
    V vw = hn::Load(d, w);
    V vm = hn::Load(d, m);
    V vs = hn::Load(d, s);
    UpdateVector<method>(d, u, l2, decay, l1, hn::Load(d, g), vw, vm, vs);
    hn::Store(vw, d, w);
    hn::Store(vm, d, m);
    hn::Store(vs, d, s);
    std::copy_n(w, rest, piece.parameters + i);
    if constexpr (has_first) std::copy_n(m, rest, piece.first + i);
    if constexpr (has_second) std::copy_n(s, rest, piece.second + i);
  }
}

template <class T>
void UpdatePiece(const OptimizerUpdate& u, bool penalised, const OptimizerPiece<T>& piece) {
  switch (u.method) {
    case OptimizerMethod::gradient_descent:
      return UpdateRange<OptimizerMethod::gradient_descent>(u, penalised, piece);
    case OptimizerMethod::momentum:
      return UpdateRange<OptimizerMethod::momentum>(u, penalised, piece);
    case OptimizerMethod::nesterov:
      return UpdateRange<OptimizerMethod::nesterov>(u, penalised, piece);
    case OptimizerMethod::rmsprop:
      return UpdateRange<OptimizerMethod::rmsprop>(u, penalised, piece);
    case OptimizerMethod::adam:
    case OptimizerMethod::adamw: return UpdateRange<OptimizerMethod::adam>(u, penalised, piece);
  }
}

void UpdatePieceFloat(const OptimizerUpdate& u, bool penalised,
                      const OptimizerPiece<float>& piece) {
  UpdatePiece(u, penalised, piece);
}
void UpdatePieceDouble(const OptimizerUpdate& u, bool penalised,
                       const OptimizerPiece<double>& piece) {
  UpdatePiece(u, penalised, piece);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(UpdatePieceFloat);
HWY_EXPORT(UpdatePieceDouble);

void update_piece(const OptimizerUpdate& u, bool penalised, const OptimizerPiece<float>& piece) {
  HWY_DYNAMIC_DISPATCH(UpdatePieceFloat)(u, penalised, piece);
}
void update_piece(const OptimizerUpdate& u, bool penalised, const OptimizerPiece<double>& piece) {
  HWY_DYNAMIC_DISPATCH(UpdatePieceDouble)(u, penalised, piece);
}
}  // namespace
}  // namespace cpu

namespace {

template <Real T>
class CpuOptimizer final : public OptimizerSteps<T> {
 public:
  explicit CpuOptimizer(Engine& engine) : engine_(engine) {}

  void update(const OptimizerUpdate& u, const Buffer<T>& gradient, Buffer<T>& parameters,
              Buffer<T>& first, Buffer<T>& second) override {
    parallel_pieces(engine_.threads(), parameters.size(), piece_size, [&](Piece piece) {
      // The parts of the piece before, in and behind the penalised range.
      const Index borders[] = {piece.begin, std::clamp(u.penalised_begin, piece.begin, piece.end),
                               std::clamp(u.penalised_end, piece.begin, piece.end), piece.end};
      for (int part = 0; part < 3; ++part) {
        const Index begin = borders[part];
        const Index size = borders[part + 1] - begin;
        if (size <= 0) continue;
        const auto at = [&](T* data) { return data == nullptr ? nullptr : data + begin; };
        cpu::update_piece(u, part == 1,
                          cpu::OptimizerPiece<T>{gradient.data() + begin, at(parameters.data()),
                                                 at(first.data()), at(second.data()), size});
      }
    });
  }

 private:
  // Elements that a thread takes at a time: some microseconds of work, a multiple of a cache line.
  static constexpr Index piece_size = 4096;
  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<OptimizerSteps<T>> OptimizerSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuOptimizer<T>>(engine);
}
template std::unique_ptr<OptimizerSteps<float>> OptimizerSteps<float>::make_cpu(Engine&);
template std::unique_ptr<OptimizerSteps<double>> OptimizerSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif
