"""The optimisers: state by name of parameter, one class an equation.

In the equations p is a parameter, g its gradient, k = 1, 2, … the number of the step, η the learning rate times the
factor of the schedule; products, quotients and roots are elementwise.
"""
import numpy as np

from .arguments import dictionary, floats, number


class _Optimiser:
    """State by name of parameter, and all checks; a subclass has the equation.

    A subclass lists its state arrays in `_slots` and computes in `_delta` what is subtracted from p.
    """

    _slots = ()

    def __init__(self, lr, weight_decay, schedule):
        self.lr = lr
        self.weight_decay = number("weight_decay", weight_decay)
        if schedule is not None and not callable(schedule):
            raise TypeError(f"schedule: expected a callable from a step to a factor, got {schedule!r}")
        self.schedule = schedule
        self.steps = 0
        self._state = {}        # name -> {slot: array}
        self._counts = {}       # name -> steps that changed it: its own k, should it join later than others
        self._scratch = {}

    @property
    def lr(self):
        """The learning rate, before the factor of the schedule; may be set at any time."""
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = number("lr", value)

    def step(self, parameters, gradients):
        """Return new values for `parameters` after one step along `gradients`: a dict of new arrays.

        Both are dicts with the same names, and for each name arrays of one shape and dtype (float32 or float64,
        which is kept).  Neither is modified.  A part of the parameters may be left out, of both.
        Raises ValueError or TypeError naming what does not fit; then no state has changed.
        """
        self._check(parameters, gradients)
        rate = self.lr
        if self.schedule is not None:
            rate *= number(f"schedule({self.steps})", self.schedule(self.steps))
        fresh = {}
        for name, p in parameters.items():
            if name not in self._scratch:
                self._scratch[name] = np.empty(p.shape, p.dtype.newbyteorder("="))
            if name not in self._state:
                self._state[name] = {slot: np.zeros_like(self._scratch[name]) for slot in self._slots}
            k = self._counts[name] = self._counts.get(name, 0) + 1
            moved = self._moved(p, gradients[name], rate, k, self._state[name], self._scratch[name])
            # For arrays without axes NumPy gives scalars, and before NumPy 2 float64 ones.
            fresh[name] = np.asarray(moved, self._scratch[name].dtype)
        self.steps += 1
        return fresh

    def _check(self, parameters, gradients):
        dictionary("parameters", parameters)
        dictionary("gradients", gradients)
        missing = [name for name in parameters if name not in gradients]
        unknown = [name for name in gradients if name not in parameters]
        if missing or unknown:
            raise ValueError(f"gradients: expected the names of parameters ({', '.join(map(str, parameters))}), "
                             f"got {'none for ' if missing else 'also '}{', '.join(map(str, missing or unknown))}")
        for name, p in parameters.items():
            floats(f"parameters[{name!r}]", p)
            g = floats(f"gradients[{name!r}]", gradients[name])
            if g.shape != p.shape:
                raise ValueError(f"gradients[{name!r}]: expected shape {p.shape} like the parameter, got {g.shape}")
            if g.dtype.newbyteorder("=") != p.dtype.newbyteorder("="):
                raise TypeError(f"gradients[{name!r}]: expected {p.dtype.name} like the parameter, got {g.dtype.name}")
            for kept in (*self._state.get(name, {}).values(), self._scratch.get(name)):
                if kept is not None and kept.shape != p.shape:
                    raise ValueError(f"parameters[{name!r}]: expected shape {kept.shape} as in earlier steps, got {p.shape}")
                if kept is not None and kept.dtype != p.dtype.newbyteorder("="):
                    raise TypeError(f"parameters[{name!r}]: expected {kept.dtype.name} as in earlier steps, got {p.dtype.name}")

    def _moved(self, p, g, rate, k, state, scratch):
        if self.weight_decay:
            g = g + self.weight_decay * p
        self._delta(g, rate, k, state, scratch)
        return p - scratch

    def state_dict(self):
        """Return all that a resumed training needs besides the constructor's arguments: a dict of arrays (copies).

        Keys: "steps", "steps/NAME" and "SLOT/NAME" for each parameter; `fastrnn.io.save` takes it as it is.
        """
        state = {"steps": np.array(self.steps)}
        for name, slots in self._state.items():
            state[f"steps/{name}"] = np.array(self._counts[name])
            state.update((f"{slot}/{name}", array.copy()) for slot, array in slots.items())
        return state

    def load_state_dict(self, mapping):
        """Replace the state by what `state_dict` of an optimiser of the same class returned; the arrays are copied.

        Raises ValueError or TypeError naming what does not fit; then no state has changed.

        >>> old, new = Adam(), Adam()
        >>> w = old.step({"w": np.zeros(2)}, {"w": np.ones(2)})
        >>> new.load_state_dict(old.state_dict())
        >>> sorted(new.state_dict())
        ['m/w', 'steps', 'steps/w', 'v/w']
        """
        dictionary("mapping", mapping)
        steps, counts, state = None, {}, {}
        for key, value in mapping.items():
            slot, _, name = str(key).partition("/")
            if slot == "steps":
                value = np.asarray(value)
                if value.shape != () or value.dtype.kind not in "iu" or value < 0:
                    raise ValueError(f"mapping[{key!r}]: expected one integer, not negative, got {value!r}")
                if name:
                    counts[name] = int(value)
                else:
                    steps = int(value)
            elif slot in self._slots and name:
                value = floats(f"mapping[{key!r}]", value)
                state.setdefault(name, {})[slot] = value.astype(value.dtype.newbyteorder("="), order="C")
            else:
                raise ValueError(f"mapping: expected keys of {type(self).__name__} "
                                 f"({', '.join(f'{slot}/NAME' for slot in ('steps', *self._slots))}), got {key!r}")
        wanted = ["steps", *(f"steps/{name}" for name in state), *(f"{slot}/{name}" for name in counts for slot in self._slots)]
        missing = [key for key in wanted if key not in mapping]
        if missing:
            raise ValueError(f"mapping: expected also {', '.join(missing)}, got {', '.join(map(str, mapping)) or 'nothing'}")
        self.steps, self._counts, self._scratch = steps, counts, {}
        self._state = {name: state.get(name, {}) for name in counts}


