/* The one list of kernels, and the only door between arithmetic and orchestration.
 *
 * An instruction set fills one fr_kernels per element type; everything above this line of the house calls through it
 * and knows neither vectors nor tiles.  Compiled with FR_BITS = 32 or 64, which decides `real`.
 *
 * The data a kernel sees
 *
 * units    Hidden units come in groups of FR_UNITS, the last one padded.  A row of states has n_p = padded n_a values;
 *          the padding is never read as part of a sum.
 * slots    What one unit has at one step: its gates (before or after activation) or their gradients.  A row of slots is
 *              z[group][slot][FR_UNITS]
 *          so a group's gates lie on neighbouring cache lines, in the same order for every instruction set.
 * matrix   The right operand of a product, packed so that a tile reads it front to back:
 *              data[panel][k][width][lanes]
 *          A panel is `width` vectors of outputs: the gates of `lanes` units (forward), or `width · lanes` neighbouring
 *          outputs.  The last panel of the second kind may be narrower.
 * segment  The left operand of a product is a row of reals of which the matrix wants certain runs.  Segments list them in
 *          the order of the matrix's k.  A segment with `part` set starts a new partial sum.
 *
 * The order of every sum is part of the contract (equal bits for every batch, chunk, thread count and instruction set
 * with FMA): a result starts from its initial value (bias, or what the input side has summed), each part is one chain of
 * FMAs in order of k, and the parts are added first to last.  Vectors run along outputs, so lanes never meet.
 */
#ifndef FR_KERNELS_H
#define FR_KERNELS_H

#include <stddef.h>
#include "base/config.h"

#define FR_UNITS 16

typedef struct {
    ptrdiff_t offset, length;
    int part; /* starts a new partial sum */
} fr_segment;

typedef struct {
    real *data;
    ptrdiff_t outputs;  /* columns that mean something: units when gated, else outputs */
    ptrdiff_t inputs;   /* k of the whole panel: the sum of the segments' lengths */
    ptrdiff_t panels;
    int width;          /* vectors a panel */
    int gated;          /* a panel is `width` gates of one vector of units */
    int slots;          /* gated: slots a unit has in the row the product goes to */
    int slot;           /* the first of them that this product fills */
    const fr_segment *segments;
    int count;          /* of segments */
    int far;            /* too large for a core's own cache: fetched before it is needed */
} fr_matrix;

/* out[r] = bias + x[r] W, panels [first, last). */
typedef struct {
    const fr_matrix *w;
    ptrdiff_t first, last;
    ptrdiff_t rows;
    const real *const *x;    /* [rows] */
    const real *bias;        /* one row laid out like out, or NULL for zero */
    real *const *out;        /* [rows]; plain outputs are written up to w->outputs exactly, gated rows in whole vectors */
    int padded;              /* plain outputs in whole vectors too: what will load them must not find old numbers there */
    int continues;           /* each sum starts from what stands in out, which is read in whole vectors; no bias then */
} fr_project;

/* What a cell may do beyond the plain one, read at run time by the second kernel that each has.  Rows stand n_p apart, as
 * in the step. */
typedef struct {
    real clip;                  /* every pre-activation is bounded to [−clip, clip]; 0: none is */
    real sigmoid_low, sigmoid_high, tanh_high; /* the activations at the bounds: from there on nothing comes back */
    ptrdiff_t units;            /* padded */
    const real *peephole;       /* [3][units] i f o (LSTM), or NULL */
    int coupled;                /* f = 1 − i (LSTM) */
    int complete;               /* the slots hold whole sums already, and no product brings more */
    real stay_a, stay_c;        /* zoneout on average: so much of the old state, and the rest of the new */
    const unsigned char *keep_a, *keep_c; /* zoneout drawn: rows of bytes, of which any but 0 keeps the old value; or NULL */
    const real *drop;           /* rows of the mask that the product's operand went through, or NULL */
    const real *hat, *gain, *shift; /* LSTM whose new cell is normalised: rows, and one row each; see norm.inc */
} fr_variant;

