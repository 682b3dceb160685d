/* fastrnn: recurrent networks on a CPU.  The C interface; all that the Python extension sees.
 *
 * Arrays are time-major in meaning, in any layout in memory: a pointer and three strides, counted in elements, negative
 * ones allowed.  The element type is that of the weights.  Nothing here prints, aborts, or keeps a caller's pointer past
 * the call.  Different threads may call at once with the same weights, and with the same tape once it is filled. */
#ifndef FASTRNN_H
#define FASTRNN_H

#include <stddef.h>
#include <stdint.h>

typedef enum { FR_OK, FR_NO_MEMORY, FR_BAD_ARGUMENT, FR_INTERRUPTED } fr_status;

/* Asked every tenth of a second or so, on the caller's thread.  Anything but 0 ends the call with FR_INTERRUPTED, and what
 * it should have filled is worthless.  NULL: never asked. */
typedef int (*fr_interrupt)(void);

typedef enum { FR_RNN_TANH, FR_RNN_RELU, FR_LSTM, FR_GRU_AFTER, FR_GRU_BEFORE, FR_SLSTM } fr_cell;

typedef struct {
    void *data; /* NULL where the call allows an array to be absent */
    ptrdiff_t t, m, n;
} fr_array;

/* Instruction sets compiled in, weakest first. */
int fr_isa_count(void);
const char *fr_isa_name(int isa);
int fr_isa_usable(int isa);
unsigned fr_cpu_features(void);

/* What may be added to a cell.  An array is NULL where it is absent, and so is all of it where a call takes a pointer. */
enum { FR_PEEPHOLE, FR_PROJECTION, FR_GAIN_X, FR_SHIFT_X, FR_GAIN_A, FR_SHIFT_A, FR_GAIN_C, FR_SHIFT_C, FR_EXTRA_ARRAYS };
typedef struct {
    /* LSTM alone: peephole (3, n_a), its rows those of i f o; projection (n_h, n_a) of the hidden state; gain_c, shift_c
     * (n_a) of a normalised new cell state.  gain and shift, all of a cell's or none: _x, _a (G n_a) of the two products. */
    const void *array[FR_EXTRA_ARRAYS];
    ptrdiff_t n_h;  /* width of the hidden state: n_a, but with a projection */
    int coupled;    /* LSTM: f = 1 - i, and rows f of all arrays are ignored */
    double clip;    /* bounds every pre-activation; 0: nothing does */
} fr_extras;

/* Weights, packed once for one instruction set.  Gates in order i f g o, or r z n.  Where a cell state has the width n_a, an
 * sLSTM's has 3 n_a: its c, n and m.
 * W_x (G n_a, n_x), W_a (G n_a, n_h), b_x, b_a (G n_a) or NULL for zeros; all contiguous, all read before this returns. */
typedef struct fr_weights fr_weights;
fr_status fr_weights_new(int isa, int bits, fr_cell cell, ptrdiff_t n_x, ptrdiff_t n_a, const void *W_x, const void *W_a,
                         const void *b_x, const void *b_a, const fr_extras *extras, fr_weights **weights);
void fr_weights_free(fr_weights *weights);
size_t fr_weights_bytes(const fr_weights *weights);
int fr_weights_lanes(const fr_weights *weights); /* reals in a vector of the kernels that they are packed for */
/* The second packed copy, which backward reads.  Made before the first training forward, not beside another call. */
fr_status fr_weights_transpose(fr_weights *weights);

/* How the sequences of a call run; all zero: each through all of x, forward.
 * Past its length nothing of a sequence is read, and what is filled there is zeros; its last state is that at its own end,
 * and with a length of 0 the initial one.  Reversed, a sequence runs from its own end to time 0, its last state is that at
 * time 0, and every array keeps the order of time.  A flag at time t starts a segment there: forward, time t begins from
 * zero states; reversed, time t − 1 does.  No gradient crosses. */
typedef struct {
    const ptrdiff_t *lengths;    /* (m) 0 … T in any order, or NULL: all T */
    const unsigned char *reset;  /* (T, m) flags, not 0 is true, or NULL: none */
    ptrdiff_t reset_t, reset_m;  /* their strides */
    int reverse;                 /* 0 or 1 */
    /* Masks, contiguous, in the order of time and sequences.  The recurrent product reads drop * a, in all steps the same.
     * Zoneout: flags of what keeps its old value, or, on average, the share of the old value in all. */
    const void *drop;                     /* (m, n_h), or NULL */
    const unsigned char *keep_a, *keep_c; /* (T, m, n_h) and, LSTM, (T, m, n_a): both or NULL */
    double zoneout;                       /* 0 … 1; 0 with flags */
} fr_run;

