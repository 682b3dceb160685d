# The C interface, line for line as csrc/fastrnn.h has it; and two functions of Python's, the first declared here without
# Cython's own check, because what a signal handler raises must stay set until the C call has come back.
cdef extern from "Python.h":
    int PyErr_CheckSignals()
    unsigned long PyThread_get_thread_ident()

cdef extern from "fastrnn.h" nogil:
    ctypedef enum fr_status:
        FR_OK
        FR_NO_MEMORY
        FR_BAD_ARGUMENT
        FR_INTERRUPTED

    ctypedef int (*fr_interrupt)() noexcept nogil

    ctypedef enum fr_cell:
        FR_RNN_TANH
        FR_RNN_RELU
        FR_LSTM
        FR_GRU_AFTER
        FR_GRU_BEFORE
        FR_SLSTM

    ctypedef struct fr_array:
        void *data
        Py_ssize_t t, m, n

    int fr_isa_count()
    const char *fr_isa_name(int isa)
    int fr_isa_usable(int isa)
    unsigned fr_cpu_features()

    enum:
        FR_EXTRA_ARRAYS
    ctypedef struct fr_extras:
        const void *array[FR_EXTRA_ARRAYS]
        Py_ssize_t n_h
        int coupled
        double clip

    ctypedef struct fr_weights
    fr_status fr_weights_new(int isa, int bits, fr_cell cell, Py_ssize_t n_x, Py_ssize_t n_a, const void *W_x,
                             const void *W_a, const void *b_x, const void *b_a, const fr_extras *extras,
                             fr_weights **weights)
    void fr_weights_free(fr_weights *weights)
    size_t fr_weights_bytes(const fr_weights *weights)
    int fr_weights_lanes(const fr_weights *weights)
    fr_status fr_weights_transpose(fr_weights *weights)

    ctypedef struct fr_run:
        const Py_ssize_t *lengths
        const unsigned char *reset
        Py_ssize_t reset_t, reset_m
        int reverse
        const void *drop
        const unsigned char *keep_a
        const unsigned char *keep_c
        double zoneout

    ctypedef struct fr_tape
    fr_status fr_tape_new(const fr_weights *weights, const fr_run *run, Py_ssize_t T, Py_ssize_t m, fr_tape **tape)
    void fr_tape_free(fr_tape *tape)
    size_t fr_tape_bytes(const fr_tape *tape)
    ctypedef enum fr_quantity:
        FR_A0
        FR_A
        FR_C0
        FR_C
        FR_GATE
    fr_status fr_tape_read(const fr_tape *tape, const fr_run *run, int quantity, void *out)
    fr_status fr_tape_write(fr_tape *tape, int quantity, const void *values)

    ctypedef struct fr_forward_args:
        const fr_weights *weights
        Py_ssize_t T, m
        fr_run run
        fr_array x
        const void *a0
        const void *c0
        fr_array y
        void *aT
        void *cT
        fr_array cells
        fr_tape *tape
        int threads
        fr_interrupt interrupt
    fr_status fr_forward(const fr_forward_args *args)

    ctypedef struct fr_backward_args:
        const fr_tape *tape
        fr_run run
        fr_array x
        fr_array dy, dcells
        const void *daT
        const void *dcT
        fr_array dx
        void *da0
        void *dc0
        void *dW_x
        void *dW_a
        void *db_x
        void *db_a
        void *extras[FR_EXTRA_ARRAYS]
        int accumulate
        int threads
        fr_interrupt interrupt
    fr_status fr_backward(const fr_backward_args *args)
    fr_status fr_forward_many(const fr_forward_args *args, int count, int threads)
    fr_status fr_backward_many(const fr_backward_args *args, int count, int threads)

    ctypedef struct fr_stream
    fr_status fr_stream_new(const fr_weights **weights, int count, Py_ssize_t capacity, const fr_run *run, fr_stream **stream)
    void fr_stream_free(fr_stream *stream)
    size_t fr_stream_bytes(const fr_stream *stream)
    fr_status fr_stream_step(fr_stream *stream, const Py_ssize_t *ids, Py_ssize_t rows, const void *x, void *y, int threads)
    fr_status fr_stream_clear(fr_stream *stream, const Py_ssize_t *ids, Py_ssize_t rows)
    void fr_stream_read(const fr_stream *stream, void *a, void *c)
    void fr_stream_write(fr_stream *stream, const void *a, const void *c)

    void fr_activate(int isa, int bits, int function, const void *x, void *out, Py_ssize_t n)
    void fr_chance(int isa, unsigned long long key, unsigned share, int flip, unsigned char *out, Py_ssize_t n)

    ctypedef enum fr_activation:
        FR_NO_ACTIVATION
        FR_SOFTMAX
        FR_SIGMOID
    fr_status fr_linear_new(int isa, int bits, Py_ssize_t n_x, Py_ssize_t n_y, const void *W, const void *b,
                            fr_weights **linear)
    ctypedef struct fr_linear_args:
        const fr_weights *weights
        Py_ssize_t T, m
        fr_array x, y
        fr_activation activation
        fr_array dx
        void *dW
        void *db
        int threads
        fr_interrupt interrupt
    fr_status fr_linear_forward(const fr_linear_args *args)
    fr_status fr_linear_backward(const fr_linear_args *args)

    ctypedef enum fr_loss_kind:
        FR_SOFTMAX_LOSS
        FR_LOGISTIC_LOSS
        FR_SQUARED_LOSS
    ctypedef struct fr_loss_args:
        int isa, bits
        fr_loss_kind kind
        Py_ssize_t T, m, n
        fr_array x, target, gradient
        const Py_ssize_t *index
        double scale
        void *parts
        int threads
        fr_interrupt interrupt
    fr_status fr_loss_backward(const fr_loss_args *args)

    ctypedef struct fr_rows_args:
        int isa, bits, add
        Py_ssize_t T, m, n, rows
        fr_array y
        const Py_ssize_t *index
        void *table
        int threads
    fr_status fr_rows(const fr_rows_args *args)

    ctypedef struct fr_scan_args:
        int isa, bits, kind
        Py_ssize_t T, m, n
        fr_array operand[3]
        const void *h0
        fr_array h
        void *hT
        fr_array dh
        fr_array din[3]
        void *dh0
        int threads
        fr_interrupt interrupt
    fr_status fr_scan_run(const fr_scan_args *args)
