"""Weights where rows are drawn one by one: scikit-learn's check of equal models cannot hold there,
so the mean over seeds of what a weighted fit says is compared with that of repeated rows."""

import numpy as np
import pytest

import tandem_ml


def weighted_and_repeated(rng):
    x = rng.normal(size=(80, 3))
    y = (x[:, 0] + 0.5 * x[:, 1] ** 2 + 0.3 * rng.normal(size=80) > 0).astype(int)
    weights = rng.integers(0, 4, size=80)
    return x, y, weights.astype(float), np.repeat(x, weights, axis=0), np.repeat(y, weights)


def means_differ_by_errors(first, second):
    """The largest difference of two means, in standard errors."""
    error = np.sqrt(first.var(axis=0, ddof=1) / len(first) + second.var(axis=0, ddof=1) / len(second))
    return np.max(np.abs(first.mean(axis=0) - second.mean(axis=0)) / np.maximum(error, 1e-12))


@pytest.mark.parametrize("name", ["GradientBoostingClassifier", "GradientBoostingRegressor"])
def test_boosting_differs_by_rounding_alone(name):
    x, y, weights, repeated_x, repeated_y = weighted_and_repeated(np.random.default_rng(3))
    cls = getattr(tandem_ml, name)
    weighted = cls(n_estimators=10, max_depth=3, random_state=0).fit(x, y, sample_weight=weights)
    repeated = cls(n_estimators=10, max_depth=3, random_state=0).fit(repeated_x, repeated_y)
    for method in ("predict_proba", "decision_function") if "Class" in name else ("predict",):
        np.testing.assert_allclose(getattr(weighted, method)(x), getattr(repeated, method)(x), rtol=1e-5,
                                   atol=1e-6)


@pytest.mark.parametrize("name, settings", [
    ("RandomForestClassifier", {"n_estimators": 5, "max_depth": 4}),
    ("ExtraTreesClassifier", {"n_estimators": 5, "max_depth": 4}),
    ("MLPClassifier", {"hidden_layer_sizes": (8,), "max_iter": 30, "tol": 0.0}),
])
def test_weights_mean_what_repeated_rows_mean(name, settings):
    x, y, weights, repeated_x, repeated_y = weighted_and_repeated(np.random.default_rng(3))
    probes = np.random.default_rng(4).normal(size=(6, 3))
    cls = getattr(tandem_ml, name)
    weighted = np.array([
        cls(**settings, random_state=seed).fit(x, y, sample_weight=weights).predict_proba(probes)[:, 1]
        for seed in range(40)])
    repeated = np.array([
        cls(**settings, random_state=100 + seed).fit(repeated_x, repeated_y).predict_proba(probes)[:, 1]
        for seed in range(40)])
    # Six probes: 4.5 standard errors are passed by chance once in 25,000.
    assert means_differ_by_errors(weighted, repeated) < 4.5


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
