/* fastrnn: recurrent networks on a CPU.  The C interface; all that the Python extension sees.
 *
 * Arrays are time-major in meaning, in any layout in memory: a pointer and three strides, counted in elements, negative
 * ones allowed.  The element type is that of the weights.  Nothing here prints, aborts, or keeps a caller's pointer past
 * the call.  Different threads may call at once with the same weights, and with the same tape once it is filled. */
#ifndef FASTRNN_H
#define FASTRNN_H

#include <stddef.h>

typedef enum { FR_OK, FR_NO_MEMORY, FR_BAD_ARGUMENT, FR_INTERRUPTED } fr_status;

/* Asked every tenth of a second or so, on the caller's thread.  Anything but 0 ends the call with FR_INTERRUPTED, and what
 * it should have filled is worthless.  NULL: never asked. */
typedef int (*fr_interrupt)(void);

typedef enum { FR_RNN_TANH, FR_RNN_RELU, FR_LSTM, FR_GRU_AFTER, FR_GRU_BEFORE } fr_cell;

typedef struct {
    void *data; /* NULL where the call allows an array to be absent */
    ptrdiff_t t, m, n;
} fr_array;

/* Instruction sets compiled in, weakest first. */
int fr_isa_count(void);
const char *fr_isa_name(int isa);
int fr_isa_usable(int isa);
unsigned fr_cpu_features(void);

/* Weights, packed once for one instruction set.  Gates in order i f g o, or r z n.
 * W_x (G n_a, n_x), W_a (G n_a, n_a), b_x, b_a (G n_a) or NULL for zeros; all contiguous, all read before this returns. */
typedef struct fr_weights fr_weights;
fr_status fr_weights_new(int isa, int bits, fr_cell cell, ptrdiff_t n_x, ptrdiff_t n_a, const void *W_x, const void *W_a,
                         const void *b_x, const void *b_a, fr_weights **weights);
void fr_weights_free(fr_weights *weights);
size_t fr_weights_bytes(const fr_weights *weights);
int fr_weights_lanes(const fr_weights *weights); /* reals in a vector of the kernels that they are packed for */
/* The second packed copy, which backward reads.  Made before the first training forward, not beside another call. */
fr_status fr_weights_transpose(fr_weights *weights);

/* What a training forward keeps.  `weights` must outlive it. */
typedef struct fr_tape fr_tape;
/* `clear`: for a tape that fr_tape_write will fill. */
fr_status fr_tape_new(const fr_weights *weights, ptrdiff_t T, ptrdiff_t m, int clear, fr_tape **tape);
void fr_tape_free(fr_tape *tape);
size_t fr_tape_bytes(const fr_tape *tape);
/* One quantity of a tape to or from a contiguous array: FR_A0, FR_C0 (m, n_a), all others (T, m, n_a). */
typedef enum { FR_A0, FR_A, FR_C0, FR_C, FR_GATE } fr_quantity; /* FR_GATE + k: the k-th gate, or GRU's q as the fourth */
fr_status fr_tape_read(const fr_tape *tape, int quantity, void *out);
fr_status fr_tape_write(fr_tape *tape, int quantity, const void *in);

typedef struct {
    const fr_weights *weights;
    ptrdiff_t T, m;
    fr_array x;           /* (T, m, n_x) */
    const void *a0, *c0;  /* (m, n_a) contiguous, or NULL for zeros; c0 for LSTM alone */
    fr_array y;           /* (T, m, n_a) every hidden state, or absent */
    fr_array cells;       /* (T, m, n_a) every cell state, or absent */
    void *aT, *cT;        /* (m, n_a) the last states, or NULL */
    fr_tape *tape;        /* filled for backward, or NULL: evaluation */
    int threads;
    fr_interrupt interrupt;
} fr_forward_args;
fr_status fr_forward(const fr_forward_args *args);

typedef struct {
    const fr_tape *tape;
    fr_array x;               /* as it was in forward */
    fr_array dy, dcells;      /* (T, m, n_a) gradients of every state, or absent */
    const void *daT, *dcT;    /* (m, n_a) gradients of the last states, or NULL */
    fr_array dx;              /* (T, m, n_x) filled, or absent: not wanted */
    void *da0, *dc0;          /* (m, n_a) filled; dc0 for LSTM alone */
    void *dW_x, *dW_a;        /* filled, in the shapes of the weights */
    void *db_x, *db_a;
    int threads;
    fr_interrupt interrupt;
} fr_backward_args;
fr_status fr_backward(const fr_backward_args *args);

/* out[i] = f(x[i]) with the kernels' own exp (0), sigmoid (1) or tanh (2). */
void fr_activate(int isa, int bits, int function, const void *x, void *out, ptrdiff_t n);

#endif
