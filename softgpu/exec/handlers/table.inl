// The table of all handlers by name. Part of handlers.inl.

#define SOFTGPU_INTEGERS(NAME, F)                                             \
  {NAME ".u16", binary<F, U16, U16>}, {NAME ".s16", binary<F, S16, S16>},     \
      {NAME ".u32", binary<F, U32, U32>}, {NAME ".s32", binary<F, S32, S32>}, \
      {NAME ".u64", binary<F, U64, U64>}, {                                   \
    NAME ".s64", binary<F, S64, S64>                                          \
  }
#define SOFTGPU_COMPARE(NAME, F)                                                \
  {"setp." NAME ".u16", setp<F, U16>}, {"setp." NAME ".s16", setp<F, S16>},     \
      {"setp." NAME ".u32", setp<F, U32>}, {"setp." NAME ".s32", setp<F, S32>}, \
      {"setp." NAME ".u64", setp<F, U64>}, {"setp." NAME ".s64", setp<F, S64>}, \
      {"set." NAME ".u32", set_register<F, U32, false>},                        \
      {"set." NAME ".s32", set_register<F, S32, false>},                        \
      {"set." NAME ".u16", set_register<F, U16, false>},                        \
      {"set." NAME ".s16", set_register<F, S16, false>},                        \
      {"set." NAME ".u64", set_register<F, U64, false>},                        \
      {"set." NAME ".s64", set_register<F, S64, false>},                        \
      {"setf." NAME ".u32", set_register<F, U32, true>},                        \
      {"setf." NAME ".s32", set_register<F, S32, true>},                        \
      {"setf." NAME ".u16", set_register<F, U16, true>},                        \
      {"setf." NAME ".s16", set_register<F, S16, true>},                        \
      {"setf." NAME ".u64", set_register<F, U64, true>}, {                      \
    "setf." NAME ".s64", set_register<F, S64, true>                             \
  }
#define SOFTGPU_COMPARE_REAL(NAME, F)                                          \
  {"setp." NAME ".f32", setp<F, F32>}, {"setp." NAME ".f64", setp<F, F64>},    \
      {"set." NAME ".f32", set_register<F, F32, false>},                       \
      {"set." NAME ".f64", set_register<F, F64, false>},                       \
      {"setf." NAME ".f32", set_register<F, F32, true>},                       \
      {"setf." NAME ".f64", set_register<F, F64, true>},                       \
      {"setp." NAME ".ftz.f32", setp<CompareFlushed<F>, F32>},                 \
      {"set." NAME ".ftz.f32", set_register<CompareFlushed<F>, F32, false>}, { \
    "setf." NAME ".ftz.f32", set_register<CompareFlushed<F>, F32, true>        \
  }
#define SOFTGPU_LOADS(TYPE, T, LANE, L)                      \
  {"ld." TYPE "." LANE, load<T, L, false, u64>},             \
      {"ld.shared." TYPE "." LANE, load<T, L, true, u64>}, { \
    "ld.shared32." TYPE "." LANE, load<T, L, true, u32>      \
  }
#define SOFTGPU_STORES(SIZE, T, LANE, L)                      \
  {"st." SIZE "." LANE, store<T, L, false, u64>},             \
      {"st.shared." SIZE "." LANE, store<T, L, true, u64>}, { \
    "st.shared32." SIZE "." LANE, store<T, L, true, u32>      \
  }
#define SOFTGPU_ATOMIC_INTEGER(TYPE, T)                                               \
  {"atom.add." TYPE, atomic<T, atom_add>}, {"atom.min." TYPE, atomic<T, atom_min>}, { \
    "atom.max." TYPE, atomic<T, atom_max>                                             \
  }
#define SOFTGPU_ATOMIC_SHARED(NAME, T, WHICH) \
  { "atom.shared32." NAME, atomic_shared<T, WHICH> }
#define SOFTGPU_ATOMIC_BITS(TYPE, T)                                                    \
  {"atom.exch." TYPE, atomic<T, atom_exch>}, {"atom.cas." TYPE, atomic<T, atom_cas>},   \
      {"atom.and." TYPE, atomic<T, atom_and>}, {"atom.or." TYPE, atomic<T, atom_or>}, { \
    "atom.xor." TYPE, atomic<T, atom_xor>                                               \
  }
