"""Rows that fits are stopped early by."""

import numpy as np
import pytest

import tandem_ml


def rows(seed, n, *, classes=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).round(3)
    value = x[:, 0] + x[:, 1] * x[:, 2] + 0.5 * rng.normal(size=n)
    y = value.round(3) if classes == 0 else np.digitize(value, np.linspace(-1, 1, classes - 1))
    return x, y


def table(path, x, y):
    np.savetxt(path, np.column_stack([x, y]), fmt="%.17g", delimiter=",", header="a,b,c,d,target",
               comments="")
    return path


CASES = {
    "GradientBoostingRegressor": ({"n_estimators": 200, "learning_rate": 0.3, "early_stopping_rounds": 4},
                                  ["gradient-boosting", "--rounds", "200", "--learning-rate", "0.3",
                                   "--patience", "4", "--task", "regression"]),
    "GradientBoostingClassifier": ({"n_estimators": 100, "early_stopping_rounds": 3,
                                    "eval_metric": "accuracy"},
                                   ["gradient-boosting", "--rounds", "100", "--patience", "3",
                                    "--eval-metric", "accuracy", "--task", "classification"]),
    "MLPClassifier": ({"hidden_layer_sizes": (8,), "max_iter": 200, "n_iter_no_change": 2,
                       "learning_rate_init": 0.05},
                      ["mlp", "--hidden", "8", "--epochs", "200", "--patience", "2", "--learning-rate",
                       "0.05", "--scale", "none", "--task", "classification"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fit_stops_where_the_program_stops(name, program, tmp_path):
    parameters, options = CASES[name]
    classes = 3 if "Class" in name else 0
    x, y = rows(1, 300, classes=classes)
    held_x, held_y = rows(2, 150, classes=classes)
    program("train", *options, "--data", table(tmp_path / "t.csv", x, y), "--target", "target",
            "--validation", table(tmp_path / "v.csv", held_x, held_y), "--seed", "5",
            "--model", tmp_path / "program.tandem")
    theirs = tandem_ml.load(tmp_path / "program.tandem")
    ours = getattr(tandem_ml, name)(**parameters, random_state=5)
    ours.fit(x, y, X_val=held_x, y_val=held_y)
    assert ours.n_iter_ == theirs.n_iter_ < parameters.get("n_estimators", parameters.get("max_iter"))
    assert ours.stopped_because_ == theirs.stopped_because_
    for key, value in theirs.parameters_.items():
        np.testing.assert_array_equal(ours.parameters_[key], value, err_msg=key)
    # Other rows would have stopped it elsewhere, or nowhere.
    assert any(series.startswith("validation") for series in ours.history_)


def test_weights_of_validation_rows_count():
    x, y = rows(1, 300)
    held_x, held_y = rows(2, 150)
    weights = np.arange(150) % 4.0
    common = {"X_val": held_x, "y_val": held_y}
    model = tandem_ml.GradientBoostingRegressor(n_estimators=15, early_stopping_rounds=15, random_state=0)
    plain = model.fit(x, y, **common).history_["validation_loss"]
    weighted = model.fit(x, y, **common, sample_weight_val=weights).history_["validation_loss"]
    repeats = np.repeat(np.arange(150), weights.astype(int))
    repeated = model.fit(x, y, X_val=held_x[repeats], y_val=held_y[repeats]).history_["validation_loss"]
    np.testing.assert_allclose(weighted, repeated, rtol=1e-6)
    assert not np.allclose(weighted, plain, rtol=1e-3)


def test_validation_rows_in_other_forms():
    """Of another float type, sparse, and of a data frame whose categories are numbered otherwise."""
    pandas = pytest.importorskip("pandas")
    from scipy import sparse

    x, y = rows(1, 300)
    held_x, held_y = rows(2, 150)
    model = tandem_ml.GradientBoostingRegressor(n_estimators=60, early_stopping_rounds=3, random_state=0)
    expected = model.fit(x, y, X_val=held_x, y_val=held_y)._model.to_bytes()
    assert model.fit(x, y, X_val=sparse.csr_array(held_x), y_val=held_y.tolist())._model.to_bytes() == expected
    assert model.fit(x, y, X_val=held_x.astype(object), y_val=held_y)._model.to_bytes() == expected

    def frame(x, words):
        return pandas.DataFrame({"size": x[:, 0], "word": pandas.Categorical(
            np.where(x[:, 1] > 0, "high", "low"), categories=words)})

    train = frame(x, ["low", "high"])
    expected, given = (model.fit(train, y, X_val=frame(held_x, words), y_val=held_y)._model.to_bytes()
                       for words in (["low", "high"], ["high", "low"]))
    assert given == expected


def test_what_does_not_fit_is_refused():
    x, y = rows(8, 100)
    model = tandem_ml.GradientBoostingRegressor(n_estimators=5, early_stopping_rounds=2, random_state=0)
    with pytest.raises(ValueError, match="early_stopping_rounds needs validation rows: give X_val and y_val"):
        model.fit(x, y)
    with pytest.raises(ValueError, match="X_val and y_val"):
        model.fit(x, y, X_val=x)
    with pytest.raises(ValueError, match="X has 3 features"):
        model.fit(x, y, X_val=x[:, :3], y_val=y)
    with pytest.raises(ValueError, match="y_val has 5 values for"):
        model.fit(x, y, X_val=x, y_val=y[:5])
    with pytest.raises(ValueError, match="sample_weight_val has 2 values for"):
        model.fit(x, y, X_val=x, y_val=y, sample_weight_val=[1.0, 2.0])
    assert not hasattr(model, "n_features_in_")
    classifier = tandem_ml.GradientBoostingClassifier(n_estimators=5, random_state=0)
    with pytest.raises(ValueError, match="X_val: row 1: the training set has no row of this class"):
        classifier.fit(x, np.where(y > 1, "yes", "no"), X_val=x[:2], y_val=["never", "yes"])
