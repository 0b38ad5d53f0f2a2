"""Every estimator is what scikit-learn's own checker says an estimator is."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import tandem_ml

# Ten trees, not a hundred, so that hundreds of checks take seconds; all else is the default but where
# a check cannot hold with it.
SMALL = {"n_estimators": 10}
PER_ESTIMATOR = {
    # Some checks' data have four distinct rows, and eight clusters of them are an error here.
    "KMeans": {"n_clusters": 3},
    # The check of class weights of 1000 to 0.0001 asks trees not to end in leaves of the light class;
    # scikit-learn's are given min_weight_fraction_leaf for it.
    "DecisionTreeClassifier": {"min_impurity_decrease": 1e-5},
    "RandomForestClassifier": {"min_impurity_decrease": 1e-5},
    "ExtraTreesClassifier": {"min_impurity_decrease": 1e-5},
}

# A fit of weighted rows and one of repeated rows are not the same model; the checks ask for 1e-7 of
# agreement. test_weights.py has a test in place of them for each of these estimators.
NOT_EQUIVALENT = {
    "KMeans": "rows are drawn one by one",
    "RandomForestClassifier": "rows are drawn one by one",
    "RandomForestRegressor": "rows are drawn one by one",
    "KNeighborsClassifier": "neighbours are counted, whatever their weight",
    "KNeighborsRegressor": "neighbours are counted, whatever their weight",
}
# Checks whose data an estimator is not for.
UNSUITABLE = {
    "BernoulliNB": (("check_classifiers_train",),
                    "looks at signs alone, by which the check's classes cannot be told apart"),
    # scikit-learn's own cuts fractions off.
    "CategoricalNB": (("check_sample_weight_equivalence_on_dense_data",
                       "check_sample_weight_equivalence_on_sparse_data",
                       "check_classifiers_one_label_sample_weights"),
                      "fractions are no categories and are refused"),
}
EQUIVALENCE = ("check_sample_weight_equivalence_on_dense_data",
               "check_sample_weight_equivalence_on_sparse_data")


def small(cls):
    settings = {**SMALL, **PER_ESTIMATOR.get(cls.__name__, {})}
    return cls(**{name: value for name, value in settings.items() if name in cls._defaults})


def expected_failures(estimator):
    name = type(estimator).__name__
    checks, why = UNSUITABLE.get(name, ((), ""))
    expected = {check: why for check in checks}
    reason = NOT_EQUIVALENT.get(name)
    return expected | {check: reason for check in EQUIVALENCE} if reason else expected


# Strict: a check that passes though it is expected to fail is a failure.
@parametrize_with_checks([small(cls) for cls in tandem_ml.estimators().values()],
                         expected_failed_checks=expected_failures, xfail_strict=True)
def test_check_estimator(estimator, check):
    check(estimator)


def test_every_algorithm_is_an_estimator():
    """An algorithm that libtandem has is here without a list."""
    named = {cls._description["name"] for cls in tandem_ml.estimators().values()}
    of_rows = {
        name for name in tandem_ml._core.algorithm_names()
        if tandem_ml._core.describe_algorithm(name)["kind"] in ("predictor", "clusterer", "detector")
    }
    assert named == of_rows


@pytest.mark.parametrize("cls", tandem_ml.estimators().values())
def test_parameters_come_from_the_options(cls):
    estimator = cls()
    options = {option["name"]: option for option in cls._description["options"]}
    for name, parameter in cls._parameters.items():
        assert parameter.name == name
        if not parameter.step:
            assert parameter.help == options[parameter.option]["help"]
            assert name in cls.__doc__
    # The default of every parameter is a value of its option.
    for name, parameter in cls._parameters.items():
        assert parameter.value(getattr(estimator, name)) is not NotImplemented
    with pytest.raises(TypeError, match="no_such_parameter"):
        cls(no_such_parameter=1)


def test_scikit_learn_names_come_first():
    assert {"n_clusters", "n_init", "max_iter", "tol"} <= set(tandem_ml.KMeans._parameters)
    assert {"C", "max_iter", "tol", "fit_intercept"} <= set(tandem_ml.LogisticRegression._parameters)
    assert {"n_estimators", "max_features", "bootstrap"} <= set(
        tandem_ml.RandomForestClassifier._parameters)
    assert {"n_estimators", "learning_rate", "max_leaf_nodes"} <= set(
        tandem_ml.GradientBoostingRegressor._parameters)
    assert {"hidden_layer_sizes", "learning_rate_init"} <= set(tandem_ml.MLPClassifier._parameters)


def test_seed_is_drawn_and_kept():
    x = np.random.default_rng(0).normal(size=(60, 3))
    np.random.seed(5)
    first = tandem_ml.KMeans(n_clusters=3).fit(x)
    np.random.seed(5)
    again = tandem_ml.KMeans(n_clusters=3).fit(x)
    assert first.seed_ == again.seed_
    known = tandem_ml.KMeans(n_clusters=3, random_state=first.seed_).fit(x)
    assert np.array_equal(known.cluster_centers_, first.cluster_centers_)
    state = np.random.RandomState(1)
    drawn = tandem_ml.KMeans(n_clusters=3, random_state=state).fit(x).seed_
    assert drawn == int(np.random.RandomState(1).randint(0, 2**31 - 1))
