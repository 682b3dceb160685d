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

/* A training loop asks for the same tape and the same workspace at every step.  Given back to the system, their pages
 * would be zeroed and mapped again each time, which takes as long as the kernels do.  So the last few blocks wait here:
 * at most KEPT of them, none above LARGEST, hence 64 MiB in all.  A sanitizer must see every block come and go. */
#define SMALLEST ((size_t)64 << 10)
#define LARGEST ((size_t)16 << 20)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEPT 0
#else
#define KEPT 4
#endif
static _Atomic(header *) kept[KEPT + 1];

static header *take_kept(size_t bytes) {
    for (int i = 0; i < KEPT; i++) {
        header *block = atomic_exchange_explicit(&kept[i], NULL, memory_order_acquire);
        if (!block) continue;
        if (block->bytes >= bytes && block->bytes / 2 <= bytes) return block;
        header *empty = NULL;
        if (!atomic_compare_exchange_strong_explicit(&kept[i], &empty, block, memory_order_release, memory_order_relaxed))
            free(block); /* another thread has put one of its own here meanwhile */
    }
    return NULL;
}

void *fr_alloc(size_t bytes) {
    if (bytes > SIZE_MAX - 4 * FR_HUGE_PAGE) return NULL;
    header *block = bytes >= SMALLEST && bytes <= LARGEST ? take_kept(bytes) : NULL;
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
    return block + 1;
}

void fr_free(void *memory) {
    if (!memory) return;
    header *block = (header *)memory - 1;
    if (block->bytes >= SMALLEST && block->bytes <= LARGEST)
        for (int i = 0; i < KEPT; i++) {
            header *empty = NULL;
            if (atomic_compare_exchange_strong_explicit(&kept[i], &empty, block, memory_order_release, memory_order_relaxed))
                return;
        }
    free(block);
}
