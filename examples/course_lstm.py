"""The Sequence Models course's LSTM with one import changed: train it to repeat a symbol two steps later.

In the notebook the functions are your own; here they come from fastrnn.  Arrays are (n_x, m, T_x).
"""
import numpy as np
from fastrnn import lstm_backward, lstm_forward, sequence_loss      # the one import that changes

n_x, n_a, m, T_x, delay = 4, 24, 64, 12, 2
rng = np.random.default_rng(0)


def batch():
    """One-hot symbols (n_x, m, T_x), and the same two steps later; the first targets count nothing."""
    x = np.eye(n_x)[:, rng.integers(n_x, size=(m, T_x))]
    y = np.zeros_like(x)
    y[:, :, delay:] = x[:, :, :-delay]
    return x, y


parameters = {f"W{gate}": rng.standard_normal((n_a, n_a + n_x)) / np.sqrt(n_a) for gate in "fico"}
parameters |= {f"b{gate}": np.zeros((n_a, 1)) for gate in "fico"}
parameters |= {"Wy": np.zeros((n_x, n_a)), "by": np.zeros((n_x, 1))}

for iteration in range(301):
    x, y = batch()
    a, y_hat, c, caches = lstm_forward(x, np.zeros((n_a, m)), parameters)
    loss, dz = sequence_loss(y_hat, y)                              # dz: gradient before the softmax
    gradients = lstm_backward(np.tensordot(parameters["Wy"].T, dz, 1), caches)
    gradients |= {"dWy": np.tensordot(dz, a, ((1, 2), (1, 2))), "dby": dz.sum((1, 2))[:, None]}
    norm = np.sqrt(sum(np.sum(gradients[f"d{key}"] ** 2) for key in parameters))
    for key in parameters:
        parameters[key] -= 0.5 * min(1, 2 / norm) * gradients[f"d{key}"]
    if iteration % 100 == 0:
        print(f"iteration {iteration:3d}: loss {loss:7.4f}")

x, y = batch()
_, y_hat, _, caches = lstm_forward(x, np.zeros((n_a, m)), parameters)
right = y_hat.argmax(0)[:, delay:] == y.argmax(0)[:, delay:]
print(f"symbols repeated rightly: {100 * right.mean():.0f} %")
print("forget gates of the last step:", caches[0][-1][4].shape)     # caches are the course's tuples, made when read