class SGD(_Optimiser):
    """Stochastic gradient descent, with momentum and Nesterov's variant of it on request.

    v = μ v + g; p = p − η v, or with `nesterov` p = p − η (g + μ v).  With μ = 0: p = p − η g.  `weight_decay` λ adds
    λ p to g.  Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013,
    with η outside of v as in PyTorch.
    Raises ValueError or TypeError naming the argument that does not fit; `nesterov` needs a momentum above 0.

    >>> SGD(lr=0.5).step({"w": np.array([1.0])}, {"w": np.array([0.2])})
    {'w': array([0.9])}
    """

    def __init__(self, lr=0.01, momentum=0.0, nesterov=False, weight_decay=0.0, *, schedule=None):
        super().__init__(lr, weight_decay, schedule)
        self.momentum, self.nesterov = number("momentum", momentum, high=1), bool(nesterov)
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov: expected a momentum above 0 with it, got momentum 0")
        self._slots = ("v",) if self.momentum else ()

    def _delta(self, g, rate, k, state, out):
        if not self.momentum:
            np.multiply(g, rate, out=out)
            return
        v = state["v"]
        v *= self.momentum
        v += g
        if self.nesterov:
            np.multiply(v, self.momentum, out=out)
            out += g
            out *= rate
        else:
            np.multiply(v, rate, out=out)


