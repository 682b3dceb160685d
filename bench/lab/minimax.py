"""Derive the polynomials of csrc/kernels/activations.inc (needs mpmath: `pip install mpmath`).

expm1(r) = r + r^2 Q(r) for |r| <= ln(2)/2, and log1p(t) = 2 atanh(s) = 2 s + s^3 P(s^2) with s = t / (2 + t), for
0 <= t <= 1 and hence 0 <= s <= 1/3. Q and P minimise the largest relative error of the function (Remez exchange). The
leading terms are exact, so tiny arguments come back unchanged. The error printed is that of the coefficients rounded to
the element type.

    python bench/lab/minimax.py
"""

from mpmath import atanh, cos, expm1, fabs, log, lu_solve, matrix, mp, mpf, nstr, pi, polyval, sqrt

mp.dps = 60


def points(low, high):
    return [(low + high) / 2 - (high - low) / 2 * cos(pi * (2 * i + 1) / 4000) for i in range(2000)]


class Problem:
    """A polynomial to find: its values without error on a grid, and what an error of it does to the relative error."""

    def __init__(self, name, grid, wanted, weight):
        self.name, self.grid = name, grid
        self.wanted, self.weight = [wanted(x) for x in grid], [fabs(weight(x)) for x in grid]

    def errors(self, coefficients):
        """Return the relative error of the function on the grid."""
        return [(f - polyval(coefficients[::-1], x)) * w for f, w, x in zip(self.wanted, self.weight, self.grid)]

    def remez(self, n):
        """Return the n coefficients of the polynomial nearest to what is wanted."""
        last = len(self.grid) - 1
        picks = [int((1 - cos(pi * (i + mpf(1) / 2) / (n + 1))) / 2 * last) for i in range(n + 1)]
        while True:
            rows = [[self.grid[p] ** k for k in range(n)] + [(-1) ** i / self.weight[p]] for i, p in enumerate(picks)]
            solution = lu_solve(matrix(rows), matrix([self.wanted[p] for p in picks]))
            coefficients = [solution[i] for i in range(n)]
            error = self.errors(coefficients)
            if max(fabs(e) for e in error) < fabs(solution[n]) * mpf("1.001"):
                return coefficients
            picks = [0]  # the largest error of each sign, in turn
            for i in range(1, len(self.grid)):
                if error[i] * error[picks[-1]] < 0:
                    picks.append(i)
                elif fabs(error[i]) > fabs(error[picks[-1]]):
                    picks[-1] = i
            while len(picks) > n + 1:
                picks.pop(0 if fabs(error[picks[0]]) < fabs(error[picks[-1]]) else -1)


BOUND = log(2) / 2 * mpf("1.0005")  # a reduced argument may lie a rounding error outside
EXPM1 = Problem("expm1, Q", points(-BOUND, BOUND), lambda r: (expm1(r) - r) / r**2, lambda r: r**2 / expm1(r))


def _p(y):
    return (2 * atanh(sqrt(y)) / sqrt(y) - 2) / y


# From a little above 0, where the formula is still exact in this many digits.
LOG1P = Problem("log1p, P", points(mpf("1e-12"), mpf("1.0005") / 9), _p, lambda y: y * sqrt(y) / (2 * atanh(sqrt(y))))


def rounded(value, bits):
    """Round to a significand of `bits` bits."""
    with_bits = mp.clone()
    with_bits.prec = bits
    return mpf(+with_bits.mpf(value))


def main():
    for problem, bits, powers in ((EXPM1, 24, 5), (EXPM1, 53, 10), (LOG1P, 24, 4), (LOG1P, 53, 10)):
        found = [rounded(c, bits) for c in problem.remez(powers)]
        error = max(map(fabs, problem.errors(found)))
        print(f"{problem.name}, significand of {bits} bits: relative error {nstr(error, 3)}")
        for k, c in enumerate(found):
            print(f"    power {k}: {nstr(c, 9 if bits == 24 else 17)}")


if __name__ == "__main__":
    main()
