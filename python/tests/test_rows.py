"""Rows of every kind in: arrays, sparse matrices, data frames, Arrow, DLPack, memory views."""

import numpy as np
import pytest
from scipy import sparse

import tandem_ml


@pytest.fixture
def table():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(120, 5))
    y = (x[:, 0] > x[:, 1]).astype(int)
    return x, y


@pytest.fixture
def fitted(table):
    return tandem_ml.GradientBoostingClassifier(n_estimators=5, random_state=1).fit(*table)


FORMS = {
    "fortran": np.asfortranarray,
    "reversed twice": lambda x: x[::-1][::-1],
    "negative strides": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "big-endian": lambda x: x.astype(">f8"),
    "rows apart": lambda x: np.concatenate([x, x], axis=1)[:, :5],
    "list": lambda x: x.tolist(),
    "object": lambda x: x.astype(object),
    "memoryview": lambda x: memoryview(np.ascontiguousarray(x)),
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_matrix,
    "coo array": sparse.coo_array,
    "masked": np.ma.masked_array,
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_in_another_form_make_the_same_model(form, table, fitted):
    x, y = table
    given = FORMS[form](x)
    model = tandem_ml.GradientBoostingClassifier(n_estimators=5, random_state=1).fit(given, y)
    assert model._model.to_bytes() == fitted._model.to_bytes()
    assert np.array_equal(model.predict_proba(given), fitted.predict_proba(x))


def test_read_only_rows_are_not_copied_or_written(table, fitted):
    x, y = table
    frozen = x.copy()
    frozen.setflags(write=False)
    model = tandem_ml.GradientBoostingClassifier(n_estimators=5, random_state=1).fit(frozen, y)
    assert model._model.to_bytes() == fitted._model.to_bytes()
    assert np.array_equal(frozen, x)


def test_no_copy_of_plain_rows():
    """A fit of one pass takes less memory than a copy of the rows would."""
    import resource

    x = np.random.default_rng(0).normal(size=(400_000, 20))  # 64 MB
    y = x[:, 0]
    model = tandem_ml.LinearRegression(solver="cholesky", random_state=0)
    model.fit(x[:1000], y[:1000])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model.fit(x, y)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < x.nbytes / 2


@pytest.mark.parametrize("dtype, expected", [("float16", "float64"), ("float32", "float32"),
                                             ("int8", "float64"), ("uint64", "float64"),
                                             ("bool", "float64")])
def test_types_of_numbers(dtype, expected, table):
    x, y = table
    model = tandem_ml.DecisionTreeClassifier(random_state=0).fit((x * 10).astype(dtype), y)
    assert model._model.description()["dtype"] == expected


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "i8", "u1", "u4", "u8", "?", "f4", "U1"])
def test_targets_of_any_width(kind, table):
    x, y = table
    model = tandem_ml.DecisionTreeClassifier(random_state=0).fit(x, y.astype(kind))
    assert model.predict(x).dtype == y.astype(kind).dtype
    assert model.score(x, y.astype(kind)) == 1


def test_large_integer_classes_stay_apart(table):
    x, y = table
    classes = np.array([2**53, 2**53 + 1])[y]
    model = tandem_ml.DecisionTreeClassifier(random_state=0).fit(x.astype(np.float32), classes)
    assert model.score(x.astype(np.float32), classes) == 1


# --- data frames ----------------------------------------------------------------------------------


def mixed(n=200):
    rng = np.random.default_rng(8)
    colour = rng.choice(["red", "green", "blue"], size=n)
    size = rng.normal(size=n)
    y = (colour == "green") ^ (size > 0.5)
    return colour, size, y.astype(int)


@pytest.mark.parametrize("name", ["GradientBoostingClassifier", "DecisionTreeClassifier"])
def test_pandas_categories_are_kept(name):
    pandas = pytest.importorskip("pandas")
    colour, size, y = mixed()
    frame = pandas.DataFrame({"colour": pandas.Categorical(colour), "size": size})
    model = getattr(tandem_ml, name)(random_state=0).fit(frame, y)
    assert model.score(frame, y) == 1
    assert list(model.feature_names_in_) == ["colour", "size"]
    columns = dict(model._model.description()["columns"])
    assert columns == {"colour": ["blue", "green", "red"], "size": []}
    # Categories go by name, whatever the order of their codes.
    other = pandas.DataFrame({"colour": pandas.Categorical(colour, categories=["red", "green", "blue"]),
                              "size": size})
    assert np.array_equal(model.predict(other), model.predict(frame))
    texts = pandas.DataFrame({"colour": colour, "size": size})
    assert np.array_equal(model.predict(texts), model.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"size": "length"}))


def test_polars_and_arrow_give_what_pandas_gives():
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    colour, size, y = mixed()
    frame = pandas.DataFrame({"colour": pandas.Categorical(colour), "size": size})
    first = tandem_ml.GradientBoostingClassifier(n_estimators=5, random_state=0).fit(frame, y)
    for other in (
        polars.DataFrame({"colour": colour, "size": size}),
        polars.concat([polars.DataFrame({"colour": colour[:70], "size": size[:70]}),
                       polars.DataFrame({"colour": colour[70:], "size": size[70:]})], rechunk=False),
        pyarrow.table({"colour": colour, "size": size}),
    ):
        model = tandem_ml.GradientBoostingClassifier(n_estimators=5, random_state=0).fit(other, y)
        assert model._model.to_bytes() == first._model.to_bytes()
        assert np.array_equal(model.predict(other), first.predict(frame))
        assert list(model.feature_names_in_) == ["colour", "size"]


def test_frames_of_float32_are_fitted_in_float32():
    polars = pytest.importorskip("polars")
    pandas = pytest.importorskip("pandas")
    colour, size, y = mixed()
    for frame in (pandas.DataFrame({"c": colour, "s": size.astype("float32")}),
                  polars.DataFrame({"c": colour, "s": size.astype("float32")})):
        model = tandem_ml.DecisionTreeClassifier(random_state=0).fit(frame, y)
        assert model._model.description()["dtype"] == "float32"


def test_missing_categories_are_missing():
    pandas = pytest.importorskip("pandas")
    colour, size, y = mixed()
    frame = pandas.DataFrame({"colour": pandas.Categorical(colour), "size": size})
    frame.loc[::7, "colour"] = None
    model = tandem_ml.GradientBoostingClassifier(n_estimators=20, random_state=0).fit(frame, y)
    assert model.score(frame, y) > 0.8
    with pytest.raises(ValueError):
        tandem_ml.LogisticRegression().fit(frame.assign(size=np.nan), y)


# --- DLPack ---------------------------------------------------------------------------------------


class Tensor:
    """What PyTorch's tensors have in common with NumPy's arrays: DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack(table, fitted):
    x, _ = table
    assert np.array_equal(fitted.predict(Tensor(x)), fitted.predict(x))
    assert np.array_equal(np.from_dlpack(fitted.predict_proba(x)), fitted.predict_proba(x))
