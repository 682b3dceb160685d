"""A language model over characters: an LSTM that predicts the next one."""
import numpy as np

from ..nn.layer import Layer, count, fraction, generator, indices, pick_dtype
from ..nn.linear import Linear
from ..nn.losses import softmax_cross_entropy
from ..nn.lstm import LSTM

PAD = -1            # target of a place that does not count


class CharLM(Layer):
    """An LSTM over one-hot characters and a softmax over the next one.

    `vocabulary` is a string of distinct characters, "\\n" among them: every text starts after a newline.
    `dropout` acts above each LSTM layer in training.  `unit` says what one sequence is: "line" (sampling stops at a
    newline) or "window" (`length` characters of running text).

    >>> model = CharLM("\\nab", hidden_size=8, seed=0)
    >>> logits, state = model(model.encode("ab")[:, None])
    >>> logits.shape
    (2, 1, 3)
    """

    def __init__(self, vocabulary, hidden_size=128, num_layers=1, dropout=0.5, *, unit="line", length=60,
                 dtype=np.float32, seed=None):
        self._setup(vocabulary=vocabulary, hidden_size=hidden_size, num_layers=num_layers, dropout=dropout, unit=unit,
                    length=length, dtype=pick_dtype(dtype).name)
        # Streams of one seed, so that the layers do not start from the same numbers.
        seeds = generator(seed, np.random.SeedSequence).spawn(3)
        self._rng = np.random.default_rng(seeds[0])
        lstm = LSTM(len(vocabulary), hidden_size, num_layers, dropout=dropout, forget_bias=1.0, dtype=dtype,
                    seed=seeds[1])
        linear = Linear(hidden_size, len(vocabulary), dtype=dtype, seed=seeds[2])
        self.lstm._rng = lstm._rng
        self.update({**_prefixed("lstm", lstm.parameters()), **_prefixed("linear", linear.parameters())})

    def _setup(self, *, vocabulary, hidden_size, num_layers, dropout, unit, length, dtype):
        if not isinstance(vocabulary, str) or len(set(vocabulary)) != len(vocabulary) or "\n" not in vocabulary:
            raise ValueError(f"vocabulary: expected distinct characters with a newline among them, got {vocabulary!r}")
        if unit not in ("line", "window"):
            raise ValueError(f"unit: expected 'line' or 'window', got {unit!r}")
        self.vocabulary, self.unit, self.length = vocabulary, unit, count("length", length)
        self.dropout = fraction("dropout", dropout)
        self._index = {character: i for i, character in enumerate(vocabulary)}
        size = len(vocabulary)
        self.lstm = LSTM._blank(dict(cell="lstm", input_size=size, hidden_size=hidden_size, num_layers=num_layers,
                                     bias=True, dropout=dropout, bidirectional=False, layout="tmn", dtype=dtype))
        self.linear = Linear._blank(dict(in_features=hidden_size, out_features=size, bias=True, layout="tmn",
                                         dtype=dtype))
        config = dict(vocabulary=vocabulary, hidden_size=self.lstm.hidden_size, num_layers=self.lstm.num_layers,
                      dropout=self.dropout, unit=unit, length=self.length, dtype=dtype)
        self._declare(config, {**_prefixed("lstm", self.lstm._shapes), **_prefixed("linear", self.linear._shapes)},
                      self.lstm.dtype)

    def _written(self, names):
        for prefix, layer in (("lstm.", self.lstm), ("linear.", self.linear)):
            layer.update({name[len(prefix):]: self._arrays[name] for name in names if name.startswith(prefix)})

    # ---- text -----------------------------------------------------------------------------------

    def encode(self, text, name="text"):
        """Return the indices (len(text),) of characters; for one outside the vocabulary a ValueError says `name`."""
        if not isinstance(text, str):
            raise TypeError(f"{name}: expected a str, got {type(text).__name__}")
        unknown = "".join(sorted(set(text) - self._index.keys()))
        if unknown:
            raise ValueError(f"{name}: expected characters of the vocabulary {self.vocabulary!r}, got {unknown!r}")
        return np.array([self._index[character] for character in text], dtype=np.intp)

    def decode(self, indices):
        """Return the text of indices."""
        return "".join(self.vocabulary[i] for i in indices)

    def _one_hot(self, inputs):
        inputs = indices("inputs", inputs, len(self.vocabulary))
        x = np.zeros((*inputs.shape, len(self.vocabulary)), self.dtype)
        np.put_along_axis(x, inputs[..., None], 1, -1)
        return x

    # ---- the model ------------------------------------------------------------------------------

    def __call__(self, inputs, state=None):
        """Return the logits (T, m, characters) of the character after each of `inputs` (T, m), and the state."""
        y, state = self.lstm(self._one_hot(inputs), state)
        return self.linear(y), state

    def loss(self, inputs, targets):
        """Return the cross-entropy in nats, summed over the places of `targets` (T, m) that are not PAD."""
        return softmax_cross_entropy(self(inputs)[0], targets, ignore_index=PAD, reduction="sum")[0]

    def gradients(self, inputs, targets):
        """Return the mean cross-entropy of a training forward, in nats, and its gradients by parameter name."""
        y, _, tape = self.lstm.forward(self._one_hot(inputs))
        kept = None
        if self.dropout:
            kept = self._rng.random(y.shape, dtype=self.dtype) >= self.dropout
            kept = kept * self.dtype.type(1 / (1 - self.dropout))
            y *= kept
        logits, linear_tape = self.linear.forward(y)
        loss, dlogits = softmax_cross_entropy(logits, targets, ignore_index=PAD)
        dy, linear = self.linear.backward(dlogits, linear_tape)
        if kept is not None:
            dy *= kept
        _, _, lstm = self.lstm.backward(dy, tape, need_dx=False)
        return loss, {**_prefixed("lstm", lstm), **_prefixed("linear", linear)}

    def bits_per_character(self, pieces, batch_size=128):
        """Return the mean of -log2 p over all characters of `pieces` (index arrays, each with its first input)."""
        ordered = sorted(pieces, key=len)
        nats = sum(self.loss(*pad(ordered[i:i + batch_size])) for i in range(0, len(ordered), batch_size))
        return nats / np.log(2) / sum(len(piece) - 1 for piece in ordered)

    def sample(self, n=1, prime="", temperature=1.0, seed=None, length=None):
        """Invent n texts that begin with `prime`.

        Each character is drawn from softmax(logits / temperature); a text ends before a newline (unit "line") or
        after `length` characters.  A seed gives the same first texts whatever n is.  Returns a list of str.
        Raises ValueError for a character of prime outside the vocabulary or a temperature that is not above 0.
        """
        count("n", n)
        length = self.length if length is None else count("length", length)
        if not (isinstance(temperature, (int, float, np.floating)) and 0 < temperature < np.inf):
            raise ValueError(f"temperature: expected a finite number above 0, got {temperature!r}")
        draws = generator(seed).random((n, length))
        known = np.concatenate([self.encode("\n"), self.encode(prime, "prime")])
        logits, state = self(np.repeat(known[:, None], n, axis=1))
        end = self._index["\n"] if self.unit == "line" else -1
        texts, going = [[] for _ in range(n)], np.ones(n, bool)
        for t in range(length - len(prime)):
            drawn = _draw(logits[-1], temperature, draws[:, t])
            going &= drawn != end
            if not going.any():
                break
            for k in np.flatnonzero(going):
                texts[k].append(drawn[k])
            logits, state = self(drawn[None], state)
        return [prime + self.decode(text) for text in texts]


def pad(pieces):
    """Lay index arrays side by side: inputs and targets (T, m), a target of PAD past each end."""
    longest = max(len(piece) for piece in pieces) - 1
    inputs = np.zeros((longest, len(pieces)), np.intp)
    targets = np.full((longest, len(pieces)), PAD, np.intp)
    for k, piece in enumerate(pieces):
        inputs[:len(piece) - 1, k], targets[:len(piece) - 1, k] = piece[:-1], piece[1:]
    return inputs, targets


def _prefixed(prefix, mapping):
    return {f"{prefix}.{name}": value for name, value in mapping.items()}


def _draw(logits, temperature, uniform):
    """Draw one class per row of logits (m, classes) with the numbers `uniform` (m,) in [0, 1)."""
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=-1, keepdims=True)
    # A tiny temperature sends all but the best to -inf, which is what it asks for.
    with np.errstate(over="ignore"):
        cumulative = np.exp(scores / temperature).cumsum(axis=-1)
    drawn = (cumulative <= (uniform * cumulative[:, -1])[:, None]).sum(axis=-1)
    return np.minimum(drawn, scores.shape[-1] - 1)      # uniform * total may round up to total
