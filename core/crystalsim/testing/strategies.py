"""Strategies of hypothesis: grids, crystals, cases and scenes that nobody thought of.

They need hypothesis (``pip install crystalsim[testing]``); the contract suites draw from them where
it is installed. In a test of your own::

    from crystalsim.testing.strategies import cases, for_all

    def test_mine():
        for_all(cases(), lambda drawn: check(MySolver().solve(drawn)))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..datasets.cases import iterate_cases, make_cases
from ..scene.case import Case
from ..scene.grid import Grid
from ..scene.options import SceneOptions
from ..scene.painting import Average, Scene, rasterise

Drawn = TypeVar("Drawn")
Crystals = list[list[dict[str, float]]]


def for_all(
    strategy: st.SearchStrategy[Drawn], check: Callable[[Drawn], object], examples: int = 5
) -> None:
    """Call `check` with values of a strategy; the first that fails is made as simple as it can be.

    The values are the same in each call and on each machine, and no time limit applies.

    Parameters
    ----------
    strategy
        What to draw from.
    check
        Raises AssertionError for a value that is not as it should be.
    examples
        Number of values.
    """
    options = settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    @options
    @given(strategy)
    def holds(drawn: Drawn) -> None:
        check(drawn)

    holds()


def powers_of_ten(low: float, high: float) -> st.SearchStrategy[float]:
    """Positive numbers whose decimal logarithm lies in [`low`, `high`]."""
    return st.floats(low, high).map(lambda exponent: 10.0**exponent)


@st.composite
def grids(draw: st.DrawFn, cells: tuple[int, int] = (8, 20)) -> Grid:
    """Grids of any place and size, from a beaker to a magma chamber, with cells up to 2 to 1.

    Parameters
    ----------
    cells
        Fewest and most cells in each direction.
    """
    nx, nz = draw(st.integers(*cells)), draw(st.integers(*cells))
    spacing = draw(powers_of_ten(-3.0, 3.0))
    width, height = nx * spacing, nz * spacing * draw(st.floats(0.5, 2.0))
    left, bottom = (draw(st.floats(-1.0, 1.0)) * side for side in (width, height))
    return Grid(nx, nz, left, left + width, bottom, bottom + height)


@st.composite
def crystal_lists(
    draw: st.DrawFn,
    grid: Grid,
    matrix: SceneOptions | None = None,
    *,
    samples: tuple[int, int] = (1, 3),
    count: tuple[int, int] = (0, 4),
    radius: tuple[float, float] = (0.05, 1.0),
    viscosity_contrast: tuple[float, float] = (1e-2, 1e5),
    rigid: bool = False,
) -> Crystals:
    """Crystals for `make_cases` that never overlap; they may touch each other and the walls.

    The domain is cut into as many equal parts as the most crystals need, and each crystal lies in a
    part of its own.

    Parameters
    ----------
    grid
        Domain in which the crystals lie.
    matrix
        Magma that contrasts refer to; the standard values by default.
    samples, count
        Fewest and most samples, and crystals of each.
    radius
        Least and largest radius over that of the largest disc in a part of the domain.
    viscosity_contrast
        Least and largest viscosity over the magma's.
    rigid
        Whether some crystals are infinitely viscous.
    """
    matrix = matrix or SceneOptions()
    parts = math.ceil(math.sqrt(max(1, count[1])))
    half_width, half_height = 0.5 * grid.width / parts, 0.5 * grid.height / parts
    low, high = (math.log10(contrast) for contrast in viscosity_contrast)
    contrasts = powers_of_ten(low, high)
    if rigid:
        contrasts = contrasts | st.just(math.inf)

    def crystal(part: int) -> dict[str, float]:
        column, row = part % parts, part // parts
        size = draw(st.floats(*radius)) * min(half_width, half_height)
        right, up = draw(st.floats(-1.0, 1.0)), draw(st.floats(-1.0, 1.0))
        return {
            "x": grid.x_min + (2 * column + 1) * half_width + right * (half_width - size),
            "z": grid.z_min + (2 * row + 1) * half_height + up * (half_height - size),
            "radius": size,
            "density": matrix.matrix_density * (1.0 + draw(st.floats(-0.3, 0.5))),
            "viscosity": matrix.matrix_viscosity * draw(contrasts),
        }

    places = st.lists(
        st.integers(0, parts * parts - 1), unique=True, min_size=count[0], max_size=count[1]
    )
    return [[crystal(part) for part in draw(places)] for _ in range(draw(st.integers(*samples)))]


@st.composite
def cases(
    draw: st.DrawFn, grid: Grid | st.SearchStrategy[Grid] | None = None, **options: Any
) -> xr.Dataset:
    """Datasets of kind ``"cases"``: any grid, magma and crystals.

    Parameters
    ----------
    grid
        Grid, or what to draw it from; `grids` by default.
    **options
        Options of `crystal_lists`.
    """
    if not isinstance(grid, Grid):
        grid = draw(grids() if grid is None else grid)
    matrix = SceneOptions(
        matrix_density=draw(st.floats(1000.0, 4000.0)),
        matrix_viscosity=draw(powers_of_ten(0.0, 22.0)),
        gravity=draw(st.floats(0.1, 25.0)),
    )
    return make_cases(draw(crystal_lists(grid, matrix, **options)), grid, matrix)


@st.composite
def scenes(draw: st.DrawFn, **options: Any) -> tuple[Case, Grid, Scene]:
    """Crystals painted on a grid with any of the means of viscosity.

    Parameters
    ----------
    **options
        Options of `crystal_lists`; there is one sample.

    Returns
    -------
    case, grid, scene
        What was painted, on what, and the result of `rasterise`.
    """
    grid = draw(grids())
    dataset = draw(cases(grid, **{**options, "samples": (1, 1)}))
    average = draw(st.sampled_from(get_args(Average)))
    case = next(iterate_cases(dataset))
    return case, grid, rasterise(case, grid, average)
