"""Perceptrons: the layers."""


def _layers(name):
    def get(parameters):
        return [parameters[f"layer/{k}/{name}"] for k in range(_layer_count(parameters))]

    return get


def _layer_count(parameters):
    return sum(1 for key in parameters if key.startswith("layer/") and key.endswith("/weights"))


ATTRIBUTES = {
    "coefs_": _layers("weights"),
    "intercepts_": _layers("bias"),
    "n_layers_": lambda p: _layer_count(p) + 1,
}
