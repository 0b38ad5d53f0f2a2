"""The estimators, a class per algorithm that libtandem has, or two where it does both of classes and
values. There is no list of them: an algorithm added in C++ is here when the module is built."""

from . import _base, _core
from ._attributes import add_attributes
from ._base import TandemClassifier, TandemClusterer, TandemDetector, TandemRegressor
from ._parameters import (
    COMMON_HELP,
    defaults_of,
    estimators_of,
    mixin_of,
    parameters_for,
    ranking_parameters,
    signature_of,
)

# By what an algorithm says of a row.
BASES = {
    "classification": TandemClassifier,
    "regression": TandemRegressor,
    "clusterer": TandemClusterer,
    "detector": TandemDetector,
}


def make_classes(module):
    """The classes by name; `module` is where they will be found."""
    classes = {}
    for name in _core.algorithm_names():
        description = _core.describe_algorithm(name)
        for class_name, kind, task in estimators_of(description):
            classes[class_name] = _make(module, description, class_name, kind, task)
    return classes


def _make(module, description, name, kind, task):
    base = BASES[kind]
    parameters = parameters_for(description, kind)
    defaults = defaults_of(parameters, description["seeded"])

    def __init__(self, **given):
        if given:
            for key in given:
                if key not in defaults:
                    raise TypeError(f"{name}.__init__() got an unexpected keyword argument '{key}'")
            self.__dict__.update(defaults)
            self.__dict__.update(given)
        else:
            self.__dict__.update(defaults)

    __init__.__signature__ = signature_of(defaults)
    __init__.__qualname__ = f"{name}.__init__"
    spec = _core.Spec(description["name"])
    spec.set("scale.method", "none")
    if task is not None:
        spec.set("predictor.task", task)
    members = {
        "__init__": __init__,
        "__doc__": docstring(description, parameters, base, defaults),
        "__module__": module,
        "_description": description,
        "_parameters": parameters,
        "_defaults": defaults,
        "_plain_spec": spec,
    }
    add_attributes(members, description["name"])
    mixin = mixin_of(parameters, kind)
    if mixin is None:
        return type(name, (base,), members)
    members["_rankings"] = ranking_parameters(parameters)
    return type(name, (getattr(_base, mixin), base), members)


def docstring(description, parameters, base, defaults):
    """In numpydoc's form, of the options' help."""
    lines = [_sentence(description["summary"]), "", "Parameters", "----------"]
    for name in defaults:
        if name in parameters:
            kind, sentence = parameters[name].describe()
            if name == "scale":
                kind = kind.rpartition("default=")[0] + 'default="none"'
        else:
            kind, sentence = COMMON_HELP[name]
        lines += [f"{name} : {kind}", f"    {_sentence(sentence)}"]
    lines += ["", "Attributes", "----------"]
    if base is TandemClassifier:
        lines += ["classes_ : ndarray", "    The classes, as NumPy sorts them."]
    if base is TandemClusterer:
        lines += ["labels_ : ndarray", "    The clusters of the training rows."]
    lines += [
        "n_features_in_ : int", "    Columns of X.",
        "feature_names_in_ : ndarray", "    Their names, where X had them.",
        "parameters_ : dict", "    What was learned, by the names of the model file.",
        "history_ : dict", "    Series by name, one entry per iteration.",
        "n_iter_ : int", "    Iterations, where there are any.",
        "seed_ : int", "    The seed of the fit.",
    ]
    return "\n".join(lines)


def _sentence(text):
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."
