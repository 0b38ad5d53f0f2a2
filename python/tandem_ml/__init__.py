"""Tandem in Python: estimators with scikit-learn's habits, whose results have the same bits on the
CPU, on a GPU, for any number of threads and in the program `tandem`.

There is a class for each algorithm and each transform; `tandem_ml.estimators()` and
`tandem_ml.transformers()` have them by name. docs/python.md is the guide.
"""

import logging
import sys

from . import errors

# libtandem keeps threads and a log of its own, of which there is one in a process.
try:
    from . import _core
except ImportError as error:
    if "subinterpreter" in str(error):
        raise ImportError("tandem_ml cannot be imported in a sub-interpreter: it keeps one state for "
                          "the whole process; use another process") from error
    raise

_logger = logging.getLogger("tandem_ml")


def _log(level, message):
    _logger.log(level, "%s", message)


_core.set_log_sink(_log)

from . import gpu, plots  # noqa: E402
from ._agreement import agree  # noqa: E402
from ._base import progress  # noqa: E402
from ._classes import make_classes as _make_classes  # noqa: E402
from ._models import from_onnx, load  # noqa: E402
from ._transforms import make_transforms as _make_transforms  # noqa: E402

__version__ = _core.version

_estimators = _make_classes(__name__)
_transformers = _make_transforms(__name__)
globals().update(_estimators)
globals().update(_transformers)


def estimators():
    """The estimators' classes by name."""
    return dict(_estimators)


def transformers():
    """The transformers' classes by name."""
    return dict(_transformers)


__all__ = ["agree", "errors", "estimators", "from_onnx", "gpu", "load", "plots", "progress",
           "transformers", *_estimators, *_transformers]
