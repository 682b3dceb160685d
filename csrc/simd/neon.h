/* The vector vocabulary on AArch64 (16-byte vectors), for the `real` chosen by FR_BITS. Meanings: avx512.h. */
#include <arm_neon.h>

#define V_REGS 32
#if FR_BITS == 32
#define V_LANES 4
#define V_OP(name) name##_f32
typedef float32x4_t v_t;
typedef uint32x4_t v_m;
#else
#define V_LANES 2
#define V_OP(name) name##_f64
typedef float64x2_t v_t;
typedef uint64x2_t v_m;
#endif

FR_INLINE v_t v_load(const real *p) { return V_OP(vld1q)(p); }
FR_INLINE void v_store(real *p, v_t v) { V_OP(vst1q)(p, v); }

/* There are no masked accesses, so a tail goes lane by lane through a vector on the stack. */
FR_INLINE v_t v_load_part(const real *p, int n)
{
    real lanes[V_LANES] = {0};
    for (int i = 0; i < n; i++) lanes[i] = p[i];
    return V_OP(vld1q)(lanes);
}
FR_INLINE void v_store_part(real *p, v_t v, int n)
{
    real lanes[V_LANES];
    V_OP(vst1q)(lanes, v);
    for (int i = 0; i < n; i++) p[i] = lanes[i];
}
FR_INLINE v_t v_set1(real s) { return V_OP(vdupq_n)(s); }
FR_INLINE v_t v_zero(void) { return V_OP(vdupq_n)((real)0); }
FR_INLINE v_t v_bcast(const real *p) { return V_OP(vld1q_dup)(p); }

FR_INLINE void v_transpose(v_t row[V_LANES])
{
    for (int i = 0; i < V_LANES; i += 2) {
        const v_t a = row[i], b = row[i + 1];
        row[i] = V_OP(vtrn1q)(a, b);
        row[i + 1] = V_OP(vtrn2q)(a, b);
    }
#if FR_BITS == 32
    for (int k = 0; k < 2; k++) {
        const float64x2_t a = vreinterpretq_f64_f32(row[k]), b = vreinterpretq_f64_f32(row[k + 2]);
        row[k] = vreinterpretq_f32_f64(vtrn1q_f64(a, b));
        row[k + 2] = vreinterpretq_f32_f64(vtrn2q_f64(a, b));
    }
#endif
}

FR_INLINE v_t v_add(v_t a, v_t b) { return V_OP(vaddq)(a, b); }
FR_INLINE v_t v_sub(v_t a, v_t b) { return V_OP(vsubq)(a, b); }
FR_INLINE v_t v_mul(v_t a, v_t b) { return V_OP(vmulq)(a, b); }
FR_INLINE v_t v_div(v_t a, v_t b) { return V_OP(vdivq)(a, b); }
FR_INLINE v_t v_fma(v_t a, v_t b, v_t c) { return V_OP(vfmaq)(c, a, b); }
FR_INLINE v_t v_fnma(v_t a, v_t b, v_t c) { return V_OP(vfmsq)(c, a, b); }

FR_INLINE v_m v_lt(v_t a, v_t b) { return V_OP(vcltq)(a, b); }
FR_INLINE v_m v_le(v_t a, v_t b) { return V_OP(vcleq)(a, b); }

FR_INLINE v_m v_flags(const unsigned char *p)
{
    real lanes[V_LANES];
    for (int i = 0; i < V_LANES; i++) lanes[i] = p[i];
    return v_lt(v_zero(), v_load(lanes));
}

FR_INLINE v_t v_select(v_m m, v_t a, v_t b) { return V_OP(vbslq)(m, a, b); }

/* Compare and select: FMIN and FMAX would answer NaN for a NaN on either side, the others answer b. */
FR_INLINE v_t v_min(v_t a, v_t b) { return V_OP(vbslq)(V_OP(vcltq)(a, b), a, b); }
FR_INLINE v_t v_max(v_t a, v_t b) { return V_OP(vbslq)(V_OP(vcgtq)(a, b), a, b); }

FR_INLINE v_t v_abs(v_t v) { return V_OP(vabsq)(v); }
FR_INLINE v_t v_neg(v_t v) { return V_OP(vnegq)(v); }
FR_INLINE v_t v_round(v_t v) { return V_OP(vrndnq)(v); }

#if FR_BITS == 32
#define V_POW2 12583039.0f /* 1.5 2^23 + 127 */
FR_INLINE v_t v_copysign(v_t mag, v_t sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, mag); }
FR_INLINE v_t v_pow2(v_t t) { return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(t), 23)); }
FR_INLINE v_m v_isnan(v_t v) { return vmvnq_u32(vceqq_f32(v, v)); }
#else
#define V_POW2 6755399441056767.0 /* 1.5 2^52 + 1023 */
FR_INLINE v_t v_copysign(v_t mag, v_t sign) { return vbslq_f64(vdupq_n_u64(0x8000000000000000u), sign, mag); }
FR_INLINE v_t v_pow2(v_t t) { return vreinterpretq_f64_u64(vshlq_n_u64(vreinterpretq_u64_f64(t), 52)); }
FR_INLINE v_m v_isnan(v_t v)
{
    return vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(vceqq_f64(v, v))));
}
#endif

/* In two halves: see avx2.h. */
FR_INLINE v_t v_ldexp(v_t v, v_t n)
{
    const v_t bias = v_set1(V_POW2), half = v_round(v_mul(n, v_set1((real)0.5)));
    return v_mul(v_mul(v, v_pow2(v_add(half, bias))), v_pow2(v_add(v_sub(n, half), bias)));
}