/* One step forward of `rows` sequences for the units of panels [first, last) of `w`. */
typedef struct {
    const fr_matrix *w;
    ptrdiff_t first, last;
    int down;                  /* through the panels: steps in turns find what the one before read last still in cache */
    ptrdiff_t rows;
    const real *const *left;   /* [rows] left operand of the product */
    const real *const *a_prev; /* [rows] hidden states before the step */
    const real *const *c_prev; /* [rows] cell states before the step (LSTM, sLSTM) */
    real *z;                   /* row of slots a sequence, z_row apart: the input side's sums; activated gates if `keep` */
    ptrdiff_t z_row;
    const fr_matrix *input;    /* NULL, or the input side joins this product, its panels like w's or, GRU with reset after, for
                                * the slots one further left: z then holds no sums */
    const real *const *x;      /* [rows] left operand of `input` */
    const real *input_bias;    /* what its sums begin with, one row laid out like z's */
    const real *bias;          /* recurrent bias that may not be folded into z (GRU, reset after), laid out by unit */
    real *a, *c;               /* new states, n_p apart; may not be a_prev, c may be c_prev */
    real *y;                   /* NULL, or where plain cells put the new hidden states besides, y_row apart */
    ptrdiff_t y_row;
    real *s;                   /* n_p apart: filled with reset ∘ a_prev (GRU, reset before); or the normalised new cell */
    ptrdiff_t n_p;             /* between rows: a multiple of the padded n_a where a thread takes every k-th sequence */
    ptrdiff_t units;           /* padded n_a: from block to block of a cell state that has several, and then rows of c are
                                * as many times n_p apart */
    int keep;
    const fr_variant *variant; /* for the kernels that ask */
    ptrdiff_t steps;           /* with one row several may follow each other (but for GRU, reset after, whose input side
                                * joins), their operands so far apart: */
    ptrdiff_t x_step, a_step, c_step, z_step, y_step;
} fr_step;

/* One step backward.  The product brings the gradient that the later step sends through W_a; then the cell. */
typedef struct {
    const fr_matrix *w;
    ptrdiff_t first, last;
    int down;                   /* as in the step forward */
    ptrdiff_t rows;
    const real *const *dz_next; /* [rows] slot gradients of the later step, or NULL: there is none */
    const real *none;           /* the row that dz_next names where a sequence has none, as a zero times an infinite weight is
                                 * not to be sent back; NULL: all have one */
    const real *dy;             /* gradient of the new hidden state from outside, dy_row apart; NULL: the product brings all */
    ptrdiff_t dy_row;
    const real *dcells;         /* the same of the new cell state, or NULL */
    const real *z;              /* activated slots of this step, z_row apart */
    ptrdiff_t z_row;
    const real *a;              /* new hidden state, n_p apart */
    const real *c;              /* new cell state (LSTM) */
    const real *const *a_prev;
    const real *const *c_prev;
    real *dz;                   /* slot gradients of this step, dz_row apart */
    ptrdiff_t dz_row;
    real *s;                    /* filled for weight gradients, n_p apart: reset ∘ a_prev (GRU, reset before), or the cell
                                 * state before zoneout (LSTM with peepholes) */
    real *carry;                /* n_p apart: LSTM dc, GRU the part of da that bypasses the gates; read, then replaced */
    real *skip;                 /* n_p apart: the part of da that zoneout lets past the cell (LSTM; others: in carry) */
    real *dn;                   /* n_p apart: gradient of the normalised new cell, then of the new cell */
    ptrdiff_t n_p, units;       /* as in fr_step, also for c, dcells and carry */
    const fr_variant *variant;
    int ahead;                  /* more rows than one: what the step before will read is far away, so it is asked for */
    ptrdiff_t steps;            /* with one row several may follow each other, the latest first: dz dz_row apart, others: */
    ptrdiff_t dy_step, a_step, c_step, z_step;
} fr_step_grad;

