"""The course's recurrent networks in plain NumPy, as one writes them when following its assignment.

This is what speed-ups of the course's functions are measured against: a cell function for a step, a loop over
time, a list of caches, gradients added up step by step.  Honest NumPy of a good student: matrices multiplied by
BLAS, nothing computed twice within a step, no more than the course asks for.  Arrays (n_x, m, T_x), (n_a, m, T_x).
"""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - np.max(z, axis=0))
    return e / np.sum(e, axis=0)


# ---- basic RNN ----


def rnn_cell_forward(xt, a_prev, parameters):
    Wax, Waa, Wya = parameters["Wax"], parameters["Waa"], parameters["Wya"]
    a_next = np.tanh(np.dot(Waa, a_prev) + np.dot(Wax, xt) + parameters["ba"])
    yt_pred = softmax(np.dot(Wya, a_next) + parameters["by"])
    return a_next, yt_pred, (a_next, a_prev, xt, parameters)


def rnn_forward(x, a0, parameters):
    _, m, T_x = x.shape
    n_y, n_a = parameters["Wya"].shape
    a, y_pred = np.zeros((n_a, m, T_x), x.dtype), np.zeros((n_y, m, T_x), x.dtype)
    caches = []
    a_next = a0
    for t in range(T_x):
        a_next, yt_pred, cache = rnn_cell_forward(x[:, :, t], a_next, parameters)
        a[:, :, t] = a_next
        y_pred[:, :, t] = yt_pred
        caches.append(cache)
    return a, y_pred, (caches, x)


def rnn_cell_backward(da_next, cache):
    a_next, a_prev, xt, parameters = cache
    dz = (1 - a_next**2) * da_next
    return {
        "dxt": np.dot(parameters["Wax"].T, dz),
        "da_prev": np.dot(parameters["Waa"].T, dz),
        "dWax": np.dot(dz, xt.T),
        "dWaa": np.dot(dz, a_prev.T),
        "dba": np.sum(dz, axis=1, keepdims=True),
    }


def rnn_backward(da, caches):
    cells, x = caches
    parameters = cells[0][3]
    dx = np.zeros((x.shape[0], *da.shape[1:]), x.dtype)
    totals = {"dWax": np.zeros_like(parameters["Wax"]), "dWaa": np.zeros_like(parameters["Waa"]),
              "dba": np.zeros_like(parameters["ba"])}
    da_prevt = np.zeros_like(da[:, :, 0])
    for t in reversed(range(da.shape[2])):
        gradients = rnn_cell_backward(da[:, :, t] + da_prevt, cells[t])
        da_prevt = gradients["da_prev"]
        dx[:, :, t] = gradients["dxt"]
        for key in totals:
            totals[key] += gradients[key]
    return {"dx": dx, "da0": da_prevt, **totals}


# ---- LSTM ----


def lstm_cell_forward(xt, a_prev, c_prev, parameters):
    concat = np.concatenate((a_prev, xt), axis=0)
    ft = sigmoid(np.dot(parameters["Wf"], concat) + parameters["bf"])
    it = sigmoid(np.dot(parameters["Wi"], concat) + parameters["bi"])
    cct = np.tanh(np.dot(parameters["Wc"], concat) + parameters["bc"])
    c_next = ft * c_prev + it * cct
    ot = sigmoid(np.dot(parameters["Wo"], concat) + parameters["bo"])
    a_next = ot * np.tanh(c_next)
    yt_pred = softmax(np.dot(parameters["Wy"], a_next) + parameters["by"])
    return a_next, c_next, yt_pred, (a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters)


def lstm_forward(x, a0, parameters):
    _, m, T_x = x.shape
    n_y, n_a = parameters["Wy"].shape
    a, c = np.zeros((n_a, m, T_x), x.dtype), np.zeros((n_a, m, T_x), x.dtype)
    y = np.zeros((n_y, m, T_x), x.dtype)
    caches = []
    a_next, c_next = a0, np.zeros_like(a0)
    for t in range(T_x):
        a_next, c_next, yt, cache = lstm_cell_forward(x[:, :, t], a_next, c_next, parameters)
        a[:, :, t] = a_next
        c[:, :, t] = c_next
        y[:, :, t] = yt
        caches.append(cache)
    return a, y, c, (caches, x)


