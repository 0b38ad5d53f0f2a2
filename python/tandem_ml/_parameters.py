"""The parameters of an estimator, made from what its algorithm says of its options.

Nothing here names an algorithm: an option that is declared in C++ (its ``visit()``) is a parameter
here, called as scikit-learn calls it where scikit-learn has it.
"""

import inspect
import numbers
import os

from .errors import InputError

# Of every estimator, after its algorithm's own.
COMMON = {
    "scale": "none",
    "random_state": None,
    "device": "cpu",
    "numerics": "exact",
    "n_jobs": None,
}

COMMON_HELP = {
    "random_state": (
        "int, RandomState, Generator or None, default=None",
        "seed of every random choice: an int is the program's --seed; a generator draws one once "
        "per fit; None draws one from NumPy's global generator. The seed is kept as `seed_`.",
    ),
    "device": (
        '{"cpu", "cuda", "softgpu", "reference"}, default="cpu"',
        "where the work runs.",
    ),
    "numerics": (
        '{"exact", "fast", "fast-tf32", "fast-bf16"}, default="exact"',
        "exact: the same bits on cpu and cuda, for any number of threads.",
    ),
    "n_jobs": (
        "int or None, default=None",
        "threads; None: all cores of the process, or OMP_NUM_THREADS where that is set; no result "
        "depends on it.",
    ),
}


class Parameter:
    """One option as a parameter."""

    def __init__(self, option, *, step=False):
        self.name = option["parameter"]
        self.option = option["name"]
        self.type = option["type"]
        self.help = option["help"]
        # "no_fit_intercept" is the parameter fit_intercept, the other way round.
        self.contrary = self.type == "flag" and self.name.startswith("no_")
        if self.contrary:
            self.name = self.name[len("no_"):]
        self.choices = option.get("choices")
        self.syntax = option.get("syntax")
        self.lowest = option.get("lowest")
        self.highest = option.get("highest")
        self.step = step
        self.default = not option["default"] if self.contrary else option["default"]

    def value(self, given):
        """What the option is set to; raises InputError for what is no value of its type."""
        if hasattr(given, "dtype") and getattr(given, "ndim", None) == 0:
            given = given.item()  # NumPy's scalars
        if given is None:
            return self._value_of_none()
        if self.type == "flag":
            if not isinstance(given, bool):
                raise self._refusal(given, "True or False")
            return not given if self.contrary else given
        if self.type == "integer":
            if isinstance(given, bool) or not isinstance(given, numbers.Real):
                raise self._refusal(given, "a whole number")
            if not isinstance(given, numbers.Integral):
                if given != int(given) if given == given and abs(given) < 2**63 else True:
                    raise self._refusal(given, "a whole number")
            return int(given)
        if self.type == "real":
            if isinstance(given, bool) or not isinstance(given, numbers.Real):
                raise self._refusal(given, "a number")
            return float(given)
        if self.type in ("integers", "reals"):
            kind = int if self.type == "integers" else float
            if isinstance(given, numbers.Real) and not isinstance(given, bool):
                given = [given]
            if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
                raise self._refusal(given, "numbers in a list, tuple or array")
            return [kind(one) for one in given]
        if self.type == "written":
            if isinstance(given, dict):  # class_weight
                return ",".join(f"{_class_text(key)}={float(weight)!r}" for key, weight in given.items())
            if isinstance(given, bool):
                raise self._refusal(given, self.syntax)
            if isinstance(given, numbers.Integral):
                return str(int(given))
            if isinstance(given, numbers.Real):
                return repr(float(given))  # with its point: 1.0 is a share, 1 a count
        if not isinstance(given, str):
            raise self._refusal(given, "a text" if not self.choices else " or ".join(self.choices))
        return given

    def _value_of_none(self):
        if self.type == "integer" and self.lowest <= 0 <= self.highest:
            return 0  # which means no limit, wherever None does
        if self.type == "written":
            return "none" if "none" in self.help else "all"
        if self.type == "choice" and "none" in self.choices:
            return "none"
        if self.type == "text":
            return ""
        if self.type in ("integers", "reals"):
            return []
        raise self._refusal(None, "a value")

    def _refusal(self, given, expected):
        return InputError(f"{self.name}: got {given!r}; expected {expected}")

    def describe(self):
        """(type, sentence) for a docstring."""
        kind = {
            "integer": "int",
            "real": "float",
            "flag": "bool",
            "integers": "sequence of int",
            "reals": "sequence of float",
            "text": "str",
            "written": "str, number, dict or None",
        }.get(self.type)
        if self.choices:
            kind = "{" + ", ".join(f'"{choice}"' for choice in self.choices) + "}"
        sentence = f"the contrary of: {self.help}" if self.contrary else self.help
        if self.type in ("integer", "real", "integers", "reals") and self.lowest is not None:
            low, high = _bound(self.lowest), _bound(self.highest)
            if low and high:
                sentence += f"; from {low} to {high}"
            elif low:
                sentence += f"; at least {low}"
        default = f'"{self.default}"' if isinstance(self.default, str) else repr(self.default)
        return f"{kind}, default={default}", sentence + "."