/* dw[gate units, inputs] += sum over rows of dz ⊗ x, for the groups [first, last) of units. */
typedef struct {
    ptrdiff_t first, last;
    ptrdiff_t rows, piece;      /* each `piece` of them, from the first on, are summed apart: at most FR_PIECE */
    const real *const *x;       /* [rows] of `inputs` values */
    ptrdiff_t inputs;
    const real *const *dz;      /* [rows] rows of slots */
    int slots;                  /* slots a unit has there */
    int slot;                   /* the first that counts here */
    int gates;                  /* how many follow one another */
    const int *gate;            /* [gates] the gate of dw that each belongs to */
    ptrdiff_t n_a;
    real *dw;                   /* (all gates · n_a, inputs) */
    real *db;                   /* (all gates · n_a), or NULL */
    real *scratch;              /* rows · inputs reals, rounded up to FR_UNITS and at most FR_SCRATCH inputs */
} fr_outer;

/* Sums over rows, unit by unit, of some slots of dz: inner += Σ dz ∘ x, sum += Σ dz; groups [first, last) of units.  Where rows
 * are such sums already, `summed`, inner += Σ x. */
typedef struct {
    ptrdiff_t first, last;
    ptrdiff_t rows;
    const real *const *dz;      /* [rows] rows of slots */
    int slots, x_slots;         /* slots a unit has there, and in x */
    const real *const *x;       /* [rows] */
    ptrdiff_t n_a;
    int summed, count, slot[4], x_slot[4];
    real *inner[4], *sum[2][4]; /* for each slot [n_a]; sums may be NULL */
} fr_columns;

/* Layer normalisation of `count` slots of all units at once, one row after the other: hat = (x − mean) inverse, with
 * inverse = 1 / sqrt(variance + FR_NORM_EPS), and out = hat · gain + shift, added to what is there if `add`, but for the slot
 * `fresh`. */
#define FR_NORM_EPS 1e-5
typedef struct {
    ptrdiff_t rows, n_a;
    int slots, count;           /* slots of a unit in all rows but x; 1: rows by unit */
    const int *slot;            /* [count] in the order in which they are added up */
    int x_slots, x_slot;        /* slots of a unit in x, of which the first is this one of the other rows */
    const real *x;
    ptrdiff_t x_row;
    real *hat;                  /* or NULL: not wanted; may be x, if that has the same rows */
    ptrdiff_t hat_row;
    real *out;                  /* may be x, if that has the same slots */
    ptrdiff_t out_row;
    int add, fresh;
    const real *gain, *shift;   /* one row each */
    real *inverse;              /* [rows], or NULL */
    ptrdiff_t inverse_row;
} fr_norm;

/* dx = inverse (g − mean(g) − hat · mean(g ∘ hat)), g = dz ∘ gain; inner += Σ dz ∘ hat and sum += Σ dz of each FR_TOGETHER rows. */
typedef struct {
    ptrdiff_t rows, n_a;
    int slots, count;
    const int *slot;
    const real *hat, *soon;     /* far away; soon: the first row of those that come next, fetched meanwhile, or NULL */
    const real *dz, *inverse, *gain;
    real *dx;                   /* may be dz */
    real *inner, *sum;          /* rows of slots too, or NULL: not wanted */
    ptrdiff_t dz_row, hat_row, inverse_row, dx_row, sums_row;
} fr_norm_grad;

/* One row of a loss.  Filled: out = scale · the gradient of the loss (it may be x), and in part[] what the loss is made of:
 *     softmax    Σ exp(x − max x), Σ t (x − max x), Σ t      the loss is part[2] log part[0] − part[1]
 *     others     the loss in part[0] */
typedef struct {
    ptrdiff_t n;
    const real *x;
    const real *target;         /* n of them; softmax: NULL when the class `index` alone counts */
    ptrdiff_t index;
    real scale;
    real *out;
    real part[3];
} fr_loss;

/* A recurrence without products, kernels/scan.inc: `steps` steps of n units of one sequence.  FR_MIN_LSTM reads in[2]. */
enum { FR_SCAN, FR_MIN_GRU, FR_MIN_LSTM };
typedef struct {
    int kind;
    ptrdiff_t steps, n;
    const real *in[3];          /* step t: in_step · t on */
    ptrdiff_t in_step[3];
    const real *h0;             /* the state before the first step */
    real *h;                    /* filled with the states after each, h_step apart */
    ptrdiff_t h_step;
} fr_scan;
typedef struct {
    int kind;
    ptrdiff_t steps, n;
    const real *in[3];
    ptrdiff_t in_step[3];
    const real *h0, *h;         /* as forward left them; of h the last row is not read */
    ptrdiff_t h_step;
    const real *dh;             /* dh_step apart, or NULL for zeros */
    ptrdiff_t dh_step;
    real *din[3];               /* filled; may not overlap in */
    ptrdiff_t din_step[3];
    real *carry;                /* gradient of the last state; replaced by that of h0 */
} fr_scan_grad;

