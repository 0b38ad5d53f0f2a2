#!/usr/bin/env python3
"""Naive Bayes beside scikit-learn's, through tandem_ml: the largest difference of a probability,
log loss on rows held out, and processor time of a fit and of predictions, on several sets.

    against_sklearn.py [--rows N] [--runs N] [--threads N]

Times are processor seconds of the whole process (the least of the runs), so that programs beside it
count less. Both get the same float64 rows.
"""

import argparse
import time

import numpy as np
import sklearn.naive_bayes as theirs
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.metrics import log_loss

import tandem_ml

KINDS = ("GaussianNB", "MultinomialNB", "ComplementNB", "BernoulliNB", "CategoricalNB")


def sets(rows):
    """(name, X, y) of shipped sets, and of made ones with `rows` rows: normal classes, and counts."""
    for load in (load_iris, load_wine, load_breast_cancer, load_digits):
        yield load.__name__[5:], *load(return_X_y=True)
    random = np.random.default_rng(1)
    y = random.integers(0, 10, rows)
    yield "normal", random.normal(size=(rows, 30)) + random.normal(size=(10, 30))[y], y
    rates = random.gamma(0.3, 2.0, size=(10, 200))
    yield "counts", random.poisson(rates[y]).astype(float), y


def rows_for(kind, x):
    if kind == "GaussianNB":
        return x
    if kind == "CategoricalNB":
        return np.clip(np.floor(np.abs(x)), 0, 30)
    return np.abs(x)


def least(runs, call):
    best, result = float("inf"), None
    for _ in range(runs):
        before = time.process_time()
        result = call()
        best = min(best, time.process_time() - before)
    return best, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{'set':14} {'kind':14} {'rows':>7} {'log loss':>9} {'theirs':>9} {'difference':>10} "
          f"{'fit ms':>8} {'theirs':>8} {'predict':>8} {'theirs':>8}")
    for name, x, y in sets(arguments.rows):
        order = np.random.default_rng(2).permutation(len(y))
        train, test = order[: len(y) * 7 // 10], order[len(y) * 7 // 10:]
        for kind in KINDS:
            values = rows_for(kind, x)
            a, b = np.ascontiguousarray(values[train]), np.ascontiguousarray(values[test])
            ours = getattr(tandem_ml, kind)(n_jobs=arguments.threads)
            other = getattr(theirs, kind)()
            if kind == "CategoricalNB":  # theirs fails at categories that training has not
                most = int(values.max()) + 1
                ours.set_params(min_categories=most)
                other.set_params(min_categories=most)
            fit, _ = least(arguments.runs, lambda: ours.fit(a, y[train]))
            fit_theirs, _ = least(arguments.runs, lambda: other.fit(a, y[train]))
            predict, p = least(arguments.runs, lambda: ours.predict_proba(b))
            predict_theirs, q = least(arguments.runs, lambda: other.predict_proba(b))
            print(f"{name:14} {kind:14} {len(train):7} {log_loss(y[test], p):9.5f} "
                  f"{log_loss(y[test], q):9.5f} {np.abs(p - q).max():10.1e} {1e3 * fit:8.2f} "
                  f"{1e3 * fit_theirs:8.2f} {1e3 * predict:8.2f} {1e3 * predict_theirs:8.2f}")


if __name__ == "__main__":
    main()
