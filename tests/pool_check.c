/* The pool under its own callers: regions, barriers, nesting, several callers at once.
 * Exit status 0 when all that it counted is right; test_pool.py compiles and runs it. */
#define _DEFAULT_SOURCE

#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLERS = 4, MOST = 5 };

struct job {
    long value[FR_MAX_THREADS][8]; /* plain memory: only the barriers order its use */
    int barriers, nested, wrong[FR_MAX_THREADS];
};

static void inner(void *arg, int rank, int size, fr_team *team) {
    fr_team_barrier(team, rank);
    if (rank == 0) *(int *)arg = size;
}

/* Before barrier b each rank has written rank + b; between two barriers all read all. */
static void body(void *arg, int rank, int size, fr_team *team) {
    struct job *job = arg;
    for (int b = 0; b < job->barriers; b++) {
        job->value[rank][0] = rank + b;
        fr_team_barrier(team, rank);
        long sum = 0;
        for (int other = 0; other < size; other++) sum += job->value[other][0];
        if (sum != (long)size * (size - 1) / 2 + (long)b * size) job->wrong[rank] = 1;
        fr_team_barrier(team, rank);
    }
    if (job->nested && size > 1) {
        int inner_size = 0;
        if (fr_pool_run(inner, &inner_size, 3) != 1 || inner_size != 1) job->wrong[rank] = 1;
    }
    job->value[rank][0] = -rank; /* seen by the caller without a barrier */
}

static int one_region(int threads, int barriers, int nested) {
    struct job *job = calloc(1, sizeof *job);
    job->barriers = barriers;
    job->nested = nested;
    int size = fr_pool_run(body, job, threads), wrong = size < 1 || size > threads;
    for (int rank = 0; rank < size; rank++) wrong |= job->wrong[rank] || job->value[rank][0] != -rank;
    free(job);
    return wrong;
}

struct tasks {
    int count, times[32]; /* how often each ran: plain memory, as results are */
    atomic_int next;
};

static void take_tasks(void *arg, int rank, int size, fr_team *team) {
    struct tasks *tasks = arg;
    (void)rank, (void)size, (void)team;
    for (int k; (k = atomic_fetch_add_explicit(&tasks->next, 1, memory_order_relaxed)) < tasks->count;) tasks->times[k]++;
}

/* Each task runs once, and nobody looks at what the caller has freed. */
static int one_offer(int threads, int count) {
    struct tasks *tasks = calloc(1, sizeof *tasks);
    int wrong = 0;
    tasks->count = count;
    fr_pool_offer(take_tasks, tasks, threads);
    for (int k = 0; k < count; k++) wrong |= tasks->times[k] != 1;
    free(tasks);
    return wrong;
}

static atomic_int wrong;

static void *caller(void *regions) {
    for (int i = 0; i < *(int *)regions; i++) {
        if (one_region(1 + i % MOST, i % 4, i % 3 == 0)) atomic_fetch_add(&wrong, 1);
        if (one_offer(1 + i % MOST, i % 32)) atomic_fetch_add(&wrong, 1);
        if (i % 64 == 0) usleep(200); /* long enough to fall asleep: the next order wakes them */
    }
    return NULL;
}

static void fork_once(void) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        alarm(60); /* a hang is a failure too */
        _exit(one_region(2, 10, 1) || one_offer(3, 20) || one_region(3, 10, 0));
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status) atomic_fetch_add(&wrong, 1);
}

int main(int count, char **arguments) {
    int regions = count > 1 ? atoi(arguments[1]) : 1000;
    int forks = count > 2 ? atoi(arguments[2]) : 0;
    pthread_t threads[CALLERS];

    caller(&regions); /* one caller alone always gets its team */
    if (fr_pool_run(inner, &(int){0}, 2) != 2) atomic_fetch_add(&wrong, 1);
    for (int i = 0; i < 3000 && fr_pool_meeting() <= 0; i++) one_region(2, 1, 0), usleep(1000);
    if (fr_pool_meeting() <= 0) atomic_fetch_add(&wrong, 1);
    for (int i = 0; i < 3000 && fr_pool_meeting() > 0; i++) usleep(1000); /* what was long ago is no longer so */
    if (fr_pool_meeting()) atomic_fetch_add(&wrong, 1);

    for (int i = 0; i < CALLERS; i++) pthread_create(&threads[i], NULL, caller, &regions);
    for (int i = 0; i < forks; i++) fork_once();
    for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);

    for (int i = 0; i < forks; i++) fork_once();
    printf("%d regions of each of %d callers, %d forks: %d wrong\n", regions, CALLERS + 1, 2 * forks, wrong);
    return wrong != 0;
}