/* What a training forward keeps.  `weights` must outlive it. */
typedef struct fr_tape fr_tape;
/* `run` as it will be in forward; NULL: a plain one, of plain weights, that fr_tape_write will fill. */
fr_status fr_tape_new(const fr_weights *weights, const fr_run *run, ptrdiff_t T, ptrdiff_t m, fr_tape **tape);
void fr_tape_free(fr_tape *tape);
size_t fr_tape_bytes(const fr_tape *tape);
/* One quantity of a tape to or from a contiguous array: FR_A0 (m, n_h), FR_C0 (m, n_a), FR_A (T, m, n_h), others (T, m, n_a). */
typedef enum { FR_A0, FR_A, FR_C0, FR_C, FR_GATE } fr_quantity; /* FR_GATE + k: the k-th gate, q (GRU) the fourth, s (sLSTM) the fifth */
/* `run` as it was in forward; values past an end are left alone. */
fr_status fr_tape_read(const fr_tape *tape, const fr_run *run, int quantity, void *out);
fr_status fr_tape_write(fr_tape *tape, int quantity, const void *in);

typedef struct {
    const fr_weights *weights;
    ptrdiff_t T, m;
    fr_run run;
    fr_array x;           /* (T, m, n_x) */
    const void *a0, *c0;  /* (m, n_h), (m, n_a) contiguous, or NULL for zeros; c0 for LSTM alone */
    fr_array y;           /* (T, m, n_h) every hidden state, or absent */
    fr_array cells;       /* (T, m, n_a) every cell state, or absent */
    void *aT, *cT;        /* like a0, c0: the last states, or NULL */
    fr_tape *tape;        /* filled for backward, or NULL: evaluation */
    int threads;
    fr_interrupt interrupt;
} fr_forward_args;
fr_status fr_forward(const fr_forward_args *args);

typedef struct {
    const fr_tape *tape;
    fr_run run;               /* as they were in forward: run */
    fr_array x;               /* and x */
    fr_array dy, dcells;      /* (T, m, n_h), (T, m, n_a) gradients of every state, or absent */
    const void *daT, *dcT;    /* like a0, c0: gradients of the last states, or NULL */
    fr_array dx;              /* (T, m, n_x) filled, or absent: not wanted */
    void *da0, *dc0;          /* the same of the first, filled; dc0 for LSTM alone */
    void *dW_x, *dW_a;        /* filled, in the shapes of the weights */
    void *db_x, *db_a;
    void *extras[FR_EXTRA_ARRAYS]; /* filled: those of the arrays that the weights have */
    int accumulate;           /* add to all gradients of parameters instead */
    int threads;
    fr_interrupt interrupt;
} fr_backward_args;
fr_status fr_backward(const fr_backward_args *args);

/* Independent calls, each as if alone on one thread, at most `threads` of them at a time.  The status of one that failed, if
 * one did: the others may not have run then.  No two may fill the same array. */
fr_status fr_forward_many(const fr_forward_args *args, int count, int threads);
fr_status fr_backward_many(const fr_backward_args *args, int count, int threads);

/* Live states of a stack of one-directional layers: `count` weights of one element type, of which each reads what the one
 * before writes.  They must outlive it.  `run`: how each step runs, without lengths, reset, reverse and masks.  States begin at
 * zero.  One call at a time; streams of the same weights are independent of each other. */
typedef struct fr_stream fr_stream;
fr_status fr_stream_new(const fr_weights *const *weights, int count, ptrdiff_t capacity, const fr_run *run,
                        fr_stream **stream);
void fr_stream_free(fr_stream *stream);
size_t fr_stream_bytes(const fr_stream *stream);
/* One step of the states `ids` [rows], each at most once, or (NULL, with rows = capacity) of all: x (rows, n_x) to y (rows,
 * n_h), contiguous, on at most so many threads.  Takes no memory.  FR_BAD_ARGUMENT for an id that is not there or twice: nothing
 * has changed then. */
