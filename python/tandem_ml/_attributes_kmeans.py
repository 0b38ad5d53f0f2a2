"""k-means: centres and inertia."""

ATTRIBUTES = {
    "cluster_centers_": lambda p: p["centres"],
    "inertia_": lambda p: p["inertia"],
}
