"""Figure of the best, the median and the worst sample, one above the other."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..datasets.schema import sample_numbers
from ..errors import SchemaError
from ..evaluation.scores import check_comparable
from ..metrics import Metric, Unit
from ..scene.grid import Grid
from .crystals import draw_bodies, draw_crystals, draw_outlines
from .fields import Flow, draw_field, draw_stream_lines
from .scores import typical_samples
from .style import ERROR, SEQUENTIAL, largest, length_unit, make_figure, styled, velocity_unit


@styled
def plot_gallery(
    reference: xr.Dataset,
    prediction: xr.Dataset,
    error: xr.DataArray,
    *,
    name: str = "prediction",
    reference_name: str = "reference",
) -> Figure:
    """Draw the samples with the smallest, the median and the largest error.

    All speeds are in one unit, and each row has a scale of its own.

    Parameters
    ----------
    reference, prediction
        Datasets of kind ``"solutions"`` with the same samples on the same grid.
    error
        A score on (sample), such as `crystalsim.evaluation.declarations.primary_errors` gives.
    name, reference_name
        Headings of the columns.

    Raises
    ------
    SchemaError
        If the datasets hold different samples, or no error is finite.
    """
    check_comparable(reference, prediction)
    order = [int(i) for i in np.argsort(error.values) if np.isfinite(error.values[i])]
    if error.dims != ("sample",) or error.size != reference.sizes["sample"] or not order:
        raise SchemaError(
            f"error '{error.name}' on {error.dims} of size {error.size}: expected values on "
            f"(sample) of size {reference.sizes['sample']}, some of them finite"
        )
    metric = Metric.from_attributes(error.attrs)
    figure = make_figure(9.9, 3, Grid.from_dataset(reference))
    grid = figure.subplots(3, 4, sharex=True, sharey=True)
    chosen = typical_samples(order)
    flows = [
        tuple(Flow.from_dataset(dataset, sample) for dataset in (reference, prediction))
        for sample in chosen.values()
    ]
    unit = velocity_unit(largest(*(true.speed for true, _ in flows)))
    for row, (true, guess), (rank, sample) in zip(grid, flows, chosen.items(), strict=True):
        _gallery_row(figure, row, true, guess, unit)
        length = length_unit(true.grid.width).label
        number = sample_numbers(reference)[sample]
        shown = f"{metric.text(float(error[sample]), '.2g')} {metric.unit.label}".strip()
        row[0].set_ylabel(f"{rank}: {shown}\n(sample {number})\n\nz [{length}]")
    for axes, title in zip(
        grid[0],
        ("crystals and stream lines", reference_name, name, "error [% of largest speed]"),
        strict=True,
    ):
        axes.set_title(title)
    for axes in grid[-1]:
        axes.set_xlabel(f"x [{length}]")
    figure.suptitle(f"Speed; rows by {metric.long_name}")
    return figure


def _gallery_row(
    figure: Figure, row: NDArray[np.object_], true: Flow, guess: Flow, unit: Unit
) -> None:
    """Crystals, both speeds on one scale, and the length of the error vector."""
    draw_stream_lines(row[0], true)
    draw_bodies(row[0], true)
    draw_crystals(row[0], true)
    top = largest(true.speed, guess.speed) / unit.size
    for axes, flow in zip(row[1:3], (true, guess), strict=True):
        mesh = draw_field(axes, true, flow.speed / unit.size, SEQUENTIAL, 0.0, top)
        draw_outlines(axes, true, "white")
    figure.colorbar(mesh, ax=list(row[1:3]), label=f"speed [{unit.label}]", aspect=16, pad=0.02)
    wrong = np.hypot(*(b - a for a, b in zip(true.centre, guess.centre, strict=True)))
    wrong *= 100 / largest(true.speed)
    mesh = draw_field(row[3], true, wrong, ERROR, 0.0, largest(wrong))
    draw_outlines(row[3], true)
    figure.colorbar(mesh, ax=row[3], label="%", aspect=16, pad=0.03)
