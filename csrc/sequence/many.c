/* Independent calls side by side: a thread takes one, runs it alone, and takes the next.  With more threads than calls they
 * run one after the other instead, each on all threads. */
#include <stdatomic.h>

#include "base/config.h"
#include "base/pool.h"
#include "fastrnn.h"

typedef struct {
    const fr_forward_args *forward; /* one of the two */
    const fr_backward_args *backward;
    int count;
    atomic_int next, status; /* of the calls; the first that is not FR_OK */
} many;

/* The call whose turn it is, on so many threads.  Backward begins with the last: its tape was made last, and is nearest.  Only
 * the caller's thread, rank 0, may ask the caller whether to stop. */
static fr_status run_one(const many *m, int turn, int threads, int rank)
{
    if (m->forward) {
        fr_forward_args args = m->forward[turn];
        args.threads = threads;
        if (rank) args.interrupt = NULL;
        return fr_forward(&args);
    }
    fr_backward_args args = m->backward[m->count - 1 - turn];
    args.threads = threads;
    if (rank) args.interrupt = NULL;
    return fr_backward(&args);
}

static void many_body(void *arg, int rank, int size, fr_team *team)
{
    many *m = arg;
    (void)size;
    (void)team;
    for (;;) {
        const int turn = atomic_fetch_add_explicit(&m->next, 1, memory_order_relaxed);
        if (turn >= m->count || atomic_load_explicit(&m->status, memory_order_relaxed) != FR_OK) return;
        const fr_status status = run_one(m, turn, 1, rank);
        int fine = FR_OK;
        if (status != FR_OK)
            atomic_compare_exchange_strong_explicit(&m->status, &fine, (int)status, memory_order_relaxed, memory_order_relaxed);
    }
}

static fr_status run_many(many *m, int threads)
{
    if (threads <= m->count) {
        fr_pool_offer(many_body, m, threads);
        return (fr_status)m->status;
    }
    fr_status status = FR_OK;
    for (int turn = 0; turn < m->count && status == FR_OK; turn++) status = run_one(m, turn, threads, 0);
    return status;
}

fr_status fr_forward_many(const fr_forward_args *args, int count, int threads)
{
    return run_many(&(many){.forward = args, .count = count}, threads);
}

fr_status fr_backward_many(const fr_backward_args *args, int count, int threads)
{
    return run_many(&(many){.backward = args, .count = count}, threads);
}
