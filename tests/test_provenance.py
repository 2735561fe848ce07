"""Each file says how everything in it came about."""

import json
from pathlib import Path

import xarray as xr

import crystalsim

ROOT = Path(__file__).parents[1]


def config(path):
    return json.loads(crystalsim.open(path).attrs["crystalsim_config"])


def test_every_stage_keeps_what_the_stages_before_it_did(command, tmp_path):
    cases, solutions = tmp_path / "cases.nc", tmp_path / "solutions.nc"
    model, predictions, scores = tmp_path / "model", tmp_path / "predicted.nc", tmp_path / "scores"
    steps = [
        ("sample", "-n", 10, "--seed", 5, "-o", "sampler.cells=16", "--output", cases),
        ("solve", cases, "-o", "solver.tolerance=0.002", "--output", solutions),
        ("train", solutions, "--model", "unet", "-o", "model.epochs=1", "--output", model),
        ("predict", solutions, "--model", model, "--output", predictions),
        ("evaluate", solutions, predictions, "--evaluator", "fields", "--output", scores),
    ]
    for step in steps:
        assert command(*step).status == 0
    drawn, solved = config(cases), config(solutions)
    assert solved["sampler"] == drawn["sampler"]
    assert solved["solver"]["tolerance"] == 0.002
    assert crystalsim.open(solutions).attrs["seed"] == 5
    predicted = config(predictions)
    assert predicted["sampler"] == drawn["sampler"]
    assert "solver" not in predicted  # nothing in this file was solved
    model_table = predicted["model"]
    assert (model_table["plugin"], model_table["epochs"]) == ("unet", 1)
    assert len(model_table["weights"]) == 16
    assert model_table["training"]["solver"]["tolerance"] == 0.002
    assert model_table["training"]["sampler"] == drawn["sampler"]
    assert (model_table["training"]["seed"], model_table["training"]["samples"]) == (0, 9)
    scored = config(scores / "fields.nc")
    assert scored["reference"] == solved
    assert scored["prediction"] == predicted
    trained = json.loads(xr.load_dataset(model / "history.nc").attrs["crystalsim_config"])
    assert trained["training"]["solver"]["tolerance"] == 0.002
    history = crystalsim.open(solutions).attrs["history"].splitlines()
    assert [line.split(": ")[1] for line in history] == ["sampler random", "solver builtin"]
    history = crystalsim.open(predictions).attrs["history"].splitlines()
    assert [line.split(": ")[1] for line in history] == ["sampler random", "model unet"]
    # The same commands again find the files as they are.
    for step in steps:
        assert command(*step).status == 0


def test_predictions_say_which_weights_came_along_and_how_they_were_trained(
    command, cases_file, tmp_path
):
    predictions = tmp_path / "predictions.nc"
    for _ in range(2):  # the same weights have the same fingerprint
        result = command("predict", cases_file, "--model", "polarization", "--output", predictions)
        assert result.status == 0
    table = config(predictions)["model"]
    assert (table["plugin"], table["steps"], len(table["weights"])) == ("polarization", 3, 16)
    training = table["training"]
    assert training["solver"] == {"plugin": "builtin", "tolerance": 0.001}
    assert sum(part["samples"] for part in training["data"].values()) == 2544
    # What the attribute says is what the script does that remakes the weights.
    script = (ROOT / "plugins" / "polarization" / "pretrain.sh").read_text()
    for name, part in training["data"].items():
        low, high = part["count"]
        line = f'sample {name} {part["seed"]} {part["samples"]} {part["cells"]} "[{low},{high}]"'
        assert line in script


def test_predictions_without_weights_say_all_options(command, cases_file, tmp_path):
    command("predict", cases_file, "--model", "half_grid", "--output", tmp_path / "p.nc")
    table = config(tmp_path / "p.nc")["model"]
    assert table["plugin"] == "half_grid" and "weights" not in table
