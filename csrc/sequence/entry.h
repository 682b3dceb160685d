/* The typed entry points, one set from f32.c and one from f64.c, and the only names they export. */
#ifndef FR_ENTRY_H
#define FR_ENTRY_H

#include "base/config.h"
#include "fastrnn.h"

#define FR_ENTRIES(bits, type)                                                                                          \
    FR_HIDDEN fr_status fr_weights_new_f##bits(int isa, fr_cell cell, ptrdiff_t n_x, ptrdiff_t n_a, const type *W_x,    \
                                               const type *W_a, const type *b_x, const type *b_a,                       \
                                               const fr_extras *, fr_weights **);                                       \
    FR_HIDDEN fr_status fr_weights_transpose_f##bits(fr_weights *);                                                     \
    FR_HIDDEN void fr_weights_free_f##bits(fr_weights *);                                                               \
    FR_HIDDEN size_t fr_weights_bytes_f##bits(const fr_weights *);                                                      \
    FR_HIDDEN int fr_weights_lanes_f##bits(const fr_weights *);                                                         \
    FR_HIDDEN fr_status fr_tape_new_f##bits(const fr_weights *, const fr_run *, ptrdiff_t T, ptrdiff_t m, fr_tape **);  \
    FR_HIDDEN size_t fr_tape_bytes_f##bits(const fr_tape *);                                                            \
    FR_HIDDEN fr_status fr_tape_read_f##bits(const fr_tape *, const fr_run *, int quantity, type *out);                 \
    FR_HIDDEN fr_status fr_tape_write_f##bits(fr_tape *, int quantity, const type *in);                                 \
    FR_HIDDEN fr_status fr_forward_f##bits(const fr_forward_args *);                                                    \
    FR_HIDDEN fr_status fr_backward_f##bits(const fr_backward_args *);                                                  \
    FR_HIDDEN void fr_activate_f##bits(int isa, int function, const type *x, type *out, ptrdiff_t n);                   \
    FR_HIDDEN void fr_chance_f##bits(int isa, uint64_t key, unsigned share, int flip, unsigned char *out, ptrdiff_t n); \
    FR_HIDDEN fr_status fr_linear_new_f##bits(int isa, ptrdiff_t n_x, ptrdiff_t n_y, const type *W, const type *b,      \
                                              fr_weights **);                                                           \
    FR_HIDDEN fr_status fr_linear_forward_f##bits(const fr_linear_args *);                                              \
    FR_HIDDEN fr_status fr_linear_backward_f##bits(const fr_linear_args *);                                             \
    FR_HIDDEN fr_status fr_loss_backward_f##bits(const fr_loss_args *);                                                 \
    FR_HIDDEN fr_status fr_rows_f##bits(const fr_rows_args *);                                                          \
    FR_HIDDEN fr_status fr_scan_run_f##bits(const fr_scan_args *);                                                      \
    FR_HIDDEN fr_status fr_stream_new_f##bits(const fr_weights *const *, int count, ptrdiff_t capacity, const fr_run *, \
                                             fr_stream **);                                                             \
    FR_HIDDEN size_t fr_stream_bytes_f##bits(const fr_stream *);                                                        \
    FR_HIDDEN fr_status fr_stream_step_f##bits(fr_stream *, const ptrdiff_t *ids, ptrdiff_t rows, const type *x, type *y, \
                                              int threads);                                                                \
    FR_HIDDEN fr_status fr_stream_clear_f##bits(fr_stream *, const ptrdiff_t *ids, ptrdiff_t rows);                     \
    FR_HIDDEN void fr_stream_read_f##bits(const fr_stream *, type *a, type *c);                                         \
    FR_HIDDEN void fr_stream_write_f##bits(fr_stream *, const type *a, const type *c);

FR_ENTRIES(32, float)
FR_ENTRIES(64, double)

#endif
