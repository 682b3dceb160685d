/* The kernels for AArch64's Advanced SIMD: 32 registers of 16 bytes, with FMA.
 * Compiled once with FR_BITS 32 and once with 64.  All is static but the table. */
#include "base/config.h"
#include "simd/neon.h"

#include "kernels/kernels.h"

#define FR_TABLE FR_CAT(fr_table_neon_f, FR_BITS)
#include "kernels/table.inc"
