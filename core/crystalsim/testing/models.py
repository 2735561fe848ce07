"""The suite for models."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import xarray as xr

from ..datasets.schema import validate
from ..errors import CrystalsimError
from ..registry import build, registry
from .base import without_time
from .examples import example_cases, example_solutions
from .flow import FIELDS, FlowContract


class ModelContract(FlowContract):
    """What models keep; give `options` that train in a second or two.

    The suite trains on isoviscous flow and does not judge how well the model predicts.
    """

    kind = "model"
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
        found = self.flow(spoilt)
        for name in FIELDS:
            assert (name in found) == (name in solutions)
            if name in solutions:
                xr.testing.assert_identical(found[name], solutions[name])

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
