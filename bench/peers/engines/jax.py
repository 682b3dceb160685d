"""JAX: a jitted lax.scan with the projection of x before it; jax.vjp for training.  Weights as (n, G n_a)."""

import jax
import jax.numpy as jnp
import numpy as np

from ..grid import data
from . import Unsupported

jax.config.update("jax_enable_x64", True)


def _rnn(state, z, W_a, b_a):
    (a,) = state
    return (jnp.tanh(z + a @ W_a + b_a),)


def _lstm(state, z, W_a, b_a):
    a, c = state
    i, f, g, o = jnp.split(z + a @ W_a + b_a, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru(state, z, W_a, b_a):
    (a,) = state
    r_x, u_x, n_x = jnp.split(z, 3, axis=-1)
    r_a, u_a, n_a = jnp.split(a @ W_a + b_a, 3, axis=-1)
    u = jax.nn.sigmoid(u_x + u_a)
    return ((1 - u) * jnp.tanh(n_x + jax.nn.sigmoid(r_x + r_a) * n_a) + u * a,)


_CELLS = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}


class Engine:
    def __init__(self, threads):
        # XLA has no setting for threads that it heeds: the CPUs of the process decide
        self.version, self.note = jax.__version__, None

    def _arrays(self, case):
        arrays = data(case)
        weights = [np.ascontiguousarray(arrays.W_x.T), np.ascontiguousarray(arrays.W_a.T), arrays.b_x, arrays.b_a]
        return [jnp.asarray(array) for array in weights], jnp.asarray(arrays.x), jnp.asarray(arrays.dy)

    def layer(self, case):
        jax.clear_caches()  # what earlier shapes compiled is not needed again
        weights, x, dy = self._arrays(case)
        cell = _CELLS[case.cell]
        zeros = (jnp.zeros((case.m, case.n_a), x.dtype),) * (2 if case.cell == "lstm" else 1)

        def run(x, W_x, W_a, b_x, b_a):
            def body(state, z):
                state = cell(state, z, W_a, b_a)
                return state, state[0]

            projected = (x.reshape(-1, case.n_x) @ W_x + b_x).reshape(case.T, case.m, -1)
            state, y = jax.lax.scan(body, zeros, projected)
            return y, state

        @jax.jit
        def step_of_training(dy, *arguments):
            y, pull = jax.vjp(lambda *a: run(*a)[0], *arguments)
            return y, pull(dy)

        forward = jax.jit(run)

        def inference():
            return jax.block_until_ready(forward(x, *weights))

        def training():
            return jax.block_until_ready(step_of_training(dy, x, *weights))

        def outputs():
            y, state = inference()
            return {name: np.asarray(array) for name, array in zip(("y", "h", "c"), (y, *state))}

        def gradients():
            y, (dx, dW_x, dW_a, db_x, db_a) = training()
            found = {"y": y, "dx": dx, "dW_x": dW_x.T, "dW_a": dW_a.T, "db_x": db_x, "db_a": db_a}
            return {name: np.asarray(array) for name, array in found.items()}

        return {"inference": (inference, outputs), "training": (training, gradients)}

    def step(self, case):
        if case.cell != "lstm":
            raise Unsupported("only the LSTM's step is measured")
        (W_x, W_a, b_x, b_a), x, _ = self._arrays(case)
        step = jax.jit(lambda x, state: _lstm(state, x @ W_x + b_x, W_a, b_a))
        xs, zero = list(x), jnp.zeros((case.m, case.n_a), x.dtype)
        self.note = "jitted step"

        def steps():
            state = zero, zero
            for x in xs:
                state = step(x, state)
            return jax.block_until_ready(state)[0]

        return {"step": (steps, lambda: {"y": np.asarray(steps())})}
