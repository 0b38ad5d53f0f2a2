#!/usr/bin/env python3
"""Prints the polynomials of include/tandem/core/math_functions.inc.

Each is the minimax polynomial, for a weighted error, of a function on an interval: found by
Remez's exchange algorithm on a Chebyshev grid in 60-digit arithmetic, its coefficients then
rounded to the type they are used in. The printed bound is that of the polynomial with rounded
coefficients, as a power of two; rounding in the evaluation comes on top and is measured by
tests/core/math_test.cpp.

Needs mpmath. Usage: minimax.py [name ...]
"""

import struct
import sys

from mpmath import mp, mpf

mp.dps = 60


def chebyshev_grid(low, high, count):
    return [
        (low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * count))
        for i in range(count)
    ][::-1]


def remez(f, weight, low, high, degree):
    """Coefficients, ascending, of the polynomial that minimises max |weight·(f − p)|."""
    unknowns = degree + 1
    grid = chebyshev_grid(mpf(low), mpf(high), 60 * (unknowns + 1))
    grid = [x for x in grid if weight(x) != 0]
    values = [f(x) for x in grid]
    weights = [abs(weight(x)) for x in grid]
    at = [
        min(len(grid) - 1, int(len(grid) * (1 - mp.cos(mp.pi * i / unknowns)) / 2))
        for i in range(unknowns + 1)
    ]
    for _ in range(60):
        matrix = mp.matrix(unknowns + 1, unknowns + 1)
        right = mp.matrix(unknowns + 1, 1)
        for row, g in enumerate(at):
            for j in range(unknowns):
                matrix[row, j] = grid[g] ** j
            matrix[row, unknowns] = (-1) ** row / weights[g]
            right[row] = values[g]
        solution = mp.lu_solve(matrix, right)
        c = [solution[j] for j in range(unknowns)]
        level = abs(solution[unknowns])
        error = [w * (v - mp.polyval(c[::-1], x)) for x, v, w in zip(grid, values, weights)]
        # One extremum from every run of equal sign.
        extrema = []
        for g, e in enumerate(error):
            if extrema and (error[extrema[-1]] > 0) == (e > 0):
                if abs(e) > abs(error[extrema[-1]]):
                    extrema[-1] = g
            else:
                extrema.append(g)
        while len(extrema) > unknowns + 1:
            if abs(error[extrema[0]]) < abs(error[extrema[-1]]):
                extrema.pop(0)
            else:
                extrema.pop()
        if len(extrema) < unknowns + 1 or extrema == at:
            break
        at = extrema
        if max(map(abs, error)) < level * mpf("1.001"):
            break
    return c, grid, values, weights


def rounded(value, bits):
    if bits == 24:
        return mpf(struct.unpack("f", struct.pack("f", float(value)))[0])
    return mpf(float(value))


def expm1_tail(r):
    return (mp.expm1(r) - r) / r**2 if r else mpf(1) / 2


def atanh_tail(z):
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2) / z if z else mpf(2) / 3


def erf_tail(z):
    x = mp.sqrt(z)
    return mp.erf(x) / x - 1 if z else 2 / mp.sqrt(mp.pi) - 1


def sin_pi_tail(z):
    r = mp.sqrt(z)
    return (mp.sin(mp.pi * r) - mp.pi * r) / r**3 if z else -mp.pi**3 / 6


def cos_pi_tail(z):
    return (mp.cos(mp.pi * mp.sqrt(z)) - 1) / z if z else -mp.pi**2 / 2


half_log2 = mp.log(2) / 2 * mpf("1.0001")
atanh_end = (mp.sqrt(2) - 1) ** 2 / (mp.sqrt(2) + 1) ** 2 * mpf("1.0001")

# name: (function, weight, low, high, degree for float, degree for double)
# where the weight makes the error relative to the function that is computed from the polynomial.
fits = {
    "exp": (expm1_tail, lambda r: r**2 / mp.expm1(r) if r else mpf(0),
            -half_log2, half_log2, 5, 10),
    "log": (atanh_tail, lambda z: z / 2, 0, atanh_end, 3, 7),
    "erf_small": (erf_tail, lambda z: mpf(1), 0, 1, 7, 13),
    "erf_large_float": (lambda t: -mp.log(mp.erfc(t + 1)), lambda t: mp.erfc(t + 1), 0, 3, 9, None),
    "erf_large_double": (lambda t: -mp.log(mp.erfc(t + 1)), lambda t: mp.erfc(t + 1), 0, 5, None, 19),
    "sin_pi": (sin_pi_tail, lambda z: z, 0, mpf(1) / 16, 3, 6),
    "cos_pi": (cos_pi_tail, lambda z: z, 0, mpf(1) / 16, 3, 6),
}


def main():
    for name in sys.argv[1:] or fits:
        f, weight, low, high, float_degree, double_degree = fits[name]
        for type_name, bits, degree in (("float", 24, float_degree), ("double", 53, double_degree)):
            if degree is None:
                continue
            c, grid, values, weights = remez(f, weight, mpf(low), mpf(high), degree)
            c = [rounded(v, bits) for v in c]
            worst = max(
                w * abs(v - mp.polyval(c[::-1], x)) for x, v, w in zip(grid, values, weights)
            )
            print(f"{name} {type_name}, degree {degree}, error 2^{float(mp.log(worst, 2)):.1f}")
            print("  " + ", ".join(float(v).hex() for v in c))


if __name__ == "__main__":
    main()
