"""Sine and cosine transforms, by whichever library there is."""

import numpy as np
import pytest
import scipy.fft

from crystalsim.stokes import transforms

SHAPES = [(3, 20, 31), (2, 63, 63), (2, 100, 127)]


@pytest.fixture(params=["SciPy", "ducc0"])
def library(request, monkeypatch):
    if request.param == "SciPy":
        monkeypatch.setattr(transforms, "_ducc", None)
    else:
        pytest.importorskip("ducc0")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_they_are_those_of_scipy(library, shape, dtype, bound):
    values = np.random.default_rng(0).standard_normal(shape)
    kept = values.astype(dtype)
    for found, expected in (
        (transforms.sine(kept), scipy.fft.dstn(values, type=1, axes=(1, 2))),
        (transforms.sine(kept, (-1,)), scipy.fft.dst(values, type=1, axis=2)),
        (transforms.sine(kept, (-2,)), scipy.fft.dst(values, type=1, axis=1)),
        (transforms.cosine(kept), scipy.fft.dctn(values, type=2, axes=(1, 2))),
        (transforms.cosine(kept, back=True), scipy.fft.dctn(values, type=3, axes=(1, 2))),
    ):
        assert found.dtype == dtype
        assert np.abs(found - expected).max() < bound * np.abs(expected).max()
    assert np.array_equal(kept, values.astype(dtype))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_field_does_not_see_the_others(library, shape, dtype):
    values = np.random.default_rng(1).standard_normal(shape).astype(dtype)
    for transform in (transforms.sine, transforms.cosine):
        together = transform(values)
        for k in range(shape[0]):
            assert np.array_equal(transform(values[k]), together[k])
            assert np.array_equal(transform(values[k : k + 1])[0], together[k])


def test_overwriting_gives_the_same(library):
    values = np.random.default_rng(2).standard_normal((2, 40, 30))
    expected = transforms.sine(values)
    assert np.array_equal(transforms.sine(values.copy(), overwrite=True), expected)
