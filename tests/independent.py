"""Every result of the course's functions once more, in float64, from the equations alone.

One sequence at a time, one step at a time, vectors and outer products; arrays are indexed [j, t, unit].  Nothing
here is shared with fastrnn.  Gradients: of L = Σ_t da⟨t⟩·a⟨t⟩ for a given da, by the chain rule along each equation.
"""

import numpy as np


def sigmoid(v):
    return np.array([1 / (1 + np.exp(-e)) for e in v])


def softmax(v):
    e = [np.exp(k - max(v)) for k in v]
    return np.array([k / sum(e) for k in e])


def in_rows(x):
    """(n, m, T) of the course as [j, t, unit] in float64."""
    return np.array([[x[:, j, t] for t in range(x.shape[2])] for j in range(x.shape[1])], dtype=np.float64).reshape(
        x.shape[1], x.shape[2], x.shape[0])


def in_course_axes(rows):
    """[j, t, unit] as (n, m, T)."""
    return np.moveaxis(np.asarray(rows, dtype=np.float64), 2, 0)


def in_float64(parameters):
    return {key: np.asarray(value, dtype=np.float64) for key, value in parameters.items()}


class Record:
    """What one run leaves: arrays (n, m, T) by name."""

    def __init__(self):
        self.rows = {}

    def put(self, j, t, shape, **values):
        for name, value in values.items():
            self.rows.setdefault(name, np.zeros((*shape, len(value))))[j, t] = value

    def __getitem__(self, name):
        return in_course_axes(self.rows[name])


def predict(h, W, b, output):
    z = W @ h + b[:, 0]
    return softmax(z) if output == "softmax" else sigmoid(z)


def rnn_forward(x, a0, parameters, activation="tanh", output="softmax"):
    p, x, record = in_float64(parameters), in_rows(x), Record()
    for j in range(len(x)):
        a = np.asarray(a0, np.float64)[:, j]
        for t in range(x.shape[1]):
            z = p["Waa"] @ a + p["Wax"] @ x[j, t] + p["ba"][:, 0]
            after = np.array([np.tanh(k) if activation == "tanh" else max(k, 0.0) for k in z])
            record.put(j, t, x.shape[:2], a=after, a_prev=a, y=predict(after, p["Wya"], p["by"], output))
            a = after
    return record


def rnn_backward(da, x, a0, parameters, activation="tanh"):
    p, run = in_float64(parameters), rnn_forward(x, a0, parameters, activation)
    da, x = in_rows(da), in_rows(x)
    a, a_prev = in_rows(run["a"]), in_rows(run["a_prev"])
    m, T, _ = da.shape
    dx, da0 = np.zeros((m, T, x.shape[2])), np.zeros_like(np.asarray(a0, np.float64))
    d = {"dWax": np.zeros_like(p["Wax"]), "dWaa": np.zeros_like(p["Waa"]), "dba": np.zeros_like(p["ba"])}
    for j in range(m):
        later = np.zeros(a.shape[2])
        for t in range(T - 1, -1, -1):
            slope = 1 - a[j, t] ** 2 if activation == "tanh" else (a[j, t] > 0) * 1.0
            dz = (da[j, t] + later) * slope
            d["dWax"] += np.outer(dz, x[j, t])
            d["dWaa"] += np.outer(dz, a_prev[j, t])
            d["dba"] += dz[:, None]
            dx[j, t] = p["Wax"].T @ dz
            later = p["Waa"].T @ dz
        da0[:, j] = later
    return {"dx": in_course_axes(dx), "da0": da0, **d}


def lstm_forward(x, a0, parameters, output="softmax", c0=None):
    p, x, record = in_float64(parameters), in_rows(x), Record()
    for j in range(len(x)):
        a = np.asarray(a0, np.float64)[:, j]
        c = np.zeros(len(a)) if c0 is None else np.asarray(c0, np.float64)[:, j]
        for t in range(x.shape[1]):
            both = np.array([*a, *x[j, t]])
            f, i, o = (sigmoid(p[f"W{gate}"] @ both + p[f"b{gate}"][:, 0]) for gate in "fio")
            g = np.tanh(p["Wc"] @ both + p["bc"][:, 0])
            c_next = f * c + i * g
            a_next = o * np.tanh(c_next)
            record.put(j, t, x.shape[:2], a=a_next, c=c_next, a_prev=a, c_prev=c, f=f, i=i, g=g, o=o,
                       y=predict(a_next, p["Wy"], p["by"], output))
            a, c = a_next, c_next
    return record


