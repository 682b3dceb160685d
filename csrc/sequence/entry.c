/* From the public interface to the code of the element type.  Weights and tapes begin with their number of bits. */
#include "sequence/entry.h"

#include "base/arena.h"
#include "isa/choose.h"

static int bits_of(const void *weights_or_tape) { return *(const int *)weights_or_tape; }

#define BY_TYPE(bits, name, ...) ((bits) == 32 ? name##_f32(__VA_ARGS__) : name##_f64(__VA_ARGS__))

/* What is an LSTM's is nobody else's, and who has one gain has all gains and shifts. */
static int good_extras(const fr_extras *e, fr_cell cell, ptrdiff_t n_a)
{
    const int lstm = cell == FR_LSTM, norm = e->array[FR_GAIN_X] != NULL;
    for (int k = FR_GAIN_X; k < FR_EXTRA_ARRAYS; k++)
        if ((e->array[k] != NULL) != (norm && (lstm || k < FR_GAIN_C))) return 0;
    if (!lstm && (e->array[FR_PEEPHOLE] || e->array[FR_PROJECTION] || e->coupled)) return 0;
    return e->n_h >= 1 && (e->array[FR_PROJECTION] || e->n_h == n_a) && e->clip >= 0;
}

fr_status fr_weights_new(int isa, int bits, fr_cell cell, ptrdiff_t n_x, ptrdiff_t n_a, const void *W_x, const void *W_a,
                         const void *b_x, const void *b_a, const fr_extras *extras, fr_weights **weights)
{
    *weights = NULL;
    if (isa < 0 || isa >= fr_isa_count() || !fr_isa_usable(isa) || (bits != 32 && bits != 64)) return FR_BAD_ARGUMENT;
    if (n_x < 1 || n_a < 1 || cell < FR_RNN_TANH || cell > FR_SLSTM || !W_x || !W_a) return FR_BAD_ARGUMENT;
    if (extras && !good_extras(extras, cell, n_a)) return FR_BAD_ARGUMENT;
    return BY_TYPE(bits, fr_weights_new, isa, cell, n_x, n_a, W_x, W_a, b_x, b_a, extras, weights);
}

fr_status fr_weights_transpose(fr_weights *w) { return BY_TYPE(bits_of(w), fr_weights_transpose, w); }

void fr_weights_free(fr_weights *w)
{
    if (w) BY_TYPE(bits_of(w), fr_weights_free, w);
}

size_t fr_weights_bytes(const fr_weights *w) { return BY_TYPE(bits_of(w), fr_weights_bytes, w); }

int fr_weights_lanes(const fr_weights *w) { return BY_TYPE(bits_of(w), fr_weights_lanes, w); }

fr_status fr_tape_new(const fr_weights *w, const fr_run *run, ptrdiff_t T, ptrdiff_t m, fr_tape **tape)
{
    *tape = NULL;
    if (T < 0 || m < 0) return FR_BAD_ARGUMENT;
    return BY_TYPE(bits_of(w), fr_tape_new, w, run, T, m, tape);
}

void fr_tape_free(fr_tape *tape) { fr_free(tape); }

size_t fr_tape_bytes(const fr_tape *tape) { return BY_TYPE(bits_of(tape), fr_tape_bytes, tape); }

fr_status fr_tape_read(const fr_tape *tape, const fr_run *run, int quantity, void *out)
{
    return BY_TYPE(bits_of(tape), fr_tape_read, tape, run, quantity, out);
}

fr_status fr_tape_write(fr_tape *tape, int quantity, const void *in)
{
    return BY_TYPE(bits_of(tape), fr_tape_write, tape, quantity, in);
}

fr_status fr_forward(const fr_forward_args *args) { return BY_TYPE(bits_of(args->weights), fr_forward, args); }

fr_status fr_backward(const fr_backward_args *args) { return BY_TYPE(bits_of(args->tape), fr_backward, args); }

