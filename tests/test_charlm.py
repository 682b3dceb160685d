"""The course's character-level model against a plain loop over characters, written here."""

import inspect

import numpy as np
import pytest

from fastrnn import charlm

NAMES = ["abba", "caab", " bacc ", "a", "cabbac"]
CHARS = dict(enumerate("\nabc"))
INDEX = {c: i for i, c in CHARS.items()}


def plain_step(p, a, x):
    a = np.tanh(p["Wax"] @ x + p["Waa"] @ a + p["b"])
    e = np.exp(p["Wya"] @ a + p["by"])
    return a, e / e.sum()


def plain_gradients(X, Y, a_prev, p):
    """Loss, gradients and states, one character at a time."""
    xs, states, ys, loss = [], [a_prev], [], 0.0
    for index, target in zip(X, Y, strict=True):
        x = np.zeros((p["Wax"].shape[1], 1))
        if index is not None:
            x[index] = 1
        a, y = plain_step(p, states[-1], x)
        xs.append(x), states.append(a), ys.append(y)
        loss -= np.log(y[target, 0])
    g = {f"d{key}": np.zeros_like(value) for key, value in p.items()}
    later = np.zeros_like(a_prev)
    for t in reversed(range(len(X))):
        dy = ys[t].copy()
        dy[Y[t]] -= 1
        dz = (p["Wya"].T @ dy + later) * (1 - states[t + 1] ** 2)
        g["dWya"] += dy @ states[t + 1].T
        g["dby"] += dy
        g["db"] += dz
        g["dWax"] += dz @ xs[t].T
        g["dWaa"] += dz @ states[t].T
        later = p["Waa"].T @ dz
    return loss, g, later, states[1:], ys, xs


def plain_sample(p, seed):
    x, a, indices = np.zeros((p["Wax"].shape[1], 1)), np.zeros_like(p["b"]), []
    for k in range(50):
        a, y = plain_step(p, a, x)
        np.random.seed(seed + 2 * k)
        indices.append(np.random.choice(len(y), p=y[:, 0]))
        if indices[-1] == 0:
            return indices
        x = np.zeros_like(x)
        x[indices[-1]] = 1
    return indices + [0]


def make(n_a=6, vocab=4, seed=3, scale=0.8, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shapes = {"Wax": (n_a, vocab), "Waa": (n_a, n_a), "Wya": (vocab, n_a), "b": (n_a, 1), "by": (vocab, 1)}
    p = {key: (scale * rng.standard_normal(shape)).astype(dtype) for key, shape in shapes.items()}
    return p, rng.standard_normal((n_a, 1)).astype(dtype)


X, Y = [None, 1, 3, 2, 2], [1, 3, 2, 2, 0]


def close(actual, expected, eps=1e-12):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=eps * max(1, np.max(np.abs(expected))))


def test_forward_and_backward(engine, threads):
    p, a0 = make()
    loss, g, da0, states, ys, xs = plain_gradients(X, Y, a0, p)
    actual, cache = charlm.rnn_forward(X, Y, a0, p, vocab_size=4)
    y_hat, a, x = cache
    assert actual == pytest.approx(loss, abs=1e-12)
    assert list(y_hat) == list(x) == [0, 1, 2, 3, 4] and sorted(a) == [-1, 0, 1, 2, 3, 4]
    assert np.array_equal(a[-1], a0) and a[-1] is not a0
    for t in range(5):
        close(a[t], states[t])
        close(y_hat[t], ys[t])
        assert np.array_equal(x[t], xs[t])
    gradients, again = charlm.rnn_backward(X, Y, p, cache)
    assert again is a and set(gradients) == {*g, "da_next"}
    for key in g:
        close(gradients[key], g[key])
    close(gradients["da_next"], da0)
    close(y_hat[2], ys[2])      # the cache is as it was


def test_steps():
    p, a0 = make()
    _, g, da0, states, ys, xs = plain_gradients(X, Y, a0, p)
    gradients = {key: np.zeros_like(value) for key, value in g.items()} | {"da_next": np.zeros_like(a0)}
    before = [a0, *states]
    for t in reversed(range(5)):
        a, y = charlm.rnn_step_forward(p, before[t], xs[t])
        close(a, states[t])
        close(y, ys[t])
        y[Y[t]] -= 1
        assert charlm.rnn_step_backward(y, gradients, p, xs[t], a, before[t]) is gradients
    for key in g:
        close(gradients[key], g[key])
    close(gradients["da_next"], da0)