def lstm_cell_backward(da_next, dc_next, cache):
    a_next, c_next, a_prev, c_prev, ft, it, cct, ot, xt, parameters = cache
    n_a = a_next.shape[0]
    tanh_c = np.tanh(c_next)
    dc = dc_next + da_next * ot * (1 - tanh_c**2)
    dz = {
        "f": dc * c_prev * ft * (1 - ft),
        "i": dc * cct * it * (1 - it),
        "c": dc * it * (1 - cct**2),
        "o": da_next * tanh_c * ot * (1 - ot),
    }
    concat = np.concatenate((a_prev, xt), axis=0)
    gradients = {"dc_prev": dc * ft}
    dconcat = 0
    for gate in "fico":
        gradients["dW" + gate] = np.dot(dz[gate], concat.T)
        gradients["db" + gate] = np.sum(dz[gate], axis=1, keepdims=True)
        dconcat = dconcat + np.dot(parameters["W" + gate].T, dz[gate])
    gradients["da_prev"], gradients["dxt"] = dconcat[:n_a], dconcat[n_a:]
    return gradients


def lstm_backward(da, caches):
    cells, x = caches
    parameters = cells[0][9]
    dx = np.zeros((x.shape[0], *da.shape[1:]), x.dtype)
    totals = {"d" + key: np.zeros_like(parameters[key]) for gate in "fico" for key in ("W" + gate, "b" + gate)}
    da_prevt, dc_prevt = np.zeros_like(da[:, :, 0]), np.zeros_like(da[:, :, 0])
    for t in reversed(range(da.shape[2])):
        gradients = lstm_cell_backward(da[:, :, t] + da_prevt, dc_prevt, cells[t])
        da_prevt, dc_prevt = gradients["da_prev"], gradients["dc_prev"]
        dx[:, :, t] = gradients["dxt"]
        for key in totals:
            totals[key] += gradients[key]
    return {"dx": dx, "da0": da_prevt, **totals}


# ---- GRU ----


def gru_cell_forward(xt, c_prev, parameters):
    concat = np.concatenate((c_prev, xt), axis=0)
    gu = sigmoid(np.dot(parameters["Wu"], concat) + parameters["bu"])
    gr = sigmoid(np.dot(parameters["Wr"], concat) + parameters["br"])
    cct = np.tanh(np.dot(parameters["Wc"], np.concatenate((gr * c_prev, xt), axis=0)) + parameters["bc"])
    c_next = gu * cct + (1 - gu) * c_prev
    yt_pred = softmax(np.dot(parameters["Wy"], c_next) + parameters["by"])
    return c_next, yt_pred, (c_next, c_prev, gu, gr, cct, xt, parameters)


def gru_forward(x, c0, parameters):
    _, m, T_x = x.shape
    n_y, n_a = parameters["Wy"].shape
    c, y = np.zeros((n_a, m, T_x), x.dtype), np.zeros((n_y, m, T_x), x.dtype)
    caches = []
    c_next = c0
    for t in range(T_x):
        c_next, yt, cache = gru_cell_forward(x[:, :, t], c_next, parameters)
        c[:, :, t] = c_next
        y[:, :, t] = yt
        caches.append(cache)
    return c, y, (caches, x)


def gru_cell_backward(dc_next, cache):
    c_next, c_prev, gu, gr, cct, xt, parameters = cache
    n_a = c_next.shape[0]
    dzc = dc_next * gu * (1 - cct**2)
    dgated = np.dot(parameters["Wc"].T, dzc)
    dzu = dc_next * (cct - c_prev) * gu * (1 - gu)
    dzr = dgated[:n_a] * c_prev * gr * (1 - gr)
    dconcat = np.dot(parameters["Wu"].T, dzu) + np.dot(parameters["Wr"].T, dzr)
    concat = np.concatenate((c_prev, xt), axis=0)
    return {
        "dxt": dgated[n_a:] + dconcat[n_a:],
        "dc_prev": dc_next * (1 - gu) + dgated[:n_a] * gr + dconcat[:n_a],
        "dWu": np.dot(dzu, concat.T), "dbu": np.sum(dzu, axis=1, keepdims=True),
        "dWr": np.dot(dzr, concat.T), "dbr": np.sum(dzr, axis=1, keepdims=True),
        "dWc": np.dot(dzc, np.concatenate((gr * c_prev, xt), axis=0).T), "dbc": np.sum(dzc, axis=1, keepdims=True),
    }  # fmt: skip


def gru_backward(dc, caches):
    cells, x = caches
    parameters = cells[0][6]
    dx = np.zeros((x.shape[0], *dc.shape[1:]), x.dtype)
    totals = {"d" + key: np.zeros_like(parameters[key]) for gate in "urc" for key in ("W" + gate, "b" + gate)}
    dc_prevt = np.zeros_like(dc[:, :, 0])
    for t in reversed(range(dc.shape[2])):
        gradients = gru_cell_backward(dc[:, :, t] + dc_prevt, cells[t])
        dc_prevt = gradients["dc_prev"]
        dx[:, :, t] = gradients["dxt"]
        for key in totals:
            totals[key] += gradients[key]
    return {"dx": dx, "dc0": dc_prevt, **totals}
