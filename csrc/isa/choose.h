/* The instruction sets compiled into this build, weakest first, and their tables. */
#ifndef FR_CHOOSE_H
#define FR_CHOOSE_H

#include "base/config.h"

FR_HIDDEN int fr_isa_count(void);
FR_HIDDEN const char *fr_isa_name(int isa);
FR_HIDDEN int fr_isa_usable(int isa); /* on this processor and system */

/* The kernels of one instruction set for float32 (bits 32) or float64 (bits 64):
 * a const fr_kernels * of kernels/kernels.h compiled with that FR_BITS. */
FR_HIDDEN const void *fr_table(int isa, int bits);

#endif