#define SOFTGPU_FROM_INTEGER(TO, D, FROM, A)                      \
  {"cvt." TO "." FROM, each<ConvertInteger<D, A>, D, A, A, A>}, { \
    "cvtw." TO "." FROM, unary<ConvertPlain<D, A>, D, A>          \
  }
#define SOFTGPU_FROM_INTEGERS(TO, D)                                                    \
  SOFTGPU_FROM_INTEGER(TO, D, "u8", U8), SOFTGPU_FROM_INTEGER(TO, D, "s8", S8),         \
      SOFTGPU_FROM_INTEGER(TO, D, "u16", U16), SOFTGPU_FROM_INTEGER(TO, D, "s16", S16), \
      SOFTGPU_FROM_INTEGER(TO, D, "u32", U32), SOFTGPU_FROM_INTEGER(TO, D, "s32", S32), \
      SOFTGPU_FROM_INTEGER(TO, D, "u64", U64), SOFTGPU_FROM_INTEGER(TO, D, "s64", S64), \
      {"cvt." TO ".f32", each<ConvertToInteger<D, F32>, D, F32, F32, F32>},             \
      {"cvt." TO ".f64", each<ConvertToInteger<D, F64>, D, F64, F64, F64>},             \
      {"cvt." TO ".f16", each<ConvertToInteger<D, F16>, D, F16, F16, F16>},             \
      {"cvt." TO ".bf16", each<ConvertToInteger<D, BF16>, D, BF16, BF16, BF16>}, {      \
    "cvtz." TO ".f32", unary<TruncateToInteger<D, F32>, D, F32>                         \
  }
#define SOFTGPU_TO_REAL(TO, D)                                                                  \
  {"cvt." TO ".u8", convert_to_real<D, U8>}, {"cvt." TO ".s8", convert_to_real<D, S8>},         \
      {"cvt." TO ".u16", convert_to_real<D, U16>}, {"cvt." TO ".s16", convert_to_real<D, S16>}, \
      {"cvt." TO ".u32", convert_to_real<D, U32>}, {"cvt." TO ".s32", convert_to_real<D, S32>}, \
      {"cvt." TO ".u64", convert_to_real<D, U64>}, {"cvt." TO ".s64", convert_to_real<D, S64>}, \
      {"cvt." TO ".f32", convert_to_real<D, F32>}, {"cvt." TO ".f64", convert_to_real<D, F64>}, \
      {"cvt." TO ".f16", convert_to_real<D, F16>}, {                                            \
    "cvt." TO ".bf16", convert_to_real<D, BF16>                                                 \
  }
#define SOFTGPU_TO_HALF_FROM(TO, D, FROM, A) \
  { "cvt." TO "." FROM, each<ConvertToHalf<D, A>, U32, A, A, A> }
#define SOFTGPU_TO_HALF(TO, D)                                                          \
  SOFTGPU_TO_HALF_FROM(TO, D, "u8", U8), SOFTGPU_TO_HALF_FROM(TO, D, "s8", S8),         \
      SOFTGPU_TO_HALF_FROM(TO, D, "u16", U16), SOFTGPU_TO_HALF_FROM(TO, D, "s16", S16), \
      SOFTGPU_TO_HALF_FROM(TO, D, "u32", U32), SOFTGPU_TO_HALF_FROM(TO, D, "s32", S32), \
      SOFTGPU_TO_HALF_FROM(TO, D, "u64", U64), SOFTGPU_TO_HALF_FROM(TO, D, "s64", S64), \
      SOFTGPU_TO_HALF_FROM(TO, D, "f32", F32), SOFTGPU_TO_HALF_FROM(TO, D, "f64", F64), \
      SOFTGPU_TO_HALF_FROM(TO, D, "f16", F16), SOFTGPU_TO_HALF_FROM(TO, D, "bf16", BF16)
#define SOFTGPU_FORMS2(NAME, F)                                    \
  {NAME ".ftz.f32", binary<Flushing<F>, F32, F32>},                \
      {NAME ".sat.f32", binary<Saturating<F>, F32, F32>}, {        \
    NAME ".ftz.sat.f32", binary<Saturating<Flushing<F>>, F32, F32> \
  }
