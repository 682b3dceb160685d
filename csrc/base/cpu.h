/* What this processor *and* its operating system can run. */
#ifndef FR_CPU_H
#define FR_CPU_H

#include "base/config.h"

enum {
    FR_HAS_AVX2 = 1,   /* AVX2 and FMA; YMM registers saved by the system */
    FR_HAS_AVX512 = 2, /* F, BW, DQ, VL; ZMM and mask registers saved by the system */
    FR_HAS_NEON = 4
};

FR_HIDDEN unsigned fr_cpu_features(void);

/* Rounding and subnormal handling of the calling thread (MXCSR, FPCR). */
FR_HIDDEN uint64_t fr_float_mode(void);
FR_HIDDEN void fr_set_float_mode(uint64_t mode);

#endif
