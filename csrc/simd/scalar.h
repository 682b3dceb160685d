/* The vector vocabulary on any processor, for the `real` chosen by FR_BITS. Meanings: avx512.h.
 *
 * 16-byte vectors that the compiler maps to what the platform's baseline has (SSE2 on x86-64). There is no fused
 * multiply-add there, and emulating one costs more than it is worth: v_fma rounds twice, and results differ from
 * the other instruction sets within the documented bounds.
 */
#define V_REGS 16
#if FR_BITS == 32
#define V_LANES 4
#define V_SIGN 0x80000000u
#define V_POW2 12583039.0f  /* 1.5 2^23 + 127 */
#define V_WHOLE 8388608.0f  /* 2^23: from here on every float is an integer */
typedef uint32_t v_word_;
#else
#define V_LANES 2
#define V_SIGN 0x8000000000000000ull
#define V_POW2 6755399441056767.0  /* 1.5 2^52 + 1023 */
#define V_WHOLE 4503599627370496.0 /* 2^52 */
typedef uint64_t v_word_;
#endif
typedef FR_VECTOR(real, 16) v_t;
typedef FR_VECTOR(v_word_, 16) v_bits_;
typedef FR_VECTOR(real_int, 16) v_m; /* -1 or 0 in each lane */

FR_INLINE v_t v_set1(real s)
{
#if FR_BITS == 32
    return (v_t){s, s, s, s};
#else
    return (v_t){s, s};
#endif
}
/* memcpy, which becomes one unaligned move: dereferencing p as a vector would promise alignment. */
FR_INLINE v_t v_load(const real *p)
{
    v_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
FR_INLINE void v_store(real *p, v_t v) { __builtin_memcpy(p, &v, sizeof v); }
FR_INLINE v_t v_load_part(const real *p, int n)
{
    v_t v = {0};
    for (int i = 0; i < V_LANES; i++)
        if (i < n) v[i] = p[i];
    return v;
}
FR_INLINE void v_store_part(real *p, v_t v, int n)
{
    for (int i = 0; i < V_LANES; i++)
        if (i < n) p[i] = v[i];
}
FR_INLINE v_t v_zero(void) { return v_set1((real)0); }
FR_INLINE v_t v_bcast(const real *p) { return v_set1(*p); }

/* One compiler's name for interleaving two vectors is the other's error. */
#if defined(__clang__)
#define V_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define V_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (v_m){__VA_ARGS__})
#endif
FR_INLINE void v_transpose(v_t row[V_LANES])
{
#if FR_BITS == 32
    const v_t ac = V_SHUFFLE(row[0], row[2], 0, 4, 1, 5), ac_high = V_SHUFFLE(row[0], row[2], 2, 6, 3, 7);
    const v_t bd = V_SHUFFLE(row[1], row[3], 0, 4, 1, 5), bd_high = V_SHUFFLE(row[1], row[3], 2, 6, 3, 7);
    row[0] = V_SHUFFLE(ac, bd, 0, 4, 1, 5);
    row[1] = V_SHUFFLE(ac, bd, 2, 6, 3, 7);
    row[2] = V_SHUFFLE(ac_high, bd_high, 0, 4, 1, 5);
    row[3] = V_SHUFFLE(ac_high, bd_high, 2, 6, 3, 7);
#else
    const v_t a = row[0], b = row[1];
    row[0] = V_SHUFFLE(a, b, 0, 2);
    row[1] = V_SHUFFLE(a, b, 1, 3);
#endif
}

FR_INLINE v_t v_add(v_t a, v_t b) { return a + b; }
FR_INLINE v_t v_sub(v_t a, v_t b) { return a - b; }
FR_INLINE v_t v_mul(v_t a, v_t b) { return a * b; }
FR_INLINE v_t v_div(v_t a, v_t b) { return a / b; }
FR_INLINE v_t v_fma(v_t a, v_t b, v_t c) { return a * b + c; }
FR_INLINE v_t v_fnma(v_t a, v_t b, v_t c) { return c - a * b; }

FR_INLINE v_m v_lt(v_t a, v_t b) { return (v_m)(a < b); }
FR_INLINE v_m v_le(v_t a, v_t b) { return (v_m)(a <= b); }

FR_INLINE v_m v_flags(const unsigned char *p)
{
    real lanes[V_LANES];
    for (int i = 0; i < V_LANES; i++) lanes[i] = p[i];
    return v_lt(v_zero(), v_load(lanes));
}
FR_INLINE v_m v_isnan(v_t v) { return (v_m)(v != v); }
FR_INLINE v_t v_select(v_m m, v_t a, v_t b) { return (v_t)((m & (v_m)a) | (~m & (v_m)b)); }
FR_INLINE v_t v_min(v_t a, v_t b) { return v_select(v_lt(a, b), a, b); }
FR_INLINE v_t v_max(v_t a, v_t b) { return v_select(v_lt(b, a), a, b); }

FR_INLINE v_t v_abs(v_t v) { return (v_t)((v_bits_)v & ~V_SIGN); }
FR_INLINE v_t v_neg(v_t v) { return (v_t)((v_bits_)v ^ V_SIGN); }
FR_INLINE v_t v_copysign(v_t mag, v_t sign) { return (v_t)(((v_bits_)mag & ~V_SIGN) | ((v_bits_)sign & V_SIGN)); }

/* Adding 2^23 (2^52) pushes the fraction out under round-to-nearest-even. */
FR_INLINE v_t v_round(v_t v)
{
    const v_t whole = v_set1(V_WHOLE), size = v_abs(v);
    return v_copysign(v_select(v_lt(size, whole), size + whole - whole, size), v);
}

FR_INLINE v_t v_pow2(v_t t) { return (v_t)((v_bits_)t << (FR_BITS == 32 ? 23 : 52)); }

/* In two halves: see avx2.h. */
FR_INLINE v_t v_ldexp(v_t v, v_t n)
{
    const v_t bias = v_set1(V_POW2), half = v_round(n * v_set1((real)0.5));
    return v * v_pow2(half + bias) * v_pow2(n - half + bias);
}
