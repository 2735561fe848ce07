"""Figure of a sample before it is solved."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .crystals import draw_crystals
from .fields import Scene, heading, label_axes
from .media import draw_medium, media_of
from .style import make_figure, styled

Array = NDArray[np.float64]


@styled
def plot_cases(cases: xr.Dataset, sample: int = 0) -> Figure:
    """Draw the crystals of one sample, and the media that are given on the grid.

    Parameters
    ----------
    cases
        Dataset of kind ``"cases"`` or ``"solutions"``.
    sample
        Position in the dataset.

    Raises
    ------
    SchemaError
        If there is no such sample.
    """
    scene = Scene.from_dataset(cases, sample)
    media = media_of(scene)
    columns = max(1, len(media))
    figure = make_figure(4.6 * columns, 1, scene.grid, "compressed")
    figure.set_figheight(0.8 + 4.0 * min(max(scene.grid.height / scene.grid.width, 0.4), 2.0))
    panels = figure.subplots(1, columns, sharex=True, sharey=True, squeeze=False)
    for axes, medium in zip(panels[0], media, strict=False):
        draw_medium(axes, scene, *medium)
    for axes in panels[0]:
        draw_crystals(axes, scene)
    label_axes(panels, scene)
    figure.suptitle(heading(cases, sample, scene))
    return figure
