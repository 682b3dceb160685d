/* The vector vocabulary on AVX2 with FMA, for the `real` chosen by FR_BITS. Meanings: avx512.h. */
#include <immintrin.h>

#define V_REGS 16
#if FR_BITS == 32
#define V_LANES 8
#define V_OP(name) _mm256_##name##_ps
typedef __m256 v_t;
typedef __m256 v_m;
#else
#define V_LANES 4
#define V_OP(name) _mm256_##name##_pd
typedef __m256d v_t;
typedef __m256d v_m;
#endif

/* Reading the table n lanes before its zeros gives a mask with n lanes set. Masked lanes can't fault. */
FR_INLINE __m256i v_first_(int n)
{
#if FR_BITS == 32
    static const int table[2 * V_LANES] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
#else
    static const long long table[2 * V_LANES] = {-1, -1, -1, -1, 0, 0, 0, 0};
#endif
    return _mm256_loadu_si256((const __m256i *)(const void *)(table + V_LANES - n));
}

FR_INLINE v_t v_load(const real *p) { return V_OP(loadu)(p); }
FR_INLINE void v_store(real *p, v_t v) { V_OP(storeu)(p, v); }
FR_INLINE v_t v_load_part(const real *p, int n) { return V_OP(maskload)(p, v_first_(n)); }
FR_INLINE void v_store_part(real *p, v_t v, int n) { V_OP(maskstore)(p, v_first_(n), v); }
FR_INLINE v_t v_zero(void) { return V_OP(setzero)(); }
FR_INLINE v_t v_set1(real s) { return V_OP(set1)(s); }
FR_INLINE v_t v_bcast(const real *p) { return V_OP(set1)(*p); }

/* As avx512.h does it, with halves instead of quarters. */
FR_INLINE void v_transpose(v_t row[V_LANES])
{
    enum { S = V_LANES / 2 };
    for (int i = 0; i < V_LANES; i += 2) {
        const v_t a = row[i], b = row[i + 1];
        row[i] = V_OP(unpacklo)(a, b);
        row[i + 1] = V_OP(unpackhi)(a, b);
    }
#if FR_BITS == 32
    for (int i = 0; i < V_LANES; i += 4) {
        const __m256d a = _mm256_castps_pd(row[i]), b = _mm256_castps_pd(row[i + 1]);
        const __m256d c = _mm256_castps_pd(row[i + 2]), d = _mm256_castps_pd(row[i + 3]);
        row[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
        row[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
        row[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
        row[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
    }
#endif
    for (int k = 0; k < S; k++) {
        const v_t a = row[k], b = row[k + S];
        row[k] = V_OP(permute2f128)(a, b, 0x20);
        row[k + S] = V_OP(permute2f128)(a, b, 0x31);
    }
}

FR_INLINE v_t v_add(v_t a, v_t b) { return V_OP(add)(a, b); }
FR_INLINE v_t v_sub(v_t a, v_t b) { return V_OP(sub)(a, b); }
FR_INLINE v_t v_mul(v_t a, v_t b) { return V_OP(mul)(a, b); }
FR_INLINE v_t v_div(v_t a, v_t b) { return V_OP(div)(a, b); }
FR_INLINE v_t v_fma(v_t a, v_t b, v_t c) { return V_OP(fmadd)(a, b, c); }
FR_INLINE v_t v_fnma(v_t a, v_t b, v_t c) { return V_OP(fnmadd)(a, b, c); }
FR_INLINE v_t v_min(v_t a, v_t b) { return V_OP(min)(a, b); }
FR_INLINE v_t v_max(v_t a, v_t b) { return V_OP(max)(a, b); }

FR_INLINE v_t v_abs(v_t v) { return V_OP(andnot)(V_OP(set1)((real)-0.0), v); }
FR_INLINE v_t v_neg(v_t v) { return V_OP(xor)(V_OP(set1)((real)-0.0), v); }
FR_INLINE v_t v_copysign(v_t mag, v_t sign)
{
    const v_t bit = V_OP(set1)((real)-0.0);
    return V_OP(or)(V_OP(andnot)(bit, mag), V_OP(and)(bit, sign));
}

FR_INLINE v_t v_round(v_t v) { return V_OP(round)(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

#if FR_BITS == 32
#define V_POW2 12583039.0f /* 1.5 2^23 + 127 */
FR_INLINE v_t v_pow2(v_t t) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t), 23)); }
#else
#define V_POW2 6755399441056767.0 /* 1.5 2^52 + 1023 */
FR_INLINE v_t v_pow2(v_t t) { return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(t), 52)); }
#endif

/* In two halves, because 2^n alone may not be a normal number. The first product is exact for a normal v that n
 * doesn't take past twice the exponent range, so the result is rounded once, as AVX-512 does it. */
FR_INLINE v_t v_ldexp(v_t v, v_t n)
{
    const v_t bias = v_set1(V_POW2), half = v_round(v_mul(n, v_set1((real)0.5)));
    return v_mul(v_mul(v, v_pow2(v_add(half, bias))), v_pow2(v_add(v_sub(n, half), bias)));
}

FR_INLINE v_m v_lt(v_t a, v_t b) { return V_OP(cmp)(a, b, _CMP_LT_OQ); }
FR_INLINE v_m v_le(v_t a, v_t b) { return V_OP(cmp)(a, b, _CMP_LE_OQ); }

FR_INLINE v_m v_flags(const unsigned char *p)
{
#if FR_BITS == 32
    const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(wide, _mm256_setzero_si256()));
#else
    int four;
    __builtin_memcpy(&four, p, sizeof four);
    return _mm256_castsi256_pd(_mm256_cmpgt_epi64(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four)), _mm256_setzero_si256()));
#endif
}

FR_INLINE v_m v_isnan(v_t v) { return V_OP(cmp)(v, v, _CMP_UNORD_Q); }
FR_INLINE v_t v_select(v_m m, v_t a, v_t b) { return V_OP(blendv)(b, a, m); }
