"""Options that every sampler shares; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..options import Meta

__all__ = ["SceneOptions"]


@dataclass(frozen=True)
class SceneOptions:
    """Options that every sampler shares: the domain, its cells and the matrix.

    Subclass it for the options of a sampler of your own.
    """

    cells: Annotated[
        int | tuple[int, int],
        Meta(description="cells in x and in z, one number for both, 8 at least"),
    ] = 64
    x_range: Annotated[tuple[float, float], Meta(description="left and right wall [m]")] = (
        -1000.0,
        1000.0,
    )
    z_range: Annotated[
        tuple[float, float], Meta(description="bottom and top wall [m], z upward")
    ] = (-1000.0, 1000.0)
    matrix_density: Annotated[float, Meta(gt=0, description="density of the magma [kg m-3]")] = (
        2700.0
    )
    matrix_viscosity: Annotated[float, Meta(gt=0, description="viscosity of the magma [Pa s]")] = (
        1e20
    )
    gravity: Annotated[float, Meta(ge=0, description="acceleration downward [m s-2]")] = 9.81

    def __post_init__(self) -> None:
        if min(self.cells if isinstance(self.cells, tuple) else (self.cells,)) < 8:
            raise ValueError(f"cells = {self.cells}: expected 8 or more in each direction")
        for name, (low, high) in (("x_range", self.x_range), ("z_range", self.z_range)):
            if not low < high:
                raise ValueError(f"{name} = {(low, high)}: expected the lower bound first")
