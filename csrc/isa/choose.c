/* One list, one rule: an instruction set may run when the processor has all it needs.
 * FR_WITH_… come from setup.py, which alone knows what it compiles: a build for two
 * processors at once (macOS universal2) has the scalar kernels only.
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
#ifdef FR_WITH_AVX2
DECLARE(avx2)
#endif
#ifdef FR_WITH_AVX512
DECLARE(avx512)
#endif
#ifdef FR_WITH_NEON
DECLARE(neon)
#endif

static const struct {
    const char *name;
    unsigned needs;
    const void *f32, *f64;
} isas[] = {
    ENTRY(scalar, 0),
#ifdef FR_WITH_AVX2
    ENTRY(avx2, FR_HAS_AVX2),
#endif
#ifdef FR_WITH_AVX512
    ENTRY(avx512, FR_HAS_AVX2 | FR_HAS_AVX512),
#endif
#ifdef FR_WITH_NEON
    ENTRY(neon, FR_HAS_NEON),
#endif
};

int fr_isa_count(void) { return (int)(sizeof isas / sizeof isas[0]); }

const char *fr_isa_name(int isa) { return isas[isa].name; }

int fr_isa_usable(int isa) { return (fr_cpu_features() & isas[isa].needs) == isas[isa].needs; }

const void *fr_table(int isa, int bits) { return bits == 32 ? isas[isa].f32 : isas[isa].f64; }
