/* Ceilings of this machine, one number on stdout: compiled and run by ceilings.py.
 *
 *   ceilings fma32|fma64 CPU...      floating-point operations a second, all CPUs together
 *   ceilings pace32|pace64 CPU...    the same in this very moment: one window and no best of several
 *   ceilings read BYTES CPU...       bytes a second, each CPU reading its own BYTES again and again
 *   ceilings clock CPU               cycles a second (a chain of dependent additions: one a cycle)
 *   ceilings exchange CPU CPU        seconds for a cache line to go to the other core and back
 *
 * VEC is the vector length in bytes.  Each figure is the best of several short windows, since a ceiling is what the
 * machine can do when left alone; the exchange is a median, since it has two states and no best one.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef VEC
#define VEC 16
#endif
#define WINDOWS 7
#define WINDOW 0.02
#define PACE_WINDOW 0.005
#define MAX_CPUS 64
/* enough chains for the latency of two to four units; with VEC 16 and 32 all must fit 16 registers beside two operands */
#if VEC == 64 || defined(__aarch64__)
#define CHAINS 24
#else
#define CHAINS 12
#endif
#define UNROLL 64

typedef float v32 __attribute__((vector_size(VEC)));
typedef double v64 __attribute__((vector_size(VEC)));
typedef unsigned vint __attribute__((vector_size(VEC)));

static int windows = WINDOWS;
static double window = WINDOW;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void pin(int cpu) {
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
#else
    (void)cpu;
#endif
}

#define FMA(NAME, V, R)                                                                             \
    static double NAME(void) {                                                                      \
        V acc[CHAINS], b = (V){0} + (R)0.999, c = (V){0} + (R)0.001;                                \
        for (int k = 0; k < CHAINS; k++) acc[k] = (V){0} + (R)(0.1 * k);                            \
        double start = now(), t, count = 0;                                                         \
        do {                                                                                        \
            for (int i = 0; i < 2000; i++)                                                          \
                _Pragma("GCC unroll 32") for (int k = 0; k < CHAINS; k++) acc[k] = acc[k] * b + c;  \
            count += 2000.0 * CHAINS * 2 * (VEC / sizeof(R));                                       \
        } while ((t = now() - start) < window);                                                     \
        for (int k = 1; k < CHAINS; k++) acc[0] += acc[k];                                          \
        volatile R sink = acc[0][0];                                                                \
        (void)sink;                                                                                 \
        return count / t;                                                                           \
    }
FMA(fma32, v32, float)
FMA(fma64, v64, double)

static double read_rate(const vint *p, size_t bytes) {
    size_t n = bytes / sizeof(vint) / 8 * 8;
    vint s[8];
    memset(s, 0, sizeof s);
    double start = now(), t, count = 0;
    do {
        for (int again = 0; again < 1 + (int)(65536 / bytes); again++) {
            for (size_t i = 0; i < n; i += 8)
                _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++) s[k] ^= p[i + k];
            __asm__ volatile("" ::: "memory"); /* or a second pass would be known to undo the first */
            count += n * sizeof(vint);
        }
    } while ((t = now() - start) < window);
    for (int k = 1; k < 8; k++) s[0] ^= s[k];
    volatile unsigned sink = s[0][0];
    (void)sink;
    return count / t;
}

static double clock_rate(void) {
    unsigned long x = 1, y = 3;
    double start = now(), t, count = 0;
    __asm__ volatile("" : "+r"(y));
    do {
        for (int i = 0; i < 2000; i++)
            _Pragma("GCC unroll 64") for (int k = 0; k < UNROLL; k++) {
                x += y;
                __asm__ volatile("" : "+r"(x));
            }
        count += 2000.0 * UNROLL;
    } while ((t = now() - start) < window);
    return count / t;
}

enum kind { FMA32, FMA64, READ, CLOCK };
static enum kind kind;
static size_t bytes;
static int cpus[MAX_CPUS], threads;
static double rates[MAX_CPUS][WINDOWS];
static pthread_barrier_t start_together;

static void *measure(void *arg) {
    int rank = (int)(size_t)arg;
    vint *buffer = NULL;
    pin(cpus[rank]);
    if (kind == READ) {
        buffer = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
        if (!buffer) exit(3);
        memset(buffer, rank + 1, bytes);
    }
    for (int w = 0; w < windows; w++) {
        pthread_barrier_wait(&start_together);
        rates[rank][w] = kind == FMA32 ? fma32() : kind == FMA64 ? fma64() : kind == CLOCK ? clock_rate()
                                                                          : read_rate(buffer, bytes);
    }
    free(buffer);
    return NULL;
}

/* ---- exchange ---- */

static _Alignas(128) atomic_int ping;
static _Alignas(128) atomic_int pong;
#define TRIPS 500
#define BATCHES 41

static void *echo(void *arg) {
    (void)arg;
    pin(cpus[1]);
    for (int i = 1; i <= TRIPS * BATCHES; i++) {
        while (atomic_load_explicit(&ping, memory_order_acquire) != i) {}
        atomic_store_explicit(&pong, i, memory_order_release);
    }
    return NULL;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double exchange(void) {
    pthread_t other;
    double times[BATCHES];
    if (pthread_create(&other, NULL, echo, NULL)) exit(3);
    pin(cpus[0]);
    for (int b = 0, i = 0; b < BATCHES; b++) {
        double start = now();
        for (int k = 0; k < TRIPS; k++) {
            atomic_store_explicit(&ping, ++i, memory_order_release);
            while (atomic_load_explicit(&pong, memory_order_acquire) != i) {}
        }
        times[b] = (now() - start) / TRIPS;
    }
    pthread_join(other, NULL);
    qsort(times, BATCHES, sizeof *times, by_value);
    return times[BATCHES / 2];
}

int main(int argc, char **argv) {
    int at = 2;
    if (argc < 3) return 2;
    if (!strcmp(argv[1], "read")) kind = READ, bytes = strtoull(argv[at++], NULL, 10);
    else kind = strstr(argv[1], "32") ? FMA32 : strstr(argv[1], "64") ? FMA64 : CLOCK;
    if (!strncmp(argv[1], "pace", 4)) windows = 1, window = PACE_WINDOW;
    for (; at < argc && threads < MAX_CPUS; at++) cpus[threads++] = atoi(argv[at]);
    if (!strcmp(argv[1], "exchange")) {
        if (threads != 2) return 2;
        printf("%.6g\n", exchange());
        return 0;
    }
    if (!threads || (kind == READ && bytes < 4096)) return 2;
    pthread_t thread[MAX_CPUS];
    pthread_barrier_init(&start_together, NULL, threads);
    for (int k = 0; k < threads; k++)
        if (pthread_create(&thread[k], NULL, measure, (void *)(size_t)k)) return 3;
    for (int k = 0; k < threads; k++) pthread_join(thread[k], NULL);
    double best = 0;
    for (int w = 0; w < windows; w++) {
        double sum = 0;
        for (int k = 0; k < threads; k++) sum += rates[k][w];
        if (sum > best) best = sum;
    }
    printf("%.6g\n", best);
    return 0;
}
