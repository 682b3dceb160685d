"""Stateful use: a signal that arrives in pieces, of whatever length, gives the bits that the whole would."""
import numpy as np
from fastrnn import GRU

layer = GRU(input_size=3, hidden_size=64, num_layers=2, seed=0)
rng = np.random.default_rng(0)
signal = rng.standard_normal((1000, 3), dtype=np.float32)       # (T, n_x): one sequence needs no axis m

whole, last = layer(signal)

state, pieces, t = None, [], 0
while t < len(signal):
    n = int(rng.integers(1, 50))                                # what happened to arrive
    y, state = layer(signal[t:t + n], state)                    # the state goes on to the next piece
    pieces.append(y)
    t += n

print(f"{len(pieces)} pieces, one at a time; the state is {state.shape}")
print("same outputs, bit for bit:", np.array_equal(np.concatenate(pieces), whole))
print("same state, bit for bit:", np.array_equal(state, last))
