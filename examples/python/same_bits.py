# %% [markdown]
# # CPU versus GPU
# The same fit on each engine, and the bits that differ: none between `cpu` and a GPU. The software GPU
# stands in where there is no real one.

# %%
import numpy as np

import tandem_ml

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5)).astype(np.float32)
y = X @ np.array([1, -2, 0.5, 0, 3], dtype=np.float32)

# %%
result = tandem_ml.agree(tandem_ml.LinearRegression(random_state=0), X, y)
print(result)
assert result.same_bits

# %%
result = tandem_ml.agree(tandem_ml.KMeans(n_clusters=4, n_init=2, random_state=0), X)
print(result)
assert result.same_bits

# %% [markdown]
# Threads change nothing either.

# %%
models = [tandem_ml.GradientBoostingRegressor(n_estimators=20, random_state=0, n_jobs=jobs).fit(X, y)
          for jobs in (1, 2)]
assert np.array_equal(models[0].predict(X), models[1].predict(X))
