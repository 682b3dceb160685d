/* Time, threads and memory for float32. */
#define FR_BITS 32
#include "base/config.h"

#include <stdatomic.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/pool.h"
#include "isa/choose.h"
#include "kernels/kernels.h"
#include "sequence/entry.h"

#define FR_NAME(name) FR_CAT3(name, _f, FR_BITS)

#include "sequence/model.inc"
#include "sequence/rnn.inc"
#include "sequence/lstm.inc"
#include "sequence/gru.inc"
#include "sequence/slstm.inc"
#include "sequence/extras.inc"
#include "sequence/weights.inc"
#include "sequence/rows.inc"
#include "sequence/tape.inc"
#include "sequence/layout.inc"
#include "sequence/plan.inc"
#include "sequence/variant.inc"
#include "sequence/forward.inc"
#include "sequence/variant_back.inc"
#include "sequence/chain.inc"
#include "sequence/gradients.inc"
#include "sequence/backward.inc"
#include "sequence/tiles.inc"
#include "sequence/columns.inc"
#include "sequence/linear.inc"
#include "sequence/loss.inc"
#include "sequence/lookup.inc"
#include "sequence/scan.inc"
#include "sequence/stream.inc"
