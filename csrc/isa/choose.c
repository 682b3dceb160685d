/* One list, one rule: an instruction set may run when the processor has all it needs.
 * The tables stay incomplete types here, because their layout depends on the element
 * type and this file knows neither. */
#include "isa/choose.h"

#include "base/cpu.h"

#define DECLARE(isa)                                                                               \
    extern FR_HIDDEN const struct fr_kernels_f32 fr_table_##isa##_f32;                             \
    extern FR_HIDDEN const struct fr_kernels_f64 fr_table_##isa##_f64;
#define ENTRY(isa, needs) {#isa, needs, &fr_table_##isa##_f32, &fr_table_##isa##_f64}

struct fr_kernels_f32;
struct fr_kernels_f64;
DECLARE(scalar)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
#elif defined(__aarch64__)
DECLARE(neon)
#endif

static const struct {
    const char *name;
    unsigned needs;
    const void *f32, *f64;
} isas[] = {
    ENTRY(scalar, 0),
#if defined(__x86_64__)
    ENTRY(avx2, FR_HAS_AVX2),
    ENTRY(avx512, FR_HAS_AVX2 | FR_HAS_AVX512),
#elif defined(__aarch64__)
    ENTRY(neon, FR_HAS_NEON),
#endif
};

int fr_isa_count(void) { return (int)(sizeof isas / sizeof isas[0]); }

const char *fr_isa_name(int isa) { return isas[isa].name; }

int fr_isa_usable(int isa) { return (fr_cpu_features() & isas[isa].needs) == isas[isa].needs; }

const void *fr_table(int isa, int bits) { return bits == 32 ? isas[isa].f32 : isas[isa].f64; }
