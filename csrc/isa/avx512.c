/* The kernels for AVX-512 F, BW, DQ, VL: 32 registers of 64 bytes, masks.
 * Compiled once with FR_BITS 32 and once with 64.  All is static but the table. */
#include "base/config.h"
#include "simd/avx512.h"

#include "kernels/kernels.h"

#define FR_TABLE FR_CAT(fr_table_avx512_f, FR_BITS)
#include "kernels/table.inc"
