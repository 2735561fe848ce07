"""What a run tells its plugins ends up in event files."""

import subprocess
import sys

import pytest

from crystalsim.registry import registry

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder):
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def test_epochs_and_scores_are_written(tmp_path):
    tell = registry().broadcast
    for epoch in (1, 2, 3):
        metrics = {"training_loss": 1.0 / epoch, "validation_loss": float("nan")}
        tell("crystalsim_epoch_finished", run=tmp_path, epoch=epoch, metrics=metrics)
    tell("crystalsim_run_finished", run=tmp_path, results={"unet": {"relative_l2": 0.25}})
    found = read(tmp_path / "tensorboard")
    assert [step for step, _ in found["training/training_loss"]] == [1, 2, 3]
    assert found["training/training_loss"][1][1] == pytest.approx(0.5)
    assert "training/validation_loss" not in found
    assert found["test/relative_l2/unet"] == [(0, pytest.approx(0.25))]


def test_listing_plugins_imports_nothing_heavy():
    code = "import sys, crystalsim_tensorboard.plugin; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
