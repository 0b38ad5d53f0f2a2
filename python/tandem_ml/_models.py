"""Model files."""

import os

import numpy as np

from . import _core, _targets
from ._base import TandemClassifier, TandemClusterer, TandemDetector, TandemRegressor


def load(path):
    """An estimator from a `.tandem` file, whoever wrote it: `tandem train --model` or `save`.

    Its parameters are those that the file records, and it predicts with the bits of the program.
    Raises InputError for a file that is no model of this version.
    """
    return estimator_of(_core.load_model(os.fspath(path)))


def from_onnx(path):
    """An estimator from an ONNX file that another program wrote: trees and ensembles of them, linear
    models and perceptrons, behind a scaling of the columns (docs/onnx.md lists what is read).

    Raises InputError that names the node for what is no such model.
    """
    return estimator_of(_core.import_onnx(os.fspath(path)))


def estimator_of(model):
    """The estimator around a model."""
    from . import estimators

    about = model.description()
    for cls in estimators().values():
        if cls._description["name"] == about["algorithm"] and _fits(cls, about["task"]):
            break
    else:
        raise NotImplementedError(f"a model of {about['algorithm']} is no estimator")
    estimator = cls()
    options = {**about["options"], **{name: value for name, value in about["steps"].items()}}
    for name, parameter in cls._parameters.items():
        if parameter.option in options:
            value = options[parameter.option]
            if isinstance(value, np.ndarray):
                value = tuple(value.tolist())
            estimator.__dict__[name] = not value if parameter.contrary else value
    estimator.device = about["device"]
    estimator.numerics = about["numerics"]
    if "random_state" in cls._defaults:
        estimator.random_state = about["seed"]
        estimator.seed_ = about["seed"]
    names = [name for name, _ in about["columns"]]
    estimator.n_features_in_ = len(names)
    if names != [f"x{j}" for j in range(len(names))]:
        estimator.feature_names_in_ = np.asarray(names, dtype=object)
    estimator._model = model
    estimator._cache = {}
    estimator._dtype = np.dtype(about["dtype"])
    training = model.training()
    if training["iterations"] > 0:
        estimator.n_iter_ = training["iterations"]
    if about["task"] == "classification":
        estimator.classes_ = _targets.classes_from_names(about["classes"])
    if about["task"] == "detection":
        estimator.offset_ = -estimator._threshold()
    return estimator


def _fits(cls, task):
    return issubclass(cls, {"classification": TandemClassifier, "regression": TandemRegressor,
                            "clustering": TandemClusterer, "detection": TandemDetector}[task])
