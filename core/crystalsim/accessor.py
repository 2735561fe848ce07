"""``ds.crystals``: what a solution says beyond its variables, for analysis scripts.

Importing this module registers the accessor with xarray; `crystalsim.open` and all that makes
datasets do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from .datasets.schema import kind_of, validate
from .stokes.crystal_motion import crystal_motion
from .stokes.operators import at_centres

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@xr.register_dataset_accessor("crystals")
class CrystalsAccessor:
    """Derived quantities of a solution, and a figure of cases or solutions.

    Parameters
    ----------
    dataset
        Dataset of kind ``"solutions"``, or ``"cases"`` to draw them.

    Examples
    --------
    >>> solution = crystalsim.open("solutions.nc")    # doctest: +SKIP
    >>> solution.crystals.speed.isel(sample=0).plot()    # doctest: +SKIP
    """

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    @property
    def velocity(self) -> xr.Dataset:
        """Velocity at cell centres, `velocity_x` and `velocity_z` on (sample, z, x) [m s-1]."""
        names = ("velocity_x", "velocity_z")
        centres = at_centres(*(self._dataset[name].values for name in names))
        components = {
            name: (("sample", "z", "x"), values, self._dataset[name].attrs)
            for name, values in zip(names, centres, strict=True)
        }
        coords = {n: self._dataset[n] for n in ("sample", "x", "z") if n in self._dataset.coords}
        return xr.Dataset(components, coords)

    @property
    def speed(self) -> xr.DataArray:
        """Speed at cell centres on (sample, z, x) [m s-1]."""
        velocity = self.velocity
        speed = (velocity["velocity_x"] ** 2 + velocity["velocity_z"] ** 2) ** 0.5
        return speed.rename("speed").assign_attrs(units="m s-1", long_name="speed")

    @property
    def vorticity(self) -> xr.DataArray:
        """See `crystalsim.stokes.diagnostics.vorticity`."""
        from .stokes.diagnostics import vorticity

        return vorticity(self._dataset)

    @property
    def strain_rate(self) -> xr.Dataset:
        """See `crystalsim.stokes.diagnostics.strain_rate`."""
        from .stokes.diagnostics import strain_rate

        return strain_rate(self._dataset)

    def at_centres(self) -> xr.Dataset:
        """Position and motion of each crystal; see `crystalsim.stokes.crystal_motion`.

        Returns
        -------
        xarray.Dataset
            `crystal_x`, `crystal_z`, `crystal_radius` [m], `crystal_velocity_x`,
            `crystal_velocity_z` [m s-1] and `crystal_angular_velocity` [s-1] on (sample, crystal).
        """
        names = ["crystal_x", "crystal_z", "crystal_radius"]
        return crystal_motion(self._dataset).assign({n: self._dataset[n] for n in names})

    def plot(self, sample: int = 0, prediction: xr.Dataset | None = None) -> Figure:
        """Draw a sample: its crystals, its flow once it is solved, and a prediction beside it.

        Parameters
        ----------
        sample
            Position of the sample.
        prediction
            Prediction of the same samples, a dataset of kind ``"solutions"``.

        Raises
        ------
        SchemaError
            If there is no such sample, or it is no case or solution.
        """
        from .plotting import plot_cases, plot_sample

        if prediction is None and kind_of(self._dataset) != "solutions":
            return plot_cases(validate(self._dataset, "cases"), sample)
        return plot_sample(validate(self._dataset, "solutions"), prediction, sample)
