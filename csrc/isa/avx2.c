/* The kernels for AVX2 with FMA: 16 registers of 32 bytes.
 * Compiled once with FR_BITS 32 and once with 64.  All is static but the table. */
#include "base/config.h"
#include "simd/avx2.h"

#include "kernels/kernels.h"

#define FR_TABLE FR_CAT(fr_table_avx2_f, FR_BITS)
#include "kernels/table.inc"