def _bound(value):
    # Bounds that are the end of a type say nothing.
    return "" if abs(value) >= 2**31 - 1 else f"{value:g}" if isinstance(value, float) else str(value)


def _class_text(key):
    from ._targets import class_text

    text = class_text(key)
    if "," in text:
        raise InputError(f"class_weight: the class {text!r} has a comma, which a list of weights "
                         "cannot hold; use sample_weight")
    return text


def parameters_of(description, leave_out=()):
    """The parameters of an algorithm by name, those of its pipeline's steps after its own."""
    parameters = {}
    for option in description["options"]:
        parameter = Parameter(option)
        if parameter.option not in leave_out:
            parameters[parameter.name] = parameter
    for option in description["steps"]:
        parameter = Parameter(option, step=True)
        if parameter.name in parameters:
            parameter.name = parameter.option.replace(".", "_").replace("-", "_")
        parameters[parameter.name] = parameter
    return parameters


def estimators_of(description):
    """(class, kind, task) of the estimators of an algorithm; kind is "classification", "regression",
    "clusterer" or "detector". Algorithms that say nothing of single rows have none."""
    name, kind, task = (description[key] for key in ("class_name", "kind", "task"))
    if kind in ("clusterer", "detector"):
        return [(name, kind, None)]
    if kind != "predictor":
        return []
    if task is not None:
        return [(name, task, None)]
    return [(name + "Classifier", "classification", "classification"),
            (name + "Regressor", "regression", "regression")]


def transform_class_name(description):
    """The class of a transform: "ScaleTransform" of "scale". None of one that has nothing to set, which
    is part of others, and of one of the target."""
    if not description["options"] or description["changes_target"]:
        return None
    return "".join(word.capitalize() for word in description["name"].split("-")) + "Transform"


def parameters_for(description, kind):
    """The parameters of one of its estimators, whose task is no parameter."""
    parameters = parameters_of(description, leave_out=("task",))
    if kind == "regression":
        return parameters
    # A transform of the target has nothing to transform.
    return {name: one for name, one in parameters.items() if not one.option.startswith("scale-target.")}


def ranking_parameters(parameters):
    """The names of those that may ask for a ranking."""
    return tuple(name for name, one in parameters.items()
                 if any(choice.startswith("rank-") for choice in one.choices or ()))


def mixin_of(parameters, kind):
    """What the fit of an estimator takes beside X, y and weights: the name of a class in `_base`, or
    None."""
    if "validation_fraction" not in parameters:
        return None
    return "WithQueries" if kind == "regression" and ranking_parameters(parameters) else "WithValidation"


def defaults_of(parameters, seeded):
    """Every parameter's default, by name."""
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    for name, default in COMMON.items():
        if name == "random_state" and not seeded:
            continue
        defaults[name] = default
    return defaults


def signature_of(defaults):
    """What __init__ takes: everything by name."""
    named = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for name, default in defaults.items():
        named.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default))
    return inspect.Signature(named)


def threads_of(n_jobs):
    """The engine's number of threads; 0 means all cores."""
    if n_jobs is None:
        # joblib's worker processes set it, so that they do not crowd each other out.
        text = os.environ.get("OMP_NUM_THREADS", "")
        return int(text) if text.isdigit() else 0
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral) or n_jobs == 0:
        raise InputError(f"n_jobs: got {n_jobs!r}; expected a whole number other than 0, or None")
    if n_jobs > 0:
        return min(int(n_jobs), 2**15)
    cores = len(os.sched_getaffinity(0))
    return max(1, cores + 1 + int(n_jobs))
