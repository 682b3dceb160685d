/* transpose() of one instruction set and element type (SIMD, FR_BITS) against two loops, its arrays ending or beginning
 * where no memory is.  Exit status 0 when every bit is right; test_transpose.py compiles and runs it. */
#define _GNU_SOURCE

#include "base/config.h"
#include SIMD
#include "kernels/activations.inc"
#include "kernels/pack.inc"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 36, PAD = 7, ROOM = MOST * (MOST + PAD) };

/* `room` bytes between two pages that nobody may touch. */
static char *between_guards(size_t room, size_t page)
{
    char *map = mmap(NULL, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + page, room, PROT_READ | PROT_WRITE)) return NULL;
    return map + page;
}

/* Every pattern a real can have comes up: negative zeros, infinities, NaNs of both kinds with any payload. */
static void fill(real *at, size_t count)
{
    static uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = state ^ state >> 29;
        if (bits >> 7 & 1) bits |= FR_BITS == 32 ? 0x7f800000u : 0x7ff0000000000000u;
        if ((bits >> 8 & 15) == 0) bits = FR_BITS == 32 ? 0x80000000u : 0x8000000000000000u;
        memcpy(at + i, &bits, sizeof(real)); /* little-endian: the low half of bits for a float */
    }
}

/* Reals from the lowest to the highest address of `rows` rows, and where row 0 begins among them. */
static size_t extent(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t stride, ptrdiff_t *first)
{
    const ptrdiff_t step = stride < 0 ? -stride : stride;
    *first = stride < 0 ? (rows - 1) * step : 0;
    return (size_t)((rows - 1) * step + columns);
}

int main(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (ROOM * sizeof(real) + page - 1) / page * page;
    char *const from = between_guards(room, page), *const to = between_guards(room, page);
    static unsigned char before[sizeof(real) * ROOM];
    long cases = 0;
    if (!from || !to) return 2;
    for (ptrdiff_t rows = 1; rows <= MOST; rows++)
        for (ptrdiff_t columns = 1; columns <= MOST; columns++)
            for (int kind = 0; kind < 8; kind++) {
                const int at_end = kind & 1;
                const ptrdiff_t src_row = (kind & 2 ? -1 : 1) * (columns + (kind & 4 ? PAD : 0));
                const ptrdiff_t dst_row = (kind & 4 ? -1 : 1) * (rows + (kind & 2 ? PAD : 0));
                ptrdiff_t src_first, dst_first;
                const size_t src_size = extent(rows, columns, src_row, &src_first);
                const size_t dst_size = extent(columns, rows, dst_row, &dst_first);
                real *const src = (real *)(void *)(from + (at_end ? room - src_size * sizeof(real) : 0));
                real *const dst = (real *)(void *)(to + (at_end ? room - dst_size * sizeof(real) : 0));
                fill(src, src_size);
                fill(dst, dst_size);
                memcpy(before, dst, dst_size * sizeof(real));
                transpose(dst + dst_first, dst_row, src + src_first, src_row, rows, columns);
                for (ptrdiff_t c = 0; c < columns; c++)
                    for (ptrdiff_t r = 0; r < rows; r++)
                        memcpy(before + (size_t)(dst_first + c * dst_row + r) * sizeof(real),
                               src + src_first + r * src_row + c, sizeof(real));
                if (memcmp(before, dst, dst_size * sizeof(real))) {
                    fprintf(stderr, "%d x %d, strides %d and %d: other bits\n", (int)rows, (int)columns, (int)src_row,
                            (int)dst_row);
                    return 1;
                }
                cases++;
            }
    /* Nothing to move: the addresses may be anything. */
    transpose((real *)(void *)(to - page), 1, (real *)(void *)(from - page), 1, 0, 3);
    transpose((real *)(void *)(to - page), 1, (real *)(void *)(from - page), 1, 3, 0);
    printf("%ld\n", cases);
    return 0;
}
