"""The same bits from Python, from the program and for any number of threads."""

import pathlib
import pickle

import numpy as np
import pytest

import tandem_ml

PROGRAM_CASES = {
    "kmeans": ("KMeans", {"n_clusters": 3, "n_init": 3}, ["--k", "3", "--starts", "3"]),
    "linear-regression": ("LinearRegression", {"l2": 0.1}, ["--l2", "0.1"]),
    "logistic-regression": ("LogisticRegression", {"scale": "standard"}, ["--scale", "standard"]),
    "decision-tree": ("DecisionTreeClassifier", {"max_depth": 4},
                      ["--max-depth", "4", "--task", "classification"]),
    "random-forest": ("RandomForestClassifier", {"n_estimators": 7},
                      ["--trees", "7", "--task", "classification"]),
    "extra-trees": ("ExtraTreesClassifier", {"n_estimators": 7},
                    ["--trees", "7", "--task", "classification"]),
    "gradient-boosting": ("GradientBoostingRegressor", {"n_estimators": 5},
                          ["--rounds", "5", "--task", "regression"]),
    "mlp": ("MLPClassifier", {"hidden_layer_sizes": (8,), "max_iter": 5, "scale": "standard"},
            ["--hidden", "8", "--epochs", "5", "--scale", "standard", "--task", "classification"]),
    "isolation-forest": ("IsolationForest", {"n_estimators": 7}, ["--trees", "7"]),
}


def rows(name):
    rng = np.random.default_rng(11)
    x = rng.normal(size=(150, 4)).round(3)
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype(np.int64) + (x[:, 3] > 1)
    if name in ("linear-regression", "gradient-boosting"):
        y = (x @ [1.0, -2.0, 0.5, 0.0] + 0.1 * rng.normal(size=150)).round(3)
    return x, y


def suited(cls, x):
    """The rows as values that the algorithm takes: counts and codes are whole and not negative."""
    return x if cls._description["feature_values"] == "any" else np.abs(np.rint(2 * x))


def seeded(cls, seed):
    """What draws nothing has no random_state."""
    return {"random_state": seed} if "random_state" in cls._defaults else {}


def case_of(name):
    """An algorithm that is new has its standard options."""
    if name in PROGRAM_CASES:
        return PROGRAM_CASES[name]
    cls = next(cls for cls in tandem_ml.estimators().values() if cls._description["name"] == name)
    task = "classification" if cls.__name__.endswith("Classifier") else "regression"
    options = [] if cls._description["task"] or cls._description["kind"] != "predictor" else ["--task", task]
    return cls.__name__, {}, ["--scale", "none", *options]


def algorithms():
    return sorted({cls._description["name"] for cls in tandem_ml.estimators().values()})


def is_supervised(name):
    return tandem_ml._core.describe_algorithm(name)["kind"] == "predictor"


@pytest.mark.parametrize("name", algorithms())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_python_and_program_have_the_same_model(name, dtype, program, tmp_path):
    cls_name, parameters, options = case_of(name)
    cls = getattr(tandem_ml, cls_name)
    x, y = rows(name)
    x = suited(cls, x)
    unsupervised = not is_supervised(name)
    table = tmp_path / "t.csv"
    header = "a,b,c,d" + ("" if unsupervised else ",target")
    np.savetxt(table, x if unsupervised else np.column_stack([x, y]), fmt="%.17g", delimiter=",",
               header=header, comments="")
    target = [] if unsupervised else ["--target", "target"]
    program("train", name, "--data", table, *target, *options, "--seed", "7", "--precision", dtype,
            "--model", tmp_path / "program.tandem")

    estimator = cls(**parameters, **seeded(cls, 7))
    estimator.fit(*([x.astype(dtype)] if unsupervised else [x.astype(dtype), y]))
    estimator.save(tmp_path / "python.tandem")
    theirs = tandem_ml.load(tmp_path / "program.tandem")
    ours, read = estimator.parameters_, theirs.parameters_
    assert ours.keys() == read.keys()
    for key in ours:
        np.testing.assert_array_equal(ours[key], read[key], err_msg=key)

    # What the program wrote is written again byte for byte, and the other way round.
    theirs.save(tmp_path / "again.tandem")
    assert (tmp_path / "again.tandem").read_bytes() == (tmp_path / "program.tandem").read_bytes()
    program("inspect", tmp_path / "python.tandem")
    tandem_ml.load(tmp_path / "python.tandem").save(tmp_path / "python-again.tandem")
    assert (tmp_path / "python-again.tandem").read_bytes() == (tmp_path / "python.tandem").read_bytes()

    # The two files hold one model for the program, and its answers are Python's.
    for model in ("program", "python"):
        program("predict", tmp_path / f"{model}.tandem", "--data", table, "--out", tmp_path / f"{model}.csv")
    answers = (tmp_path / "program.csv").read_text()
    assert (tmp_path / "python.csv").read_text() == answers
    said = [line.split(",")[0] for line in answers.splitlines()[1:]]
    ours = estimator.predict(x.astype(dtype))
    if name == "isolation-forest":
        ours = np.where(ours == -1, "outlier", "inlier")
    if ours.dtype.kind == "f":
        assert np.array_equal(np.array(said, dtype=dtype), ours)
    else:
        assert said == [str(one) for one in ours]


@pytest.mark.parametrize("cls", tandem_ml.estimators().values())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_change_no_bit(cls, dtype):
    x, y = rows("linear-regression" if cls.__name__.endswith("Regressor") else "decision-tree")
    x = suited(cls, x)
    if cls._description["kind"] != "predictor":
        y = None
    settings = {name: value for name, value in {"n_estimators": 5, "n_init": 2, "max_iter": 8,
                                                "hidden_layer_sizes": (8,)}.items()
                if name in cls._defaults}
    models = [cls(**settings, **seeded(cls, 3), n_jobs=jobs).fit(x.astype(dtype), y) for jobs in (1, 2, 3)]
    first = models[0]._model.to_bytes()
    assert all(model._model.to_bytes() == first for model in models)
    assert pickle.loads(pickle.dumps(models[0]))._model.to_bytes() == first
    probes = suited(cls, np.random.default_rng(1).normal(size=(500, 4))).astype(dtype)
    answers = [model.predict(probes) for model in models]
    assert all(np.array_equal(answers[0], answer) for answer in answers)


def test_fits_use_the_type_of_x(tmp_path):
    x, y = rows("decision-tree")
    for dtype in (np.float32, np.float64):
        model = tandem_ml.RandomForestClassifier(n_estimators=3).fit(x.astype(dtype), y)
        assert model.predict_proba(x.astype(dtype)).dtype == dtype
        assert model._model.description()["dtype"] == np.dtype(dtype).name
    path = pathlib.Path(tmp_path) / "m.tandem"
    model.save(path)
    loaded = tandem_ml.load(path)
    assert loaded.n_estimators == 3
    assert np.array_equal(loaded.classes_, model.classes_)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert np.array_equal(loaded.predict(x), model.predict(x))
