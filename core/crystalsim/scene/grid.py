"""The staggered grid: where each quantity lives.

Pressure, viscosity and area fractions live at cell centres ``(z, x)``; `velocity_x` on vertical
faces ``(z, x_face)``; `velocity_z` on horizontal faces ``(z_face, x)``; the stream function and the
shear stress on corners ``(z_face, x_face)``. Harlow & Welch (1965), doi:10.1063/1.1761178.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import SchemaError

if TYPE_CHECKING:
    import xarray as xr

    from .options import SceneOptions

__all__ = ["Grid"]


@dataclass(frozen=True)
class Grid:
    """A rectangle of equal cells.

    Parameters
    ----------
    nx, nz
        Number of cells in each direction.
    x_min, x_max, z_min, z_max
        Positions of the walls [m], z upward.

    Raises
    ------
    SchemaError
        If a number of cells is not a whole number from 1, or walls are not finite and ascending.
    """

    nx: int
    nz: int
    x_min: float = -1000.0
    x_max: float = 1000.0
    z_min: float = -1000.0
    z_max: float = 1000.0

    def __post_init__(self) -> None:
        for name in ("nx", "nz"):
            cells = getattr(self, name)
            if isinstance(cells, bool) or not isinstance(cells, (int, np.integer)) or cells < 1:
                raise SchemaError(f"Grid: {name} = {cells!r}; expected a whole number from 1")
        for axis in ("x", "z"):
            walls = getattr(self, f"{axis}_min"), getattr(self, f"{axis}_max")
            if not all(isinstance(wall, (int, float, np.number)) for wall in walls) or not (
                -np.inf < walls[0] < walls[1] < np.inf
            ):
                raise SchemaError(
                    f"Grid: {axis}_min, {axis}_max = {walls[0]!r}, {walls[1]!r}; expected finite "
                    "positions [m], the lower one first"
                )

    def _repr_html_(self) -> str:
        """Cells and walls in a line, for notebooks."""
        return (
            f"<b>Grid</b>: {self.nx} &times; {self.nz} cells of {self.hx:g} m &times; "
            f"{self.hz:g} m, x from {self.x_min:g} m to {self.x_max:g} m, z from "
            f"{self.z_min:g} m to {self.z_max:g} m"
        )

    @property
    def width(self) -> float:
        """Extent in x [m]."""
        return self.x_max - self.x_min

    @property
    def height(self) -> float:
        """Extent in z [m]."""
        return self.z_max - self.z_min

    @property
    def hx(self) -> float:
        """Cell size in x [m]."""
        return self.width / self.nx

    @property
    def hz(self) -> float:
        """Cell size in z [m]."""
        return self.height / self.nz

    @property
    def x_face(self) -> NDArray[np.float64]:
        """Positions of vertical faces (x_face) [m]."""
        return np.linspace(self.x_min, self.x_max, self.nx + 1)

    @property
    def z_face(self) -> NDArray[np.float64]:
        """Positions of horizontal faces (z_face) [m]."""
        return np.linspace(self.z_min, self.z_max, self.nz + 1)

    @property
    def x(self) -> NDArray[np.float64]:
        """Cell centres (x) [m]."""
        return 0.5 * (self.x_face[1:] + self.x_face[:-1])

    @property
    def z(self) -> NDArray[np.float64]:
        """Cell centres (z) [m]."""
        return 0.5 * (self.z_face[1:] + self.z_face[:-1])

    def coordinates(self) -> dict[str, tuple[str, NDArray[np.float64], dict[str, object]]]:
        """Coordinates for an `xarray.Dataset`, with CF and xgcm attributes."""
        coordinates: dict[str, tuple[str, NDArray[np.float64], dict[str, object]]] = {}
        for name, values in (
            ("x", self.x),
            ("z", self.z),
            ("x_face", self.x_face),
            ("z_face", self.z_face),
        ):
            axis = name[0].upper()
            attributes: dict[str, object] = {
                "units": "m",
                "axis": axis,
                "long_name": f"{'horizontal' if axis == 'X' else 'vertical'} position of "
                + ("cell faces" if name.endswith("face") else "cell centres"),
            }
            if axis == "Z":
                attributes["positive"] = "up"
            if name.endswith("face"):
                attributes["c_grid_axis_shift"] = -0.5
            coordinates[name] = (name, values, attributes)
        return coordinates

    @classmethod
    def from_options(cls, options: SceneOptions) -> Grid:
        """Make the grid that a sampler's options ask for."""
        cells = options.cells if isinstance(options.cells, tuple) else (options.cells,) * 2
        return cls(cells[0], cells[1], *options.x_range, *options.z_range)

    @classmethod
    def from_dataset(cls, dataset: xr.Dataset) -> Grid:
        """Read the grid from the coordinates `x_face` and `z_face`.

        Raises
        ------
        SchemaError
            If they are missing, not ascending or not evenly spaced.
        """
        bounds: dict[str, NDArray[np.float64]] = {}
        for name in ("x_face", "z_face"):
            if name not in dataset.coords:
                raise SchemaError(f"coordinate '{name}' is missing: it holds the faces of the grid")
            values = np.asarray(dataset[name].values, dtype=float)
            even = np.linspace(values[0], values[-1], values.size)
            if values.size < 2 or not values[-1] > values[0]:
                raise SchemaError(f"coordinate '{name}': expected ascending positions [m]")
            if not np.allclose(values, even, rtol=0, atol=1e-6 * (values[-1] - values[0])):
                raise SchemaError(f"coordinate '{name}': expected evenly spaced positions [m]")
            bounds[name] = values
        x, z = bounds["x_face"], bounds["z_face"]
        return cls(x.size - 1, z.size - 1, float(x[0]), float(x[-1]), float(z[0]), float(z[-1]))
