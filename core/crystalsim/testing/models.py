"""The suite for models."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr

from ..contracts import ChecksSolutions, Model, Pretrained, Streaming
from ..datasets.schema import validate
from ..errors import CrystalsimError
from ..registry import build, get, registry
from ..storage.netcdf import open as open_dataset
from ..storage.netcdf import write
from .base import without_time
from .examples import example_cases, example_solutions
from .flow import FIELDS, FlowContract, assert_motion_is_that_of_the_flow


class ModelContract(FlowContract):
    """What models keep; give `options` that train in a second or two.

    The suite trains on isoviscous flow and does not judge how well the model predicts. The
    capabilities that a model has are tested too.

    Attributes
    ----------
    motion_tolerance
        How far `motion` may be from that of the predicted flow, over the largest value.
    """

    kind = "model"
    # Networks compute in single precision, and torch chooses kernels by the size of the batch, each
    # with its order of sums: up to 4.6e-6 was measured (two convolutions 1.4e-6, U-Net 2e-7).
    subset_tolerance = 1e-5
    motion_tolerance: ClassVar[float] = 1e-5
    _fitted: ClassVar[dict[type, Any]] = {}

    def fitted(self) -> Any:
        """Give the model, trained once on the example solutions."""
        if type(self) not in self._fitted:
            model = self.make()
            model.fit(example_solutions(), example_solutions(), seed=3)
            self._fitted[type(self)] = model
        return self._fitted[type(self)]

    def flow(self, cases: xr.Dataset) -> xr.Dataset:
        """Predict."""
        solutions: xr.Dataset = self.fitted().predict(cases)
        return solutions

    def test_velocity_is_divergence_free(self, solutions: xr.Dataset) -> None:
        """Where there is a stream function: a network may predict the velocity itself."""
        if "stream_function" in solutions:
            super().test_velocity_is_divergence_free(solutions)

    def test_history_is_described(self) -> None:
        """One value an epoch, counted from 1; each loss has a name and a definition."""
        seen: list[int] = []
        history = self.make().fit(
            example_solutions(),
            example_solutions(),
            seed=3,
            on_epoch=lambda epoch, metrics: seen.append(epoch),
        )
        assert "epoch" in history.sizes
        assert seen == list(range(1, history.sizes["epoch"] + 1))
        assert not seen or history.data_vars
        for array in history.data_vars.values():
            assert array.attrs.get("long_name")
            assert array.attrs.get("units")

    def test_same_seed_same_model(self, solutions: xr.Dataset) -> None:
        """Trained twice, the predictions are equal; the training data are left as they were."""
        training, validation = example_solutions(), example_solutions()
        second = self.make()
        second.fit(training, validation, seed=3)
        again = second.predict(example_cases())
        xr.testing.assert_identical(without_time(again), without_time(solutions))
        xr.testing.assert_identical(training, example_solutions())
        xr.testing.assert_identical(validation, example_solutions())

    def test_the_truth_is_not_seen(self, solutions: xr.Dataset) -> None:
        """Fields that come with the cases do not change the prediction."""
        spoilt = example_solutions()
        for name in FIELDS:
            spoilt[name][:] = 1e300
        prediction = self.flow(spoilt)
        for name in FIELDS:
            assert (name in prediction) == (name in solutions)
            if name in solutions:
                xr.testing.assert_identical(prediction[name], solutions[name])

    def test_solutions_are_checked_before_training(self) -> None:
        """Where the model checks them: it takes what it is trained on here, and says no in words.

        Solutions with walls of a kind that does not exist are nothing to learn from.
        """
        model = self.make()
        if not isinstance(model, ChecksSolutions):
            pytest.skip("the model has no check_solutions")
        model.check_solutions(example_solutions())
        with pytest.raises(CrystalsimError):
            model.check_solutions(example_solutions().assign_attrs(walls="none of ours"))

    def test_saved_and_loaded_is_the_same(
        self, solutions: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Predictions of the loaded model are equal, and no pickle is loaded."""

        def refuse(*_: Any, **__: Any) -> Any:
            raise AssertionError("a pickle is loaded: it may run any code")

        self.fitted().save(tmp_path)
        with monkeypatch.context() as patch:
            for name in ("load", "loads", "Unpickler"):
                patch.setattr(pickle, name, refuse)
            loaded = registry().load("model", self.name).load(tmp_path)
        again = loaded.predict(example_cases())
        xr.testing.assert_identical(without_time(again), without_time(solutions))

    def test_missing_files_are_named(self, tmp_path: Path) -> None:
        """Without a file that `save` wrote, `load` raises an error for users that names it."""
        self.fitted().save(tmp_path)
        for path in sorted(p for p in tmp_path.rglob("*") if p.is_file()):
            content = path.read_bytes()
            path.unlink()
            with pytest.raises(CrystalsimError, match=path.name):
                registry().load("model", self.name).load(tmp_path)
            path.write_bytes(content)

    def test_other_grids_can_be_predicted(self) -> None:
        """Any number of cells."""
        validate(self.flow(example_cases((37, 18))), "solutions")

    def test_is_a_model(self) -> None:
        """The class has the methods of the protocol."""
        assert isinstance(self.make(), Model)

    def test_streaming_parts_are_one_dataset(self, solutions: xr.Dataset, tmp_path: Path) -> None:
        """`Streaming`: trained on lazy parts of the samples, the model is the same."""
        model = self.make()
        if not isinstance(model, Streaming):
            return
        parts = []
        for number, chosen in enumerate((slice(0, 1), slice(1, None))):
            write(example_solutions().isel(sample=chosen), tmp_path / f"{number}.nc")
            parts.append(open_dataset(tmp_path / f"{number}.nc"))
        model.fit_parts(parts, [example_solutions()], seed=3)
        assert isinstance(model, Model)
        again = model.predict(example_cases())
        xr.testing.assert_identical(without_time(again), without_time(solutions))

    def test_streaming_takes_several_grids(self) -> None:
        """`Streaming`: parts may be on several grids."""
        model = self.make()
        if not isinstance(model, Streaming):
            return
        data = [example_solutions(), example_solutions(example_cases((20, 16)))]
        model.fit_parts(data, data, seed=0)
        assert isinstance(model, Model)
        validate(model.predict(example_cases()), "solutions")

    def test_pretrained_weights_come_along(self) -> None:
        """`Pretrained`: a model made without options predicts with the weights, until trained."""
        plain = get("model", self.name)
        if not isinstance(plain, Pretrained):
            return
        brought = plain.pretrained().predict(example_cases())
        validate(brought, "solutions")
        prediction = plain.predict(example_cases())
        xr.testing.assert_identical(without_time(prediction), without_time(brought))

    def test_motion_is_that_of_the_flow(self) -> None:
        """`Motion`: the same as the means of the velocity over the crystals, if it has both."""
        assert_motion_is_that_of_the_flow(self.fitted(), self.flow, self.motion_tolerance)

    def test_trains_on_a_gpu_if_there_is_one(self) -> None:
        """Where the model has an option `device`: the prediction is that of the processor."""
        torch = pytest.importorskip("torch")
        if "device" not in self.options:
            pytest.skip("the model has no option 'device'")
        if not torch.cuda.is_available():
            pytest.skip("no GPU on this machine")
        data = example_solutions()
        model = build("model", self.name, {**self.options, "device": "cuda"})
        history = model.fit(data, data, seed=0)
        assert np.isfinite(history["training_loss"].values).all()
        assert np.isfinite(model.predict(example_cases())["velocity_z"].values).all()
