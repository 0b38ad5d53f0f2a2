"""Weights where rows are drawn: scikit-learn's check of equal models cannot hold there, so the mean
over seeds of what a weighted fit says is compared with that of repeated rows. (Perceptrons, boosting,
and extremely random trees without a bootstrap, pass the check itself: test_estimators.py.)"""

import numpy as np
import pytest

import tandem_ml


def weighted_and_repeated(rng, *, classes):
    x = rng.normal(size=(80, 3))
    y = x[:, 0] + 0.5 * x[:, 1] ** 2 + 0.3 * rng.normal(size=80)
    # Weights that shift the targets, so that a fit without them says something else. Their sum is the
    # number of rows: a bootstrap of either set draws as many.
    weights = np.empty(80, dtype=int)
    weights[np.argsort(y)] = np.concatenate([rng.permutation([0, 1] * 20), rng.permutation([1, 2] * 20)])
    if classes:
        y = (y > 0).astype(int)
    return x, y, weights.astype(float), np.repeat(x, weights, axis=0), np.repeat(y, weights)


def means_differ_by_errors(first, second):
    """The largest difference of two means, in standard errors."""
    error = np.sqrt(first.var(axis=0, ddof=1) / len(first) + second.var(axis=0, ddof=1) / len(second))
    return np.max(np.abs(first.mean(axis=0) - second.mean(axis=0)) / np.maximum(error, 1e-12))


@pytest.mark.parametrize("far", [1.0, 1e5])
def test_boosting_is_exact_beside_a_far_row(far):
    """Sums of gradients are of integers in units of the largest; a row that is far from all others does
    not make them coarse."""
    x, y, weights, _, _ = weighted_and_repeated(np.random.default_rng(3), classes=False)
    x, y, weights = np.vstack([x, [[50, 50, 50]]]), np.append(y, far), np.append(weights, 1)
    model = tandem_ml.GradientBoostingRegressor(n_estimators=10, max_depth=3, min_child_weight=0,
                                                random_state=0)
    weighted = model.fit(x, y, sample_weight=weights).predict(x)
    repeats = weights.astype(int)
    repeated = model.fit(np.repeat(x, repeats, axis=0), np.repeat(y, repeats)).predict(x)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-9, atol=1e-10 * far)


@pytest.mark.parametrize("name, settings", [
    ("RandomForestClassifier", {"n_estimators": 5, "max_depth": 4}),
    ("RandomForestRegressor", {"n_estimators": 5, "max_depth": 4}),
    ("ExtraTreesClassifier", {"n_estimators": 5, "max_depth": 4, "bootstrap": True}),
    ("ExtraTreesRegressor", {"n_estimators": 5, "max_depth": 4, "bootstrap": True}),
])
def test_weights_mean_what_repeated_rows_mean(name, settings):
    classes = "Class" in name
    x, y, weights, repeated_x, repeated_y = weighted_and_repeated(np.random.default_rng(3), classes=classes)
    cls = getattr(tandem_ml, name)

    def answers(first_seed, rows, targets, **weighting):
        fits = (cls(**settings, random_state=first_seed + seed).fit(rows, targets, **weighting)
                for seed in range(40))
        values = np.array([fit.predict_proba(x)[:, 1] if classes else fit.predict(x) for fit in fits])
        # Six rows, and the mean of all, which weights shift most.
        return np.column_stack([values[:, :6], values.mean(axis=1)])

    weighted = answers(0, x, y, sample_weight=weights)
    repeated = answers(100, repeated_x, repeated_y)
    # By chance 4.5 standard errors are passed about once in 20,000, for seven values.
    assert means_differ_by_errors(weighted, repeated) < 4.5
    # A fit without the weights is told from them.
    assert means_differ_by_errors(answers(200, x, y), repeated) > 4.5


def test_kmeans_with_weights_finds_what_repeated_rows_have():
    rng = np.random.default_rng(5)
    centres = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    x = np.concatenate([centre + rng.normal(size=(30, 2)) for centre in centres])
    weights = rng.integers(0, 4, size=len(x))
    weighted = tandem_ml.KMeans(n_clusters=3, random_state=0).fit(x, sample_weight=weights)
    repeated = tandem_ml.KMeans(n_clusters=3, random_state=1).fit(np.repeat(x, weights, axis=0))
    in_order = [fit.cluster_centers_[np.lexsort(fit.cluster_centers_.T)] for fit in (weighted, repeated)]
    np.testing.assert_allclose(in_order[0], in_order[1], rtol=1e-9)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-9)


@pytest.mark.parametrize("name", ["KNeighborsClassifier", "KNeighborsRegressor"])
def test_weights_multiply_what_neighbours_say(name):
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    y = np.array([0, 1, 1, 0])
    model = getattr(tandem_ml, name)(n_neighbors=2).fit(x, y, sample_weight=[1, 0, 3, 1])
    # The nearest two of weight are 0 and 2.
    if "Class" in name:
        np.testing.assert_array_equal(model.predict_proba([[0.5]]), [[0.25, 0.75]])
    else:
        np.testing.assert_array_equal(model.predict([[0.5]]), [0.75])
