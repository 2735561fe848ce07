"""Figures of one sample: its scene, its flow, and a prediction beside it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, FigureBase
from numpy.typing import NDArray

from ..evaluation.scores import check_comparable
from ..metrics import Unit
from ..stokes.crystal_motion import crystal_motion
from .crystals import (
    cell_diagonal,
    draw_bodies,
    draw_crystals,
    draw_extrema,
    draw_outlines,
    hide_crystals,
)
from .fields import Flow, draw_field, draw_stream_lines, heading, label_axes
from .media import draw_medium, media_of
from .style import (
    DIVERGING,
    MODELS,
    SEQUENTIAL,
    largest,
    light_grid,
    make_figure,
    note,
    pressure_unit,
    styled,
    velocity_unit,
)

Array = NDArray[np.float64]


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
    at equal steps. Stars mark the minima of the vertical velocity at crystals, maxima for
    rising ones. Media on the grid are drawn by lines halfway between their extremes.

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
    picked = {"sample": [sample % reference.sizes["sample"]]}
    unit = velocity_unit(float(np.max(true.speed)))
    if prediction is None:
        figure = _alone(reference.isel(picked), true, unit)
    else:
        check_comparable(reference, prediction)
        guess = Flow.from_dataset(prediction, sample)
        rows = len(_rows(true, unit)) if guess.pressure is not None else 3
        figure = make_figure(10.2, rows, true.grid)
        sides = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.2, 3.55), wspace=0.02)
        left, right = sides[0]
        crystals, motion = left.subplots(2, 1)
        _scene(crystals, true)
        draw_stream_lines(crystals, true)
        label_axes(np.array([[crystals]]), true)
        _crystal_velocities(
            motion,
            {reference_name: reference.isel(picked), name: prediction.isel(picked)},
            unit,
        )
        if true.case.x.size:
            left.legend(loc="outside lower center", ncols=2, columnspacing=1.0)
        _fields(right.subplots(rows, 3, sharex=True, sharey=True), true, guess, unit)
        for axes, title in zip(right.axes[:3], (reference_name, name, "error"), strict=True):
            axes.set_title(title)
    title = heading(reference, sample, true)
    if prediction is not None:
        title += f", {name} {100 * _misfit(true, guess):.2g} % off (relative L2 at cell centres)"
    figure.suptitle(title)
    return figure


def _alone(dataset: xr.Dataset, flow: Flow, unit: Unit) -> Figure:
    """Crystals with stream lines, components, speed, pressure and motion of crystals."""
    rows = _rows(flow, unit)
    columns = (len(rows) + 2) // 2
    figure = make_figure(3.6 * columns, 2 if columns > 2 else 4, flow.grid, "compressed")
    if columns > 2:
        figure.set_figheight(1.42 * figure.get_figheight())
    panels = figure.subplots(2, columns)
    _scene(panels[0, 0], flow)
    draw_stream_lines(panels[0, 0], flow)
    order = [panels[1, 0], panels[1, 1], panels[0, 1], panels[0, -1]]
    stars = 0
    for axes, row in zip(order, rows, strict=False):
        top = largest(row.values) / row.unit.size
        colours, low = (DIVERGING, -top) if row.signed else (SEQUENTIAL, 0.0)
        mesh = draw_field(axes, flow, row.values / row.unit.size, colours, low, top)
        _finish(axes, flow, row)
        stars += draw_extrema(axes, flow) if row.symbol == "$v_z$" else 0
        axes.set_title(row.label)
        label = f"{row.symbol} [{row.unit.label}]"
        figure.colorbar(mesh, ax=axes, label=label, aspect=22, pad=0.02)
    if columns > 2:
        # In the place that five panels leave of two rows.
        if flow.case.x.size:
            _crystal_velocities(panels[1, 2], {"solution": dataset}, unit)
            panels[1, 2].set_box_aspect(flow.grid.height / flow.grid.width)
        elif media := media_of(flow):
            draw_medium(panels[1, 2], flow, *media[0])
        else:
            panels[1, 2].set_axis_off()
    label_axes(panels[:, :2] if flow.case.x.size else panels, flow)
    for axes in panels[:, 1:].ravel():
        axes.tick_params(labelleft=axes is panels[1, -1] and bool(flow.case.x.size))
    for axes in panels[0]:
        axes.tick_params(labelbottom=False)
    _explain(figure, flow, stars, flow.pressure is not None)
    return figure


def _finish(axes: Axes, flow: Flow, row: _Row) -> None:
    """Outlines over a field; pressure is hidden where it means nothing."""
    if row.symbol == "p":
        hide_crystals(axes, flow)
    draw_outlines(axes, flow, "black" if row.signed else "white")


def _explain(figure: FigureBase, flow: Flow, stars: int, pressure: bool) -> None:
    """Say below the panels what is not said by axes."""
    said = []
    if stars:
        rising, count = int((flow.case.density_contrast < 0).sum()), flow.case.x.size
        extrema = "maxima" if rising == count else "minima or maxima" if rising else "minima"
        said.append(f"stars: {extrema} of $v_z$ at crystals")
    if pressure and flow.case.x.size:
        said.append("white: no pressure shown in and at crystals")
    if flow.viscosity is not None:
        said.append("solid line: viscosity halfway between its extremes")
    if flow.density is not None:
        said.append("dashed line: density halfway")
    if said:
        note(figure, "; ".join(said))


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
        pressure = np.where(_cut(flow), np.nan, flow.pressure)
        unit = pressure_unit(largest(pressure))
        name = "pressure of the magma" if flow.case.x.size else "pressure"
        rows.append(_Row(name, "p", pressure, True, unit))
    return rows


def _cut(flow: Flow) -> NDArray[np.bool_]:
    """Cells (z, x) within crystals or cut by them."""
    mask = np.zeros((flow.grid.nz, flow.grid.nx), dtype=bool)
    reach = 0.5 * cell_diagonal(flow.grid)
    for x, z, radius in zip(flow.case.x, flow.case.z, flow.case.radius, strict=True):
        mask |= np.hypot(flow.grid.x - x, flow.grid.z[:, None] - z) < radius + reach
    return mask


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
    stars = 0
    for row, (shown, guessed), error in zip(panels, pairs, errors, strict=True):
        size = shown.unit.size
        top = largest(shown.values, guessed.values) / size
        colours, low = (DIVERGING, -top) if shown.signed else (SEQUENTIAL, 0.0)
        for axes, flow, values in zip(
            row, (true, guess), (shown.values, guessed.values), strict=False
        ):
            mesh = draw_field(axes, true, values / size, colours, low, top)
            _finish(axes, true, shown)
            stars += draw_extrema(axes, flow) if shown.symbol == "$v_z$" else 0
        draw_field(row[2], true, error, DIVERGING, -worst, worst)
        _finish(row[2], true, shown._replace(signed=True))
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
    label_axes(panels, true)
    _explain(figure, true, stars, len(pairs) > 3)


def _scene(axes: Axes, flow: Flow) -> None:
    """Crystals in colours, and bodies that are given on the grid."""
    draw_bodies(axes, flow)
    draw_crystals(axes, flow)
    bodies = flow.viscosity is not None or flow.density is not None
    shown = "bodies" if bodies and not flow.case.x.size else "crystals"
    axes.set_title(f"{shown} and stream lines")


def _crystal_velocities(axes: Axes, datasets: dict[str, xr.Dataset], unit: Unit) -> None:
    """Vertical velocity of each crystal in each of the datasets; nothing where there are none."""
    count = int(next(iter(datasets.values()))["crystal_count"].values[0])
    if not count:
        axes.remove()
        return
    styles = (
        {"marker": "o", "color": "black", "markersize": 6},
        {"marker": "D", "markeredgecolor": MODELS[1], "markerfacecolor": "none", "markersize": 8},
    )
    for (label, dataset), style in zip(datasets.items(), styles, strict=False):
        velocity = crystal_motion(dataset)["crystal_velocity_z"].values[0] / unit.size
        numbers = np.arange(velocity.size)
        axes.plot(numbers, velocity, linestyle="none", label=label, **style)  # type: ignore[arg-type]
    axes.set(
        title="crystals' vertical velocity",
        xlabel="crystal",
        ylabel=f"$v_z$ [{unit.label}]",
        xlim=(-0.6, count - 0.4),
        xticks=np.arange(0, count, -(-count // 10)),
    )
    # From zero: a difference of a thousandth should look like one.
    axes.axhline(0.0, color="0.5", lw=0.8)
    axes.margins(y=0.1)
    light_grid(axes)


def _misfit(true: Flow, guess: Flow) -> float:
    """Relative L2 error of the velocity at cell centres."""
    error = np.stack(guess.centre) - np.stack(true.centre)
    return float(np.linalg.norm(error) / (np.linalg.norm(true.speed) or np.nan))
