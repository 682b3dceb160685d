/* Monotonic time, for questions that should not be asked too often. */
#ifndef FR_CLOCK_H
#define FR_CLOCK_H

#include "base/config.h"

FR_HIDDEN double fr_seconds(void);

#endif
