"""Random sequential placement of discs."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from crystalsim import Configured, Grid, make_cases
from crystalsim.errors import PlacementError

from .plugin import Distribution, RandomOptions, as_range, contrast_range

Array = NDArray[np.float64]

_DENSEST = np.pi / np.sqrt(12.0)
"""Densest packing of equal discs in the plane (Thue); no sampler can beat it."""

_BATCH = 64
"""Positions that are tried at once."""


class RandomSampler(Configured[RandomOptions]):
    """Draws crystals that keep their distance from each other and from the walls.

    Number, radii, densities and viscosities of a sample are drawn first; then the crystals are
    placed one after the other, largest first, each at a uniformly random position among those that
    keep the gaps (random sequential addition). When a crystal finds no place, the sample starts
    over with the same crystals at new places, a bounded number of times.

    Parameters
    ----------
    options
        See ``crystalsim describe sampler random``.
    """

    options_class = RandomOptions

    def __init__(self, options: RandomOptions | None = None) -> None:
        super().__init__(options)
        self.grid = Grid.from_options(self.options)

    def sample(self, count: int | None = None, *, seed: int = 0) -> xr.Dataset:
        """Draw cases (one if `count` is None); see `crystalsim.contracts.Sampler`."""
        crystals = [self._sample_one(i, seed) for i in range(1 if count is None else count)]
        return make_cases(crystals, self.grid, self.options, attributes={"seed": seed})

    def _sample_one(self, index: int, seed: int) -> list[dict[str, float]]:
        options = self.options
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        low, high = as_range(options.count)
        count = int(rng.integers(int(low), int(high), endpoint=True))
        radius = _draw(rng, count, options.radius, options.radius_distribution, options.equal_radii)
        density = options.matrix_density + _draw(
            rng,
            count,
            options.density_contrast,
            options.density_distribution,
            options.equal_densities,
        )
        viscosity = options.matrix_viscosity * _draw(
            rng,
            count,
            contrast_range(options.viscosity_contrast),
            options.viscosity_distribution,
            options.equal_viscosities,
        )
        x, z = self._place(rng, radius, index)
        columns = zip(x, z, radius, density, viscosity, strict=True)
        names = ("x", "z", "radius", "density", "viscosity")
        return [dict(zip(names, map(float, row), strict=True)) for row in columns]

    def _place(self, rng: np.random.Generator, radius: Array, index: int) -> tuple[Array, Array]:
        options, grid = self.options, self.grid
        # Discs grown by half the gap pack inside the walls less the wall gap, grown likewise.
        grown = radius + 0.5 * options.minimum_gap
        inset = options.minimum_wall_gap - 0.5 * options.minimum_gap
        room = (grid.width - 2 * inset) * (grid.height - 2 * inset)
        filled = float(np.pi * (grown**2).sum() / room)
        same = np.ptp(radius) == 0 if radius.size else True
        order = np.argsort(-radius, kind="stable")
        best = 0
        impossible = filled > (_DENSEST if same else 1.0)
        for _ in range(0 if impossible else options.maximum_restarts + 1):
            x, z = np.zeros_like(radius), np.zeros_like(radius)
            for placed, k in enumerate(order):
                others = order[:placed]
                place = self._find_place(rng, radius[k], x[others], z[others], radius[others])
                if place is None:
                    best = max(best, placed)
                    break
                x[k], z[k] = place
            else:
                return x, z
        tried = (
            "which no arrangement can hold"
            if impossible
            else f"at most {best} found a place in {options.maximum_restarts + 1} attempts of "
            f"{options.maximum_tries} tries a crystal"
        )
        raise PlacementError(
            f"sample {index}: {radius.size} crystals of {radius.min():g}-{radius.max():g} m with "
            f"minimum_gap = {options.minimum_gap:g} m and minimum_wall_gap = "
            f"{options.minimum_wall_gap:g} m fill {100 * filled:.0f} % of the room, {tried}; lower "
            "count, radius or minimum_gap"
        )

    def _find_place(
        self, rng: np.random.Generator, radius: float, x: Array, z: Array, radii: Array
    ) -> tuple[float, float] | None:
        options, grid = self.options, self.grid
        margin = radius + options.minimum_wall_gap
        apart = radii + radius + options.minimum_gap
        for start in range(0, options.maximum_tries, _BATCH):
            tries = min(_BATCH, options.maximum_tries - start)
            new_x = rng.uniform(grid.x_min + margin, grid.x_max - margin, tries)
            new_z = rng.uniform(grid.z_min + margin, grid.z_max - margin, tries)
            distance = np.hypot(new_x[:, None] - x, new_z[:, None] - z)
            free = np.flatnonzero((distance >= apart).all(axis=1))
            if free.size:
                return float(new_x[free[0]]), float(new_z[free[0]])
        return None


def _draw(
    rng: np.random.Generator,
    count: int,
    bounds: float | tuple[float, float],
    distribution: Distribution,
    equal: bool,
) -> Array:
    low, high = as_range(bounds)
    size = 1 if equal else count
    if low == np.inf:  # rigid
        return np.full(count, np.inf)
    if distribution == "log_uniform":
        values = np.exp(rng.uniform(np.log(low), np.log(high), size)).clip(low, high)
    else:
        values = rng.uniform(low, high, size)
    return np.broadcast_to(values, (count,)) if equal else values
