/* The life of the pool.
 *
 * Born on the first region of more than one thread, it grows to the largest region asked
 * for and never shrinks.  Each worker has a slot: the caller writes an order number there,
 * the worker takes it, runs the region and writes the same number back as done.  Where a
 * region can do without a worker, the caller takes an order back that the worker has not
 * taken when all is done: one that is just waking up is not waited for.  A worker without
 * orders spins a little, since the next call often follows at once, and then sleeps on its
 * condition variable: an idle pool costs nothing.
 *
 * One region at a time.  Whoever comes while it runs (another Python thread, or a body that
 * calls the library itself) does its work alone rather than wait.  After a fork the child
 * has none of the threads, so it forgets them and starts anew when it needs some.
 */
#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE /* or sysconf would not say how many CPUs there are */

#include "base/pool.h"

#include "base/cpu.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 1 << 20 };   /* musl's default of 128 KiB is small for us, glibc's 8 MiB wasteful */
/* About the cost of a sleep and a wake-up: never more than twice the best choice.  An order that came within the longer time
 * is the sign of more like it, so the next is awaited as long: a loop with some Python or small calls between its regions
 * keeps its worker, and an end of such a loop costs the difference once. */
enum { SPIN_NANOSECONDS = 50000, LONGER_SPIN_NANOSECONDS = 250000 };
enum { SPINS_BEFORE_YIELD = 512 };
/* A yield that took so long went to another program; it is believed to be there for a while. */
enum { LONG_YIELD = 1000000, CROWDED = 100000000, SPIN_BEFORE_SLEEP = 15000 };
/* What a meeting takes changes when a hypervisor moves a virtual CPU.  So it is timed anew after 500 times as long as that took,
 * within bounds, and believed for a little longer. */
enum { TIMING_SHARE = 500, LEAST_PAUSE = 10000000, LONGEST_PAUSE = 1000000000, BELIEVED = 40000000 };

struct counter {
    FR_ALIGN(FR_LINE) atomic_uint value; /* a line each, or every arrival would stall every waiter */
};

struct fr_team {
    int size;
    struct counter *arrived; /* [size] barriers that each rank has reached */
};

/* A line for each that one writes while the other looks: it would else go back and forth for its neighbours, too. */
struct slot {
    FR_ALIGN(FR_LINE) atomic_uint order; /* written by the caller */
    atomic_int asleep;
    FR_ALIGN(FR_LINE) atomic_uint done;  /* written by the worker: order when it has finished */
    FR_ALIGN(FR_LINE) atomic_uint taken; /* the last order that the worker has begun or the caller has taken back */
    pthread_mutex_t lock; /* only for going to sleep and waking up */
    pthread_cond_t wake;
};

/* All but `busy` belongs to whoever holds it. */
static atomic_int busy;
static int watching_forks;
static int workers; /* ranks 1 … workers have a thread */
static struct slot slots[FR_MAX_THREADS];
static struct counter arrived[FR_MAX_THREADS];
static struct {
    FR_ALIGN(FR_LINE) fr_body body;
    void *arg;
    fr_team team;
    int timed; /* it ends with a few meetings, to see how long they take */
    int fits;  /* there is a CPU for each thread */
    uint64_t float_mode;
} region;
static _Atomic int64_t meeting, next_timing; /* nanoseconds: how long one took, and when it is time again */
static _Atomic int64_t crowded;              /* until when other programs are believed to want our CPUs */
static long cpus;

/* ---- waiting ---- */

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Until *word has reached value; both wrap.  The one we wait for may need our CPU, so after a while we offer it.  But another
 * program that takes it keeps it for milliseconds.  Where that has happened, who waits sleeps a little instead: who has used
 * little of a CPU gets it back at once. */