class Adagrad(_Optimiser):
    """Adagrad: each number's rate falls with the squares of its past gradients.

    s = s + g²; p = p − η g / (√s + ε).  `weight_decay` λ adds λ p to g.
    Source: Duchi, Hazan, Singer, "Adaptive Subgradient Methods", JMLR 12, 2011.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> adagrad, w, g = Adagrad(lr=0.5), {"w": np.array([1.0])}, {"w": np.array([4.0])}
    >>> [adagrad.step(w, g)["w"].round(3).item() for _ in range(3)]    # η / √k, as g stays
    [0.5, 0.646, 0.711]
    """

    _slots = ("s",)

    def __init__(self, lr=0.01, eps=1e-10, weight_decay=0.0, *, schedule=None):
        super().__init__(lr, weight_decay, schedule)
        self.eps = number("eps", eps, open_low=True)

    def _delta(self, g, rate, k, state, out):
        s = state["s"]
        np.multiply(g, g, out=out)
        s += out
        _divide(g, s, rate, 1.0, self.eps, out)


class RMSprop(_Optimiser):
    """RMSprop: Adagrad that forgets.

    s = α s + (1 − α) g²; p = p − η g / (√s + ε).  `weight_decay` λ adds λ p to g.
    Source: Tieleman, Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> RMSprop(lr=0.1, alpha=0.75).step({"w": np.array([1.0])}, {"w": np.array([4.0])})["w"].round(6)
    array([0.8])
    """

    _slots = ("s",)

    def __init__(self, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, *, schedule=None):
        super().__init__(lr, weight_decay, schedule)
        self.alpha = number("alpha", alpha, high=1)
        self.eps = number("eps", eps, open_low=True)

    def _delta(self, g, rate, k, state, out):
        _average(state["s"], self.alpha, g, g, out)
        _divide(g, state["s"], rate, 1.0, self.eps, out)


class Adam(_Optimiser):
    """Adam: momentum over a running root mean square, both corrected for their start at zero.

    m = β₁ m + (1 − β₁) g; v = β₂ v + (1 − β₂) g²; p = p − η m̂ / (√v̂ + ε) with m̂ = m / (1 − β₁ᵏ), v̂ = v / (1 − β₂ᵏ).
    `weight_decay` λ adds λ p to g (`AdamW` is usually the better choice).
    Source: Kingma, Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> Adam(lr=0.5).step({"w": np.array([1.0])}, {"w": np.array([4.0])})["w"].round(6)
    array([0.5])
    """

    _slots = ("m", "v")

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, *, schedule=None):
        super().__init__(lr, weight_decay, schedule)
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas: expected a pair, got {betas!r}")
        self.betas = tuple(number(f"betas[{i}]", beta, high=1) for i, beta in enumerate(betas))
        self.eps = number("eps", eps, open_low=True)

    def _delta(self, g, rate, k, state, out):
        first, second = self.betas
        _average(state["m"], first, g, 1.0, out)
        _average(state["v"], second, g, g, out)
        _divide(state["m"], state["v"], rate / (1 - first**k), 1 - second**k, self.eps, out)


class AdamW(Adam):
    """Adam with weight decay that its scaling does not touch.

    p = (1 − η λ) p, then Adam's step without decay.
    Source: Loshchilov, Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> AdamW(lr=0.5, weight_decay=0.1).step({"w": np.array([1.0])}, {"w": np.array([4.0])})["w"].round(6)
    array([0.45])
    """

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, *, schedule=None):
        super().__init__(lr, betas, eps, weight_decay, schedule=schedule)

    def _moved(self, p, g, rate, k, state, scratch):
        self._delta(g, rate, k, state, scratch)
        return p * (1 - rate * self.weight_decay) - scratch


def _average(mean, keep, g, times, scratch):
    """mean = keep · mean + (1 − keep) · g · times, in place."""
    np.multiply(g, times, out=scratch)
    scratch *= 1 - keep
    mean *= keep
    mean += scratch


def _divide(top, squares, rate, correction, eps, out):
    """out = rate · top / (√(squares / correction) + eps)."""
    np.divide(squares, correction, out=out)
    np.sqrt(out, out=out)
    out += eps
    np.divide(top, out, out=out)
    out *= rate
