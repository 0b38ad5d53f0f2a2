"""What scikit-learn calls the things that models have learned. An algorithm that is not named here
has them under the names of its model file, in `parameters_`."""


def _layers(name):
    def get(parameters):
        return [parameters[f"layer/{k}/{name}"] for k in range(_layer_count(parameters))]

    return get


def _layer_count(parameters):
    return sum(1 for key in parameters if key.startswith("layer/") and key.endswith("/weights"))


ATTRIBUTES = {
    "kmeans": {
        "cluster_centers_": lambda p: p["centres"],
        "inertia_": lambda p: p["inertia"],
    },
    "linear-regression": {
        "coef_": lambda p: p["weights"],
        "intercept_": lambda p: p["intercept"],
        "rank_": lambda p: p["rank"],
    },
    "logistic-regression": {
        "coef_": lambda p: p["weights"],
        "intercept_": lambda p: p["intercepts"],
    },
    "mlp": {
        "coefs_": _layers("weights"),
        "intercepts_": _layers("bias"),
        "n_layers_": lambda p: _layer_count(p) + 1,
    },
}


def add_attributes(members, algorithm):
    """Properties of the learned things into the members of a class."""
    for name, get in ATTRIBUTES.get(algorithm, {}).items():

        def read(self, name=name, get=get):
            return self._cached(name, lambda model: get(self.parameters_))

        members[name] = property(read, doc=f"{name}: see scikit-learn's estimator of this kind.")
