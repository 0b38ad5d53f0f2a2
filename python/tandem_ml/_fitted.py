"""What everything that is fitted does: a fit that is whole or does not happen, pickles, and what is
asked of the model once."""

import warnings

from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError

from . import _core


class HoldsModel(BaseEstimator):
    """Keeps what a fit has made as `_model`, and what was asked of it as `_cache`. A subclass has the
    fit itself, `_fit_or_fail`."""

    def _fit(self, *arguments):
        before = dict(self.__dict__)
        try:
            return self._fit_or_fail(*arguments)
        except BaseException:
            # Nothing is kept of a fit that was interrupted or refused.
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _fitted(self):
        model = self.__dict__.get("_model")
        if model is None:
            raise NotFittedError(f"This {type(self).__name__} instance is not fitted yet. Call 'fit' "
                                 "with appropriate arguments before using this estimator.")
        return model

    def __sklearn_is_fitted__(self):
        return "_model" in self.__dict__

    def __getstate__(self):
        state = super().__getstate__()
        state = dict(state)
        state.pop("_cache", None)
        state["_tandem_version"] = _core.version
        return state

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop("_tandem_version", None)
        if version != _core.version:
            warnings.warn(InconsistentVersionWarning(
                estimator_name=type(self).__name__, current_sklearn_version=_core.version,
                original_sklearn_version=str(version)), stacklevel=2)
        super().__setstate__(state)
        self._cache = {}

    def _cached(self, name, make):
        model = self.__dict__.get("_model")
        if model is None:
            raise AttributeError(f"{type(self).__name__} is not fitted yet")
        cache = self._cache
        if name not in cache:
            cache[name] = make(model)
        return cache[name]
