"""The kernel lab from Python, on one of the examples."""

import pathlib

import pytest

import tandem_ml

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "cuda" / "matmul.cu"

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
