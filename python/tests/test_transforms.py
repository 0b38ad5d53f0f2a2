"""Transforms by themselves: what scikit-learn's checker asks of transformers, the numbers of its own
scalers, imputers and encoders, and the bits that the same step has inside an estimator."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import tandem_ml

# Every transformer as it is at first, and with each choice of its method.
CHECKED = [cls(**({"method": method} if method else {}))
           for cls in tandem_ml.transformers().values()
           for method in (None, *(cls._parameters["method"].choices if "method" in cls._parameters else ()))]


@parametrize_with_checks(CHECKED)
def test_check_estimator(estimator, check):
    check(estimator)


def rows(dtype=np.float64, missing=False):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 4)) * [1, 10, 0.1, 1000] + [0, 5, -3, 1e4]
    x[:, 3] = np.round(x[:, 3], -2)
    if missing:
        x[rng.random(x.shape) < 0.2] = np.nan
    return x.astype(dtype)


def frame(seed=0, words=("red", "green", "blue")):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    return pandas.DataFrame({"size": rng.normal(size=60), "colour": rng.choice(words, size=60).astype(object),
                             "shape": pandas.Categorical(rng.choice(["round", "square"], size=60))})


def test_every_transform_of_columns_is_a_transformer():
    assert {"ScaleTransform", "ImputeTransform", "EncodeTransform", "OutliersTransform"} <= set(
        tandem_ml.transformers())
    named = {cls._description["name"] for cls in tandem_ml.transformers().values()}
    others = set(tandem_ml._core.transform_names()) - named
    # What has nothing to set is a part of the others; what changes the target has no rows to return.
    for name in others:
        description = tandem_ml._core.describe_transform(name)
        assert description["changes_target"] or not description["options"]
    for name, cls in tandem_ml.transformers().items():
        assert cls.__name__ == name and getattr(tandem_ml, name) is cls
        for parameter in cls._parameters:
            assert f"\n{parameter} : " in cls.__doc__
        with pytest.raises(TypeError, match="no_such_parameter"):
            cls(no_such_parameter=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method, theirs", [("standard", StandardScaler), ("minmax", MinMaxScaler)])
def test_scales_are_scikit_learns(method, theirs, dtype):
    x = rows(dtype)
    ours = tandem_ml.ScaleTransform(method=method).fit(x)
    made = ours.transform(x)
    assert made.dtype == dtype
    # Rounded once, of statistics that are double on both sides.
    expected = theirs().fit_transform(x.astype(np.float64))
    assert np.all(np.abs(made - expected) <= np.finfo(dtype).eps * np.abs(expected) + 1e-12)
    # An error of the scaled value is one of the column's size.
    allowed = 16 * np.finfo(dtype).eps * np.abs(x).max(axis=0)
    assert np.all(np.abs(ours.inverse_transform(made) - x) <= allowed)
    assert not hasattr(tandem_ml.ScaleTransform(method="none").fit(x), "inverse_transform")


@pytest.mark.parametrize("method, strategy", [("mean", "mean"), ("median", "median"),
                                              ("most-frequent", "most_frequent"), ("constant", "constant")])
def test_fills_are_scikit_learns(method, strategy):
    x = rows(missing=True)
    ours = tandem_ml.ImputeTransform(method=method, constant=7).fit_transform(x)
    theirs = SimpleImputer(strategy=strategy, fill_value=7).fit_transform(x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_encodings_are_scikit_learns():
    train, more = frame(), frame(1, ("red", "violet", "blue"))
    one_hot = tandem_ml.EncodeTransform().fit(train)
    theirs = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[["colour", "shape"]])
    for table in (train, more):
        made = one_hot.transform(table)
        np.testing.assert_array_equal(made[:, 0], table["size"])
        np.testing.assert_array_equal(made[:, 1:], theirs.transform(table[["colour", "shape"]]))
    assert list(one_hot.get_feature_names_out()) == ["size", "colour=blue", "colour=green", "colour=red",
                                                     "shape=round", "shape=square"]
    assert one_hot.categories_ == [[], *(list(one) for one in theirs.categories_)]
    ordinal = tandem_ml.EncodeTransform(method="ordinal").fit(train)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    codes.fit(train[["colour", "shape"]])
    for table in (train, more):
        np.testing.assert_array_equal(ordinal.transform(table)[:, 1:],
                                      codes.transform(table[["colour", "shape"]]))


def test_a_step_has_the_bits_that_it_has_in_an_estimator():
    x = rows(missing=True)
    y = (np.nan_to_num(x[:, 0]) > 0).astype(int)
    inside = tandem_ml.LogisticRegression(scale="standard", impute="median", outliers="iqr",
                                          outlier_action="clip").fit(x, y)
    outside = make_pipeline(tandem_ml.OutliersTransform(method="iqr", action="clip"),
                            tandem_ml.ImputeTransform(method="median"), tandem_ml.ScaleTransform(),
                            tandem_ml.LogisticRegression()).fit(x, y)
    np.testing.assert_array_equal(outside[-1].coef_, inside.coef_)
    np.testing.assert_array_equal(outside.predict_proba(x), inside.predict_proba(x))


def test_frames_go_in_and_come_out():
    pandas = pytest.importorskip("pandas")
    train = frame()
    both = make_column_transformer((tandem_ml.ScaleTransform(), ["size"]),
                                   (tandem_ml.EncodeTransform(), ["colour", "shape"]),
                                   verbose_feature_names_out=False).set_output(transform="pandas")
    made = both.fit_transform(train)
    assert isinstance(made, pandas.DataFrame)
    assert list(made.columns)[:2] == ["size", "colour=blue"]
    np.testing.assert_allclose(made["size"].std(ddof=0), 1, rtol=1e-12)
    polars = pytest.importorskip("polars")
    same = tandem_ml.EncodeTransform().fit(train).transform(polars.from_pandas(train))
    np.testing.assert_array_equal(same, tandem_ml.EncodeTransform().fit_transform(train))


@pytest.mark.parametrize("cls", tandem_ml.transformers().values())
def test_pickles_weights_and_threads(cls):
    train = frame()
    weights = np.arange(60) % 3.0
    fitted = cls(n_jobs=1).fit(train, sample_weight=weights)
    expected = fitted.transform(train)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(train), expected)
    assert again._model.to_bytes() == fitted._model.to_bytes()
    np.testing.assert_array_equal(clone(fitted).set_params(n_jobs=3).fit(train, sample_weight=weights)
                                  .transform(train), expected)
    repeated = cls().fit(train.iloc[np.repeat(np.arange(60), weights.astype(int))])
    np.testing.assert_allclose(repeated.transform(train), expected, rtol=1e-12, atol=1e-12)


def test_what_does_not_fit_is_refused():
    x = rows()
    x[0, 0] = 1e9
    with pytest.raises(ValueError, match="rows would be left out"):
        tandem_ml.OutliersTransform(action="drop").fit(x)
    with pytest.raises(ValueError, match="method"):
        tandem_ml.ScaleTransform(method="robust").fit(x)
    with pytest.raises(ValueError, match="constant"):
        tandem_ml.ImputeTransform(method="constant", constant="seven").fit(x)
    with pytest.raises(ValueError, match="infinity"):
        tandem_ml.ScaleTransform().fit(np.where(x > 1e8, np.inf, x))
    scaled = tandem_ml.ScaleTransform().fit(x)
    with pytest.raises(ValueError, match="3 features"):
        scaled.transform(x[:, :3])
    with pytest.raises(ValueError, match="expected rows of 4 features"):
        scaled.inverse_transform(x[:, :3])
    with pytest.raises(ValueError, match="sample_weight"):
        tandem_ml.ScaleTransform().fit(x, sample_weight=[1.0])
    broken = scaled._model.to_bytes()[:-3]
    with pytest.raises(ValueError, match="the pickle"):
        tandem_ml._core.Transform.__new__(tandem_ml._core.Transform).__setstate__(broken)
