"""A character-level language model, written out: learn the names of dinosaurs, then invent some."""
import numpy as np
from fastrnn import LSTM, Linear, data
from fastrnn.nn import softmax_cross_entropy
from fastrnn.optim import Adam, clip_by_norm

names = data.load("dinosaurs").splitlines()
letters = "\n" + "".join(sorted(set("".join(names))))       # a newline starts and ends each name
one_hot = np.eye(len(letters), dtype=np.float32)
rng = np.random.default_rng(0)

lstm, linear = LSTM(len(letters), 96, forget_bias=1.0, seed=0), Linear(96, len(letters), seed=1)
optimisers = Adam(lr=0.01), Adam(lr=0.01)


def batch(size=64):
    """Letters and the letters after them, (T, m) each; -1 where a name has ended."""
    texts = ["\n" + names[k] + "\n" for k in rng.integers(len(names), size=size)]
    T = max(map(len, texts)) - 1
    inputs, targets = np.zeros((T, size), int), np.full((T, size), -1)
    for k, text in enumerate(texts):
        codes = [letters.index(letter) for letter in text]
        inputs[:len(codes) - 1, k], targets[:len(codes) - 1, k] = codes[:-1], codes[1:]
    return inputs, targets


for step in range(301):
    inputs, targets = batch()
    y, _, tape = lstm.forward(one_hot[inputs])
    scores, linear_tape = linear.forward(y)
    loss, dscores = softmax_cross_entropy(scores, targets, ignore_index=-1)
    dy, linear_grads = linear.backward(dscores, linear_tape)
    _, _, lstm_grads = lstm.backward(dy, tape, need_dx=False)
    for layer, optimiser, grads in zip((lstm, linear), optimisers, (lstm_grads, linear_grads)):
        layer.update(optimiser.step(layer.parameters(), clip_by_norm(grads, 1.0)[0]))
    if step % 100 == 0:
        print(f"step {step:3d}: {loss / np.log(2):.2f} bits per character")


def invent(temperature=0.7):
    """Feed each letter that was drawn back in, with the state passed on."""
    code, state, name = 0, None, ""
    while len(name) < 30:
        y, state = lstm(one_hot[code][None], state)         # one step of one sequence: (1, n_x)
        p = np.exp(linear(y)[0].astype(float) / temperature)
        code = rng.choice(len(letters), p=p / p.sum())
        if letters[code] == "\n":
            break
        name += letters[code]
    return name


for name in (invent() for _ in range(8)):
    print(name.capitalize(), "(a real one)" if name in names else "")
