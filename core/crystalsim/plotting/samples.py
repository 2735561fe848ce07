"""Figures of samples: one in full, or the best, median and worst one above the other."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from ..datasets.schema import sample_numbers
from ..errors import SchemaError
from ..evaluation.scores import check_comparable
from ..metrics import Metric, Unit
from ..scene.grid import Grid
from ..stokes.crystal_motion import crystal_motion
from .fields import Flow, draw_crystals, draw_extrema, draw_field, draw_outlines, draw_stream_lines
from .style import (
    DIVERGING,
    ERROR,
    MODELS,
    SEQUENTIAL,
    largest,
    length_unit,
    light_grid,
    pressure_unit,
    styled,
    velocity_unit,
)

Array = NDArray[np.float64]
Layout = Literal["constrained", "compressed"]


def _make_figure(width: float, rows: int, grid: Grid, layout: Layout = "constrained") -> Figure:
    """Make a figure so wide [inch], with rows as tall as the domain's shape asks for."""
    tall = min(max(grid.height / grid.width, 0.6), 2.5)
    return Figure(figsize=(width, 0.18 * width * rows * tall + 0.6), layout=layout)


@styled
def plot_sample(
    reference: xr.Dataset,
    prediction: xr.Dataset | None = None,
    sample: int = 0,
    *,
    name: str = "prediction",
    reference_name: str = "reference",
) -> Figure:
    """Draw the flow of one sample, beside a prediction of it where there is one.

    Both flows share the colour scale of a row; errors are in per cent of the largest speed (or
    pressure) in the reference and share one scale. Stream lines are contours of the stream function
    at equal steps. Stars mark the minima of the vertical velocity, maxima for rising crystals.

    Parameters
    ----------
    reference
        Dataset of kind ``"solutions"``.
    prediction
        Another, with the same samples on the same grid.
    sample
        Position in the datasets.
    name, reference_name
        Headings of the columns.

    Raises
    ------
    SchemaError
        If there is no such sample, or the datasets hold different ones.
    """
    true = Flow.from_dataset(reference, sample)
    unit = velocity_unit(float(np.max(true.speed)))
    if prediction is None:
        figure = _alone(true, unit)
    else:
        picked = {"sample": [sample % reference.sizes["sample"]]}
        check_comparable(reference, prediction)
        guess = Flow.from_dataset(prediction, sample)
        rows = len(_rows(true, unit)) if guess.pressure is not None else 3
        figure = _make_figure(10.2, rows, true.grid)
        sides = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.2, 3.55), wspace=0.02)
        left, right = sides[0]
        crystals, motion = left.subplots(2, 1)
        _crystals(crystals, true)
        _label_axes(np.array([[crystals]]), true)
        _crystal_velocities(
            motion,
            {reference_name: reference.isel(picked), name: prediction.isel(picked)},
            unit,
        )
        _fields(right.subplots(rows, 3, sharex=True, sharey=True), true, guess, unit)
        for axes, title in zip(right.axes[:3], (reference_name, name, "error"), strict=True):
            axes.set_title(title)
    title = _title(reference, sample, true)
    if prediction is not None:
        title += f", {name} {100 * _misfit(true, guess):.2g} % off (relative L2 at cell centres)"
    figure.suptitle(title)
    return figure


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
    figure = _make_figure(9.9, 3, Grid.from_dataset(reference))
    grid = figure.subplots(3, 4, sharex=True, sharey=True)
    chosen = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
    for row, (rank, sample) in zip(grid, chosen.items(), strict=True):
        true, guess = (Flow.from_dataset(d, sample) for d in (reference, prediction))
        _gallery_row(figure, row, true, guess)
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


def _gallery_row(figure: Figure, row: NDArray[np.object_], true: Flow, guess: Flow) -> None:
    """Crystals, both speeds on one scale, and the length of the error vector."""
    unit = velocity_unit(float(np.max(true.speed)))
    draw_stream_lines(row[0], true)
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


def _alone(flow: Flow, unit: Unit) -> Figure:
    """Crystals with stream lines, both components, speed and pressure of one flow."""
    rows = _rows(flow, unit)
    columns = (len(rows) + 2) // 2
    figure = _make_figure(3.6 * columns, 2 if columns > 2 else 4, flow.grid, "compressed")
    if columns > 2:
        figure.set_figheight(1.5 * figure.get_figheight())
    panels = figure.subplots(2, columns, sharex=True, sharey=True)
    _crystals(panels[0, 0], flow)
    order = [panels[1, 0], panels[1, 1], panels[0, 1], panels[0, -1]]
    for axes, row in zip(order, rows, strict=False):
        top = largest(row.values) / row.unit.size
        colours, low = (DIVERGING, -top) if row.signed else (SEQUENTIAL, 0.0)
        mesh = draw_field(axes, flow, row.values / row.unit.size, colours, low, top)
        draw_outlines(axes, flow, "black" if row.signed else "white")
        if row.symbol == "$v_z$":
            draw_extrema(axes, flow)
        axes.set_title(row.label)
        figure.colorbar(mesh, ax=axes, label=row.unit.label, aspect=22, pad=0.02)
    if columns > 2:
        panels[1, 2].remove()
    _label_axes(panels, flow)
    return figure


