/* Compiler attributes and the element type.  Nothing else in csrc/ may name an
 * attribute, so that another compiler needs changes here only. */
#ifndef FR_CONFIG_H
#define FR_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
/* Holds `static` already.  Forced, because a tile's helper left out of line costs a call
 * per vector. */
#define FR_INLINE static inline __attribute__((always_inline, unused))
#define FR_ALIGN(n) __attribute__((aligned(n)))
#define FR_HIDDEN __attribute__((visibility("hidden")))
#define FR_UNUSED __attribute__((unused))
#define FR_NOINLINE __attribute__((noinline))
#define FR_VECTOR(type, bytes) type __attribute__((vector_size(bytes)))
#define FR_RESTRICT restrict
#define FR_LIKELY(x) __builtin_expect(!!(x), 1)
#define FR_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Unrolls the loop that follows completely: arrays of vectors become registers only then. */
#define FR_UNROLL _Pragma("GCC unroll 8")
#define FR_UNROLL_MORE _Pragma("GCC unroll 16")
/* Two rounds of the loop that follows at a time. */
#define FR_UNROLL_TWO _Pragma("GCC unroll 2")
/* Into the second-level cache, for later; into the first, to be written soon. */
#define FR_PREFETCH_FAR(p) __builtin_prefetch(p, 0, 2)
#define FR_PREFETCH_WRITE(p) __builtin_prefetch(p, 1, 3)
#else
#error "fastrnn builds with gcc and clang; teach csrc/base/config.h this compiler"
#endif

/* Bytes of a 64-bit word in memory, the lowest first. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define FR_LOWEST_FIRST(word) __builtin_bswap64(word)
#else
#define FR_LOWEST_FIRST(word) (word)
#endif

/* In a loop that waits for another core: gives the sibling thread the execution units. */
#if defined(__x86_64__)
#define FR_PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define FR_PAUSE() __asm__ volatile("yield")
#else
#define FR_PAUSE() ((void)0)
#endif

/* Two steps, so that macro arguments are expanded before they are joined:
 * FR_CAT(fr_table_avx2_f, FR_BITS) is fr_table_avx2_f32. */
#define FR_CAT_(a, b) a##b
#define FR_CAT(a, b) FR_CAT_(a, b)
#define FR_CAT3_(a, b, c) a##b##c
#define FR_CAT3(a, b, c) FR_CAT3_(a, b, c)

/* Largest cache line (and largest vector) of any processor we compile for. */
#define FR_LINE 64

#ifdef FR_BITS
#if FR_BITS == 32
typedef float real;
typedef int32_t real_int; /* same width: bits of a real, lanes of a mask */
#define FR_ROOT(x) __builtin_sqrtf(x) /* one instruction, rounded as IEEE 754 says; -fno-math-errno keeps libm out */
#elif FR_BITS == 64
typedef double real;
typedef int64_t real_int;
#define FR_ROOT(x) __builtin_sqrt(x)
#else
#error "FR_BITS is 32 or 64"
#endif
#endif

#endif