#define SOFTGPU_CONTROLLED(NAME, F) \
  {NAME ".f32.mode", controlled<F, F32>}, { NAME ".f64.mode", controlled<F, F64> }

constexpr HandlerEntry table[] = {
    SOFTGPU_INTEGERS("add", Add),
    SOFTGPU_INTEGERS("sub", Sub),
    SOFTGPU_INTEGERS("mul.lo", Mul),
    SOFTGPU_INTEGERS("min", Min),
    SOFTGPU_INTEGERS("max", Max),
    {"mul.hi.u16", binary<MulHigh16, U16, U16>},
    {"mul.hi.s16", binary<MulHigh16, S16, S16>},
    {"mul.hi.u32", binary<MulHigh32, U32, U32>},
    {"mul.hi.s32", binary<MulHigh32, S32, S32>},
    {"mul.hi.u64", binary<MulHigh64, U64, U64>},
    {"mul.hi.s64", binary<MulHigh64, S64, S64>},
    {"mul.wide.u16", binary<MulWide<u32>, U32, U16>},
    {"mul.wide.s16", binary<MulWide<s32>, S32, S16>},
    {"mul.wide.u32", binary<MulWide<u64>, U64, U32>},
    {"mul.wide.s32", binary<MulWide<s64>, S64, S32>},
    {"mad.lo.u16", ternary<MulAdd, U16, U16, U16, U16>},
    {"mad.lo.s16", ternary<MulAdd, U16, U16, U16, U16>},
    {"mad.lo.u32", ternary<MulAdd, U32, U32, U32, U32>},
    {"mad.lo.s32", ternary<MulAdd, U32, U32, U32, U32>},
    {"mad.lo.u64", ternary<MulAdd, U64, U64, U64, U64>},
    {"mad.lo.s64", ternary<MulAdd, U64, U64, U64, U64>},
    {"mad.hi.u16", ternary<MulHighAdd<MulHigh16>, U16, U16, U16, U16>},
    {"mad.hi.s16", ternary<MulHighAdd<MulHigh16>, S16, S16, S16, S16>},
    {"mad.hi.u32", ternary<MulHighAdd<MulHigh32>, U32, U32, U32, U32>},
    {"mad.hi.s32", ternary<MulHighAdd<MulHigh32>, S32, S32, S32, S32>},
    {"mad.hi.u64", ternary<MulHighAdd<MulHigh64>, U64, U64, U64, U64>},
    {"mad.hi.s64", ternary<MulHighAdd<MulHigh64>, S64, S64, S64, S64>},
    {"mad.hi.sat.s32", ternary<SaturateMadHigh, S32, S32, S32, S32>},
    {"mad.wide.u16", ternary<MadWide<u32>, U32, U16, U16, U32>},
    {"mad.wide.s16", ternary<MadWide<s32>, S32, S16, S16, S32>},
    {"mad.wide.u32", ternary<MadWide<u64>, U64, U32, U32, U64>},
    {"mad.wide.s32", ternary<MadWide<s64>, S64, S32, S32, S64>},
    {"mul24.lo.u32", binary<Mul24Low, U32, U32>},
    {"mul24.lo.s32", binary<Mul24Low, S32, S32>},
    {"mul24.hi.u32", binary<Mul24High, U32, U32>},
    {"mul24.hi.s32", binary<Mul24High, S32, S32>},
    {"mad24.lo.u32", ternary<Mad24<Mul24Low>, U32, U32, U32, U32>},
    {"mad24.lo.s32", ternary<Mad24<Mul24Low>, S32, S32, S32, S32>},
    {"mad24.hi.u32", ternary<Mad24<Mul24High>, U32, U32, U32, U32>},
    {"mad24.hi.s32", ternary<Mad24<Mul24High>, S32, S32, S32, S32>},
    {"mad24.hi.sat.s32", ternary<SaturateMad24High, S32, S32, S32, S32>},
    {"sad.u16", ternary<SumOfDifference, U16, U16, U16, U16>},
    {"sad.s16", ternary<SumOfDifference, S16, S16, S16, S16>},
    {"sad.u32", ternary<SumOfDifference, U32, U32, U32, U32>},
    {"sad.s32", ternary<SumOfDifference, S32, S32, S32, S32>},
    {"sad.u64", ternary<SumOfDifference, U64, U64, U64, U64>},
    {"sad.s64", ternary<SumOfDifference, S64, S64, S64, S64>},
    {"add.sat.s32", binary<SaturateAdd, S32, S32>},
    {"sub.sat.s32", binary<SaturateSub, S32, S32>},
    {"div.u16", each<Divide, U16, U16, U16, U16>},
    {"div.s16", each<Divide, S16, S16, S16, S16>},
    {"div.u32", each<Divide, U32, U32, U32, U32>},
    {"div.s32", each<Divide, S32, S32, S32, S32>},
    {"div.u64", each<Divide, U64, U64, U64, U64>},
    {"div.s64", each<Divide, S64, S64, S64, S64>},
    {"rem.u16", each<Remainder, U16, U16, U16, U16>},
    {"rem.s16", each<Remainder, S16, S16, S16, S16>},
    {"rem.u32", each<Remainder, U32, U32, U32, U32>},
    {"rem.s32", each<Remainder, S32, S32, S32, S32>},
    {"rem.u64", each<Remainder, U64, U64, U64, U64>},
    {"rem.s64", each<Remainder, S64, S64, S64, S64>},
    {"abs.s16", unary<Absolute, S16, S16>},
    {"abs.s32", unary<Absolute, S32, S32>},
    {"abs.s64", unary<Absolute, S64, S64>},
    {"neg.s16", unary<Negate, U16, U16>},
    {"neg.s32", unary<Negate, U32, U32>},
    {"neg.s64", unary<Negate, U64, U64>},
    {"and.b16", binary<And, U16, U16>},
    {"and.b32", binary<And, U32, U32>},
    {"and.b64", binary<And, U64, U64>},
    {"or.b16", binary<Or, U16, U16>},
    {"or.b32", binary<Or, U32, U32>},
    {"or.b64", binary<Or, U64, U64>},
    {"xor.b16", binary<Xor, U16, U16>},
    {"xor.b32", binary<Xor, U32, U32>},
    {"xor.b64", binary<Xor, U64, U64>},
    {"not.b16", unary<Not, U16, U16>},
    {"not.b32", unary<Not, U32, U32>},
    {"not.b64", unary<Not, U64, U64>},
    {"cnot.b16", unary<IsZero, U16, U16>},
    {"cnot.b32", unary<IsZero, U32, U32>},
    {"cnot.b64", unary<IsZero, U64, U64>},
    {"shl.b16", binary<ShiftLeft, U16, U16, U32>},
    {"shl.b32", binary<ShiftLeft, U32, U32, U32>},
    {"shl.b64", binary<ShiftLeft, U64, U64, U32>},
    {"shr.u16", binary<ShiftRight, U16, U16, U32>},
    {"shr.u32", binary<ShiftRight, U32, U32, U32>},
    {"shr.u64", binary<ShiftRight, U64, U64, U32>},
    {"shr.s16", binary<ShiftRight, S16, S16, U32>},
    {"shr.s32", binary<ShiftRight, S32, S32, U32>},
    {"shr.s64", binary<ShiftRight, S64, S64, U32>},
    {"popc.b32", unary<PopCount, U32, U32>},
    {"popc.b64", unary<PopCount, U32, U64>},
    {"clz.b32", unary<LeadingZeros, U32, U32>},
    {"clz.b64", unary<LeadingZeros, U32, U64>},
    {"brev.b32", each<ReverseBits, U32, U32, U32, U32>},
    {"brev.b64", each<ReverseBits, U64, U64, U64, U64>},
    {"bfind.u32", each<FindLeading, U32, U32, U32, U32>},
    {"bfind.s32", each<FindLeading, U32, S32, U32, U32>},
    {"bfind.u64", each<FindLeading, U32, U64, U32, U32>},
    {"bfind.s64", each<FindLeading, U32, S64, U32, U32>},
    {"bfe.u32", each<ExtractField, U32, U32, U32, U32>},
    {"bfe.s32", each<ExtractField, S32, S32, U32, U32>},
    {"bfe.u64", each<ExtractField, U64, U64, U32, U32>},
    {"bfe.s64", each<ExtractField, S64, S64, U32, U32>},
    {"bfi.b32", insert<u32>},
    {"bfi.b64", insert<u64>},
    {"prmt.b32", each<PermuteBytes, U32, U32, U32, U32>},
    {"lop3.b32", logic3_op},
    {"shf.b32", each<FunnelShift, U32, U32, U32, U32>},
    {"bmsk.b32", each<BitMask, U32, U32, U32, U32>},
    {"szext.b32", each<ExtendFrom, U32, U32, U32, U32>},
    {"fns.b32", each<FindNthSet, U32, U32, U32, U32>},
    {"dp4a", each<DotProduct, U32, U32, U32, U32>},
    {"addc.32", add_carry<u32>},
    {"addc.64", add_carry<u64>},
    {"madc.32", mad_carry<u32, u64, s64>},
    {"madc.64", mad_carry<u64, u128, s128>},
    {"pair.16x2", each<PairArithmetic, U32, U32, U32, U32>},
    {"video", video},
    {"relu.s32", each<ReluExtreme, S32, S32, S32, S32>},

    {"add.f32", binary<FAdd, F32, F32>},
    {"add.f64", binary<FAdd, F64, F64>},
    {"sub.f32", binary<FSub, F32, F32>},
    {"sub.f64", binary<FSub, F64, F64>},
    {"mul.f32", binary<FMul, F32, F32>},
    {"mul.f64", binary<FMul, F64, F64>},
    {"div.f32", binary<FDiv, F32, F32>},
    {"div.f64", binary<FDiv, F64, F64>},
    {"fma.f32", ternary<FFma, F32, F32, F32, F32>},
    {"fma.f64", ternary<FFma, F64, F64, F64, F64>},
    {"rcp.f32", unary<FRcp, F32, F32>},
    {"rcp.f64", unary<FRcp, F64, F64>},
    {"sqrt.f32", unary<FSqrt, F32, F32>},
    {"sqrt.f64", unary<FSqrt, F64, F64>},
    {"abs.f32", unary<FAbs, F32, F32>},
    {"abs.f64", unary<FAbs, F64, F64>},
    {"neg.f32", unary<FNeg, F32, F32>},
    {"neg.f64", unary<FNeg, F64, F64>},
    {"min.f32", binary<FExtreme<false, false>, F32, F32>},
    {"min.f64", binary<FExtreme<false, false>, F64, F64>},
    {"max.f32", binary<FExtreme<true, false>, F32, F32>},
    {"max.f64", binary<FExtreme<true, false>, F64, F64>},
    {"min.NaN.f32", binary<FExtreme<false, true>, F32, F32>},
    {"max.NaN.f32", binary<FExtreme<true, true>, F32, F32>},
    {"min.forms.f32", each<FExtremeForms<false, false>, F32, F32, F32, F32>},
    {"max.forms.f32", each<FExtremeForms<true, false>, F32, F32, F32, F32>},
    {"min.NaN.forms.f32", each<FExtremeForms<false, true>, F32, F32, F32, F32>},
    {"max.NaN.forms.f32", each<FExtremeForms<true, true>, F32, F32, F32, F32>},
    {"copysign.f32", binary<CopySign, F32, F32>},
    {"copysign.f64", binary<CopySign, F64, F64>},
    SOFTGPU_FORMS2("add", FAdd),
    SOFTGPU_FORMS2("sub", FSub),
    SOFTGPU_FORMS2("mul", FMul),
    {"fma.ftz.f32", ternary<Flushing<FFma>, F32, F32, F32, F32>},
    {"fma.sat.f32", ternary<Saturating<FFma>, F32, F32, F32, F32>},
    {"fma.ftz.sat.f32", ternary<Saturating<Flushing<FFma>>, F32, F32, F32, F32>},
    {"div.ftz.f32", binary<Flushing<FDiv>, F32, F32>},
    {"rcp.ftz.f32", unary<Flushing<FRcp>, F32, F32>},
    {"sqrt.ftz.f32", unary<Flushing<FSqrt>, F32, F32>},
    {"abs.ftz.f32", unary<Flushing<FAbs>, F32, F32>},
    {"neg.ftz.f32", unary<Flushing<FNeg>, F32, F32>},
    {"min.ftz.f32", binary<Flushing<FExtreme<false, false>>, F32, F32>},
    {"max.ftz.f32", binary<Flushing<FExtreme<true, false>>, F32, F32>},
    SOFTGPU_CONTROLLED("add", FAdd),
    SOFTGPU_CONTROLLED("sub", FSub),
    SOFTGPU_CONTROLLED("mul", FMul),
    SOFTGPU_CONTROLLED("div", FDiv),
    SOFTGPU_CONTROLLED("fma", FFma),
    SOFTGPU_CONTROLLED("rcp", FRcp),
    SOFTGPU_CONTROLLED("sqrt", FSqrt),
    SOFTGPU_CONTROLLED("abs", FAbs),
    SOFTGPU_CONTROLLED("neg", FNeg),
    {"min.f32.mode", controlled<FExtreme<false, false>, F32>},
    {"max.f32.mode", controlled<FExtreme<true, false>, F32>},
    {"ex2", wide<Approximate<Exp2>, F32, F32, F32, F32>},
    {"lg2", wide<Approximate<Log2>, F32, F32, F32, F32>},
    {"sin", approximate_sine<Sine<0>>},
    {"cos", approximate_sine<Sine<1>>},
    {"tanh", wide<Approximate<Tanh>, F32, F32, F32, F32>},
    {"rcp.approx", wide<Approximate<Reciprocal>, F32, F32, F32, F32>},
    {"sqrt.approx", wide<Approximate<SquareRoot>, F32, F32, F32, F32>},
    {"rsqrt", wide<Approximate<ReciprocalRoot>, F32, F32, F32, F32>},
    {"div.approx", wide<ApproximateDivide, F32, F32, F32, F32>},
    {"rcp.approx.f64", each<ApproximateRcp64, F64, F64, F64, F64>},
    {"rsqrt.f64", each<ApproximateRsqrt64, F64, F64, F64, F64>},
    {"jitter.f32", jitter<F32>},
    {"jitter.f64", jitter<F64>},
    {"jitter.f16", jitter<F16>},
    {"jitter.bf16", jitter<BF16>},
    {"testp.f32", testp<float, u32>},
    {"testp.f64", testp<double, u64>},
    {"slct.b32.s32", ternary<SelectBySign, U32, U32, U32, S32>},
    {"slct.b64.s32", ternary<SelectBySign, U64, U64, U64, S32>},
    {"slct.b32.ftz.f32", ternary<SelectBySignFlushed, U32, U32, U32, F32>},
    {"slct.b64.ftz.f32", ternary<SelectBySignFlushed, U64, U64, U64, F32>},
    {"slct.b32.f32", ternary<SelectBySign, U32, U32, U32, F32>},
    {"slct.b64.f32", ternary<SelectBySign, U64, U64, U64, F32>},

    SOFTGPU_COMPARE("eq", Eq),
    SOFTGPU_COMPARE("ne", NeInteger),
    SOFTGPU_COMPARE("lt", Lt),
    SOFTGPU_COMPARE("le", Le),
    SOFTGPU_COMPARE("gt", Gt),
    SOFTGPU_COMPARE("ge", Ge),
    SOFTGPU_COMPARE_REAL("eq", Eq),
    SOFTGPU_COMPARE_REAL("ne", Ne),
    SOFTGPU_COMPARE_REAL("lt", Lt),
    SOFTGPU_COMPARE_REAL("le", Le),
    SOFTGPU_COMPARE_REAL("gt", Gt),
    SOFTGPU_COMPARE_REAL("ge", Ge),
    SOFTGPU_COMPARE_REAL("equ", Equ),
    SOFTGPU_COMPARE_REAL("neu", Neu),
    SOFTGPU_COMPARE_REAL("ltu", Ltu),
    SOFTGPU_COMPARE_REAL("leu", Leu),
    SOFTGPU_COMPARE_REAL("gtu", Gtu),
    SOFTGPU_COMPARE_REAL("geu", Geu),
    SOFTGPU_COMPARE_REAL("num", Num),
    SOFTGPU_COMPARE_REAL("nan", Nan),
    {"setp.f16", setp_half<F16>},
    {"setp.bf16", setp_half<BF16>},
    {"set.f16", set_half<F16>},
    {"set.bf16", set_half<BF16>},
    {"half.f16", each<HalfArithmetic<F16>, U32, U32, U32, U32>},
    {"half.bf16", each<HalfArithmetic<BF16>, U32, U32, U32, U32>},
    {"pred.mov", pred_mov},
    {"pred.not", pred_not},
    {"pred.and", pred_and},
    {"pred.or", pred_or},
    {"pred.xor", pred_xor},
    {"pred.from", pred_from_register},
    {"selp.32", select_by_predicate<u32>},
    {"selp.64", select_by_predicate<u64>},

    SOFTGPU_FROM_INTEGERS("u8", U8),
    SOFTGPU_FROM_INTEGERS("s8", S8),
    SOFTGPU_FROM_INTEGERS("u16", U16),
    SOFTGPU_FROM_INTEGERS("s16", S16),
    SOFTGPU_FROM_INTEGERS("u32", U32),
    SOFTGPU_FROM_INTEGERS("s32", S32),
    SOFTGPU_FROM_INTEGERS("u64", U64),
    SOFTGPU_FROM_INTEGERS("s64", S64),
    SOFTGPU_TO_REAL("f32", F32),
    SOFTGPU_TO_REAL("f64", F64),
    SOFTGPU_TO_HALF("f16", F16),
    SOFTGPU_TO_HALF("bf16", BF16),
    {"cvtw.f64.f32", unary<ConvertPlain<F64, F32>, F64, F32>},
    {"cvtw.f32.s32", unary<ConvertPlain<F32, S32>, F32, S32>},
    {"cvtw.f32.u32", unary<ConvertPlain<F32, U32>, F32, U32>},
    {"cvtw.f64.s32", unary<ConvertPlain<F64, S32>, F64, S32>},
    {"cvtw.f32.f16", unary<ConvertPlain<F32, F16>, F32, F16>},
    {"cvtw.f32.bf16", unary<ConvertPlain<F32, BF16>, F32, BF16>},
    {"cvtw.f64.u32", unary<ConvertPlain<F64, U32>, F64, U32>},
    {"cvtw.f32.f64", unary<ConvertRounded, F32, F64>},
    {"cvtw.f16.f32", unary<ConvertPlain<F16, F32>, F16, F32>},
    {"cvtw.bf16.f32", unary<ConvertPlain<BF16, F32>, BF16, F32>},
    {"cvt.f16x2", each<ConvertPair<F16>, U32, F32, F32, F32>},
    {"cvt.bf16x2", each<ConvertPair<BF16>, U32, F32, F32, F32>},
    {"cvt.pack", each<PackFields, U32, U32, U32, U32>},
    {"cvt.tf32", each<ConvertTf32, U32, U32, U32, U32>},

    {"mov.32", move32},
    {"mov.64", move64},
    {"mov.128", move128},
    {"widen", widen},
    {"narrow", narrow},
    {"extract64", extract_from64},
    {"extract32", extract_from32},
    {"join32", join32},
    {"join64", join64},
    {"addi.64", add_immediate64},
    {"clock", read_clock},

    SOFTGPU_LOADS("u8", u8, "32", u32),
    SOFTGPU_LOADS("s8", s8, "32", u32),
    SOFTGPU_LOADS("u16", u16, "32", u32),
    SOFTGPU_LOADS("s16", s16, "32", u32),
    SOFTGPU_LOADS("u32", u32, "32", u32),
    SOFTGPU_LOADS("s32", s32, "32", u32),
    SOFTGPU_LOADS("u8", u8, "64", u64),
    SOFTGPU_LOADS("s8", s8, "64", u64),
    SOFTGPU_LOADS("u16", u16, "64", u64),
    SOFTGPU_LOADS("s16", s16, "64", u64),
    SOFTGPU_LOADS("u32", u32, "64", u64),
    SOFTGPU_LOADS("s32", s32, "64", u64),
    SOFTGPU_LOADS("u64", u64, "64", u64),
    SOFTGPU_LOADS("s64", s64, "64", u64),
    SOFTGPU_STORES("8", u8, "32", u32),
    SOFTGPU_STORES("16", u16, "32", u32),
    SOFTGPU_STORES("32", u32, "32", u32),
    SOFTGPU_STORES("8", u8, "64", u64),
    SOFTGPU_STORES("16", u16, "64", u64),
    SOFTGPU_STORES("32", u32, "64", u64),
    SOFTGPU_STORES("64", u64, "64", u64),
    {"ld.vector32", load_vector<u32>},
    {"ld.vector64", load_vector<u64>},
    {"st.vector32", store_vector<u32>},
    {"st.vector64", store_vector<u64>},
    {"ld.narrow2", load_narrow<u16>},
    {"ld.narrow4", load_narrow<u32>},
    {"ld.narrow8", load_narrow<u64>},
    {"st.narrow2", store_narrow<u16>},
    {"st.narrow4", store_narrow<u32>},
    {"st.narrow8", store_narrow<u64>},
    {"split128", split128},
    {"join128", join128},
    {"atom.128", atomic128},
    {"bar.cluster", barrier_cluster},
    {"ld.pieces", load_pieces},
    {"st.pieces", store_pieces},
    {"ld.frame", load_frame},
    {"st.frame", store_frame},
    {"spill", spill_parameter},
    {"local.address", local_address},
    {"to.generic", to_generic},
    {"from.generic", from_generic},
    {"isspacep", is_space},
    SOFTGPU_ATOMIC_INTEGER("u32", U32),
    SOFTGPU_ATOMIC_INTEGER("s32", S32),
    SOFTGPU_ATOMIC_INTEGER("u64", U64),
    SOFTGPU_ATOMIC_INTEGER("s64", S64),
    SOFTGPU_ATOMIC_BITS("b32", U32),
    SOFTGPU_ATOMIC_BITS("b64", U64),
    {"atom.inc.u32", atomic<U32, atom_inc>},
    {"atom.dec.u32", atomic<U32, atom_dec>},
    SOFTGPU_ATOMIC_SHARED("add.u32", U32, atom_add),
    SOFTGPU_ATOMIC_SHARED("add.s32", U32, atom_add),
    SOFTGPU_ATOMIC_SHARED("add.f32", F32, atom_add),
    SOFTGPU_ATOMIC_SHARED("min.u32", U32, atom_min),
    SOFTGPU_ATOMIC_SHARED("min.s32", S32, atom_min),
    SOFTGPU_ATOMIC_SHARED("max.u32", U32, atom_max),
    SOFTGPU_ATOMIC_SHARED("max.s32", S32, atom_max),
    SOFTGPU_ATOMIC_SHARED("and.b32", U32, atom_and),
    SOFTGPU_ATOMIC_SHARED("or.b32", U32, atom_or),
    SOFTGPU_ATOMIC_SHARED("xor.b32", U32, atom_xor),
    SOFTGPU_ATOMIC_SHARED("exch.b32", U32, atom_exch),
    SOFTGPU_ATOMIC_SHARED("cas.b32", U32, atom_cas),
    SOFTGPU_ATOMIC_SHARED("inc.u32", U32, atom_inc),
    SOFTGPU_ATOMIC_SHARED("dec.u32", U32, atom_dec),
    {"atom.add.f32", atomic<F32, atom_add>},
    {"atom.add.f64", atomic<F64, atom_add>},
    {"atom.min.f32", atomic<F32, atom_min>},
    {"atom.max.f32", atomic<F32, atom_max>},
    {"atom.half", atomic_half},

    {"bra", branch},
    {"bra.short", short_branch},
    {"join", join},
    {"loop", loop_head},
    {"call", call},
    {"call.register", call_register},
    {"service", service},
    {"tex", fetch_texture},
    {"bar.result", barrier_result},
    {"brx", branch_table},
    {"exit", exit_op},
    {"ret", return_op},
    {"nop", nothing},
    {"fence", fence},
    {"yield", yield_op},
    {"trap", trap},
    {"unsupported", unsupported},
    {"bar", barrier},
    {"bar.warp", warp_barrier},
    {"shfl", shuffle},
    {"vote", vote},
    {"match.32", match<u32>},
    {"match.64", match<u64>},
    {"activemask", active_mask},
    {"redux", reduce_warp},
    {"elect", elect},
};
