/* The vector vocabulary on AVX-512 (F, DQ, BW, VL), for the `real` chosen by FR_BITS.
 *
 * scalar.h, avx2.h, avx512.h and neon.h give the same names the same meaning; base/config.h comes first.
 * Apart from v_fma, every operation gives the same bits on every instruction set, and v_fma does on all but `scalar`.
 */
#include <immintrin.h>

#define V_REGS 32
#if FR_BITS == 32
#define V_LANES 16
#define V_OP(name) _mm512_##name##_ps
#define V_MASK_OP(name) _mm512_##name##_ps_mask
typedef __m512 v_t;
typedef __mmask16 v_m;
#else
#define V_LANES 8
#define V_OP(name) _mm512_##name##_pd
#define V_MASK_OP(name) _mm512_##name##_pd_mask
typedef __m512d v_t;
typedef __mmask8 v_m;
#endif

/* Memory. No alignment is asked for. *_part touch the first n lanes only (0 <= n <= V_LANES): masked lanes
 * can't fault, so a tail may end at the last byte of a page. */
FR_INLINE v_t v_load(const real *p) { return V_OP(loadu)(p); }
FR_INLINE void v_store(real *p, v_t v) { V_OP(storeu)(p, v); }
FR_INLINE v_t v_load_part(const real *p, int n) { return V_OP(maskz_loadu)((v_m)((1u << n) - 1u), p); }
FR_INLINE void v_store_part(real *p, v_t v, int n) { V_OP(mask_storeu)(p, (v_m)((1u << n) - 1u), v); }
FR_INLINE v_t v_zero(void) { return V_OP(setzero)(); }
FR_INLINE v_t v_set1(real s) { return V_OP(set1)(s); }
FR_INLINE v_t v_bcast(const real *p) { return V_OP(set1)(*p); }

/* row[i] lane j and row[j] lane i change places. Shuffles move bits as they are: NaNs keep their payloads.
 * First within each 16 bytes: quarter q of row[S i + k] becomes column S q + k of the rows from S i on, S of them as a
 * quarter holds S reals.  Then the quarters. */
#if FR_BITS == 32
#define V_QUARTERS(a, b, which) _mm512_shuffle_f32x4(a, b, which)
#else
#define V_QUARTERS(a, b, which) _mm512_shuffle_f64x2(a, b, which)
#endif
FR_INLINE void v_transpose(v_t row[V_LANES])
{
    enum { S = V_LANES / 4 };
    for (int i = 0; i < V_LANES; i += 2) {
        const v_t a = row[i], b = row[i + 1];
        row[i] = V_OP(unpacklo)(a, b);
        row[i + 1] = V_OP(unpackhi)(a, b);
    }
#if FR_BITS == 32
    for (int i = 0; i < V_LANES; i += 4) {
        const __m512d a = _mm512_castps_pd(row[i]), b = _mm512_castps_pd(row[i + 1]);
        const __m512d c = _mm512_castps_pd(row[i + 2]), d = _mm512_castps_pd(row[i + 3]);
        row[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        row[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        row[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        row[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
#endif
    for (int k = 0; k < S; k++) {
        const v_t a = row[k], b = row[k + S], c = row[k + 2 * S], d = row[k + 3 * S];
        const v_t ab_even = V_QUARTERS(a, b, 0x88), ab_odd = V_QUARTERS(a, b, 0xdd);
        const v_t cd_even = V_QUARTERS(c, d, 0x88), cd_odd = V_QUARTERS(c, d, 0xdd);
        row[k] = V_QUARTERS(ab_even, cd_even, 0x88);
        row[k + S] = V_QUARTERS(ab_odd, cd_odd, 0x88);
        row[k + 2 * S] = V_QUARTERS(ab_even, cd_even, 0xdd);
        row[k + 3 * S] = V_QUARTERS(ab_odd, cd_odd, 0xdd);
    }
}

FR_INLINE v_t v_add(v_t a, v_t b) { return V_OP(add)(a, b); }
FR_INLINE v_t v_sub(v_t a, v_t b) { return V_OP(sub)(a, b); }
FR_INLINE v_t v_mul(v_t a, v_t b) { return V_OP(mul)(a, b); }
FR_INLINE v_t v_div(v_t a, v_t b) { return V_OP(div)(a, b); }
FR_INLINE v_t v_fma(v_t a, v_t b, v_t c) { return V_OP(fmadd)(a, b, c); }   /* a b + c */
FR_INLINE v_t v_fnma(v_t a, v_t b, v_t c) { return V_OP(fnmadd)(a, b, c); } /* c - a b */

/* a < b ? a : b and a > b ? a : b, so a NaN on either side gives b. */
FR_INLINE v_t v_min(v_t a, v_t b) { return V_OP(min)(a, b); }
FR_INLINE v_t v_max(v_t a, v_t b) { return V_OP(max)(a, b); }

FR_INLINE v_t v_abs(v_t v) { return V_OP(andnot)(V_OP(set1)((real)-0.0), v); }
FR_INLINE v_t v_neg(v_t v) { return V_OP(xor)(V_OP(set1)((real)-0.0), v); }

/* 0xd8 = (sign bit of s where the mask is set, else mag). */
FR_INLINE v_t v_copysign(v_t mag, v_t sign)
{
#if FR_BITS == 32
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(mag), _mm512_castps_si512(sign),
                                                         _mm512_set1_epi32((int)0x80000000u), 0xd8));
#else
    return _mm512_castsi512_pd(_mm512_ternarylogic_epi64(_mm512_castpd_si512(mag), _mm512_castpd_si512(sign),
                                                         _mm512_set1_epi64((long long)0x8000000000000000ull), 0xd8));
#endif
}

/* Nearest integer, ties to even. */
FR_INLINE v_t v_round(v_t v) { return V_OP(roundscale)(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

/* v 2^n, n integer-valued, rounded once: also where the result is subnormal, zero or infinite. */
FR_INLINE v_t v_ldexp(v_t v, v_t n) { return V_OP(scalef)(v, n); }

/* 2^n from t = V_POW2 + n. That sum rounds n to an integer and leaves n + bias in the low bits of t, so one shift
 * makes the power of two. -bias <= n <= bias, where n = -bias gives 0. */
#if FR_BITS == 32
#define V_POW2 12583039.0f /* 1.5 2^23 + 127 */
FR_INLINE v_t v_pow2(v_t t) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(t), 23)); }
#else
#define V_POW2 6755399441056767.0 /* 1.5 2^52 + 1023 */
FR_INLINE v_t v_pow2(v_t t) { return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(t), 52)); }
#endif

FR_INLINE v_m v_lt(v_t a, v_t b) { return V_MASK_OP(cmp)(a, b, _CMP_LT_OQ); }
FR_INLINE v_m v_le(v_t a, v_t b) { return V_MASK_OP(cmp)(a, b, _CMP_LE_OQ); }

/* Set where the byte is not zero. */
FR_INLINE v_m v_flags(const unsigned char *p)
{
#if FR_BITS == 32
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
#else
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)p);
#endif
    return (v_m)_mm_test_epi8_mask(bytes, bytes);
}

FR_INLINE v_m v_isnan(v_t v) { return V_MASK_OP(cmp)(v, v, _CMP_UNORD_Q); }
FR_INLINE v_t v_select(v_m m, v_t a, v_t b) { return V_OP(mask_blend)(m, b, a); } /* m ? a : b */
