"""Error by wave number."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.fft import dct, dst

from crystalsim import Configured, Grid
from crystalsim.evaluation.scores import check_comparable, make_scores, ratio
from crystalsim.metrics import PERCENT, Metric, ScoreFigure
from crystalsim.options import NoOptions

from .flows import Velocity, velocity

Array = NDArray[np.float64]

METRICS = {
    "spectral_error": Metric(
        "error by wave number over the whole flow",
        "1",
        "root of the energy of v - v_ref in a band of wave numbers over the energy of v_ref in all "
        "bands; the squares of all bands add up to the square of relative_l2",
        "low",
        PERCENT,
    ),
    "spectral_error_relative": Metric(
        "error by wave number over the flow of that wave number",
        "1",
        "root of the energy of v - v_ref in a band of wave numbers over that of v_ref there",
        "low",
        PERCENT,
    ),
    "spectral_share": Metric(
        "share of the wave numbers in the flow",
        "1",
        "root of the energy of v_ref in a band of wave numbers over that in all bands",
        "none",
        PERCENT,
    ),
}

FIGURES = (
    ScoreFigure(
        "spectrum",
        "crystalsim_analysis.figures:plot_spectrum",
        "spectral_error",
        "Error by wave number, beside the share of the wave numbers in the flow.",
        order=60,
    ),
)


class SpectrumEvaluator(Configured[NoOptions]):
    """Error of the velocity by wave number.

    Free slip makes v_x a series of sines in x and cosines in z, and v_z one of cosines in x and
    sines in z; in these the energy on faces is a sum over modes (Parseval). Bands are an octave
    wide, from the longest half wave in the domain.
    """

    metrics = METRICS
    figures = FIGURES

    def evaluate(self, reference: xr.Dataset, prediction: xr.Dataset) -> xr.Dataset:
        """Score each sample; see `crystalsim.contracts.Evaluator`."""
        grid = check_comparable(reference, prediction)
        bands, centres = _bands(grid)
        count = reference.sizes["sample"]
        wrong, true = (np.zeros((count, centres.size)) for _ in range(2))
        for i in range(count):
            flow, guess = (velocity(dataset, i) for dataset in (reference, prediction))
            true[i] = _energy(flow, bands, centres.size)
            error = guess[0] - flow[0], guess[1] - flow[1]
            wrong[i] = _energy(error, bands, centres.size)
        total = true.sum(axis=1, keepdims=True)
        values = {
            "spectral_error": np.sqrt(ratio(wrong, total)),
            "spectral_error_relative": np.sqrt(ratio(wrong, true)),
            "spectral_share": np.sqrt(ratio(true, total)),
        }
        along = xr.DataArray(
            centres,
            dims="wave_number",
            attrs={"long_name": "wave number (cycles), middle of the octave", "units": "m-1"},
        )
        return make_scores(reference, values, METRICS, along=along, figures=FIGURES)


def _bands(grid: Grid) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], Array]:
    """Octave of each mode of v_x and v_z, and the middle of each octave in cycles [m-1]."""
    longest = 0.5 / max(grid.width, grid.height)
    shapes = (
        (np.arange(grid.nz), np.arange(1, grid.nx)),
        (np.arange(1, grid.nz), np.arange(grid.nx)),
    )
    octaves = []
    for in_z, in_x in shapes:
        wave = np.hypot(0.5 * in_x / grid.width, 0.5 * in_z[:, None] / grid.height)
        octaves.append(np.floor(np.log2(wave / longest) + 1e-9).astype(np.intp))
    count = int(max(o.max() for o in octaves)) + 1
    centres = longest * np.exp2(np.arange(count, dtype=np.float64) + 0.5)
    return (octaves[0], octaves[1]), centres


def _energy(flow: Velocity, bands: tuple[NDArray[np.intp], NDArray[np.intp]], count: int) -> Array:
    """Sum of squares over faces inside the walls, band by band."""
    energy = np.zeros(count)
    in_x = dst(dct(flow[0][:, 1:-1], 2, axis=0, norm="ortho"), 1, axis=1, norm="ortho")
    in_z = dct(dst(flow[1][1:-1], 1, axis=0, norm="ortho"), 2, axis=1, norm="ortho")
    for modes, band in zip((in_x, in_z), bands, strict=True):
        energy += np.bincount(band.ravel(), (modes**2).ravel(), count)
    return energy
