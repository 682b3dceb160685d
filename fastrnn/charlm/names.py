"""Training on a list of names, and names that the network invents.

Random numbers are those of `np.random`'s global state, as in the course.
"""

import numpy as np

from ._checks import checked
from .network import initialize_parameters, optimize, softmax

LONGEST = 50        # characters that sample draws before it gives up on a newline


def sample(parameters, char_to_ix, seed):
    """Draw one name, a list of indices, from zero input and state.

    char_to_ix: {character: index}, with a newline.  Draw k = 0, 1, … does np.random.seed(seed + 2k), then
    np.random.choice over the vocabulary by ŷ.  Stops after a newline, or after 50 draws, to which a newline is added.
    Raises ValueError or TypeError naming the argument that does not fit.

    >>> from fastrnn.charlm import initialize_parameters, sample
    >>> parameters = initialize_parameters(4, 3, 3)
    >>> sample(parameters, {"\\n": 0, "a": 1, "b": 2}, seed=1)
    [1, 1, 0]
    """
    p = checked(parameters)
    Wax, Waa, Wya, b, by = (p[key] for key in ("Wax", "Waa", "Wya", "b", "by"))
    if "\n" not in char_to_ix:
        raise ValueError('char_to_ix: expected a newline among its characters, got none')
    newline, vocab_size = char_to_ix["\n"], len(by)
    if Wax.shape[1] != vocab_size:
        raise ValueError(f'parameters["Wya"]: expected n_y = n_x = {Wax.shape[1]}, as what is drawn comes in next, '
                         f"got {Wya.shape}")
    if not 0 <= newline < vocab_size:
        raise ValueError(f"char_to_ix: expected indices below {vocab_size}, the vocab_size of the parameters, "
                         f"got {newline} for the newline")
    pre, indices = b, []        # Wax x is a column of Wax, and nothing for x = 0
    a = np.zeros_like(b)
    while len(indices) < LONGEST:
        a = np.tanh(pre + Waa @ a)
        y = softmax((Wya @ a + by).astype(np.float64))      # choice wants a sum of 1 to within float64
        np.random.seed(seed + 2 * len(indices))
        index = int(np.random.choice(len(y), p=y.ravel()))
        indices.append(index)
        if index == newline:
            break
        pre = b + Wax[:, index:index + 1]
    if len(indices) == LONGEST:
        indices.append(newline)
    return indices


def get_initial_loss(vocab_size, seq_length):
    """The loss of seq_length characters drawn evenly: ln(vocab_size) · seq_length.

    >>> from fastrnn.charlm import get_initial_loss
    >>> round(get_initial_loss(27, 7), 4)
    23.0709
    """
    return float(np.log(vocab_size)) * seq_length


def smooth(loss, cur_loss):
    """A slow running mean: 0.999 · loss + 0.001 · cur_loss.

    >>> from fastrnn.charlm import smooth
    >>> round(smooth(20.0, 10.0), 4)
    19.99
    """
    return loss * 0.999 + cur_loss * 0.001


def get_sample(sample_ix, ix_to_char):
    """The text of sampled indices, its first letter upper case.

    ix_to_char: {index: character}, or a list.  Raises KeyError, or IndexError, for an index that it does not have.

    >>> from fastrnn.charlm import get_sample
    >>> get_sample([2, 1, 0], {0: "\\n", 1: "a", 2: "t"})
    'Ta\\n'
    """
    text = "".join(ix_to_char[ix] for ix in sample_ix)
    return text[:1].upper() + text[1:]


def print_sample(sample_ix, ix_to_char):
    """Print get_sample; its newline ends the line.  Raises what get_sample would.

    >>> from fastrnn.charlm import print_sample
    >>> print_sample([2, 1, 0], {0: "\\n", 1: "a", 2: "t"})
    Ta
    """
    print(get_sample(sample_ix, ix_to_char), end="")


def model(data_x, ix_to_char, char_to_ix, num_iterations=35000, n_a=50, dino_names=7, vocab_size=27, verbose=False):
    """Train on a list of names, and print invented ones every 2000 iterations.

    data_x: names, stripped here · ix_to_char, char_to_ix: the vocabulary, a newline in it · dino_names: how many
    names to print · verbose: also say which example the first iterations take.
    Returns parameters and the last name printed, newline included.
    Raises ValueError naming the argument that does not fit.

    >>> from fastrnn.charlm import model
    >>> chars = {0: "\\n", 1: "a", 2: "b"}
    >>> parameters, name = model(["abba", "baab"], chars, {c: i for i, c in chars.items()}, 1, 4, 1, 3)
    Iteration: 0, Loss: 1.103007
    <BLANKLINE>
    Aabbbb
    <BLANKLINE>
    <BLANKLINE>
    """
    examples = [name.strip() for name in data_x]
    if not examples:
        raise ValueError("data_x: expected at least one name, got none")
    strangers = sorted({c for name in examples for c in name if c not in char_to_ix} | ({"\n"} - char_to_ix.keys()))
    if strangers:
        raise ValueError(f"char_to_ix: expected every character of data_x and a newline, got none for {strangers}")
    if not 0 <= min(char_to_ix.values()) <= max(char_to_ix.values()) < vocab_size:
        raise ValueError(f"vocab_size: expected {len(char_to_ix)}, for indices from {min(char_to_ix.values())} to "
                         f"{max(char_to_ix.values())} in char_to_ix, got {vocab_size}")
    if missing := set(range(vocab_size)) - set(ix_to_char if hasattr(ix_to_char, "keys") else range(len(ix_to_char))):
        raise ValueError(f"ix_to_char: expected a character for each index below vocab_size = {vocab_size}, "
                         f"got none for {min(missing)}")
    parameters = initialize_parameters(n_a, vocab_size, vocab_size)
    loss = get_initial_loss(vocab_size, dino_names)
    np.random.seed(0)
    np.random.shuffle(examples)
    a_prev, last_name = np.zeros((n_a, 1)), ""
    for j in range(num_iterations):
        name = examples[j % len(examples)]
        indices = [char_to_ix[c] for c in name]
        if verbose and j in (0, len(examples) - 1, len(examples)):
            print(f"j =  {j} idx =  {j % len(examples)} example = {name}")
        cur_loss, _, a_prev = optimize([None] + indices, indices + [char_to_ix["\n"]], a_prev, parameters, 0.01)
        loss = smooth(loss, cur_loss)
        if j % 2000 == 0:
            print("Iteration: %d, Loss: %f\n" % (j, loss))
            for seed in range(dino_names):
                last_name = get_sample(sample(parameters, char_to_ix, seed), ix_to_char)
                print(last_name.replace("\n", ""))
            print("\n")
    return parameters, last_name
