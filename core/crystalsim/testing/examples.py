"""Small datasets that the suites use; they need no plugin."""

from __future__ import annotations

import xarray as xr

from ..datasets.cases import make_cases
from ..datasets.solutions import make_solutions
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from ..stokes import operators
from ..stokes.isoviscous import solve_isoviscous


def example_cases(cells: tuple[int, int] = (24, 20)) -> xr.Dataset:
    """Four samples: one crystal, two of different properties, none, and a rising one.

    The domain is wider than high, so that x and z cannot be confused, and the samples are numbered
    from 10, so that a number cannot pass for a position.

    Parameters
    ----------
    cells
        Number of cells in x and in z.

    Returns
    -------
    xarray.Dataset
        Dataset of kind ``"cases"``.
    """
    grid = Grid(*cells, -1000.0, 1000.0, -800.0, 800.0)

    def crystal(*values: float) -> dict[str, float]:
        return dict(zip(("x", "z", "radius", "density", "viscosity"), values, strict=True))

    first = crystal(-300.0, 100.0, 150.0, 2900.0, 1e24)
    crystals = [
        [first],
        [first, crystal(400.0, -200.0, 120.0, 3100.0, 1e22)],
        [],
        [crystal(50.0, -400.0, 200.0, 2500.0, 1e23)],
    ]
    cases = make_cases(crystals, grid, SceneOptions())
    return cases.assign_coords(sample=cases["sample"] + 10)


def example_solutions(cases: xr.Dataset | None = None) -> xr.Dataset:
    """Isoviscous flow of the example cases: solutions that need no plugin.

    Parameters
    ----------
    cases
        Other cases to solve.

    Returns
    -------
    xarray.Dataset
        Dataset of kind ``"solutions"``, with `pressure` and `stream_function`.
    """
    cases = example_cases() if cases is None else cases
    grid = Grid.from_dataset(cases)
    psi, pressure = solve_isoviscous(cases, pressure=True)
    velocity_x, velocity_z = operators.velocity(psi, grid.hx, grid.hz)
    assert pressure is not None
    fields = {
        "velocity_x": velocity_x,
        "velocity_z": velocity_z,
        "pressure": pressure,
        "stream_function": psi,
    }
    return make_solutions(cases, fields)
