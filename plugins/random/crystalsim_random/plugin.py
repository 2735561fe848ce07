"""What the distribution offers, and the options of the sampler; imports nothing heavy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from crystalsim.hookspecs import Plugin, hookimpl
from crystalsim.options import Meta
from crystalsim.scene.options import SceneOptions

Distribution = Literal["uniform", "log_uniform"]


@dataclass(frozen=True)
class RandomOptions(SceneOptions):
    """Options of the random sampler; each range is ``[low, high]`` or one number."""

    count: Annotated[
        int | tuple[int, int], Meta(description="crystals in a sample, each number equally likely")
    ] = (1, 3)
    radius: Annotated[float | tuple[float, float], Meta(description="radius of a crystal [m]")] = (
        40.0,
        100.0,
    )
    radius_distribution: Annotated[Distribution, Meta(description="distribution of the radii")] = (
        "uniform"
    )
    density_contrast: Annotated[
        float | tuple[float, float],
        Meta(description="crystal less magma [kg m-3]; negative rises"),
    ] = (100.0, 500.0)
    density_distribution: Annotated[
        Distribution, Meta(description="distribution of the contrasts")
    ] = "uniform"
    viscosity_contrast: Annotated[
        float | tuple[float, float] | Literal["rigid"],
        Meta(description="crystal over magma; rigid or inf where crystals do not deform"),
    ] = 1e4
    viscosity_distribution: Annotated[
        Distribution, Meta(description="distribution of the contrasts")
    ] = "log_uniform"
    equal_radii: Annotated[bool, Meta(description="one radius a sample")] = False
    equal_densities: Annotated[bool, Meta(description="one density a sample")] = False
    equal_viscosities: Annotated[bool, Meta(description="one viscosity a sample")] = False
    minimum_gap: Annotated[float, Meta(ge=0, description="between two surfaces [m]")] = 20.0
    minimum_wall_gap: Annotated[float, Meta(ge=0, description="between surface and wall [m]")] = (
        50.0
    )
    maximum_tries: Annotated[
        int, Meta(ge=1, description="positions to try for a crystal before starting over")
    ] = 2000
    maximum_restarts: Annotated[
        int, Meta(ge=0, description="times to start a sample over before giving up")
    ] = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("count", "radius", "density_contrast", "viscosity_contrast"):
            rigid = (
                name == "viscosity_contrast" and contrast_range(getattr(self, name))[0] == math.inf
            )
            if rigid:
                continue
            low, high = as_range(getattr(self, name))
            if not (math.isfinite(low) and math.isfinite(high)):
                raise ValueError(f"{name} = [{low:g}, {high:g}]: expected finite numbers")
            if low > high:
                raise ValueError(f"{name} = [{low:g}, {high:g}]: expected the lower bound first")
            if name == "count" and low < 0:
                raise ValueError(f"count = {low:g}: expected 0 or more")
            if name in ("radius", "viscosity_contrast") and low <= 0:
                raise ValueError(f"{name} = {low:g}: expected a positive number")
        if self.density_distribution == "log_uniform" and as_range(self.density_contrast)[0] <= 0:
            raise ValueError(
                f"density_contrast = {as_range(self.density_contrast)[0]:g}: expected positive "
                "bounds to draw log-uniformly"
            )
        if as_range(self.density_contrast)[0] <= -self.matrix_density:
            raise ValueError(
                f"density_contrast = {as_range(self.density_contrast)[0]:g}: crystals lighter than "
                f"nothing; expected more than {-self.matrix_density:g}"
            )
        room = min(b - a for a, b in (self.x_range, self.z_range)) / 2 - self.minimum_wall_gap
        largest = as_range(self.radius)[1]
        if largest > room:
            raise ValueError(
                f"radius = {largest:g} with minimum_wall_gap = {self.minimum_wall_gap:g}: expected "
                f"a radius of at most {room:g}, to fit between the walls"
            )


def as_range(value: float | tuple[float, float]) -> tuple[float, float]:
    """Return one number as a range of no width."""
    return value if isinstance(value, tuple) else (value, value)


def contrast_range(value: float | tuple[float, float] | str) -> tuple[float, float]:
    """Return a viscosity contrast as a range; that of rigid crystals is infinite."""
    return as_range(math.inf if isinstance(value, str) else value)


@hookimpl
def crystalsim_samplers() -> list[Plugin]:
    """Offer the sampler."""
    return [
        Plugin(
            "random",
            "crystalsim_random.sampler:RandomSampler",
            "1..N crystals of random size, density and viscosity that never overlap",
            options="crystalsim_random.plugin:RandomOptions",
        )
    ]
