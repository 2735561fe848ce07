"""The suite for samplers."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

from ..contracts import Sampler
from ..datasets.schema import validate
from ..scene.options import SceneOptions
from .base import PluginContract, assert_survives_a_file


class SamplerContract(PluginContract):
    """What samplers keep.

    Attributes
    ----------
    count
        How many samples to draw, two at least.
    is_random
        False for a sampler that gives the same whatever the seed.
    """

    kind = "sampler"
    count: ClassVar[int] = 3
    is_random: ClassVar[bool] = True

    def test_is_a_sampler(self) -> None:
        """The class has the method of the protocol."""
        assert isinstance(self.make(), Sampler)

    def test_cases_follow_the_schema(self) -> None:
        """Valid cases, so no overlap and nothing outside, as many as asked for."""
        cases = self.make().sample(self.count, seed=5)
        validate(cases, "cases")
        assert cases["sample"].values.tolist() == list(range(self.count))

    def test_without_a_count(self) -> None:
        """A sampler that is not told how many gives some by itself."""
        assert validate(self.make().sample(), "cases").sizes["sample"] >= 1

    def test_same_seed_same_cases(self) -> None:
        """Twice the same, from one object or from two."""
        sampler = self.make()
        first = sampler.sample(self.count, seed=5)
        xr.testing.assert_identical(sampler.sample(self.count, seed=5), first)
        xr.testing.assert_identical(self.make().sample(self.count, seed=5), first)

    def test_other_seed_other_cases(self) -> None:
        """The seed matters, or `is_random` is false."""
        first, other = (self.make().sample(self.count, seed=seed) for seed in (5, 6))
        assert first.equals(other) != self.is_random

    def test_first_samples_do_not_depend_on_the_count(self) -> None:
        """Drawing fewer gives the same first ones."""
        some = self.make().sample(self.count - 1, seed=5)
        more = self.make().sample(self.count, seed=5).isel(sample=slice(self.count - 1))
        for name in some.data_vars:
            width = some.sizes["crystal"]
            values = more[name].values
            if "crystal" in more[name].dims:
                assert np.isnan(values[:, width:]).all()
                values = values[:, :width]
            np.testing.assert_array_equal(some[name].values, values, err_msg=str(name))

    def test_options_of_the_scene_are_heeded(self) -> None:
        """Cells, magma and gravity are those that were asked for."""
        options_class = self.options_class()
        if options_class is None or not issubclass(options_class, SceneOptions):
            return
        cases = self.make(cells=[18, 10], matrix_viscosity=3e19, gravity=1.6).sample(1)
        assert (cases.sizes["x"], cases.sizes["z"]) == (18, 10)
        assert cases["matrix_viscosity"].values.tolist() == [3e19]
        assert cases["gravity"].values.tolist() == [1.6]

    def test_cases_survive_a_file(self, tmp_path: Path) -> None:
        """Written and read they are identical."""
        assert_survives_a_file(self.make().sample(self.count, seed=5), tmp_path / "cases.nc")