def test_optimize_clips_and_updates_in_place(engine):
    p, a0 = make(scale=2)
    X, Y = [None] + [1, 3, 2, 2] * 10, [0, 0] * 20 + [1]        # long and surprising: gradients above 5
    loss, g, _, states, _, _ = plain_gradients(X, Y, a0, p)
    assert max(np.abs(value).max() for value in g.values()) > 5
    before, arrays = {key: value.copy() for key, value in p.items()}, dict(p)
    actual, gradients, a = charlm.optimize(X, Y, a0, p, learning_rate=0.1)
    assert actual == pytest.approx(loss, rel=1e-12)
    close(a, states[-1])
    assert set(gradients) == set(g)
    for key in p:
        assert p[key] is arrays[key]
        close(gradients[f"d{key}"], np.clip(g[f"d{key}"], -5, 5))
        close(p[key], before[key] - 0.1 * np.clip(g[f"d{key}"], -5, 5))


def test_float32_stays_float32(engine):
    p, a0 = make(dtype=np.float32)
    loss, _, _ = charlm.optimize(X, Y, a0, p)
    assert loss == pytest.approx(plain_gradients(X, Y, *make(dtype=np.float32)[::-1])[0], rel=1e-5)
    assert {value.dtype for value in p.values()} == {np.dtype(np.float32)}
    assert charlm.sample(p, INDEX, 0)[-1] == 0


@pytest.mark.parametrize("seed", range(5))
def test_sample(seed):
    p, _ = make(seed=seed)
    assert charlm.sample(p, INDEX, seed) == plain_sample(p, seed)


def test_sample_gives_up_after_50():
    p, _ = make(scale=0.1)
    p["by"][0] = -50        # hardly ever a newline
    indices = charlm.sample(p, INDEX, 0)
    assert len(indices) == 51 and indices[-1] == 0 and indices == plain_sample(p, 0)


def test_model_is_the_plain_loop(engine, capsys):
    """Random numbers, order of names, losses, what is printed, and the weights after some hundred names."""
    iterations = 300
    parameters, last_name = charlm.model(NAMES, CHARS, INDEX, iterations, n_a=6, dino_names=3, vocab_size=4)
    printed = capsys.readouterr().out
    np.random.seed(1)
    p = {key: np.random.randn(*shape) * 0.01 for key, shape in (("Wax", (6, 4)), ("Waa", (6, 6)), ("Wya", (4, 6)))}
    p |= {"b": np.zeros((6, 1)), "by": np.zeros((4, 1))}
    names = [name.strip() for name in NAMES]
    np.random.seed(0)
    np.random.shuffle(names)
    loss, a, expected = np.log(4) * 3, np.zeros((6, 1)), []
    for j in range(iterations):
        indices = [INDEX[c] for c in names[j % 5]]
        current, g, _, states, _, _ = plain_gradients([None] + indices, indices + [0], a, p)
        a, loss = states[-1], 0.999 * loss + 0.001 * current
        for key in p:
            p[key] -= 0.01 * np.clip(g[f"d{key}"], -5, 5)
        if j % 2000 == 0:
            expected.append("Iteration: %d, Loss: %f" % (j, loss))
            for seed in range(3):
                name = "".join(CHARS[i] for i in plain_sample(p, seed))
                expected.append(name[:1].upper() + name[1:-1])
    assert [line for line in printed.splitlines() if line] == [line for line in expected if line]
    assert last_name == expected[-1] + "\n"
    for key in p:
        close(parameters[key], p[key], 1e-10)


def test_model_prints_every_2000(capsys):
    charlm.model(NAMES, CHARS, INDEX, 4001, n_a=3, dino_names=1, vocab_size=4, verbose=True)
    printed = capsys.readouterr().out
    assert [line.split(",")[0] for line in printed.splitlines() if "Iter" in line] == [
        "Iteration: 0", "Iteration: 2000", "Iteration: 4000"]
    assert printed.count("j = ") == 3