class _Row(NamedTuple):
    """What a row of a figure shows: values in SI units, and whether they are signed."""

    label: str
    symbol: str
    values: Array
    signed: bool
    unit: Unit


def _rows(flow: Flow, unit: Unit) -> list[_Row]:
    rows = [
        _Row("horizontal velocity", "$v_x$", flow.velocity_x, True, unit),
        _Row("vertical velocity", "$v_z$", flow.velocity_z, True, unit),
        _Row("speed", "speed", flow.speed, False, unit),
    ]
    if flow.pressure is not None:
        # Inside stiff crystals pressure is viscosity times what is left of the strain rate: noise.
        crystals = binary_dilation(flow.phase > 0, np.ones((3, 3)))
        pressure = np.where(crystals, np.nan, flow.pressure)
        unit = pressure_unit(largest(pressure))
        rows.append(_Row("pressure of the magma", "p", pressure, True, unit))
    return rows


def _fields(panels: NDArray[np.object_], true: Flow, guess: Flow, unit: Unit) -> None:
    """Rows of components, speed and pressure, columns of both flows and their difference."""
    figure = panels[0, 0].figure
    pairs = list(zip(_rows(true, unit), _rows(guess, unit), strict=False))[: len(panels)]
    speed = largest(true.speed)
    errors = [
        100 * (b.values - a.values) / (largest(a.values) if a.symbol == "p" else speed)
        for a, b in pairs
    ]
    worst = largest(*errors)
    for row, (shown, guessed), error in zip(panels, pairs, errors, strict=True):
        size = shown.unit.size
        top = largest(shown.values, guessed.values) / size
        colours, low = (DIVERGING, -top) if shown.signed else (SEQUENTIAL, 0.0)
        for axes, flow, values in zip(
            row, (true, guess), (shown.values, guessed.values), strict=False
        ):
            mesh = draw_field(axes, true, values / size, colours, low, top)
            draw_outlines(axes, true, "black" if shown.signed else "white")
            if shown.symbol == "$v_z$":
                draw_extrema(axes, flow)
        draw_field(row[2], true, error, DIVERGING, -worst, worst)
        draw_outlines(row[2], true)
        label = f"{shown.symbol} [{shown.unit.label}]"
        figure.colorbar(mesh, ax=list(row[:2]), label=label, aspect=18, pad=0.02)
    of = "speed or pressure" if len(pairs) > 3 else "speed"
    figure.colorbar(
        ScalarMappable(Normalize(-worst, worst), DIVERGING),
        ax=list(panels[:, 2]),
        label=f"% of the largest {of} in the reference",
        aspect=50,
        pad=0.03,
    )
    _label_axes(panels, true)


def _label_axes(panels: NDArray[np.object_], flow: Flow) -> None:
    unit = length_unit(flow.grid.width).label
    for axes in panels[-1]:
        axes.set_xlabel(f"x [{unit}]")
    for axes in panels[:, 0]:
        axes.set_ylabel(f"z [{unit}]")


def _crystals(axes: Axes, flow: Flow) -> None:
    draw_stream_lines(axes, flow)
    draw_crystals(axes, flow)
    axes.set_title("crystals and stream lines")


def _crystal_velocities(axes: Axes, datasets: dict[str, xr.Dataset], unit: Unit) -> None:
    """Vertical velocity of each crystal in each of the datasets."""
    styles = (
        {"marker": "o", "color": "black", "markersize": 6},
        {"marker": "D", "markeredgecolor": MODELS[1], "markerfacecolor": "none", "markersize": 8},
    )
    for (label, dataset), style in zip(datasets.items(), styles, strict=True):
        velocity = crystal_motion(dataset)["crystal_velocity_z"].values[0] / unit.size
        numbers = np.arange(velocity.size)  # crystals and samples are counted from 0 everywhere
        axes.plot(numbers, velocity, linestyle="none", label=label, **style)  # type: ignore[arg-type]
    count = max(1, int(next(iter(datasets.values()))["crystal_count"].values[0]))
    axes.set(
        title="crystals' vertical velocity",
        xlabel="crystal",
        ylabel=unit.label,
        xlim=(-0.6, count - 0.4),
        xticks=np.arange(0, count, -(-count // 10)),
    )
    # From zero: a difference of a thousandth should look like one.
    axes.axhline(0.0, color="0.5", lw=0.8)
    axes.margins(y=0.1)
    light_grid(axes)
    axes.figure.legend(loc="outside lower center", ncols=2, columnspacing=1.0)


def _misfit(true: Flow, guess: Flow) -> float:
    """Relative L2 error of the velocity at cell centres."""
    error = np.stack(guess.centre) - np.stack(true.centre)
    return float(np.linalg.norm(error) / (np.linalg.norm(true.speed) or np.nan))


def _title(dataset: xr.Dataset, sample: int, flow: Flow) -> str:
    number = sample_numbers(dataset)[sample]
    count = flow.case.x.size
    return (
        f"Sample {number}: {count} crystal{'s' if count != 1 else ''}, "
        f"{flow.grid.nx} x {flow.grid.nz} cells"
    )
