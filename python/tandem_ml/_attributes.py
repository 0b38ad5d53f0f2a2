"""What scikit-learn calls the things that models have learned: `_attributes_<stem>.py` says it of the
algorithm with that stem, `ATTRIBUTES` by name. An algorithm without such a file has them under the
names of its model file, in `parameters_`."""

import importlib
import importlib.util


def attributes_of(algorithm):
    """name: function of `parameters_`."""
    module = f"{__package__}._attributes_{algorithm.replace('-', '_')}"
    if importlib.util.find_spec(module) is None:
        return {}
    return importlib.import_module(module).ATTRIBUTES


def add_attributes(members, algorithm):
    """Properties of the learned things into the members of a class."""
    for name, get in attributes_of(algorithm).items():

        def read(self, name=name, get=get):
            return self._cached(name, lambda model: get(self.parameters_))

        members[name] = property(read, doc=f"{name}: see scikit-learn's estimator of this kind.")