def test_clip_makes_copies():
    g = {f"d{key}": 9 * value for key, value in make()[0].items()} | {"da_next": np.ones(1)}
    before = {key: value.copy() for key, value in g.items()}
    clipped = charlm.clip(g, 2)
    assert set(clipped) == set(g) - {"da_next"}
    for key, value in clipped.items():
        assert np.array_equal(value, np.clip(before[key], -2, 2)) and np.array_equal(g[key], before[key])
        assert not np.shares_memory(value, g[key])


def test_both_editions_of_keywords():
    results = []
    for a_name in ("a0", "a_prev"):
        for lr_name in ("lr", "learning_rate"):
            p, a0 = make()
            loss, gradients, _ = charlm.optimize(X, Y, parameters=p, **{a_name: a0, lr_name: 0.3})
            charlm.update_parameters(p, gradients, **{lr_name: 0.1})
            results.append((loss, charlm.rnn_forward(X, Y, parameters=p, vocab_size=4, **{a_name: a0})[0]))
    assert len(set(results)) == 1
    with pytest.raises(TypeError, match="lr: expected it or learning_rate, got both"):
        charlm.optimize(X, Y, a0, p, lr=0.1, learning_rate=0.1)
    assert list(inspect.signature(charlm.rnn_forward).parameters) == ["X", "Y", "a0", "parameters", "vocab_size"]


def test_helpers(capsys):
    p = charlm.initialize_parameters(5, 4, 3)
    np.random.seed(1)
    for key, shape in (("Wax", (5, 4)), ("Waa", (5, 5)), ("Wya", (3, 5))):
        assert np.array_equal(p[key], np.random.randn(*shape) * 0.01)
    assert not p["b"].any() and p["b"].shape == (5, 1) and not p["by"].any() and p["by"].shape == (3, 1)
    assert charlm.get_initial_loss(27, 7) == pytest.approx(7 * np.log(27))
    assert charlm.smooth(10.0, 20.0) == pytest.approx(10.01)
    charlm.print_sample([1, 2, 0], CHARS)
    assert capsys.readouterr().out == "Ab\n" and charlm.get_sample([], CHARS) == ""


def test_wrong_input_is_named():
    p, a0 = make()
    for key, value in p.items():
        named = rf'parameters\["{key}"\]: expected'
        with pytest.raises(ValueError, match=named + ".*missing"):
            charlm.optimize(X, Y, a0, {k: v for k, v in p.items() if k != key})
        with pytest.raises(ValueError, match=named + r" shape \(n_"):
            charlm.sample(p | {key: value[:, 0]}, INDEX, 0)
        with pytest.raises(TypeError, match=named + ".*int64.*astype"):
            charlm.rnn_forward(X, Y, a0, p | {key: value.astype(int)}, vocab_size=4)
    with pytest.raises(ValueError, match=r'parameters\["Wax"\]: expected shape \(n_a, n_x\) with n_a = 6, n_x = 27, got \(6, 4\)'):
        charlm.rnn_forward(X, Y, a0, p)
    with pytest.raises(ValueError, match=r"^a0: expected shape \(n_a, 1\) with n_a = 6, got \(6,\)"):
        charlm.optimize(X, Y, a0[:, 0], p)
    with pytest.raises(TypeError, match="^a0: expected floats, got int64"):
        charlm.optimize(X, Y, a0.astype(int), p)
    with pytest.raises(ValueError, match="^Y: expected as many indices"):
        charlm.optimize(X, Y[1:], a0, p)
    with pytest.raises(ValueError, match="^X: expected indices from 0 to 3, got 1 to 9"):
        charlm.optimize([None, 1, 9], [1, 0, 0], a0, p)
    with pytest.raises(ValueError, match="^Y: expected indices from 0 to 3, got -1 to 1"):
        charlm.optimize([None, 1], [1, -1], a0, p)
    with pytest.raises(ValueError, match="^x: expected shape"):
        charlm.rnn_step_forward(p, a0, np.zeros(4))
    with pytest.raises(ValueError, match="^data_x: expected at least one name"):
        charlm.model([], CHARS, INDEX)
    with pytest.raises(ValueError, match="^char_to_ix: .*'z'"):
        charlm.model(["abz"], CHARS, INDEX)
    with pytest.raises(ValueError, match="^char_to_ix: expected a newline"):
        charlm.sample(p, {"a": 0}, 0)
