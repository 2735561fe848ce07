"""Pictures of one sample: crystals, velocity, prediction and error."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from ..cases import Case, iterate_cases
from .style import DIVERGING, ERROR, FONTS, SEQUENTIAL, crystal_colours, new_figure, velocity_unit

Array = NDArray[np.float64]


def plot_sample(
    reference: xr.Dataset,
    prediction: xr.Dataset | None = None,
    sample: int = 0,
    *,
    name: str = "prediction",
) -> Figure:
    """Draw the flow of one sample, and beside it a prediction and its error.

    Parameters
    ----------
    reference, prediction
        Datasets of kind ``"solutions"`` with the same samples.
    sample
        Position along ``sample``.
    name
        What to call the prediction.

    Returns
    -------
    matplotlib.figure.Figure
        Crystals and stream lines; both velocity components and speed, on the same scale for
        reference and prediction; the error on a scale of its own.
    """
    with matplotlib.rc_context(FONTS):
        return _plot_sample(reference, prediction, sample, name)


def _plot_sample(
    reference: xr.Dataset, prediction: xr.Dataset | None, sample: int, name: str
) -> Figure:
    true = reference.isel(sample=slice(sample, sample + 1))
    flows = {"reference": centre_velocity(true)}
    if prediction is not None:
        guess = prediction.isel(sample=slice(sample, sample + 1))
        flows[name] = centre_velocity(guess)
    factor, unit = velocity_unit(float(np.hypot(*flows["reference"]).max()))
    flows = {label: factor * flow for label, flow in flows.items()}
    x, z = true["x"].values / 1000, true["z"].values / 1000
    case = next(iterate_cases(true))
    rows = len(flows) + (prediction is not None)
    aspect = (z[-1] - z[0]) / (x[-1] - x[0])
    figure = new_figure(10.5, 0.5 + 2.15 * rows * min(max(aspect, 0.4), 2.0))
    axes = figure.subplots(rows, 4, sharex=True, sharey=True, squeeze=False)
    limits = [float(np.abs(component).max()) or 1.0 for component in flows["reference"]]
    fastest = float(np.hypot(*flows["reference"]).max()) or 1.0
    for row, (label, flow) in zip(axes, flows.items(), strict=False):
        _draw_crystals(row[0], x, z, flow, case)
        row[0].set_title(f"{label}")
        panels = [
            (flow[0], "$v_x$", DIVERGING, (-limits[0], limits[0])),
            (flow[1], "$v_z$", DIVERGING, (-limits[1], limits[1])),
            (np.hypot(*flow), "speed", SEQUENTIAL, (0.0, fastest)),
        ]
        for axis, (values, title, colours, bounds) in zip(row[1:], panels, strict=True):
            image = _draw_field(axis, x, z, values, colours, bounds, case)
            axis.set_title(f"{label}: {title}")
            figure.colorbar(image, ax=axis, label=unit, shrink=0.85)
    if prediction is not None:
        _draw_errors(figure, axes[-1], x, z, flows["reference"], flows[name], unit, case)
    for axis in axes[-1]:
        axis.set_xlabel("x [km]")
    for axis in axes[:, 0]:
        axis.set_ylabel("z [km]")
    number = int(true["sample"].values[0]) if "sample" in true.coords else sample
    figure.suptitle(f"sample {number}, {case.x.size} crystals, {x.size} x {z.size} cells")
    return figure


def centre_velocity(solution: xr.Dataset) -> Array:
    """Velocity of the first sample at cell centres (component, z, x) [m s-1]."""
    vx, vz = solution["velocity_x"].values[0], solution["velocity_z"].values[0]
    return np.stack([0.5 * (vx[:, 1:] + vx[:, :-1]), 0.5 * (vz[1:] + vz[:-1])]).astype(float)


def _draw_field(
    axis: Axes,
    x: Array,
    z: Array,
    values: Array,
    colours: Any,
    bounds: tuple[float, float],
    case: Case,
) -> Any:
    image = axis.pcolormesh(
        x, z, values, cmap=colours, vmin=bounds[0], vmax=bounds[1], shading="nearest",
        rasterized=True,
    )  # fmt: skip
    for cx, cz, radius in zip(case.x, case.z, case.radius, strict=True):
        axis.add_patch(
            Circle((cx / 1000, cz / 1000), radius / 1000, fill=False, lw=0.6, color="0.2")
        )
    axis.set_aspect("equal")
    return image


def _draw_crystals(axis: Axes, x: Array, z: Array, flow: Array, case: Case) -> None:
    if np.abs(flow).max() > 0:
        axis.streamplot(
            x, z, flow[0], flow[1], density=0.9, linewidth=0.5, arrowsize=0.5, color="0.6"
        )
    colours = crystal_colours(case.x.size)
    for k, (cx, cz, radius) in enumerate(zip(case.x, case.z, case.radius, strict=True)):
        axis.add_patch(
            Circle((cx / 1000, cz / 1000), radius / 1000, color=colours[k], zorder=3)
        )
        axis.annotate(
            str(k + 1),
            ((cx + 1.2 * radius) / 1000, (cz + 1.2 * radius) / 1000),
            fontsize=8,
            weight="bold",
            color=colours[k],
            zorder=4,
        )
    axis.set_xlim(x[0], x[-1])
    axis.set_ylim(z[0], z[-1])
    axis.set_aspect("equal")


def _draw_errors(
    figure: Figure,
    row: NDArray[Any],
    x: Array,
    z: Array,
    true: Array,
    guess: Array,
    unit: str,
    case: Case,
) -> None:
    error = guess - true
    largest = float(np.abs(error).max()) or 1.0
    relative = float(np.linalg.norm(error) / (np.linalg.norm(true) or 1.0))
    panels = [
        (error[0], "error of $v_x$", DIVERGING, (-largest, largest)),
        (error[1], "error of $v_z$", DIVERGING, (-largest, largest)),
        (np.hypot(*error), "|error|", ERROR, (0.0, largest)),
    ]
    row[0].axis("off")
    row[0].text(
        0.5,
        0.5,
        f"relative L2 error\n{100 * relative:.2f} %\n\nlargest error\n"
        f"{100 * np.hypot(*error).max() / (np.hypot(*true).max() or 1.0):.1f} % of the largest speed",
        ha="center",
        va="center",
        transform=row[0].transAxes,
    )
    for axis, (values, title, colours, bounds) in zip(row[1:], panels, strict=True):
        image = _draw_field(axis, x, z, values, colours, bounds, case)
        axis.set_title(title)
        figure.colorbar(image, ax=axis, label=unit, shrink=0.85)
