"""Many to one: tell a healthy machine from one with a loose bearing by 100 readings of two vibration sensors."""
import numpy as np
from fastrnn import LSTM, Linear
from fastrnn.nn import softmax_cross_entropy
from fastrnn.optim import Adam, clip_by_norm

rng = np.random.default_rng(0)
T = 100


def record(m):
    """Readings (T, m, 2) and labels (m,): a hum in noise; a loose bearing adds a short ringing somewhere."""
    t = np.arange(T)[:, None, None]
    hum = np.sin(rng.uniform(0.2, 0.4, (1, m, 1)) * t + rng.uniform(0, 6.28, (1, m, 2)))
    label = rng.integers(2, size=m)
    since = t - rng.integers(10, T - 30, (1, m, 1))
    ringing = np.where(since >= 0, np.exp(-np.maximum(since, 0) / 8) * np.sin(2.0 * since), 0)
    x = hum + 2.0 * label[:, None] * ringing + 0.2 * rng.standard_normal((T, m, 2))
    return x.astype(np.float32), label


lstm, linear = LSTM(2, 32, forget_bias=1.0, seed=1), Linear(32, 2, seed=2)
optimisers = Adam(lr=0.01), Adam(lr=0.01)

for step in range(301):
    x, label = record(64)
    y, _, tape = lstm.forward(x)
    scores, linear_tape = linear.forward(y.mean(axis=0))            # the mean over time decides
    loss, dscores = softmax_cross_entropy(scores, label)
    dmean, linear_grads = linear.backward(dscores, linear_tape)
    dy = np.broadcast_to(dmean / np.float32(T), y.shape)
    _, _, lstm_grads = lstm.backward(dy, tape, need_dx=False)
    lstm_grads, _ = clip_by_norm(lstm_grads, 1.0)
    for layer, optimiser, grads in zip((lstm, linear), optimisers, (lstm_grads, linear_grads)):
        layer.update(optimiser.step(layer.parameters(), grads))
    if step % 100 == 0:
        print(f"step {step:3d}: loss {loss:.3f}")

x, label = record(1000)
y, _ = lstm(x)
right = linear(y.mean(axis=0)).argmax(axis=1) == label
print(f"right on 1000 new recordings: {100 * right.mean():.1f} %")
