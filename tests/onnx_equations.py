"""ONNX's RNN, LSTM and GRU by their definition: one row at a time, one unit at a time, plain loops and Python floats.

Written from the specification's equations (https://onnx.ai/onnx/operators/, pages RNN, LSTM, GRU), for tests to compare
with. It shares nothing with fastrnn: names, gate orders and loops are the specification's. As in onnxruntime, a row of
length 0 ends in zeros, and alpha and beta go in order to those functions that have one.
"""

import math

import numpy as np

# name: takes alpha, takes beta, defaults of both
TAKES = {
    "Affine": (True, True, 1.0, 0.0), "Relu": (False, False, None, None), "LeakyRelu": (True, False, 0.01, None),
    "ThresholdedRelu": (True, False, 1.0, None), "Tanh": (False, False, None, None),
    "ScaledTanh": (True, True, None, None), "Sigmoid": (False, False, None, None),
    "HardSigmoid": (True, True, 0.2, 0.5), "Elu": (True, False, 1.0, None), "Softsign": (False, False, None, None),
    "Softplus": (False, False, None, None),
}  # fmt: skip
DEFAULTS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}


def function(name, alpha, beta):
    if name == "Affine":
        return lambda x: alpha * x + beta
    if name == "Relu":
        return lambda x: max(0.0, x)
    if name == "LeakyRelu":
        return lambda x: x if x >= 0 else alpha * x
    if name == "ThresholdedRelu":
        return lambda x: x if x >= alpha else 0.0
    if name == "Tanh":
        return math.tanh
    if name == "ScaledTanh":
        return lambda x: alpha * math.tanh(beta * x)
    if name == "Sigmoid":
        return lambda x: 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))
    if name == "HardSigmoid":
        return lambda x: min(max(alpha * x + beta, 0.0), 1.0)
    if name == "Elu":
        return lambda x: x if x >= 0 else alpha * (math.exp(x) - 1)
    if name == "Softsign":
        return lambda x: x / (1 + abs(x))
    if name == "Softplus":
        return lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x)))
    raise AssertionError(name)


def functions(op, D, attributes):
    """D lists of functions."""
    names = attributes.get("activations") or DEFAULTS[op] * D
    alphas, betas = iter(attributes.get("activation_alpha", ())), iter(attributes.get("activation_beta", ()))
    found = []
    for name in names:
        name = next(known for known in TAKES if known.lower() == name.lower())
        takes_alpha, takes_beta, alpha, beta = TAKES[name]
        alpha = next(alphas, alpha) if takes_alpha else None
        beta = next(betas, beta) if takes_beta else None
        found.append(function(name, alpha, beta))
    each = len(found) // D
    return [found[d * each : (d + 1) * each] for d in range(D)]


def dot(row, vector):
    return sum(float(w) * float(v) for w, v in zip(row, vector))


def evaluate(op, attributes, inputs):
    """{"Y": …, "Y_h": …, "Y_c": …} in float64."""
    layout, direction = attributes.get("layout", 0), attributes.get("direction", "forward")
    X, W, R = (np.asarray(inputs[name], np.float64) for name in ("X", "W", "R"))
    first = {name: inputs.get(name) for name in ("initial_h", "initial_c")}
    if layout == 1:
        X = X.swapaxes(0, 1)
        first = {name: value if value is None else value.swapaxes(0, 1) for name, value in first.items()}
    T, m, _ = X.shape
    D, n = R.shape[0], R.shape[2]
    lengths = inputs.get("sequence_lens")
    lengths = [T] * m if lengths is None else [int(length) for length in lengths]
    Y, Y_h, Y_c = np.zeros((T, D, m, n)), np.zeros((D, m, n)), np.zeros((D, m, n))
    chosen = functions(op, D, attributes)
    for d in range(D):
        backwards = direction == "reverse" or d == 1
        B = [0.0] * 100_000 if inputs.get("B") is None else [float(b) for b in inputs["B"][d]]
        P = [0.0] * (3 * n) if inputs.get("P") is None else [float(p) for p in inputs["P"][d]]
        for k in range(m):
            h, c = ([0.0] * n if value is None else [float(v) for v in value[d, k]] for value in first.values())
            steps = range(lengths[k])
            for t in reversed(steps) if backwards else steps:
                h, c = step(op, attributes, chosen[d], X[t, k], h, c, W[d], R[d], B, P)
                Y[t, d, k] = h
            if lengths[k]:
                Y_h[d, k], Y_c[d, k] = h, c
    if layout == 1:
        Y, Y_h, Y_c = Y.transpose(2, 0, 1, 3), Y_h.swapaxes(0, 1), Y_c.swapaxes(0, 1)
    return {"Y": Y, "Y_h": Y_h, "Y_c": Y_c} if op == "LSTM" else {"Y": Y, "Y_h": Y_h}


def step(op, attributes, chosen, x, h, c, W, R, B, P):
    """The next h and c of one row."""
    n, limit = len(h), attributes.get("clip", math.inf)

    def clipped(z):
        return min(max(z, -limit), limit)

    def plain(gate, j):
        """X W^T + H R^T + Wb + Rb for unit j of the gate-th gate."""
        row = gate * n + j
        return dot(W[row], x) + dot(R[row], h) + B[row] + B[len(W) + row]

    if op == "RNN":
        (f,) = chosen
        return [f(clipped(plain(0, j))) for j in range(n)], c
    if op == "LSTM":  # gates i o f c, peepholes i o f
        f, g, hidden = chosen
        new_h, new_c = [], []
        for j in range(n):
            it = f(clipped(plain(0, j) + P[j] * c[j]))
            ft = 1 - it if attributes.get("input_forget") else f(clipped(plain(2, j) + P[2 * n + j] * c[j]))
            new_c.append(ft * c[j] + it * g(clipped(plain(3, j))))
            ot = f(clipped(plain(1, j) + P[n + j] * new_c[j]))
            new_h.append(ot * hidden(new_c[j]))
        return new_h, new_c
    f, g = chosen  # GRU: gates z r h
    zt = [f(clipped(plain(0, j))) for j in range(n)]
    rt = [f(clipped(plain(1, j))) for j in range(n)]
    new = []
    for j in range(n):
        row = 2 * n + j
        if attributes.get("linear_before_reset"):
            argument = dot(W[row], x) + rt[j] * (dot(R[row], h) + B[len(W) + row]) + B[row]
        else:
            argument = dot(W[row], x) + dot(R[row], [r * v for r, v in zip(rt, h)]) + B[len(W) + row] + B[row]
        new.append((1 - zt[j]) * g(clipped(argument)) + zt[j] * h[j])
    return new, c
