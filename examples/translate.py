"""Many to many of unequal lengths: one LSTM reads "six hundred forty two", another writes "642".

The reader's last state is the writer's first, and on the way back its gradient goes the other way.
"""
import numpy as np
from fastrnn import LSTM, Linear
from fastrnn.nn import softmax_cross_entropy
from fastrnn.optim import Adam, clip_by_norm

ones = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
words = ["", "hundred", *ones, *tens]                           # the empty word fills up at the front
start = 10                                                      # what the writer reads first


def spell(n):
    if n < 20:
        return [ones[n]]
    if n < 100:
        return [tens[n // 10 - 2]] + ([ones[n % 10]] if n % 10 else [])
    return [ones[n // 100], "hundred"] + (spell(n % 100) if n % 100 else [])


read = np.array([[words.index(w) for w in [""] * (4 - len(spell(n))) + spell(n)] for n in range(1000)]).T
write = np.array([[int(digit) for digit in f"{n:03d}"] for n in range(1000)]).T
word, digit = np.eye(len(words), dtype=np.float32), np.eye(11, dtype=np.float32)
order = np.random.default_rng(0).permutation(1000)
known, new = order[:800], order[800:]

layers = reader, writer, linear = LSTM(len(words), 64, seed=0), LSTM(11, 64, seed=1), Linear(64, 10, seed=2)
optimisers = [Adam(lr=0.01) for _ in layers]
for step in range(401):
    some = np.random.default_rng(step).choice(known, 100)
    _, state, reader_tape = reader.forward(word[read[:, some]])
    x = digit[np.vstack((np.full(100, start), write[:-1, some]))]
    y, _, writer_tape = writer.forward(x, state)
    scores, linear_tape = linear.forward(y)
    loss, dscores = softmax_cross_entropy(scores, write[:, some])
    dy, linear_grads = linear.backward(dscores, linear_tape)
    _, dstate, writer_grads = writer.backward(dy, writer_tape, need_dx=False)
    _, _, reader_grads = reader.backward(None, reader_tape, dstate, need_dx=False)
    for layer, optimiser, grads in zip(layers, optimisers, (reader_grads, writer_grads, linear_grads)):
        layer.update(optimiser.step(layer.parameters(), clip_by_norm(grads, 1.0)[0]))
    if step % 100 == 0:
        print(f"step {step:3d}: loss {loss:.4f}")

_, state = reader(word[read[:, new]])
codes, written = np.full(len(new), start), []
for _ in range(3):
    y, state = writer(digit[codes][None], state)
    codes = linear(y)[0].argmax(axis=1)
    written.append(codes)
right = (np.array(written) == write[:, new]).all(axis=0)
print(f"{' '.join(spell(new[0]))} -> {''.join(str(codes[0]) for codes in written)}")
print(f"right on {len(new)} numbers never seen: {100 * right.mean():.0f} %")
