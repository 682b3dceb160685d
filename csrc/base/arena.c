#define _DEFAULT_SOURCE /* madvise under -std=c11 */
#include "base/arena.h"

#include <stdatomic.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

/* A block begins one cache line after its header. */
typedef union {
    size_t bytes;
    char line[FR_LINE];
} header;

/* A training loop asks for the same tapes and the same workspaces at every step.  Given back to the system, their pages
 * would be zeroed and mapped again each time, which takes as long as the kernels do.  So the last few blocks wait here:
 * FEW, or as many as were once in use together (the tapes of an ensemble) up to KEPT; none above LARGEST, ALL bytes together.
 * What is no longer asked for makes room in turn.  Pages of blocks above LENT are lent to the system meanwhile: it takes them
 * when memory is short, and only then.  A sanitizer must see every block come and go. */
#define SMALLEST ((size_t)64 << 10)
#define LENT ((size_t)16 << 20)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LARGEST ((size_t)0)
#elif defined(MADV_FREE)
#define LARGEST ((size_t)128 << 20)
#else
#define LARGEST LENT
#endif
#define ALL ((size_t)256 << 20)
#define FEW 4
#define KEPT 16
static _Atomic(header *) kept[KEPT];
static atomic_size_t waiting; /* bytes of all that are kept, or about to be */
static atomic_uint turn, places = FEW; /* how many of `kept` are used */
static atomic_uint used;               /* keepable blocks that are with their users */

/* What a small call works in is always this large, and waits apart from other blocks, a place for each thread: what one core has
 * in its caches another one would have to fetch.  malloc would take 7 % of the shortest calls, and merge now and then what
 * it has been given back. */
#define ROOM (SMALLEST - 1)
#define ROOMS 16
static _Atomic(header *) rooms[ROOMS];
static atomic_uint threads;
static _Thread_local unsigned own; /* place + 1, or 0: not known yet */

static _Atomic(header *) *own_room(void) {
    if (!own) own = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % ROOMS + 1;
    return &rooms[own - 1];
}

static int keepable(size_t bytes) { return bytes >= SMALLEST && bytes <= LARGEST; }

/* 0 if the system, an older one, will not have them.  Whole huge pages, as others would be split; the first has the header
 * and stays ours. */
static int lend(header *block) {
#ifdef MADV_FREE
    const size_t whole = block->bytes / FR_HUGE_PAGE * FR_HUGE_PAGE;
    if (block->bytes > LENT) return madvise((char *)block + FR_HUGE_PAGE, whole - FR_HUGE_PAGE, MADV_FREE) == 0;
#endif
    (void)block;
    return 1;
}

static void drop(header *block) {
    if (!block) return;
    atomic_fetch_sub_explicit(&waiting, block->bytes, memory_order_relaxed);
    free(block);
}

static header *take_kept(size_t bytes) {
    for (unsigned i = 0, n = atomic_load_explicit(&places, memory_order_relaxed); i < n; i++) {
        if (!atomic_load_explicit(&kept[i], memory_order_relaxed)) continue;
        header *block = atomic_exchange_explicit(&kept[i], NULL, memory_order_acquire);
        if (!block) continue;
        if (block->bytes >= bytes && block->bytes / 2 <= bytes) {
            atomic_fetch_sub_explicit(&waiting, block->bytes, memory_order_relaxed);
            return block;
        }
        header *empty = NULL;
        if (!atomic_compare_exchange_strong_explicit(&kept[i], &empty, block, memory_order_release, memory_order_relaxed))
            drop(block); /* another thread has put one of its own here meanwhile */
    }
    return NULL;
}

static void count_used(void) {
    const unsigned n = atomic_fetch_add_explicit(&used, 1, memory_order_relaxed) + 1;
    unsigned most = atomic_load_explicit(&places, memory_order_relaxed);
    while (n > most && n <= KEPT
           && !atomic_compare_exchange_weak_explicit(&places, &most, n, memory_order_relaxed, memory_order_relaxed)) {}
}

static header *next_out(header *in) {
    const unsigned n = atomic_load_explicit(&places, memory_order_relaxed);
    const unsigned i = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) % n;
    return atomic_exchange_explicit(&kept[i], in, memory_order_acq_rel);
}

static void keep(header *block) {
    size_t all = atomic_fetch_add_explicit(&waiting, block->bytes, memory_order_relaxed) + block->bytes;
    const unsigned n = atomic_load_explicit(&places, memory_order_relaxed);
    for (unsigned i = 0; i < n && all > ALL; i++, all = atomic_load_explicit(&waiting, memory_order_relaxed)) drop(next_out(NULL));
    for (unsigned i = 0; i < n; i++) {
        header *empty = NULL;
        if (atomic_compare_exchange_strong_explicit(&kept[i], &empty, block, memory_order_release, memory_order_relaxed))
            return;
    }
    drop(next_out(block));
}

void *fr_alloc(size_t bytes) {
    if (bytes > SIZE_MAX - 4 * FR_HUGE_PAGE) return NULL;
    header *block = keepable(bytes) ? take_kept(bytes) : NULL;
    if (!block) {
        const size_t unit = bytes >= 2 * FR_HUGE_PAGE ? FR_HUGE_PAGE : FR_LINE;
        const size_t whole = (bytes + sizeof(header) + unit - 1) / unit * unit; /* C11 wants a multiple of the alignment */
        block = aligned_alloc(unit, whole);
        if (!block) return NULL;
#ifdef MADV_HUGEPAGE
        if (unit == FR_HUGE_PAGE) madvise(block, whole, MADV_HUGEPAGE); /* fewer faults now, fewer TLB misses later */
#endif
        block->bytes = bytes;
    }
    if (keepable(block->bytes)) count_used();
    return block + 1;
}

void *fr_room(size_t bytes) {
    if (bytes > ROOM) return fr_alloc(bytes);
    header *block = atomic_exchange_explicit(own_room(), NULL, memory_order_acquire);
    return block ? block + 1 : fr_alloc(ROOM);
}

/* Whether a block is a room that waits from now on. */
static int leave_room(header *block) {
    header *empty = NULL;
    return LARGEST && block->bytes == ROOM
           && atomic_compare_exchange_strong_explicit(own_room(), &empty, block, memory_order_release, memory_order_relaxed);
}

void fr_free(void *memory) {
    if (!memory) return;
    header *block = (header *)memory - 1;
    if (leave_room(block)) return;
    const int may_wait = keepable(block->bytes);
    if (may_wait) atomic_fetch_sub_explicit(&used, 1, memory_order_relaxed);
    if (may_wait && lend(block))
        keep(block);
    else
        free(block);
}
