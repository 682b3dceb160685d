/* Independent calls side by side: a thread takes one, runs it alone, and takes the next. */
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

static void many_body(void *arg, int rank, int size, fr_team *team)
{
    many *m = arg;
    (void)size;
    (void)team;
    for (;;) {
        const int k = atomic_fetch_add_explicit(&m->next, 1, memory_order_relaxed);
        if (k >= m->count || atomic_load_explicit(&m->status, memory_order_relaxed) != FR_OK) return;
        fr_status status;
        /* Only the caller's thread may ask the caller whether to stop. */
        if (m->forward) {
            fr_forward_args args = m->forward[k];
            args.threads = 1;
            if (rank) args.interrupt = NULL;
            status = fr_forward(&args);
        } else {
            fr_backward_args args = m->backward[k];
            args.threads = 1;
            if (rank) args.interrupt = NULL;
            status = fr_backward(&args);
        }
        int fine = FR_OK;
        if (status != FR_OK)
            atomic_compare_exchange_strong_explicit(&m->status, &fine, (int)status, memory_order_relaxed, memory_order_relaxed);
    }
}

static fr_status run_many(many *m, int threads)
{
    fr_pool_run(many_body, m, threads < m->count ? threads : m->count);
    return (fr_status)m->status;
}

fr_status fr_forward_many(const fr_forward_args *args, int count, int threads)
{
    if (count == 1) return fr_forward(args);
    return run_many(&(many){.forward = args, .count = count}, threads);
}

fr_status fr_backward_many(const fr_backward_args *args, int count, int threads)
{
    if (count == 1) return fr_backward(args);
    return run_many(&(many){.backward = args, .count = count}, threads);
}