static void wait_for(atomic_uint *word, unsigned value) {
    int spins = 0;
    int64_t start = 0;
    while ((int)(atomic_load_explicit(word, memory_order_acquire) - value) < 0) {
        if (spins < SPINS_BEFORE_YIELD) {
            spins++;
            FR_PAUSE();
            continue;
        }
        const int64_t now = nanoseconds();
        if (!start) start = now;
        if (now >= atomic_load_explicit(&crowded, memory_order_relaxed)) {
            sched_yield();
            const int64_t back = nanoseconds();
            if (region.fits && back - now > LONG_YIELD) atomic_store_explicit(&crowded, back + CROWDED, memory_order_relaxed);
        } else if (now - start < SPIN_BEFORE_SLEEP) {
            FR_PAUSE();
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 1}, NULL); /* in fact some fifty microseconds */
        }
    }
}

/* ---- a worker ---- */

/* Returns the next order that is not `seen`; `spin` is how long it is awaited awake, this time and then the next. */
static unsigned next_order(struct slot *slot, unsigned seen, int64_t *spin) {
    unsigned order;
    const int64_t start = nanoseconds(), end = start + *spin;
    *spin = LONGER_SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < 16; i++) {
            order = atomic_load_explicit(&slot->order, memory_order_acquire);
            if (order != seen) return order;
            FR_PAUSE();
        }
    } while (nanoseconds() < end);

    /* Here we write `asleep` and read `order`; the caller writes `order` and reads `asleep`.
     * Both in sequential consistency: at least one of us sees the other. */
    pthread_mutex_lock(&slot->lock);
    atomic_store(&slot->asleep, 1);
    while ((order = atomic_load(&slot->order)) == seen) pthread_cond_wait(&slot->wake, &slot->lock);
    atomic_store(&slot->asleep, 0);
    pthread_mutex_unlock(&slot->lock);
    if (nanoseconds() - start > LONGER_SPIN_NANOSECONDS) *spin = SPIN_NANOSECONDS;
    return order;
}

/* Whether the order was still to be had: it is ours then, and nobody else's. */
static int take(struct slot *slot, unsigned order) {
    unsigned before = order - 1;
    return atomic_compare_exchange_strong(&slot->taken, &before, order);
}

/* Of two rounds the quicker, as the other may have been kept waiting by whatever else runs on the machine. */
static void time_meetings(fr_team *team, int rank) {
    enum { ROUNDS = 2, MEETINGS = 6 };
    int64_t least = INT64_MAX, all = 0;
    fr_team_barrier(team, rank);
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t start = nanoseconds();
        for (int k = 0; k < MEETINGS; k++) fr_team_barrier(team, rank);
        const int64_t took = nanoseconds() - start;
        if (took < least) least = took;
        all += took;
    }
    if (rank) return;
    int64_t pause = TIMING_SHARE * all;
    if (pause < LEAST_PAUSE) pause = LEAST_PAUSE;
    if (pause > LONGEST_PAUSE) pause = LONGEST_PAUSE;
    atomic_store_explicit(&meeting, least / MEETINGS, memory_order_relaxed);
    atomic_store_explicit(&next_timing, nanoseconds() + pause, memory_order_relaxed);
}

static void *work(void *arg) {
    struct slot *slot = arg;
    int rank = (int)(slot - slots);
    unsigned order = 0;
    int64_t spin = SPIN_NANOSECONDS;
    for (;;) {
        order = next_order(slot, order, &spin);
        if (!take(slot, order)) continue;
        fr_set_float_mode(region.float_mode); /* the bits of a result may not depend on who computed it */
        region.body(region.arg, rank, region.team.size, &region.team);
        if (region.timed) time_meetings(&region.team, rank);
        atomic_store_explicit(&slot->done, order, memory_order_release);
    }
    return NULL;
}

static void give_order(struct slot *slot) {
    atomic_fetch_add(&slot->order, 1);
    if (atomic_load(&slot->asleep)) {
        pthread_mutex_lock(&slot->lock);
        pthread_cond_signal(&slot->wake);
        pthread_mutex_unlock(&slot->lock);
    }
}