fr_status fr_stream_new(const fr_weights *const *weights, int count, ptrdiff_t capacity, const fr_run *run,
                        fr_stream **stream)
{
    *stream = NULL;
    if (count < 1 || capacity < 0) return FR_BAD_ARGUMENT;
    if (run->lengths || run->reset || run->reverse || run->drop || run->keep_a) return FR_BAD_ARGUMENT;
    for (int k = 1; k < count; k++)
        if (bits_of(weights[k]) != bits_of(weights[0])) return FR_BAD_ARGUMENT;
    return BY_TYPE(bits_of(weights[0]), fr_stream_new, weights, count, capacity, run, stream);
}

void fr_stream_free(fr_stream *stream) { fr_free(stream); }

size_t fr_stream_bytes(const fr_stream *stream) { return BY_TYPE(bits_of(stream), fr_stream_bytes, stream); }

fr_status fr_stream_step(fr_stream *stream, const ptrdiff_t *ids, ptrdiff_t rows, const void *x, void *y, int threads)
{
    return BY_TYPE(bits_of(stream), fr_stream_step, stream, ids, rows, x, y, threads);
}

fr_status fr_stream_clear(fr_stream *stream, const ptrdiff_t *ids, ptrdiff_t rows)
{
    return BY_TYPE(bits_of(stream), fr_stream_clear, stream, ids, rows);
}

void fr_stream_read(const fr_stream *stream, void *a, void *c) { BY_TYPE(bits_of(stream), fr_stream_read, stream, a, c); }

void fr_stream_write(fr_stream *stream, const void *a, const void *c)
{
    BY_TYPE(bits_of(stream), fr_stream_write, stream, a, c);
}

void fr_activate(int isa, int bits, int function, const void *x, void *out, ptrdiff_t n)
{
    BY_TYPE(bits, fr_activate, isa, function, x, out, n);
}

void fr_chance(int isa, uint64_t key, unsigned share, int flip, unsigned char *out, ptrdiff_t n)
{
    fr_chance_f32(isa, key, share, flip, out, n);
}

static int runs(int isa, int bits) { return isa >= 0 && isa < fr_isa_count() && fr_isa_usable(isa) && (bits == 32 || bits == 64); }

static int below(const ptrdiff_t *index, ptrdiff_t count, ptrdiff_t end)
{
    int good = 1;
    for (ptrdiff_t i = 0; i < count; i++) good &= index[i] < end;
    return good;
}

fr_status fr_linear_new(int isa, int bits, ptrdiff_t n_x, ptrdiff_t n_y, const void *W, const void *b, fr_weights **linear)
{
    *linear = NULL;
    if (!runs(isa, bits) || n_x < 1 || n_y < 1 || !W) return FR_BAD_ARGUMENT;
    return BY_TYPE(bits, fr_linear_new, isa, n_x, n_y, W, b, linear);
}

fr_status fr_linear_forward(const fr_linear_args *args) { return BY_TYPE(bits_of(args->weights), fr_linear_forward, args); }

fr_status fr_linear_backward(const fr_linear_args *args) { return BY_TYPE(bits_of(args->weights), fr_linear_backward, args); }

fr_status fr_loss_backward(const fr_loss_args *args)
{
    if (!runs(args->isa, args->bits) || args->n < 1 || (args->kind != FR_SOFTMAX_LOSS && !args->target.data)) return FR_BAD_ARGUMENT;
    if (!args->target.data && !args->index) return FR_BAD_ARGUMENT;
    if (args->index && !below(args->index, args->T * args->m, args->n)) return FR_BAD_ARGUMENT;
    return BY_TYPE(args->bits, fr_loss_backward, args);
}

fr_status fr_rows(const fr_rows_args *args)
{
    if (!runs(args->isa, args->bits) || args->n < 1 || !below(args->index, args->T * args->m, args->rows)) return FR_BAD_ARGUMENT;
    return BY_TYPE(args->bits, fr_rows, args);
}

fr_status fr_scan_run(const fr_scan_args *args)
{
    if (!runs(args->isa, args->bits) || args->n < 1 || args->kind < 0 || args->kind > 2) return FR_BAD_ARGUMENT;
    return BY_TYPE(args->bits, fr_scan_run, args);
}
