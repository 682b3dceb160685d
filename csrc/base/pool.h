/* One pool of threads for the process, entered once per call of the library. */
#ifndef FR_POOL_H
#define FR_POOL_H

#include "base/config.h"

#define FR_MAX_THREADS 64

typedef struct fr_team fr_team; /* the threads of one region */
typedef void (*fr_body)(void *arg, int rank, int size, fr_team *team);

/* Runs body(arg, rank, size, team) once for each rank 0 … size-1, the caller being rank 0,
 * and returns size when all have returned.  size is 1 … threads: less than asked when the
 * pool is serving another caller or no more threads can be made.  The body must therefore
 * take its share from `size`.  Writes of all ranks are visible to the caller afterwards. */
FR_HIDDEN int fr_pool_run(fr_body body, void *arg, int threads);

/* The same for a body that takes its work from a counter, and meets nobody: rank 0 is run in any case, and another not
 * at all if it has not begun when rank 0 returns.  To wake a thread takes longer than a small call. */
FR_HIDDEN void fr_pool_offer(fr_body body, void *arg, int threads);

/* Every rank of the team arrives before any goes on, and sees what the others wrote. */
FR_HIDDEN void fr_team_barrier(fr_team *team, int rank);

/* How many nanoseconds a meeting of all took when some were last timed, or 0: not lately. */
FR_HIDDEN int fr_pool_meeting(void);

#endif