/* ---- birth, growth, fork ---- */

static void reset_slot(struct slot *slot) {
    atomic_init(&slot->order, 0);
    atomic_init(&slot->done, 0);
    atomic_init(&slot->taken, 0);
    atomic_init(&slot->asleep, 0);
    slot->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    slot->wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

/* Only assignments: other threads' locks may be held for ever in a child. */
static void forget(void) {
    workers = 0;
    atomic_store(&busy, 0);
}

static int start_worker(struct slot *slot) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    pthread_t thread;
    pthread_attr_t how;
    sigset_t all, before;
    int failed;

    reset_slot(slot);
    if (pthread_attr_init(&how)) return 0;
    pthread_attr_setstacksize(&how, STACK_BYTES);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    /* Signals are for the program's own threads: Ctrl-C must interrupt those.  But a fault is this thread's, and blocked would end
     * the program past whoever reports crashes. */
    sigfillset(&all);
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) sigdelset(&all, faults[k]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &how, work, slot);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&how);
    return !failed;
}

/* Makes what is missing of `wanted` workers; returns how many of them there are. */
static int grow(int wanted) {
    if (!watching_forks) watching_forks = pthread_atfork(NULL, NULL, forget) == 0;
    if (!watching_forks) return 0;
    if (!cpus) cpus = sysconf(_SC_NPROCESSORS_ONLN);
    while (workers < wanted && start_worker(&slots[workers + 1])) workers++;
    return workers < wanted ? workers : wanted;
}

/* ---- a region ---- */

static int run_alone(fr_body body, void *arg) {
    fr_team team = {1, NULL};
    body(arg, 0, 1, &team);
    return 1;
}

static int run(fr_body body, void *arg, int threads, int offered) {
    if (threads > FR_MAX_THREADS) threads = FR_MAX_THREADS;
    if (threads <= 1 || atomic_exchange_explicit(&busy, 1, memory_order_acquire)) return run_alone(body, arg);

    int size = 1 + grow(threads - 1);
    region.body = body;
    region.arg = arg;
    region.team = (fr_team){size, arrived};
    region.fits = size <= cpus;
    region.timed = !offered && nanoseconds() >= atomic_load_explicit(&next_timing, memory_order_relaxed);
    region.float_mode = fr_float_mode();
    for (int rank = 0; rank < size; rank++) atomic_store_explicit(&arrived[rank].value, 0, memory_order_relaxed);

    for (int rank = 1; rank < size; rank++) give_order(&slots[rank]);
    body(arg, 0, size, &region.team);
    if (region.timed) time_meetings(&region.team, 0);
    for (int rank = 1; rank < size; rank++) {
        unsigned order = atomic_load_explicit(&slots[rank].order, memory_order_relaxed);
        if (!offered || !take(&slots[rank], order)) wait_for(&slots[rank].done, order);
    }

    atomic_store_explicit(&busy, 0, memory_order_release);
    return size;
}

int fr_pool_run(fr_body body, void *arg, int threads) { return run(body, arg, threads, 0); }

void fr_pool_offer(fr_body body, void *arg, int threads) { run(body, arg, threads, 1); }

int fr_pool_meeting(void) {
    const int64_t until = atomic_load_explicit(&next_timing, memory_order_relaxed) + BELIEVED;
    return nanoseconds() < until ? (int)atomic_load_explicit(&meeting, memory_order_relaxed) : 0;
}

/* Each rank counts on its own line and reads the others'.  A rank may already be at the
 * next barrier when a slow one looks, hence "at least". */
void fr_team_barrier(fr_team *team, int rank) {
    if (team->size == 1) return;
    unsigned here = atomic_load_explicit(&team->arrived[rank].value, memory_order_relaxed) + 1;
    atomic_store_explicit(&team->arrived[rank].value, here, memory_order_release);
    for (int other = 0; other < team->size; other++) {
        if (other != rank) wait_for(&team->arrived[other].value, here);
    }
}
