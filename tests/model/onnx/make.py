#!/usr/bin/env python3
"""Makes the ONNX files of this folder, by the converters of other programs, and what onnxruntime says of
rows: NAME.onnx and NAME.csv, whose last columns are the model's output.

    pip install skl2onnx onnxmltools onnxruntime scikit-learn xgboost lightgbm
    python3 tests/model/onnx/make.py
"""

import pathlib

import lightgbm
import numpy as np
import onnxmltools
import onnxruntime
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn import ensemble, linear_model, neural_network, pipeline, preprocessing, tree

HERE = pathlib.Path(__file__).parent
RNG = np.random.default_rng(7)
X = np.round(RNG.normal(size=(200, 3)) * [1, 10, 0.1] + [0, 5, 2], 3).astype(np.float32)
SCORE = X[:, 0] + np.sin(X[:, 1]) - 20 * (X[:, 2] - 2)
TWO = (SCORE > 0).astype(int)
THREE = np.array(["low", "mid", "high"])[np.digitize(SCORE, [-1, 1])]
VALUE = SCORE.astype(np.float32)
ROWS = X[:40].copy()
HOLES = ROWS.copy()
HOLES[RNG.random(HOLES.shape) < 0.2] = np.nan


def keep(name, model, rows):
    model = model.SerializeToString()
    (HERE / f"{name}.onnx").write_bytes(model)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    made = session.run(None, {session.get_inputs()[0].name: rows})[-1]
    if isinstance(made, list):
        made = np.array([list(row.values()) for row in made])
    made = np.asarray(made).reshape(len(rows), -1)
    head = [f"x{j}" for j in range(rows.shape[1])] + [f"y{j}" for j in range(made.shape[1])]
    np.savetxt(HERE / f"{name}.csv", np.hstack([rows, made]), fmt="%.9g", delimiter=",",
               header=",".join(head), comments="")


def scikit_learn(name, model, target, rows=ROWS):
    keep(name, to_onnx(model.fit(X, target), X[:1]), rows)


def tools(name, convert, model, target):
    keep(name, convert(model.fit(X, target), initial_types=[("X", FloatTensorType([None, 3]))]), HOLES)


def scaled(model):
    return pipeline.make_pipeline(preprocessing.StandardScaler(), model)


scikit_learn("linear", linear_model.LinearRegression(), VALUE)
scikit_learn("logistic_two", linear_model.LogisticRegression(max_iter=1000), TWO)
scikit_learn("logistic_three", scaled(linear_model.LogisticRegression(max_iter=1000)), THREE)
scikit_learn("perceptron_two", scaled(neural_network.MLPClassifier((5,), activation="tanh", random_state=1)), TWO)
scikit_learn("perceptron_three", neural_network.MLPClassifier((6, 4), random_state=1), THREE)
scikit_learn("perceptron_value", neural_network.MLPRegressor(
    hidden_layer_sizes=(6,), activation="logistic", random_state=1), VALUE)
scikit_learn("tree", tree.DecisionTreeRegressor(max_depth=4), VALUE)
scikit_learn("forest_two", ensemble.RandomForestClassifier(7, max_depth=4, random_state=1), TWO)
scikit_learn("forest_three", ensemble.ExtraTreesClassifier(5, max_depth=4, random_state=1), THREE)
scikit_learn("boosting_three", ensemble.GradientBoostingClassifier(n_estimators=4, random_state=1), THREE)
SMALL = {"n_estimators": 4, "max_depth": 3}
tools("xgboost_two", onnxmltools.convert_xgboost, xgboost.XGBClassifier(**SMALL), TWO)
tools("xgboost_value", onnxmltools.convert_xgboost, xgboost.XGBRegressor(**SMALL), VALUE)
tools("lightgbm_two", onnxmltools.convert_lightgbm, lightgbm.LGBMClassifier(**SMALL, verbose=-1), TWO)
tools("lightgbm_value", onnxmltools.convert_lightgbm, lightgbm.LGBMRegressor(**SMALL, verbose=-1), VALUE)
tools("xgboost_counts", onnxmltools.convert_xgboost,
      xgboost.XGBRegressor(**SMALL, objective="count:poisson"), np.digitize(SCORE, [-1, 1]))
