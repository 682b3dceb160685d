"""Derive the polynomials of csrc/kernels/activations.inc (needs mpmath: `pip install mpmath`).

expm1(r) = r + r^2 Q(r) for |r| <= ln(2)/2, where Q minimises the largest relative error of expm1 (Remez exchange).
The leading term is r itself, so tiny arguments come back unchanged. The error printed is that of the coefficients
rounded to the element type.

    python bench/lab/minimax.py
"""

from mpmath import cos, expm1, fabs, log, lu_solve, matrix, mp, mpf, nstr, pi, polyval

mp.dps = 60
BOUND = log(2) / 2 * mpf("1.0005")  # a reduced argument may lie a rounding error outside
GRID = [-BOUND * cos(pi * (2 * i + 1) / 4000) for i in range(2000)]


WANTED = [(expm1(r) - r) / r**2 for r in GRID]  # Q without error
WEIGHT = [fabs(r**2 / expm1(r)) for r in GRID]  # what an error of Q does to the relative error of expm1


def remez(n):
    """Return the n coefficients of the polynomial nearest to WANTED on GRID under WEIGHT."""
    picks = [int((1 - cos(pi * (i + mpf(1) / 2) / (n + 1))) / 2 * (len(GRID) - 1)) for i in range(n + 1)]
    while True:
        rows = [[GRID[p] ** k for k in range(n)] + [(-1) ** i / WEIGHT[p]] for i, p in enumerate(picks)]
        solution = lu_solve(matrix(rows), matrix([WANTED[p] for p in picks]))
        coefficients = [solution[i] for i in range(n)]
        error = errors(coefficients)
        if max(fabs(e) for e in error) < fabs(solution[n]) * mpf("1.001"):
            return coefficients
        picks = [0]  # the largest error of each sign, in turn
        for i in range(1, len(GRID)):
            if error[i] * error[picks[-1]] < 0:
                picks.append(i)
            elif fabs(error[i]) > fabs(error[picks[-1]]):
                picks[-1] = i
        while len(picks) > n + 1:
            picks.pop(0 if fabs(error[picks[0]]) < fabs(error[picks[-1]]) else -1)


def errors(coefficients):
    """Return the relative error of expm1 on GRID."""
    return [(f - polyval(coefficients[::-1], r)) * w for f, w, r in zip(WANTED, WEIGHT, GRID)]


def rounded(value, bits):
    """Round to a significand of `bits` bits."""
    with_bits = mp.clone()
    with_bits.prec = bits
    return mpf(+with_bits.mpf(value))


def main():
    for bits, powers in ((24, 5), (53, 10)):
        found = [rounded(c, bits) for c in remez(powers)]
        print(f"significand of {bits} bits: relative error of expm1 {nstr(max(map(fabs, errors(found))), 3)}")
        for k, c in enumerate(found):
            print(f"    r^{k + 2}: {nstr(c, 9 if bits == 24 else 17)}")


if __name__ == "__main__":
    main()
