"""Each file says how everything in it came about."""

import json

import xarray as xr

import crystalsim


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