def lstm_backward(da, x, a0, parameters, c0=None, dc_last=None):
    p, run = in_float64(parameters), lstm_forward(x, a0, parameters, c0=c0)
    da, x = in_rows(da), in_rows(x)
    r = {name: in_rows(run[name]) for name in ("a", "c", "a_prev", "c_prev", "f", "i", "g", "o")}
    m, T, n_a = da.shape
    dx, da0, dc0 = np.zeros((m, T, x.shape[2])), np.zeros((n_a, m)), np.zeros((n_a, m))
    d = {f"d{key}": np.zeros_like(p[key]) for key in p if key[0] in "Wb" and key[1:] in list("fico")}
    for j in range(m):
        da_later = np.zeros(n_a)
        dc_later = np.zeros(n_a) if dc_last is None else np.asarray(dc_last, np.float64)[:, j]
        for t in range(T - 1, -1, -1):
            f, i, g, o, c_prev = (r[name][j, t] for name in ("f", "i", "g", "o", "c_prev"))
            both = np.array([*r["a_prev"][j, t], *x[j, t]])
            h = np.tanh(r["c"][j, t])
            dh = da[j, t] + da_later
            dc = dc_later + dh * o * (1 - h * h)
            dz = {"o": dh * h * o * (1 - o), "f": dc * c_prev * f * (1 - f), "i": dc * g * i * (1 - i),
                  "c": dc * i * (1 - g * g)}
            dboth = np.zeros(len(both))
            for gate, v in dz.items():
                d[f"dW{gate}"] += np.outer(v, both)
                d[f"db{gate}"] += v[:, None]
                dboth += p[f"W{gate}"].T @ v
            da_later, dx[j, t], dc_later = dboth[:n_a], dboth[n_a:], dc * f
        da0[:, j], dc0[:, j] = da_later, dc_later
    return {"dx": in_course_axes(dx), "da0": da0, "dc0": dc0, **d}


def gru_forward(x, c0, parameters, simplified=None, output="softmax"):
    p, x, record = in_float64(parameters), in_rows(x), Record()
    for j in range(len(x)):
        c = np.asarray(c0, np.float64)[:, j]
        for t in range(x.shape[1]):
            both = np.array([*c, *x[j, t]])
            u = np.ones(len(c)) if simplified == "update" else sigmoid(p["Wu"] @ both + p["bu"][:, 0])
            r = np.ones(len(c)) if simplified == "reset" else sigmoid(p["Wr"] @ both + p["br"][:, 0])
            n = np.tanh(p["Wc"] @ np.array([*(r * c), *x[j, t]]) + p["bc"][:, 0])
            after = u * n + (1 - u) * c
            record.put(j, t, x.shape[:2], c=after, c_prev=c, u=u, r=r, n=n, y=predict(after, p["Wy"], p["by"], output))
            c = after
    return record


def gru_backward(dc, x, c0, parameters, simplified=None):
    p, run = in_float64(parameters), gru_forward(x, c0, parameters, simplified)
    dc, x = in_rows(dc), in_rows(x)
    q = {name: in_rows(run[name]) for name in ("c_prev", "u", "r", "n")}
    m, T, n_a = dc.shape
    dx, dc0 = np.zeros((m, T, x.shape[2])), np.zeros((n_a, m))
    d = {f"d{key}": np.zeros_like(p["Wc" if key[0] == "W" else "bc"]) for key in ("Wu", "bu", "Wr", "br", "Wc", "bc")}
    for j in range(m):
        later = np.zeros(n_a)
        for t in range(T - 1, -1, -1):
            u, r, n, c = (q[name][j, t] for name in ("u", "r", "n", "c_prev"))
            both = np.array([*c, *x[j, t]])
            candidate_in = np.array([*(r * c), *x[j, t]])
            dh = dc[j, t] + later
            dzn = dh * u * (1 - n * n)
            dcandidate_in = p["Wc"].T @ dzn
            dzu = dh * (n - c) * u * (1 - u)
            dzr = dcandidate_in[:n_a] * c * r * (1 - r)
            later = dh * (1 - u) + dcandidate_in[:n_a] * r
            dx[j, t] = dcandidate_in[n_a:]
            d["dWc"] += np.outer(dzn, candidate_in)
            d["dbc"] += dzn[:, None]
            for gate, v, fixed in (("u", dzu, "update"), ("r", dzr, "reset")):
                if simplified != fixed:
                    d[f"dW{gate}"] += np.outer(v, both)
                    d[f"db{gate}"] += v[:, None]
                    dboth = p[f"W{gate}"].T @ v
                    later = later + dboth[:n_a]
                    dx[j, t] += dboth[n_a:]
        dc0[:, j] = later
    return {"dx": in_course_axes(dx), "dc0": dc0, **d}


def sequence_loss(y_hat, y, kind):
    """The loss alone, by the definition; its gradient is for central differences to find."""
    total = 0.0
    for yh, target in zip(np.ravel(y_hat), np.ravel(y)):
        total -= target * np.log(yh)
        if kind == "logistic":
            total -= (1 - target) * np.log(1 - yh)
    return total / y.shape[1]
