"""Logistic regression: weights."""

ATTRIBUTES = {
    "coef_": lambda p: p["weights"],
    "intercept_": lambda p: p["intercepts"],
}
