/* The kernels for the platform's baseline: SSE2 on x86-64, no FMA.
 * Compiled once with FR_BITS 32 and once with 64.  All is static but the table. */
#include "base/config.h"
#include "simd/scalar.h"

#include "kernels/kernels.h"

#define FR_TABLE FR_CAT(fr_table_scalar_f, FR_BITS)
#include "kernels/table.inc"
