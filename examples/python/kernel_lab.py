# %% [markdown]
# # The kernel lab
# A CUDA program with a race, found without a GPU. The program `tandem` has to be on PATH, and an nvcc
# where it looks for one.

# %%
import pathlib

import tandem_ml

CUDA = pathlib.Path(__file__).resolve().parents[1] / "cuda"

# %%
try:
    found = tandem_ml.gpu.check(CUDA / "missing_barrier.cu", timeout=120)
except tandem_ml.errors.InputError as error:
    print("not run here:", error)
else:
    print(found)
    assert found.errors > 0 and any(one["kind"] == "race" for one in found.findings)

    counted = tandem_ml.gpu.run(CUDA / "saxpy.cu", count=True, timeout=120)
    print(counted)
    assert counted.returncode == 0 and counted.report["kernels"]
