#!/usr/bin/env python3
"""Makes tests/experiments/expected_analysis.json with SciPy and statsmodels.

    pip install scipy==1.17.1 statsmodels==0.15.0
    make_expected_analysis.py > expected_analysis.json

Welch's interval and p by statsmodels' CompareMeans; the slope of CUPED as the coefficient of an
ordinary regression on the covariate and the arms; the sequential p value as one over the mixture
integral, computed by quadrature, and the sequential interval as the differences at which that
integral reaches 1/alpha, found by bisection: neither uses the closed forms that the program uses.
"""

import json
import math
import sys

import numpy
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import integrate, optimize, stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW


def mixture(difference, variance, tau_squared, about):
    """The integral over the normal mixture of the likelihood ratio of differences about `about`."""
    z = difference - about

    def integrand(shift):
        # Density of the mixture times the likelihood ratio.
        return (stats.norm.pdf(shift, 0, math.sqrt(tau_squared)) *
                math.exp((2 * z * shift - shift * shift) / (2 * variance)))
    centre = z * tau_squared / (tau_squared + variance)
    width = 12 * math.sqrt(tau_squared * variance / (tau_squared + variance))
    return integrate.quad(integrand, centre - width, centre + width, epsabs=0, epsrel=1e-12)[0]


def case(seed, sizes, effect, correlation, scale):
    draw = numpy.random.default_rng(seed)
    arms = []
    for size, shift in zip(sizes, (0, effect)):
        x = draw.normal(3, 1, size)
        y = scale * (2 + shift + correlation * (x - 3) +
                     math.sqrt(1 - correlation ** 2) * draw.normal(0, 1, size))
        arms.append((numpy.round(y, 3), numpy.round(x, 3)))
    (y0, x0), (y1, x1) = arms
    confidence, alpha, planned = 0.95, 0.05, 500
    welch = CompareMeans(DescrStatsW(y1), DescrStatsW(y0))
    low, high = welch.tconfint_diff(alpha=alpha, usevar="unequal")
    y = numpy.concatenate([y0, y1])
    columns = numpy.column_stack([numpy.concatenate([numpy.ones(len(y0)), numpy.zeros(len(y1))]),
                                  numpy.concatenate([numpy.zeros(len(y0)), numpy.ones(len(y1))]),
                                  numpy.concatenate([x0, x1])])
    slope = sm.OLS(y, columns).fit().params[2]
    mean_x = numpy.concatenate([x0, x1]).mean()
    adjusted = CompareMeans(DescrStatsW(y1 - slope * (x1 - mean_x)),
                            DescrStatsW(y0 - slope * (x0 - mean_x)))
    adjusted_low, adjusted_high = adjusted.tconfint_diff(alpha=alpha, usevar="unequal")

    variance = y0.var(ddof=1) / len(y0) + y1.var(ddof=1) / len(y1)
    difference = y1.mean() - y0.mean()
    units = len(y0) + len(y1)
    rho_squared = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned
    tau_squared = rho_squared * variance * units
    radius = optimize.bisect(
        lambda about: math.log(mixture(difference, variance, tau_squared, difference - about)) +
        math.log(alpha), 0, 12 * math.sqrt(variance), xtol=1e-15, rtol=1e-12)
    return {
        "control": {"y": y0.tolist(), "x": x0.tolist()},
        "arm": {"y": y1.tolist(), "x": x1.tolist()},
        "confidence": confidence,
        "planned": planned,
        "difference": difference,
        "standard_error": math.sqrt(variance),
        "p": welch.ttest_ind(usevar="unequal")[1],
        "interval": [low, high],
        "slope": slope,
        "adjusted_difference": adjusted.d1.mean - adjusted.d2.mean,
        "adjusted_interval": [adjusted_low, adjusted_high],
        "adjusted_p": adjusted.ttest_ind(usevar="unequal")[1],
        "p_sequential": min(1, 1 / mixture(difference, variance, tau_squared, 0)),
        "sequential_interval": [difference - radius, difference + radius],
    }


def distributions():
    return {
        "normal": [[z, stats.norm.cdf(z), 2 * stats.norm.sf(abs(z))]
                   for z in (-6.0, -1.96, 0.0, 0.3, 2.5758, 8.0)],
        "normal_quantile": [[p, stats.norm.ppf(p)] for p in (1e-9, 0.025, 0.5, 0.9, 0.9999)],
        "student": [[t, d, 2 * stats.t.sf(abs(t), d)]
                    for t, d in ((0.5, 1.0), (2.0, 7.3), (-4.0, 33.0), (12.0, 5.5), (1.0, 1e6))],
        "student_interval": [[c, d, stats.t.ppf(0.5 + c / 2, d)]
                             for c, d in ((0.95, 3.7), (0.99, 120.0), (0.5, 1.0), (0.999, 1e5))],
        "chi_squared": [[x, d, stats.chi2.sf(x, d)]
                        for x, d in ((0.0, 1.0), (3.84, 1.0), (40.0, 9.0), (300.0, 63.0))],
        "chi_squared_quantile": [[p, d, stats.chi2.ppf(p, d)]
                                 for p, d in ((0.95, 1.0), (0.999, 9.0), (0.5, 63.0))],
        "binomial_at_most": [[k, n, p, stats.binom.cdf(k, n, p)]
                             for k, n, p in ((3, 1000, 0.01), (0, 10, 0.3), (10, 10, 0.3))],
        "binomial_at_least": [[k, n, p, stats.binom.sf(k - 1, n, p)]
                              for k, n, p in ((20, 1000, 0.01), (0, 10, 0.3), (10, 10, 0.3))],
        "sample_ratio": [[counts, weights,
                          stats.chisquare(counts, [sum(counts) * w for w in weights]).statistic,
                          stats.chisquare(counts, [sum(counts) * w for w in weights]).pvalue]
                         for counts, weights in (([5000, 5100], [0.5, 0.5]),
                                                 ([900, 80, 20], [0.9, 0.08, 0.02]),
                                                 ([10000, 9500], [0.5, 0.5]))],
    }


def main():
    json.dump({
        "made_with": f"make_expected_analysis.py, SciPy {scipy.__version__}, "
                     f"statsmodels {statsmodels.__version__}",
        "cases": [case(1, (120, 150), 0.0, 0.7, 1.0), case(2, (140, 101), 0.4, 0.5, 10.0),
                  case(3, (110, 160), -0.25, 0.9, 0.01)],
        "distributions": distributions(),
    }, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