fr_status fr_stream_step(fr_stream *stream, const ptrdiff_t *ids, ptrdiff_t rows, const void *x, void *y, int threads);
fr_status fr_stream_clear(fr_stream *stream, const ptrdiff_t *ids, ptrdiff_t rows);
/* All states, (count, capacity, n_h) and (count, capacity, n_a); c may be NULL, and in writing a too: zeros. */
void fr_stream_read(const fr_stream *stream, void *a, void *c);
void fr_stream_write(fr_stream *stream, const void *a, const void *c);

/* out[i] = f(x[i]) with the kernels' own exp (0), sigmoid (1), tanh (2) or log sigmoid (3). */
void fr_activate(int isa, int bits, int function, const void *x, void *out, ptrdiff_t n);

/* n flags, each 1 with a chance of share · 2^-24 (0 … 2^23), else 0; with `flip` the other way round.  The key says which, on
 * every instruction set the same. */
void fr_chance(int isa, uint64_t key, unsigned share, int flip, unsigned char *out, ptrdiff_t n);

/* The affine map y = W x + b, at every position of a sequence.  W (n_y, n_x), b (n_y) or NULL for zeros; contiguous, read
 * before fr_linear_new returns.  What it makes is no cell: it serves the calls here, and those above on weights alone. */
typedef enum { FR_NO_ACTIVATION, FR_SOFTMAX, FR_SIGMOID } fr_activation;
fr_status fr_linear_new(int isa, int bits, ptrdiff_t n_x, ptrdiff_t n_y, const void *W, const void *b, fr_weights **linear);
typedef struct {
    const fr_weights *weights; /* backward: after fr_weights_transpose */
    ptrdiff_t T, m;
    fr_array x;                /* (T, m, n_x) */
    fr_array y;                /* (T, m, n_y) filled; backward: its gradient */
    fr_activation activation;  /* forward: what y goes through, in place */
    fr_array dx;               /* backward: (T, m, n_x) filled, or absent */
    void *dW, *db;             /* backward: filled; db may be NULL */
    int threads;
    fr_interrupt interrupt;
} fr_linear_args;
fr_status fr_linear_forward(const fr_linear_args *args);
fr_status fr_linear_backward(const fr_linear_args *args);

/* Losses at every position, with scale · their gradients; what each position's loss is made of goes to parts (T, m, 3), as
 * csrc/kernels/kernels.h has it.  Softmax: x are scores of n classes, the target a distribution or, if absent, a class. */
typedef enum { FR_SOFTMAX_LOSS, FR_LOGISTIC_LOSS, FR_SQUARED_LOSS } fr_loss_kind;
typedef struct {
    int isa, bits;
    fr_loss_kind kind;
    ptrdiff_t T, m, n;
    fr_array x, target, gradient; /* (T, m, n); gradient is filled */
    const ptrdiff_t *index;       /* (T, m) contiguous, or NULL: the class; negative: the position doesn't count */
    double scale;
    void *parts;
    int threads;
    fr_interrupt interrupt;
} fr_loss_args;
fr_status fr_loss_backward(const fr_loss_args *args);

/* Rows of a table (rows, n), contiguous: y[position] = table[index[position]], zeros where the index is negative.  With `add`
 * the way back: the table is filled with zeros, plus y of each position in the row that its index names. */
typedef struct {
    int isa, bits, add;
    ptrdiff_t T, m, n, rows;
    fr_array y;             /* (T, m, n) */
    const ptrdiff_t *index; /* (T, m) contiguous */
    void *table;
    int threads;
} fr_rows_args;
fr_status fr_rows(const fr_rows_args *args);

/* Recurrences without products over time: kind and operand[] as csrc/kernels/scan.inc has them, 0, 1 or 2. */
typedef struct {
    int isa, bits, kind;
    ptrdiff_t T, m, n;
    fr_array operand[3]; /* (T, m, n); the third for kind 2 alone */
    const void *h0;   /* (m, n) contiguous, or NULL for zeros */
    fr_array h;       /* (T, m, n): forward fills it, backward reads it */
    void *hT;         /* (m, n): forward fills it or NULL; backward: the gradient of the last state, or NULL for zeros */
    fr_array dh;      /* backward: (T, m, n) or absent */
    fr_array din[3];  /* backward: filled.  Absent: this is a call forward */
    void *dh0;        /* backward: (m, n) filled */
    int threads;
    fr_interrupt interrupt;
} fr_scan_args;
fr_status fr_scan_run(const fr_scan_args *args);

#endif
