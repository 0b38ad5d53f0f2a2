"""onnxruntime's answers are Tandem's: labels equal wherever two classes are not a rounding apart,
values within the fixed bounds that docs/onnx.md lists beside those that it derives."""

import pathlib

import numpy as np
import pytest

import tandem_ml

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

ROWS = 10_000


def answers(model, inputs, **options):
    content = model.to_onnx(**options)
    file = onnx.load_from_string(content)
    onnx.checker.check_model(file, full_check=True)
    versions = {one.domain: one.version for one in file.opset_import}
    assert versions == ({"": 15, "ai.onnx.ml": 3} if options.get("ml_opset") == 3
                        else {"": 18, "ai.onnx.ml": 5})
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs)))


def rows(dtype, *, missing, seed=0, n=ROWS, cols=6):
    """Random rows, with ties: half of the values lie on a grid."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, cols))
    x[:, ::2] = np.round(x[:, ::2] * 4) / 4
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    return x.astype(dtype)


def targets(x, classes):
    known = np.nan_to_num(x.astype(np.float64))
    value = known[:, 0] - 0.5 * known[:, 1] * known[:, 2] + 0.3 * known[:, 3]
    if classes == 0:
        return value
    return np.digitize(value, np.quantile(value, np.linspace(0, 1, classes + 1)[1:-1]))


def on_thresholds(x, model):
    """Rows with values that are thresholds of the trees, and their neighbours."""
    parameters = model.parameters_
    cuts = parameters["threshold" if "threshold" in parameters else "trees/threshold"]
    features = parameters["feature" if "feature" in parameters else "trees/feature"]
    # A split between known and missing values has the largest number as its threshold.
    inner = (features >= 0) & (np.abs(cuts) < np.finfo(cuts.dtype).max)
    cuts, features = cuts[inner], features[inner]
    rng = np.random.default_rng(5)
    for k in range(min(len(x), 3000)):
        at = rng.integers(len(cuts))
        cut = cuts[at]
        x[k, features[at]] = (cut, np.nextafter(cut, -np.inf, dtype=x.dtype),
                              np.nextafter(cut, np.inf, dtype=x.dtype))[k % 3]
    return x


TREES = {
    "DecisionTree": {"max_depth": 8},
    "RandomForest": {"n_estimators": 15},
    "ExtraTrees": {"n_estimators": 10},
    "GradientBoosting": {"n_estimators": 20, "max_depth": 4},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", TREES)
def test_tree_classifiers(name, classes, dtype):
    train = rows(dtype, missing=True, n=1500)
    model = getattr(tandem_ml, name + "Classifier")(**TREES[name], random_state=0)
    model.fit(train, targets(train, classes))
    x = on_thresholds(rows(dtype, missing=True, seed=1), model)
    compare_classes(model, x, answers(model, {"X": x}), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TREES)
def test_tree_regressors(name, dtype):
    train = rows(dtype, missing=True, n=1500)
    model = getattr(tandem_ml, name + "Regressor")(**TREES[name], random_state=0)
    model.fit(train, targets(train, 0))
    x = on_thresholds(rows(dtype, missing=True, seed=1), model)
    compare_values(model.predict(x), answers(model, {"X": x})["prediction"], dtype)


def compare_classes(model, x, given, dtype, precision=None):
    ours = model.predict_proba(x)
    theirs = given["probabilities"]
    assert theirs.dtype == dtype
    # A chain of as many additions as there are trees, and the function over it.
    bound = 4 * bound_of(model, precision or dtype)
    assert np.max(np.abs(ours - theirs)) <= bound
    ordered = np.sort(ours, axis=1)
    apart = ordered[:, -1] - ordered[:, -2] > 2 * bound
    assert apart.mean() > 0.5
    assert np.array_equal(np.asarray(given["label"])[apart], model.predict(x)[apart])


def bound_of(model, dtype):
    terms = max(32, getattr(model, "n_estimators", 1) + 8, model.n_features_in_ + 8)
    return terms * np.finfo(dtype).eps


def compare_values(ours, theirs, dtype, terms=64, precision=None):
    assert theirs.dtype == dtype and theirs.shape == ours.shape
    scale = max(1.0, float(np.max(np.abs(ours))))
    assert np.max(np.abs(ours - theirs)) <= terms * np.finfo(precision or dtype).eps * scale


def test_a_decision_tree_has_the_very_bits():
    for dtype in (np.float32, np.float64):
        train = rows(dtype, missing=True, n=1500)
        model = tandem_ml.DecisionTreeRegressor(random_state=0).fit(train, targets(train, 0))
        x = on_thresholds(rows(dtype, missing=True, seed=2), model)
        assert np.array_equal(model.predict(x), answers(model, {"X": x})["prediction"])


# --- files for runtimes that know ai.onnx.ml 3 -----------------------------------------------------
# Rows go the same ways; sums of trees are float32 there.

OLD = {"ml_opset": 3}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", TREES)
def test_tree_classifiers_in_old_operators(name, classes, dtype):
    train = rows(dtype, missing=True, n=1500)
    model = getattr(tandem_ml, name + "Classifier")(**TREES[name], random_state=0)
    model.fit(train, targets(train, classes))
    x = on_thresholds(rows(dtype, missing=True, seed=1), model)
    compare_classes(model, x, answers(model, {"X": x}, **OLD), dtype, precision=np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TREES)
def test_tree_regressors_in_old_operators(name, dtype):
    train = rows(dtype, missing=True, n=1500)
    model = getattr(tandem_ml, name + "Regressor")(**TREES[name], random_state=0)
    model.fit(train, targets(train, 0))
    x = on_thresholds(rows(dtype, missing=True, seed=1), model)
    compare_values(model.predict(x), answers(model, {"X": x}, **OLD)["prediction"], dtype,
                   precision=np.float32)


@pytest.mark.parametrize("trained, given", [(np.float32, np.float32), (np.float64, np.float64),
                                            (np.float64, np.float32)])
@pytest.mark.parametrize("options", [OLD, {}], ids=["old", "new"])
def test_no_row_goes_another_way_through_a_tree(trained, given, options):
    """The leaf of every row, told by its value, of rows that hold thresholds and their neighbours in
    their own type."""
    train = rows(trained, missing=True, n=3000)
    model = tandem_ml.DecisionTreeRegressor(random_state=0).fit(train, targets(train, 0))
    x = on_thresholds(rows(given, missing=True, seed=2), model)
    if trained != given:
        options = {**options, "input_type": "float32"}
        # The nearest float often lies above its threshold, and would send rows that equal it left.
        cuts = model.parameters_["threshold"]
        finite = cuts[np.abs(cuts) < np.finfo(np.float32).max]
        assert (finite.astype(np.float32) > finite).sum() > 500
    ours = model.predict(x.astype(trained))
    assert len(np.unique(ours)) > 500
    theirs = answers(model, {"X": x}, **options)["prediction"]
    assert theirs.dtype == trained
    assert np.array_equal(theirs.astype(np.float32), ours.astype(np.float32))


@pytest.mark.parametrize("name, settings", [
    ("LogisticRegression", {}), ("KMeans", {"n_clusters": 4}), ("MLPClassifier", {
        "hidden_layer_sizes": (8,), "max_iter": 5}), ("IsolationForest", {"n_estimators": 10})])
def test_other_models_in_old_operators(name, settings):
    """The same graph but for trees: what the new operators answer."""
    train = rows(np.float64, missing=False, n=600)
    cls = getattr(tandem_ml, name)
    y = targets(train, 3) if cls._description["kind"] == "predictor" else None
    model = cls(**settings, **({"random_state": 0} if "random_state" in cls._defaults else {})).fit(train, y)
    x = rows(np.float64, missing=False, seed=1)
    new, old = answers(model, {"X": x}), answers(model, {"X": x}, **OLD)
    assert new.keys() == old.keys()
    for output, values in new.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(old[output], values, atol=64 * np.finfo(np.float32).eps)
        else:
            assert (old[output] == values).mean() > 0.999


def test_a_model_of_float64_takes_float32_rows():
    """Behind a scaling, whose results are no floats, and of a linear model."""
    train = rows(np.float64, missing=False, n=1500)
    x = rows(np.float32, missing=False, seed=1)
    for cls, settings in ((tandem_ml.GradientBoostingClassifier, {"n_estimators": 10, "scale": "standard"}),
                          (tandem_ml.LogisticRegression, {"scale": "minmax"})):
        model = cls(**settings).fit(train, targets(train, 3))
        for options in ({}, OLD):
            given = answers(model, {"X": x}, input_type="float32", **options)
            compare_classes(model, x.astype(np.float64), given, np.float64, precision=np.float32)


def test_options_of_a_file_that_there_are_not():
    train = rows(np.float64, missing=False, n=100)
    model = tandem_ml.LinearRegression().fit(train, targets(train, 0))
    with pytest.raises(ValueError, match="ml_opset.*4"):
        model.to_onnx(ml_opset=4)
    with pytest.raises(ValueError, match="input_type.*float16"):
        model.to_onnx(input_type="float16")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_isolation_forest(dtype):
    train = rows(dtype, missing=False, n=1500)
    model = tandem_ml.IsolationForest(n_estimators=20, contamination=0.1, random_state=0).fit(train)
    x = rows(dtype, missing=True, seed=1)
    given = answers(model, {"X": x})
    compare_values(-model.score_samples(x), given["score"], dtype)
    clear = np.abs(model.decision_function(x)) > 64 * np.finfo(dtype).eps
    assert np.array_equal(given["label"][clear], (model.predict(x) == -1)[clear].astype(int))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 3])
def test_linear_models(classes, dtype):
    train = rows(dtype, missing=False, n=1500)
    x = rows(dtype, missing=False, seed=1)
    model = tandem_ml.LogisticRegression().fit(train, targets(train, classes))
    compare_classes(model, x, answers(model, {"X": x}), dtype)
    linear = tandem_ml.LinearRegression(scale="standard", scale_target="standard")
    linear.fit(train, targets(train, 0))
    compare_values(linear.predict(x), answers(linear, {"X": x})["prediction"], dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", [
    {"activation": "relu"}, {"activation": "tanh", "batch_norm": True}, {"activation": "gelu"},
    {"activation": "sigmoid", "output": "sigmoid", "scale": "minmax"},
])
def test_perceptrons(settings, dtype):
    train = rows(dtype, missing=False, n=800)
    x = rows(dtype, missing=False, seed=1)
    common = {"hidden_layer_sizes": (16, 8), "max_iter": 10, "random_state": 0}
    classes = 2 if settings.get("output") == "sigmoid" else 3
    model = tandem_ml.MLPClassifier(**common, **settings).fit(train, targets(train, classes))
    # Runtimes have erf in float only.
    precision = np.float32 if settings["activation"] == "gelu" else dtype
    ours, theirs = model.predict_proba(x), answers(model, {"X": x})
    bound = 2000 * np.finfo(precision).eps
    assert np.max(np.abs(ours - theirs["probabilities"])) <= bound
    ordered = np.sort(ours, axis=1)
    apart = ordered[:, -1] - ordered[:, -2] > 2 * bound
    assert np.array_equal(theirs["label"][apart], model.predict(x)[apart])
    regressor = tandem_ml.MLPRegressor(**common, activation=settings["activation"])
    regressor.fit(train, targets(train, 0))
    compare_values(regressor.predict(x), answers(regressor, {"X": x})["prediction"], dtype, 2000, precision)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kmeans(dtype):
    train = rows(dtype, missing=False, n=2000) + dtype(100)
    model = tandem_ml.KMeans(n_clusters=5, n_init=2, random_state=0).fit(train)
    x = rows(dtype, missing=False, seed=1) + dtype(100)
    squares = np.sort(((x[:, None, :].astype(np.float64) - model.cluster_centers_) ** 2).sum(axis=2))
    apart = squares[:, 1] - squares[:, 0] > 1e5 * np.finfo(dtype).eps * squares[:, 1]
    assert apart.mean() > 0.9
    assert np.array_equal(answers(model, {"X": x})["label"][apart], model.predict(x)[apart])


@pytest.mark.parametrize("name, settings", [
    ("GradientBoostingClassifier", {"n_estimators": 10}),
    ("RandomForestClassifier", {"n_estimators": 10, "impute": "constant"}),
    ("LogisticRegression", {"scale": "standard", "impute": "median", "outliers": "iqr"}),
    ("DecisionTreeClassifier", {"encode": "ordinal", "impute": "most-frequent"}),
])
@pytest.mark.parametrize("options", [OLD, {}], ids=["old", "new"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pipelines_with_texts_and_missing_values(name, settings, dtype, options):
    pandas = pytest.importorskip("pandas")

    def table(seed, n, words):
        rng = np.random.default_rng(seed)
        frame = pandas.DataFrame({
            "size": rng.normal(size=n).astype(dtype),
            "colour": rng.choice(words, size=n).astype(object),
            "weight": (rng.normal(size=n) * 10 + 3).astype(dtype),
        })
        frame.loc[rng.random(n) < 0.1, "size"] = np.nan
        frame.loc[rng.random(n) < 0.1, "colour"] = None
        y = (frame["colour"].isin(["blue", "red"]) ^ (frame["weight"] > 3)).to_numpy()
        return frame, np.where(y, "yes", "no")

    train, y = table(0, 1500, ["red", "green", "blue", "grey"])
    model = getattr(tandem_ml, name)(**settings, random_state=0).fit(train, y)
    frame, _ = table(1, ROWS, ["red", "green", "blue", "grey", "violet"])
    inputs = {
        "size": frame[["size"]].to_numpy(),
        "colour": frame[["colour"]].fillna("").to_numpy(),
        "weight": frame[["weight"]].to_numpy(),
    }
    given = answers(model, inputs, **options)
    compare_classes(model, frame, given, np.dtype(dtype), precision=np.float32 if options else None)


def test_the_program_writes_the_same_file(program, tmp_path):
    train = rows(np.float64, missing=False, n=300)
    model = tandem_ml.RandomForestClassifier(n_estimators=3, random_state=0)
    model.fit(train, targets(train, 3))
    model.save(tmp_path / "m.tandem")
    program("export", tmp_path / "m.tandem", "--onnx", tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == model.to_onnx()
    program("export", tmp_path / "m.tandem", "--onnx", tmp_path / "old.onnx", "--ml-opset", "3",
            "--input-type", "float32")
    assert (tmp_path / "old.onnx").read_bytes() == model.to_onnx(ml_opset=3, input_type="float32")
    assert model.to_onnx(tmp_path / "own.onnx") == (tmp_path / "own.onnx").read_bytes()


def files_of_other_programs():
    folder = pathlib.Path(__file__).resolve().parents[2] / "tests" / "model" / "onnx"
    return sorted(folder.glob("*.onnx"))


@pytest.mark.parametrize("file", files_of_other_programs(), ids=lambda file: file.stem)
def test_files_of_other_programs_are_read(file):
    model = tandem_ml.from_onnx(file)
    table = np.genfromtxt(file.with_suffix(".csv"), delimiter=",", skip_header=1, dtype=np.float32)
    x, expected = table[:, :3], table[:, 3:]
    made = model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)[:, None]
    scale = max(1, np.abs(expected).max())
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-6 * scale)
    if file.stem == "logistic_three":
        assert list(model.classes_) == ["high", "low", "mid"]


def test_a_file_that_is_no_model_is_refused(tmp_path):
    file = tmp_path / "none.onnx"
    file.write_bytes(b"\x08\x0a")
    with pytest.raises(tandem_ml.errors.InputError, match="none.onnx"):
        tandem_ml.from_onnx(file)
