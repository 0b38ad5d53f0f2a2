"""The kernel lab from Python, on one of the examples."""

import pathlib
import subprocess
import sys

import pytest

import tandem_ml

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "cuda" / "matmul.cu"


def test_the_software_gpu_is_loaded_into_a_process_that_has_loaded_much():
    """What it keeps for a thread fits into what the C library has left when scikit-learn's libraries are
    there; and it computes what the CPU does."""
    program = """
import numpy as np, scipy.linalg, sklearn.ensemble, tandem_ml
x = np.random.default_rng(0).normal(size=(300, 5))
fits = [tandem_ml.KMeans(n_clusters=4, random_state=1, device=device).fit(x) for device in ("cpu", "softgpu")]
assert np.array_equal(fits[0].cluster_centers_, fits[1].cluster_centers_)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    if "DeviceError" in done.stderr and ("no CUDA half" in done.stderr or "neither in" in done.stderr):
        pytest.skip("the CUDA half and the software GPU are not built")
    assert done.returncode == 0, done.stderr


def test_a_profile_counts_and_estimates():
    try:
        profile = tandem_ml.gpu.profile(SOURCE, device="h100")
    except tandem_ml.errors.InputError as error:
        if "nvcc" not in str(error):
            raise
        pytest.skip("there is no nvcc to compile the example with")
    assert profile.returncode == 0, profile.stderr
    frame = profile.to_frame()
    assert len(frame) == len(profile.kernels) > 0
    assert (frame["estimated_seconds"] > 0).all()
    counted = tandem_ml.gpu.profile(SOURCE)
    assert "estimate" not in counted.kernels[0]
    with pytest.raises(tandem_ml.errors.InputError, match="rtx5090"):
        tandem_ml.gpu.profile(SOURCE, device="rtx5090")