#define FR_PIECE 64    /* rows of one partial sum of a weight gradient, at most */
#define FR_PIECE_LEAST 16 /* where there is more than one */
#define FR_PIECES 4    /* so many at once where dw is far, which is then fetched once */
#define FR_TOGETHER 2  /* neighbouring rows that are one sum, where few are to be left */
#define FR_SCRATCH 512 /* inputs of x that are packed at once, at most */

typedef struct fr_kernels {
    int lanes;
    void (*project)(const fr_project *);
    void (*outer)(const fr_outer *);
    void (*rnn_tanh)(const fr_step *);
    void (*rnn_relu)(const fr_step *);
    void (*lstm)(const fr_step *);
    void (*gru_after)(const fr_step *);
    void (*gru_before_gates)(const fr_step *);
    void (*gru_before_new)(const fr_step *);
    void (*rnn_tanh_grad)(const fr_step_grad *);
    void (*rnn_relu_grad)(const fr_step_grad *);
    void (*lstm_grad)(const fr_step_grad *);
    void (*gru_after_grad)(const fr_step_grad *);
    void (*gru_before_new_grad)(const fr_step_grad *);
    void (*gru_before_gates_grad)(const fr_step_grad *);
    void (*slstm)(const fr_step *);
    void (*slstm_grad)(const fr_step_grad *);
    void (*slstm_any_grad)(const fr_step_grad *);
    void (*rnn_tanh_any)(const fr_step *); /* those that read `variant` */
    void (*rnn_relu_any)(const fr_step *);
    void (*lstm_any)(const fr_step *);
    void (*lstm_norm_cell)(const fr_step *); /* up to the new cell, and from there: between them it is normalised */
    void (*lstm_norm_output)(const fr_step *);
    void (*gru_after_any)(const fr_step *);
    void (*gru_before_gates_any)(const fr_step *);
    void (*gru_before_new_any)(const fr_step *);
    void (*rnn_tanh_any_grad)(const fr_step_grad *);
    void (*rnn_relu_any_grad)(const fr_step_grad *);
    void (*lstm_any_grad)(const fr_step_grad *);
    void (*lstm_norm_output_grad)(const fr_step_grad *);
    void (*lstm_norm_cell_grad)(const fr_step_grad *);
    void (*gru_after_any_grad)(const fr_step_grad *);
    void (*gru_before_new_any_grad)(const fr_step_grad *);
    void (*gru_before_gates_any_grad)(const fr_step_grad *);
    void (*columns)(const fr_columns *);
    void (*norm)(const fr_norm *);
    void (*norm_grad)(const fr_norm_grad *);
    void (*transpose)(real *dst, ptrdiff_t dst_row, const real *src, ptrdiff_t src_row, ptrdiff_t rows, ptrdiff_t columns);
    void (*activate)(int function, const real *x, real *out, ptrdiff_t n); /* 0 exp, 1 sigmoid, 2 tanh, 3 log sigmoid */
    void (*softmax)(real *x, ptrdiff_t n);                                 /* in place */
    void (*softmax_columns)(real *x, ptrdiff_t row, ptrdiff_t n, ptrdiff_t columns); /* of each column; whole vectors */
    void (*softmax_loss)(fr_loss *);
    void (*logistic_loss)(fr_loss *);
    void (*squared_loss)(fr_loss *);
    void (*scan)(const fr_scan *);
    void (*scan_grad)(const fr_scan_grad *);
    void (*chance)(uint64_t key, unsigned share, int flip, unsigned char *out, ptrdiff_t n); /* as fr_chance */
} fr_kernels;

#endif
