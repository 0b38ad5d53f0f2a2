# %% [markdown]
# # A model elsewhere: ONNX
# The whole pipeline, with its missing values and scaling, run by onnxruntime.

# %%
import numpy as np

import tandem_ml

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 4))
X[rng.random(X.shape) < 0.05] = np.nan
y = np.where(np.nansum(X, axis=1) > 0, "up", "down")
model = tandem_ml.GradientBoostingClassifier(n_estimators=30, random_state=0).fit(X, y)

# %%
try:
    import onnxruntime
except ImportError:
    print("onnxruntime is not installed; the model is written all the same:", len(model.to_onnx()), "bytes")
else:
    session = onnxruntime.InferenceSession(model.to_onnx())
    label, probabilities = session.run(None, {"X": X})
    print("largest difference of a probability:", np.abs(probabilities - model.predict_proba(X)).max())
    assert np.array_equal(label, model.predict(X))
