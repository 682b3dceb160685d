/* What a neighbour on the other hardware thread of a core takes from a loop of multiply-adds: GFLOP/s, float32, AVX-512.
 *
 *   cc -O2 -mavx512f bench/lab/neighbour.c -o build/neighbour && taskset -c 1 build/neighbour
 *
 * Each line is one moment, each column a loop of 24 multiply-adds, the most that a core can have in flight and what a tile
 * of 6 rows by 4 vectors does for each k: alone; with the 10 loads of such a tile; with 10 additions of integers that need
 * neither its memory nor its vector units; with 10 and 10 empty instructions; with all 24 operands broadcast from memory by
 * the multiply-add itself.  docs/performance.md says what came out. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>

#define SECONDS 15.0
#define WINDOW 0.002
#define PAUSE {0, 100000000}

static float memory[1024] __attribute__((aligned(4096)));

#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) \
    X(20) X(21) X(22) X(23)
#define TEN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
#define ADD(k) "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #k "\n"
#define ADD_AT(k) "vfmadd231ps 64(%1)%{1to16%}, %%zmm31, %%zmm" #k "\n"
#define CLEAR(k) "vpxord %%zmm" #k ", %%zmm" #k ", %%zmm" #k "\n" /* what is left there might be subnormal, which is slow */
#define LOAD(k) "vmovups 64*" #k "(%1), %%zmm24\n"
#define INTEGER(k) "lea " #k "(%1), %%rax\n"
#define EMPTY(k) "nop\n"

#define LOOP(NAME, BODY)                                                                                            \
    static void NAME(long n)                                                                                        \
    {                                                                                                               \
        __asm__ volatile(ALL(CLEAR) CLEAR(30) CLEAR(31) "1:\n" BODY "dec %0\njnz 1b\n"                            \
                         : "+r"(n) : "r"(memory)                                                                    \
                         : "rax", "cc", "memory", "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7",   \
                           "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17",  \
                           "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23", "zmm24", "zmm30", "zmm31");        \
    }
LOOP(alone, ALL(ADD))
LOOP(loads, ALL(ADD) TEN(LOAD))
LOOP(integers, ALL(ADD) TEN(INTEGER))
LOOP(empty, ALL(ADD) TEN(INTEGER) TEN(EMPTY))
LOOP(operands, ALL(ADD_AT))

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*loop)(long);
    } columns[] = {{"alone", alone}, {"10 loads", loads}, {"10 integers", integers}, {"10 + 10 empty", empty}, {"operands", operands}};
    const int count = sizeof columns / sizeof *columns;
    for (int i = 0; i < count; i++) printf("%14s", columns[i].name);
    for (double end = now() + SECONDS; now() < end;) {
        printf("\n");
        for (int i = 0; i < count; i++) {
            double start = now(), taken, flops = 0;
            do {
                columns[i].loop(1000);
                flops += 1000. * 24 * 32;
            } while ((taken = now() - start) < WINDOW);
            printf("%14.1f", flops / taken / 1e9);
        }
        nanosleep(&(struct timespec)PAUSE, NULL);
    }
    printf("\n");
    return 0;
}
