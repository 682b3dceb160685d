"""One to many: from a single digit to the letters of its name, each letter fed back in as the next input."""
import numpy as np
from fastrnn import GRU, Linear
from fastrnn.nn import softmax_cross_entropy
from fastrnn.optim import Adam

words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
letters = " abcdefghijklmnopqrstuvwxyz"                         # a blank ends a word
T, n_x = 6, 10 + len(letters)                                   # an input is a digit or a letter

digit = np.eye(10, n_x, dtype=np.float32)
letter = np.eye(len(letters), n_x, k=10, dtype=np.float32)
targets = np.array([[letters.index(c) for c in word.ljust(T)] for word in words]).T    # (T, m)
x = np.concatenate((digit[None], letter[targets[:-1]]))         # first the digit, then the letters so far

gru, linear = GRU(n_x, 32, seed=0), Linear(32, len(letters), seed=1)
optimisers = Adam(lr=0.02), Adam(lr=0.02)
for step in range(150):
    y, _, tape = gru.forward(x)
    scores, linear_tape = linear.forward(y)
    loss, dscores = softmax_cross_entropy(scores, targets)
    dy, linear_grads = linear.backward(dscores, linear_tape)
    _, _, gru_grads = gru.backward(dy, tape, need_dx=False)
    for layer, optimiser, grads in zip((gru, linear), optimisers, (gru_grads, linear_grads)):
        layer.update(optimiser.step(layer.parameters(), grads))
print(f"loss {loss:.4f}")

for k in (1, 4, 7):
    step, state, word = digit[k], None, ""
    for _ in range(T):
        y, state = gru(step[None], state)
        code = int(linear(y)[0].argmax())
        word, step = word + letters[code], letter[code]
    print(k, "->", word.strip())
