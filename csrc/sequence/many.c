/* Independent calls side by side: a thread takes those of its own share, runs each alone, and then what others have left.  So
 * the tape, the states and the gradients of a call are mostly found where they were written.  With more threads than calls they
 * run one after the other instead, each on all threads. */
#include <stdatomic.h>

#include "base/config.h"
#include "base/pool.h"
#include "fastrnn.h"

typedef struct {
    FR_ALIGN(FR_LINE) atomic_int taken; /* of a share */
} counter;

typedef struct {
    const fr_forward_args *forward; /* one of the two */
    const fr_backward_args *backward;
    int count;
    atomic_int status; /* the first that is not FR_OK */
    counter shares[FR_MAX_THREADS];
} many;

/* Call k on so many threads.  Only the caller's thread, rank 0, may ask the caller whether to stop. */
static fr_status run_one(const many *m, int k, int threads, int rank)
{
    if (m->forward) {
        fr_forward_args args = m->forward[k];
        args.threads = threads;
        if (rank) args.interrupt = NULL;
        return fr_forward(&args);
    }
    fr_backward_args args = m->backward[k];
    args.threads = threads;
    if (rank) args.interrupt = NULL;
    return fr_backward(&args);
}

/* What is left of calls [first, end), of which `taken` counts, each on so many threads.  Backward begins with the last: its tape
 * was made last, and is nearest. */
static void run_share(many *m, atomic_int *taken, int first, int end, int threads, int rank)
{
    for (;;) {
        const int turn = atomic_fetch_add_explicit(taken, 1, memory_order_relaxed);
        if (turn >= end - first || atomic_load_explicit(&m->status, memory_order_relaxed) != FR_OK) return;
        const fr_status status = run_one(m, m->forward ? first + turn : end - 1 - turn, threads, rank);
        int fine = FR_OK;
        if (status != FR_OK)
            atomic_compare_exchange_strong_explicit(&m->status, &fine, (int)status, memory_order_relaxed, memory_order_relaxed);
    }
}

static void many_body(void *arg, int rank, int size, fr_team *team)
{
    many *m = arg;
    (void)team;
    for (int k = 0; k < size; k++) {
        const int owner = (rank + k) % size;
        run_share(m, &m->shares[owner].taken, m->count * owner / size, m->count * (owner + 1) / size, 1, rank);
    }
}

static fr_status run_many(many *m, int threads)
{
    if (threads <= m->count)
        fr_pool_offer(many_body, m, threads);
    else
        run_share(m, &m->shares[0].taken, 0, m->count, threads, 0);
    return (fr_status)m->status;
}

fr_status fr_forward_many(const fr_forward_args *args, int count, int threads)
{
    return run_many(&(many){.forward = args, .count = count}, threads);
}

fr_status fr_backward_many(const fr_backward_args *args, int count, int threads)
{
    return run_many(&(many){.backward = args, .count = count}, threads);
}
